"""A plane of bytes, such as soft alpha, coded with an error of at most E. 0 and 255 stay exact.

    plane --predict, quantise (from coarse to fine)--> symbols --range coder--> bytes, and back

The plane is coded in steps. The first pixel comes as it is; then the distance between known pixels is halved again and
again: first those in the middle of four known ones at the corners of a square, then those with known neighbours on
their four sides. Each is predicted by the mean of its two middle neighbours (the smallest and the largest are left
out), and the difference is coded in units of 2 E + 1, so the error is at most E, whatever the prediction. This is the
interpolative coding of Howard and Vitter ("Fast progressive lossless image compression", 1994) with the bounded
quantiser of JPEG-LS (ITU-T T.87).

Tables are learnt from what was coded before, so none is in the file. All numbers are integers: a plane decodes to the
same bytes everywhere.

Payload: E (1 byte), the first pixel (1 byte), the words of the range coder.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lpcodec.codec.errors import DamagedFileError
from lpcodec.entropy.coder import CorruptStreamError, Decoder, Encoder
from lpcodec.entropy.tables import TableSet, apportion

Plane = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int32]

MAX_ERROR = 20
_CHUNK = 6000
"""Pixels that are coded with one set of tables, at least; there are at most `_MOST_CHUNKS` in half a step."""
_MOST_CHUNKS = 24
# Contexts: how far the neighbours differ, and for equal ones whether they are 0, 255, or between.
_SPREADS = np.array([1, 2, 4, 8, 16, 32, 64, 128, 254])
_RADII = (3, 3, 3, 8, 8, 16, 24, 48, 48, 48, 48, 48)
_DECAYS = (2, 2, 5, 7, 10, 20, 40, 80, 160, 320, 640, 640)
"""Of the tables before anything was learnt, in tenths of a level."""
_PRIOR_WEIGHTS = (1, 1, 2, 4, 4, 4, 4, 4, 4, 4, 4, 4)
_ACTIVITIES = np.array([0, 1, 2, 2, 3, 3, 3, 3, 3])
"""Groups of contexts by how much the four neighbours differed from their own predictions (each counts 2 at most)."""
_UNIT = 1024


class _Part(NamedTuple):
    """Pixels that are coded at once: rows and columns, the distance to their neighbours, and where those are."""

    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    distance: int
    diagonal: bool


def to_bytes(plane: Plane, error: int) -> bytes:
    """Code a plane, uint8 (H, W), with an error of at most `error` levels, 0..20. 0 and 255 stay exact."""
    coder = Encoder()
    _Walk(plane.shape[0], plane.shape[1], error).run(_Writing(plane, error, coder), int(plane[0, 0]))
    return bytes([error, plane[0, 0]]) + coder.finish()


def from_bytes(data: bytes, width: int, height: int, what: str = "plane") -> Plane:
    """The inverse of `to_bytes`: uint8 (H, W). `what` names the plane in errors. Raises DamagedFileError."""
    if len(data) < 2 or data[0] > MAX_ERROR:
        raise DamagedFileError(f"{what}: no plane with a bounded error")
    walk = _Walk(height, width, data[0])
    try:
        decoder = Decoder(data[2:])
        walk.run(_Reading(decoder), data[1])
        decoder.finish()
    except CorruptStreamError as error:
        raise DamagedFileError(f"{what}: {error}") from error
    return walk.known.astype(np.uint8)


def nearest_level(plane: Plane, error: int) -> Plane:
    """The plane with its values moved by at most `error` to few levels: cheap to store. 0 and 255 stay exact."""
    step = 2 * error + 1
    levels = np.minimum((np.arange(256) + error) // step * step, 255)
    levels[255] = 255
    moved: Plane = levels.astype(np.uint8)[plane]
    return moved


class _Writing:
    """Takes the symbols from a plane and puts them into a stream."""

    def __init__(self, plane: Plane, error: int, coder: Encoder) -> None:
        self.plane, self.error, self.coder = plane, error, coder

    def symbols(self, part: _Part, predicted: _Ints, contexts: npt.NDArray[np.uint8], tables: TableSet) -> _Ints:
        value = self.plane[np.ix_(part.rows, part.columns)].astype(np.int32)
        step = 2 * self.error + 1
        difference = value - predicted
        found = np.sign(difference) * ((np.abs(difference) + self.error) // step)
        # What is beyond 0 and 255 is cut off, so these two can always be reached exactly.
        found = np.where(value == 0, -((predicted + step - 1) // step), found)
        found = np.where(value == 255, (255 - predicted + step - 1) // step, found).astype(np.int32)
        self.coder.put(found.ravel(), contexts, tables)
        return found


class _Reading:
    """Takes the symbols out of a stream."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder

    def symbols(self, part: _Part, predicted: _Ints, contexts: npt.NDArray[np.uint8], tables: TableSet) -> _Ints:
        return self.decoder.get(contexts, tables).reshape(predicted.shape)


class _Walk:
    """The way through a plane that encoder and decoder go together; `known` is what the decoder has so far."""

    def __init__(self, height: int, width: int, error: int) -> None:
        self.height, self.width, self.step = height, width, 2 * error + 1
        self.known = np.zeros((height, width), np.int16)
        self.surprise = np.zeros((height, width), np.uint8)
        """How far each known pixel was from its prediction, in steps, 2 at most."""
        self.learnt = [_prior(context, self.step) for _ in range(_ACTIVITIES[-1] + 1) for context in range(len(_RADII))]

    def run(self, stream: _Writing | _Reading, first: int) -> None:
        self.known[0, 0] = first
        for part in self._parts():
            places = np.ix_(part.rows, part.columns)
            neighbours = self._neighbours(self.known, part)
            low, high = neighbours.min(0), neighbours.max(0)
            predicted = (neighbours.sum(0) - low - high + 1) >> 1
            activity = _ACTIVITIES[self._neighbours(self.surprise, part).sum(0)]
            contexts = (_context(predicted, high - low) + len(_RADII) * activity).ravel()
            used, indexes = np.unique(contexts, return_inverse=True)
            symbols = stream.symbols(part, predicted, indexes.astype(np.uint8), self._tables(used))
            self._learn(symbols.ravel(), indexes, used)
            self.known[places] = np.clip(predicted + symbols * self.step, 0, 255)
            self.surprise[places] = np.minimum(np.abs(symbols), 2)

    def _parts(self) -> Iterator[_Part]:
        stride = 1 << (max(self.height, self.width) - 1).bit_length()
        while stride > 1:
            half = stride // 2
            every, between = (0, stride), (half, stride)
            for (top, tall), (left, wide), diagonal in (
                (between, between, True), (between, every, False), (every, between, False),
            ):  # fmt: skip
                rows, columns = np.arange(top, self.height, tall), np.arange(left, self.width, wide)
                if rows.size and columns.size:
                    chunks = min(max(1, rows.size * columns.size // _CHUNK), rows.size, _MOST_CHUNKS)
                    for band in np.array_split(rows, chunks):
                        yield _Part(band, columns, half, diagonal)
            stride = half

    def _neighbours(self, plane: npt.NDArray[np.integer], part: _Part) -> _Ints:
        """The four known neighbours (4, h, w) of a part's pixels; beyond an edge the opposite one counts twice."""
        rows, columns, by, _ = part
        above = np.where(rows >= by, rows - by, rows + by)
        below = np.where(rows + by < self.height, rows + by, rows - by)
        left = np.where(columns >= by, columns - by, columns + by)
        right = np.where(columns + by < self.width, columns + by, columns - by)
        if part.diagonal:
            pairs = [(above, left), (above, right), (below, left), (below, right)]
        else:
            vertical, horizontal = [(above, columns), (below, columns)], [(rows, left), (rows, right)]
            # In a plane of one row or one column there is no neighbour on either side.
            if below.min() < 0 or above.max() >= self.height:
                vertical = horizontal
            elif right.min() < 0 or left.max() >= self.width:
                horizontal = vertical
            pairs = vertical + horizontal
        return np.stack([plane[np.ix_(*pair)] for pair in pairs]).astype(np.int32)

    def _tables(self, contexts: npt.NDArray[np.integer]) -> TableSet:
        radii = np.array([_RADII[context % len(_RADII)] for context in contexts], np.int16)
        return TableSet(radii, tuple(apportion(self.learnt[context]) for context in contexts))

    def _learn(self, symbols: _Ints, indexes: npt.NDArray[np.intp], contexts: npt.NDArray[np.integer]) -> None:
        for index, context in enumerate(contexts):
            radius = _RADII[context % len(_RADII)]
            mine = symbols[indexes == index]
            entries = np.where(np.abs(mine) > radius, 2 * radius + 1, mine + radius)
            self.learnt[context] += np.bincount(entries, minlength=2 * radius + 2) * _UNIT


def _context(predicted: _Ints, spread: _Ints) -> _Ints:
    equal = np.where(predicted == 0, 0, np.where(predicted == 255, 1, 2))
    return np.where(spread == 0, equal, np.searchsorted(_SPREADS, spread, side="right") + 2).astype(np.int32)


def _prior(context: int, step: int) -> npt.NDArray[np.int64]:
    """What a table holds before anything was learnt: magnitudes that become rarer by a constant factor."""
    radius, decay = _RADII[context], _DECAYS[context]
    mass, masses = _UNIT * _UNIT, []
    for _ in range(radius + 1):
        masses.append(mass)
        mass = mass * decay // (decay + 10 * step)
    both = np.array([*masses[:0:-1], *masses, _UNIT], np.int64)
    return both * _UNIT * _PRIOR_WEIGHTS[context] // int(both.sum()) + 1
