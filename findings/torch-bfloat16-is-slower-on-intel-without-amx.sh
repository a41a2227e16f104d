#!/bin/sh
# On an Intel processor with AVX512_BF16 but without AMX, convolutions in bfloat16 take twice as long as in float32,
# though torch says that bfloat16 is supported.
#
# Versions: torch 2.13.0 for CPUs; Intel Emerald Rapids (family 6, model 207) in a virtual machine that hides AMX.
# Input: F.conv2d of maps (1, 32, 256, 384) and (1, 64, 256, 384), channels last, kernels 3x3, one thread, inference.
# Expected: bfloat16 is at least as fast as float32 where torch.cpu._is_avx512_bf16_supported() and
#   torch.ops.mkldnn._is_mkldnn_bf16_supported() are true, as on AMD's Zen 4, which has the same flag.
# Seen: bfloat16 takes about twice the processor time: 21 ms against 10 ms with 32 maps, 78 ms against 39 ms with 64.
#   torch and oneDNN go by the flag alone. libxsmm/tpp-mlir's pull request 1025 reports the same
#   factor for Emerald Rapids. With AMX bfloat16 is faster, but clouds may not pass AMX on to their guests.
#
# Exits with 0 if bfloat16 is at least 1.3 times as slow on such a processor, with 1 if it isn't, and with 2 on other
# processors.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
OMP_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
import time

import torch
import torch.nn.functional as F

name = torch.cpu.get_capabilities()["cpu_name"]
flags = torch.cpu._is_avx512_bf16_supported(), torch.cpu._is_amx_tile_supported()
print("torch", torch.__version__, "on", name)
print("AVX512_BF16, AMX:", *flags, "- oneDNN supports bfloat16:", torch.ops.mkldnn._is_mkldnn_bf16_supported())
if "Intel" not in name or flags != (True, False):
    print("another kind of processor: nothing to see here")
    raise SystemExit(2)


def milliseconds(channels, dtype):
    """Of processor time, the least of thirty."""
    x = torch.randn(1, channels, 256, 384).to(dtype).contiguous(memory_format=torch.channels_last)
    kernel = torch.randn(channels, channels, 3, 3).to(dtype)
    taken = []
    with torch.inference_mode():
        for _ in range(30):
            start = time.process_time()
            F.conv2d(x, kernel, padding=1)
            taken.append(time.process_time() - start)
    return 1000 * min(taken)


ratios = []
for channels in (32, 64):
    half, full = milliseconds(channels, torch.bfloat16), milliseconds(channels, torch.float32)
    ratios.append(half / full)
    print(f"{channels} maps: bfloat16 {half:.1f} ms, float32 {full:.1f} ms")
raise SystemExit(0 if min(ratios) > 1.3 else 1)
PYTHON
