"""Convolutions by oneDNN, where torch would choose another method.

torch computes small float32 convolutions, and those of 1x1 with one thread, as a general matrix product. That product
rounds differently with different numbers of threads, oneDNN doesn't: so what a layer computes doesn't depend on how
many threads there are, nor on what other threads do. On CPUs with AVX-512, oneDNN also takes about half the time for
large convolutions of 1x1.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def convolved(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Tensor:
    """`torch.nn.functional.conv2d` of x (B, cin, H, W) with `weight` (cout, cin, k, k), by oneDNN if that is there.

    The results are those of `conv2d` within rounding. If gradients or autocast are enabled, it is `conv2d`.
    """
    if (
        x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
    ):
        if bias is not None:
            bias = bias.contiguous()  # `mkldnn_convolution` would read a strided one as if it weren't
        return torch.mkldnn_convolution(
            x, weight, bias, (padding, padding), (stride, stride), (dilation, dilation), groups=1
        )
    return F.conv2d(x, weight, bias, stride=stride, padding=padding, dilation=dilation)


class Convolution(nn.Conv2d):
    """A convolution by `convolved`: square, with zeros around and in one group."""

    def __init__(
        self, cin: int, cout: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1,
        bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(cin, cout, kernel, stride=stride, padding=padding, dilation=dilation, bias=bias)
        self._steps = {"stride": stride, "padding": padding, "dilation": dilation}

    def forward(self, x: Tensor) -> Tensor:
        return convolved(x, self.weight, self.bias, **self._steps)
