"""Filling pixels that nobody sees: known ones stay, the others continue them smoothly."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.codec.fill import filled
from tests.sample_pictures import noise


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 3), st.integers(0, 99), st.floats(0, 1))
def test_known_pixels_stay_and_others_lie_between_them(h: int, w: int, channels: int, seed: int, part: float) -> None:
    pixels = noise(h, w, channels, seed)
    known = np.random.default_rng(seed + 1).random((h, w)) < part
    result = filled(pixels, known)
    assert (result.shape, result.dtype) == (pixels.shape, np.uint8)
    assert np.array_equal(result[known], pixels[known])
    if not known.any():
        assert (result == 128).all()
    else:
        low, high = pixels[known].min(0), pixels[known].max(0)
        assert ((result >= low) & (result <= high)).all()


def test_a_colour_goes_on_and_a_slope_is_bridged() -> None:
    plain = np.broadcast_to(np.array([10, 200, 77], np.uint8), (50, 70, 3))
    known = np.zeros((50, 70), bool)
    known[20, 30] = True
    assert np.array_equal(filled(np.where(known[..., None], plain, 0).astype(np.uint8), known), plain)
    slope = np.broadcast_to(np.arange(0, 256, 2, dtype=np.uint8)[:, None, None], (128, 64, 1))
    known = np.ones((128, 64), bool)
    known[56:72] = False
    assert np.abs(filled(slope.copy(), known).astype(int) - slope).max() <= 12


def test_the_bands_of_a_tall_picture_meet() -> None:
    """Pictures are filled in bands of 256 rows: no step where they touch."""
    known = np.zeros((700, 20), bool)
    known[0], known[-1] = True, True
    pixels = np.zeros((700, 20, 1), np.uint8)
    pixels[-1] = 250
    assert np.abs(np.diff(filled(pixels, known).astype(int), axis=0)).max() <= 6
