#!/bin/sh
# Pillow doesn't find the transparent colour of PNG pictures whose depth isn't 8 bits.
#
# Versions: Pillow 13.0.0.
# Input: PNG pictures with one transparent value (tRNS): grey of 1, 2, 4 and 8 bits, and RGB of 16 bits.
# Expected: convert('RGBA') makes that value transparent at every depth.
# Seen: found at 1 and 8 bits alone. At 2 and 4 bits the pixels are scaled to 0..255 and the key is not;
#   at 16 bits the pixels are reduced to 8 bits and the key is not.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import zlib

from PIL import Image


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(bits, colour, row, key):
    head = struct.pack(">IIBBBBB", 1, 1, bits, colour, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"tRNS", key), (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


files = {f"grey, {bits} bits": png(bits, 0, bytes([1 << 8 - bits]), struct.pack(">H", 1)) for bits in (1, 2, 4, 8)}
colour = struct.pack(">3H", 0x1234, 0x5678, 0x9ABC)
files["RGB, 16 bits"] = png(16, 2, colour, colour)
found = {}
for name, data in files.items():
    with Image.open(io.BytesIO(data)) as image:
        alpha = image.convert("RGBA").getpixel((0, 0))[3]
        print(f"{name}: key {image.info['transparency']}, pixel {image.getpixel((0, 0))}, alpha {alpha} (0 expected)")
    found[name] = alpha == 0
expected = {"grey, 1 bits": True, "grey, 2 bits": False, "grey, 4 bits": False, "grey, 8 bits": True, "RGB, 16 bits": False}
raise SystemExit(0 if found == expected else 1)
PYTHON
