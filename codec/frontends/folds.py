"""The front-ends of the hyperprior codecs: a picture as maps at 1/8 of its sides, and back.

```
picture (B, 3, H, W) --split--> maps (B, channels, H/8, W/8) --merge--> picture
```

| name | channels | which to use |
|---|---|---|
| `haar` | 192 | orthonormal, block by block: costs nothing, because it becomes part of the outermost convolutions |
| `unshuffle` | 192 | the pixels of a block as they are, for comparison |
| `cdf53` | 192 | the wavelet of JPEG 2000's lossless mode; its filters overlap between blocks |
| `pyramid` | 255 | three levels of the bicubic Laplacian pyramid, with more values than the picture has |

All are linear, differentiable and exact within the rounding of floats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from lpcodec.codec.frontends.interface import Bands
from lpcodec.codec.frontends.pyramid import BICUBIC, LaplacianPyramid
from lpcodec.codec.frontends.wavelet import FOLD, fold, unfold

SCALES = 3
"""Scales or levels of each front-end: 2**3 is FOLD, the pixels per place."""


@dataclass(frozen=True)
class Fold:
    """A front-end of a codec.

    Attributes:
        channels: maps per colour picture.
        split: pictures (B, 3, H, W), sides multiples of 8 -> maps (B, channels, H/8, W/8).
        merge: the inverse of `split`.
        reach: how many places (of 8 x 8 pixels) around its own a value of the maps depends on, and a pixel in the
            inverse; 0 for a transform that works block by block.
    """

    name: str
    channels: int
    split: Callable[[Tensor], Tensor]
    merge: Callable[[Tensor], Tensor]
    reach: int = 0

    def as_matrix(self) -> Tensor | None:
        """The inverse as an orthonormal matrix (192, 192): a row per pixel of a block, in the order of
        `torch.nn.functional.pixel_unshuffle`, a column per map. None if blocks overlap."""
        if self.reach:
            return None
        return unshuffle(self.merge(torch.eye(self.channels)[:, :, None, None]))[:, :, 0, 0].T

    def as_product(self) -> Fold:
        """The same transform, within rounding; as one matrix product per block if blocks don't overlap. With gradients
        that takes a third of the time: one pass over the pixels instead of one per sum and difference."""
        pixels = self.as_matrix()
        if pixels is None:
            return self
        kernel = pixels[:, :, None, None]

        def split(pictures: Tensor) -> Tensor:
            return F.conv2d(unshuffle(pictures), kernel.transpose(0, 1).to(pictures))

        def merge(maps: Tensor) -> Tensor:
            return shuffle(F.conv2d(maps, kernel.to(maps)))

        return replace(self, split=split, merge=merge)


def unshuffle(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 192, H/8, W/8): the pixels of a block as maps."""
    return F.pixel_unshuffle(pictures, FOLD)


def shuffle(maps: Tensor) -> Tensor:
    """Inverse of `unshuffle`."""
    return F.pixel_shuffle(maps, FOLD)


def _cdf_split(x: Tensor) -> Tensor:
    details = []
    for scale in reversed(range(SCALES)):
        low, high = _lifted(x, 2)
        (x, hl), (lh, hh) = _lifted(low, 3), _lifted(high, 3)
        details.append(F.pixel_unshuffle(torch.cat((lh, hl, hh), 1), 2**scale))
    return torch.cat([x, *reversed(details)], 1)


def _cdf_merge(maps: Tensor) -> Tensor:
    x, *details = torch.split(maps, [3, *(9 * 4**scale for scale in range(SCALES))], 1)
    for scale, part in enumerate(details):
        lh, hl, hh = F.pixel_shuffle(part, 2**scale).chunk(3, 1)
        x = _unlifted(_unlifted(x, hl, 3), _unlifted(lh, hh, 3), 2)
    return x


def _lifted(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The low and the high half of CDF 5/3 along an axis of even length, by lifting (Sweldens 1996), scaled as those of
    an orthonormal wavelet. Beyond its ends a line is mirrored at its first and last place."""
    even, odd = x.unflatten(axis, (-1, 2)).unbind(axis + 1)  # type: ignore[no-untyped-call]
    high = odd - (even + _next(even, axis)) / 2
    low = even + (_before(high, axis) + high) / 4
    return low * 2**0.5, high / 2**0.5


def _unlifted(low: Tensor, high: Tensor, axis: int) -> Tensor:
    """Inverse of `_lifted`."""
    low, high = low / 2**0.5, high * 2**0.5
    even = low - (_before(high, axis) + high) / 4
    odd = high + (even + _next(even, axis)) / 2
    return torch.stack((even, odd), axis + 1).flatten(axis, axis + 1)


def _next(x: Tensor, axis: int) -> Tensor:
    """`x` one place on along `axis`, the last place twice."""
    length = x.shape[axis]
    return torch.cat((x.narrow(axis, 1, length - 1), x.narrow(axis, length - 1, 1)), axis)


def _before(x: Tensor, axis: int) -> Tensor:
    """`x` one place back along `axis`, the first place twice."""
    return torch.cat((x.narrow(axis, 0, 1), x.narrow(axis, 0, x.shape[axis] - 1)), axis)


_PYRAMID = LaplacianPyramid(SCALES, BICUBIC)
_PYRAMID_CHANNELS = (3, *(3 * 4**level for level in range(1, SCALES + 1)))


def _pyramid_split(x: Tensor) -> Tensor:
    bands = _PYRAMID.split(x)
    return torch.cat([bands.coarse, *(F.pixel_unshuffle(d, 2**n) for n, d in enumerate(bands.details, 1))], 1)


def _pyramid_merge(maps: Tensor) -> Tensor:
    coarse, *details = torch.split(maps, list(_PYRAMID_CHANNELS), 1)
    size = (FOLD * maps.shape[2], FOLD * maps.shape[3])
    return _PYRAMID.merge(Bands(size, coarse, tuple(F.pixel_shuffle(d, 2**n) for n, d in enumerate(details, 1))))


HAAR = Fold("haar", 3 * FOLD**2, fold, unfold)
FOLDS = {
    front_end.name: front_end
    for front_end in (
        HAAR,
        Fold("unshuffle", 3 * FOLD**2, unshuffle, shuffle),
        Fold("cdf53", 3 * FOLD**2, _cdf_split, _cdf_merge, reach=2),
        Fold("pyramid", sum(_PYRAMID_CHANNELS), _pyramid_split, _pyramid_merge, reach=6),
    )
}
"""By name, as cards and `HyperpriorSizes.frontend` name them."""
