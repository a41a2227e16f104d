"""Measuring one codec on one picture gives a point. Ours and the others are measured in the same way.

    folder --originals.py--> Original --measure / measure_at_bpp (array -> bytes -> array)--> Point

Times are wall-clock: medians of a few runs, or one run if it is long. At a rate target the time of a codec that has no
rate control is that of its last encoding alone (the search is ours, not its own). The time of our models includes their
own search, because that is what a user waits for. Many codecs have whole-number settings and stay some percent under a
target; the file just above it is measured too, so that tables can interpolate between the two.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TypeVar

from lpcodec.codec.arrays import Pixels
from lpcodec.codec.errors import TargetError
from lpcodec.codec.evaluation.codecs.codec import MeasuredCodec, RateControlled
from lpcodec.codec.evaluation.codecs.rate_search import Adjustable, SearchResult, encode_to_bpp
from lpcodec.codec.evaluation.metrics.extra_metrics import value_of
from lpcodec.codec.evaluation.metrics.point import Point, measured_point
from lpcodec.codec.evaluation.run.originals import Original

Result = TypeVar("Result")

REPEATS = 3
ENOUGH_SECONDS = 0.1  # repeats end when they have taken this long in all


def measure(codec: MeasuredCodec, setting: float, original: Original, extra_metrics: Sequence[str] = ()) -> Point:
    """One picture at a fixed setting; encoding and decoding timed as medians of a few repeats.

    `extra_metrics` are names from extra_metrics.py. A decoded picture of another size is a ValueError.
    """
    data, encode_seconds = _timed(lambda: codec.encode(original.pixels, setting))
    return _measured(codec, setting, original, data, encode_seconds, extra_metrics)


@dataclass(frozen=True)
class AtTarget:
    """The measured file at a rate target, and the one just above it if the codec's settings are whole numbers."""

    point: Point
    above: Point | None = None


def measure_at_bpp(
    codec: MeasuredCodec,
    bpp: float,
    original: Original,
    extra_metrics: Sequence[str] = (),
    known: Mapping[float, int] | None = None,
) -> AtTarget:
    """One picture at a rate target, or as near to it as the codec comes (the point's own bpp says which).

    A codec without rate control is searched (rate_search.py); `known` are the bytes by setting that a sweep found for
    this picture, which shorten the search. TypeError for a codec that has neither rate control nor a setting.
    """
    if isinstance(codec, RateControlled):
        (data, setting), encode_seconds = _timed(lambda: codec.encode_to_bpp(original.pixels, bpp))
        return AtTarget(_at(bpp, _measured(codec, setting, original, data, encode_seconds, extra_metrics)))
    stopwatch = _Stopwatch(codec)
    try:
        found = encode_to_bpp(stopwatch, original.pixels, bpp, known)
    except TargetError:
        data = stopwatch.encode(original.pixels, stopwatch.coarsest)
        found = SearchResult(data, stopwatch.coarsest, None)
    seconds = stopwatch.seconds[found.setting]
    below = _at(bpp, _measured(codec, found.setting, original, found.data, seconds, extra_metrics))
    if found.above is None:
        return AtTarget(below)
    data = stopwatch.encode(original.pixels, found.above)
    above = _measured(codec, found.above, original, data, stopwatch.seconds[found.above], extra_metrics)
    return AtTarget(below, replace(_at(bpp, above), above=True))


def _at(bpp: float, point: Point) -> Point:
    return replace(point, target_bpp=bpp)


class _Stopwatch:
    """A codec with a setting, with the time that encoding took last at each setting."""

    def __init__(self, codec: MeasuredCodec) -> None:
        if not isinstance(getattr(codec, "coarsest", None), int | float):
            raise TypeError(f"{codec.name} has no setting to search for a rate")
        self._codec: Adjustable = codec  # type: ignore[assignment]
        self.seconds: dict[float, float] = {}
        self.title, self.continuous = self._codec.title, self._codec.continuous
        self.coarsest, self.finest = self._codec.coarsest, self._codec.finest

    def encode(self, pixels: Pixels, setting: float) -> bytes:
        start = time.perf_counter()
        data = self._codec.encode(pixels, setting)
        self.seconds[setting] = time.perf_counter() - start
        return data


def _measured(
    codec: MeasuredCodec,
    setting: float,
    original: Original,
    data: bytes,
    encode_seconds: float,
    extra: Sequence[str],
) -> Point:
    decoded, decode_seconds = _timed(lambda: codec.decode(data))
    if decoded.shape != original.pixels.shape:
        sizes = ["x".join(map(str, (*shape[1::-1], *shape[2:]))) for shape in (decoded.shape, original.pixels.shape)]
        raise ValueError(f"{codec.name} decoded to {sizes[0]}, the picture is {sizes[1]}")
    values = {name: value_of(name, original.pixels, decoded) for name in extra}
    others = {name: value for name, value in values.items() if value is not None}
    seconds = (encode_seconds, decode_seconds)
    return measured_point(codec.name, setting, original.name, original.pixels, decoded, len(data), seconds, others)


def _timed(action: Callable[[], Result]) -> tuple[Result, float]:
    """What `action` returns and its median time over at most `REPEATS` runs, fewer if they take long."""
    seconds: list[float] = []
    while True:
        start = time.perf_counter()
        result = action()
        seconds.append(time.perf_counter() - start)
        if len(seconds) == REPEATS or sum(seconds) >= ENOUGH_SECONDS:
            return result, median(seconds)
