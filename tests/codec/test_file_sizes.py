"""The sizes of files: never absurdly large (G8), and as they were estimated (G7)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import lpcodec
from lpcodec.codec import api, models
from lpcodec.codec.lossless import stored_to_bytes

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def psnr(one: Image.Image, other: Image.Image) -> float:
    difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    return 10 * math.log10(255**2 / max(float(np.mean(difference**2)), 1e-10))


def _plot() -> Pixels:
    image = Image.new("RGB", (400, 300), "white")
    draw = ImageDraw.Draw(image)
    for i in range(12):
        draw.line([(x, 150 + 100 * math.sin(x / 20 + i)) for x in range(400)], fill=(20 * i, 0, 200))
    return np.asarray(image)


def _text() -> Pixels:
    image = Image.new("RGB", (400, 400), "white")
    letters = np.random.default_rng(2).integers(33, 126, (25, 65))
    for row, line in enumerate(letters):
        ImageDraw.Draw(image).text((2, 16 * row), "".join(map(chr, line)), fill="black")
    return np.asarray(image)


def _gradient() -> Pixels:
    y, x = np.mgrid[:200, :300]
    return np.stack([x * 255 // 299, y * 255 // 199, (x + y) * 255 // 498], 2).astype(np.uint8)


def _noise(high: int) -> Pixels:
    return np.random.default_rng(high).integers(0, high, (160, 160, 3), np.uint8) * np.uint8(255 // (high - 1))


def _periodic() -> Pixels:
    """Noise to the model, and to a quick look; a lossless coder with a long memory sees that it repeats."""
    return np.tile(np.random.default_rng(4).integers(0, 256, (40, 300, 3), np.uint8), (12, 1, 1))


def _misleading() -> Pixels:
    """A strip of noise along the upper edge and nothing below it."""
    pixels = np.full((1200, 300, 3), 77, np.uint8)
    pixels[:3] = np.random.default_rng(5).integers(0, 256, (3, 300, 3), np.uint8)
    return pixels


ADVERSARIES: dict[str, Callable[[], Pixels]] = {
    "one pixel": lambda: np.full((1, 1, 3), 9, np.uint8),
    "flat": lambda: np.full((300, 300, 3), 200, np.uint8),
    "flat grey": lambda: np.full((300, 300, 1), 200, np.uint8),
    "noise": lambda: _noise(256),
    "two-valued noise": lambda: _noise(2),
    "one-bit noise": lambda: np.repeat(_noise(2)[..., :1], 3, 2),
    "line art": _plot,
    "text": _text,
    "gradient": _gradient,
    "checkerboard": lambda: (np.indices((200, 200)).sum(0) % 2 * 255).astype(np.uint8)[..., None],
    "periodic": _periodic,
    "misleading": _misleading,
}


class TestNeverAbsurdlyLarge:
    @pytest.mark.parametrize("name", ADVERSARIES)
    def test_no_file_is_larger_than_lossless_and_64_bytes(self, name: str) -> None:
        pixels = ADVERSARIES[name]()
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        lossless = len(stored_to_bytes(pixels))
        for quality in (40, 100):
            result = api.encode_report(image, quality=quality)
            assert len(result.data) <= lossless + 64
            if result.model == "stored":
                assert lpcodec.decode(result.data).tobytes() == image.tobytes(), "stored is lossless"
                assert lpcodec.info(result.data)["kind"] == "stored"
                assert any("losslessly" in note for note in result.notes)

    def test_a_photograph_is_not_stored(self, face: Image.Image) -> None:
        assert api.encode_report(face, quality=90).model == "default@visual"

    def test_storing_is_chosen_only_where_it_is_smaller(self) -> None:
        """A picture of 2 bits a pixel losslessly, and next to nothing coded, is not stored at the default quality."""
        soft = np.random.default_rng(6).integers(0, 2, (200, 200, 1)) + _gradient()[:, :200].astype(int) // 2
        image = Image.fromarray(soft.astype(np.uint8))
        data = lpcodec.encode(image)
        assert len(data) < len(stored_to_bytes(soft.astype(np.uint8)))

    def test_a_rate_that_lossless_meets_is_met_losslessly(self) -> None:
        image = Image.fromarray(_plot())
        result = api.encode_report(image, bpp=2)
        assert result.model == "stored"
        assert result.bpp <= 2

    def test_a_size_that_only_storing_reaches_is_reached_and_named_as_the_nearest(self) -> None:
        """A quick look misjudges this picture, so storing is tried after coding, whose coarsest is larger."""
        image = Image.fromarray(np.tile(np.random.default_rng(7).integers(0, 256, (40, 6, 3), np.uint8), (3, 30, 1)))
        lossless = len(lpcodec.encode(image, quality=100))
        assert api.encode_report(image, size=lossless).model == "stored"
        result = api.encode_report(image, size=lossless - 1, best_effort=True)
        assert len(result.data) <= lossless
        assert len(result.data) <= lossless - 1 or "1 bytes" in result.notes[0]

    def test_a_psnr_that_no_quality_reaches_is_reached_losslessly_where_that_is_cheap(self) -> None:
        image = Image.fromarray(_plot())
        assert psnr(image, lpcodec.decode(lpcodec.encode(image, psnr=90))) >= 90


class TestTheEstimate:
    @pytest.mark.parametrize("quality", [0, 37, 100])
    @pytest.mark.parametrize("name", ["face", "thumbnail", "one pixel", "flat", "noise", "three groups"])
    def test_bits_estimated_are_bits_written(self, name: str, quality: float, request: pytest.FixtureRequest) -> None:
        if name in ADVERSARIES:
            pixels = ADVERSARIES[name]()
        elif name == "three groups":
            portrait = request.getfixturevalue("portrait")
            pixels = np.asarray(portrait.resize((2100, 40), Image.Resampling.BICUBIC))
        else:
            pixels = np.asarray(request.getfixturevalue(name))
        codec = models.load("default").trained
        coded = codec.code(codec.analyse(pixels), quality)
        estimate, written = coded.bits / 8, len(coded.payloads()[0])
        assert estimate <= written <= 1.01 * estimate + 32
