"""The rate of a code: under one Gaussian with the code's own mean and deviation, or under a learned one per channel.

In training Gaussians give bits, differentiably. In coding they give integer tables, from means and scales that are
integers too.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from lpcodec.entropy.likelihood import LIKELIHOOD_FLOOR
from lpcodec.entropy.tables import TableSet, gaussian_frequencies

UNITS = 256
"""Means and scales are integers in units of 2^-8."""
SYMBOL_MAX = 32767
SCALE_MAX = 65535
RADIUS_MAX = 1024
"""Symbols further from a table's centre are escapes."""
_TABLE_UNITS = (1 << 16) // UNITS


def rate(code: Tensor) -> Tensor:
    """Mean bits per element under one Gaussian with the mean and standard deviation of `code` itself.

    `code` is noisy or rounded, of any shape. A whole batch shares mean and deviation; gradients flow through them too.
    """
    code = code.float()
    return _gaussian_bits(code, code.mean(), code.std(correction=0).clamp_min(1 / UNITS)).mean()


def _gaussian_bits(value: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    distance = (value - mean).abs()  # only in the lower tail float32 keeps small differences
    upper = torch.special.ndtr((0.5 - distance) / sigma)
    lower = torch.special.ndtr((-0.5 - distance) / sigma)
    return -torch.log2((upper - lower).clamp_min(LIKELIHOOD_FLOOR))


class ChannelPrior(nn.Module):
    """A learned Gaussian for each channel of the code (2C parameters) instead of a mean and scale per file.

    Call `export` when training is over: it writes the integers that files are coded with into the buffer `units`,
    (2, C) int32, means and scales in units of 2^-8. The buffer is stored with the weights.
    """

    units: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("units", torch.zeros(2, channels, dtype=torch.int32))

    def rate(self, code: Tensor) -> Tensor:
        """Mean bits per element of `code` (B, C, h, w), noisy or rounded; differentiable."""
        mean, sigma = self.mean[:, None, None], self.log_scale.exp()[:, None, None].clamp_min(1 / UNITS)
        return _gaussian_bits(code.float(), mean, sigma).mean()

    @torch.no_grad()
    def export(self) -> None:
        """Fix the integers of the tables."""
        self.units[0] = (self.mean * UNITS).round().clamp(-SYMBOL_MAX, SYMBOL_MAX)
        self.units[1] = (self.log_scale.exp() * UNITS).round().clamp(1, SCALE_MAX)

    def tables(self) -> TableSet:
        """One table per channel, from `units` only. Raises ValueError before `export`."""
        means, scales = self.units.tolist()
        if min(scales) < 1:
            raise ValueError("the channel prior was never exported")
        radii = [
            min(RADIUS_MAX, (abs(mean) + 8 * scale) // UNITS + 1) for mean, scale in zip(means, scales, strict=True)
        ]
        return gaussian_table_set(list(zip(means, scales, radii, strict=True)))


def gaussian_table_set(gaussians: list[tuple[int, int, int]]) -> TableSet:
    """Tables of (mean, scale, radius), mean and scale in units of 2^-8."""
    frequencies = tuple(
        np.asarray(gaussian_frequencies(mean * _TABLE_UNITS, scale * _TABLE_UNITS, -radius, radius), np.int32)
        for mean, scale, radius in gaussians
    )
    return TableSet(np.array([radius for _, _, radius in gaussians], np.int16), frequencies)
