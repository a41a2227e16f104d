"""A quality for each square of a picture: more bits where errors are seen most, fewer where they are hidden.

```
encoder:  allocation.py --QualityMap--> the codec's gains, square by square;  --to_bytes--> QUALITIES section
decoder:  QUALITIES section --from_bytes--> QualityMap --units--> 16-bit qualities --> the codec's inverse gains
```

A square has 32, 64, 128 or 256 pixels a side of the picture that is coded, which may be smaller than the one that is
shown. At the right and bottom the picture may cut squares off. The quality of a square is that of the header plus
`STEP_UNITS` times its offset, clamped to 0..65535.

Payload of a QUALITIES section:

    1       bits 0-1 n: the squares have 32 << n pixels a side; bits 2-7 the index of a table (5 to 63)
            words of the entropy coder: for each square, row by row, its offset less the one predicted, by that table
              of the default ones (entropy/tables.py)

The prediction is the mean of the offsets of the squares on the left and above, rounded up from halves; in the first row
and column, that of the one neighbour; 0 for the first square. Offsets are within -15..15.

Refused as damaged: an offset beyond these, a map whose offsets are all 0, a stream that isn't exactly the words of
these squares, and a table below 5. Such a table takes next to no bits for a square that is as predicted: a few bytes
could declare millions of squares.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.quality import FINEST_UNITS, Quality
from lpcodec.entropy.coder import CorruptStreamError, Decoder, Encoder
from lpcodec.entropy.tables import PRECISION_BITS, default_tables

SIDES = (32, 64, 128, 256)
"""The sides that squares may have, in pixels."""
STEP_UNITS = 2048
"""16-bit units of quality per unit of an offset: 3.1 of 100."""
MOST = 15
"""The largest magnitude of an offset."""
_SHARPEST = 5
"""The index of the first table that may be used: with it a square that is as predicted takes 0.02 bits."""
_DAMAGED = "damaged: the qualities of the picture's squares"
_SLACK_BITS = 32
"""Words may be this much shorter than their ideal length, because the coder and the logarithms round."""

Offsets = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class QualityMap:
    """How much the quality of each square differs from the file's own.

    `side` is that of a square in pixels, one of SIDES. `offsets` are int32 (rows, columns), in units of STEP_UNITS.
    `top` and `left`, in pixels below `side`, are where the first square begins outside the picture: a part of a picture
    has them.
    """

    side: int
    offsets: Offsets
    top: int = 0
    left: int = 0

    def units(self, quality: Quality) -> npt.NDArray[np.int64]:
        """The 16-bit quality of each square, int64 (rows, columns)."""
        found: npt.NDArray[np.int64] = np.clip(
            quality.units + STEP_UNITS * self.offsets.astype(np.int64), 0, FINEST_UNITS
        )
        return found

    def part(self, top: int, left: int) -> "QualityMap":
        """The map of the part of the picture from row `top` and column `left` on, in pixels."""
        row, column = (self.top + top) // self.side, (self.left + left) // self.side
        return QualityMap(
            self.side, self.offsets[row:, column:], (self.top + top) % self.side, (self.left + left) % self.side
        )


def grid_size(height: int, width: int, side: int) -> tuple[int, int]:
    """The number of rows and columns of squares of a picture."""
    return ceil_div(height, side), ceil_div(width, side)


def most_squares(size: tuple[int, int]) -> int:
    """The squares of a picture of `size` (width, height) if they are as small as any."""
    return ceil_div(size[0], SIDES[0]) * ceil_div(size[1], SIDES[0])


def cheap(wanted: npt.NDArray[np.float64], stiffness: npt.NDArray[np.float64], furthest: int) -> Offsets:
    """Return offsets near `wanted` that take few bits, int32 (rows, columns), within -furthest..furthest.

    Each square has the offset with the least sum of its own bits and stiffness * (offset - wanted)**2, given those
    before it. Both arrays are (rows, columns).
    """
    nearest = np.rint(wanted).clip(-furthest, furthest).astype(np.int32)
    lengths = _code_lengths(_best_table(_residuals(nearest).ravel()))
    candidates = (nearest[..., None] + np.arange(-2, 3)).clip(-furthest, furthest)
    costs = stiffness[..., None] * np.square(candidates - wanted[..., None])
    rows: list[list[int]] = []
    for own, own_costs in zip(candidates.tolist(), costs.tolist(), strict=True):
        row: list[int] = []
        for j, (offsets, prices) in enumerate(zip(own, own_costs, strict=True)):
            predicted = _predicted(row, rows[-1] if rows else None, j)
            bits = [price + lengths[offset - predicted] for offset, price in zip(offsets, prices, strict=True)]
            row.append(offsets[min(range(len(bits)), key=bits.__getitem__)])
        rows.append(row)
    return np.array(rows, np.int32)


def to_bytes(found: QualityMap) -> bytes:
    """The payload of a QUALITIES section, for a map of a whole picture. Raises ValueError if all offsets are 0."""
    if not found.offsets.any():
        raise ValueError("all squares have the file's quality: such a picture has no QUALITIES section")
    residuals = _residuals(found.offsets).ravel()
    best = _best_table(residuals)
    encoder = Encoder()
    encoder.put(residuals, np.full(residuals.size, best, np.uint8), default_tables())
    return bytes([SIDES.index(found.side) | best << 2]) + encoder.finish()


def from_bytes(payload: bytes, height: int, width: int) -> QualityMap:
    """The inverse of `to_bytes`, for a picture that is coded in `height` x `width` pixels. Raises DamagedFileError.

    The size is checked before anything is decoded, so that a small file can't declare a large map: a byte has 400
    squares at most.
    """
    if not payload:
        raise DamagedFileError(f"{_DAMAGED} are missing")
    side, index, tables = SIDES[payload[0] & 3], payload[0] >> 2, default_tables()
    if index < _SHARPEST:
        raise DamagedFileError(f"{_DAMAGED} are coded with table {index}, which none may use")
    rows, columns = grid_size(height, width, side)
    least = rows * columns * (PRECISION_BITS - np.log2(float(tables.frequencies[index].max())))
    if least > 8 * len(payload) + _SLACK_BITS:
        raise DamagedFileError(f"{_DAMAGED} are cut short")
    try:
        decoder = Decoder(payload[1:])
        residuals = decoder.get(np.full(rows * columns, index, np.uint8), tables)
        decoder.finish()
    except CorruptStreamError as error:
        raise DamagedFileError(f"{_DAMAGED} can't be read: {error}") from error
    offsets = _offsets(residuals.reshape(rows, columns))
    if not offsets.any():
        raise DamagedFileError(f"{_DAMAGED} are all the file's own")
    return QualityMap(side, offsets)


def _predicted(row: list[int], above: list[int] | None, column: int) -> int:
    """The prediction in a column of a row, from the offsets before it in the row and those of the row above."""
    if above is None:
        return row[-1] if row else 0
    return (row[-1] + above[column] + 1) // 2 if row else above[0]


def _residuals(offsets: Offsets) -> Offsets:
    """Offsets less their predictions, int32 of the same shape."""
    found = offsets.copy()
    found[0, 1:] -= offsets[0, :-1]
    found[1:, 0] -= offsets[:-1, 0]
    found[1:, 1:] -= (offsets[1:, :-1] + offsets[:-1, 1:] + 1) // 2
    return found


def _offsets(residuals: Offsets) -> Offsets:
    """The inverse of `_residuals`. Raises DamagedFileError for an offset that is too large.

    It goes from one diagonal to the next, because no square of a diagonal is predicted from another one of it.
    """
    rows, columns = residuals.shape
    # With a row above and a column on the left. Where a square has one neighbour, the other is given the same offset.
    width = columns + 1
    found = np.zeros((rows + 1) * width, np.int32)
    changes = np.pad(residuals, ((1, 0), (1, 0))).ravel()
    for diagonal in range(rows + columns - 1):
        first, last = max(0, diagonal - columns + 1), min(diagonal, rows - 1)
        here = np.arange(first, last + 1) * (width - 1) + diagonal + 1 + width
        if first == 0:
            found[here[0] - width] = found[here[0] - 1]
        if last == diagonal:
            found[here[-1] - 1] = found[here[-1] - width]
        offsets = (found[here - 1] + found[here - width] + 1 >> 1) + changes[here]
        if np.abs(offsets).max() > MOST:
            raise DamagedFileError(f"{_DAMAGED} are beyond {MOST} steps")
        found[here] = offsets
    return np.ascontiguousarray(found.reshape(rows + 1, width)[1:, 1:])


def _best_table(residuals: Offsets) -> int:
    """The index of the default table that codes residuals (n,) in the fewest bits."""
    tables = default_tables()
    return min(
        range(_SHARPEST, len(tables)),
        key=lambda index: tables.bits(residuals, np.full(residuals.size, index, np.uint8)),
    )


def _code_lengths(index: int) -> dict[int, float]:
    """The bits of every difference of two offsets in a default table."""
    symbols = np.arange(-2 * MOST, 2 * MOST + 1, dtype=np.int32)
    of_table = np.full(1, index, np.uint8)
    return {int(symbol): default_tables().bits(symbols[n : n + 1], of_table) for n, symbol in enumerate(symbols)}
