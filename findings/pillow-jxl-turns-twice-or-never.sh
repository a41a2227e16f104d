#!/bin/sh
# pillow-jxl-plugin turns a picture and leaves the tag that says to turn it; and it writes a tag that others don't obey.
#
# Versions: Pillow 13.0.0, pillow-jxl-plugin 1.3.8; imagecodecs 2026.3.6 (libjxl 0.11.2) is the other reader.
# Input: a photo, stored as 128 x 96 with EXIF orientation 6, so shown as 96 x 128. (1) As JPEG XL with the orientation in the
#   codestream, where JPEG XL has it, and the photo's EXIF in its box: the file that a JPEG is transcoded to, without the
#   part for restoring the JPEG, which is optional. (2) Saved by the plugin from the pixels, with the same EXIF.
# Expected: both are shown as 96 x 128 by `ImageOps.exif_transpose`, as AVIF and HEIC are, and by other readers.
# Seen: (1) opens upright, as libjxl turns it, with the orientation 6 still in its EXIF: whoever applies that, as one must with
#   JPEG, turns it again, to 128 x 96. (2) has no orientation in its codestream: through Pillow it is upright, elsewhere it
#   lies, as readers of JPEG XL don't take the orientation from EXIF.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 pillow-jxl-plugin==1.3.8 imagecodecs==2026.3.6 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import io
import struct

import imagecodecs
import pillow_jxl  # noqa: F401
from PIL import ExifTags, Image, ImageOps

print("imagecodecs with", imagecodecs.jpegxl_version())
exif = Image.Exif()
exif[ExifTags.Base.Orientation] = 6
block = exif.tobytes().removeprefix(b"Exif\0\0")
photo = io.BytesIO()
Image.new("RGB", (128, 96), (200, 100, 50)).save(photo, "JPEG", exif=exif)


def boxes(data):
    while data:
        size, name = struct.unpack(">I4s", data[:8])
        size = size or len(data)
        yield name, data[8:size]
        data = data[size:]


def box(name, content):
    return struct.pack(">I4s", 8 + len(content), name) + content


parts = dict(head=b"", codestream=b"")
for name, content in boxes(imagecodecs.jpegxl_encode_jpeg(photo.getvalue(), usecontainer=True)):
    if name in {b"JXL ", b"ftyp"}:
        parts["head"] += box(name, content)
    elif name in {b"jxlc", b"jxlp"}:
        parts["codestream"] += content[4:] if name == b"jxlp" else content  # a part begins with its number
transcoded = parts["head"] + box(b"Exif", bytes(4) + block) + box(b"jxlc", parts["codestream"])

saved = io.BytesIO()
with Image.open(photo) as image:
    image.save(saved, "JXL", exif=image.info["exif"], lossless=True, lossless_jpeg=False)

found = {}
for title, data in (("(1) orientation in the codestream", transcoded), ("(2) saved by the plugin", saved.getvalue())):
    with Image.open(io.BytesIO(data)) as image:
        opened, tag = image.size, image.getexif().get(ExifTags.Base.Orientation)
        turned = ImageOps.exif_transpose(image).size
    elsewhere = imagecodecs.jpegxl_decode(data).shape[1::-1]
    found[title[:3]] = opened, tag, turned, elsewhere
    print(f"{title}: opened as {opened} with orientation {tag}, turned by it {turned}; by imagecodecs {elsewhere}")
upright, lying = (96, 128), (128, 96)
expected = {"(1)": (upright, 6, lying, upright), "(2)": (lying, 6, upright, lying)}
raise SystemExit(0 if found == expected else 1)
PYTHON
