"""A scalable codec that needs no training: every layer holds what the coarser ones don't tell, deflated.

    pixels --halved--> levels --quantised--> values --less the coarser values, doubled--> symbols, a layer each

A layer that isn't there is predicted to be the coarser one, its pixels doubled.
"""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from lpcodec.codec import models
from lpcodec.codec.container import inflate
from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.families.family import Frame
from lpcodec.codec.frontends.interface import level_sizes
from lpcodec.codec.quality import Quality

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def digest_of(symbols: Sequence[Pixels]) -> bytes:
    return hashlib.blake2s(b"".join(layer.tobytes() for layer in symbols), digest_size=4).digest()


def step_of(quality: Quality) -> int:
    """How many of the 256 levels become one, 1 to 32, by the quality."""
    return 32 - round(quality.number / 100 * 31)


def halved(pixels: Pixels) -> Pixels:
    """The means of 2 x 2 pixels; a last odd row or column counts twice."""
    even = np.pad(pixels, ((0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)), "edge").astype(np.uint16)
    return ((even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2] + 2) // 4).astype(np.uint8)


def doubled(values: Pixels, like: tuple[int, int]) -> Pixels:
    return values.repeat(2, 0).repeat(2, 1)[: like[0], : like[1]]


@dataclass(frozen=True)
class LayeredCoded:
    symbols: tuple[Pixels, ...]

    @property
    def symbols_hash(self) -> bytes:
        return digest_of(self.symbols)

    @property
    def bits(self) -> float:
        return 8.0 * sum(map(len, self.payloads()))

    def payloads(self) -> tuple[bytes, ...]:
        return tuple(digest_of([layer]) + zlib.compress(layer.tobytes(), 9, wbits=-15) for layer in self.symbols)


class LayeredCodec:
    """A `models.ScalableCodec`; `kept` is how many layers it writes, `parsed` how many each `parse` was given."""

    name, number, digest, has_quality = "layered", 200, b"fake", True

    def __init__(self, levels: int = 2, kept: int = 8) -> None:
        self.levels, self.kept = levels, kept
        self.parsed: list[int] = []

    def analyse(self, pixels: Pixels, progress: Any = None) -> list[Pixels]:
        pyramid = [np.broadcast_to(pixels, (*pixels.shape[:2], 3))]
        for _ in range(self.levels):
            pyramid.append(halved(pyramid[-1]))
        return pyramid[::-1]

    def code(self, latents: list[Pixels], quality: float) -> LayeredCoded:
        values = [(level // step_of(Quality.of(quality))).astype(np.uint8) for level in latents]
        finer = (fine - doubled(coarse, fine.shape[:2]) for coarse, fine in pairwise(values))  # modulo 256
        return LayeredCoded((values[0], *finer)[: self.kept])

    def parse(self, payloads: Sequence[bytes], frame: Frame) -> tuple[Pixels, ...]:
        self.parsed.append(len(payloads))
        sizes = level_sizes((frame.height, frame.width), self.levels)[::-1]
        return tuple(self._layer(*both) for both in zip(payloads, sizes, strict=False))

    def _layer(self, payload: bytes, size: tuple[int, int]) -> Pixels:
        raw = inflate(payload[4:], 3 * size[0] * size[1], "a layer")
        if len(raw) != 3 * size[0] * size[1]:
            raise DamagedFileError("a layer of another size")
        layer = np.frombuffer(raw, np.uint8).reshape(*size, 3)
        if digest_of([layer]) != payload[:4]:
            raise DamagedFileError("a layer whose hash differs")
        return layer

    def hash_of(self, symbols: tuple[Pixels, ...]) -> bytes:
        return digest_of(symbols)

    def synthesise(self, symbols: tuple[Pixels, ...], frame: Frame, progress: Any = None, level: int = 0) -> Pixels:
        sizes = level_sizes((frame.height, frame.width), self.levels)[::-1]
        values = symbols[0]
        for place, size in enumerate(sizes[1 : self.levels + 1 - level], 1):
            values = doubled(values, size)
            if place < len(symbols):
                values = values + symbols[place]
        step = step_of(frame.quality)
        return np.minimum(values.astype(np.uint16) * step + step // 2, 255).astype(np.uint8)


def install(codec: LayeredCodec, patch: pytest.MonkeyPatch) -> LayeredCodec:
    """Let the registry know `codec` by its name and its identity, beside the models that it has."""
    load, variants, load_by_identity = models.load, models.variants, models.load_by_identity
    model = models.Model(codec.name, codec.number, codec.digest, codec)

    def identified(number: int, digest: bytes, device: str = "cpu") -> models.Model[Any]:
        same = (number, digest) == (codec.number, codec.digest)
        return model if same else load_by_identity(number, digest, device)

    patch.setattr(models, "load", lambda name, device="cpu": model if name == codec.name else load(name, device))
    patch.setattr(models, "variants", lambda name, *task: [name] if name == codec.name else variants(name, *task))
    patch.setattr(models, "load_by_identity", identified)
    return codec
