#!/bin/sh
# torch.mkldnn_convolution reads a bias that is a column of a matrix as if it were a row.
#
# Version: torch 2.13.0 for CPUs, Linux on x86-64.
# Input: x (1, 3, 20, 20), a kernel (12, 3, 5, 5), and as bias one column of a matrix (12, 7), which has a stride of 7.
# Expected: the result of torch.nn.functional.conv2d, or an error.
# Seen: a result with wrong biases, without an error or a warning: the first element and the eleven that follow it in memory. Strided
#   and expanded inputs and kernels are read correctly, and so is a bias that is made contiguous.
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

print("torch", torch.__version__)
torch.manual_seed(0)


def error(x, kernel, bias):
    """The largest difference from conv2d."""
    with torch.inference_mode():
        found = torch.mkldnn_convolution(x, kernel, bias, (0, 0), (1, 1), (1, 1), 1)
        return float((found - F.conv2d(x, kernel, bias)).abs().max())


x, kernel, matrix = torch.randn(1, 3, 20, 20), torch.randn(12, 3, 5, 5), torch.randn(12, 7)
column = matrix[:, 0]
errors = {
    "bias of stride 7": error(x, kernel, column),
    "the same bias, contiguous": error(x, kernel, column.contiguous()),
    "kernel of other strides": error(x, torch.randn(3, 12, 5, 5).transpose(0, 1).flip(2), None),
    "input of other strides": error(torch.randn(1, 20, 20, 6)[..., ::2].permute(0, 3, 1, 2), kernel, None),
}
for name, value in errors.items():
    print(f"{name}: {value:.6f} away from conv2d")
row = matrix.flatten()[:12]
with torch.inference_mode():
    as_a_row = error(x, kernel, column) > 0 and torch.allclose(
        torch.mkldnn_convolution(x, kernel, column, (0, 0), (1, 1), (1, 1), 1), F.conv2d(x, kernel, row), atol=1e-4
    )
print("the bias is read as the first twelve elements in memory:", as_a_row)
first, *others = errors.values()
raise SystemExit(0 if first > 0.1 and max(others) < 1e-4 and as_a_row else 1)
PYTHON
