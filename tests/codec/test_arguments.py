"""Arguments of a wrong type or out of range are usage errors, and those of numpy count as Python's own."""

import math
from typing import Any

import numpy as np
import pytest

import lpcodec
from lpcodec.codec import api
from lpcodec.codec.arrays import Pixels
from lpcodec.codec.errors import LimitError, UsageError


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (24, 20, 3), np.uint8)


@pytest.fixture(scope="module")
def coded(pixels: Pixels) -> bytes:
    return lpcodec.encode(pixels, lossless=True)


WRONG_LIMITS = (0, -1, 1.5, 2e6, "50M", math.nan, math.inf, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("downscale", value) for value in (3, 2.0, "2", True, None)),
        *(("background", value) for value in (5, (1, 2), (0.5, 0, 0), (300, 0, 0), "#12")),
        *(("model", value) for value in (None, 5, "", "../x")),
        *(("max_pixels", value) for value in WRONG_LIMITS),
        *((name, value) for name in ("lossless", "strip", "best_effort", "exact") for value in ("no", None, 2, [])),
        *(("effort", value) for value in (1.0, 1.5, "1", None, True, -1, 10)),
        *(("alpha_quality", value) for value in ("90", math.nan, 101, True)),
        *((name, value) for name in ("quality", "bpp", "size", "psnr") for value in ("40", True, math.nan, [1])),
        ("tune", 5), ("device", None), ("device", 0), ("progress", 5),
    ],
)  # fmt: skip
def test_encode(pixels: Pixels, name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=name.split("_")[0]):
        lpcodec.encode(pixels, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("level", value) for value in (1.5, 1.0, "1", None, True, -1, 9)),
        *(("scale", value) for value in (2.0, "2", None, True)),
        *(("region", value) for value in ((0, 0, 10), "0,0,10,10", 5, (0, 0, 10, 10.5), (0, 0, 10, "1"))),
        *((name, value) for name in ("max_pixels", "max_memory") for value in WRONG_LIMITS),
        *(("allow_partial", value) for value in ("x", None)),
        ("progress", 5), ("device", None),
    ],
)  # fmt: skip
def test_decode(coded: bytes, name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=name):
        lpcodec.decode(coded, **{name: value})


@pytest.mark.parametrize("scale", [0, -2, 3])
def test_scales_that_the_network_lacks(coded: bytes, scale: int) -> None:
    with pytest.raises(UsageError, match="light enlarges 2 or 4 times"):
        lpcodec.decode(coded, scale=scale)


@pytest.mark.parametrize(
    ("scale", "options"),
    [
        (2.0, {}), ("2", {}), (None, {}), (2, {"model": None}), (2, {"model": 5}), (3, {}), (3, {"model": "haar"}),
        (3, {"model": "lpae"}), (9, {"model": "bicubic"}), (2, {"model": "nope"}), (2, {"model": "lpcae"}),
        *((2, {"max_pixels": value}) for value in WRONG_LIMITS),
    ],
)  # fmt: skip
def test_upscale_before_the_picture_is_read(scale: Any, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        lpcodec.upscale("there is no such file", scale, **options)


@pytest.mark.parametrize("value", WRONG_LIMITS)
def test_verify(coded: bytes, value: Any) -> None:
    with pytest.raises(UsageError, match="max_pixels"):
        lpcodec.verify(coded, max_pixels=value)


def test_numbers_of_numpy_are_numbers(pixels: Pixels, coded: bytes) -> None:
    assert lpcodec.encode(pixels, lossless=np.True_, max_pixels=np.int64(480)) == coded  # type: ignore[arg-type]
    assert lpcodec.encode(pixels, size=np.int64(9000), effort=np.int8(0), background=np.uint8((1, 2, 3)).tolist())
    assert lpcodec.decode(coded, level=np.int64(1)).size == (10, 12)
    part = lpcodec.decode(coded, region=np.array([1, 2, 3, 4]))  # type: ignore[arg-type]
    assert part.size == (3, 4)


def test_the_least_limits_are_limits(pixels: Pixels, coded: bytes) -> None:
    with pytest.raises(LimitError, match=r"over the limit of 1$"):
        lpcodec.encode(pixels, max_pixels=1)
    with pytest.raises(LimitError, match=r"the limit is 1 byte$"):
        lpcodec.decode(coded, max_memory=1)
    with pytest.raises(LimitError, match=r"the limit is 1,000,000 bytes$"):
        lpcodec.decode(coded, max_memory=10**6)


@pytest.mark.parametrize("options", [{"model": "fast"}, {"tune": "psnr"}, {"model": "lpcae", "tune": "visual"}])
def test_a_lossless_picture_takes_no_model(pixels: Pixels, coded: bytes, options: dict[str, str]) -> None:
    for call in (lambda **given: lpcodec.encode(pixels, **given), api.check_encode):
        with pytest.raises(UsageError, match="leave the model and the tune out"):
            call(lossless=True, **options)
    assert lpcodec.encode(pixels, lossless=True, model="default", tune=None) == coded


def test_a_model_that_codes_one_size_is_refused_before_the_picture_is_read() -> None:
    with pytest.raises(UsageError, match="downscale 2: lpcae codes pictures at their own size"):
        api.check_encode(model="lpcae", downscale=2)
    api.check_encode(model="lpcae", downscale="auto")
