"""Files in layers through the real command, from a picture to a picture; only the codec is a small one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.layered_codec import LayeredCodec, install


@pytest.fixture(autouse=True)
def whole(folder: Path, portrait: Image.Image, lpcodec: Any, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """`photo.lpc` in the current folder, a file of three layers and metadata, and its bytes."""
    install(LayeredCodec(), monkeypatch)
    photo = portrait.resize((91, 105), Image.Resampling.LANCZOS)
    photo.save("photo.png", icc_profile=bytes(200))
    assert lpcodec("encode", "photo.png", "--model", "layered", "-q", "10", "--quiet").exit_code == 0
    return Path("photo.lpc").read_bytes()


def shown(name: str) -> Image.Image:
    with Image.open(name) as image:
        image.load()
        return image


def test_each_level_is_written_at_its_size(lpcodec: Any) -> None:
    for level, size in enumerate([(91, 105), (46, 53), (23, 27), (12, 14)]):
        ran = lpcodec("decode", "photo.lpc", "small.png", "--level", str(level))
        assert (ran.exit_code, ran.stderr) == (0, f"photo.lpc -> small.png: {size[0]} x {size[1]} pixels\n")
        assert shown("small.png").size == size
        assert shown("small.png").info["icc_profile"] == bytes(200)


def test_a_cut_file_is_refused_with_the_option_that_helps_and_shown_with_it(
    lpcodec: Any, folder: Path, whole: bytes
) -> None:
    levels = json.loads(lpcodec("info", "photo.lpc", "--json").stdout)["levels"]
    assert [level["level"] for level in levels] == [2, 1, 0]
    Path("cut.lpc").write_bytes(whole[: levels[1]["bytes_to_here"] + 9])
    refused = lpcodec("decode", "cut.lpc", "rest.png")
    assert refused.exit_code == 3
    assert refused.stderr.startswith("lpcodec: error: cut.lpc: the file was cut short: section LAYER needs ")
    assert refused.stderr.endswith(
        "; its first 2 layers are whole and can be decoded (--allow-partial writes what can be shown)\n"
    )
    assert not Path("rest.png").exists()

    ran = lpcodec("decode", "cut.lpc", "rest.png", "--allow-partial")
    assert ran.exit_code == 8
    note, done = ran.stderr.splitlines()
    assert note.startswith("lpcodec: note: cut.lpc: decoded in part: the file was cut short")
    assert done == "cut.lpc -> rest.png: 91 x 105 pixels"
    assert "icc_profile" not in shown("rest.png").info
    assert lpcodec("decode", "photo.lpc", "all.png").exit_code == 0
    original = np.asarray(shown("photo.png"), np.float64)
    errors = [np.square(np.asarray(shown(name)) - original).mean() for name in ("all.png", "rest.png")]
    assert errors[0] < errors[1] < 4 * errors[0] + 1000, "coarser, but the same picture"

    assert lpcodec("decode", "cut.lpc", "half.png", "--allow-partial", "--level", "1", "--quiet").exit_code == 8
    assert lpcodec("decode", "photo.lpc", "half-of-all.png", "--level", "1").exit_code == 0
    assert shown("half.png").tobytes() == shown("half-of-all.png").tobytes()


def test_what_cannot_be_helped_is_refused_all_the_same(lpcodec: Any, folder: Path, whole: bytes) -> None:
    Path("head.lpc").write_bytes(whole[:30])
    ran = lpcodec("decode", "head.lpc", "rest.png", "--allow-partial")
    assert (ran.exit_code, ran.stderr) == (
        3, "lpcodec: error: head.lpc: cut or damaged before its coarsest layer ends: nothing of it can be shown\n"
    )  # fmt: skip
    assert not Path("rest.png").exists()


def test_a_whole_file_is_not_partial(lpcodec: Any) -> None:
    for option in ([], ["--allow-partial"]):
        assert lpcodec("decode", "photo.lpc", f"{len(option)}.png", *option).exit_code == 0
    assert Path("0.png").read_bytes() == Path("1.png").read_bytes()


def test_info_tells_the_bytes_of_each_level(lpcodec: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    text = lpcodec("info", "photo.lpc").stdout
    for words in ("level 2", "23 x 27 pixels, from the first ", "level 0", "91 x 105 pixels, from the first "):
        assert words in text
