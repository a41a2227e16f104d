#!/bin/sh
# thop and torchinfo count four times the multiplications of a transposed convolution with stride 2.
#
# Versions: thop 0.1.1.post2209072238, torchinfo 1.8.0, ptflops 0.7.5, torch 2.13.0 and its own counter, for CPUs.
# Input: an encoder's layer, Conv2d(16, 16, 5, stride 2), of 64 x 64 to 32 x 32, and the decoder's layer that mirrors it,
#   ConvTranspose2d(16, 16, 5, stride 2), back to 64 x 64. Kernels and maps of ones: then the sum of the result is the number
#   of products that reach it.
# Expected: both take the same number, 32 x 32 x 16 x 16 x 25 = 6.55 million, less a few at the borders.
# Seen: for the convolution all counters agree. For the transposed one thop and torchinfo say 26.2 million, as if every pixel
#   of the larger map met the whole kernel; torch's counter and ptflops are right. So published
#   MAC-per-pixel figures of decoders made of such layers can differ by a factor of four, depending on the tool. A convolution that is
#   called as a function with a parameter, as GDN layers do, is 0 for all but torch's counter.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 thop==0.1.1.post2209072238 torchinfo==1.8.0 ptflops==0.7.5
OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import ptflops
import thop
import torch
import torch.nn.functional as F
import torchinfo
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

print("torch", torch.__version__)
CHANNELS, SIDE = 16, 64


class AsAFunction(nn.Module):
    """A 1x1 convolution whose kernel is a parameter: the inside of a GDN layer."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(CHANNELS, CHANNELS, 1, 1))

    def forward(self, x):
        return F.conv2d(x, self.weight)


def by_torch(layer, x):
    with FlopCounterMode(display=False) as counter:
        layer(x)
    return counter.get_total_flops() / 2


counters = {
    "torch": by_torch,
    "ptflops": lambda layer, x: ptflops.get_model_complexity_info(
        layer, tuple(x.shape[1:]), as_strings=False, print_per_layer_stat=False, backend="pytorch", verbose=False
    )[0],
    "thop": lambda layer, x: thop.profile(layer, (x,), verbose=False)[0],
    "torchinfo": lambda layer, x: torchinfo.summary(layer, input_data=x, verbose=0).total_mult_adds,
}
layers = {
    "convolution": (nn.Conv2d(CHANNELS, CHANNELS, 5, 2, 2, bias=False), SIDE),
    "transposed convolution": (nn.ConvTranspose2d(CHANNELS, CHANNELS, 5, 2, 2, 1, bias=False), SIDE // 2),
    "convolution as a function": (AsAFunction(), SIDE),
}
ratios = {}
with torch.no_grad():
    for title, (layer, side) in layers.items():
        x = torch.ones(1, CHANNELS, side, side)
        layer.weight.fill_(1)
        products = float(layer(x).double().sum())
        counts = {name: float(count(layer, x)) for name, count in counters.items()}
        ratios[title] = {name: count / products for name, count in counts.items()}
        print(f"{title}: {products / 1e6:.2f} million products;", ", ".join(f"{n} {c / 1e6:.2f}" for n, c in counts.items()))
near = {title: {name: round(ratio) for name, ratio in found.items()} for title, found in ratios.items()}
expected = {
    "convolution": {"torch": 1, "ptflops": 1, "thop": 1, "torchinfo": 1},
    "transposed convolution": {"torch": 1, "ptflops": 1, "thop": 4, "torchinfo": 4},
    "convolution as a function": {"torch": 1, "ptflops": 0, "thop": 0, "torchinfo": 0},
}
raise SystemExit(0 if near == expected else 1)
PYTHON
