"""Means, speeds and BD-rates of a report: those of the points, and nothing else."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from lpcodec.codec.evaluation.metrics.curves import BdRate, bd_rate, mean_curve
from lpcodec.codec.evaluation.metrics.point import PSNR_CEILING, Point, means
from lpcodec.codec.evaluation.report.palette import DARK, LIGHT, styles
from lpcodec.codec.evaluation.report.summary import (
    bd_by_picture,
    bd_matrix,
    bd_published,
    derived,
    mean_bd,
    metrics_of,
    setting_rows,
    speed,
    target_rows,
)
from lpcodec.codec.evaluation.run.results import PublishedCurve, Results, load, save


def without(results: Results, codec: str, picture: str, setting: float | None = None) -> Results:
    def stays(p: Point) -> bool:
        return (p.codec, p.image) != (codec, picture) or (setting is not None and p.setting != setting)

    return replace(results, points=tuple(p for p in results.points if stays(p)))


def test_rows_are_the_means_of_their_points(results: Results) -> None:
    rows = setting_rows(results, "jpeg")
    assert [row.means.bpp for row in rows] == sorted(row.means.bpp for row in rows)
    for row in rows:
        points = [p for p in results.of("jpeg") if p.setting == row.means.setting]
        assert row.means == means(points)
        assert row.encode_seconds == pytest.approx(0.2)
        assert row.value("ms_ssim") == row.means.ms_ssim_db
        assert row.value("ssim") == pytest.approx(points[0].others["ssim"])
        assert row.value("nothing") is None


def test_targets_come_by_rate_and_count_what_is_above(results: Results) -> None:
    rows = target_rows(results)
    assert [row.target_bpp for row in rows] == [0.15] * 3 + [0.3] * 3
    assert [row.codec for row in rows[:3]] == [c.name for c in results.codecs[:3]]
    assert [row.above_target for row in rows] == [2] * 6  # the second and third picture are made 3 and 6 % larger


def test_a_picture_that_is_missing_somewhere_counts_nowhere(results: Results) -> None:
    torn = without(results, "jpeg", "bridge", setting=20.0)
    assert {row.means.pictures for row in setting_rows(torn, "jpeg")} == {2}
    assert {row.means.pictures for row in setting_rows(torn, "default")} == {3}
    cell = bd_matrix(torn, "psnr")["default", "jpeg"]
    both = [p for p in results.points if p.image != "bridge"]
    assert cell == bd_rate(mean_curve(both, "jpeg"), mean_curve(both, "default"))


def test_codecs_without_a_picture_in_common_are_refused(results: Results) -> None:
    torn = without(without(results, "jpeg", "bridge"), "jpeg", "überall")
    torn = without(torn, "default", "cat & <b>dog</b>")
    assert bd_matrix(torn, "psnr")["default", "jpeg"] == "no pictures in common"


def test_the_matrix_has_every_pair_of_codecs_with_a_dial(results: Results) -> None:
    table = bd_matrix(results, "psnr")
    assert len(table) == 6
    assert not any("wcae" in pair for pair in table)
    cell = table["default", "jpeg"]
    assert isinstance(cell, BdRate)
    assert cell.percent == pytest.approx(100 * (1 / 1.6 - 1), abs=0.5)


def test_refusals_say_why_in_a_few_words(results: Results) -> None:
    dialled = replace(results, codecs=tuple(replace(c, has_dial=True) for c in results.codecs))
    assert bd_matrix(dialled, "psnr")["wcae", "jpeg"] == "a curve has fewer than 3 points"
    lossless = tuple(replace(p, psnr=math.inf) if p.codec == "jpeg" else p for p in results.points)
    reason = bd_matrix(replace(results, points=lossless), "psnr")["default", "jpeg"]
    assert reason == "a curve has fewer than 3 points", "exact pictures have no finite PSNR"


def test_published_curves_are_anchors_of_a_whole_set_alone(results: Results, partial: Results) -> None:
    table = bd_published(results, "psnr")
    assert {published for _, published in table} == {"vtm"}
    assert isinstance(table["default", "vtm"], BdRate)
    assert bd_published(partial, "psnr") == {}
    assert bd_published(results, "ssim") == {}
    plain = replace(results, published=(PublishedCurve("x", "X", "here", (0.1, 0.3), (30.0, 34.0)),))
    assert bd_published(plain, "ms_ssim") == {}
    fewer = without(results, "default", "bridge")
    assert bd_published(fewer, "psnr")["default", "vtm"] == "not measured on every picture"


def test_measures_are_those_of_the_points(results: Results) -> None:
    assert [(m.name, m.higher_is_better) for m in metrics_of(results)] == [
        ("psnr", True), ("ms_ssim", True), ("lpips", False), ("ssim", True),
    ]  # fmt: skip
    plain = replace(
        results, target_points=(), points=tuple(replace(p, ms_ssim=None, others={}) for p in results.points)
    )
    assert [m.name for m in metrics_of(plain)] == ["psnr"]


def test_speed_is_all_pixels_over_all_seconds(results: Results) -> None:
    encode, decode = speed(results, "jpeg") or (0, 0)
    assert encode == pytest.approx(0.12 * 3 / 0.6)
    assert decode == pytest.approx(10 * encode)
    assert speed(results, "nobody") is None


def test_the_document_keeps_the_derived_figures_and_loads_again(results: Results, tmp_path: Path) -> None:
    lossless = replace(results.points[0], psnr=math.inf, mse=0.0)
    document = replace(results, points=(lossless, *results.points[1:]))
    path = tmp_path / "results.json"
    save(document, path, derived(document))
    assert load(path) == document
    written = json.loads(path.read_text("utf-8"))
    assert written["means"][0]["codec"] == "default"
    assert written["means"][0]["exact"] == 1
    assert 30 < written["means"][0]["psnr"] < PSNR_CEILING
    assert written["points"][0]["psnr"] is None  # strict JSON has no infinity
    assert len(written["bd_rates"]) == 6 * 4
    assert {row["anchor"] for row in written["bd_rates_published"]} == {"vtm"}


def test_curves_look_different_and_ours_come_first(results: Results) -> None:
    many = tuple(replace(results.codecs[1], name=f"peer {i}") for i in range(20))
    measured, published = styles(replace(results, codecs=(*many, *results.codecs)))
    assert (measured["default"].color, measured["default"].strong) == (0, True)
    assert published["vtm"].dotted
    looks = [(style.color, style.marker) for style in (*measured.values(), *published.values())]
    assert len(set(looks[:24])) == 24


@pytest.mark.parametrize(("colors", "paper"), [(LIGHT, "#ffffff"), (DARK, "#14171b")])
def test_curves_stand_out_from_the_page(colors: tuple[str, ...], paper: str) -> None:
    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for color in colors:
        low, high = sorted((luminance(color), luminance(paper)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, color


def with_one_exact(results: Results) -> Results:
    """One picture of three comes back exactly from both codecs at their finer settings, as a stored screenshot does."""
    exact = tuple(
        replace(p, psnr=math.inf, mse=0.0, ms_ssim=1.0) if p.image == "bridge" and p.setting >= 30 else p
        for p in results.points
    )
    return replace(results, points=exact, target_points=())


def test_one_exact_picture_leaves_means_and_bd_rates_finite(results: Results, tmp_path: Path) -> None:
    document = with_one_exact(results)
    for metric in ("psnr", "ms_ssim"):
        assert isinstance(bd_matrix(document, metric)["default", "jpeg"], BdRate)
    found = derived(document)
    assert all(row["psnr"] is not None and row["ms_ssim_db"] is not None for row in found["means"])
    save(document, tmp_path / "results.json", found)
    assert "Infinity" not in (tmp_path / "results.json").read_text()


def test_bd_rates_by_picture_and_their_mean(results: Results) -> None:
    cells = bd_by_picture(results, "psnr", "default", "jpeg")
    assert list(cells) == [picture.name for picture in results.pictures.pictures]
    single = replace(results, points=tuple(p for p in results.points if p.image == "bridge"))
    assert cells["bridge"] == bd_matrix(single, "psnr")["default", "jpeg"]
    figures = [cell.percent for cell in cells.values() if isinstance(cell, BdRate)]
    mean = mean_bd({**cells, "flat": "refused"})
    assert mean == (pytest.approx(sum(figures) / 3), 3)
    assert mean_bd({"flat": "refused"}) is None
    rows = {(r["test"], r["anchor"], r["metric"]): r for r in derived(results)["bd_rates_by_picture"]}
    assert {test for test, _, _ in rows} == {"default"}  # our models alone
    assert rows["default", "jpeg", "psnr"]["mean_percent"] == pytest.approx(sum(figures) / 3)


def test_target_rows_are_at_the_target_if_files_lie_on_both_sides(results: Results) -> None:
    def made(picture: str, rate: float) -> Point:
        point = next(p for p in results.of("jpeg") if p.image == picture)
        return replace(
            point, bytes=round(rate * point.pixels / 8), bpp=rate, psnr=38 + 6 * math.log2(rate), target_bpp=0.3
        )

    below = [made(p, 0.27) for p in ("bridge", "überall")]
    above = [replace(made(p, 0.32), above=True) for p in ("bridge", "überall")]
    lone = made("cat & <b>dog</b>", 0.35)  # the codec can't go lower
    (row,) = target_rows(replace(results, target_points=(*below, *above, lone)))
    assert (row.interpolated, row.above_target, row.means.pictures) == (2, 1, 3)
    assert row.file_bpp == pytest.approx((0.27 + 0.27 + 0.35) / 3)
    assert row.means.bpp == pytest.approx((0.3 + 0.3 + 0.35) / 3, abs=1e-4)
    assert row.means.psnr == pytest.approx(38 + 6 * (2 * math.log2(0.3) + math.log2(0.35)) / 3, abs=1e-3)
