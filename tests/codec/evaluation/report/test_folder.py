"""The report's folder: every file that the page speaks of, and the figures as pictures."""

import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from PIL import Image

from lpcodec.codec.evaluation.report import folder
from lpcodec.codec.evaluation.report.filenames import file_name
from lpcodec.codec.evaluation.report.plots import draw, rate_ticks
from lpcodec.codec.evaluation.run.results import Results, load


def test_all_files_are_there_and_say_the_same(results: Results, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report"
    written = folder.write(results, out, ())
    assert {path.relative_to(out).as_posix() for path in written} == {
        "index.html", "points.csv", "tables.md", "results.json",
        "curves-psnr.png", "curves-psnr.svg", "curves-ms-ssim.png", "curves-ms-ssim.svg",
        *(f"compressai/{file_name(codec.name)}.json" for codec in results.codecs),
    }  # fmt: skip
    assert set(written) == {path for path in out.rglob("*") if path.is_file()}
    assert load(out / "results.json") == results
    curve = json.loads((out / "compressai/jpeg.json").read_text())
    means = [row for row in json.loads((out / "results.json").read_text())["means"] if row["codec"] == "jpeg"]
    assert curve["results"]["bpp"] == [row["bpp"] for row in means]


def test_a_second_report_is_the_same(results: Results, tmp_path: Path) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in folder.write(results, tmp_path, ())}

    assert files() == files()


def test_figures_are_pictures_and_touch_no_global_state(results: Results, tmp_path: Path) -> None:
    mpl.use("Agg")  # asking for the backend chooses one
    before = dict(mpl.rcParams)
    png, svg, *_ = draw(results, tmp_path)
    assert dict(mpl.rcParams) == before
    with Image.open(png) as image:
        assert image.width == 960
        assert image.height > 690
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")


def test_figures_hold_whatever_the_names_and_points(results: Results, tmp_path: Path) -> None:
    titles = ("_a $x$", "日本", "b" * 60, "")
    odd = replace(
        results,
        codecs=tuple(replace(c, title=t) for c, t in zip(results.codecs, titles, strict=True)),
        points=tuple(replace(p, psnr=math.inf if p.codec == "jpeg" else p.psnr, ms_ssim=None) for p in results.points),
    )
    assert [path.name for path in draw(odd, tmp_path)] == ["curves-psnr.png", "curves-psnr.svg"]
    assert draw(replace(odd, points=()), tmp_path) == []


@pytest.mark.parametrize(("low", "high"), [(0.05, 2.0), (0.1, 0.2), (0.06, 1.6), (0.001, 24.0), (0.9, 1.1)])
def test_ticks_are_round_and_few(low: float, high: float) -> None:
    ticks = rate_ticks(low, high)
    assert 1 <= len(ticks) <= 8
    assert all(low <= tick <= high and len(f"{tick:g}".strip("0.")) <= 2 for tick in ticks)
