"""What every front-end offers: `split` a picture into bands, `predict` a finer level from a coarser one, `merge` the
bands into a picture.

```
x --split--> Bands: coarse (the smallest approximation), details coarsest first
             coarse --predict, with the next detail--> finer approximation --...--> x      all of it: merge
```

The Laplacian pyramid (pyramid.py), the wavelet transforms (dwt.py), and LPAE and WAE (families/decomposition) are
front-ends. A codec of the bands may change them between `split` and `merge`, or call `predict` level by level, and so
take each detail as the difference from what its decoder will have.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from torch import Tensor

from lpcodec.codec.arrays import ceil_div

Size = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True)
class Bands:
    """A picture in bands.

    `size` is the picture's (height, width), which the bands of some front-ends don't determine. `coarse` (B, C, h, w)
    is the coarsest approximation. `details` has one tensor per level, coarsest first; the front-end decides its size
    and channels.
    """

    size: Size
    coarse: Tensor
    details: tuple[Tensor, ...]


class FrontEnd(Protocol):
    """A transform of pictures (B, C, H, W), floats, any size. Differentiable, except folded.py."""

    @property
    def levels(self) -> int:
        """How many times the picture is reduced, which is the number of details."""
        ...

    def split(self, x: Tensor) -> Bands:
        """Picture (B, C, H, W) -> its bands."""
        ...

    def predict(self, coarse: Tensor, size: Size) -> Tensor:
        """Approximation (B, C, h, w) -> the next finer one (B, C, *size), as expected without its detail."""
        ...

    def merge(self, bands: Bands) -> Tensor:
        """Bands -> picture (B, C, H, W): the inverse of `split`, exact or as far as it was learned.

        Raises:
            ValueError: the number of details isn't that of the levels.
        """
        ...


def split_levels(x: Tensor, levels: int, split_once: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Bands:
    """The bands of a picture (B, C, H, W) that is split level by level: `split_once` makes an approximation and a
    detail of it, then of each approximation."""
    size, details = (x.shape[2], x.shape[3]), []
    for _ in range(levels):
        x, detail = split_once(x)
        details.append(detail)
    return Bands(size, x, tuple(reversed(details)))


def merge_levels(bands: Bands, levels: int, predict: Callable[[Tensor, Size], Tensor]) -> Tensor:
    """The picture (B, C, H, W) of bands with details as large as their levels: each detail, coarsest first, is added to
    the prediction from the coarser level.

    Raises:
        ValueError: the number of details isn't that of the levels.
    """
    check_details(bands, levels)
    x = bands.coarse
    for detail in bands.details:
        x = detail + predict(x, (detail.shape[2], detail.shape[3]))
    return x


def check_details(bands: Bands, levels: int) -> None:
    """Raise ValueError if bands don't have one detail per level."""
    if len(bands.details) != levels:
        raise ValueError(f"{levels} details expected, one per level; {len(bands.details)} given")


def check_levels(levels: int) -> None:
    """Raise ValueError for fewer than one level."""
    if levels < 1:
        raise ValueError(f"a front-end needs at least one level, not {levels}")


class AnyLevels:
    """A front-end that uses the same weights at every level, so that it may have any number of them."""

    levels: int

    def at_levels(self, levels: int) -> Self:
        """The same front-end, splitting into `levels` levels; the weights are shared.

        Raises:
            ValueError: fewer than one level.
        """
        check_levels(levels)
        twin = copy.copy(self)
        twin.levels = levels
        return twin


def level_sizes(size: Size, levels: int) -> list[Size]:
    """The picture's own size, then those of the approximations, each half of the one before, rounded up."""
    sizes = [size]
    for _ in range(levels):
        height, width = sizes[-1]
        sizes.append((ceil_div(height, 2), ceil_div(width, 2)))
    return sizes
