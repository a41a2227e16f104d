"""`lpcodec compare`: one page with one picture, other codecs at the same bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from lpcodec.codec import models
from lpcodec.codec.evaluation.codecs import pillow, registry
from lpcodec.codec.evaluation.codecs.codec import CodecAbout, Pixels
from lpcodec.codec.evaluation.codecs.rate_search import encode_near_size, encode_to_bpp
from lpcodec.codec.evaluation.codecs.registry import CodecEntry

Run = Callable[..., Result]


@dataclass(frozen=True)
class Fake:
    """Stands in for our model: WebP with rate control."""

    name: str = "default@visual"

    def encode(self, pixels: Pixels, setting: float) -> bytes:
        return pillow.webp().encode(pixels, setting)

    def decode(self, data: bytes) -> Pixels:
        return pillow.webp().decode(data)

    def encode_to_bpp(self, pixels: Pixels, bpp: float) -> tuple[bytes, float]:
        found = encode_to_bpp(pillow.webp(), pixels, bpp)
        return found.data, found.setting


@pytest.fixture
def photo(folder: Path, face: Image.Image, monkeypatch: pytest.MonkeyPatch) -> Path:
    face.save(folder / "photo.png")
    about = CodecAbout("default@visual", "lpcodec (fake)", "model", "none")
    taken = models.tuned("default", None)  # by encoding: the page compares what `lpcodec encode` writes
    real = registry.find_codec

    def find(name: str, *words: Any) -> CodecEntry:
        return CodecEntry(about, Fake(), (50.0,), "", True) if name == taken else real(name, *words)

    monkeypatch.setattr(registry, "find_codec", find)
    return folder / "photo.png"


def test_a_page_with_the_picture_at_the_same_bytes(lpcodec: Run, photo: Path) -> None:
    ran = lpcodec("compare", "photo.png", "--codecs", "avif-default,jpeg", "--bpp", "0.5,1")
    assert ran.exit_code == 0, ran.output
    rows = [line.split(": ") for line in ran.stdout.splitlines() if " bytes" in line]
    assert [name for name, _ in rows] == ["lpcodec (fake)", "AVIF", "JPEG"] * 2
    sizes = [int(text.split(" ")[0].replace(",", "")) for _, text in rows]
    for ours, *others in (sizes[:3], sizes[3:]):
        assert all(abs(size / ours - 1) < 0.12 for size in others)  # whole-number settings of a small picture
    html = Path("photo-compare.html").read_text("utf-8")
    assert html.count("data:image/webp;base64,") >= 7
    assert "data:application/octet-stream;base64," in html  # the .lpc file
    assert all(f'id="{section}" hidden' in html for section in ("curves", "bd", "speed", "means"))
    assert '"ours":"default@visual"' in html


def test_its_page_is_not_replaced_unasked(lpcodec: Run, photo: Path) -> None:
    words = ("compare", "photo.png", "--codecs", "jpeg", "--bpp", "1")
    assert lpcodec(*words).exit_code == 0
    again = lpcodec(*words)
    assert again.exit_code == 2
    assert "photo-compare.html is there already: --overwrite replaces it" in again.output
    assert lpcodec(*words, "--overwrite").exit_code == 0
    assert lpcodec(*words, "--out", "photo-compare.html").exit_code == 0  # a file that was named is replaced
    nameless = lpcodec(*words, "--out", "page")
    assert nameless.exit_code == 2
    assert "name a file that ends in .html" in " ".join(nameless.output.split())


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("photo.png", "--codecs", "gif"), 2, "no codec named 'gif'"),
        (("photo.png", "--bpp", "none"), 2, "needs at least one rate"),
        (("nothing.png",), 7, "nothing.png"),
    ],
)
def test_words_that_cannot_be(lpcodec: Run, photo: Path, words: tuple[str, ...], code: int, why: str) -> None:
    ran = lpcodec("compare", *words)
    assert (ran.exit_code, why in ran.output) == (code, True), ran.output
    assert not list(Path().glob("*.html"))


@pytest.mark.parametrize("wanted", [1, 900, 4000, 10**7])
def test_the_file_nearest_in_size_is_found(face: Image.Image, wanted: int) -> None:
    pixels, jpeg = np.asarray(face), pillow.jpeg()
    data, setting = encode_near_size(jpeg, pixels, wanted)
    assert data == jpeg.encode(pixels, setting)
    near = [s for s in (setting - 1, setting + 1) if jpeg.coarsest <= s <= jpeg.finest]
    assert all(abs(len(data) - wanted) <= abs(len(jpeg.encode(pixels, s)) - wanted) for s in near)


def test_a_page_that_can_not_be_written_is_found_before_anything_is_coded(
    lpcodec: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "encode_to_bpp", lambda *words: pytest.fail("it was coded"))
    Path("folder.html").mkdir()
    for out, why in (("none/page.html", "there is no folder none"), ("folder.html", "a folder has this name")):
        ran = lpcodec("compare", "photo.png", "--out", out)
        assert ran.exit_code == 7
        assert f"{out}: {why}" in ran.output
