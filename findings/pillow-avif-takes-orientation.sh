#!/bin/sh
# Saving as AVIF takes the orientation out of the EXIF object that it is given, so the next file lies on its side.
#
# Versions: Pillow 13.0.0 with libavif 1.4.2.
# Input: an upright photo as cameras store it: 12 x 8 pixels, EXIF orientation 6. It is opened and saved in one format, then
#   as JPEG, both times with `exif=image.getexif()`.
# Expected: both files are shown upright, 8 x 12; `save` changes neither the image nor its arguments.
# Seen: with JPEG, PNG, WebP and TIFF as the first format it is so. AVIF keeps the orientation in a place of its own, and
#   for that removes the tag from the caller's object, which is the opened image's own. The AVIF is right; the JPEG
#   after it has no orientation, and `ImageOps.exif_transpose(image)` no longer turns the image that was saved.
#   So a loop over formats gives other pictures if AVIF comes first. With `exif=image.info["exif"]`, bytes, all is well.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import io

from PIL import ExifTags, Image, ImageOps, features

print("libavif", features.version("avif"))
exif = Image.Exif()
exif[ExifTags.Base.Orientation] = 6
exif[ExifTags.Base.Software] = "a camera"
photo = io.BytesIO()
Image.new("RGB", (12, 8), (200, 100, 50)).save(photo, "JPEG", exif=exif)


def shown(stream):
    with Image.open(stream) as image:
        return ImageOps.exif_transpose(image).size


def sizes(first, as_bytes):
    """The sizes that are shown: of the file in the format `first`, of the JPEG after it, of the opened photo at last."""
    with Image.open(io.BytesIO(photo.getvalue())) as image:
        files = io.BytesIO(), io.BytesIO()
        for stream, format in zip(files, (first, "JPEG")):
            image.save(stream, format, exif=image.info["exif"] if as_bytes else image.getexif())
        return (*map(shown, files), ImageOps.exif_transpose(image).size)


upright, lying = (8, 12), (12, 8)
right = True
for first in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
    for as_bytes in (False, True):
        found = sizes(first, as_bytes)
        print(f"{first}, exif as {'bytes' if as_bytes else 'an object'}: shown {found[0]}; then JPEG {found[1]}; the image itself {found[2]}")
        surprise = first == "AVIF" and not as_bytes
        right = right and found == ((upright, lying, lying) if surprise else (upright,) * 3)
raise SystemExit(0 if right else 1)
PYTHON
