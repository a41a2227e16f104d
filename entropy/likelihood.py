"""The likelihood of symbols for training: as the integer tables give it, but differentiable.

The tables (tables.py) are zero-mean Gaussians on a grid of 64 scales, sigma_i = 0.11 * (256 / 0.11) ** (i / 63). Here
the bits of a symbol have gradients for its value and for its scale index i. The index is a whole number in the forward
pass; its rounding lets gradients pass unchanged.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

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
"""`rounded` moves the border between two integers by this much for each bit that they differ in cost. 0.03 to 0.04 are
equally good (docs/ablations.md)."""
WIDEST = 1.5
"""The widest dead zone, relative to the usual one: the border between 0 and 1 stays below 1."""


def scale_of_index(index: Tensor) -> Tensor:
    """Return sigma for scale indexes: float tensors of any shape. It is differentiable."""
    return SCALE_MIN * torch.exp(index * LOG_STEP)


def gaussian_bits(value: Tensor, index: Tensor) -> Tensor:
    """Return the bits of each `value`: -log2 of the mass that the Gaussian of its scale index has within 1/2 of it.

    With value = x + uniform noise in (-1/2, 1/2) this is the usual differentiable bound on the rate of round(x)
    (Balle et al., "End-to-end optimized image compression", 2017). For a whole number it is the ideal code length in
    the table, without escapes.
    """
    sigma = scale_of_index(index.float())
    magnitude = value.float().abs()
    upper = torch.special.ndtr((0.5 - magnitude) / sigma)
    lower = torch.special.ndtr((-0.5 - magnitude) / sigma)
    return -torch.log2((upper - lower).clamp_min(LIKELIHOOD_FLOOR))


@functools.cache
def _dead_zones() -> npt.NDArray[np.float32]:
    """How far `rounded` moves the borders at each scale, float32 (64,)."""
    sigma = SCALE_MIN * np.exp(np.arange(SCALES) * LOG_STEP)
    zones: npt.NDArray[np.float32] = (DEAD_ZONE * np.minimum(1.2 / sigma, 0.8 / sigma**2)).astype(np.float32)
    return zones


def rounded(value: Tensor, index: Tensor, width: Tensor | float = 1.0) -> Tensor:
    """Round values to symbols for tables of these scale indexes, a little towards zero, because that saves bits.

    With trained tables a symbol costs about min(1.2 / sigma, 0.8 / sigma**2) bits more than the next one towards zero.
    The border between the two is moved away from zero by DEAD_ZONE times that. Only encoders round; decoders don't
    depend on it. `width`, 0..WIDEST, is how wide the dead zone is, relative to the usual one.
    """
    zone = torch.from_numpy(_dead_zones()).to(value).take(index.long())
    return zone.mul_(-width).add_(0.5).add_(value.abs()).floor_().copysign_(value)


_CELLS = 1024
"""Entries per scale of the tables in `_Tables`."""
_REACH = 6.5
"""Values beyond this many sigmas and 1 have a likelihood below the floor, so their bits are constant."""
_CHUNK = 1 << 15
"""Elements that are handled at a time on a CPU, so that temporary tensors stay in the second-level cache."""


class _Tables(NamedTuple):
    """`gaussian_bits` and its derivatives in tables, all float32: (SCALES * _CELLS,), except `cells` (SCALES,).

    `bits` and `by_index` (bits per scale index) are for the symbols 0.._CELLS - 1. `by_value` (bits per step) is for
    positive values, in cells that evenly cover the range below the floor; `cells` is the number of cells per step.
    """

    bits: Tensor
    by_index: Tensor
    by_value: Tensor
    cells: Tensor


@functools.lru_cache(maxsize=4)
def _tables(device: torch.device) -> _Tables:
    with torch.inference_mode(False), torch.enable_grad():
        index = torch.arange(SCALES, dtype=torch.float64)[:, None].expand(-1, _CELLS).clone().requires_grad_()
        bits = _exact_bits(torch.arange(_CELLS, dtype=torch.float64).expand(SCALES, -1), index)
        (by_index,) = torch.autograd.grad(bits.sum(), index)
        sigma = scale_of_index(index.detach()[:, :1])
        cells = _CELLS / (1 + _REACH * sigma)
        value = ((torch.arange(_CELLS, dtype=torch.float64) + 0.5) / cells).requires_grad_()
        (by_value,) = torch.autograd.grad(_exact_bits(value, index.detach()).sum(), value)
        by_value[:, -1] = 0
    found = (bits, by_index, by_value, cells)
    return _Tables(*(part.detach().float().flatten().to(device) for part in found))


def _exact_bits(magnitude: Tensor, index: Tensor) -> Tensor:
    """`gaussian_bits` of values of at least 0, also precise in the tail: there it subtracts two small probabilities."""
    sigma = scale_of_index(index)
    near, far = (0.5 - magnitude) / sigma, (-0.5 - magnitude) / sigma
    mass = 0.5 * (torch.erfc(-near * math.sqrt(0.5)) - torch.erfc(-far * math.sqrt(0.5)))
    return -torch.log2(mass.clamp_min(LIKELIHOOD_FLOOR))


class _CodedBits(torch.autograd.Function):
    """The bits and both gradients in one pass over the elements, from tables instead of error functions."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, value: Tensor, symbols: Tensor, index: Tensor, noise: Tensor
    ) -> Tensor:
        tables = _tables(value.device)
        parts = [_flat(part.expand_as(value)) for part in (value, symbols, index, noise)]
        found = torch.empty(3, parts[0].numel(), device=value.device)
        chunk = _CHUNK if value.device.type == "cpu" else max(parts[0].numel(), 1)
        for v, s, i, n, out in zip(
            *(torch.split(part, chunk) for part in parts), torch.split(found, chunk, 1), strict=True
        ):
            scale = i.long()
            row = scale * _CELLS
            place = s.abs().clamp_(max=_CELLS - 1).long().add_(row)
            torch.take(tables.bits, place, out=out[0])
            torch.take(tables.by_index, place, out=out[2])
            noisy = v + n
            magnitude = noisy.abs().mul_(tables.cells.take(scale)).clamp_(max=_CELLS - 1)
            torch.take(tables.by_value, magnitude.long().add_(row), out=out[1])
            out[1].copysign_(noisy)
        bits, by_value, by_index = (_unflat(part, value) for part in found)
        ctx.save_for_backward(by_value, by_index)
        return bits

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, None, Tensor, None]:
        by_value, by_index = ctx.saved_tensors  # type: ignore[attr-defined]
        return by_value * grads[0], None, by_index * grads[0], None


def _flat(x: Tensor) -> Tensor:
    """All elements in the order of channels_last; a view if they are stored in that order."""
    return x.permute(0, 2, 3, 1).reshape(-1) if x.ndim == 4 else x.reshape(-1)


def _unflat(flat: Tensor, like: Tensor) -> Tensor:
    if like.ndim != 4:
        return flat.view(like.shape)
    batch, channels, height, width = like.shape
    return flat.view(batch, height, width, channels).permute(0, 3, 1, 2)


def coded_bits(value: Tensor, symbols: Tensor, index: Tensor) -> Tensor:
    """Return the bits of each of the `symbols` that `value` was rounded to, with gradients for training.

    The bits are those of the Gaussian tables, without escapes; real files have fitted tables. The scale index gets the
    gradient of these bits. The bits of a symbol are the same for all values that are rounded to it, so the value gets
    the gradient of `gaussian_bits` with noise instead of rounding. Symbols above 1023 count as 1023.

    Args:
        value: float32 of any shape.
        symbols: whole numbers, float32 of the same shape.
        index: scale indexes 0..63, whole numbers of a shape that expands to it.
    """
    result: Tensor = _CodedBits.apply(value, symbols, index.expand_as(value), uniform_noise(value))  # type: ignore[no-untyped-call]
    return result


def uniform_noise(like: Tensor) -> Tensor:
    """Return uniform noise between -1/2 and 1/2, of the shape, dtype and device of `like`."""
    return torch.rand_like(like) - 0.5


class _Rounded(torch.autograd.Function):
    """Rounding in one pass over the elements, with the gradient of the identity."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, x: Tensor, index: Tensor | None, width: Tensor | float
    ) -> Tensor:
        if index is None:
            return torch.round(x)
        chunk = _CHUNK if x.device.type == "cpu" else max(x.numel(), 1)
        values, indexes = (torch.split(_flat(part.expand_as(x)), chunk) for part in (x, index))
        widths: Sequence[Tensor | float] = [width] * len(values)
        if isinstance(width, Tensor):
            widths = torch.split(_flat(width.expand_as(x)), chunk)
        return _unflat(torch.cat([rounded(*part) for part in zip(values, indexes, widths, strict=True)]), x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0], None, None


def round_straight_through(x: Tensor, index: Tensor | None = None, width: Tensor | float = 1.0) -> Tensor:
    """Round in the forward pass: as `rounded` if an `index` is given, else to the nearest. The gradient passes
    unchanged. Tensors have shapes that expand to that of `x`."""
    result: Tensor = _Rounded.apply(x, None if index is None else index.detach(), width)  # type: ignore[no-untyped-call]
    return result
