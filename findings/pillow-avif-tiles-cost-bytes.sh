#!/bin/sh
# AVIF files that Pillow writes by default are larger than they need be: it cuts pictures into tiles.
#
# Versions: Pillow 13.0.0 with its libavif 1.4.2.
# Input: pages of text of three sizes, saved as AVIF at quality 45, speed 6 and max_threads=1.
# Expected: with one thread there is nothing to gain from tiles, so the default and autotiling=False give the same file.
# Seen: at 320 x 200 they do. At 768 x 512 and 1280 x 800 the default is autotiling=True, and as nothing is predicted
#   across the borders of tiles, the file is 1.2 and 1.55 times as large, with the same PSNR within 0.2 dB. (Photographs
#   lose 0.3 to 2 %, dark ones up to 10 %.) A comparison with AVIF at Pillow's defaults depends on the sizes of the
#   pictures.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.3.5
"$folder/venv/bin/python" - <<'PYTHON'
import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def page(width, height):
    image = Image.new("RGB", (width, height), "white")
    draw, letters = ImageDraw.Draw(image), np.random.default_rng(1)
    for top in range(8, height - 16, 17):
        words = [bytes(letters.integers(97, 123, letters.integers(2, 10)).tolist()).decode() for _ in range(width // 40)]
        draw.text((10, top), " ".join(words), "black", font=ImageFont.load_default(13))
    return image


def saved(image, **options):
    """The bytes of the file and the PSNR of its picture."""
    file = io.BytesIO()
    image.save(file, "AVIF", quality=45, speed=6, max_threads=1, **options)
    decoded = np.asarray(Image.open(io.BytesIO(file.getvalue())).convert("RGB"), float)
    return len(file.getvalue()), 10 * np.log10(255**2 / np.square(decoded - np.asarray(image, float)).mean())


as_seen = True
for size, least, most in (((320, 200), 1, 1), ((768, 512), 1.1, 1.3), ((1280, 800), 1.4, 1.7)):
    image = page(*size)
    default, tiled, one = saved(image), saved(image, autotiling=True), saved(image, autotiling=False)
    factor = default[0] / one[0]
    print(f"{size[0]} x {size[1]}: {default[0]:,} bytes, {one[0]:,} in one tile: {factor:.2f} times; "
          f"{default[1]:.2f} and {one[1]:.2f} dB")
    as_seen &= default == tiled and least <= factor <= most and abs(default[1] - one[1]) < 0.2
raise SystemExit(0 if as_seen else 1)
PYTHON
