"""The latents of a large picture in less memory. Every symbol is the one that the plain latents give.

```
y of a group --main latents-----> kept as they are
             --linear-only ones-> the values that aren't zero at every quality, and a bit for each that says which
```

The means of linear-only latents are zero, and nothing but their own symbols depends on their values. So one that is
below half a step at the finest quality is zero at all qualities. In photographs most of them are.
"""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.tiles import Span

_LEAST = 0.499
"""A scaled latent below this magnitude is rounded to zero: half a step, less a little for the rounding of products."""
_SEEN_PLACES = 256
"""A sample has about this many places."""


@dataclass(frozen=True)
class Packed:
    """The linear-only latents of a group of n places.

    `bits` (C, ceil(n / 8)) has a bit for each latent, which is 1 if its value is in `values`. The values are in order
    of channels, and those of channel c begin at `starts[c]`; `starts` is (C + 1,). `largest` (C,) is the largest
    magnitude of each channel.
    """

    bits: npt.NDArray[np.uint8]
    values: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int32]
    largest: npt.NDArray[np.float32]


class PackedLatents:
    """The latents y (M, height, width) of a picture. Its groups may be packed in any order and by several threads; they
    are added in coding order.

    Args:
        main: the number of latents that aren't linear-only, the first ones.
        largest_gain: the largest gain of each latent over all qualities, (M, 1, 1).

    `sample` is what the function of that name gives for y.
    """

    def __init__(self, main: int, largest_gain: Tensor, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._main, self._least = torch.empty(main, height, width), _LEAST / largest_gain[main:]
        # One block for all values: many blocks between tensors that come and go would leave gaps. Only what is filled
        # of it takes memory.
        self._values = np.empty(len(self._least) * height * width, np.float32)
        self._filled, self._groups = 0, list[Packed]()
        self._stride = _stride(height, width)
        self.sample = torch.empty(len(largest_gain), ceil_div(height, self._stride), ceil_div(width, self._stride))

    def pack(self, y: Tensor, rows: Span, columns: Span) -> Packed:
        """Keep the main latents of a group, and pack the others of its y (M, h, w)."""
        main, stride = len(self._main), self._stride
        self._main[:, rows.core, columns.core] = y[:main]
        seen = y[:, -rows.start % stride :: stride, -columns.start % stride :: stride]
        top, left = ceil_div(rows.start, stride), ceil_div(columns.start, stride)
        self.sample[:, top : top + seen.shape[1], left : left + seen.shape[2]] = seen
        rest = y[main:].contiguous()
        magnitude = rest.abs()
        kept = (magnitude >= self._least).flatten(1).numpy()
        largest: npt.NDArray[np.float32] = magnitude.amax((1, 2)).numpy()
        starts = np.concatenate([[0], np.count_nonzero(kept, axis=1).cumsum()]).astype(np.int32)
        values = rest.flatten().numpy()[np.flatnonzero(kept)]  # several times as fast as indexing with the mask
        return Packed(np.packbits(kept, axis=1), values, starts, largest)

    def add(self, group: Packed) -> None:
        """Add what `pack` made of the next group in coding order."""
        values = self._values[self._filled : self._filled + len(group.values)]
        values[:] = group.values
        self._filled += len(values)
        self._groups.append(dataclasses.replace(group, values=values))

    def scaled(self, number: int, rows: Span, columns: Span, gain: Tensor) -> Tensor:
        """y * gain (M, h, w) float32 of group `number`, which lies at `rows` and `columns`, for gains (M, 1, 1) or
        (M, h, w) of any qualities. Linear-only latents that are rounded to zero may already be zero."""
        group, main = self._groups[number], len(self._main)
        height, width = rows.stop - rows.start, columns.stop - columns.start
        scaled = torch.zeros(len(gain), height, width)
        torch.mul(self._main[:, rows.core, columns.core], gain[:main], out=scaled[:main])
        rest, factors = scaled[main:].flatten(1).numpy(), gain[main:].flatten(1).numpy()
        for channel in np.flatnonzero(group.largest * factors.max(1) >= _LEAST):
            kept = np.flatnonzero(np.unpackbits(group.bits[channel], count=height * width))
            values = group.values[group.starts[channel] : group.starts[channel + 1]]
            own = factors[channel] if factors.shape[1] == 1 else factors[channel, kept]
            rest[channel, kept] = values * own
        return scaled


Latents = Tensor | PackedLatents
"""y (M, h, w), plain or packed."""


def scaled_group(latents: Latents, number: int, rows: Span, columns: Span, gain: Tensor) -> Tensor:
    """y * gain (M, h, w) of group `number`, which lies at `rows` and `columns`, for gains (M, 1, 1) or (M, h, w)."""
    if isinstance(latents, PackedLatents):
        return latents.scaled(number, rows, columns, gain)
    return latents[:, rows.core, columns.core] * gain


def size_of(latents: Latents) -> tuple[int, int]:
    """The rows and columns of latents."""
    if isinstance(latents, PackedLatents):
        return latents.height, latents.width
    return latents.shape[1], latents.shape[2]


def sample(latents: Latents) -> Tensor:
    """Some of the latents y, (M, h', w'): at about _SEEN_PLACES places, evenly spread; all of a small picture's."""
    if isinstance(latents, PackedLatents):
        return latents.sample
    stride = _stride(*size_of(latents))
    return latents[:, ::stride, ::stride]


def _stride(height: int, width: int) -> int:
    return max(1, math.isqrt(height * width // _SEEN_PLACES))
