#!/bin/sh
# torch 2.13.0: antialiased interpolation to a result of one column gives every row the values of the first row.
#
#   F.interpolate(x, (2, 1), mode="bilinear" or "bicubic", antialias=True)  with x of shape (1, 1, 4, 1), on the CPU
#
# Expected: the two rows differ, as they do in Pillow (the same filters), for the transposed input, and for the same
# input in the channels_last layout with three channels.
# Seen: the second row is a copy of the first. Results of two or more columns are right, and so are results of one
# column whose height doesn't change.
#
# Exits with 0 while this is so, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 pillow==13.0.0
cat > "$folder/check.py" <<'PY'
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

print("torch", torch.__version__)
column = torch.tensor([0.0, 0.0, 100.0, 100.0]).reshape(1, 1, 4, 1)
surprises = 0
for mode, filter in (("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)):
    found = F.interpolate(column, (2, 1), mode=mode, antialias=True)[0, 0, :, 0]
    across = F.interpolate(column.transpose(2, 3), (1, 2), mode=mode, antialias=True)[0, 0, 0]
    pillow = np.asarray(Image.fromarray(column[0, 0].numpy()).resize((1, 2), filter))[:, 0]
    print(f"{mode}: one column {found.tolist()}, the same as a row {across.tolist()}, Pillow {pillow.tolist()}")
    surprises += bool(torch.equal(found[0], found[1])) and not np.allclose(pillow[0], pillow[1])
sys.exit(0 if surprises == 2 else 1)
PY
"$folder/venv/bin/python" "$folder/check.py"
