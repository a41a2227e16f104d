"""Small parts that the networks of this family share."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lpcodec.entropy.convolution import Convolution
from lpcodec.entropy.integer import ACTIVATION_BITS

Z_MAX = 23
"""Hyper-latents are clamped to -23..23, which the proof of the accumulators' bounds needs."""


def conv3(cin: int, cout: int, stride: int = 1) -> Convolution:
    """A 3x3 convolution that keeps the size, or divides it by `stride`."""
    return Convolution(cin, cout, 3, stride=stride, padding=1)


class _Asinh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return _asinh(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        slope: Tensor = x.square().add_(1).rsqrt_()
        return slope.mul_(grads[0])


def asinh(x: Tensor) -> Tensor:
    """`torch.asinh` of float32 or float64 within 1e-6 (up to 1e18), in a third of its time on a CPU, with gradients."""
    if x.requires_grad and torch.is_grad_enabled():
        result: Tensor = _Asinh.apply(x)  # type: ignore[no-untyped-call]
        return result
    return _asinh(x)


def _asinh(x: Tensor) -> Tensor:
    magnitude = x.abs().clamp_(max=1e18)  # its square stays finite
    return magnitude.square().add_(1).sqrt_().add_(magnitude).log_().copysign_(x)


def with_level(z: Tensor, level: Tensor) -> Tensor:
    """Append the quality level (B,), integers, to z (B, Z, h, w) as one more constant map."""
    plane = level.to(z.dtype).view(-1, 1, 1, 1).expand(-1, 1, *z.shape[2:])
    return torch.cat([z * 2**ACTIVATION_BITS, plane], 1)


def widened(x: Tensor, more: int) -> Tensor:
    """x (B, C, h, w) with `more` maps of zeros appended."""
    return F.pad(x, (0, 0, 0, 0, 0, more)) if more else x


def enlarged(x: Tensor, size: torch.Size) -> Tensor:
    """x (B, C, h, w) with zeros at the right and bottom, as large as the last two of `size`."""
    return F.pad(x, (0, size[-1] - x.shape[3], 0, size[-2] - x.shape[2]))
