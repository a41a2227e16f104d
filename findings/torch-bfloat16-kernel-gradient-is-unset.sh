#!/bin/sh
# A convolution's kernel gradient is wrong, in parts memory that nobody set, if its maps are one pixel wide.
#
# Versions: torch 2.13.0 for CPUs, on x86-64 with AVX-512 and bfloat16.
# Input: maps (2, 32, height, width) of normal numbers and a kernel (32, 32, 3, 3), all bfloat16, in both memory
#   layouts; convolved with stride 2 and padding 1; backward of the sum. Before it, memory full of 7777 is freed.
# Expected: the kernel's gradient is that of float32, within the rounding of bfloat16, as it is for widths of 2 and
#   more, and for a height of 1.
# Seen: with a width of 1, whatever the height, it is wrong in most trials, with 7777 or remains of earlier tensors in
#   it, and no warning. The kernel's outer columns never meet a pixel; their gradients should be 0. A training on
#   small patches meets such maps after a few strides.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
OMP_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
import torch
import torch.nn.functional as F

print("torch", torch.__version__, torch.backends.cpu.get_cpu_capability())
torch.manual_seed(0)
TRIALS = 40


def gradient(maps, kernel):
    kernel = kernel.clone().requires_grad_()
    F.conv2d(maps, kernel, stride=2, padding=1).sum().backward()
    return kernel.grad.float()


def is_right(height, width, layout):
    maps = torch.randn(2, 32, height, width).bfloat16().contiguous(memory_format=layout)
    kernel = torch.randn(32, 32, 3, 3).bfloat16()
    used = [torch.full((kernel.numel(),), 7777.0) for _ in range(4)]
    del used
    found, wanted = gradient(maps, kernel), gradient(maps.float(), kernel.float())
    return bool((found - wanted).abs().max() < 0.05 * wanted.abs().max())


layouts = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}
as_seen = True
for height, width in ((1, 1), (2, 1), (16, 1), (1, 2), (1, 16), (2, 2), (3, 3)):
    for name, layout in layouts.items():
        wrong = sum(not is_right(height, width, layout) for _ in range(TRIALS))
        print(f"{height} x {width}, {name}: the kernel's gradient is wrong in {wrong} of {TRIALS} trials")
        as_seen = as_seen and (wrong > TRIALS // 4 if width == 1 else wrong == 0)
raise SystemExit(0 if as_seen else 1)
PYTHON
