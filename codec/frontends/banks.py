"""Filter banks along one axis, as products with small banded matrices; the wavelets and the pyramid are made of them.

```
halved:   x --overlapping windows--> times a banded matrix per filter --> every second place, filtered
doubled:  half-size parts --overlapping windows--> each part times its matrix, then added --> twice the places
```

A convolution of one channel with a few taps leaves a processor mostly waiting. A product with a banded matrix also
multiplies the matrix's zeros, but is several times as fast. Differentiable; keeps the dtype.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lpcodec.codec.arrays import ceil_div

Filter = tuple[float, ...]

BLOCK = 16
"""Half-size places per product."""


def halved(x: Tensor, axis: int, filters: Sequence[Filter]) -> list[Tensor]:
    """y[k] = sum over j of taps[j] * x[2k + j] along `axis` (2 or 3) of (B, C, H, W), one y for each filter.

    The filters are equally long. y has all places k with 2k + j inside `x` for every j.
    """
    taps = len(filters[0])
    places = (x.shape[axis] - taps) // 2 + 1
    windows = _windows(x, axis, 2 * BLOCK + taps - 2, 2 * BLOCK, ceil_div(places, BLOCK))
    return [_product(windows, _analysis(f, x.dtype).to(x.device), axis).narrow(axis, 0, places) for f in filters]


def doubled(parts: Sequence[Tensor], axis: int, filters: Sequence[Filter], first: int, length: int) -> Tensor:
    """y[n] = sum over parts and k of taps[n + first - 2k] * part[k] along `axis`, for `length` places n.

    One filter for each part, equally long. A part is zero beyond its ends.
    """
    taps = len(filters[0])
    lowest = -((taps - 1 - first) // 2)  # the first k that y[0] needs
    needed = (2 * BLOCK - 1 + first) // 2 - lowest + 1
    y: Tensor | None = None
    for part, taps_of_part in zip(parts, filters, strict=True):
        if lowest < 0:
            part = F.pad(part, (-lowest, 0, 0, 0) if axis == 3 else (0, 0, -lowest, 0))
        else:
            part = part.narrow(axis, lowest, part.shape[axis] - lowest)
        windows = _windows(part, axis, needed, BLOCK, ceil_div(length, 2 * BLOCK))
        added = _product(
            windows, _synthesis(taps_of_part, first - 2 * lowest, needed, part.dtype).to(part.device), axis
        )
        y = added if y is None else y + added
    assert y is not None
    return y.narrow(axis, 0, length)


def _windows(x: Tensor, axis: int, size: int, step: int, count: int) -> Tensor:
    """`count` windows of `size` places, `step` apart, zeros where `x` ends: (B, C, count, size, W) for axis 2,
    (B, C, H, count, size) for axis 3."""
    missing = size + step * (count - 1) - x.shape[axis]
    if missing > 0:
        x = F.pad(x, (0, missing) if axis == 3 else (0, 0, 0, missing))
    else:
        x = x.narrow(axis, 0, x.shape[axis] + missing)
    windows = x.unfold(axis, size, step)
    return (windows if axis == 3 else windows.transpose(3, 4)).contiguous()


def _product(windows: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """Every window times `matrix` (size, outputs); the results follow each other along `axis`."""
    if axis == 3:
        return (windows @ matrix).flatten(3)
    return (matrix.T @ windows).flatten(2, 3)


@functools.lru_cache(maxsize=256)
def _analysis(taps: Filter, dtype: torch.dtype) -> Tensor:
    """The matrix (2 * BLOCK + taps - 2, BLOCK) of `halved`."""
    matrix = torch.zeros(2 * BLOCK + len(taps) - 2, BLOCK, dtype=torch.float64)
    for place in range(BLOCK):
        matrix[2 * place : 2 * place + len(taps), place] = torch.tensor(taps, dtype=torch.float64)
    return matrix.to(dtype)


@functools.lru_cache(maxsize=256)
def _synthesis(taps: Filter, first: int, size: int, dtype: torch.dtype) -> Tensor:
    """The matrix (`size`, 2 * BLOCK) of `doubled`; `first` counts from the first place of the window."""
    matrix = torch.zeros(size, 2 * BLOCK, dtype=torch.float64)
    for place in range(2 * BLOCK):
        for k in range(size):
            if 0 <= place + first - 2 * k < len(taps):
                matrix[k, place] = taps[place + first - 2 * k]
    return matrix.to(dtype)
