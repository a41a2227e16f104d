#!/bin/sh
# pillow-jxl-plugin takes an ICC profile when it saves, and writes sRGB all the same.
#
# Versions: Pillow 13.0.0, pillow-jxl-plugin 1.3.8.
# Input: an RGB image with an ICC profile whose red is that of Display P3, saved losslessly as
#   JPEG XL, the profile both in `info` and as the keyword `icc_profile`, as Pillow's other formats take it.
# Expected: the profile comes back, or an error or a warning says that it can't be kept.
# Seen: the pixels are the same and the file declares sRGB, without a word: the colours are other ones.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 pillow-jxl-plugin==1.3.8
"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import warnings

import pillow_jxl  # noqa: F401
from PIL import Image, ImageCms

# sRGB's own profile, its red primary exchanged for that of Display P3: enough to be another colour space.
profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
for place in range(132, 132 + 12 * struct.unpack(">I", profile[128:132])[0], 12):
    tag, offset, size = struct.unpack(">4sII", profile[place : place + 12])
    if tag == b"rXYZ":
        profile[offset + 8 : offset + 20] = struct.pack(">iii", round(0.5151 * 65536), round(0.2412 * 65536), -69)
profile = bytes(profile)

image = Image.new("RGB", (64, 64), (255, 0, 0))
image.info["icc_profile"] = profile
stream = io.BytesIO()
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    image.save(stream, "JXL", lossless=True, icc_profile=profile)
with Image.open(io.BytesIO(stream.getvalue())) as found:
    found.load()
    pixel, kept = found.getpixel((0, 0)), found.info.get("icc_profile") or b""


def red(icc):
    for place in range(132, 132 + 12 * struct.unpack(">I", icc[128:132])[0], 12):
        tag, offset, _ = struct.unpack(">4sII", icc[place : place + 12])
        if tag == b"rXYZ":
            return tuple(round(value / 65536, 3) for value in struct.unpack(">iii", icc[offset + 8 : offset + 20]))


print(f"saved with red at XYZ {red(profile)}, pixel (255, 0, 0); warnings: {[str(w.message) for w in said]}")
print(f"came back with red at XYZ {red(kept) if kept else None}, pixel {pixel}")
raise SystemExit(0 if kept and red(kept) != red(profile) and pixel == (255, 0, 0) and not said else 1)
PYTHON
