"""Pictures through the commands and the real codec: backgrounds, and what a format can't hold."""

from pathlib import Path
from typing import Any

from PIL import Image

from tests.sample_pictures import SRGB


def test_what_a_format_cannot_hold_is_said(lpcodec: Any, folder: Path) -> None:
    Image.new("RGB", (16, 16), (10, 200, 30)).save("a.png", icc_profile=SRGB)
    assert lpcodec("encode", "a.png", "--lossless").exit_code == 0
    ran = lpcodec("decode", "a.lpc", "b.bmp")
    assert ran.exit_code == 0
    assert ran.stderr.splitlines()[0] == "lpcodec: note: a.lpc: BMP holds no ICC profile: left out"


def test_a_background_takes_the_place_of_alpha(lpcodec: Any, folder: Path) -> None:
    Image.new("RGBA", (16, 16), (10, 200, 30, 0)).save("a.png")
    assert lpcodec("encode", "a.png", "--lossless", "--background", "#ff8000").exit_code == 0
    assert lpcodec("decode", "a.lpc", "b.png").exit_code == 0
    with Image.open("b.png") as image:
        assert (image.mode, image.getpixel((3, 3))) == ("RGB", (255, 128, 0))
    ran = lpcodec("encode", "a.png", "--background", "nocolour", "--overwrite")
    assert (ran.exit_code, len(ran.stderr.splitlines())) == (2, 1)
    assert "give a name such as white, or #rrggbb" in ran.stderr
