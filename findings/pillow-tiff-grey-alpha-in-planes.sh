#!/bin/sh
# Pillow reads a compressed TIFF of grey and alpha in planes as wholly transparent.
#
# Versions: Pillow 13.0.0; tifffile 2026.3.3 writes the files.
# Input: 8-bit grey 100 with alpha 200 as TIFF, with deflate, LZW and PackBits, its samples together (PlanarConfiguration 1) and in
#   planes (2); and RGB with alpha in the same ways.
# Expected: alpha 200 in all of them.
# Seen: alpha is 0 everywhere for grey in planes, without an error or a warning: laid on a background the picture is gone, and
#   an encoder that doesn't code invisible colours throws it away. RGB with alpha is right.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6 tifffile==2026.3.3 imagecodecs==2026.3.6
"$folder/venv/bin/python" - <<'PYTHON'
import io

import numpy
import tifffile
from PIL import Image

as_seen = True
for colours in (1, 3):
    planes = numpy.full((colours + 1, 16, 16), 100, numpy.uint8)
    planes[-1] = 200
    for planar in ("contig", "separate"):
        for compression in ("zlib", "lzw", "packbits"):
            stream = io.BytesIO()
            tifffile.imwrite(
                stream,
                planes if planar == "separate" else numpy.ascontiguousarray(numpy.moveaxis(planes, 0, 2)),
                photometric="minisblack" if colours == 1 else "rgb",
                planarconfig=planar,
                extrasamples=["unassalpha"],
                compression=compression,
            )
            data = tifffile.imread(io.BytesIO(stream.getvalue()))
            assert 200 in data and 100 in data, "the file itself isn't right"
            with Image.open(io.BytesIO(stream.getvalue())) as image:
                image.load()
                shown = Image.new("L", image.size, 0)
                shown.paste(image.convert("L"), mask=image.getchannel("A"))
                pixel, laid = image.getpixel((3, 3)), shown.getpixel((3, 3))
            print(f"{image.mode}, {planar}, {compression}: {pixel}; on black {laid}")
            lost = colours == 1 and planar == "separate"
            as_seen = as_seen and pixel == (100,) * colours + (0 if lost else 200,) and (laid == 0) == lost
raise SystemExit(0 if as_seen else 1)
PYTHON
