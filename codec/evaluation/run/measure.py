"""Measuring: one codec on one picture -> a point, ours and the others in one way.

    folder --picture_paths, load_original--> Original --measure / measure_at_bpp (array -> bytes -> array)--> Point

Times are wall-clock: medians of a few runs where a run is short, of one where it isn't. At a rate target the time of
a codec that has no rate control is that of its last encoding alone (the search is ours, not its own), while ours
includes its own search, since that is what a user waits for.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import TypeVar

from lpcodec.codec.errors import TargetError
from lpcodec.codec.evaluation.codecs.codec import MeasuredCodec, Pixels, RateControlled
from lpcodec.codec.evaluation.codecs.rate_search import Dial, encode_to_bpp
from lpcodec.codec.evaluation.metrics import extra_metrics
from lpcodec.codec.evaluation.metrics.point import Point, measured_point
from lpcodec.codec.evaluation.run.originals import Original

Result = TypeVar("Result")

REPEATS = 3
ENOUGH_SECONDS = 0.1  # what took longer than this in all is not repeated


def measure(codec: MeasuredCodec, setting: float, original: Original, measures: Sequence[str] = ()) -> Point:
    """One picture at a fixed setting; encoding and decoding timed as medians of a few repeats.

    `measures` are further ones by name (extra_metrics.py). A decoded picture of another size is a ValueError.
    """
    data, encode_seconds = _timed(lambda: codec.encode(original.pixels, setting))
    return _measured(codec, setting, original, data, encode_seconds, measures)


def measure_at_bpp(
    codec: MeasuredCodec,
    bpp: float,
    original: Original,
    measures: Sequence[str] = (),
    known: Mapping[float, int] | None = None,
) -> Point:
    """One picture at a rate target, or at the nearest to it that the codec reaches (the point's own bpp tells).

    A codec without rate control needs a dial (search.py); `known` are the bytes by setting that a sweep found for
    this picture, which shorten the search. TypeError for a codec that has neither.
    """
    if isinstance(codec, RateControlled):
        (data, setting), encode_seconds = _timed(lambda: codec.encode_to_bpp(original.pixels, bpp))
    else:
        stopwatch = _Stopwatch(codec)
        try:
            data, setting = encode_to_bpp(stopwatch, original.pixels, bpp, known)
        except TargetError:
            setting = stopwatch.coarsest
            data = stopwatch.encode(original.pixels, setting)
        encode_seconds = stopwatch.seconds[setting]
    return replace(_measured(codec, setting, original, data, encode_seconds, measures), target_bpp=bpp)


class _Stopwatch:
    """A codec with a dial, with the time that encoding took last at each setting."""

    def __init__(self, codec: MeasuredCodec) -> None:
        if not isinstance(getattr(codec, "coarsest", None), int | float):
            raise TypeError(f"{codec.name} has no dial: there is nothing to search for a rate")
        self._codec: Dial = codec  # type: ignore[assignment]
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
    measures: Sequence[str],
) -> Point:
    decoded, decode_seconds = _timed(lambda: codec.decode(data))
    if decoded.shape != original.pixels.shape:
        sizes = ["x".join(map(str, (*shape[1::-1], *shape[2:]))) for shape in (decoded.shape, original.pixels.shape)]
        raise ValueError(f"{codec.name} decoded to {sizes[0]}, the picture is {sizes[1]}")
    values = {name: extra_metrics.measure(name, original.pixels, decoded) for name in measures}
    others = {name: value for name, value in values.items() if value is not None}
    seconds = (encode_seconds, decode_seconds)
    return measured_point(codec.name, setting, original.name, original.pixels, decoded, len(data), seconds, others)


def _timed(action: Callable[[], Result]) -> tuple[Result, float]:
    """What `action` returns and its median time over at most `REPEATS` runs, fewer where they take long."""
    seconds: list[float] = []
    while True:
        start = time.perf_counter()
        result = action()
        seconds.append(time.perf_counter() - start)
        if len(seconds) == REPEATS or sum(seconds) >= ENOUGH_SECONDS:
            return result, median(seconds)
