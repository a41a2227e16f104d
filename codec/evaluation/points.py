"""Measuring: codecs x pictures -> points, ours and the peers' in one way, with a cache for the peers.

    folder --load_originals--> Originals --sweep / at_bpp (array -> bytes -> array, timed, warm)--> Points

Times are wall-clock medians of a few repeats. At a rate target the time of a peer is that of its last
encoding alone (its search is ours, not its own), while ours includes its own search, since that is what a
user waits for.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lpcodec.codec.errors import TargetError
from lpcodec.codec.evaluation.measures import Point, point
from lpcodec.codec.evaluation.peers import Peer, encode_to_bpp

Pixels = NDArray[np.uint8]
Result = TypeVar("Result")

PICTURE_SUFFIXES = frozenset({".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm"})  # those that may be lossless
REPEATS = 3
ENOUGH_SECONDS = 0.5  # what took longer than this in all is not repeated


@dataclass(frozen=True)
class Original:
    """A picture to measure with: uint8 (H, W, 3), and the digest of its size and pixels."""

    name: str
    pixels: Pixels
    digest: str


class Measured(Protocol):
    """What can be measured: a peer, or one of our models."""

    @property
    def name(self) -> str: ...

    def encode(self, pixels: Pixels, setting: float, /) -> bytes: ...

    def decode(self, data: bytes, /) -> Pixels: ...


@dataclass(frozen=True)
class Ours:
    """One of our models as a codec: its setting is the quality 0..100, which a model without a dial
    ignores."""

    model: str
    has_quality: bool = True

    @property
    def name(self) -> str:
        return self.model

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


def load_originals(folder: Path, count: int | None = None) -> list[Original]:
    """The pictures of a folder in order of name (the first `count` of them) as RGB. ValueError where there
    are none."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)[:count]
    if not paths:
        raise ValueError(f"no pictures ({', '.join(sorted(PICTURE_SUFFIXES))}) in {folder}")
    return [_load(path) for path in paths]


def measure(codec: Measured, setting: float, original: Original) -> Point:
    """One picture at a fixed setting; encoding and decoding timed as medians of a few repeats."""
    data, encode_seconds = _timed(lambda: codec.encode(original.pixels, setting))
    return _measured(codec, setting, original, data, encode_seconds)


def measure_at_bpp(codec: Peer | Ours, bpp: float, original: Original) -> Point:
    """One picture at a rate target, or at the nearest to it that the codec reaches (the point's own bpp
    tells)."""
    if isinstance(codec, Ours):
        (data, quality), encode_seconds = _timed(lambda: codec.encode_to_bpp(original.pixels, bpp))
        return _measured(codec, quality, original, data, encode_seconds)
    try:
        _, setting = encode_to_bpp(codec, original.pixels, bpp)
    except TargetError:
        setting = codec.coarsest
    return measure(codec, setting, original)


class PeerCache:
    """Points of peers that were measured before, in a JSON-lines file that grows by a line a point.

    A point is known again by the picture's digest, the peer's name and options, the number of threads, and
    the setting or rate target. A line that can't be read (of a run that was killed) is passed over.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path, self._threads = path, threads
        self._points: dict[str, Point] = {}
        text = path.read_text("utf-8") if path.exists() else ""
        self._torn = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            try:
                row = json.loads(line)
                self._points[row["key"]] = Point.from_json(json.dumps(row["point"]))
            except (ValueError, KeyError, TypeError):
                continue

    def __len__(self) -> int:
        return len(self._points)

    def get(self, peer: Peer, original: Original, setting: float, *, target: bool = False) -> Point:
        """The point from the file, or measured now and added to it. `target`: the setting is a rate in
        bpp."""
        what = f"bpp={setting:g}" if target else f"{setting:g}"
        key = "|".join((original.digest, peer.name, peer.options, f"threads={self._threads}", what))
        if key not in self._points:
            new = (measure_at_bpp if target else measure)(peer, setting, original)
            self._points[key] = new
            self._append(json.dumps({"key": key, "point": json.loads(new.to_json())}) + "\n")
        return self._points[key]

    def _append(self, line: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" + line if self._torn else line)
        self._torn = False


def _load(path: Path) -> Original:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()[:16]
    return Original(path.stem, pixels, digest)


def _measured(codec: Measured, setting: float, original: Original, data: bytes, encode_seconds: float) -> Point:
    decoded, decode_seconds = _timed(lambda: codec.decode(data))
    seconds = (encode_seconds, decode_seconds)
    return point(codec.name, setting, original.name, original.pixels, decoded, len(data), seconds)


def _timed(action: Callable[[], Result]) -> tuple[Result, float]:
    """What `action` returns and its median time over at most `REPEATS` runs, fewer where they take long."""
    seconds: list[float] = []
    while True:
        start = time.perf_counter()
        result = action()
        seconds.append(time.perf_counter() - start)
        if len(seconds) == REPEATS or sum(seconds) >= ENOUGH_SECONDS:
            return result, median(seconds)
