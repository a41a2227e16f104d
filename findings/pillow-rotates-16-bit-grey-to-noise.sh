#!/bin/sh
# Pillow makes noise of 16-bit grey when it rotates or transforms it with a filter.
#
# Versions: Pillow 13.0.0, numpy 2.4.6.
# Input: a smooth ramp in mode I;16, as 16-bit grey PNG and TIFF files open; `rotate(10)`, and `transform` by half a pixel, with
#   NEAREST, BILINEAR and BICUBIC. The same ramp in mode F, which is exact here, is the measure.
# Expected: the ramp, turned or moved; or "image has wrong mode", as `reduce` and the median filter raise for this mode, which
#   Pillow's handbook counts among those with limited support.
# Seen: with NEAREST it is right. With BILINEAR and BICUBIC all values are below 256 and have nothing to do with the picture:
#   45 where 17419 is right. Nothing is raised. Even a transform that moves nothing does it. The bytes are filtered as if
#   each were a pixel. `resize` with the same filters is right, and so is `rotate(90)`, which is a transposition. Saved
#   as PNG the result looks black; a training that rotates deep pictures by small angles learns noise.
# Instead: convert to mode I or F first.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io

import numpy as np
import PIL
from PIL import Image, ImageFilter

print("Pillow", PIL.__version__)
SIDE = 64
rows, columns = np.mgrid[0:SIDE, 0:SIDE]
stream = io.BytesIO()
Image.fromarray((2000 + 600 * columns + 300 * rows).astype(np.uint16)).save(stream, "PNG")
deep = Image.open(stream)
deep.load()
exact = deep.convert("F")
print("the file opens in mode", deep.mode)


def moved(image, resample, by):
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, by, 0, 1, by), resample)


def compare(title, act):
    """The largest difference from mode F inside of the borders, and the largest value."""
    found, right = (np.asarray(act(image)).astype(np.float64) for image in (deep, exact))
    middle = (slice(len(right) // 4, -len(right) // 4),) * 2
    off, most = np.abs(found - right)[middle].max(), found[middle].max()
    centre = len(right) // 4
    print(f"{title}: {found[centre, centre]:.0f} where {right[centre, centre]:.0f} is right; at most {off:.0f} off")
    return off, most


wrong, right = [], []
for resample in Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC:
    name = resample.name
    results = wrong if resample != Image.Resampling.NEAREST else right
    results.append(compare(f"{name}, rotate(10)", lambda image: image.rotate(10, resample)))
    results.append(compare(f"{name}, moved by 0.5", lambda image: moved(image, resample, 0.5)))
    results.append(compare(f"{name}, moved by 0", lambda image: moved(image, resample, 0)))
    right.append(compare(f"{name}, rotate(90)", lambda image: image.rotate(90, resample)))
    right.append(compare(f"{name}, resize", lambda image: image.resize((32, 32), resample)))
refused = 0
for title, act in {
    "reduce": lambda image: image.reduce(2),
    "median": lambda image: image.filter(ImageFilter.MedianFilter(3)),
}.items():
    try:
        act(deep)
    except ValueError as error:
        refused += 1
        print(f"{title}: {error}")
as_integers = np.asarray(moved(deep.convert("I"), Image.Resampling.BILINEAR, 0.5)).astype(np.float64)
inside = (slice(8, -8),) * 2
mode_i = np.abs(as_integers - np.asarray(moved(exact, Image.Resampling.BILINEAR, 0.5)))[inside].max()
print(f"mode I, moved by 0.5: at most {mode_i:.0f} off")
noise = all(off > 10000 and most < 256 for off, most in wrong)
# A step of the ramp is 900: NEAREST may take the neighbour.
fine = all(off <= 900 for off, _ in right) and mode_i <= 1
raise SystemExit(0 if noise and fine and refused == 2 else 1)
PYTHON
