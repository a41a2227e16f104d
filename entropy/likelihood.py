"""The differentiable twin of the integer tables, used in training.

The tables (tables.py) hold zero-mean Gaussians on a grid of 64 scales, sigma_i = 0.11 * (256 / 0.11) ** (i / 63).
Here the same grid gives a likelihood with gradients: towards the value, and towards the scale index, which is an
integer in the forward pass and passes its gradient straight through.
"""

import functools
import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

SCALES = 64
SCALE_MIN = 0.11
SCALE_MAX = 256.0
LOG_STEP = math.log(SCALE_MAX / SCALE_MIN) / (SCALES - 1)
LIKELIHOOD_FLOOR = 1e-9
DEAD_ZONE = 0.03
"""Of an integer step, for each bit that a step costs: 0.03 to 0.04 do equally well (docs/ablations.md)."""


def scale_of_index(index: Tensor) -> Tensor:
    """Return sigma for scale indexes (any shape, float so that gradients flow)."""
    return SCALE_MIN * torch.exp(index * LOG_STEP)


def gaussian_bits(value: Tensor, index: Tensor) -> Tensor:
    """Return the bits, elementwise, of `value` under a zero-mean Gaussian of that scale index, integrated over a unit.

    With value = x + uniform noise in (-1/2, 1/2) this is the usual differentiable bound on the rate of round(x)
    (Balle et al. 2017); with an integer value it is the ideal code length of the table, escapes apart.
    """
    sigma = scale_of_index(index.float())
    magnitude = value.float().abs()
    upper = torch.special.ndtr((0.5 - magnitude) / sigma)
    lower = torch.special.ndtr((-0.5 - magnitude) / sigma)
    return -torch.log2((upper - lower).clamp_min(LIKELIHOOD_FLOOR))


@functools.cache
def _dead_zones() -> npt.NDArray[np.float32]:
    """How far each scale's borders are moved, float32 (64,)."""
    sigma = SCALE_MIN * np.exp(np.arange(SCALES) * LOG_STEP)
    zones: npt.NDArray[np.float32] = (DEAD_ZONE * np.minimum(1.2 / sigma, 0.8 / sigma**2)).astype(np.float32)
    return zones


def rounded(value: Tensor, index: Tensor) -> Tensor:
    """Round to the integers that are coded with tables of these scale indexes, towards zero where that saves bits.

    A step away from zero costs about min(1.2 / sigma, 0.8 / sigma**2) bits by trained tables; the border between two
    integers moves by DEAD_ZONE times that. Only encoders round: no decoder knows of it.
    """
    inward = 0.5 - torch.from_numpy(_dead_zones()).to(value).take(index.long())
    magnitude = (value.abs() + inward).floor_().clamp_min_(0)
    return torch.copysign(magnitude, value)


def coded_bits(value: Tensor, symbols: Tensor, index: Tensor) -> Tensor:
    """Return the bits, elementwise, of the integers `symbols` that `value` was rounded to, with gradients for training.

    In the forward pass these are the bits that are coded, escapes and the fitted tables apart, and the scale index gets
    their gradient. The value gets that of `gaussian_bits` with noise in place of rounding: how a symbol's own bits
    change says nothing of the values that are rounded to it.
    """
    noisy = gaussian_bits(value + uniform_noise(value), index.detach())
    return gaussian_bits(symbols.detach(), index) + noisy - noisy.detach()


def uniform_noise(like: Tensor) -> Tensor:
    """Return uniform noise in (-1/2, 1/2) of the shape, dtype and device of `like`."""
    return torch.rand_like(like) - 0.5


def round_straight_through(x: Tensor, index: Tensor | None = None) -> Tensor:
    """Round in the forward pass (as the scale `index` has it, where given), pass the gradient unchanged in the
    backward pass."""
    whole = torch.round(x) if index is None else rounded(x, index)
    return x + (whole - x).detach()
