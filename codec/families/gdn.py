"""Divisive normalisation, the non-linearity between convolutions of image compression networks.

`GDN` is generalised divisive normalisation (Ballé, Laparra, Simoncelli 2016): every value is divided by the root of a
learned positive mixture of the squares of all channels at the same place. `SimpleGDN` is the cheaper form without
squares and roots (Johnston et al. 2019). The inverse forms, for the synthesis, multiply instead of dividing; they
aren't exact inverses.

Both store square roots, so that beta stays at or above `BETA_MINIMUM` and gamma at or above zero. A value at its bound
still receives the gradients that would raise it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lpcodec.entropy.convolution import convolved

BETA_MINIMUM = 1e-6
PEDESTAL = 2.0**-36
"""Added before the root is taken, so that a gamma of zero has a stored value with a gradient."""


class _LowerBound(torch.autograd.Function):
    """max(x, bound). Below the bound a gradient passes if a descent step would move x up."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp(min=bound)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (x,) = ctx.saved_tensors
        (gradient,) = gradients
        return gradient * ((x >= ctx.bound) | (gradient < 0)), None


def _store(value: Tensor) -> Tensor:
    return torch.sqrt(value + PEDESTAL)


def _restore(stored: Tensor, minimum: float) -> Tensor:
    bounded: Tensor = _LowerBound.apply(stored, (minimum + PEDESTAL) ** 0.5)  # type: ignore[no-untyped-call]
    return bounded.square() - PEDESTAL


class _DivisiveNormalisation(nn.Module):
    """What both forms share: beta (C,) and gamma (C, C), which are C + C² parameters."""

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.channels = channels
        self.inverse = inverse
        self.beta_root = nn.Parameter(_store(torch.ones(channels)))
        self.gamma_root = nn.Parameter(_store(0.1 * torch.eye(channels)))

    @property
    def beta(self) -> Tensor:
        """(C,) float, at least `BETA_MINIMUM` up to rounding."""
        return _restore(self.beta_root, BETA_MINIMUM)

    @property
    def gamma(self) -> Tensor:
        """(C, C) float, at least 0; row i has the weights of all channels in the norm of channel i."""
        return _restore(self.gamma_root, 0.0)

    def _norm(self, energy: Tensor) -> Tensor:
        return convolved(energy, self.gamma[:, :, None, None], self.beta)

    def extra_repr(self) -> str:
        return f"{self.channels}, inverse={self.inverse}"


class GDN(_DivisiveNormalisation):
    """y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j²), or x_i times that root with `inverse=True`.

    Maps (B, C, H, W) to the same shape and dtype. The norm is computed in the parameters' dtype outside autocast,
    because squares leave the range of half precision.
    """

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            wide = x.to(self.beta_root.dtype)
            norm = self._norm(wide.square())
            y = wide * (norm.sqrt() if self.inverse else norm.rsqrt())
        return y.to(x.dtype)


class SimpleGDN(_DivisiveNormalisation):
    """y_i = x_i / (beta_i + sum_j gamma_ij |x_j|), or x_i times that sum with `inverse=True`.

    Maps (B, C, H, W) to the same shape. Follows autocast: a sum of positive terms keeps its relative precision in
    bfloat16.
    """

    def forward(self, x: Tensor) -> Tensor:
        norm = self._norm(x.abs())
        return x * norm if self.inverse else x / norm
