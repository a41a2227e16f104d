#!/bin/sh
# torchmetrics' PSNR-B (PSNR that punishes block edges) falls with every picture that it is given.
#
# Versions: torchmetrics 1.9.0, torch 2.13.0 for CPUs.
# Input: a picture of 8 x 8 blocks and its smooth original, once, and the same pair 4 and 16 times: as a batch for the function, and
#   one after the other for the class.
# Expected: the mean of equal pictures is that of one: the same figure.
# Seen: 18.0 dB for one, 13.0 for four, 7.2 for sixteen. The squared error is divided by the number of pictures, the
#   measure of block edges isn't, so a set's PSNR-B says how many pictures it had. The class that is updated per
#   batch does the same, and PSNR of the same pictures doesn't change.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 torchmetrics==1.9.0
OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
import torch.nn.functional as F
import torchmetrics
from torchmetrics.functional.image import peak_signal_noise_ratio, peak_signal_noise_ratio_with_blocked_effect
from torchmetrics.image import PeakSignalNoiseRatioWithBlockedEffect

print("torchmetrics", torchmetrics.__version__, "torch", torch.__version__)
torch.manual_seed(0)
blocks = 128 + 30 * torch.randn(1, 1, 8, 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
original = F.avg_pool2d(blocks, 9, 1, 4, count_include_pad=False)
found = {}
for count in (1, 4, 16):
    pair = blocks.repeat(count, 1, 1, 1), original.repeat(count, 1, 1, 1)
    metric = PeakSignalNoiseRatioWithBlockedEffect(data_range=255.0)
    for _ in range(count):
        metric.update(blocks, original)
    found[count] = (
        float(peak_signal_noise_ratio(*pair, data_range=255.0)),
        float(peak_signal_noise_ratio_with_blocked_effect(*pair, data_range=255.0)),
        float(metric.compute()),
    )
    print(f"{count} times the picture: PSNR {found[count][0]:.2f} dB, PSNR-B {found[count][1]:.2f}, by the class {found[count][2]:.2f}")
plain, batch, steps = zip(*found.values())
falls = all(values[0] - values[1] > 3 and values[1] - values[2] > 3 for values in (batch, steps))
raise SystemExit(0 if falls and max(plain) - min(plain) < 0.01 else 1)
PYTHON
