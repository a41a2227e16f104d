#!/bin/sh
# Pillow inverts a WhiteIsZero TIFF of 8 bits, but not one of 16 bits.
#
# Versions: Pillow 13.0.0; tifffile 2026.3.3 writes the files.
# Input: the same grey ramp as WhiteIsZero (PhotometricInterpretation 0) TIFF of 8 and of 16 bits.
# Expected: both read with white as the largest value.
# Seen: 8 bits are inverted, 16 bits are given as they are: the picture is a negative.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6 tifffile==2026.3.3
"$folder/venv/bin/python" - <<'PYTHON'
import io

import numpy
import tifffile
from PIL import Image

seen = {}
for dtype in (numpy.uint8, numpy.uint16):
    white_to_black = numpy.linspace(0, numpy.iinfo(dtype).max, 6).astype(dtype)[None].repeat(4, 0)
    stream = io.BytesIO()
    tifffile.imwrite(stream, white_to_black, photometric="miniswhite")
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        values = numpy.asarray(image)[0]
        print(image.mode, "0 in the file is white; Pillow reads the first value as", int(values[0]), "and the last as", int(values[-1]))
    seen[dtype] = bool(values[0] > values[-1])
raise SystemExit(0 if seen == {numpy.uint8: True, numpy.uint16: False} else 1)
PYTHON
