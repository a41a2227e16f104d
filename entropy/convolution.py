"""Convolutions by oneDNN, where torch would choose a slower method.

With one thread and a small batch, torch computes float32 convolutions of 1x1 as a general matrix product. On CPUs with
AVX-512 that takes about twice as long as oneDNN.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SMALLEST = 20480
"""Inputs of at most this many elements are left to torch: its own limit for using oneDNN for larger kernels."""


def convolved(x: Tensor, weight: Tensor, bias: Tensor | None, padding: int = 0, dilation: int = 1) -> Tensor:
    """`torch.nn.functional.conv2d` of x (B, cin, H, W) with `weight` (cout, cin, k, k), by the faster method.

    The results are those of `conv2d` within rounding. If gradients are enabled, it is `conv2d`.
    """
    if (
        weight.shape[2:] == (1, 1)
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and x.numel() > _SMALLEST
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and not torch.is_grad_enabled()
    ):
        return torch.mkldnn_convolution(x, weight, bias, (0, 0), (1, 1), (1, 1), 1)
    return F.conv2d(x, weight, bias, padding=padding, dilation=dilation)


class Conv1(nn.Conv2d):
    """A convolution of 1x1 by `convolved`."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__(cin, cout, 1)

    def forward(self, x: Tensor) -> Tensor:
        return convolved(x, self.weight, self.bias)
