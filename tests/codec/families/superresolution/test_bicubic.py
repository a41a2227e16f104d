"""Bicubic resampling is that of Pillow, to within its rounding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lpcodec.codec.families.superresolution import bicubic


def _pillow(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


@settings(deadline=None, max_examples=60)
@given(
    scale=st.sampled_from([2, 3, 4, 8]), h=st.integers(1, 20), w=st.integers(1, 20), seed=st.integers(0, 99)
)  # fmt: skip
def test_reducing_is_pillows(scale, h, w, seed):
    # Within 40..215 no overshoot of the first axis leaves 0..255: Pillow cuts it off there, and rounds, before the
    # second axis. That rounding is worth one level at most.
    pixels = np.random.default_rng(seed).integers(40, 216, (scale * h, scale * w, 3), dtype=np.uint8)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    for layout in (x, x.contiguous()):
        ours = (bicubic.eight_bit(bicubic.reduced(layout, scale)) * 255)[0].permute(1, 2, 0).numpy()
        assert np.abs(ours - _pillow(pixels, (w, h))).max() <= 1


@pytest.mark.parametrize("size", [(20, 30), (5, 1), (1, 5), (1, 1)])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlarging_is_pillows(scale, size):
    grid = np.add.outer(np.arange(size[0]), np.arange(size[1])) * 5 % 200 + 30
    pixels = np.repeat(grid[..., None], 3, 2).astype(np.uint8)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    ours = (bicubic.eight_bit(bicubic.enlarged(x, scale)) * 255)[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - _pillow(pixels, (scale * size[1], scale * size[0]))).max() <= 1


def test_reducing_matches_matlabs_imresize_inside():
    """A row of MATLAB's `imresize(x, 0.5)` computed from its definition: weights of Keys' kernel stretched twofold."""
    row = torch.arange(16).double() ** 2
    places = torch.arange(-3, 5).double()
    t = (places - 0.5).abs() / 2
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    weights = torch.where(t <= 1, near, far)
    weights /= weights.sum()
    expected = [float((weights * row[2 * k - 3 : 2 * k + 5]).sum()) for k in range(2, 6)]
    picture = row.expand(16, 16)[None, None]
    assert bicubic.reduced(picture, 2)[0, 0, 4, 2:6].tolist() == pytest.approx(expected)


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="multiple of 2"):
        bicubic.reduced(torch.rand(1, 3, 9, 8), 2)
