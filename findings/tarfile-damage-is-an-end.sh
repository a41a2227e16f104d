#!/bin/sh
# tarfile takes a damaged or missing header for the end of the archive, without a word.
#
# Version: Python 3.11 (the standard library's tarfile).
# Input: an archive of three files; in a copy the first byte of the second header is another one, and a second copy is cut
#   between the second file and the third.
# Expected: ReadError ("invalid header", "unexpected end of data"), as for the same damage of the first header.
# Seen: both read as archives of one and of two files; `tarfile.open(...).getmembers()` and streams ("r|") alike. Whoever
#   copies from such an archive loses the rest and isn't told. The header is protected by a checksum, and an archive has an
#   end of two blocks of zeros, so both could be known.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys
import tarfile

stream = io.BytesIO()
with tarfile.open(fileobj=stream, mode="w") as archive:
    for name in ("1.txt", "2.txt", "3.txt"):
        member = tarfile.TarInfo(name)
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
whole = stream.getvalue()
damaged = bytearray(whole)
damaged[1024] ^= 1
first = bytearray(whole)
first[0] ^= 1
seen = {}
for title, data in (("whole", whole), ("second header damaged", damaged), ("cut after two", whole[:2048]), ("first header damaged", first)):
    for mode in ("r:", "r|"):
        try:
            with tarfile.open(fileobj=io.BytesIO(bytes(data)), mode=mode) as archive:
                found = str(len(archive.getmembers()))
        except tarfile.TarError as error:
            found = type(error).__name__
        seen[title, mode] = found
        print(f"Python {sys.version.split()[0]}, {title}, mode {mode!r}: {found}")
expected = {"whole": "3", "second header damaged": "1", "cut after two": "2", "first header damaged": "ReadError"}
raise SystemExit(0 if all(found == expected[title] for (title, _), found in seen.items()) else 1)
PYTHON
