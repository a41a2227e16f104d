"""The page as a file: safe whatever the names are, complete without a script, nothing fetched."""

import base64
import hashlib
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.codec.evaluation.metrics.point import PSNR_CEILING
from lpcodec.codec.evaluation.report.page import embedded, judged_by, page
from lpcodec.codec.evaluation.report.pictures import Shown
from lpcodec.codec.evaluation.report.summary import bd_by_picture, bd_matrix, mean_bd, target_rows
from lpcodec.codec.evaluation.report.tables import markdown
from lpcodec.codec.evaluation.run.results import Results


class Outline(HTMLParser):
    """The page's elements, and the text of its scripts and cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.cells: list[str] = []
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self.cells.append("")
        if tag in ("script", "td", "th"):
            self._in = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._in:
            self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.scripts.append(data)
        elif self._in:
            self.cells[-1] += data

    def attributes(self, name: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(name))]


SHOWN = (Shown("bridge", "", 0.0, 0.0, math.inf, "pictures/a.webp"), Shown("bridge", "jpeg", 0.3, 0.31, 30, "b.webp"))


@pytest.fixture(scope="module")
def html(results: Results) -> str:
    return page(results, SHOWN)


def document_of(html: str) -> Any:
    return json.loads(Outline(html).scripts[0])


JSON = st.recursive(
    st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@given(JSON)
@settings(max_examples=50)
def test_embedded_json_is_the_same_and_no_html(document: Any) -> None:
    text = embedded(document)
    assert json.loads(text) == document
    assert text.isascii()
    assert not set(text) & set("<>&")


def test_names_are_text_and_never_elements(html: str, results: Results) -> None:
    outline = Outline(html)
    assert len(outline.scripts) == sum(tag == "script" for tag, _ in outline.elements) == 2
    assert "i" not in {tag for tag, _ in outline.elements}
    assert results.codecs[2].title in outline.cells  # shown as it is
    assert document_of(html)["codecs"][2]["name"] == results.codecs[2].name


def test_only_the_pages_own_script_may_run(html: str) -> None:
    outline = Outline(html)
    policy = next(a["content"] for _, a in outline.elements if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(outline.scripts[1].encode()).digest()).decode()
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert not [name for _, a in outline.elements for name in a if name.startswith("on")]


def test_nothing_is_fetched_from_anywhere(html: str) -> None:
    links = [*Outline(html).attributes("src"), *Outline(html).attributes("href")]
    assert links
    assert not [link for link in links if re.match(r"(\w+:|//|/)", link) and link != "data:,"]
    assert "@import" not in html
    assert "url(" not in html.partition("</style>")[0]


def test_every_label_and_head_is_there(html: str) -> None:
    outline = Outline(html)
    ids = outline.attributes("id")
    assert len(ids) == len(set(ids))
    assert all(f"#{i}" != "" and i in ids for i in (h[1:] for h in outline.attributes("href") if h.startswith("#")))
    assert html.count("<table") == html.count("<caption")
    assert not re.findall(r"<th(?![^>]*scope=)[ >]", html)
    assert '<html lang="en">' in html


def test_means_and_bd_rates_stand_in_the_page_itself(html: str, results: Results) -> None:
    cells = Outline(html).cells
    row = target_rows(results)[0].means
    for text in (f"{row.bpp:.4f}", f"{row.psnr:.2f}", f"{row.ms_ssim:.4f}", f"{row.pooled_psnr:.2f}"):
        assert text in cells
    cell = bd_matrix(results, "psnr")["default", "jpeg"]
    assert not isinstance(cell, str)
    expected = (
        f"\N{MINUS SIGN}{-cell.percent:.1f} %{cell.low_db:.1f} to {cell.high_db:.1f} dB"
        f"{cell.test_bpp[0]:.2f} to {cell.test_bpp[1]:.2f} bpp"
    )
    assert expected in cells


def test_what_reading_changed_is_said(results: Results) -> None:
    notes = ("16-bit input reduced to 8 bit",)
    pictures = tuple(replace(p, notes=notes if i else ()) for i, p in enumerate(results.pictures.pictures))
    changed = replace(results, pictures=replace(results.pictures, pictures=pictures))
    line = "cat &amp; &lt;b&gt;dog&lt;/b&gt; and 1 more: 16-bit input reduced to 8 bit."
    assert f"<b>Changed before it was measured:</b> {line}" in page(changed, ())
    assert "Changed before" not in page(results, ())
    assert "and 1 more: 16-bit input reduced to 8 bit." in markdown(changed)


def test_what_limits_the_figures_is_said(html: str, results: Results, partial: Results) -> None:
    assert "Contended timing" in html
    assert "A subset" not in html
    assert "<b>A subset:</b> 3 of the 10 pictures" in page(partial, ())
    quiet = replace(results, machine=replace(results.machine, contended=False), failures=())
    assert "Contended" not in page(quiet, ())
    assert "Not measured" not in page(quiet, ())
    assert "broke &lt;/script&gt;" in html
    assert "a paper, &lt;i&gt;table 3&lt;/i&gt;" in html


def test_the_scripts_get_every_point(html: str, results: Results) -> None:
    document = document_of(html)
    assert len(document["rows"]) == len(results.points) + len(results.target_points)
    first = results.points[0]
    codec, picture, setting, target, bpp, size, *_ = document["rows"][0]
    assert (codec, picture, setting, target, size) == (0, 0, first.setting, None, first.bytes)
    assert bpp == pytest.approx(first.bpp, rel=1e-5)
    assert document["shown"][0] == ["bridge", "", 0.0, 0.0, "inf", "pictures/a.webp", 0, None, ""]
    assert document["ranks"]["title"] == "JPEG"
    assert set(document["ranks"]["percent"]) == {picture.name for picture in results.pictures.pictures}
    assert [c["title"] for c in document["published"]] == ["VTM"]


def test_bd_rates_of_every_picture_stand_in_the_page(html: str, results: Results) -> None:
    cells = bd_by_picture(results, "psnr", "default", "jpeg")
    texts = Outline(html).cells
    for cell in cells.values():
        assert not isinstance(cell, str)
        assert f"{cell.percent:+.1f} %".replace("-", "\N{MINUS SIGN}") in texts
    mean = mean_bd(cells)
    assert mean is not None
    assert f"{mean[0]:+.1f} %".replace("-", "\N{MINUS SIGN}") in texts


def test_avif_is_judged_by_what_it_was_tuned_for() -> None:
    both = ("lpcodec", "avif", "avif-speed2", "avif-default")
    assert judged_by("avif", both) == judged_by("avif-speed2", both) == ("psnr",)
    assert judged_by("avif-default", both) == ("ms_ssim", "ssimulacra2")
    both = ("lpcodec", "default@visual", "avif")
    assert judged_by("lpcodec", both) == ("psnr",)
    assert judged_by("default@visual", both) == ("ms_ssim", "ssimulacra2")
    assert judged_by("avif", ("lpcodec", "avif")) == judged_by("jpeg", both) == ("psnr", "ms_ssim", "ssimulacra2")


def test_each_set_of_weights_is_judged_by_what_it_was_trained_for(results: Results) -> None:
    names = {"default": "lpcodec", "wcae": "default@visual"}

    def renamed(item: Any) -> Any:
        name = item.codec if hasattr(item, "codec") else item.name
        new = names.get(name, name)
        return replace(item, codec=new) if hasattr(item, "codec") else replace(item, name=new)

    points = [renamed(p) for p in results.points if p.codec != "wcae"]
    points += [replace(p, codec="default@visual", psnr=p.psnr - 1) for p in points if p.codec == "lpcodec"]
    codecs = tuple(
        replace(c, title={"lpcodec": "For PSNR", "default@visual": "For the eye"}.get(c.name, c.title), has_dial=True)
        for c in map(renamed, results.codecs)
    )
    html = page(replace(results, points=tuple(points), target_points=(), codecs=codecs), ())
    document = document_of(html)
    assert document["ours"] == "default@visual"
    assert (document["ranks"]["ours"], document["ranks"]["metric"]) == ("For PSNR", "PSNR")
    assert "how many more bits <b>For the eye</b> (by PSNR: <b>For PSNR</b>) needs" in html
    assert "BD-rate of each picture by PSNR (dB): For PSNR against" in html
    assert "BD-rate of each picture by MS-SSIM (dB): For the eye against" in html


def test_a_page_of_one_picture_says_nothing_of_what_was_not_measured(results: Results) -> None:
    one = replace(results.pictures, pictures=results.pictures.pictures[:1], expected=None)
    points = tuple(p for p in results.target_points if p.image == "bridge")
    machine = replace(results.machine, contended=False)
    html = page(replace(results, machine=machine, pictures=one, points=(), target_points=points, failures=()), SHOWN)
    assert "<h2>Every file</h2>" in html
    for absent in ("Every picture", "encode MB", "worker", "nothing else running"):
        assert absent not in html.partition("<script")[0]


def test_pictures_come_before_figures(html: str) -> None:
    order = [html.index(f'id="{section}"') for section in ("viewer", "curves", "bd", "means", "images", "codecs")]
    assert order == sorted(order)


def test_published_curves_are_in_no_measured_table(html: str) -> None:
    measured, _, rest = html.partition("Against published curves")
    assert not [cell for cell in Outline(measured).cells if "VTM" in cell]
    assert "VTM" in rest
    assert "VTM" not in html.partition('id="means"')[2].partition("<script")[0]


def test_a_page_of_almost_nothing(results: Results) -> None:
    bare = replace(
        results, codecs=results.codecs[3:], points=results.of("wcae"), target_points=(), published=(), failures=()
    )
    html = page(replace(bare, points=tuple(bare.points)), ())
    assert "A BD-rate needs two codecs" in html
    assert 'id="viewer"' not in html
    empty = page(replace(bare, points=()), ())
    assert document_of(empty)["rows"] == []


def test_exact_pictures_leave_every_figure_finite(results: Results) -> None:
    lossless = tuple(
        replace(p, psnr=math.inf, mse=0.0, ms_ssim=1.0) if p.codec == "jpeg" else p for p in results.points
    )
    html = page(replace(results, points=lossless), ())
    assert "inf" not in Outline(html).cells
    assert document_of(html)["codecs"][1]["points"][0]["values"]["psnr"] == PSNR_CEILING
