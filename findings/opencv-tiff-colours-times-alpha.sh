#!/bin/sh
# OpenCV multiplies the colours of an 8-bit TIFF by its alpha, though the image is to be read unchanged.
#
# Versions: opencv-python-headless 5.0.0.93; tifffile 2026.3.3 and Pillow 13.0.0 write the files.
# Input: RGBA of one colour, (200, 100, 50) with alpha 64, as TIFF whose alpha is declared as "unassociated" (colours not
#   multiplied, as in PNG), by tifffile and by Pillow; read by `cv2.imdecode(data, cv2.IMREAD_UNCHANGED)`.
# Expected: the values of the file, as from a PNG with the same pixels.
# Seen: (50, 25, 13): darker the more transparent, and nothing in the result tells so. The same picture with 16 bits comes as it
#   is, and so does an 8-bit one whose alpha isn't declared, which is what OpenCV itself writes: its own round trip
#   is right. An 8-bit TIFF whose colours really are multiplied comes as it is too, so that both kinds of alpha give
#   one result. Soft edges and PSNR of transparent pictures are wrong.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 numpy==2.4.6 tifffile==2026.3.3 pillow==13.0.0
OPENCV_LOG_LEVEL=ERROR "$folder/venv/bin/python" - <<'PYTHON'
import io

import cv2
import numpy
import tifffile
from PIL import Image

print("OpenCV", cv2.__version__)
colour = numpy.full((8, 8, 4), (200, 100, 50, 64), numpy.uint8)


def by_tifffile(pixels, alpha):
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, photometric="rgb", extrasamples=[alpha])
    assert numpy.array_equal(tifffile.imread(io.BytesIO(stream.getvalue())), pixels), "the file itself isn't right"
    return stream.getvalue()


def by_pillow(format):
    stream = io.BytesIO()
    Image.fromarray(colour).save(stream, format)
    return stream.getvalue()


deep = colour.astype(numpy.uint16) * 257
multiplied = numpy.full((8, 8, 4), (50, 25, 13, 64), numpy.uint8)
plain, dark = (200, 100, 50, 64), (50, 25, 13, 64)
files = {
    "PNG": (by_pillow("PNG"), plain),
    "TIFF by tifffile, unassociated": (by_tifffile(colour, "unassalpha"), dark),
    "TIFF by Pillow, unassociated": (by_pillow("TIFF"), dark),
    "TIFF by tifffile, unassociated, 16 bits": (by_tifffile(deep, "unassalpha"), plain),
    "TIFF by tifffile, multiplied by alpha in the file": (by_tifffile(multiplied, "assocalpha"), dark),
    "TIFF by OpenCV, alpha not declared": (cv2.imencode(".tiff", colour[..., [2, 1, 0, 3]])[1].tobytes(), plain),
}
as_seen = True
for title, (data, expected) in files.items():
    image = cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_UNCHANGED)
    values = image // 257 if image.dtype == numpy.uint16 else image
    found = tuple(int(value) for value in values[0, 0, [2, 1, 0, 3]])
    print(f"{title}: {found}")
    as_seen = as_seen and found == expected
raise SystemExit(0 if as_seen else 1)
PYTHON
