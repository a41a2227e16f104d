#!/bin/sh
# torch 2.13.0, CPU: with one thread, 1x1 float32 convolutions of fewer than 16 examples don't use oneDNN.
#
#   torch.set_num_threads(1); F.conv2d(x, w)  with x of shape (B, 128, 16, 16), w of shape (192, 128, 1, 1)
#
# Expected: the same kernel for every batch, as with 3x3 kernels, or with two threads.
# Seen: B <= 15 runs aten::_slow_conv2d_forward and aten::_slow_conv2d_backward, B >= 16 runs oneDNN's convolution. With
# two threads B = 1 runs oneDNN's too; in bfloat16 any B does. On an AVX-512 processor the slow path takes two to three
# times as long (times are printed, and not judged). So a program that splits its work into processes of one thread each
# loses speed in its 1x1 layers, and a batch of 16 can be faster per example than one of 12.
#
# Exits with 0 while this is so, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cat > "$folder/check.py" <<'PY'
import sys
import time

import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

print("torch", torch.__version__)


def kernels(batch, side, threads, dtype=torch.float32):
    """Whether a convolution and its gradients left oneDNN, and the processor milliseconds per example, best of thirty."""
    torch.set_num_threads(threads)
    x = torch.randn(batch, 128, 16, 16, dtype=dtype, requires_grad=True)
    w = torch.randn(192, 128, side, side, dtype=dtype, requires_grad=True)
    with profile(activities=[ProfilerActivity.CPU]) as found:
        F.conv2d(x, w, padding=side // 2).sum().backward()
    names = {event.key for event in found.key_averages()}
    slow = {name for name in names if "slow_conv2d" in name}
    seconds = []
    with torch.no_grad():
        for _ in range(30):
            start = time.process_time()
            F.conv2d(x, w, padding=side // 2)
            seconds.append(time.process_time() - start)
    print(
        f"{side}x{side}, batch {batch}, {threads} thread(s), {dtype}: {', '.join(sorted(slow)) or 'oneDNN'},"
        f" {1000 * min(seconds) / batch:.3f} ms per example"
    )
    return slow


seen = [kernels(batch, 1, 1) for batch in (1, 15)]
others = [
    kernels(16, 1, 1), kernels(1, 3, 1), kernels(1, 1, 2), kernels(15, 1, 1, torch.bfloat16),
]
both = {"aten::_slow_conv2d_forward", "aten::_slow_conv2d_backward"}
sys.exit(0 if all(both <= each for each in seen) and not any(others) else 1)
PY
"$folder/venv/bin/python" "$folder/check.py"
