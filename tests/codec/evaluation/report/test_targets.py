"""Between the file below a rate target and the file above it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpcodec.codec.arrays import psnr_of
from lpcodec.codec.evaluation.metrics.point import Point
from lpcodec.codec.evaluation.report.targets import interpolated

PIXELS = 400_000


def at(rate: float, psnr: float, similarity: float | None = 0.9, score: float = 50.0) -> Point:
    size = round(rate * PIXELS / 8)
    return Point("x", 1.0, "a", size, PIXELS, 8 * size / PIXELS, psnr, 1.0, similarity, 1.0, 2.0, 0.5, {"score": score})


@given(target=st.floats(0.41, 0.79))
def test_a_straight_line_over_log_rate_is_met(target: float) -> None:
    below, above = at(0.4, 30.0, 0.9, 40.0), at(0.8, 33.0, 0.99, 50.0)
    point = interpolated(below, above, target)
    share = math.log(point.bpp / 0.4) / math.log(2)
    assert point.bpp == pytest.approx(target, abs=1e-4)
    assert point.psnr == pytest.approx(30 + 3 * share, abs=1e-2)
    assert psnr_of(point.mse) == pytest.approx(point.psnr)
    assert point.ms_ssim == pytest.approx(1 - 10 ** -(1 + share), abs=1e-3)
    assert point.others["score"] == pytest.approx(40 + 10 * share, abs=1e-2)
    assert (point.encode_seconds, point.decode_seconds) == (1.0, 2.0)


def test_exact_and_small_pictures() -> None:
    point = interpolated(at(0.4, 40.0, 0.99), at(0.6, math.inf, 1.0), 0.5)
    assert 40 < point.psnr < 60
    assert point.ms_ssim is not None
    assert 0.99 < point.ms_ssim < 1
    assert interpolated(at(0.4, 40.0, None), at(0.6, 41.0, None), 0.5).ms_ssim is None


def test_a_target_that_is_not_between_is_refused() -> None:
    with pytest.raises(ValueError, match="between"):
        interpolated(at(0.4, 30.0), at(0.6, 31.0), 0.7)
