"""Encode a photograph, look at what is in the file, and decode it: `python encode_decode.py photo.png`."""

import sys
from pathlib import Path

import lpcodec

picture = Path(sys.argv[1])
coded = picture.with_suffix(".lpc")

coded.write_bytes(lpcodec.encode(picture, quality=40))
facts = lpcodec.info(coded)
size, model = coded.stat().st_size, facts["model"]["name"]
print(f"{coded}: {size:,} bytes, {facts['width']} x {facts['height']} pixels, model {model}")

lpcodec.verify(coded)  # raises lpcodec.LpcodecError if a single bit was changed
lpcodec.decode(coded).save(picture.with_name(f"{picture.stem}-decoded.png"))
