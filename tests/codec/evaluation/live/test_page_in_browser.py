"""The page in a real browser: Debian's chromium, driven by Playwright, on a phone and on a desk, light and dark."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1400, "height": 900}
MILLISECONDS = 120_000
KEPT = os.environ.get("LPCODEC_SCREENSHOTS")
"""A folder to keep screenshots in, for a look."""


class Watch:
    """An open page, and all that it complained about."""

    def __init__(self, browser: "Browser", server: str, viewport: Any, scheme: str = "light", **options: Any) -> None:
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **options)  # type: ignore[arg-type]
        self.page: Page = context.new_page()
        self.page.set_default_timeout(MILLISECONDS)
        self.said: list[str] = []
        # The folder has a picture that can't be read: its thumbnail is an answer 415, as it should be.
        self.page.on("console", lambda said: self.said.append(said.text) if "status of 415" not in said.text else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(server)

    def compared(self) -> None:
        """Wait until all codecs are there and their pictures shown."""
        self.page.wait_for_function("() => document.getElementById('busy').hidden && state.versions.size > 3")
        self.page.wait_for_function(
            "() => ['left', 'right'].every((s) => { const i = document.getElementById('image-' + s);"
            " return i.complete && i.naturalWidth && i.src.endsWith(i.dataset.at); })"
        )

    def keep(self, name: str) -> None:
        if KEPT:
            self.page.screenshot(path=Path(KEPT, f"{name}.png"), full_page=True)

    def overflow(self) -> int:
        width: int = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("viewport", "name"), [(PHONE, "phone"), (DESKTOP, "desk")])
def test_a_picture_is_dropped_dragged_and_compared(
    browser: "Browser", server: str, served_folder: Path, viewport: Any, name: str, scheme: str
) -> None:
    watch = Watch(browser, server, viewport, scheme)
    page = watch.page
    assert page.locator("#drop").is_visible()
    assert page.locator("#folder li").count() == 3
    watch.keep(f"{name}-{scheme}-empty")
    assert watch.overflow() <= 0
    page.set_input_files("#file", served_folder / "face.png")
    watch.compared()
    watch.keep(f"{name}-{scheme}")
    assert page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('.scroll'))") <= 0
    assert watch.overflow() <= 0
    assert page.inner_text("#picture") == "face.png, 320 × 260 pixels"
    assert re.fullmatch(r"[\d,]+ bytes, \d\d\.\d\d dB", page.inner_text("#facts-right"))
    assert page.inner_text("#facts-left") == "uncompressed"
    first = page.inner_text("#facts-right")
    page.fill("#bpp", "300")
    page.wait_for_function("(first) => document.getElementById('facts-right').textContent !== first", arg=first)
    watch.compared()
    assert page.inner_text("#rate") == "0.119 bpp"
    with page.expect_download() as download:
        page.click("#download")
    data = Path(download.value.path()).read_bytes()
    assert download.value.suggested_filename == "face.lpc"
    assert f"{len(data):,} bytes" in page.inner_text("#facts-right")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    assert watch.said == []


def test_it_works_by_keyboard_alone(browser: "Browser", server: str) -> None:
    watch = Watch(browser, server, DESKTOP)
    page, key = watch.page, watch.page.keyboard
    page.locator("#folder button").nth(1).focus()
    key.press("Enter")
    watch.compared()
    page.locator("#bpp").focus()
    before = page.inner_text("#rate")
    key.press("PageUp")
    assert page.inner_text("#rate") != before
    watch.compared()
    page.locator("#divider").focus()
    for press, at in (("Home", "0"), ("ArrowRight", "2"), ("PageUp", "12"), ("End", "100")):
        key.press(press)
        assert page.get_attribute("#divider", "aria-valuenow") == at
    page.locator("#view").focus()
    key.press("+")
    key.press("+")
    key.press("+")
    assert page.locator("#view.enlarged").count() == 1
    place = page.evaluate("view.y")
    key.press("ArrowDown")
    assert page.evaluate("view.y") == place - 48
    for place in ("#view", "#right", "#zoom input >> nth=1", "#theme"):  # wherever the focus is
        page.locator(place).focus()
        key.down("f")
        assert page.evaluate("document.getElementById('layer-left').style.clipPath").endswith("px 0px 0px)")
        assert page.evaluate("view.flip") is True
        key.up("f")
        assert page.evaluate("view.flip") is False
    page.locator("#rows button[data-codec=avif]").focus()
    key.press("Enter")
    assert page.input_value("#right") == "avif"
    page.wait_for_function("() => document.getElementById('image-right').src.endsWith('avif.png')")
    watch.keep("desk-enlarged-avif")
    seen = set()
    for _ in range(40):
        key.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.name || ''"))
    assert {"choose", "theme", "bpp", "left", "right", "view", "divider", "zoom", "download"} <= seen
    assert watch.said == []


def test_the_original_is_there_at_once_and_nothing_of_the_picture_before(browser: "Browser", server: str) -> None:
    watch = Watch(browser, server, DESKTOP)
    page = watch.page
    page.locator("#folder button").nth(1).click()
    watch.compared()
    page.route("**/at/*", lambda route: None)  # a server that never finishes comparing
    before = page.inner_text("#picture")
    page.locator("#folder button").nth(2).click()
    page.wait_for_function("(before) => document.getElementById('picture').textContent !== before", arg=before)
    page.wait_for_function(
        "() => { const i = document.getElementById('image-left'); return i.complete && i.naturalWidth > 0; }"
    )
    assert page.get_attribute("#image-right", "src") is None
    assert page.locator("#rows .wait").count() == page.locator("#rows tr").count() > 3


def test_what_goes_wrong_is_said(browser: "Browser", server: str, tmp_path: Path) -> None:
    watch = Watch(browser, server, PHONE)
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    watch.page.set_input_files("#file", tmp_path / "bad.png")
    watch.page.wait_for_selector("#message.error")
    assert watch.page.inner_text("#message") == "not a picture in a format that Pillow reads"
    watch.keep("phone-error")
    (tmp_path / "large.png").write_bytes(b"x" * 2_000_001)
    watch.page.set_input_files("#file", tmp_path / "large.png")
    assert watch.page.inner_text("#message") == "large.png is larger than 2,000,000 bytes."
    assert watch.page.locator("#drop").is_visible()


def test_the_theme_is_chosen_and_remembered(browser: "Browser", server: str) -> None:
    watch = Watch(browser, server, DESKTOP)
    watch.page.click("#theme")
    assert watch.page.get_attribute("html", "data-theme") == "dark"
    watch.page.reload()
    assert watch.page.get_attribute("html", "data-theme") == "dark"
    assert watch.page.inner_text("#theme") == "Light"
