#!/bin/sh
# The package ssimulacra2 gives pictures with a side below 225 pixels scores that are wrong by up to 70 points.
#
# Versions: ssimulacra2 0.3.0, numpy 2.4.6, scipy 1.17.1, Pillow 13.0.0.
# Input: a picture of 512 x 512 and its JPEG files of qualities 20, 50 and 90; both are cropped to smaller squares, and each
#   pair of crops is scored. The damage is of the same kind everywhere, so the scores of the crops should be close.
# Expected: scores that change by a few points from size to size; or an error or a line of documentation that names the smallest
#   size. The package has none of these.
# Seen: the score jumps at 224, 112 and 56 pixels. Quality 20: 45 at 240 x 240, 53 at 224, -22 at 112, 43 at 56. Quality 90:
#   87, 79, 37, 86. The metric halves the picture five times and stops before a side gets below 8 pixels. Its 108 weights are
#   taken one after the other, and those of the scales that are missing aren't skipped: the second channel gets weights that
#   were fitted for the first one's coarse scales, and so on. With empty scales in the missing places, as the second line for
#   each quality shows, the jumps are gone. One short side is enough: a strip of 512 x 224 has the fault too. The metric's
#   reference in C++ walks through its weights in the same way; that was read, not run.
# So thumbnails, tiles and training patches of 128 or 192 pixels can't be compared with whole pictures, and below 113 pixels a
#   good file looks like a bad one. Don't use the score if a side is below 225, or fill the missing scales.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ssimulacra2==0.3.0 numpy==2.4.6 scipy==1.17.1 pillow==13.0.0
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
import io

import numpy as np
import ssimulacra2
from PIL import Image
from ssimulacra2 import ssimulacra2 as inside

print("ssimulacra2", ssimulacra2.__version__)
SIDE, SIDES, SCALES = 512, (512, 240, 225, 224, 192, 128, 112, 64, 56), 6

# Noise whose spectrum falls as that of photographs, mostly grey.
generator = np.random.default_rng(0)
spectrum = np.fft.fft2(generator.normal(size=(SIDE, SIDE, 3)), axes=(0, 1))
frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None])
frequency[0, 0] = 1
waves = np.real(np.fft.ifft2(spectrum / frequency[..., None] ** 1.2, axes=(0, 1)))
waves = (waves - waves.mean((0, 1))) / waves.std((0, 1))
picture = Image.fromarray((128 + 40 * waves[..., :1] + 10 * waves).clip(0, 255).astype(np.uint8))


def score(decoded, width, height):
    streams = io.BytesIO(), io.BytesIO()
    for image, stream in zip((picture, decoded), streams):
        image.crop((0, 0, width, height)).save(stream, "PNG")
    return float(ssimulacra2.compute_ssimulacra2(*streams))


def scores(decoded):
    return {**{side: score(decoded, side, side) for side in SIDES}, "512 x 224": score(decoded, SIDE, 224)}


def show(title, found):
    print(f"{title}:", ", ".join(f"{side}: {value:.1f}" for side, value in found.items()))


plain_score = inside.Msssim.score


def filled_score(self):
    """The package's score, with empty scales in the places of those that a small picture lacks."""
    self.scales += [inside.MsssimScale() for _ in range(SCALES - len(self.scales))]
    return plain_score(self)


jumps = mended = True
for quality in (20, 50, 90):
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality, subsampling=0)
    decoded = Image.open(stream).convert("RGB")
    found = scores(decoded)
    show(f"quality {quality}", found)
    inside.Msssim.score = filled_score
    filled = scores(decoded)
    inside.Msssim.score = plain_score
    show(f"quality {quality}, missing scales filled", filled)
    jumps &= found[240] - found[112] > 30 and found[56] - found[64] > 30
    if quality != 50:
        jumps &= abs(found[240] - found[224]) > 5
    jumps &= found[225] == filled[225] and found[224] != filled[224]
    mended &= all(abs(filled[a] - filled[b]) < 10 for a, b in ((240, 224), (128, 112), (64, 56)))
raise SystemExit(0 if jumps and mended else 1)
PYTHON
