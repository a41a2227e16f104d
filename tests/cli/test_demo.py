"""The demo's picture and its table, with a codec that only blurs."""

from pathlib import Path
from typing import Any

from PIL import Image, ImageFilter

from lpcodec.cli.sidebyside import GAP, GROUND, MARGIN, Panel, side_by_side


def test_panels_stand_side_by_side_on_one_ground() -> None:
    red, blue = Image.new("RGB", (100, 80), (255, 0, 0)), Image.new("L", (60, 50), 90)
    sheet = side_by_side([Panel(red, "one", "first"), Panel(blue, "two", "second")])
    assert sheet.mode == "RGB"
    assert sheet.getpixel((0, 0)) == GROUND
    assert sheet.getpixel((MARGIN + 50, MARGIN + 40)) == (255, 0, 0)
    assert sheet.getpixel((MARGIN + 100 + GAP + 30, MARGIN + 25)) == (90, 90, 90)
    captions = sheet.crop((0, MARGIN + 80, sheet.width, sheet.height))
    assert len(captions.getcolors(1 << 16) or ()) > 2, "captions are drawn"
    four = side_by_side([Panel(red, "one", "first"), Panel(blue, "two", "second")] * 2)
    assert four.width == sheet.width
    assert four.height > 2 * 80 + 2 * MARGIN
    assert four.getpixel((MARGIN + 50, four.height // 2 + 40)) == (255, 0, 0)


def test_the_demo_measures_and_writes(lpcodec: Any, api: Any, replace_module: Any, folder: Path) -> None:
    replace_module("lpcodec.codec.models", load=lambda name: name, tuned=lambda model, tune: model)
    from matplotlib import cbook

    def encode_report(source: Path, **options: Any) -> Any:
        return type(api).encode_report(api, source, progress=lambda *_: None, **options, model="default")

    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as opened:
        blurred = opened.convert("RGB").filter(ImageFilter.GaussianBlur(1))
    api.encode_report = encode_report
    api.decode = lambda data: blurred
    ran = lpcodec("demo", "--out-dir", "shown", "--bpp", "0.2")
    assert ran.exit_code == 0, ran.stderr
    assert "asked for: at most 0.2" in ran.stdout
    assert "MS-SSIM" in ran.stdout
    assert {"AVIF", "JPEG"} <= set(ran.stdout.split())
    assert "lpcodec compare" in ran.stdout
    with Image.open("shown/side-by-side.png") as sheet:
        assert sheet.width > 1024
        assert sheet.height > 1200
    assert Path("shown/grace_hopper.lpc").read_bytes().startswith(b"fake lpc ")
