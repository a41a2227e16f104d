"""Code a picture with other codecs at the bytes that ours takes: `python compare_codecs.py photo.png [BPP]`.

`lpcodec compare` makes a page of this, `lpcodec report` measures whole sets of pictures.
"""

import sys

import numpy as np
from PIL import Image

import lpcodec
from lpcodec.codec.evaluation.codecs.rate_search import encode_near_size
from lpcodec.codec.evaluation.codecs.registry import find_codec
from lpcodec.codec.evaluation.metrics.distortion import psnr

with Image.open(sys.argv[1]) as image:
    pixels = np.asarray(image.convert("RGB"))
bpp = float(sys.argv[2]) if len(sys.argv) > 2 else 0.3

data = lpcodec.encode(pixels, bpp=bpp)
print(f"lpcodec: {len(data):,} bytes, {psnr(pixels, np.asarray(lpcodec.decode(data).convert('RGB'))):.2f} dB")

for name in ("jpeg", "webp", "avif"):
    codec = find_codec(name).codec
    other, setting = encode_near_size(codec, pixels, len(data))
    print(f"{name}: {len(other):,} bytes, {psnr(pixels, codec.decode(other)):.2f} dB, setting {setting:g}")
