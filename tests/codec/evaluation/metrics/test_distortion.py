"""The measures, checked by hand and by properties, and MS-SSIM against an independent one in numpy."""

import io
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import pytorch_msssim
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lpcodec.codec.evaluation.metrics import distortion

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


def test_bpp_is_eight_bytes_over_pixels() -> None:
    assert distortion.bpp(49152, 768 * 512) == 1.0
    for size, pixels in ((-1, 5), (5, 0)):
        with pytest.raises(ValueError, match="bpp needs"):
            distortion.bpp(size, pixels)


@given(offset=st.integers(1, 255), height=st.integers(1, 5), width=st.integers(1, 5))
def test_psnr_of_a_constant_offset(offset: int, height: int, width: int) -> None:
    low = np.zeros((height, width, 3), np.uint8)
    high = np.full_like(low, offset)
    expected = 20 * math.log10(255 / offset)
    assert distortion.psnr(low, high) == pytest.approx(expected)
    assert distortion.psnr(high, low) == pytest.approx(expected)  # no wrap-around of unsigned numbers


def test_psnr_of_equal_pictures_is_infinite() -> None:
    assert distortion.psnr(picture(8, 8), picture(8, 8)) == math.inf


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
        distortion.psnr(a, b)


def test_ms_ssim_agrees_with_an_independent_one() -> None:
    original = picture(176, 192)
    noisy = np.clip(original + np.random.default_rng(1).normal(0, 25, original.shape), 0, 255).astype(np.uint8)
    assert distortion.ms_ssim(original, noisy) == pytest.approx(reference_ms_ssim(original, noisy), abs=1e-9)
    assert distortion.ms_ssim(original, original) == pytest.approx(1, abs=1e-6)


def test_ms_ssim_needs_rgb_of_more_than_160_pixels() -> None:
    distortion.ms_ssim(picture(161, 161), picture(161, 161))
    with pytest.raises(ValueError, match="161 pixels"):
        distortion.ms_ssim(picture(160, 200), picture(160, 200))
    grey = picture(170, 170)[..., :1]
    with pytest.raises(ValueError, match="RGB"):
        distortion.ms_ssim(grey, grey)


def test_ms_ssim_in_db() -> None:
    assert distortion.ms_ssim_db(0.9) == pytest.approx(10)
    assert distortion.ms_ssim_db(1.0) == math.inf
    with pytest.raises(ValueError, match=r"0\.\.1"):
        distortion.ms_ssim_db(1.1)


def flat_and_bright() -> NDArray[np.uint8]:
    page = np.full((256, 256, 3), 255, np.uint8)
    page[100:104, 40:200] = 250
    return page


def test_ms_ssim_is_at_most_one() -> None:
    """In float32 a white page and its JPEG file at quality 8 came to 1.00013."""
    stream = io.BytesIO()
    Image.fromarray(flat_and_bright()).save(stream, "JPEG", quality=8)
    with Image.open(stream) as image:
        decoded = np.asarray(image.convert("RGB"))
    value = distortion.ms_ssim(flat_and_bright(), decoded)
    assert value == pytest.approx(reference_ms_ssim(flat_and_bright(), decoded), abs=1e-12)
    assert 0.9 < value <= 1
    assert distortion.ms_ssim(flat_and_bright(), flat_and_bright()) == 1


@pytest.mark.parametrize("size", [(161, 170), (176, 192), (333, 251)])
def test_ms_ssim_is_that_of_pytorch_msssim(size: tuple[int, int]) -> None:
    """Also at odd sides, where packages differ; its window is rounded to float32, hence the tolerance."""
    original = picture(*size)
    noisy = np.clip(original + np.random.default_rng(1).normal(0, 25, original.shape), 0, 255).astype(np.uint8)
    planes = (torch.from_numpy(p.transpose(2, 0, 1).astype(np.float64))[None] for p in (original, noisy))
    expected = float(pytorch_msssim.ms_ssim(*planes, data_range=255))
    assert distortion.ms_ssim(original, noisy) == pytest.approx(expected, abs=1e-6)


def test_ms_ssim_is_the_same_with_the_kernels_of_another_processor() -> None:
    """So that `report --check` holds elsewhere: in float32 two thirds of the points of a web page differed."""
    program = (
        "import numpy as np; from lpcodec.codec.evaluation.metrics.distortion import ms_ssim\n"
        "a = np.full((300, 300, 3), 250, np.uint8); a[::7, 40:200] = 20\n"
        "print(repr(ms_ssim(a, a // 9 * 9)))"
    )
    values = []
    for isa in ({}, {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"}):
        ran = subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, **isa}, capture_output=True, text=True, check=True
        )
        values.append(float(ran.stdout))
    assert values[0] == pytest.approx(values[1], abs=1e-12)
