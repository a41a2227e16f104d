#!/bin/sh
# torch on CPUs: the number of threads changes the last bits of a sigmoid and of small convolutions, but not of tanh,
# exp, log2 and larger convolutions.
#
# Version: torch 2.13.0 for CPUs, on x86-64 with AVX-512 (with other processors other cases may differ).
# Input: 100,003 normal numbers; maps of 128 x 6 x 9 and 128 x 40 x 40 with a kernel (128, 128, 3, 3), float32; 1, 2
#   and 3 threads.
# Expected: functions of single elements give each element's value, however they are shared among threads. Convolutions
#   go to one library, and either all of them depend on the threads or none.
# Seen: sigmoid gives other values to some elements with each number of threads, because the ends of the threads' shares
#   are rounded otherwise than their middles. tanh does not, so (1 + tanh(x / 2)) / 2 is a sigmoid that doesn't. A
#   convolution of at most 20,480 inputs is a matrix product and changes; a larger one is oneDNN's and doesn't; nor
#   does the small one by torch.mkldnn_convolution. A codec whose encoder and decoder should compute the same numbers,
#   or a test of equal bytes, meets this with small pictures only.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import torch
import torch.nn.functional as F

print("torch", torch.__version__, torch.backends.cpu.get_cpu_capability())
torch.manual_seed(0)
x = torch.randn(100_003)
small, large, kernel = torch.randn(1, 128, 6, 9), torch.randn(1, 128, 40, 40), torch.randn(128, 128, 3, 3)
functions = {
    "sigmoid": lambda: x.sigmoid(),
    "tanh": lambda: x.tanh(),
    "exp": lambda: x.exp(),
    "log2": lambda: x.abs().log2(),
    "small convolution": lambda: F.conv2d(small, kernel, padding=1),
    "the same by oneDNN": lambda: torch.mkldnn_convolution(small, kernel, None, (1, 1), (1, 1), (1, 1), 1),
    "large convolution": lambda: F.conv2d(large, kernel, padding=1),
}
changed = {}
for name, function in functions.items():
    results = []
    with torch.inference_mode():
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(function())
    other = max(int((one != results[0]).sum()) for one in results)
    changed[name] = other > 0
    print(f"{name}: up to {other} of {results[0].numel()} values differ between 1, 2 and 3 threads")
wanted = {"sigmoid", "small convolution"}
raise SystemExit(0 if {name for name, it in changed.items() if it} == wanted else 1)
PYTHON
