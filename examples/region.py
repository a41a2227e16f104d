"""Decode a part of a picture from the bytes that it needs: `python region.py photo.lpc LEFT TOP WIDTH HEIGHT`.

The source may be a path, a file that can seek, or a URL whose server answers range requests.
"""

import sys

import lpcodec

source = sys.argv[1]
left, top, width, height = (int(number) for number in sys.argv[2:6])

part = lpcodec.decode(source, region=(left, top, width, height))
part.save("part.png")
print(f"part.png: {part.width} x {part.height} pixels")
