"""The page in a real browser: Debian's chromium, driven by Playwright, without a network."""

import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec.evaluation.report import folder
from lpcodec.codec.evaluation.report.pictures import Shown
from lpcodec.codec.evaluation.run.results import Results

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
MILLISECONDS = 120_000


@pytest.fixture(scope="module")
def report(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    shown = []
    grey = np.linspace(0, 255, 400, dtype=np.uint8)
    for i, (codec, near) in enumerate([("", 0.0), *((c, r) for c in ("default", "jpeg") for r in (0.15, 0.3))]):
        path = out / "pictures" / f"{i}.webp"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.broadcast_to(grey // (i + 1), (300, 400)).copy()).save(path, lossless=True)
        for picture in ("bridge", "überall"):
            if not codec:
                original = f"pictures/{i}.webp"
                shown.append(Shown(picture, "", 0.0, 0.0, math.inf, original, thumbnail=original))
                continue
            file = "pictures/1.webp" if codec == "default" else ""  # stands in for an .lpc file
            size = round(near * 1.01 * 400 * 300 / 8)
            shown.append(Shown(picture, codec, near, near * 1.01, 30.0 + i, f"pictures/{i}.webp", size, 0.95, file))
    return folder.write(results, out, shown, single_file=True)[0]


class Watch:
    """An open page, with all that it said and asked for."""

    def __init__(self, browser: "Browser", path: Path, **options: Any) -> None:
        self.page: Page = browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options}).new_page()
        self.page.set_default_timeout(MILLISECONDS)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def close(self) -> None:
        assert self.said == []
        assert [url for url in self.asked if not url.startswith(("file:", "data:"))] == []
        self.page.context.close()


def choose(page: "Page", group: str, text: str) -> None:
    """Takes one of a group of radio buttons."""
    page.locator(f"#{group}").get_by_label(text, exact=True).check()


@pytest.fixture
def watch(browser: "Browser", report: Path) -> Iterator[Watch]:
    opened = Watch(browser, report)
    yield opened
    opened.close()


def test_curves_are_drawn_toggled_and_switched(watch: Watch) -> None:
    page = watch.page
    curves = page.locator("#rd [data-curve]")
    assert curves.count() == 5
    assert page.locator("#rd .dotted[data-curve='VTM'] .curve").count() == 1
    assert page.locator("#rd [data-curve='WCAE'] .curve").count() == 0  # one point: no line
    button = page.get_by_role("button", name="JPEG", exact=True)
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert page.locator("#rd [data-curve='JPEG']").count() == 0
    button.click()
    assert curves.count() == 5
    before = page.locator("#rd [data-curve='JPEG'] .curve").get_attribute("d")
    choose(page, "rd-scale", "linear")
    linear = page.locator("#rd [data-curve='JPEG'] .curve").get_attribute("d")
    choose(page, "rd-metric", "MS-SSIM (dB)")
    assert len({before, linear, page.locator("#rd [data-curve='JPEG'] .curve").get_attribute("d")}) == 3
    assert "MS-SSIM (dB)" in (page.locator("#rd svg").text_content() or "")


def test_pointing_and_keys_tell_codec_setting_and_values(watch: Watch) -> None:
    page = watch.page
    page.locator("#rd [data-curve='JPEG'] .mark").nth(2).hover()
    tip = page.locator("#rd .tip")
    assert tip.is_visible()
    assert re.search(r"JPEGsetting 20\s*0\.412 bpp\s*PSNR \d\d\.\d\d dB", tip.text_content() or "")
    page.mouse.move(2, 2)
    assert not tip.is_visible()
    page.locator("#rd svg").focus()
    page.keyboard.press("ArrowRight")
    first = page.locator("#rd-readout").text_content() or ""
    page.keyboard.press("ArrowRight")
    second = page.locator("#rd-readout").text_content() or ""
    assert first.startswith("Our default: setting 0")
    assert second.startswith("Our default: setting 10")
    page.keyboard.press("ArrowDown")
    assert (page.locator("#rd-readout").text_content() or "").startswith("JPEG: setting 10")


def test_speeds_are_drawn_against_each_anchor(watch: Watch) -> None:
    page = watch.page
    assert page.locator("#speed-chart .mark").count() == 3
    page.select_option("#speed-anchor", label="Our default")
    choose(page, "speed-side", "encode")
    page.locator("#speed-chart [data-curve='JPEG'] .mark").hover()
    assert re.search(r"BD-rate \+6\d\.\d %", page.locator("#speed-chart .tip").text_content() or "")


def test_one_measure_of_bd_rate_at_a_time_and_all_on_paper(watch: Watch) -> None:
    page = watch.page
    matrix = page.get_by_role("table", name="BD-rate by MS-SSIM (dB)", exact=True)
    assert not matrix.is_visible()
    choose(page, "bd-metric", "MS-SSIM (dB)")
    assert matrix.is_visible()
    page.emulate_media(media="print")
    assert page.get_by_role("table", name="BD-rate by PSNR (dB)", exact=True).is_visible()
    assert not page.locator("#zoom").is_visible()


def test_tables_sort_and_filter(watch: Watch) -> None:
    page = watch.page

    def column(index: int) -> list[float]:
        return [float(text) for text in page.locator(f"#image-table tbody tr > :nth-child({index})").all_inner_texts()]

    assert page.locator("#image-table tbody tr").count() == 9
    head = page.locator("#image-table").get_by_role("button", name="PSNR (dB)")
    head.click()
    assert column(5) == sorted(column(5))
    head.click()
    assert column(5) == sorted(column(5), reverse=True)
    assert page.locator("#image-table th[aria-sort]").get_attribute("aria-sort") == "descending"
    page.select_option("#image-codec", "jpeg")
    assert page.locator("#image-table tbody tr").count() == 3
    page.select_option("#image-points", "settings")
    assert page.locator("#image-table tbody tr").count() == 15
    assert page.locator("#image-count").text_content() == "15 of 15 rows"
    page.locator("#means table").first.get_by_role("button", name="bpp", exact=True).click()
    rates = page.locator("#means table").first.locator("tbody td:nth-child(3)").all_inner_texts()
    assert [float(r) for r in rates] == sorted(float(r) for r in rates)


def test_the_slider_moves_by_pointer_and_keys(watch: Watch) -> None:
    page = watch.page
    divider = page.locator("#divider")
    divider.scroll_into_view_if_needed()
    box = page.locator("#view").bounding_box()
    handle = divider.bounding_box()
    assert box is not None
    assert handle is not None
    page.mouse.move(handle["x"] + handle["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    page.mouse.up()
    assert divider.get_attribute("aria-valuenow") == "25"
    cut = page.locator("#layer-left").evaluate("e => parseFloat(e.style.clipPath.split(' ')[1])")
    assert cut == pytest.approx(box["width"] * 0.75, abs=2)
    divider.focus()
    page.keyboard.press("ArrowRight")
    assert divider.get_attribute("aria-valuenow") == "27"
    page.keyboard.press("End")
    assert divider.get_attribute("aria-valuenow") == "100"


def test_both_sides_say_what_they_are(watch: Watch) -> None:
    page = watch.page
    assert page.locator("#side-left").inner_text().split("\n") == ["Original", "uncompressed"]
    assert page.locator("#side-right").inner_text().split("\n") == [
        "Our default", "2,272 bytes, 0.151 bpp", "31.00 dB, MS-SSIM 0.9500", "Download the .lpc file",
    ]  # fmt: skip
    page.select_option("#near", "0.3")
    page.select_option("#left", label="JPEG")
    assert page.locator("#side-left").inner_text().split("\n")[:2] == ["JPEG", "4,545 bytes, 0.303 bpp"]
    page.get_by_role("button", name="Next picture").click()
    assert page.locator("#picture").input_value() == "überall"
    assert page.locator("#image-right").get_attribute("src") == "pictures/2.webp"
    assert page.locator("#image-right").evaluate("async e => { await e.decode(); return e.naturalWidth }") == 400


@pytest.mark.parametrize("size", [PHONE, DESKTOP, {"width": 900, "height": 500}])
def test_captions_and_controls_are_in_view_with_the_picture_and_do_not_cover_it(
    browser: "Browser", report: Path, size: Any
) -> None:
    watch = Watch(browser, report, viewport=size)
    page = watch.page
    for zoom in ("fit", "4×"):
        choose(page, "zoom", zoom)
        page.locator("#view").evaluate("e => e.scrollIntoView({block: 'start'})")
        picture = _box(page, "view")
        for name in ("side-left", "side-right", "zoom", "flip"):
            left, top, right, bottom = _box(page, name)
            assert 0 <= left < right <= size["width"]
            assert picture[3] <= top < bottom <= size["height"]
    watch.close()


def _box(page: "Page", name: str) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of an element in the window."""
    box = page.locator(f"#{name}").bounding_box()
    assert box is not None
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def test_a_figure_is_never_broken_between_lines(browser: "Browser", report: Path) -> None:
    watch = Watch(browser, report, viewport=PHONE)
    figures = watch.page.locator(".side > span > span, .details figcaption > span > span")
    assert figures.count() >= 8
    for rows in figures.evaluate_all("all => all.map(e => e.getClientRects().length)"):
        assert rows == 1
    watch.close()


def test_the_picture_stays_where_it_is_while_codecs_are_chosen(watch: Watch) -> None:
    page = watch.page
    places = []
    for left, right in (("", "default"), ("jpeg", "default"), ("jpeg", "")):
        page.select_option("#left", left)
        page.select_option("#right", right)
        places.append(_box(page, "view"))
    assert len(set(places)) == 1


def test_the_same_detail_of_four_codecs_follows_the_pointer(watch: Watch) -> None:
    page = watch.page
    captions = page.locator("#details figcaption b").all_inner_texts()
    assert captions == ["Original", "Our default", "JPEG"]  # no other codec has pictures here
    places = page.locator("#details img").evaluate_all("all => all.map(e => e.style.transform)")
    assert len(set(places)) == 1
    box = page.locator("#view").bounding_box()
    assert box is not None
    page.locator("#view").hover(position={"x": box["width"] - 5, "y": box["height"] - 5})
    moved = page.locator("#details img").evaluate_all("all => all.map(e => e.style.transform)")
    assert len(set(moved)) == 1
    assert moved != places


def test_a_key_and_a_button_flip_while_they_are_held(watch: Watch) -> None:
    page = watch.page

    def cut() -> float:
        return float(page.locator("#layer-left").evaluate("e => parseFloat(e.style.clipPath.split(' ')[1])"))

    box = page.locator("#view").bounding_box()
    assert box is not None
    assert cut() == pytest.approx(box["width"] / 2, abs=1)
    page.keyboard.down("f")
    assert cut() == pytest.approx(box["width"], abs=1)  # nothing of the left one is shown
    page.keyboard.up("f")
    assert cut() == pytest.approx(box["width"] / 2, abs=1)
    button = page.locator("#flip").bounding_box()
    assert button is not None
    page.mouse.move(button["x"] + 9, button["y"] + 9)
    page.mouse.down()
    assert cut() == pytest.approx(box["width"], abs=1)
    page.mouse.up()
    assert cut() == pytest.approx(box["width"] / 2, abs=1)


@pytest.mark.parametrize("chosen", ["#right", "#near", "#zoom input >> nth=0"])
def test_the_key_flips_after_something_was_chosen(watch: Watch, chosen: str) -> None:
    page = watch.page
    page.locator(chosen).focus()
    before = page.locator("#right").input_value()
    page.keyboard.down("f")
    assert "flipped" in (page.locator("#stage").get_attribute("class") or "")
    page.keyboard.up("f")
    assert "flipped" not in (page.locator("#stage").get_attribute("class") or "")
    assert page.locator("#right").input_value() == before
    page.locator("#picture").focus()  # there a letter chooses a name
    page.keyboard.down("f")
    assert "flipped" not in (page.locator("#stage").get_attribute("class") or "")
    page.keyboard.up("f")


def test_the_difference_is_black_where_both_are_the_same(watch: Watch) -> None:
    page = watch.page

    def brightest() -> int:
        with Image.open(io.BytesIO(page.locator("#view").screenshot())) as shot:
            below = shot.convert("L").crop((0, shot.height // 2, shot.width, shot.height - 8))
            return int(np.asarray(below).max())

    page.select_option("#left", label="JPEG")
    page.select_option("#right", label="JPEG")
    choose(page, "mode", "difference")
    assert brightest() <= 2
    page.select_option("#right", label="Original")
    page.locator("#image-right").evaluate("e => e.decode()")
    assert brightest() > 200
    assert not page.locator("#divider").is_visible()


def test_thumbnails_go_from_the_best_picture_to_the_worst(watch: Watch) -> None:
    page = watch.page
    names = page.locator("#thumbnails button").evaluate_all("all => all.map(e => e.dataset.picture)")
    assert sorted(names) == ["bridge", "überall"]
    assert page.locator("#thumbnails em").all_inner_texts() == ["best", "worst"]
    page.locator("#thumbnails button").nth(1).click()
    assert page.locator("#picture").input_value() == names[1]
    assert page.locator("#thumbnails [aria-current=true]").get_attribute("data-picture") == names[1]


def test_the_single_file_needs_nothing_beside_it(browser: "Browser", report: Path, tmp_path: Path) -> None:
    alone = tmp_path / "sent.html"
    alone.write_bytes((report.parent / "report.html").read_bytes())
    watch = Watch(browser, alone)
    page = watch.page
    assert page.locator("#image-right").evaluate("async e => { await e.decode(); return e.naturalWidth }") == 400
    assert (
        page.locator("#thumbnails img").first.evaluate("async e => { await e.decode(); return e.naturalWidth }") == 400
    )
    with page.expect_download() as download:
        page.locator("#side-right a").click()
    assert download.value.suggested_filename == "bridge-default.lpc"
    assert [url for url in watch.asked if url.startswith("file:")] == [alone.as_uri()]
    watch.close()


def test_a_table_that_is_cut_off_says_that_it_scrolls(browser: "Browser", report: Path) -> None:
    watch = Watch(browser, report, viewport=PHONE, has_touch=True)
    page = watch.page
    tables = page.locator(".scroll:visible")
    for i in range(tables.count()):
        wide = tables.nth(i).evaluate("e => e.scrollWidth > e.clientWidth + 1")
        said = tables.nth(i).evaluate("e => Boolean(e.previousElementSibling?.classList.contains('scrolls'))")
        assert wide == said
    assert page.locator(".scrolls:visible").count() > 0
    watch.close()


def test_zoom_and_pan(watch: Watch) -> None:
    page = watch.page

    def place() -> tuple[float, float, float]:
        scale, x, y = page.locator("#image-left").evaluate(
            "e => { const m = new DOMMatrix(getComputedStyle(e).transform); return [m.a, m.e, m.f]; }"
        )
        return scale, x, y

    frame = page.locator("#view").bounding_box()
    assert frame is not None
    assert place()[0] == pytest.approx(1)  # a picture that fits is not enlarged
    for text, scale in (("1:1", 1), ("2×", 2), ("4×", 4)):
        choose(page, "zoom", text)
        assert place()[0] == pytest.approx(scale)
    before = place()
    page.locator("#view").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert place() == pytest.approx((4, before[1] - 48, before[2] - 48))
    frame = page.locator("#view").bounding_box()  # the page has scrolled
    assert frame is not None
    page.mouse.move(frame["x"] + 80, frame["y"] + 80)
    page.mouse.down()
    page.mouse.move(frame["x"] + 90, frame["y"] + 85)
    page.mouse.up()
    assert place() == pytest.approx((4, before[1] - 38, before[2] - 43))
    assert page.locator("#image-right").evaluate("e => e.style.transform") == page.locator("#image-left").evaluate(
        "e => e.style.transform"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_themes(browser: "Browser", report: Path, scheme: str) -> None:
    watch = Watch(browser, report, color_scheme=scheme)

    def paper() -> str:
        return str(watch.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    papers = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}
    other = "dark" if scheme == "light" else "light"
    assert paper() == papers[scheme]
    watch.page.locator("#theme").click()
    assert paper() == papers[other]
    watch.page.reload()
    assert paper() == papers[other]  # it is kept
    watch.page.emulate_media(media="print")
    assert paper() == papers["light"]
    watch.close()


def test_a_phone_scrolls_only_downwards(browser: "Browser", report: Path) -> None:
    watch = Watch(browser, report, viewport=PHONE, has_touch=True)
    assert watch.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    watch.page.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
    assert watch.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    boxes = watch.page.locator("#rd .grid + text").evaluate_all(
        "all => all.map(t => t.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
    )
    for i, (left, top, right, bottom) in enumerate(boxes):  # labels of the axes keep apart
        for other in boxes[:i]:
            assert right < other[0] or other[2] < left or bottom <= other[1] or other[3] <= top
    watch.page.locator("#rd [data-curve='JPEG'] .mark").nth(1).tap()
    assert watch.page.locator("#rd .tip").is_visible()
    watch.close()


def test_the_figures_are_there_without_a_script(browser: "Browser", report: Path) -> None:
    watch = Watch(browser, report, java_script_enabled=False)
    assert watch.page.get_by_role("table", name="BD-rate by PSNR (dB)", exact=True).is_visible()
    assert watch.page.locator("#rd noscript img").is_visible()
    assert not watch.page.locator("#rd-metric").is_visible()
    watch.close()
