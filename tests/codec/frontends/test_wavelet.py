"""The Haar transform: agreement with PyWavelets, reconstruction, kept energy, and the layout of the fold."""

import numpy as np
import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.codec.frontends.wavelet import HaarPyramid, fold, haar_merge, haar_split, unfold


def picture(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def test_one_scale_of_a_single_block_is_the_documented_formula():
    ll, details = haar_split(torch.tensor([[[[1.0, 2.0], [4.0, 8.0]]]]))
    assert ll.flatten().tolist() == [7.5]
    assert details.flatten().tolist() == [-4.5, -2.5, 1.5]


def test_the_bands_are_those_of_pywavelets():
    x = picture(2, 3, 48, 64, dtype=torch.float64)
    bands = HaarPyramid(3).split(x)
    assert [band.shape[1] for band in bands] == [12, 9, 9]
    for colour in range(3):
        ll, *scales = pywt.wavedec2(x[:, colour].numpy(), "haar", mode="periodization", level=3, axes=(1, 2))
        np.testing.assert_allclose(bands[0][:, colour], ll, atol=1e-12)
        details = (bands[0][:, 3:], bands[1], bands[2])
        for ours, theirs in zip(details, scales, strict=True):
            for kind in range(3):
                np.testing.assert_allclose(ours[:, 3 * kind + colour], theirs[kind], atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 2), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_every_transform_is_orthonormal_and_perfectly_inverted(batch, channels, rows, columns, seed):
    x = picture(batch, channels, 8 * rows, 8 * columns, seed=seed)
    energy = x.square().sum()
    ll, details = haar_split(x)
    bands = HaarPyramid(3).split(x)
    folded = fold(x)
    for parts, back in (
        ((ll, details), haar_merge(ll, details)),
        (bands, HaarPyramid(3).merge(bands)),
        ((folded,), unfold(folded)),
    ):
        torch.testing.assert_close(sum(part.square().sum() for part in parts), energy, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(back, x, rtol=0, atol=1e-6)


def test_the_matrix_of_the_fold_is_orthonormal_and_the_unfold_is_its_transpose():
    unit = torch.eye(64, dtype=torch.float64)
    matrix = fold(unit.reshape(64, 1, 8, 8)).reshape(64, 64)
    torch.testing.assert_close(matrix @ matrix.T, unit)
    torch.testing.assert_close(unfold(unit.reshape(64, 64, 1, 1)).reshape(64, 64), matrix.T)


def test_the_fold_holds_ll_first_then_the_details_of_the_scales_folded_row_by_row():
    x = picture(1, 3, 16, 24)
    coarsest, middle, finest = HaarPyramid(3).split(x)
    y = fold(x)
    assert y.shape == (1, 192, 2, 3)
    assert torch.equal(y[:, :12], coarsest)
    for band in range(9):
        for dy in range(2):
            for dx in range(2):
                assert torch.equal(y[:, 12 + 4 * band + 2 * dy + dx], middle[:, band, dy::2, dx::2])
        for dy in range(4):
            for dx in range(4):
                assert torch.equal(y[:, 48 + 16 * band + 4 * dy + dx], finest[:, band, dy::4, dx::4])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_dtype_is_kept(dtype):
    x = picture(1, 3, 16, 16, dtype=dtype)
    assert fold(x).dtype == unfold(fold(x)).dtype == dtype
    torch.testing.assert_close(unfold(fold(x)), x, atol=0.05 if dtype == torch.bfloat16 else 1e-6, rtol=0)


def test_gradients_pass_both_ways():
    x = picture(1, 1, 8, 8, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(fold, (x,))
    assert torch.autograd.gradcheck(lambda x: unfold(fold(x) ** 2), (x,))


@pytest.mark.parametrize(("transform", "height"), [(haar_split, 5), (fold, 12), (HaarPyramid(4).split, 24)])
def test_sides_that_are_no_multiple_are_refused(transform, height):
    with pytest.raises(ValueError, match="not multiples of"):
        transform(torch.zeros(1, 3, height, 48))


def test_bands_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="do not belong"):
        haar_merge(torch.zeros(1, 1, 2, 2), torch.zeros(1, 3, 2, 3))
    with pytest.raises(ValueError, match="3 bands expected"):
        HaarPyramid(3).merge([torch.zeros(1, 12, 2, 2)])
    with pytest.raises(ValueError, match="multiple of 64"):
        unfold(torch.zeros(1, 65, 1, 1))
