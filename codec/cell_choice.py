"""Which cells of a picture to store instead of coding them, by rate and distortion.

```
pixels --repeats--> candidates --16 x 16 DCT--> what coding costs at any lambda       }
       candidates' pixels, lambda --palette.py--> fewer colours, what storing costs   } the cheaper, cell by cell
```
The first choice is among the cells that look drawn. If it takes some, the second is among all cells in which pixels
repeat, with the colours of the cells that were taken. So dense parts of a plot are taken too, and photographs aren't.

The cost of a cell is bits + lambda * squared error. The cost of coding is estimated from the cell's DCT coefficients x.
With theta = 3 / (2 ln 2 lambda), the squared error that is worth a bit, a coefficient takes about
log2(1 + x**2 / theta) / 2 bits and leaves an error of x**2 theta / (x**2 + theta). Three constants fit that to the
default model. The cost of storing is measured: the section is made, and its bytes are divided among the cells by how
often the colour changes in each.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lpcodec.codec import cells
from lpcodec.codec.arrays import Pixels
from lpcodec.codec.cells import CELL, Cells, Map, by_pixel
from lpcodec.codec.palette import distinct_colours, fewer_colours

_DRAWN, _POSSIBLE = 0.5, 0.1
"""The least share of a cell's pixels that equal their left or upper neighbour: in a cell that looks drawn, and in one
that the second choice may take."""
_BITS_FACTOR, _BITS_START, _ERROR_FACTOR = 1.7, 3.0, 2.1
"""What fits the default model best on screens, from quality 15 to 95."""
_FLAT_BITS = 4.0
"""Added to the cost of coding a flat cell, in bits: an even background should come back exactly."""
_EDGE_BITS = 12.0
"""The bits that each side between a stored and a coded cell takes: in the map, and in the latents of the coded cell,
for which the picture seems to change there."""
_SECTION_BITS = 8 * 24
"""About the bits that the heads of the section and of its picture take."""
_FIRST_BITS_PER_CHANGE = 2.0
"""The bits that a change of colour takes, as the first choice assumes. The second has them from the first's section."""
_LEAST_BITS_PER_CHANGE = 0.25
"""Sections hardly ever take less. If even this is too much, no section is made."""
_MOST_LOSS = 1.0
"""If the first choice loses more than this part of what coding its cells costs, there is no second. Photographs lose
more. Wherever the second choice paid, the first had lost at most 0.53 of that cost."""
_LEAST_GAIN = 0.1
"""Cells are stored only if that saves at least this part of the estimated cost of coding them. The estimate is no more
precise than that, and photographs must not become larger."""
_EXACT_SHARE = 0.1
"""All colours are tried as well if the errors of fewer colours cost more than this part of the section's bits."""
_LOWEST_LOG, _BINS = -2, 24
"""The squares of coefficients are counted in bins by floor(log2), from this one on."""
_SWEEPS = 4
"""How often `_most_gain` goes over the map."""


@dataclass(frozen=True)
class _Estimate:
    """What coding takes: `counts` (n, bins) are each candidate's coefficients, counted by the log2 of their squares."""

    counts: npt.NDArray[np.float32]
    channels: int

    def costs(self, lmbda: float) -> npt.NDArray[np.float64]:
        """The cost of coding each candidate, (n,): bits + lambda * squared error. The error is a mean over channels and
        a sum over pixels."""
        squares = 2.0 ** (np.arange(_BINS) + _LOWEST_LOG + 0.5)
        theta = self.channels / (2 * math.log(2) * lmbda)
        bits = _BITS_FACTOR / 2 * np.log2(1 + squares / (_BITS_START * theta))
        errors = _ERROR_FACTOR * squares * theta / (squares + theta) / self.channels
        # Coefficients in the lowest bin are about zero: they cost nothing.
        return np.asarray((self.counts[:, 1:] * (bits + lmbda * errors)[1:]).sum(1), np.float64)


@dataclass(frozen=True)
class Chosen:
    """The cells to store, and the payload of their section. `drawn`: not all of them are flat."""

    cells: Cells
    payload: bytes
    drawn: bool

    @property
    def bits(self) -> int:
        """About the bits that the section takes, its head included."""
        return 8 * len(self.payload) + _SECTION_BITS


class CellChoice:
    """Which cells of one picture to store, for any lambda.

    What doesn't depend on lambda is computed once, and for the cells of the second choice only when there is such a
    choice: photographs hardly ever have one.
    """

    def __init__(self, pixels: Pixels, repeats: npt.NDArray[np.float64]) -> None:
        self._pixels, self._repeats = pixels, repeats

    @classmethod
    def of(cls, pixels: Pixels) -> "CellChoice | None":
        """The choice for pixels, uint8 (H, W, 3) or (H, W, 1); None if no cell looks drawn."""
        repeats = _repeats(pixels)
        return cls(pixels, repeats) if (repeats >= _DRAWN).any() else None

    @functools.cached_property
    def _drawn(self) -> "_Candidates":
        return _Candidates(self._pixels, self._repeats >= _DRAWN)

    @functools.cached_property
    def _possible(self) -> "_Candidates":
        return _Candidates(self._pixels, self._repeats >= _POSSIBLE)

    def at(self, lmbda: float) -> Chosen | None:
        """The cells to store if the cost is bits per pixel + lambda * mean squared error (8-bit units); None if coding
        all of them is cheaper."""
        first, second = self._drawn.choose(lmbda, self._drawn.cells, _FIRST_BITS_PER_CHANGE), None
        if first is not None and first.gain > -_MOST_LOSS * first.coding:
            second = self._possible.choose(lmbda, first.chosen.cells.stored, first.bits_per_change)
        paying = [choice for choice in (first, second) if choice is not None and choice.pays]
        return max(paying, key=lambda choice: choice.gain).chosen if paying else self.even

    @functools.cached_property
    def even(self) -> Chosen | None:
        """The flat cells alone, or None if coding them is cheaper, whatever lambda is: an even background comes back
        exactly even if storing what is on it doesn't pay."""
        return self._drawn.even()


@dataclass(frozen=True)
class _Choice:
    """Cells to store, and what that gains against coding them.

    `coding` is what coding these cells costs, and `gain` what storing them saves of it, both in bits + lambda * squared
    error. `bits_per_change` is what a change of colour takes in their section with fewer colours.
    """

    chosen: Chosen
    gain: float
    coding: float
    bits_per_change: float

    @property
    def pays(self) -> bool:
        return self.gain > _LEAST_GAIN * self.coding


class _Candidates:
    """Cells of one picture that may be stored: what coding each takes, and the colours of their pixels."""

    def __init__(self, pixels: Pixels, cells: Map) -> None:
        self.cells, self._shape = cells, pixels.shape
        self._estimate = _Estimate(_coefficients(pixels, cells), pixels.shape[2])
        self._flat = np.zeros(cells.shape, bool)
        self._flat[cells] = self._estimate.counts[:, 1:].sum(1) == 0
        self._pixels = pixels

    @functools.cached_property
    def _colours_and_numbers(self) -> tuple[Pixels, npt.NDArray[np.int32]]:
        """The distinct colours of the cells' pixels, and each pixel's row in them, which is 0 outside the cells."""
        seen = by_pixel(self.cells, *self._shape[:2])
        colours, found = distinct_colours(self._pixels[seen])
        numbers = np.zeros(self._shape[:2], np.int32)
        numbers[seen] = found
        return colours, numbers

    @property
    def _colours(self) -> Pixels:
        return self._colours_and_numbers[0]

    @property
    def _numbers(self) -> npt.NDArray[np.int32]:
        return self._colours_and_numbers[1]

    def choose(self, lmbda: float, assumed: Map, bits_per_change: float) -> _Choice | None:
        """The cells with the largest gain, which may be negative; None if nothing can be gained.

        Args:
            lmbda: the cost is bits per pixel + lambda * mean squared error (8-bit units).
            assumed: the cells whose colours are reduced in number for the estimate.
            bits_per_change: the bits that a change of colour is assumed to take.
        """
        coding = self._coding(lmbda)
        if coding.sum() < _SECTION_BITS:
            return None
        replaced = self._replaced(assumed, lmbda)
        errors = lmbda * self._squared_errors(replaced)
        stored = _most_gain(coding - bits_per_change * self._changes(replaced) - errors, self.cells)
        if not stored.any():
            return None
        replaced = self._replaced(stored, lmbda)
        expected, error = float(coding[stored].sum()), float(lmbda * self._squared_errors(replaced)[stored].sum())
        changes = float(self._changes(replaced)[stored].sum())
        if expected - error < _SECTION_BITS + _LEAST_BITS_PER_CHANGE * changes:
            return None
        chosen = self._chosen(stored, replaced)
        per_change = chosen.bits / max(changes, 1.0)
        choice = _Choice(chosen, expected - error - chosen.bits, expected, per_change)
        if error > _EXACT_SHARE * chosen.bits:
            exact = self._chosen(stored, self._colours)
            if expected - exact.bits > choice.gain:
                choice = _Choice(exact, expected - exact.bits, expected, per_change)
        return choice

    def even(self) -> Chosen | None:
        """The flat cells alone, or None if coding them is cheaper."""
        coding = _FLAT_BITS * self._flat
        stored = _most_gain(coding, self._flat)
        if coding[stored].sum() <= _SECTION_BITS:
            return None
        chosen = self._chosen(stored, self._colours)
        return chosen if chosen.bits < coding[stored].sum() else None

    def _coding(self, lmbda: float) -> npt.NDArray[np.float64]:
        """What coding each cell costs; 0 for those that aren't candidates."""
        coding = np.zeros(self.cells.shape)
        coding[self.cells] = self._estimate.costs(lmbda)
        return coding + _FLAT_BITS * self._flat

    def _replaced(self, stored: Map, lmbda: float) -> Pixels:
        """The colours to store these cells with, in place of each row of `_colours`."""
        counts = np.bincount(self._numbers[by_pixel(stored, *self._shape[:2])], minlength=len(self._colours))
        return fewer_colours(self._colours, counts, lmbda)

    def _chosen(self, stored: Map, replaced: Pixels) -> Chosen:
        """The stored cells in the replaced colours. All other pixels get the most frequent one: they cost almost
        nothing."""
        shown = by_pixel(stored, *self._shape[:2])
        numbers = np.where(shown, self._numbers, int(np.bincount(self._numbers[shown]).argmax()))
        # One number per pixel is looked up in half the time of its channels.
        packed = _whole(replaced[None])[0].take(numbers)
        pixels = packed.view(np.uint8).reshape(*numbers.shape, -1)[..., : replaced.shape[1]]
        found = Cells(stored, np.ascontiguousarray(pixels))
        return Chosen(found, cells.to_bytes(found), drawn=bool((stored & ~self._flat).any()))

    def _squared_errors(self, replaced: Pixels) -> npt.NDArray[np.float64]:
        """The squared error of each candidate in these colours: a mean over channels, a sum over pixels."""
        by_colour = np.square(replaced.astype(np.float32) - self._colours).mean(1)
        return _cell_sums(by_colour.take(self._numbers))

    def _changes(self, replaced: Pixels) -> npt.NDArray[np.float64]:
        """How often the colour changes in each cell: the mean of the changes along rows and along columns."""
        _, names = distinct_colours(replaced)
        left, upper = _unequal(names.astype(np.uint16)[self._numbers])
        return (_cell_sums(left) + _cell_sums(upper)) / 2


def _most_gain(gains: npt.NDArray[np.float64], candidates: Map) -> Map:
    """The map with the largest gain, less what its edges take: iterated conditional modes on a checkerboard (Besag, "On
    the statistical analysis of dirty pictures", 1986)."""
    stored = candidates & (gains > 0)
    black = np.indices(stored.shape).sum(0) % 2 == 0
    for _ in range(_SWEEPS):
        for colour in (black, ~black):
            near = np.pad(stored, 1, mode="edge").astype(np.int8)
            around = near[:-2, 1:-1] + near[2:, 1:-1] + near[1:-1, :-2] + near[1:-1, 2:]
            # Storing a cell removes its edges to stored neighbours and makes edges to coded ones.
            better = candidates & (gains + _EDGE_BITS * (2 * around - 4) > 0)
            stored = np.where(colour, better, stored)
    return stored


def _cell_sums(plane: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Sums over the cells of a plane (H, W) of bools or floats."""
    # Whole rows of cells are summed by `sum`, which takes a tenth of the time of `reduceat`.
    values, dtype = (plane.view(np.uint8), np.uint8) if plane.dtype == bool else (plane, np.float64)
    whole = len(plane) // CELL * CELL
    rows = values[:whole].reshape(-1, CELL, plane.shape[1]).sum(1, dtype=dtype)
    if whole < len(plane):
        rows = np.concatenate([rows, values[whole:].sum(0, dtype=dtype)[None]])
    return np.asarray(np.add.reduceat(rows, np.arange(0, plane.shape[1], CELL), 1, dtype=np.float64))


def _unequal(values: npt.NDArray[np.unsignedinteger]) -> tuple[Map, Map]:
    """Which values (H, W) differ from their left neighbour, and which from the upper one. Where there is none they
    don't."""
    left, upper = np.zeros(values.shape, bool), np.zeros(values.shape, bool)
    np.not_equal(values[:, 1:], values[:, :-1], out=left[:, 1:])
    np.not_equal(values[1:], values[:-1], out=upper[1:])
    return left, upper


def _whole(pixels: Pixels) -> npt.NDArray[np.uint32]:
    """The channels of each pixel (H, W, 3 or 1) packed into one number (H, W): one comparison instead of three."""
    packed = np.zeros((*pixels.shape[:2], 4), np.uint8)
    packed[..., : pixels.shape[2]] = pixels
    return packed.view(np.uint32)[..., 0]


def _repeats(pixels: Pixels) -> npt.NDArray[np.float64]:
    """For each cell, the share of its pixels that equal their left or upper neighbour."""
    left, upper = _unequal(_whole(pixels))
    return 1 - _cell_sums(left & upper) / _cell_sums(np.ones(pixels.shape[:2], bool))


def _coefficients(pixels: Pixels, candidates: Map) -> npt.NDArray[np.float32]:
    """The AC coefficients of each candidate, counted by the log2 of their squares: (n, bins).

    The DCT is orthonormal and has 16 x 16 pixels. Three channels are first turned into grey and two colour differences.
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
