"""Searches for a target: never over a limit, near it where that can be, and in few steps."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.codec.rate import (
    FLOOR,
    MAX_STEPS,
    SLACK_BYTES,
    Expected,
    SearchResult,
    quality_for_psnr,
    quality_for_size,
    quality_near_size,
    usual_sizes,
)

Curve = Callable[[float], float]


class Counted:
    """A curve that counts its evaluations and gives the quality as the value; sizes are whole bytes."""

    def __init__(self, curve: Curve, whole: bool = True) -> None:
        self.curve, self.whole = curve, whole
        self.calls: list[float] = []

    def __call__(self, quality: float) -> tuple[float, float]:
        assert 0 <= quality <= 100
        self.calls.append(quality)
        measure = self.curve(quality)
        return quality, math.ceil(measure) if self.whole else measure


def exponential(middle: float, slope: float, bend: float = 0.0) -> Curve:
    """Bytes at a quality: `middle` at 50, growing by `slope` for each step of it, less so towards 100 with a bend."""
    return lambda q: middle * math.exp(slope * (q - 50) - bend * slope * (q - 50) ** 2 / 200)


def noisy(curve: Curve, percent: float, seed: int) -> Curve:
    """The same with noise, the same at the same quality, and not monotone."""
    return lambda q: curve(q) * (1 + percent / 100 * math.sin(1e4 * (q + 1) * (seed + 1)))


def around(middle: float) -> Expected:
    """What usual_sizes expects of a picture with `middle` bytes at quality 50."""
    return usual_sizes(round(8 / 0.9 * middle), 0)


USUAL = around(6144)


def consistent(found: SearchResult[float], at: Counted) -> None:
    assert found.value == found.quality
    assert found.measure == at(found.quality)[1]
    at.calls.pop()
    assert len(at.calls) == len(set(at.calls)) <= MAX_STEPS, "no quality is tried twice"


SLOPES = (0.012, 0.02, 0.03, 0.037, 0.05, 0.07)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("bend", [-0.7, -0.3, 0.0, 0.5, 0.8])
@pytest.mark.parametrize("place", [2, 10, 35, 50, 65, 90, 98])
def test_a_smooth_curve_takes_six_steps_at_most(slope: float, bend: float, place: float) -> None:
    curve = exponential(20_000, slope, bend)
    limit = int(curve(place))
    for offset in (0.3, 1.0, 3.0):  # an easy picture, an average one, a hard one
        at = Counted(curve)
        found = quality_for_size(at, limit, around(20_000 * offset))
        consistent(found, at)
        assert found.reached
        assert FLOOR * limit <= found.measure <= limit
        assert len(at.calls) <= 6


def test_a_picture_of_real_shape_takes_four_steps_on_average() -> None:
    sizes = (639, 1081, 1806, 3219, 5505, 8970, 13_541, 18_825, 24_404, 30_044, 35_660)
    logs = [math.log(s) for s in sizes]

    def curve(q: float) -> float:
        low = min(int(q / 10), 9)
        return math.exp(logs[low] + (logs[low + 1] - logs[low]) * (q / 10 - low))

    steps = []
    for limit in range(700, 35_000, 499):
        at = Counted(curve)
        found = quality_for_size(at, limit, USUAL)
        assert FLOOR * limit <= found.measure <= limit
        steps.append(len(at.calls))
    assert max(steps) <= 6
    assert sum(steps) / len(steps) <= 4


@settings(max_examples=100, deadline=None)
@given(
    st.floats(0.012, 0.07), st.floats(0, 0.8), st.floats(1, 99), st.floats(0, 100), st.floats(0, 0.9),
    st.integers(0, 1000),
)  # fmt: skip
def test_noise_of_a_percent_does_no_harm(
    slope: float, bend: float, place: float, guess: float, percent: float, seed: int
) -> None:
    curve = exponential(20_000, slope, bend)
    limit = int(curve(place))
    at = Counted(noisy(curve, percent, seed))
    found = quality_for_size(at, limit, USUAL, guess)
    consistent(found, at)
    assert found.measure <= limit
    assert found.measure >= FLOOR * limit
    assert found.reached
    assert found.close


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(1, 5000)), max_size=12), st.integers(1, 60_000), st.floats(0, 100)
)
def test_steps_are_survived(jumps: list[tuple[float, int]], limit: int, guess: float) -> None:
    def curve(q: float) -> float:
        return 60 + sum(height for place, height in jumps if q >= place)

    at = Counted(curve)
    found = quality_for_size(at, limit, USUAL, guess)
    consistent(found, at)
    if found.measure > limit:
        assert curve(0) > limit
        assert not found.reached
        assert not found.close
    else:
        assert found.reached
        assert found.close == (found.measure >= FLOOR * limit or found.measure >= limit - SLACK_BYTES)
    if curve(100) <= limit:
        assert found.measure == curve(100) or found.close


def test_a_wide_step_is_found_and_used() -> None:
    at = Counted(lambda q: 1000 if q < 30 else 5000 if q < 41.4 else 9000)
    found = quality_for_size(at, 5100, USUAL, 90)
    assert (found.measure, found.reached, found.close) == (5000, True, True)
    found = quality_for_size(at, 8000, USUAL, 90)
    assert (found.measure, found.reached, found.close) == (5000, True, False), "the limit is kept, but not used"


@pytest.mark.parametrize("guess", [0.0, 50.0, 100.0, -1e9, 1e9])
def test_beyond_the_ends_the_nearest_is_given(guess: float) -> None:
    curve = exponential(20_000, 0.037)
    at = Counted(curve)
    small = quality_for_size(at, int(curve(0)) - 500, USUAL, guess)
    assert (small.quality, small.reached) == (0.0, False)
    assert small.measure == math.ceil(curve(0))
    assert len(at.calls) <= 4
    at = Counted(curve)
    large = quality_for_size(at, int(curve(100) * 1.1), USUAL, guess)
    assert (large.quality, large.reached, large.close) == (100.0, True, False), "room to spare is no failure"
    assert large.measure == math.ceil(curve(100))
    assert len(at.calls) <= 4


@pytest.mark.parametrize("quality", [0, 100])
def test_the_ends_themselves_are_reached(quality: int) -> None:
    curve = exponential(20_000, 0.037)
    limit = math.ceil(curve(quality))
    for guess in (0.0, 50.0, 100.0):
        found = quality_for_size(Counted(curve), limit, USUAL, guess)
        assert found.reached
        assert FLOOR * limit <= found.measure <= limit


def test_small_files_grow_by_words() -> None:
    at = Counted(lambda q: 40 + 4 * int(q / 5))
    for limit in range(40, 129):
        found = quality_for_size(at, limit, USUAL, 50)
        assert limit - SLACK_BYTES <= found.measure <= limit
        assert found.reached


@pytest.mark.parametrize("slope", [0.08, 0.14, 0.2, 0.3])
@pytest.mark.parametrize("bend", [-0.5, 0.0, 0.5])
def test_psnr_is_never_below(slope: float, bend: float) -> None:
    def curve(q: float) -> float:
        return 33 + slope * (q - 50) - bend * slope * (q - 50) ** 2 / 200

    for place in (3, 20, 50, 80, 97):
        target = curve(place)
        at = Counted(curve, whole=False)
        found = quality_for_psnr(at, target, 50 + (target - 33) * 5)
        consistent(found, at)
        assert found.reached
        assert found.measure >= target
        assert place - 1e-6 <= found.quality <= place + 0.5
        assert len(at.calls) <= 6


@settings(max_examples=100, deadline=None)
@given(st.floats(0.05, 0.4), st.floats(20, 50), st.floats(0, 100), st.floats(0, 0.3), st.integers(0, 1000))
def test_psnr_with_noise(slope: float, target: float, guess: float, noise: float, seed: int) -> None:
    def curve(q: float) -> float:
        return 33 + slope * (q - 50) + noise * math.sin(1e4 * (q + 1) * (seed + 1))

    at = Counted(curve, whole=False)
    found = quality_for_psnr(at, target, guess)
    assert found.value == found.quality
    assert len(at.calls) <= 14
    assert found.reached == (found.measure >= target)
    if curve(100) >= target + 0.3:
        assert found.reached
    if not found.reached:
        assert 100 in at.calls


def test_psnr_steps_are_survived() -> None:
    at = Counted(lambda q: 30.0 if q < 61.8 else 40.0, whole=False)
    found = quality_for_psnr(at, 35, 50)
    assert found.reached
    assert 61.8 <= found.quality <= 62.3


@pytest.mark.parametrize("guess", [0.0, 50.0, 100.0, 1e9])
def test_psnr_beyond_the_ends(guess: float) -> None:
    at = Counted(lambda q: 25 + 0.15 * q, whole=False)
    assert quality_for_psnr(at, 20, guess) == SearchResult(0.0, 0.0, 25.0, True)
    assert quality_for_psnr(at, 45, guess) == SearchResult(100.0, 100.0, 40.0, False, False)
    assert len(at.calls) <= 8


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("place", [4, 20, 50, 80, 97])
def test_a_curve_of_the_expected_shape_takes_two_steps(slope: float, place: float) -> None:
    """However far from the expected height."""
    curve = exponential(20_000, slope, 0.5)
    qualities = [float(q) for q in range(0, 101, 10)]
    limit = int(curve(place))
    for height in (0.6, 1.0, 1.5):
        at = Counted(curve)
        expected = Expected.of_sizes(qualities, [height * curve(q) for q in qualities])
        found = quality_for_size(at, limit, expected)
        consistent(found, at)
        assert found.reached
        assert len(at.calls) <= (1 if height == 1 else 3 if place in (4, 97) else 2)


def test_an_expected_curve_rises_whatever_the_sizes() -> None:
    expected = Expected.of_sizes([0, 30, 60, 100], [500, 400, 400, 2000])
    assert list(expected.measures) == sorted(set(expected.measures))
    assert expected.quality(expected.at(42)) == pytest.approx(42)
    assert expected.quality(-99) == 0
    assert expected.quality(99) == 100


@pytest.mark.parametrize("error", [0.92, 0.96, 1.04, 1.08])
def test_a_curve_that_is_a_little_too_high_or_too_low_takes_two_codings(error: float) -> None:
    """The expected sizes have the right shape and are wrong by a factor: the second coding corrects that."""
    qualities = [0.0, 100.0]
    expected = Expected.of_sizes(qualities, [1000 * math.exp(0.05 * quality) for quality in qualities])
    tried = []

    def at(quality: float) -> tuple[float, int]:
        tried.append(quality)
        return quality, round(error * 1000 * math.exp(0.05 * quality))

    assert quality_for_size(at, 6000, expected).close
    assert len(tried) == 2


@settings(max_examples=100, deadline=None)
@given(st.floats(0.012, 0.07), st.floats(0, 0.8), st.floats(1, 99), st.sampled_from([0.5, 0.9, 1.0, 1.1, 2.0]))
def test_a_quality_is_found_roughly_in_few_steps(slope: float, bend: float, place: float, offset: float) -> None:
    at = Counted(exponential(20_000, slope, bend))
    limit = int(at.curve(place))
    found, size = quality_near_size(lambda quality: int(at(quality)[1]), limit, around(20_000 * offset))
    assert size == math.ceil(at.curve(found))
    assert len(at.calls) <= 4
    assert abs(math.log(size / limit)) < 0.17 or len(at.calls) == 4


def test_a_rough_search_that_gives_up_has_the_size_of_its_quality() -> None:
    at = Counted(lambda q: 1000 if q < 41.4 else 9000)
    found, size = quality_near_size(lambda quality: int(at(quality)[1]), 3000, USUAL)
    assert len(at.calls) == 4
    assert (found, size) == (at.calls[-1], at.curve(found))


def test_sizes_out_of_reach_are_given_up_roughly_too() -> None:
    for limit, quality in ((10, 0.0), (10**9, 100.0)):
        found, size = quality_near_size(lambda q: math.ceil(1000 + 100 * q), limit, USUAL)
        assert (found, size) == (quality, 1000 + 100 * quality)


def test_the_quality_to_try_next_follows_the_expected_curve() -> None:
    expected = Expected.of_sizes([0, 50, 100], [1000, 4000, 40_000])
    # An easy picture with half of these sizes: at 50 it has 2000 bytes, and 20,000 at 100.
    assert expected.quality_for_size(round(20_000 / 0.99), 50, 2000) == pytest.approx(100, abs=0.01)
    assert expected.quality_for_size(round(500 / 0.99), 50, 2000) == pytest.approx(0, abs=0.1)
    assert expected.quality_for_size(round(2000 / 0.99), 50, 2000) == pytest.approx(50, abs=0.01)
