"""Rate control: from a target to the quality that meets it.

A search codes the picture at one quality after another. The analysis has run already, so a step costs only the entropy
coding. log(bytes) and the PSNR are close to linear in the quality, so the secant method, kept inside its bracket, needs
three to five steps. If a codec can estimate its sizes for a picture (`RateEstimator`), the secant runs over that curve
instead of the quality and needs two or three. If it doesn't converge, because the curve has a jump, the bracket is
halved.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np

from lpcodec.codec.arguments import number, switch
from lpcodec.codec.errors import UsageError
from lpcodec.codec.quality import Quality

T = TypeVar("T")

DEFAULT_QUALITY = 40.0
"""About 0.5 bpp on photographs."""
FLOOR = 0.97
"""A search accepts a file that has at least this fraction of the limit."""
SLACK_BYTES = 8
"""It also accepts a file that is at most this many bytes below the limit, because streams grow in whole words."""
MAX_STEPS = 12
"""A search for a size ends after this many steps."""
_AIM = 0.99
"""The fraction of the limit that a search aims at."""
_ROUGH, _ROUGH_STEPS = 0.15, 4
"""How far log(bytes) may be from the aim, and the most steps, if a quality is only roughly looked for."""
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
"""It ends when its bracket is at most this wide, in units of quality."""
_LEAST_GROWTH = 1e-3
"""The least d log(bytes) / d quality of an expected curve."""
_SLOPE_RANGE = 8
"""A measured slope may differ from the expected one by this factor at most: noise can give any slope."""
_APART = 1.5
"""Slopes are measured between qualities that differ by at least this much: below that they are noise."""
_PATIENCE = 3
"""After this many secants that didn't halve the bracket, the search halves it instead."""
_MARGIN = 0.02
"""Once both ends of the bracket are tried, a secant keeps this part of its width away from them, so that the bracket
shrinks. Before that, the width doesn't say how far away the wanted quality is."""


@dataclass(frozen=True)
class Target:
    """What a file is asked to be: at most one of quality (0..100), bits per pixel, bytes, dB of PSNR, and lossless.

    None of them means quality 40. Raises UsageError for several of them, or for a value out of range.
    """

    quality: float | None = None
    bpp: float | None = None
    size: int | None = None
    psnr: float | None = None
    lossless: bool = False

    def __post_init__(self) -> None:
        switch("lossless", self.lossless)
        numbers = {"quality": self.quality, "bpp": self.bpp, "size": self.size, "psnr": self.psnr}
        given = {name: value for name, value in numbers.items() if value is not None}
        if len(given) + self.lossless > 1:
            raise UsageError("give one target at most: quality, bpp, size, psnr or lossless")
        for name, value in given.items():
            number(name, value)
            if name == "quality" and not 0 <= value <= 100:
                raise UsageError(f"quality {value:g}: it goes from 0 to 100")
            if name != "quality" and not 0 < value < math.inf:
                raise UsageError(f"{name} {value:g}: give a positive number")

    def limit(self, pixels: int) -> int | None:
        """The most bytes that a file of this many pixels may have; None if no rate or size is asked for."""
        if self.bpp is not None:
            return math.floor(self.bpp * pixels / 8)
        return None if self.size is None else math.floor(self.size)

    @property
    def fixed_quality(self) -> float:
        """The quality 0..100 if that is the target: the one asked for, or 40."""
        return DEFAULT_QUALITY if self.quality is None else self.quality


@dataclass(frozen=True)
class Expected:
    """The curve that a search expects: the measure, log(bytes) or dB, over the quality; rising and piecewise linear.

    `qualities` rise from 0 to 100, and `measures` has the value at each. The search uses the shape of the curve; its
    height matters only for the first guess.
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
        """The measure at a quality."""
        return float(np.interp(quality, self.qualities, self.measures))

    def quality(self, measure: float) -> float:
        """The quality that has a measure; 0 or 100 beyond the ends of the curve."""
        return float(np.interp(measure, self.measures, self.qualities))

    def quality_for_size(self, limit: int, quality: float, size: float) -> float:
        """The quality to try for a file of `limit` bytes at most, if one at `quality` has `size` bytes."""
        return self.quality(self.at(quality) + math.log(max(_AIM * limit, 1) / max(size, 1)))


@dataclass(frozen=True)
class SearchResult(Generic[T]):
    """The result of a search: `value` at `quality` (0..100), with its `measure` (bytes or dB).

    `reached`: it meets the target; otherwise no result does, and this is the nearest one. `close`: it also isn't much
    better than asked for; of a file that means within 3 % or 8 bytes of the limit.
    """

    quality: float
    value: T
    measure: float
    reached: bool
    close: bool = True


@dataclass
class _Bracket:
    """The search for the quality at which a rising curve has the value `aim`.

    That quality is between `low` and `high`; `low_tried` and `high_tried` say whether the curve is known there. `tried`
    has the known points (quality, measure), `widths` the width of the bracket after each. `halving`: the secant method
    didn't converge, so the bracket is halved from now on.
    """

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
        """The quality to try next: inside the bracket, or at an end that wasn't tried; None if there is none left."""
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
        apart = [(q, m) for q, m in others if abs(q - quality) >= _APART]
        if apart:
            measured = (apart[0][1] - measure) / (self.expected.at(apart[0][0]) - expected)
            slope = min(max(measured, 1 / _SLOPE_RANGE), _SLOPE_RANGE)
        margin = _MARGIN * width if self.low_tried and self.high_tried else 0.0
        lowest, highest = self.low + margin, self.high - margin
        wanted = self.expected.quality(expected + (self.aim - measure) / slope)
        return min(max(wanted, lowest), highest)


def usual_sizes(pixels: int, side_bytes: int) -> Expected:
    """The sizes of an average photograph with this many pixels and this many bytes of alpha and metadata."""
    return Expected.usual(_USUAL_GROWTH, math.log(_USUAL_BPP * pixels / 8 + side_bytes))


def quality_for_size(
    at: Callable[[float], tuple[T, int]], limit: int, expected: Expected, guess: float | None = None
) -> SearchResult[T]:
    """Find the quality with the largest file of at most `limit` bytes.

    The result is `reached` unless the file is larger even at the coarsest quality. It is `close` if the file has at
    least 97 % of the limit, or at most 8 bytes less. It isn't close if the file is smaller at the finest quality, or if
    the sizes jump over that range.

    Args:
        at: quality 0..100 -> (value, bytes of the whole file); called 2 to 5 times, 12 at most.
        limit: bytes.
        expected: the expected curve of log(bytes) of the whole file.
        guess: the quality to try first; by default the one at which the limit is the expected size.
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


def quality_near_size(at: Callable[[float], int], limit: int, expected: Expected) -> tuple[float, int]:
    """Return a quality with roughly `limit` bytes, within 15 % unless there is none, and its bytes.

    Args:
        at: quality 0..100 -> about the bytes of the whole file; called once or twice, 4 times at most.
        limit: bytes.
        expected: the expected curve of log(bytes) of the whole file.
    """
    bracket = _Bracket(math.log(max(_AIM * limit, 1)), expected)
    wanted: float | None = Quality.of(expected.quality(bracket.aim)).number
    for _ in range(_ROUGH_STEPS):
        if wanted is None:
            break
        quality, size = wanted, at(wanted)
        measure = math.log(max(size, 1))
        if abs(measure - bracket.aim) <= _ROUGH:
            break
        bracket.add(quality, measure, measure < bracket.aim)
        wanted = bracket.next_quality()
    return quality, size


def quality_for_psnr(at: Callable[[float], tuple[T, float]], target: float, guess: float) -> SearchResult[T]:
    """Find the smallest quality at which the picture has at least `target` dB, to within 0.5 of quality or 0.02 dB.

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
