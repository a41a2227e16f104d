#!/bin/sh
# On a processor with AMX, a strided bfloat16 convolution of narrow maps returns memory that nobody set.
#
# Versions: torch 2.13.0 for CPUs, on x86-64 with AMX (seen on an Intel Xeon with amx_bf16, in inference).
# Input: maps (1, 128, 10, width) of normal numbers and a kernel (512, 128, 3, 3), all bfloat16 and channels last;
#   convolved with stride 2 and padding 1, one thread. Before it, tensors full of NaN are freed.
# Expected: the result of float32, within the rounding of bfloat16, as it is for a width of 4.
# Seen: with widths of 1 and 2, where the output is one column wide, every trial has values that are far off or NaN,
#   and there is no warning. A network that halves its maps a few times meets such maps in any picture that is narrow
#   enough. With fresh memory, which is zero, the result may look right: so it comes and goes with what ran before.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed, with 2 if the processor has no AMX.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
OMP_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
import torch.nn.functional as F

print("torch", torch.__version__, "AMX:", torch.cpu._is_amx_tile_supported())
if not torch.cpu._is_amx_tile_supported():
    sys.exit(2)
torch.set_num_threads(1)
torch.manual_seed(0)
TRIALS = 10
kernel = (torch.randn(512, 128, 3, 3) / 34).bfloat16().contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def wrong(width):
    maps = torch.randn(1, 128, 10, width).bfloat16().contiguous(memory_format=torch.channels_last)
    wanted = F.conv2d(maps.float(), kernel.float(), stride=2, padding=1)
    count = 0
    for _ in range(TRIALS):
        used = [torch.full((size,), torch.nan) for size in (500, 1000, 4096, 10_000, 30_000, 65_536, 200_000)]
        del used
        found = F.conv2d(maps, kernel, stride=2, padding=1).float()
        count += not bool((found - wanted).abs().max() < 0.1)
    return count


seen = {width: wrong(width) for width in (1, 2, 4)}
print(f"wrong in {TRIALS} trials, by width:", seen)
sys.exit(0 if seen[1] > 0 and seen[2] > 0 and seen[4] == 0 else 1)
PYTHON
