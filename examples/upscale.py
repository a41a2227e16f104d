"""Enlarge a picture by the network and by bicubic interpolation: `python upscale.py photo.png`."""

import sys
from pathlib import Path

import lpcodec

picture = Path(sys.argv[1])

for model in ("light", "bicubic"):
    large = lpcodec.upscale(picture, 2, model=model)
    large.save(picture.with_name(f"{picture.stem}-{model}.png"))
    print(f"{model}: {large.width} x {large.height}")
