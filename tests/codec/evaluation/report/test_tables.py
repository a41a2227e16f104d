"""CSV, Markdown and CompressAI's JSON: the points and their means, readable by others."""

import csv
import io
import json
import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpcodec.codec.evaluation.metrics.point import PSNR_CEILING, Point
from lpcodec.codec.evaluation.report.filenames import file_name
from lpcodec.codec.evaluation.report.summary import bd_matrix, metrics_of, setting_rows, target_rows
from lpcodec.codec.evaluation.report.tables import compressai, markdown, number, overlap_text, points_csv, speed_text
from lpcodec.codec.evaluation.run.results import Results


def read_back(text: str) -> list[Point]:
    points = []
    for row in csv.DictReader(io.StringIO(text)):
        others = {k: float(row[k]) for k in ("lpips", "ssim") if row[k]}
        points.append(
            Point(
                row["codec"], float(row["setting"]), row["image"], int(row["bytes"]), int(row["pixels"]),
                float(row["bpp"]), float(row["psnr"]), float(row["mse"]),
                float(row["ms_ssim"]) if row["ms_ssim"] else None, float(row["encode_seconds"]),
                float(row["decode_seconds"]), float(row["target_bpp"]) if row["target_bpp"] else None, others,
            )
        )  # fmt: skip
    return points


def test_csv_brings_every_point_back(results: Results) -> None:
    odd = replace(results.points[0], psnr=math.inf, ms_ssim=None, others={"ssim": 0.1})
    document = replace(results, points=(odd, *results.points[1:]))
    assert read_back(points_csv(document)) == [*document.points, *document.target_points]


def test_compressai_has_the_means_of_the_curve(results: Results) -> None:
    document = json.loads(json.dumps(compressai(results, results.codecs[1]), allow_nan=False))
    rows = setting_rows(results, "jpeg")
    assert document["name"] == "jpeg"
    assert set(document) == {"name", "description", "results"}
    assert document["results"] == {
        "bpp": [row.means.bpp for row in rows],
        "psnr-rgb": [row.means.psnr for row in rows],
        "ms-ssim-rgb": [row.means.ms_ssim for row in rows],
        "encoding_time": [row.encode_seconds for row in rows],
        "decoding_time": [row.decode_seconds for row in rows],
    }


def test_compressai_leaves_out_what_it_cannot_say(results: Results) -> None:
    points = tuple(
        replace(p, ms_ssim=None, psnr=math.inf if p.setting == 40 else p.psnr) for p in results.points
    )  # fmt: skip
    columns = compressai(replace(results, points=points), results.codecs[1])["results"]
    assert "ms-ssim-rgb" not in columns
    assert len(columns["bpp"]) == len(columns["psnr-rgb"]) == 5
    assert columns["psnr-rgb"][-1] == PSNR_CEILING


def test_markdown_says_the_means_and_where_they_come_from(results: Results, partial: Results) -> None:
    text = markdown(results)
    row = target_rows(results)[1].means
    assert f"| 0.15 | JPEG | 3 | {row.bpp:.4f} | {row.psnr:.2f} | {row.ms_ssim:.4f} |" in text
    assert "the speeds are too low" in text
    assert "- jpeg at 10 bridge: broke" in text
    assert "subset: 3 of 10 pictures" in markdown(partial)


def test_markdown_has_each_bd_rate_with_its_overlap(results: Results) -> None:
    text = markdown(results)
    for metric in metrics_of(results):
        cell = bd_matrix(results, metric.name)["default", "jpeg"]
        line = "| Our default | JPEG | " + (
            f"refused | {cell} |"
            if isinstance(cell, str)
            else f"{cell.percent:+.1f} % | {overlap_text(cell, metric)} |"
        )
        assert line in text


def test_published_figures_stand_apart(results: Results) -> None:
    measured, _, published = markdown(results).partition("## BD-rate by PSNR (dB) against published curves")
    assert "VTM" not in measured
    assert "| Our default | VTM |" in published


def test_markdown_tables_keep_their_columns_whatever_the_names(results: Results) -> None:
    odd = replace(results, codecs=tuple(replace(c, title="a|b\n`c` <i>*") for c in results.codecs))
    for block in re.findall(r"(?:^\|.*\n)+", markdown(odd), re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(columns) == 1
    assert "<i>" not in markdown(odd).replace("\\<i\\>", "")


def test_an_overlap_is_in_the_measures_own_direction(results: Results) -> None:
    lpips = next(m for m in metrics_of(results) if m.name == "lpips")
    cell = bd_matrix(results, "psnr")["default", "jpeg"]
    assert not isinstance(cell, str)
    assert overlap_text(replace(cell, low_db=-0.4, high_db=-0.1), lpips) == "0.100 to 0.400"


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (math.inf, "inf"), (math.nan, "-"), (1.005, "1.00")])
def test_numbers(value: float | None, text: str) -> None:
    assert number(value, 2) == text


def test_speeds() -> None:
    assert [speed_text(v) for v in (0.123, 3.94, 38.2, 155.4)] == ["0.12", "3.9", "38", "155"]


@given(st.lists(st.text(max_size=100), unique=True, max_size=20))
def test_file_names_are_plain_and_keep_names_apart(names: list[str]) -> None:
    files = [file_name(name) for name in names]
    assert all(re.fullmatch(r"[A-Za-z0-9@+_][A-Za-z0-9._@+-]*", file) for file in files)
    assert len({file.lower() for file in files}) == len(names)
