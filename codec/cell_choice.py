"""Which cells of a picture to store instead of coding them, by rate and distortion.

```
pixels --repeats--> candidates --16 x 16 DCT--> what coding costs at any lambda       }
       candidates' pixels, lambda --palette.py--> fewer colours, what storing costs   } the cheaper, cell by cell
```
The first choice is among cells that look drawn. If it takes some, the next ones are among all that could be, with the
colours of those taken: dense parts of a plot follow, photographs don't.

The cost of a cell is bits + lambda * squared error. Coding is estimated from a cell's DCT coefficients x: with the
distortion theta = 3 / (2 ln 2 lambda) that a bit is worth, a coefficient takes about log2(1 + x**2 / theta) / 2 bits
and leaves x**2 theta / (x**2 + theta); three constants fit that to the default model. Storing is measured: the section
is made, and its bytes shared out by how often the colour changes.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lpcodec.codec import cells
from lpcodec.codec.arrays import Pixels
from lpcodec.codec.cells import CELL, Cells, Map, by_pixel
from lpcodec.codec.palette import distinct_colours, fewer_colours

_DRAWN, _POSSIBLE = 0.5, 0.1
"""The least share of a cell's pixels that equal the left or the upper one: of a candidate of the first choice, and of a
later one."""
_BITS_FACTOR, _BITS_START, _ERROR_FACTOR = 1.7, 3.0, 2.1
"""What fits the default model best on screens, from quality 15 to 95."""
_FLAT_BITS = 4.0
"""Bits that a flat cell is worth beside its cost: an even background is to come back exactly."""
_EDGE_BITS = 12.0
"""What each side between a stored cell and a coded one takes: in the map, and in the coded one's latents, since the
picture seems to change there."""
_SECTION_BITS = 8 * 24
"""About what the heads of the section and of its picture take."""
_FIRST_BITS_PER_CHANGE = 2.0
"""What a change of colour takes, as the first choice assumes; later ones measure it."""
_LEAST_GAIN = 0.1
"""Nothing is stored if that saves less than this part of what coding it is expected to cost: the estimate isn't better,
and photographs must not lose by it."""
_EXACT_SHARE = 0.1
"""All colours are tried if the errors of fewer colours cost more than this part of the section's bits."""
_LOWEST_LOG, _BINS = -2, 24
"""The coefficients' squares are counted by their whole log2."""
_ROUNDS = 2
"""Sections that are made, which takes most of the time; a choice follows each."""
_SWEEPS = 4


@dataclass(frozen=True)
class _Estimate:
    """What coding the candidates takes: (n, bins) counts of coefficients by the log2 of their squares."""

    counts: npt.NDArray[np.float32]
    channels: int

    def costs(self, lmbda: float) -> npt.NDArray[np.float64]:
        """bits + lambda * squared error (a mean over channels, a sum over pixels) of each candidate, (n,)."""
        squares = 2.0 ** (np.arange(_BINS) + _LOWEST_LOG + 0.5)
        theta = self.channels / (2 * math.log(2) * lmbda)
        bits = _BITS_FACTOR / 2 * np.log2(1 + squares / (_BITS_START * theta))
        errors = _ERROR_FACTOR * squares * theta / (squares + theta) / self.channels
        # Below the lowest bin nothing is left to code or to lose.
        return np.asarray(self.counts[:, 1:] @ (bits + lmbda * errors)[1:], np.float64)


@dataclass(frozen=True)
class Chosen:
    """The cells to store, and the payload of their section."""

    cells: Cells
    payload: bytes

    @property
    def bits(self) -> int:
        """About what the section takes in all."""
        return 8 * len(self.payload) + _SECTION_BITS


class CellChoice:
    """One picture's candidates and what coding them takes; `at` chooses among them for a lambda."""

    def __init__(self, pixels: Pixels, repeats: npt.NDArray[np.float64]) -> None:
        self._shape = pixels.shape
        self._drawn, self._possible = repeats >= _DRAWN, repeats >= _POSSIBLE
        self._estimate = _Estimate(_coefficients(pixels, self._possible), pixels.shape[2])
        self._flat = np.zeros(repeats.shape, bool)
        self._flat[self._possible] = self._estimate.counts[:, 1:].sum(1) == 0
        seen = by_pixel(self._possible, *pixels.shape[:2])
        self._colours, numbers = distinct_colours(pixels[seen])
        self._numbers = np.zeros(pixels.shape[:2], np.int32)
        """Each pixel's row in `_colours`; 0, which means nothing, outside the possible cells."""
        self._numbers[seen] = numbers

    @classmethod
    def of(cls, pixels: Pixels) -> "CellChoice | None":
        """The choice for pixels (H, W, 3) or (H, W, 1) uint8; None if no cell looks drawn."""
        repeats = _repeats(pixels)
        return cls(pixels, repeats) if (repeats >= _DRAWN).any() else None

    def at(self, lmbda: float) -> Chosen | None:
        """The cells to store for lambda of bits per pixel + lambda * mean squared error (8-bit units); None if coding
        them all is cheaper."""
        coding = np.zeros(self._possible.shape)
        coding[self._possible] = self._estimate.costs(lmbda)
        coding += _FLAT_BITS * self._flat
        replaced = self._replaced(self._drawn, lmbda)
        gains = coding - _FIRST_BITS_PER_CHANGE * self._changes(replaced) - lmbda * self._squared_errors(replaced)
        stored = _most_gain(gains, self._drawn)
        best: Chosen | None = None
        most = 0.0
        for _ in range(_ROUNDS):
            if not stored.any():
                break
            replaced = self._replaced(stored, lmbda)
            errors, changes = lmbda * self._squared_errors(replaced), self._changes(replaced)
            expected, error = float(coding[stored].sum()), float(errors[stored].sum())
            chosen = self._chosen(stored, replaced)
            gain = expected - error - chosen.bits
            if gain > max(most, _LEAST_GAIN * expected):
                best, most = chosen, gain
            bits_per_change = chosen.bits / max(float(changes[stored].sum()), 1.0)
            if error > _EXACT_SHARE * chosen.bits:
                exact = self._chosen(stored, self._colours)
                gain = expected - exact.bits
                if gain > max(most, _LEAST_GAIN * expected):
                    best, most = exact, gain
            stored = _most_gain(coding - bits_per_change * changes - errors, self._possible)
        return best or self._even(coding)

    def _even(self, coding: npt.NDArray[np.float64]) -> Chosen | None:
        """The flat cells alone: a background comes back exactly even if it doesn't pay to store what is on it."""
        stored = _most_gain(coding, self._flat)
        if not stored.any():
            return None
        chosen = self._chosen(stored, self._colours)
        return chosen if chosen.bits < coding[stored].sum() else None

    def _replaced(self, stored: Map, lmbda: float) -> Pixels:
        """What replaces each colour if these cells are stored."""
        counts = np.bincount(self._numbers[by_pixel(stored, *self._shape[:2])], minlength=len(self._colours))
        return fewer_colours(self._colours, counts, lmbda)

    def _chosen(self, stored: Map, replaced: Pixels) -> Chosen:
        """The stored cells with replaced colours; elsewhere the most frequent of them, which costs next to nothing."""
        shown = by_pixel(stored, *self._shape[:2])
        pixels = replaced[self._numbers]
        pixels[~shown] = replaced[np.bincount(self._numbers[shown]).argmax()]
        found = Cells(stored, pixels)
        return Chosen(found, cells.to_bytes(found))

    def _squared_errors(self, replaced: Pixels) -> npt.NDArray[np.float64]:
        """By cell, if all candidates are stored with these colours: the mean over channels, the sum over pixels."""
        by_colour = np.square(replaced.astype(np.float32) - self._colours).mean(1)
        return _cell_sums(by_colour[self._numbers])

    def _changes(self, replaced: Pixels) -> npt.NDArray[np.float64]:
        """How often the colour changes in each cell, along rows and columns, halved."""
        _, names = distinct_colours(replaced)
        left, upper = _unequal(names.astype(np.uint16)[self._numbers])
        return (_cell_sums(left) + _cell_sums(upper)) / 2


def _most_gain(gains: npt.NDArray[np.float64], candidates: Map) -> Map:
    """The map of most gain less what its edges take: iterated conditional modes over a checkerboard (Besag 1986)."""
    stored = candidates & (gains > 0)
    black = np.indices(stored.shape).sum(0) % 2 == 0
    for _ in range(_SWEEPS):
        for colour in (black, ~black):
            near = np.pad(stored, 1, mode="edge").astype(np.int8)
            around = near[:-2, 1:-1] + near[2:, 1:-1] + near[1:-1, :-2] + near[1:-1, 2:]
            # Storing removes the edges to stored neighbours and makes those to coded ones.
            better = candidates & (gains + _EDGE_BITS * (2 * around - 4) > 0)
            stored = np.where(colour, better, stored)
    return stored


def _cell_sums(plane: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Sums over the cells of a plane (H, W)."""
    rows = np.add.reduceat(plane, np.arange(0, plane.shape[0], CELL), 0, dtype=np.float64)
    return np.asarray(np.add.reduceat(rows, np.arange(0, plane.shape[1], CELL), 1))


def _unequal(values: npt.NDArray[np.unsignedinteger]) -> tuple[Map, Map]:
    """Which values (H, W) differ from the left one, and which from the upper one; the first column and row don't."""
    left, upper = np.zeros(values.shape, bool), np.zeros(values.shape, bool)
    np.not_equal(values[:, 1:], values[:, :-1], out=left[:, 1:])
    np.not_equal(values[1:], values[:-1], out=upper[1:])
    return left, upper


def _whole(pixels: Pixels) -> npt.NDArray[np.uint32]:
    """The channels of each pixel (H, W, 3 or 1) as one number (H, W): one comparison instead of three."""
    packed = np.zeros((*pixels.shape[:2], 4), np.uint8)
    packed[..., : pixels.shape[2]] = pixels
    return packed.view(np.uint32)[..., 0]


def _repeats(pixels: Pixels) -> npt.NDArray[np.float64]:
    """The share of pixels that equal the left or the upper one, by cell."""
    left, upper = _unequal(_whole(pixels))
    return 1 - _cell_sums(left & upper) / _cell_sums(np.ones(pixels.shape[:2], bool))


def _coefficients(pixels: Pixels, candidates: Map) -> npt.NDArray[np.float32]:
    """The candidates' AC coefficients, counted by the log2 of their squares: (n, bins).

    The DCT is orthonormal, over 16 x 16 pixels, of grey and two colour differences where there are three channels.
    """
    place = (np.arange(CELL) + 0.5) * np.pi / CELL
    transform = np.cos(np.arange(CELL)[:, None] * place) * math.sqrt(2 / CELL)
    transform[0] /= math.sqrt(2)
    dct = transform.astype(np.float32)
    axes = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]], np.float32) / np.sqrt([[3], [2], [6]]).astype(np.float32)
    width, channels = pixels.shape[1:]
    found = []
    for row in range(len(candidates)):
        if not candidates[row].any():
            continue
        band = pixels[CELL * row : CELL * (row + 1)]
        pad = ((0, CELL - len(band)), (0, CELL * candidates.shape[1] - width), (0, 0))
        blocks = np.pad(band, pad, mode="edge").reshape(CELL, -1, CELL, channels).transpose(1, 3, 0, 2)
        chosen = dct @ blocks[candidates[row]].astype(np.float32) @ dct.T
        if channels == 3:
            chosen = np.einsum("kc,ncij->nkij", axes, chosen)
        chosen[:, :, 0, 0] = 0
        logs = np.log2(np.square(chosen).reshape(len(chosen), -1) + 2.0**_LOWEST_LOG)
        bins = np.clip(np.floor(logs) - _LOWEST_LOG, 0, _BINS - 1).astype(np.int64)
        flat = (bins + _BINS * np.arange(len(bins))[:, None]).ravel()
        found.append(np.bincount(flat, minlength=_BINS * len(bins)).reshape(-1, _BINS).astype(np.float32))
    return np.concatenate(found)
