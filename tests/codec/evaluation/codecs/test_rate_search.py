"""The search for a rate: from below, to the last step of a dial, with few encodings, on any dial that rises."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lpcodec.codec.errors import TargetError
from lpcodec.codec.evaluation.codecs import pillow
from lpcodec.codec.evaluation.codecs.rate_search import SearchResult, encode_to_bpp
from lpcodec.codec.evaluation.metrics import distortion


def texture(height: int = 96, width: int = 128) -> NDArray[np.uint8]:
    """Waves, an edge, and noise that falls off from left to right."""
    y, x = np.mgrid[:height, :width]
    planes = [110 + 70 * np.sin(x / (5 + c)) * np.cos(y / 11) + 40 * (x > y) for c in range(3)]
    noise = np.random.default_rng(3).normal(0, 1, (height, width, 3)) * np.linspace(30, 0, width)[:, None]
    return np.clip(np.stack(planes, 2) + noise, 0, 255).astype(np.uint8)


PIXELS = texture()
TINY = np.zeros((10, 8, 3), np.uint8)  # one byte is 0.1 bpp


def rate(data: bytes) -> float:
    return distortion.bpp(len(data), PIXELS.shape[0] * PIXELS.shape[1])


@dataclass
class Made:
    """A dial with these sizes by setting; counts what is asked of it."""

    sizes: Mapping[int, int]
    coarsest: float
    finest: float
    title: str = "made"
    continuous: bool = False
    asked: list[float] = field(default_factory=list)

    def encode(self, pixels: NDArray[np.uint8], setting: float) -> bytes:
        self.asked.append(setting)
        return bytes(self.sizes[int(setting)])


@given(data=st.data(), falls=st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_rising_dial_is_searched_to_its_last_step(data: st.DataObject, falls: bool) -> None:
    steps = data.draw(st.lists(st.integers(0, 400), min_size=3, max_size=60))
    low = data.draw(st.integers(-20, 20))
    grown = list(np.cumsum(steps) + 1)
    places = range(low, low + len(grown))
    sizes = dict(zip(places, reversed(grown) if falls else grown, strict=True))
    dial = Made(sizes, *((places[-1], places[0]) if falls else (places[0], places[-1])))
    budget = data.draw(st.integers(1, grown[-1] + 10))
    known = {float(s): sizes[s] for s in data.draw(st.sets(st.sampled_from(list(places)), max_size=5))}
    if grown[0] > budget:
        with pytest.raises(TargetError):
            encode_to_bpp(dial, TINY, budget / 10, known)
        return
    found = encode_to_bpp(dial, TINY, budget / 10, known)
    assert len(found.data) == sizes[int(found.setting)] <= budget
    finer = int(found.setting) + (-1 if falls else 1)
    assert sizes.get(finer, budget + 1) > budget or sizes[finer] == len(found.data)
    if found.above is None:
        assert grown[-1] <= budget
    else:
        assert found.above == finer
        assert sizes[finer] > budget
    assert len(dial.asked) <= 2 * len(sizes).bit_length() + 3


def test_sizes_that_are_known_save_encodings() -> None:
    sizes = {s: int(20 * 1.06**s) for s in range(101)}
    cold, warm = Made(sizes, 0, 100), Made(sizes, 0, 100)
    found = encode_to_bpp(cold, TINY, 40.0)
    assert encode_to_bpp(warm, TINY, 40.0, {float(s): sizes[s] for s in (20, 40, 60, 80)}) == found
    assert len(warm.asked) < len(cold.asked)
    assert len(warm.asked) <= 4


def test_a_rate_is_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        encode_to_bpp(pillow.jpeg(), PIXELS, 0)


@given(target=st.floats(1.0, 6.0))
@settings(max_examples=15, deadline=None)
def test_an_integer_dial_is_searched_to_the_last_step(target: float) -> None:
    jpeg = pillow.jpeg()
    found = encode_to_bpp(jpeg, PIXELS, target)
    assert rate(found.data) <= target
    assert found.data == jpeg.encode(PIXELS, found.setting)
    assert found.above == (None if found.setting == jpeg.finest else found.setting + 1)
    assert found.above is None or rate(jpeg.encode(PIXELS, found.above)) > target


@pytest.mark.parametrize("target", [0.4, 1.0, 3.0])
def test_a_continuous_dial_comes_close(target: float) -> None:
    found = encode_to_bpp(pillow.jpeg2000(), PIXELS, target)
    assert 0.95 * target < rate(found.data) <= target
    assert found.above is None


def test_a_rate_above_the_finest_gives_the_finest() -> None:
    jpeg = pillow.jpeg()
    assert encode_to_bpp(jpeg, PIXELS, 100) == SearchResult(jpeg.encode(PIXELS, 95), 95, None)


def test_a_rate_below_the_coarsest_is_refused_with_the_nearest() -> None:
    nearest = rate(pillow.jpeg().encode(PIXELS, 1))
    with pytest.raises(TargetError, match=f"{nearest:.3f} bpp"):
        encode_to_bpp(pillow.jpeg(), PIXELS, 0.05)
