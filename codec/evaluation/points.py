"""Measuring: one codec on one picture -> a point, ours and the others in one way.

    folder --picture_paths, load_original--> Original --measure / measure_at_bpp (array -> bytes -> array)--> Point

Times are wall-clock: medians of a few runs where a run is short, of one where it isn't. At a rate target the time of
a codec that has no rate control is that of its last encoding alone (the search is ours, not its own), while ours
includes its own search, since that is what a user waits for.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lpcodec.codec.errors import TargetError
from lpcodec.codec.evaluation import further
from lpcodec.codec.evaluation.measures import Point, point
from lpcodec.codec.evaluation.search import Dial, encode_to_bpp
from lpcodec.codec.picture import load_rgb
from lpcodec.datasets.pictures import SUFFIXES, picture_files, pixel_digest

Pixels = NDArray[np.uint8]
Result = TypeVar("Result")

REPEATS = 3
ENOUGH_SECONDS = 0.1  # what took longer than this in all is not repeated


@dataclass(frozen=True)
class Original:
    """A picture to measure with: uint8 (H, W, 3), the digest of its size and pixels, and what reading it changed."""

    name: str
    pixels: Pixels
    digest: str
    notes: tuple[str, ...] = ()


class Measured(Protocol):
    """What can be measured: a codec with a setting, over arrays uint8 (H, W, 3) and the bytes of files."""

    @property
    def name(self) -> str: ...

    def encode(self, pixels: Pixels, setting: float, /) -> bytes: ...

    def decode(self, data: bytes, /) -> Pixels: ...


@runtime_checkable
class RateControlled(Protocol):
    """A codec that finds the setting for a rate by itself: the file, and the setting it took."""

    def encode_to_bpp(self, pixels: Pixels, bpp: float, /) -> tuple[bytes, float]: ...


@dataclass(frozen=True)
class Ours:
    """One of our models as a codec: its setting is the quality 0..100, which a model without a dial
    ignores. `label` is what a report calls it, by default the model's name."""

    model: str
    has_quality: bool = True
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or self.model

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """The .lpc file at a fixed quality."""
        from lpcodec.codec.api import encode

        wanted = quality if self.has_quality else None
        return encode(Image.fromarray(pixels), model=self.model, quality=wanted)

    def encode_to_bpp(self, pixels: Pixels, bpp: float) -> tuple[bytes, float]:
        """The .lpc file for a rate target, as near as the model comes to it, and the quality it took."""
        from lpcodec.codec.api import encode_report

        result = encode_report(Image.fromarray(pixels), model=self.model, bpp=bpp, best_effort=True)
        return result.data, 0.0 if result.quality is None else result.quality

    def decode(self, data: bytes) -> Pixels:
        """The pixels of an .lpc file."""
        from lpcodec.codec.api import decode

        return np.asarray(decode(data).convert("RGB"))


@dataclass(frozen=True)
class OurFamily:
    """The sets of weights of a network without a dial, as one codec: each is a setting, named by a number."""

    name: str
    models: Mapping[float, str]

    def encode(self, pixels: Pixels, setting: float) -> bytes:
        """The .lpc file with the set of weights that `setting` stands for. ValueError for one that stands for none."""
        if setting not in self.models:
            raise ValueError(
                f"{self.name} has the settings {', '.join(f'{s:g}' for s in self.models)}, not {setting:g}"
            )
        return Ours(self.models[setting], has_quality=False).encode(pixels, 0)

    def decode(self, data: bytes) -> Pixels:
        """The pixels of an .lpc file."""
        return Ours(self.name).decode(data)


def picture_paths(folder: Path, count: int | None = None) -> dict[str, Path]:
    """The pictures of a folder by name, in order of it (the first `count` of them).

    Lossless formats, or JPEG files where there are none. A name is a file's stem, or the whole of it where two files
    have one stem. ValueError where there are no pictures, OSError where the folder can't be read.
    """
    paths = picture_files(folder)
    if not paths:
        raise ValueError(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {folder}")
    stems = [p.stem for p in paths]
    return {(p.stem if stems.count(p.stem) == 1 else p.name): p for p in paths[:count]}


def load_original(path: Path, name: str) -> Original:
    """A picture as RGB, by the rules of docs/pictures.md. FileAccessError if it can't be read."""
    picture = load_rgb(path)
    return Original(name, picture.pixels, pixel_digest(picture.pixels), picture.notes)


def load_originals(folder: Path, count: int | None = None) -> list[Original]:
    """The pictures of a folder in order of name (the first `count` of them) as RGB. ValueError where there
    are none."""
    return [load_original(path, name) for name, path in picture_paths(folder, count).items()]


def measure(codec: Measured, setting: float, original: Original, measures: Sequence[str] = ()) -> Point:
    """One picture at a fixed setting; encoding and decoding timed as medians of a few repeats.

    `measures` are further ones by name (further.py). A decoded picture of another size is a ValueError.
    """
    data, encode_seconds = _timed(lambda: codec.encode(original.pixels, setting))
    return _measured(codec, setting, original, data, encode_seconds, measures)


def measure_at_bpp(
    codec: Measured,
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

    def __init__(self, codec: Measured) -> None:
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
    codec: Measured, setting: float, original: Original, data: bytes, encode_seconds: float, measures: Sequence[str]
) -> Point:
    decoded, decode_seconds = _timed(lambda: codec.decode(data))
    if decoded.shape != original.pixels.shape:
        sizes = ["x".join(map(str, (*shape[1::-1], *shape[2:]))) for shape in (decoded.shape, original.pixels.shape)]
        raise ValueError(f"{codec.name} decoded to {sizes[0]}, the picture is {sizes[1]}")
    values = {name: further.measure(name, original.pixels, decoded) for name in measures}
    others = {name: value for name, value in values.items() if value is not None}
    seconds = (encode_seconds, decode_seconds)
    return point(codec.name, setting, original.name, original.pixels, decoded, len(data), seconds, others)


def _timed(action: Callable[[], Result]) -> tuple[Result, float]:
    """What `action` returns and its median time over at most `REPEATS` runs, fewer where they take long."""
    seconds: list[float] = []
    while True:
        start = time.perf_counter()
        result = action()
        seconds.append(time.perf_counter() - start)
        if len(seconds) == REPEATS or sum(seconds) >= ENOUGH_SECONDS:
            return result, median(seconds)
