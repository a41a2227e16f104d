"""Rate control: from a target to the quality that meets it.

The analysis has run already, so each step of a search costs only the entropy coding. log(bytes) and the PSNR are close
to linear in the quality, so a secant that is kept inside its bracket needs three to five steps. If a codec can estimate
its sizes for a picture (`RateEstimator`), the secant runs over that curve instead of the quality and needs two or
three. If the secant doesn't converge, because the curve has a jump, the bracket is halved.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np

from lpcodec.codec.quality import Quality

T = TypeVar("T")

FLOOR = 0.97
"""A search accepts a file that has at least this fraction of the limit."""
SLACK_BYTES = 8
"""It also accepts a file within this many bytes of the limit, because streams grow in whole words."""
MAX_STEPS = 12
_AIM = 0.99
"""The fraction of the limit that a search aims at."""
_USUAL_GROWTH = 5.3 / 100
"""d log(bytes) / d quality of photographs; between 0.02 and 0.09."""
_USUAL_DB = 0.24
"""d PSNR / d quality of photographs, in dB."""
_USUAL_BPP = 0.9
"""The rate of photographs at quality 50."""
_DB_AIM = 0.01
"""How far above its target a search for a PSNR aims, in dB."""
_DB_NEAR = 0.02
"""It accepts a picture that is at most this much above the target, in dB."""
_QUALITY_NEAR = 0.5
_LEAST_GROWTH = 1e-3
_SLOPE_RANGE = 8
"""A measured slope may differ from the expected one by this factor at most: noise can give any slope."""
_APART = 1.5
_PATIENCE = 3
"""After this many secants that didn't halve the bracket, the search halves it instead."""
_MARGIN = 0.02


@dataclass(frozen=True)
class Expected:
    """A rising, piecewise linear curve of the measure over the quality; the first quality is 0, the last is 100.

    The search uses its shape; its height matters only for the first guess.
    """

    qualities: Sequence[float]
    measures: Sequence[float]

    @classmethod
    def of_sizes(cls, qualities: Sequence[float], sizes: Sequence[float]) -> "Expected":
        """The curve of log(bytes), from bytes. Flat parts get a small slope, so that a search can follow them."""
        measures = [math.log(sizes[0])]
        for (low, high), size in zip(pairwise(qualities), sizes[1:], strict=True):
            measures.append(max(math.log(size), measures[-1] + _LEAST_GROWTH * (high - low)))
        return cls(qualities, measures)

    @classmethod
    def usual(cls, growth: float, middle: float = 0.0) -> "Expected":
        """A straight line with `middle` at quality 50."""
        return cls((0.0, 100.0), (middle - 50 * growth, middle + 50 * growth))

    def at(self, quality: float) -> float:
        return float(np.interp(quality, self.qualities, self.measures))

    def quality(self, measure: float) -> float:
        return float(np.interp(measure, self.measures, self.qualities))


@dataclass(frozen=True)
class SearchResult(Generic[T]):
    """The result of a search: `value` at `quality`, with its `measure` (bytes or dB).

    `reached`: the target is kept; if not, this is the nearest result that exists. `close`: it is also not much better
    than needed, that is within 3 % of a limit in bytes.
    """

    quality: float
    value: T
    measure: float
    reached: bool
    close: bool = True


@dataclass
class _Bracket:
    """The search for the quality at which a rising curve has the value `aim`."""

    aim: float
    expected: Expected
    low: float = 0.0
    high: float = 100.0
    low_tried: bool = False
    high_tried: bool = False
    tried: list[tuple[float, float]] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    halving: bool = False

    def add(self, quality: float, measure: float, below: bool) -> None:
        """Add a point of the curve. `below`: the wanted quality is higher."""
        self.tried.append((quality, measure))
        if below:
            self.low, self.low_tried = quality, True
        else:
            self.high, self.high_tried = quality, True
        self.widths.append(self.high - self.low)

    def next_quality(self) -> float | None:
        """The quality to try next: inside the bracket, or at an end of it; None if there is none left."""
        lowest = Quality.of(self.low).units + self.low_tried
        highest = Quality.of(self.high).units - self.high_tried
        if lowest > highest:
            return None
        return Quality(min(max(Quality.of(self._wanted()).units, lowest), highest)).number

    def _wanted(self) -> float:
        width = self.high - self.low
        self.halving |= len(self.widths) > _PATIENCE and width > self.widths[-1 - _PATIENCE] / 2
        if self.halving:
            return self.low if not self.low_tried else self.high if not self.high_tried else self.low + width / 2
        (quality, measure), *others = sorted(self.tried, key=lambda point: abs(point[1] - self.aim))
        expected, slope = self.expected.at(quality), 1.0
        # The slope between points close to each other is noise.
        apart = [(q, m) for q, m in others if abs(q - quality) >= _APART]
        if apart:
            measured = (apart[0][1] - measure) / (self.expected.at(apart[0][0]) - expected)
            slope = min(max(measured, 1 / _SLOPE_RANGE), _SLOPE_RANGE)
        lowest = self.low + (_MARGIN * width if self.low_tried else 0)
        highest = self.high - (_MARGIN * width if self.high_tried else 0)
        wanted = self.expected.quality(expected + (self.aim - measure) / slope)
        return min(max(wanted, lowest), highest)


def usual_sizes(pixels: int, side_bytes: int) -> Expected:
    """The sizes of an average photograph with this number of pixels and these bytes of alpha and metadata."""
    return Expected.usual(_USUAL_GROWTH, math.log(_USUAL_BPP * pixels / 8 + side_bytes))


def quality_for_size(
    at: Callable[[float], tuple[T, int]], limit: int, expected: Expected, guess: float | None = None
) -> SearchResult[T]:
    """Find the quality whose file is as large as `limit` bytes allow, but not larger.

    The result is `reached` unless even the coarsest quality is larger. It is `close` if it has at least 97 % of the
    limit, or all but 8 bytes. It isn't close if the finest quality is smaller, or if the sizes jump over that range.

    Args:
        at: quality 0..100 -> (value, bytes of the whole file); called 2 to 5 times, 12 at most.
        limit: bytes.
        expected: of log(bytes) of the whole file.
        guess: the quality to try first; by default the one whose expected size is the limit.
    """
    bracket = _Bracket(math.log(max(_AIM * limit, 1)), expected)
    under: SearchResult[T] | None = None
    over: SearchResult[T] | None = None
    quality: float | None = Quality.of(expected.quality(bracket.aim) if guess is None else guess).number
    for step in range(1, MAX_STEPS + 1):
        if quality is None:
            break
        if step == MAX_STEPS and under is None:
            quality = 0.0  # a file within the limit, if there is any
        value, size = at(quality)
        near = size >= FLOOR * limit or size >= limit - SLACK_BYTES
        if size <= limit:
            if under is None or size > under.measure:
                under = SearchResult(quality, value, size, True, near)
            if near or quality == 100:
                return under
        else:
            if over is None or size < over.measure:
                over = SearchResult(quality, value, size, False, False)
            if quality == 0:
                return under or over
        bracket.add(quality, math.log(max(size, 1)), size <= limit)
        quality = bracket.next_quality()
    result = under or over
    assert result is not None
    return result


def quality_for_psnr(at: Callable[[float], tuple[T, float]], target: float, guess: float) -> SearchResult[T]:
    """Find the smallest quality whose picture has at least `target` dB, to within 0.5 of quality or 0.02 dB.

    Args:
        at: quality 0..100 -> (value, dB); called 3 to 5 times for a smooth curve, 14 at most.
        target: dB.
        guess: the quality to try first.
    """
    bracket = _Bracket(target + _DB_AIM, Expected.usual(_USUAL_DB))
    best: SearchResult[T] | None = None
    nearest: SearchResult[T] | None = None
    quality: float | None = Quality.of(guess).number
    while quality is not None:
        value, psnr = at(quality)
        if psnr >= target:
            best = SearchResult(quality, value, psnr, True)
            if psnr <= target + _DB_NEAR or quality == 0:
                return best
        else:
            if nearest is None or psnr > nearest.measure:
                nearest = SearchResult(quality, value, psnr, False, False)
            if quality == 100:
                return best or nearest
        bracket.add(quality, psnr, psnr < target)
        if bracket.high - bracket.low <= _QUALITY_NEAR and best is not None:
            return best
        quality = bracket.next_quality()
        if best is None and quality is not None and quality > 100 - _QUALITY_NEAR:
            quality = 100.0
    result = best or nearest
    assert result is not None
    return result
