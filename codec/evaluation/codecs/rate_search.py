"""The file of a given rate from a codec that has a setting but no rate control.

    pixels, bpp, sizes known from the sweep --encode_to_bpp--> SearchResult: the largest file within bpp, its setting,
                                                               and the next setting, whose file is above bpp

The search keeps two settings, one that fits and a finer one that doesn't, and tries settings between them. It takes in
turn the one at which a straight line through the logarithms of their sizes meets the budget, and the one halfway. So it
ends soon if sizes rise smoothly, and it always ends. Sizes that a sweep found before narrow it from the start.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lpcodec.codec.arrays import Pixels
from lpcodec.codec.errors import TargetError
from lpcodec.codec.evaluation.metrics.distortion import bpp as bits_per_pixel

CLOSE_ENOUGH = 0.998  # a continuous search ends with a file of at least this share of its budget
CLOSEST = 1e-4  # or with two settings that differ by no more than this share
MOST_STEPS = 40


class Adjustable(Protocol):
    """A codec with a setting from `coarsest` to `finest`; `continuous`: settings between integers differ."""

    @property
    def title(self) -> str: ...
    @property
    def coarsest(self) -> float: ...
    @property
    def finest(self) -> float: ...
    @property
    def continuous(self) -> bool: ...
    def encode(self, pixels: Pixels, setting: float, /) -> bytes: ...


@dataclass(frozen=True)
class SearchResult:
    """The file nearest to but not above the rate, and its setting. `above` is the next setting of a codec with whole
    numbers, whose file is above the rate; None if the finest setting fits, or for continuous settings."""

    data: bytes
    setting: float
    above: float | None


def encode_to_bpp(
    codec: Adjustable, pixels: Pixels, bpp: float, known: Mapping[float, int] | None = None
) -> SearchResult:
    """Search for the file nearest to but not above `bpp`; `known` are bytes by setting of the same pixels.

    Whole-number settings are searched to the last step, continuous ones until 99.8 % of the budget is used. Raises
    ValueError for a rate that is not positive, TargetError if even the coarsest setting is above it.
    """
    if not bpp > 0:
        raise ValueError(f"a rate is positive, not {bpp}")
    search = _Search(codec, pixels, bpp * pixels.shape[0] * pixels.shape[1] / 8, dict(known or {}))
    fits, over = search.bracket()
    if fits is None:
        nearest = bits_per_pixel(search.size(codec.coarsest), pixels.shape[0] * pixels.shape[1])
        raise TargetError(f"{codec.title} can't reach {bpp:g} bpp: its smallest file has {nearest:.3f} bpp")
    steps = 0
    while over is not None and steps < MOST_STEPS and not search.done(fits, over):
        middle = search.between(fits, over, guess=steps % 2 == 0)
        if search.size(middle) <= search.budget:
            fits = middle
        else:
            over = middle
        steps += 1
    return SearchResult(search.file(fits), fits, None if codec.continuous else over)


class _Search:
    """Files and sizes met so far. Of the files only the largest within the budget is kept."""

    def __init__(self, codec: Adjustable, pixels: Pixels, budget: float, sizes: dict[float, int]) -> None:
        self.codec, self.pixels, self.budget, self.sizes = codec, pixels, budget, sizes
        self._kept: tuple[float, bytes] | None = None

    def file(self, setting: float) -> bytes:
        if self._kept is None or self._kept[0] != setting:
            self._kept = (setting, self.codec.encode(self.pixels, setting))
        return self._kept[1]

    def size(self, setting: float) -> int:
        if setting not in self.sizes:
            data = self.codec.encode(self.pixels, setting)
            self.sizes[setting] = len(data)
            if len(data) <= self.budget:
                self._kept = (setting, data)
        return self.sizes[setting]

    def bracket(self) -> tuple[float | None, float | None]:
        """The last setting that fits before the first that doesn't, from coarse to fine; None if there is none."""
        down = self.codec.finest < self.codec.coarsest
        fits: float | None = None
        for setting in sorted(self.sizes, reverse=down):
            if self.sizes[setting] > self.budget:
                if fits is None and self.size(self.codec.coarsest) <= self.budget:
                    fits = self.codec.coarsest
                return fits, setting
            fits = setting
        if fits is None and self.size(self.codec.coarsest) > self.budget:
            return None, self.codec.coarsest
        over = self.size(self.codec.finest) > self.budget
        return (self.codec.coarsest if fits is None else fits, self.codec.finest) if over else (self.codec.finest, None)

    def done(self, fits: float, over: float) -> bool:
        if not self.codec.continuous:
            return abs(fits - over) <= 1
        close = abs(fits - over) <= CLOSEST * max(abs(fits), abs(over))
        return close or self.sizes[fits] >= CLOSE_ENOUGH * self.budget

    def between(self, fits: float, over: float, *, guess: bool) -> float:
        """A setting strictly between the two: the one that should meet the budget, or halfway."""
        logs = [math.log(max(self.sizes[s], 1)) for s in (fits, over)]
        share = 0.5
        if guess and logs[1] > logs[0]:
            share = min(max((math.log(self.budget) - logs[0]) / (logs[1] - logs[0]), 0.02), 0.98)
        # Ratios are searched by their logarithms, which follow those of the sizes.
        if self.codec.continuous and min(fits, over) > 0:
            return fits * math.pow(over / fits, share)
        middle = fits + share * (over - fits)
        if self.codec.continuous:
            return middle
        low, high = sorted((int(fits), int(over)))
        return float(min(max(round(middle), low + 1), high - 1))


def encode_near_size(codec: Adjustable, pixels: Pixels, size: int) -> tuple[bytes, float]:
    """The file whose size is nearest to `size` bytes, and its setting: for a comparison at the same bytes.

    The file of the coarsest setting if the codec can't go so low, of the finest if it can't go so high.
    """
    try:
        found = encode_to_bpp(codec, pixels, bits_per_pixel(size, pixels.shape[0] * pixels.shape[1]))
    except TargetError:
        return codec.encode(pixels, codec.coarsest), codec.coarsest
    if found.above is not None:
        above = codec.encode(pixels, found.above)
        if len(above) - size < size - len(found.data):
            return above, found.above
    return found.data, found.setting
