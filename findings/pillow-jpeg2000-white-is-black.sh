#!/bin/sh
# Pillow reads white in a 16-bit colour JPEG 2000 picture as black.
#
# Versions: Pillow 13.0.0 with its OpenJPEG 2.5.4; imagecodecs 2026.3.6 writes the file.
# Input: a lossless 16-bit RGB JPEG 2000 file of a ramp from black to white.
# Expected: 8-bit values that rise from 0 to 255; or an error that the depth isn't supported.
# Seen: values from 65408 on become 0: the reduction to 8 bits adds a half and overflows, so highlights
#   turn black.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6 imagecodecs==2026.3.6
"$folder/venv/bin/python" - <<'PYTHON'
import io

import imagecodecs
import numpy
from PIL import Image

levels = numpy.array([0, 32768, 65000, 65407, 65408, 65535], numpy.uint16)
picture = numpy.repeat(numpy.tile(levels, (6, 1))[..., None], 3, axis=2)
data = imagecodecs.jpeg2k_encode(picture, level=0, reversible=True)
assert numpy.array_equal(imagecodecs.jpeg2k_decode(data), picture), "the file itself isn't right"
with Image.open(io.BytesIO(data)) as image:
    seen = [image.convert("RGB").getpixel((x, 0))[0] for x in range(len(levels))]
print("16-bit values:", levels.tolist())
print("Pillow reads: ", seen)
raise SystemExit(0 if seen == [0, 128, 254, 255, 0, 0] else 1)
PYTHON
