"""The wavelet transform: PyWavelets' numbers over wavelet, level, size and border, and its own inverse."""

import warnings

import numpy as np
import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.codec.frontends.dwt import DWT
from lpcodec.codec.frontends.interface import Bands
from lpcodec.codec.frontends.wavelet import HaarPyramid

WAVELETS = pywt.wavelist(kind="discrete")
MODES = pywt.Modes.modes
INEXACT = {"dmey": 0.02}
"""Wavelets whose own filters don't reconstruct to the last bit, and by how much."""


def picture(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def reference(x: torch.Tensor, wavelet: str, levels: int, mode: str) -> list[np.ndarray]:
    """PyWavelets' bands in our order: LL, then (C * 3) details a level."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # more levels than it advises
        coarse, *details = pywt.wavedec2(x.numpy(), wavelet, mode, level=levels)
    return [coarse, *(np.concatenate(level, axis=1) for level in details)]


def check(x: torch.Tensor, wavelet: str, levels: int, mode: str) -> None:
    transform = DWT(wavelet, levels, mode)
    bands = transform.split(x)
    largest = max(1.0, *(float(band.abs().max()) for band in (bands.coarse, *bands.details)))
    if not ("reflect" in mode and _ever_one(x.shape[2:], transform, levels)):  # PyWavelets refuses a side of 1 there
        for mine, theirs in zip((bands.coarse, *bands.details), reference(x, wavelet, levels, mode), strict=True):
            assert mine.shape == theirs.shape
            np.testing.assert_allclose(mine, theirs, atol=1e-11 * largest, rtol=0)
    back = transform.merge(bands)
    assert float((back - x).abs().max()) < INEXACT.get(wavelet, 2e-9) * largest


def _ever_one(size: torch.Size, transform: DWT, levels: int) -> bool:
    sizes = [(int(size[0]), int(size[1]))]
    for _ in range(levels - 1):
        sizes.append(transform._half_size(sizes[-1]))
    return any(1 in each for each in sizes)


@given(
    wavelet=st.sampled_from(WAVELETS), levels=st.integers(1, 4), mode=st.sampled_from(MODES),
    height=st.integers(1, 40), width=st.integers(1, 40),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_any_wavelet_level_border_and_size(wavelet: str, levels: int, mode: str, height: int, width: int) -> None:
    check(picture(1, 2, height, width), wavelet, levels, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wavelet", ["haar", "db2", "db3", "bior1.3", "bior4.4", "rbio2.2", "sym5", "coif1", "dmey"])
@pytest.mark.parametrize("size", [(33, 46), (7, 129)])
def test_the_usual_ones(wavelet: str, mode: str, size: tuple[int, int]) -> None:
    check(picture(2, 3, *size), wavelet, 3, mode)


def test_haar_on_even_sides_is_the_codecs_own() -> None:
    x = picture(2, 3, 32, 48)
    bands, own = DWT("haar", 3).split(x), HaarPyramid(3).split(x)
    assert torch.allclose(torch.cat((bands.coarse, bands.details[0]), dim=1), own[0], atol=1e-12)
    for mine, theirs in zip(bands.details[1:], own[1:], strict=True):
        assert torch.allclose(mine, theirs, atol=1e-12)


@pytest.mark.parametrize("mode", ["symmetric", "periodization"])
def test_prediction_is_the_merge_without_details(mode: str) -> None:
    transform, x = DWT("bior4.4", 1, mode), picture(1, 3, 21, 16)
    bands = transform.split(x)
    empty = Bands(bands.size, bands.coarse, (torch.zeros_like(bands.details[0]),))
    assert torch.allclose(transform.predict(bands.coarse, (21, 16)), transform.merge(empty), atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_gradients_flow(mode: str) -> None:
    transform, x = DWT("db2", 2, mode), picture(1, 1, 5, 6).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: transform.split(v).coarse, x)
    bands = transform.split(x.detach())
    details = bands.details[1].clone().requires_grad_()
    merged = lambda d: transform.merge(Bands(bands.size, bands.coarse, (bands.details[0], d)))  # noqa: E731
    assert torch.autograd.gradcheck(merged, details)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_kept(dtype: torch.dtype) -> None:
    bands = DWT("db4", 2).split(picture(1, 1, 20, 20).to(dtype))
    assert {band.dtype for band in (bands.coarse, *bands.details, DWT("db4", 2).merge(bands))} == {dtype}


def test_what_can_not_be_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one level, not 0"):
        DWT("haar", 0)
    with pytest.raises(ValueError, match="'morl' is no discrete wavelet"):
        DWT("morl", 1)
    with pytest.raises(ValueError, match="'wrap' is no border mode of PyWavelets: zero"):
        DWT("haar", 1, "wrap")
    transform = DWT("db2", 1)
    bands = transform.split(picture(1, 1, 9, 9))
    with pytest.raises(ValueError, match=r"an LL of \(6, 6\) doesn't belong to a level of \(20, 9\)"):
        transform.merge(Bands((20, 9), bands.coarse, bands.details))
    with pytest.raises(ValueError, match=r"an LL of \(6, 6\) doesn't belong to a level of \(9, 20\)"):
        transform.predict(bands.coarse, (9, 20))
    with pytest.raises(ValueError, match=r"details \(1, 2, 6, 6\) do not belong to LL \(1, 1, 6, 6\)"):
        transform.merge(Bands((9, 9), bands.coarse, (bands.details[0][:, :2],)))
    with pytest.raises(ValueError, match="1 details expected, one per level; 0 given"):
        transform.merge(Bands((9, 9), bands.coarse, ()))
