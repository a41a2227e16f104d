#!/bin/sh
# Pillow scales 12-bit grey to 16 bits in JPEG 2000, but not in TIFF.
#
# Versions: Pillow 13.0.0; tifffile 2026.3.3 and imagecodecs 2026.3.6 write the files.
# Input: the same 12-bit grey ramp, 0 to 4095, as TIFF and as JPEG 2000; Pillow opens both in mode I;16.
# Expected: one meaning of mode I;16: white is near 65535 in both.
# Seen: 65520 for white in JPEG 2000, 4095 in TIFF: who takes I;16 for 16 bits sees the TIFF at a
#   sixteenth of its brightness. Nothing in the image says which it is.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6 tifffile==2026.3.3 imagecodecs==2026.3.6
"$folder/venv/bin/python" - <<'PYTHON'
import io

import imagecodecs
import numpy
import tifffile
from PIL import Image

ramp = numpy.linspace(0, 4095, 64).astype(numpy.uint16)[None].repeat(16, 0)
stream = io.BytesIO()
tifffile.imwrite(stream, ramp, photometric="minisblack", bitspersample=12)
files = {
    "TIFF": stream.getvalue(),
    "JPEG 2000": imagecodecs.jpeg2k_encode(ramp, level=0, reversible=True, bitspersample=12),
}
seen = {}
for name, data in files.items():
    with Image.open(io.BytesIO(data)) as image:
        seen[name] = (image.mode, int(numpy.asarray(image).max()))
    print(f"{name}: mode {seen[name][0]}, white is {seen[name][1]}")
raise SystemExit(0 if seen == {"TIFF": ("I;16", 4095), "JPEG 2000": ("I;16", 65520)} else 1)
PYTHON
