#!/bin/sh
# Pillow resizes a big-endian 16-bit grey TIFF to wrong values, and writes its bytes swapped as JPEG 2000.
#
# Versions: Pillow 13.0.0 with its OpenJPEG 2.5.4; tifffile 2026.3.3 writes the files; numpy 2.4.6.
# Input: the same smooth ramp as uncompressed 16-bit grey TIFF in both byte orders. The order "MM" is what some scientific
#   programs write; Pillow opens it in mode I;16B, and "II" in mode I;16.
# Expected: the same pixels from both, or "image has wrong mode".
# Seen: opened, both have equal arrays, and saved as PNG and TIFF they come back right. `resize` of the big-endian one is wrong
#   with every filter but NEAREST: BOX is off by up to 256, LANCZOS by 59000 of 65535. Lossless JPEG 2000 has its bytes
#   swapped: 44045 for 3500. Nothing is raised. Compressed with LZW the same order opens as I;16, and all is well: so the
#   same picture is right or wrong by how its file was packed.
# Instead: `Image.fromarray(numpy.asarray(image).astype(numpy.uint16))` before anything else is done with the image.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io

import numpy as np
import PIL
import tifffile
from PIL import Image, features

print("Pillow", PIL.__version__, "OpenJPEG", features.version("jpg_2000"))
SIDE = 64
rows, columns = np.mgrid[0:SIDE, 0:SIDE]
ramp = (2000 + 600 * columns + 300 * rows).astype(np.uint16)


def opened(order):
    stream = io.BytesIO()
    tifffile.imwrite(stream, ramp, byteorder=order)
    return Image.open(stream)


def saved(image, file_format):
    stream = io.BytesIO()
    image.save(stream, file_format)
    return np.asarray(Image.open(stream)).astype(np.float64)


def resized(image, resample):
    return np.asarray(image.resize((SIDE // 2, SIDE // 2), resample)).astype(np.float64)


little, big = opened("<"), opened(">")
print(f"modes {little.mode} and {big.mode}; equal arrays: {np.array_equal(np.asarray(little), np.asarray(big))}")
same = np.array_equal(np.asarray(little), ramp) and np.array_equal(np.asarray(big), ramp)
off = {}
for resample in Image.Resampling:
    measure = resized(little.convert("F"), resample)
    off[resample.name] = [float(np.abs(resized(image, resample) - measure).max()) for image in (little, big)]
for file_format in "PNG", "TIFF", "JPEG2000":
    off[file_format] = [float(np.abs(saved(image, file_format) - ramp).max()) for image in (little, big)]
for title, (first, second) in off.items():
    print(f"{title}: little-endian at most {first:.0f} off, big-endian {second:.0f}")
swapped = np.array_equal(saved(big, "JPEG2000"), ramp.byteswap())
print("JPEG 2000 of the big-endian one has its bytes swapped:", swapped)
mended = Image.fromarray(np.asarray(big).astype(np.uint16))
mended_off = max(float(np.abs(resized(mended, r) - resized(little.convert("F"), r)).max()) for r in Image.Resampling)
print(f"through numpy's native order: at most {mended_off:.0f} off")
good = all(first <= 1 for first, _ in off.values()) and mended_off <= 1
good &= all(off[name][1] == 0 for name in ("NEAREST", "PNG", "TIFF"))
bad = off["BOX"][1] > 100 and all(off[name][1] > 10000 for name in ("BILINEAR", "BICUBIC", "LANCZOS", "JPEG2000"))
raise SystemExit(0 if same and good and bad and swapped else 1)
PYTHON
