"""What every front-end offers: a picture into bands, the finer level guessed from the coarser, bands into a picture.

```
x --split--> Bands: coarse (the smallest approximation), details coarsest first
             coarse --predict, with the next detail--> finer approximation --...--> x      all of it: merge
```

The Laplacian pyramid (pyramid.py), LPAE (lpae.py, folded.py), WAE (wae.py) and the wavelet transforms (dwt.py) are
such front-ends. A codec that codes the bands may change them between `split` and `merge`, or call `predict` level by
level to take each detail against what its decoder will have.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor

from lpcodec.codec.arrays import ceil_div

Size = tuple[int, int]
"""Height and width."""
F = TypeVar("F", bound="_Levelled")


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
        """How many times the picture is reduced: as many details as that."""
        ...

    def split(self, x: Tensor) -> Bands:
        """Picture (B, C, H, W) -> its bands."""
        ...

    def predict(self, coarse: Tensor, size: Size) -> Tensor:
        """Approximation (B, C, h, w) -> what the next finer level, of `size`, is expected to be without its detail."""
        ...

    def merge(self, bands: Bands) -> Tensor:
        """Bands -> picture (B, C, H, W): the inverse of `split`, exact or as far as it was learned.

        Raises:
            ValueError: the number of details isn't that of the levels.
        """
        ...


def merged(bands: Bands, levels: int, predict: Callable[[Tensor, Size], Tensor]) -> Tensor:
    """The picture of a pyramid whose details have the sizes of their levels: each detail, coarsest first, is added to
    what `predict` makes of the coarser level.

    Raises:
        ValueError: the number of details isn't that of the levels.
    """
    check_details(bands, levels)
    x = bands.coarse
    for detail in bands.details:
        x = detail + predict(x, (detail.shape[2], detail.shape[3]))
    return x


def check_details(bands: Bands, levels: int) -> None:
    """Raise ValueError where bands haven't one detail a level."""
    if len(bands.details) != levels:
        raise ValueError(f"{levels} details expected, one a level; {len(bands.details)} given")


class _Levelled(Protocol):
    levels: int


def check_levels(levels: int) -> None:
    """Raise ValueError for fewer than one level."""
    if levels < 1:
        raise ValueError(f"a front-end needs at least one level, not {levels}")


def with_levels(frontend: F, levels: int) -> F:
    """The same front-end, splitting into `levels` levels (its attribute); the weights are shared.

    Raises:
        ValueError: fewer than one level.
    """
    check_levels(levels)
    twin = copy.copy(frontend)
    twin.levels = levels
    return twin


def level_sizes(size: Size, levels: int) -> list[Size]:
    """The sizes of the approximations, finest first, the picture's own leading: halves, rounded up."""
    sizes = [size]
    for _ in range(levels):
        height, width = sizes[-1]
        sizes.append((ceil_div(height, 2), ceil_div(width, 2)))
    return sizes
