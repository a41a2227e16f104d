"""The measures, checked by hand and by properties, and MS-SSIM against an independent one in numpy."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lpcodec.codec.evaluation import measures
from lpcodec.codec.evaluation.measures import Point

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth waves and a little noise."""
    y, x = np.arange(height)[:, None, None], np.arange(width)[None, :, None]
    waves = 120 + 60 * np.sin(x / 9 + np.arange(3)) + 40 * np.cos(y / 13)
    noise = np.random.default_rng(seed).normal(0, 4, (height, width, 3))
    return np.clip(np.round(waves + noise), 0, 255).astype(np.uint8)


def reference_ms_ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Wang, Simoncelli and Bovik's MS-SSIM, channel by channel, in float64."""
    window = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def blur(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        for axis in (0, 1):
            plane = np.apply_along_axis(np.convolve, axis, plane, window, "valid")
        return plane

    values = []
    for channel in range(3):
        x, y = a[..., channel].astype(np.float64), b[..., channel].astype(np.float64)
        value = 1.0
        for scale, weight in enumerate(SCALE_WEIGHTS):
            mean_x, mean_y = blur(x), blur(y)
            var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
            covariance = blur(x * y) - mean_x * mean_y
            contrast = (2 * covariance + 58.5225) / (var_x + var_y + 58.5225)
            luminance = (2 * mean_x * mean_y + 6.5025) / (mean_x**2 + mean_y**2 + 6.5025)
            value *= np.mean(contrast * luminance if scale == 4 else contrast) ** weight
            if scale < 4:
                x, y = (p.reshape(p.shape[0] // 2, 2, p.shape[1] // 2, 2).mean((1, 3)) for p in (x, y))
        values.append(value)
    return float(np.mean(values))


def a_point(**changes: object) -> Point:
    row: dict[str, object] = {
        "codec": "x", "setting": 1.0, "image": "a", "bytes": 100, "pixels": 800, "bpp": 1.0, "psnr": 30.0,
        "mse": 65.0, "ms_ssim": 0.9, "encode_seconds": 0.1, "decode_seconds": 0.2,
    }  # fmt: skip
    return Point(**{**row, **changes})  # type: ignore[arg-type]


def test_bpp_is_eight_bytes_over_pixels() -> None:
    assert measures.bpp(49152, 768 * 512) == 1.0
    for size, pixels in ((-1, 5), (5, 0)):
        with pytest.raises(ValueError, match="bpp needs"):
            measures.bpp(size, pixels)


@given(offset=st.integers(1, 255), height=st.integers(1, 5), width=st.integers(1, 5))
def test_psnr_of_a_constant_offset(offset: int, height: int, width: int) -> None:
    low = np.zeros((height, width, 3), np.uint8)
    high = np.full_like(low, offset)
    expected = 20 * math.log10(255 / offset)
    assert measures.psnr(low, high) == pytest.approx(expected)
    assert measures.psnr(high, low) == pytest.approx(expected)  # no wrap-around of unsigned numbers


def test_psnr_of_equal_pictures_is_infinite() -> None:
    assert measures.psnr(picture(8, 8), picture(8, 8)) == math.inf


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)),
        (np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 3), np.uint8)),
        (np.zeros((0, 4, 3), np.uint8), np.zeros((0, 4, 3), np.uint8)),
    ],
)
def test_pictures_that_cannot_be_compared_are_refused(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="uint8 pictures of one shape"):
        measures.psnr(a, b)


def test_ms_ssim_agrees_with_an_independent_one() -> None:
    original = picture(176, 192)
    noisy = np.clip(original + np.random.default_rng(1).normal(0, 25, original.shape), 0, 255).astype(np.uint8)
    assert measures.ms_ssim(original, noisy) == pytest.approx(reference_ms_ssim(original, noisy), abs=2e-5)
    assert measures.ms_ssim(original, original) == pytest.approx(1, abs=1e-6)


def test_ms_ssim_needs_rgb_of_more_than_160_pixels() -> None:
    measures.ms_ssim(picture(161, 161), picture(161, 161))
    with pytest.raises(ValueError, match="161 pixels"):
        measures.ms_ssim(picture(160, 200), picture(160, 200))
    grey = picture(170, 170)[..., :1]
    with pytest.raises(ValueError, match="RGB"):
        measures.ms_ssim(grey, grey)


def test_ms_ssim_in_db() -> None:
    assert measures.ms_ssim_db(0.9) == pytest.approx(10)
    assert measures.ms_ssim_db(1.0) == math.inf
    with pytest.raises(ValueError, match=r"0\.\.1"):
        measures.ms_ssim_db(1.1)


def test_a_point_is_measured() -> None:
    original = picture(161, 170)
    decoded = np.clip(original.astype(int) + 2, 0, 255).astype(np.uint8)
    point = measures.point("x", 5, "waves", original, decoded, 3421, (0.5, 0.25))
    assert point.bpp == pytest.approx(8 * 3421 / (161 * 170))
    assert point.psnr == measures.psnr(original, decoded)
    assert point.mse == pytest.approx(4, abs=0.01)
    assert point.ms_ssim == measures.ms_ssim(original, decoded)
    assert measures.point("x", 5, "s", original[:9], decoded[:9], 34, (0, 0)).ms_ssim is None


@settings(max_examples=30)
@given(
    psnr=st.floats(0, 90) | st.just(math.inf),
    similarity=st.floats(0, 1) | st.none(),
    image=st.text(max_size=9),
)
def test_a_point_survives_its_line(psnr: float, similarity: float | None, image: str) -> None:
    point = a_point(psnr=psnr, ms_ssim=similarity, image=image)
    line = point.to_json()
    assert "\n" not in line
    json.loads(line, parse_constant=pytest.fail)  # strict JSON: no Infinity, no NaN
    assert Point.from_json(line) == point


@pytest.mark.parametrize("line", ["{}", "[]", "{", '{"psnr": 3, "codec": "x"}'])
def test_a_line_that_is_no_point_is_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (json's own error is one of them)
        Point.from_json(line)


def test_means_over_pictures_and_pooled_ones() -> None:
    small = a_point(image="a", bytes=100, pixels=800, bpp=1.0, psnr=40.0, mse=6.5025, ms_ssim=0.99)
    large = a_point(image="b", bytes=200, pixels=3200, bpp=0.5, psnr=20.0, mse=650.25, ms_ssim=0.89)
    mean = measures.means([small, large])
    assert (mean.setting, mean.pictures) == (1.0, 2)
    assert (mean.bpp, mean.psnr) == (0.75, 30.0)
    assert mean.pooled_bpp == pytest.approx(8 * 300 / 4000)
    assert mean.pooled_psnr == pytest.approx(measures.psnr_of_mse((6.5025 * 800 + 650.25 * 3200) / 4000))
    assert mean.ms_ssim_db == pytest.approx(measures.ms_ssim_db(0.94))
    assert mean.encode_mps == pytest.approx(4000 / 1e6 / 0.2)
    assert mean.decode_mps == pytest.approx(4000 / 1e6 / 0.4)


def test_means_of_different_settings_have_none_and_of_small_pictures_no_ms_ssim() -> None:
    mean = measures.means([a_point(), a_point(image="b", setting=2.0, ms_ssim=None)])
    assert mean.setting is None
    assert mean.ms_ssim is None
    assert mean.ms_ssim_db is None


@pytest.mark.parametrize("points", [[], [a_point(), a_point()], [a_point(), a_point(codec="y", image="b")]])
def test_means_need_one_codec_and_each_picture_once(points: list[Point]) -> None:
    with pytest.raises(ValueError, match="one codec, one a picture"):
        measures.means(points)
