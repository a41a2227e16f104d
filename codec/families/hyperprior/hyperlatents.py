"""The hyper-latents' own coding: half of the places as they are, the others predicted from their neighbours.

```
places with even i + j: z by the table of the channel
the others:             z - weight * mean of the neighbours, by the table of the channel and of how far apart those are
```

All of it is integers, so that every decoder arrives at the same tables. Where a picture is smooth, neighbours predict a
hyper-latent well, and there hyper-latents are the largest part of a file. Calibration fits weights and tables.
"""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lpcodec.codec.families.hyperprior.layers import Z_MAX
from lpcodec.entropy.coder import CorruptStreamError, Decoder, SymbolRun
from lpcodec.entropy.tables import TableSet

CLASSES = 4
"""Tables per channel: one for the first places, and three for the others, by how far apart their neighbours are."""
WEIGHT_UNIT = 16
"""Weights are integers in units of one over this."""
WEIGHT_MAX = 20
"""The largest weight, in units; the smallest is 0."""
_TENTHS = (3, 8)
"""Where classes 2 and 3 of the others begin: mean distances of the neighbours from their mean, in tenths."""
MEAN_UNIT = 12
"""Means of neighbours are integers in units of one over this, which 1, 2, 3 and 4 divide."""

Integers = npt.NDArray[np.int32]


def first_places(height: int, width: int) -> npt.NDArray[np.bool_]:
    """Return the mask (height, width) of the places that are coded as they are."""
    parity: npt.NDArray[np.bool_] = (np.arange(height)[:, None] + np.arange(width)) % 2 == 0
    return parity


def neighbours(z: Integers) -> tuple[Integers, npt.NDArray[np.uint8]]:
    """Return the mean of the up to four neighbours of each place of z (Z, h, w), in units of 1 / MEAN_UNIT, and the
    class 1..3 of the place; 0 and 1 if it has no neighbour."""
    height, width = z.shape[1:]
    padded = np.pad(z, ((0, 0), (1, 1), (1, 1)))
    inside = np.pad(np.ones((height, width), np.int32), 1)
    ways = ((0, 1), (2, 1), (1, 0), (1, 2))
    near = [padded[:, i : i + height, j : j + width] for i, j in ways]
    there = [inside[i : i + height, j : j + width] for i, j in ways]
    count: Integers = np.maximum(np.sum(there, 0, dtype=np.int32), 1)
    total: Integers = np.sum(near, 0, dtype=np.int32)
    apart = sum(np.abs(count * one - total) * known for one, known in zip(near, there, strict=True))
    classes = np.ones(z.shape, np.uint8)
    for tenths in _TENTHS:
        classes += 10 * apart >= tenths * count * count
    return total * (MEAN_UNIT // count), classes


@dataclass(frozen=True)
class HyperTables:
    """Tables and weights by the quality's anchor: `tables[a]` are CLASSES x Z tables, class after class, `weights[a]`
    (Z,) integers 0..WEIGHT_MAX."""

    tables: tuple[TableSet, ...]
    weights: npt.NDArray[np.int8]

    @property
    def channels(self) -> int:
        """The number of hyper-latents per place."""
        return int(self.weights.shape[1])

    def least_bits(self, anchor: int) -> float:
        """The fewest bits that the hyper-latents of one place can take."""
        return self._least_bits[anchor]

    @functools.cached_property
    def _least_bits(self) -> tuple[float, ...]:
        largest = (np.array([f.max() for f in t.frequencies]).reshape(CLASSES, -1).max(0) for t in self.tables)
        return tuple(float((16 - np.log2(row)).sum()) for row in largest)

    def predicted(self, z: Integers, anchor: int) -> tuple[Integers, npt.NDArray[np.uint8]]:
        """From z (Z, h, w), valid at the first places: predictions of the others, and the indexes of their tables."""
        near, classes = neighbours(z)
        unit = WEIGHT_UNIT * MEAN_UNIT
        prediction = (self.weights[anchor].astype(np.int32)[:, None, None] * near + unit // 2) // unit
        channel = np.arange(len(z), dtype=np.int32)[:, None, None]
        return prediction, (classes * np.int32(len(z)) + channel).astype(np.uint8)

    def runs(self, z: Integers, anchor: int) -> tuple[SymbolRun, SymbolRun]:
        """z (Z, h, w) in the two runs that are coded, each in the order channel, row, column."""
        first, tables = first_places(*z.shape[1:]), self.tables[anchor]
        prediction, indexes = self.predicted(np.where(first, z, 0), anchor)
        others = (z - prediction)[:, ~first].ravel()
        return (
            SymbolRun(z[:, first].ravel(), _channel_indexes(len(z), int(first.sum())), tables),
            SymbolRun(others, indexes[:, ~first].ravel(), tables),
        )

    def read(
        self, decoder: Decoder, anchor: int, height: int, width: int
    ) -> tuple[Integers, tuple[SymbolRun, SymbolRun]]:
        """Return z (Z, height, width) and its runs.

        Raises:
            CorruptStreamError: a hyper-latent is larger than any can be.
        """
        first, tables = first_places(height, width), self.tables[anchor]
        z = np.zeros((self.channels, height, width), np.int32)
        indexes = _channel_indexes(self.channels, int(first.sum()))
        known = SymbolRun(decoder.get(indexes, tables), indexes, tables)
        z[:, first] = known.symbols.reshape(self.channels, -1)
        _check(z)
        prediction, every = self.predicted(z, anchor)
        indexes = every[:, ~first].ravel()
        others = SymbolRun(decoder.get(indexes, tables), indexes, tables)
        z[:, ~first] = others.symbols.reshape(self.channels, -1) + prediction[:, ~first]
        _check(z)
        return z, (known, others)


def _channel_indexes(channels: int, places: int) -> npt.NDArray[np.uint8]:
    """The table of each hyper-latent of the first places: its channel's."""
    return np.repeat(np.arange(channels, dtype=np.uint8), places)


def _check(z: Integers) -> None:
    if np.abs(z).max(initial=0) > Z_MAX:
        raise CorruptStreamError(f"hyper-latents beyond {Z_MAX}")
