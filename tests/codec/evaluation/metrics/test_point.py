"""Points and means: their JSON, what they measure, what they refuse."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.codec.arrays import psnr_of
from lpcodec.codec.evaluation.metrics import distortion
from lpcodec.codec.evaluation.metrics.point import Point, means, measured_point


def a_point(**changes: object) -> Point:
    row: dict[str, object] = {
        "codec": "x", "setting": 1.0, "image": "a", "bytes": 100, "pixels": 800, "bpp": 1.0, "psnr": 30.0,
        "mse": 65.0, "ms_ssim": 0.9, "encode_seconds": 0.1, "decode_seconds": 0.2,
    }  # fmt: skip
    return Point(**{**row, **changes})  # type: ignore[arg-type]


def test_a_point_is_measured() -> None:
    original = np.random.default_rng(0).integers(0, 250, (161, 170, 3), dtype=np.uint8)
    decoded = np.clip(original.astype(int) + 2, 0, 255).astype(np.uint8)
    found = measured_point("x", 5, "waves", original, decoded, 3421, (0.5, 0.25))
    assert found.bpp == pytest.approx(8 * 3421 / (161 * 170))
    assert found.psnr == distortion.psnr(original, decoded)
    assert found.mse == pytest.approx(4, abs=0.01)
    assert found.ms_ssim == distortion.ms_ssim(original, decoded)
    assert measured_point("x", 5, "s", original[:9], decoded[:9], 34, (0, 0)).ms_ssim is None


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
    mean = means([small, large])
    assert (mean.setting, mean.pictures) == (1.0, 2)
    assert (mean.bpp, mean.psnr) == (0.75, 30.0)
    assert mean.pooled_bpp == pytest.approx(8 * 300 / 4000)
    assert mean.pooled_psnr == pytest.approx(psnr_of((6.5025 * 800 + 650.25 * 3200) / 4000))
    assert mean.ms_ssim_db == pytest.approx(distortion.ms_ssim_db(0.94))
    assert mean.encode_mps == pytest.approx(4000 / 1e6 / 0.2)
    assert mean.decode_mps == pytest.approx(4000 / 1e6 / 0.4)


def test_means_of_different_settings_have_none_and_of_small_pictures_no_ms_ssim() -> None:
    mean = means([a_point(), a_point(image="b", setting=2.0, ms_ssim=None)])
    assert mean.setting is None
    assert mean.ms_ssim is None
    assert mean.ms_ssim_db is None


@pytest.mark.parametrize("points", [[], [a_point(), a_point()], [a_point(), a_point(codec="y", image="b")]])
def test_means_need_one_codec_and_each_picture_once(points: list[Point]) -> None:
    with pytest.raises(ValueError, match="one codec, one per picture"):
        means(points)


def test_an_exact_picture_counts_as_sixty_decibels_in_means() -> None:
    mean = means([a_point(psnr=40.0), a_point(image="b", psnr=math.inf, mse=0.0), a_point(image="c", psnr=71.0)])
    assert mean.psnr == pytest.approx((40 + 60 + 60) / 3)
    assert mean.exact == 1
    assert means([a_point(psnr=math.inf, mse=0.0)]).pooled_psnr == 60
