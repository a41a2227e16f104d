#!/bin/sh
# Pillow keeps a profile for grey in the RGB picture that it makes when it saves grey as WebP.
#
# Versions: Pillow 13.0.0 with its libwebp 1.6.0 and Little CMS 2.19.
# Input: a grey picture (mode L) with an ICC profile for grey, saved as lossless WebP with that profile.
# Expected: no profile, or one for RGB: WebP has no grey, so the file is RGB.
# Seen: the RGB file has the GRAY profile, and Little CMS refuses to build a transform.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct

from PIL import Image, ImageCms


def grey_profile():
    """ICC version 4: a grey of gamma 2.2."""
    tags = {
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061),
        b"kTRC": b"para" + struct.pack(">IHHi", 0, 0, 0, round(2.2 * 65536)),
        b"desc": b"mluc" + bytes(4) + struct.pack(">II", 1, 12) + b"enUS" + struct.pack(">II", 8, 28) + "grey".encode("utf-16-be"),
    }
    tags[b"cprt"] = tags[b"desc"]
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x04300000, b"mntr", b"GRAY", b"XYZ ")
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


srgb = ImageCms.createProfile("sRGB")
result = {}
for format in ("PNG", "WEBP"):
    stream = io.BytesIO()
    Image.linear_gradient("L").save(stream, format, icc_profile=grey_profile(), **({"lossless": True} if format == "WEBP" else {}))
    with Image.open(stream) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        try:
            ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
            said = "Little CMS builds the transform"
        except ImageCms.PyCMSError as error:
            said = f"Little CMS: {error}"
        result[format] = (image.mode, profile.profile.xcolor_space.strip(), "builds" in said)
        print(f"{format}: mode {image.mode}, profile for {profile.profile.xcolor_space.strip()}: {said}")
raise SystemExit(0 if result == {"PNG": ("L", "GRAY", True), "WEBP": ("RGB", "GRAY", False)} else 1)
PYTHON
