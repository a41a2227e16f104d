#!/bin/sh
# pillow-jxl-plugin writes the JPEG file as it was on disk, if the opened image has been edited in place.
#
# Versions: Pillow 13.0.0, pillow-jxl-plugin 1.3.8.
# Input: a grey JPEG file of 128 x 96, opened, then made smaller by `thumbnail((64, 64))`, or painted red by `paste`, and saved
#   as JPEG XL and, beside it, as WebP; once with quality=50, once with lossless=True.
# Expected: the file has the pixels of the image that is saved.
# Seen: the WebP has them. The JPEG XL has the old pixels, at the old size, whatever the quality: an image whose `format`
#   is JPEG is transcoded from its file, and methods that work in place leave `format` and `filename` as they were. The
#   plugin warns that it uses "JPEG reconstruction", not that the edits are lost. lossless_jpeg=False avoids it. So what
#   was painted over is there again, and thumbnails have the size of their originals.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 pillow-jxl-plugin==1.3.8
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import pillow_jxl  # noqa: F401
from PIL import Image

Image.new("RGB", (128, 96), (90, 90, 90)).save("original.jpg")


def smaller(image):
    image.thumbnail((64, 64))


def painted(image):
    image.paste((255, 0, 0), (0, 0, *image.size))


def facts(image):
    return image.size, "red" if image.getpixel((5, 5))[0] > 200 else "grey"


as_seen = True
for edit in (smaller, painted):
    for options in ({"quality": 50}, {"lossless": True}, {"quality": 50, "lossless_jpeg": False}):
        with Image.open("original.jpg") as image:
            edit(image)
            wanted, found = facts(image), []
            for name in ("edited.webp", "edited.jxl"):
                image.save(name, **options)
                with Image.open(name) as saved:
                    found.append(facts(saved.convert("RGB")))
        print(f"{edit.__name__}, {options}: edited {wanted}, WebP {found[0]}, JPEG XL {found[1]}")
        transcoded = "lossless_jpeg" not in options
        as_seen = as_seen and found == [wanted, ((128, 96), "grey") if transcoded else wanted] and wanted != ((128, 96), "grey")
raise SystemExit(0 if as_seen else 1)
PYTHON
