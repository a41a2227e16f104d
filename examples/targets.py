"""Ask for a rate, a size, a PSNR or lossless, and for a size that is too small: `python targets.py photo.png`."""

import sys

import lpcodec
from lpcodec.codec.errors import TargetError

picture = sys.argv[1]

for target in ({"bpp": 0.5}, {"size": 20_000}, {"psnr": 34.0}, {"lossless": True}):
    result = lpcodec.encode_report(picture, **target)
    quality = "lossless" if result.quality is None else f"quality {result.quality:.1f}"
    print(f"{target}: {len(result.data):,} bytes, {result.bpp:.3f} bpp, {quality}", *result.notes, sep="; ")

try:
    lpcodec.encode(picture, size=40)
except TargetError as error:
    print(f"too small: {error}")
smallest = lpcodec.encode_report(picture, size=40, best_effort=True)
print(f"the smallest file has {len(smallest.data)} bytes: {smallest.notes[0]}")
