#!/bin/sh
# Pillow reads an uncompressed 16-bit TIFF in planes as if its values had 8 bits.
#
# Versions: Pillow 13.0.0; tifffile 2026.3.3 writes the file.
# Input: a 16-bit RGB TIFF with PlanarConfiguration 2 and no compression, and the same with deflate.
# Expected: the same pixels for both: the high byte of each value.
# Seen: the deflated one is right. Of the uncompressed one each byte is taken for a value, so every second
#   pixel is a low byte and half of the picture is missing. No error, no warning.
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

planes = numpy.arange(3 * 4 * 6, dtype=numpy.uint16).reshape(3, 4, 6) * 900 + 37
expected = numpy.moveaxis(planes, 0, 2) >> 8
right = {}
for compression in (None, "zlib"):
    stream = io.BytesIO()
    tifffile.imwrite(stream, planes, photometric="rgb", planarconfig="separate", compression=compression)
    assert numpy.array_equal(tifffile.imread(io.BytesIO(stream.getvalue())), planes), "the file itself isn't right"
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        seen = numpy.asarray(image)
    right[compression] = bool(numpy.array_equal(seen, expected))
    print(compression or "uncompressed", "red of the first row:", seen[0, :, 0].tolist(), "expected", expected[0, :, 0].tolist())
raise SystemExit(0 if right == {None: False, "zlib": True} else 1)
PYTHON
