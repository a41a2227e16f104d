"""The Laplacian pyramid and its filter banks: reconstruction of any size, flat pictures, and the paper's arithmetic."""

import numpy as np
import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lpcodec.codec.frontends.banks import doubled, halved
from lpcodec.codec.frontends.interface import Bands, level_sizes
from lpcodec.codec.frontends.pyramid import LaplacianPyramid

KERNELS = ("burt-adelson", "bicubic", *pywt.wavelist(kind="discrete"))
SIDES = st.integers(1, 40)


def picture(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(height=SIDES, width=SIDES, levels=st.integers(1, 6), kernel=st.sampled_from(KERNELS))
@settings(max_examples=80, deadline=None)
def test_every_picture_comes_back(height: int, width: int, levels: int, kernel: str) -> None:
    x = picture(2, 3, height, width)
    pyramid = LaplacianPyramid(levels, kernel)
    bands = pyramid.split(x)
    assert [tuple(d.shape[2:]) for d in bands.details] == level_sizes((height, width), levels)[:-1][::-1]
    assert tuple(bands.coarse.shape[2:]) == level_sizes((height, width), levels)[-1]
    assert torch.allclose(pyramid.merge(bands), x, atol=1e-12)


@pytest.mark.parametrize("kernel", [kernel for kernel in KERNELS if kernel != "dmey"])
def test_a_flat_picture_has_no_detail(kernel: str) -> None:
    """But for "dmey", whose filters are no more exact than 1e-3."""
    bands = LaplacianPyramid(2, kernel).split(torch.full((1, 1, 21, 30), 0.7, dtype=torch.float64))
    assert torch.allclose(bands.coarse, torch.tensor(0.7, dtype=torch.float64), atol=1e-7)
    assert all(float(detail.abs().max()) < 1e-7 for detail in bands.details)


def test_the_kernel_is_burt_and_adelson_s() -> None:
    """An impulse is reduced to the kernel's even taps, and a coarse impulse spread to twice the kernel."""
    x = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    x[0, 0, 4, 4] = 1
    coarse = LaplacianPyramid(1).split(x).coarse[0, 0]
    taps = np.array([0.05, 0.4, 0.05])
    np.testing.assert_allclose(coarse[1:4, 1:4], np.outer(taps, taps), atol=1e-15)
    spread = LaplacianPyramid(1).predict(x, (17, 18))[0, 0]
    whole = 2 * np.array([0.05, 0.25, 0.4, 0.25, 0.05])
    np.testing.assert_allclose(spread[6:11, 6:11], np.outer(whole, whole), atol=1e-15)
    assert spread.shape == (17, 18)


def test_bicubic_halves_and_doubles_as_pillow_does() -> None:
    """Inside: at the border Pillow leaves out what lies beyond; the pyramid goes on with the last row and column."""
    x = picture(1, 1, 40, 56)
    pyramid = LaplacianPyramid(1, "bicubic")

    def resized(values: torch.Tensor, width: int, height: int) -> np.ndarray:
        image = Image.fromarray(values[0, 0].float().numpy(), "F")
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))[4:-4, 4:-4]

    coarse = pyramid.reduce(x)
    np.testing.assert_allclose(coarse[0, 0, 4:-4, 4:-4], resized(x, 28, 20), atol=1e-6)
    finer = pyramid.predict(coarse, (40, 56))
    np.testing.assert_allclose(finer[0, 0, 4:-4, 4:-4], resized(coarse, 56, 40), atol=1e-6)


def test_levels_stay_where_the_picture_is() -> None:
    """A symmetric kernel moves nothing: on a ramp the approximation is the ramp, every second place."""
    ramp = torch.arange(64, dtype=torch.float64).expand(1, 1, 64, 64)
    for kernel in ("burt-adelson", "bior2.2", "bior4.4"):
        coarse = LaplacianPyramid(1, kernel).split(ramp).coarse
        assert torch.allclose(coarse[0, 0, 16, 8:24], ramp[0, 0, 0, 16:48:2], atol=1e-9), kernel


def test_gradients_flow() -> None:
    x = picture(1, 1, 5, 6).requires_grad_()
    pyramid = LaplacianPyramid(2, "db2")
    assert torch.autograd.gradcheck(lambda v: pyramid.split(v).details[0], x)
    assert torch.autograd.gradcheck(lambda v: pyramid.predict(v, (9, 12)), x)


def test_what_can_not_be_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one level, not 0"):
        LaplacianPyramid(0)
    with pytest.raises(ValueError, match="'gauss' is neither 'burt-adelson', 'bicubic' nor a discrete wavelet"):
        LaplacianPyramid(1, "gauss")
    pyramid = LaplacianPyramid(2)
    with pytest.raises(ValueError, match="2 details expected, one per level; 0 given"):
        pyramid.merge(Bands((8, 8), picture(1, 1, 2, 2), ()))
    with pytest.raises(ValueError, match="a level of 4 isn't half of 10"):
        pyramid.predict(picture(1, 1, 4, 4), (10, 8))


@given(taps=st.lists(st.floats(-2, 2), min_size=1, max_size=9), extra=st.integers(0, 90), axis=st.sampled_from([2, 3]))
@settings(max_examples=60, deadline=None)
def test_halved_is_its_formula(taps: list[float], extra: int, axis: int) -> None:
    x = picture(1, 2, len(taps) + extra, 3).transpose(2, axis)
    (y,) = halved(x, axis, (tuple(taps),))
    kernel = np.array(taps)
    line = x.transpose(2, axis)[0, 1, :, 2].numpy()
    wanted = [line[2 * k : 2 * k + len(kernel)] @ kernel for k in range((len(line) - len(kernel)) // 2 + 1)]
    np.testing.assert_allclose(y.transpose(2, axis)[0, 1, :, 2], wanted, atol=1e-12)


@given(
    taps=st.lists(st.floats(-2, 2), min_size=2, max_size=9), places=st.integers(1, 40), first=st.integers(0, 20),
    length=st.integers(1, 80), axis=st.sampled_from([2, 3]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_doubled_is_its_formula(taps: list[float], places: int, first: int, length: int, axis: int) -> None:
    parts = [picture(1, 2, places, 3, seed=seed).transpose(2, axis) for seed in (0, 1)]
    filters = (tuple(taps), tuple(reversed(taps)))
    lowest = -((len(taps) - 1 - first) // 2)
    if lowest > places:
        return
    y = doubled(parts, axis, filters, first, length).transpose(2, axis)[0, 1, :, 2]
    wanted = np.zeros(length)
    for part, kernel in zip(parts, filters, strict=True):
        line = part.transpose(2, axis)[0, 1, :, 2].numpy()
        for n in range(length):
            wanted[n] += sum(
                kernel[n + first - 2 * k] * v for k, v in enumerate(line) if 0 <= n + first - 2 * k < len(kernel)
            )
    np.testing.assert_allclose(y, wanted, atol=1e-12)
