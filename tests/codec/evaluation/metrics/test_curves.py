"""BD-rates: as measured on Kodak, as known by hand, and refused where they mean nothing."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.codec.arrays import psnr_of
from lpcodec.codec.evaluation.metrics.curves import BdRate, Curve, OverlapError, bd_rate, bd_rates, mean_curve
from lpcodec.codec.evaluation.metrics.distortion import bpp, ms_ssim_db
from lpcodec.codec.evaluation.metrics.point import PSNR_CEILING, Means, Point

# Means over the 24 Kodak pictures (bpp, PSNR): the first two curves that our comparisons rest on.
AVIF = (
    (0.1002, 26.8271), (0.1616, 28.2996), (0.2628, 30.0582), (0.4119, 31.9457), (0.6289, 34.0279),
    (0.9559, 36.4150), (1.2921, 38.3004), (1.6375, 39.8178),
)  # fmt: skip
JPEG2000 = (
    (0.0799, 25.7573), (0.1196, 26.8615), (0.1995, 28.4568), (0.2993, 29.9377), (0.4790, 31.9766),
    (0.7261, 34.1221), (1.0894, 36.5203), (1.5982, 39.1146),
)  # fmt: skip
LINE = tuple((0.1 * 2 ** (i / 2), 26.0 + 1.5 * i) for i in range(9))  # 0.1 to 1.6 bpp, 3 dB for twice the rate


def curve(codec: str, pairs: Sequence[tuple[float, float]], similarity: float | None = None) -> Curve:
    def mean(rate: float, db: float) -> Means:
        value = 1 - 10 ** (-db / 20) if similarity is None else similarity
        return Means(codec, rate, 24, rate, db, value, rate, db, 1.0, 1.0)

    return Curve(codec, tuple(mean(rate, db) for rate, db in pairs))


def scaled(factor: float) -> list[tuple[float, float]]:
    return [(rate * factor, db) for rate, db in LINE]


def test_a_bd_rate_measured_on_kodak() -> None:
    rate = bd_rate(curve("avif", AVIF), curve("jpeg2000", JPEG2000))
    assert rate.percent == pytest.approx(15.3, abs=0.1)
    assert (rate.low_db, rate.high_db) == pytest.approx((26.83, 37.14), abs=0.02)
    assert rate.anchor_bpp == pytest.approx((0.100, 1.076), abs=0.002)
    assert rate.test_bpp == pytest.approx((0.118, 1.200), abs=0.002)
    assert bd_rate(curve("jpeg2000", JPEG2000), curve("avif", AVIF)).percent == pytest.approx(-13.3, abs=0.1)


def test_its_text_names_metric_interpolation_and_overlap() -> None:
    text = str(bd_rate(curve("avif", AVIF), curve("jpeg2000", JPEG2000)))
    for part in ("+15.3 %", "psnr", "pchip", "26.8 to 37.1 dB", "avif: 0.100 to 1.076 bpp"):
        assert part in text


@given(factor=st.floats(0.7, 1.4))
@settings(max_examples=20, deadline=None)
def test_a_codec_that_needs_so_many_times_the_bits(factor: float) -> None:
    anchor, test = curve("a", LINE), curve("b", scaled(factor))
    forth, back = bd_rate(anchor, test), bd_rate(test, anchor)
    assert forth.percent == pytest.approx(100 * (factor - 1), abs=1e-6)
    assert (1 + forth.percent / 100) * (1 + back.percent / 100) == pytest.approx(1)
    assert forth.test_bpp[1] == pytest.approx(forth.anchor_bpp[1] * factor)


def test_only_the_range_of_rates_counts() -> None:
    beyond = [(rate * (3 if rate > 1.3 else 1), db) for rate, db in LINE]
    within = bd_rate(curve("a", LINE), curve("b", beyond), high_bpp=0.7)
    assert within.percent == pytest.approx(0, abs=1e-9)
    assert within.anchor_bpp == pytest.approx((0.1, 0.7), rel=1e-3)
    assert bd_rate(curve("a", LINE), curve("b", beyond), high_bpp=1.6).percent > 0.2


def test_ms_ssim_is_compared_in_db() -> None:
    rate = bd_rate(curve("a", LINE), curve("b", scaled(1.25)), "ms_ssim")
    assert rate.percent == pytest.approx(25, abs=1e-6)
    assert rate.low_db == pytest.approx(ms_ssim_db(1 - 10 ** (-26 / 20)))


@pytest.mark.parametrize(
    ("anchor", "test", "why"),
    [
        (LINE, [(0.1, 26.0), (0.5, 27.0), (1.0, 27.9)], "1.90 dB in common"),
        (LINE, [(0.1, 26.0), (1.0, 36.0)], "fewer than 3 points"),
        (LINE, [(0.1, 26.0), (0.3, 30.0), (3.0, 45.0)], "only 2 points of b"),
        (LINE, [(2.0, 26.0), (3.0, 30.0), (4.0, 36.0)], "no rates in common"),
        (LINE, [(0.1, 46.0), (0.3, 50.0), (1.0, 56.0)], "no quality in common"),
    ],
)
def test_overlaps_that_mean_nothing_are_refused(
    anchor: Sequence[tuple[float, float]], test: Sequence[tuple[float, float]], why: str
) -> None:
    with pytest.raises(OverlapError, match=why):
        bd_rate(curve("a", anchor), curve("b", test))


def test_a_curve_must_have_what_is_compared() -> None:
    small = Curve("s", tuple(Means("s", r, 1, r, d, None, r, d, 1, 1) for r, d in LINE))
    with pytest.raises(ValueError, match="no MS-SSIM"):
        bd_rate(curve("a", LINE), small, "ms_ssim")
    with pytest.raises(ValueError, match="rates must rise"):
        bd_rate(curve("a", LINE), curve("b", LINE), low_bpp=1.2, high_bpp=0.1)


def test_settings_that_another_setting_beats_are_no_part_of_a_curve() -> None:
    """As of a codec that stores a picture losslessly if that is smaller: more bytes, lower quality, equal points."""
    better = scaled(1.25)
    rate, decibels = better[2]
    beaten = [(rate * 1.01, decibels - 0.5), (rate, decibels - 3), (rate, decibels), (rate * 1.02, decibels)]
    expected = bd_rate(curve("a", LINE), curve("b", better))
    assert bd_rate(curve("a", LINE), curve("b", sorted([*better, *beaten]))) == expected
    falling = curve("b", [(0.1, 30.0), (0.4, 29.0), (0.8, 28.0)])
    with pytest.raises(OverlapError, match="fewer than 3"):
        bd_rate(curve("a", LINE), falling)


def test_the_table_of_all_against_all_keeps_what_was_refused() -> None:
    table = bd_rates([curve("a", LINE), curve("b", scaled(1.25)), curve("c", LINE[:2])])
    assert len(table) == 6
    good = table["b", "a"]
    assert isinstance(good, BdRate)
    assert good.percent == pytest.approx(25)
    assert isinstance(table["c", "a"], OverlapError)


def points(rows: Sequence[tuple[float, str, int]]) -> list[Point]:
    return [
        Point("x", setting, image, size, 1000, bpp(size, 1000), 30 + setting, 10**-setting, 0.9, 0.1, 0.1)
        for setting, image, size in rows
    ]


def test_a_mean_curve_has_one_mean_a_setting_in_order_of_rate() -> None:
    rows = [(1.0, "a", 300), (2.0, "a", 40), (1.0, "b", 100), (2.0, "b", 20)]
    others = [Point("y", 1.0, "a", 1, 1, 8.0, 1.0, 1.0, None, 1.0, 1.0)]
    mean = mean_curve([*points(rows), *others], "x")
    assert mean.rates() == pytest.approx([bpp(30, 1000), bpp(200, 1000)])
    assert mean.qualities("psnr") == [32.0, 31.0]
    assert [m.setting for m in mean.means] == [2.0, 1.0]
    assert mean.means[0].pooled_psnr == pytest.approx(min(psnr_of(0.01), PSNR_CEILING))


def test_a_setting_that_lacks_a_picture_is_left_out() -> None:
    rows = [(1.0, "a", 300), (1.0, "b", 300), (2.0, "a", 40)]
    assert [m.setting for m in mean_curve(points(rows), "x").means] == [1.0]
    for none_whole in ([], [(1.0, "a", 300), (2.0, "b", 40)]):
        with pytest.raises(ValueError, match="a setting with points of all its pictures"):
            mean_curve(points(none_whole), "x")


@given(factor=st.floats(0.8, 1.25))
@settings(max_examples=20, deadline=None)
def test_any_measure_can_be_compared_by_name(factor: float) -> None:
    def other(codec: str, scale: float, name: str, values: Sequence[float]) -> Curve:
        rows = zip(LINE, values, strict=True)
        return Curve(
            codec,
            tuple(Means(codec, r, 24, r * scale, d, None, r, d, 1.0, 1.0, {name: v}) for (r, d), v in rows),
        )

    rising = [40 + 5.0 * i for i in range(len(LINE))]
    falling = [0.6 * 0.8**i for i in range(len(LINE))]
    for name, values in (("ssimulacra2", rising), ("lpips", falling)):
        rate = bd_rate(other("a", 1, name, values), other("b", factor, name, values), name)
        assert rate.percent == pytest.approx(100 * (factor - 1), abs=1e-6)
        assert name in str(rate)
    flat = [0.6 - 0.004 * i for i in range(len(LINE))]
    with pytest.raises(OverlapError, match=r"in common, 0\.05 are needed"):
        bd_rate(other("a", 1, "lpips", flat), other("b", 1, "lpips", flat), "lpips")
    with pytest.raises(ValueError, match="has no ssim"):
        bd_rate(other("a", 1, "lpips", falling), other("b", 1, "lpips", falling), "ssim")
