"""The orthonormal Haar wavelet transform: bands for the wavelet networks, and a fold for the default codec.

This is the one transform the codecs need, as fast as it gets; dwt.py has all wavelets and borders, any size, and for
Haar on even sides the same values.

Everything here is parameter-free, differentiable, keeps the dtype of its input (float64, float32, bfloat16)
and keeps energy: the inverse is the transpose. Sides must be multiples of 2 a scale.

Names and signs of the sub-bands are those of PyWavelets for 'haar': with the 2x2 block ``a b / c d``

    LL = (a+b+c+d)/2        LH (horizontal detail) = (a+b-c-d)/2
    HL (vertical detail) = (a-b+c-d)/2        HH (diagonal detail) = (a-b-c+d)/2
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

FOLD = 8  # side of the block that becomes one place of the folded picture
_FOLD_SCALES = 3


def haar_split(x: Tensor) -> tuple[Tensor, Tensor]:
    """One scale: (B, C, H, W) -> LL (B, C, H/2, W/2) and details (B, 3C, H/2, W/2).

    The details are ordered LH of all channels, then HL of all channels, then HH of all channels.
    """
    _check_sides(x, 2)
    # Halving first keeps the largest intermediate value within the range of the result.
    top, bottom = x[..., 0::2, :] * 0.5, x[..., 1::2, :] * 0.5
    low, high = top + bottom, top - bottom
    ll = low[..., 0::2] + low[..., 1::2]
    hl = low[..., 0::2] - low[..., 1::2]
    lh = high[..., 0::2] + high[..., 1::2]
    hh = high[..., 0::2] - high[..., 1::2]
    return ll, torch.cat((lh, hl, hh), dim=1)


def haar_merge(ll: Tensor, details: Tensor) -> Tensor:
    """Inverse of `haar_split`: LL (B, C, h, w) and details (B, 3C, h, w) -> (B, C, 2h, 2w)."""
    batch, channels, height, width = ll.shape
    if details.shape != (batch, 3 * channels, height, width):
        raise ValueError(f"details {tuple(details.shape)} do not belong to LL {tuple(ll.shape)}")
    lh, hl, hh = (details * 0.5).chunk(3, dim=1)
    half = ll * 0.5
    low_sum, low_difference = half + hl, half - hl
    high_sum, high_difference = lh + hh, lh - hh
    block = (
        low_sum + high_sum,
        low_difference + high_difference,
        low_sum - high_sum,
        low_difference - high_difference,
    )
    return F.pixel_shuffle(torch.stack(block, dim=2).flatten(1, 2), 2)


class HaarPyramid:
    """Haar scales one above the other, as tuples of bands, coarsest first.

    For C channels and n scales `split` gives n bands: the first holds LL and the three details of the
    coarsest scale (4C maps at 1/2^n), each further one the details of the next finer scale (3C maps).
    """

    def __init__(self, scales: int = 3) -> None:
        if scales < 1:
            raise ValueError("a pyramid needs at least one scale")
        self.scales = scales

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, C, H, W), sides multiples of 2^scales -> bands, coarsest first."""
        _check_sides(x, 2**self.scales)
        bands: list[Tensor] = []
        for _ in range(self.scales):
            x, details = haar_split(x)
            bands.append(details)
        bands[-1] = torch.cat((x, bands[-1]), dim=1)
        return tuple(reversed(bands))

    def merge(self, bands: Sequence[Tensor]) -> Tensor:
        """Inverse of `split`."""
        if len(bands) != self.scales:
            raise ValueError(f"{self.scales} bands expected, {len(bands)} given")
        coarsest = bands[0]
        channels = coarsest.shape[1] // 4
        x = haar_merge(coarsest[:, :channels], coarsest[:, channels:])
        for details in bands[1:]:
            x = haar_merge(x, details)
        return x


def fold(x: Tensor) -> Tensor:
    """Three Haar scales with all bands at 1/8 resolution: (B, C, H, W) -> (B, 64C, H/8, W/8), orthonormal.

    Channels, for C = 3: 0-2 LL of the coarsest scale (R, G, B); 3-11 its details (LH of R, G, B, then HL,
    then HH); 12-47 the details of the middle scale, each of its 9 maps as 2x2 places (row by row); 48-191
    those of the finest scale, each of its 9 maps as 4x4 places.
    """
    _check_sides(x, FOLD)
    bands = HaarPyramid(_FOLD_SCALES).split(x)
    return torch.cat([F.pixel_unshuffle(band, 2**scale) for scale, band in enumerate(bands)], dim=1)


def unfold(y: Tensor) -> Tensor:
    """Inverse of `fold`: (B, 64C, h, w) -> (B, C, 8h, 8w)."""
    if y.shape[1] % FOLD**2:
        raise ValueError(f"a folded picture has a multiple of 64 channels, not {y.shape[1]}")
    channels = y.shape[1] // FOLD**2
    parts = torch.split(y, [4 * channels, 12 * channels, 48 * channels], dim=1)
    bands = [F.pixel_shuffle(part, 2**scale) for scale, part in enumerate(parts)]
    return HaarPyramid(_FOLD_SCALES).merge(bands)


def _check_sides(x: Tensor, multiple: int) -> None:
    height, width = x.shape[-2:]
    if height % multiple or width % multiple:
        raise ValueError(f"sides {height}x{width} are not multiples of {multiple}")
