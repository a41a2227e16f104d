#!/bin/sh
# Pillow's AVIF refuses at quality 100 the tuning that it uses by itself at every other quality.
#
# Versions: Pillow 13.0.0 with libavif 1.4.2.
# Input: an RGB image, saved as AVIF with advanced={"tune": "iq"}, which names libavif's own default (the bytes are the
#   same as without it), at qualities 0 to 100.
# Expected: files at all qualities; at 100, where tuning may mean nothing, a file too, as without the option and as with
#   advanced={"tune": "psnr"}.
# Seen: ValueError "Failed to encode image: Invalid codec-specific option" at 100 alone, so that a search for a rate or a
#   size, which begins at both ends of the qualities, fails.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io

import numpy
from PIL import Image, features

print("libavif", features.version("avif"))
image = Image.fromarray(numpy.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=numpy.uint8))


def outcome(quality, tune):
    stream = io.BytesIO()
    try:
        image.save(stream, "AVIF", quality=quality, **({"advanced": {"tune": tune}} if tune else {}))
    except ValueError as error:
        return str(error)
    return stream.getvalue()


same = [quality for quality in range(0, 101, 10) if outcome(quality, "iq") == outcome(quality, None)]
refused = outcome(100, "iq")
print("the bytes are those of the default at qualities", same)
print("quality 100, tune=iq:", refused if isinstance(refused, str) else "a file")
others = all(isinstance(outcome(100, tune), bytes) for tune in (None, "psnr", "ssim"))
print("quality 100 without the option, and with tune=psnr and ssim:", "files" if others else "refused")
raise SystemExit(0 if isinstance(refused, str) and others and 90 in same and 100 not in same else 1)
PYTHON
