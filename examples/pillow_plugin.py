"""Open and save .lpc files with Pillow: `python pillow_plugin.py photo.png`."""

import sys
from pathlib import Path

from PIL import Image

import lpcodec.pillow  # noqa: F401  (importing it registers the plugin)

coded = Path(sys.argv[1]).with_suffix(".lpc")

with Image.open(sys.argv[1]) as image:
    image.save(coded, bpp=0.5)  # the keywords are those of lpcodec.encode

with Image.open(coded) as image:
    print(image.format, image.size, image.mode)  # from the header: nothing is decoded yet
    image.thumbnail((64, 64))
    image.save(coded.with_name("thumbnail.png"))
