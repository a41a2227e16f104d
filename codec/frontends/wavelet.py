"""The orthonormal Haar wavelet transform: bands for the wavelet networks, and a fold for the default codec.

This is the transform that the codecs need, written for speed. dwt.py has all wavelets and borders, and any size; for
Haar on even sides it gives the same values.

Everything here has no parameters, is differentiable, keeps the dtype of its input (float64, float32, bfloat16) and
keeps the energy: the inverse is the transpose. Sides must be multiples of 2 per scale.

Names and signs of the bands are those of PyWavelets for 'haar'. Of a 2x2 block ``a b / c d``:

    LL = (a+b+c+d)/2        LH (horizontal detail) = (a+b-c-d)/2
    HL (vertical detail) = (a-b+c-d)/2        HH (diagonal detail) = (a-b-c+d)/2
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

FOLD = 8
"""Side of the block of pixels that becomes one place of the folded picture."""
_FOLD_SCALES = 3


def haar_split(x: Tensor) -> tuple[Tensor, Tensor]:
    """One scale: (B, C, H, W) -> LL (B, C, H/2, W/2) and details (B, 3C, H/2, W/2).

    The details are ordered LH of all channels, then HL of all channels, then HH of all channels.
    """
    _check_sides(x, 2)
    # Divided by two first: so no intermediate value is larger than the largest result.
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
    """Several Haar scales; bands are tuples, coarsest first.

    For C channels and n scales `split` gives n bands: the first holds LL and the three details of the coarsest scale
    (4C maps at 1/2^n), each further one the details of the next finer scale (3C maps).

    Raises:
        ValueError: fewer than one scale.
    """

    def __init__(self, scales: int = 3) -> None:
        if scales < 1:
            raise ValueError("a pyramid needs at least one scale")
        self.scales = scales

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, C, H, W), sides multiples of 2^scales -> bands, coarsest first. Raises ValueError for other sides."""
        _check_sides(x, 2**self.scales)
        bands: list[Tensor] = []
        for _ in range(self.scales):
            x, details = haar_split(x)
            bands.append(details)
        bands[-1] = torch.cat((x, bands[-1]), dim=1)
        return tuple(reversed(bands))

    def merge(self, bands: Sequence[Tensor]) -> Tensor:
        """Inverse of `split`. Raises ValueError if the number of bands isn't that of the scales."""
        if len(bands) != self.scales:
            raise ValueError(f"{self.scales} bands expected, {len(bands)} given")
        coarsest = bands[0]
        channels = coarsest.shape[1] // 4
        x = haar_merge(coarsest[:, :channels], coarsest[:, channels:])
        for details in bands[1:]:
            x = haar_merge(x, details)
        return x


def fold(x: Tensor) -> Tensor:
    """Three Haar scales with all bands at 1/8 of the sides: (B, C, H, W) -> (B, 64C, H/8, W/8), orthonormal.

    Channels, for C = 3: 0-2 LL of the coarsest scale (R, G, B); 3-11 its details (LH of R, G, B, then HL, then HH);
    12-47 the details of the middle scale, 9 maps of 2x2 places each (row by row); 48-191 those of the finest scale,
    9 maps of 4x4 places each. Raises ValueError if a side isn't a multiple of 8.
    """
    _check_sides(x, FOLD)
    bands = HaarPyramid(_FOLD_SCALES).split(x)
    return torch.cat([F.pixel_unshuffle(band, 2**scale) for scale, band in enumerate(bands)], dim=1)


def unfold(y: Tensor) -> Tensor:
    """Inverse of `fold`: (B, 64C, h, w) -> (B, C, 8h, 8w). Raises ValueError for another number of channels."""
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
