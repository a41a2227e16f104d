"""`lpcodec show`: the pictures it writes, its table, and its words where something is missing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec import models


@pytest.fixture
def photo(folder: Path, face: Image.Image) -> Path:
    face.crop((0, 0, 75, 50)).save(folder / "photo.png")
    return folder / "photo.png"


@pytest.fixture
def no_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_PACKAGED", folder / "none")
    monkeypatch.delenv(models.WEIGHTS_VARIABLE, raising=False)


def test_decompose_writes_bands_and_what_comes_back(lpcodec: Any, photo: Path) -> None:
    ran = lpcodec("show", "decompose", "photo.png", "--out", "bands", "--model", "pyramid", "--levels", "2")
    assert ran.exit_code == 0, ran.stderr
    assert sorted(p.name for p in Path("bands").iterdir()) == [
        "approximation.png", "detail-1.png", "detail-2.png", "reconstruction.png"
    ]  # fmt: skip
    sizes = {p.stem: Image.open(p).size for p in Path("bands").iterdir()}
    assert sizes == {
        "approximation": (19, 13), "detail-1": (75, 50), "detail-2": (38, 25), "reconstruction": (75, 50)
    }  # fmt: skip
    np.testing.assert_array_equal(Image.open("bands/reconstruction.png"), Image.open(photo))
    assert "detail-1.png: " in ran.stdout
    assert "times as strong" in ran.stdout
    assert " dB (of the floats, before rounding)" in ran.stdout


def test_decompose_chooses_a_folder_and_replaces_nothing_unasked(lpcodec: Any, photo: Path) -> None:
    words = ("show", "decompose", "photo.png", "--model", "db2")
    assert lpcodec(*words).exit_code == 0
    assert sorted(p.name for p in Path("photo-bands").iterdir()) == [
        "approximation.png", "detail-1-hh.png", "detail-1-hl.png", "detail-1-lh.png", "reconstruction.png"
    ]  # fmt: skip
    again = lpcodec(*words)
    assert again.exit_code == 2
    assert "photo-bands is there already: --overwrite replaces its pictures" in again.stderr
    assert lpcodec(*words, "--overwrite").exit_code == 0


@pytest.mark.usefixtures("photo", "no_weights")
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("decompose", "photo.png", "--out", "x"), 2, "no weights for 'lpae' are installed"),
        (("decompose", "photo.png", "--out", "x", "--model", "default"), 2, "codes pictures"),
        (("decompose", "missing.png", "--out", "x", "--model", "pyramid"), 7, "missing.png"),
        (
            ("decompose", "photo.png", "--out", "x", "--model", "pyramid", "--max-pixels", "100"),
            5,
            "over the limit of 100",
        ),
        (("reconstruction", "."), 2, "no weights of a front-end are installed"),
    ],
)
def test_what_is_missing_is_said(lpcodec: Any, words: tuple[str, ...], code: int, message: str) -> None:
    ran = lpcodec("show", *words)
    assert ran.exit_code == code
    assert message in ran.stderr
    assert not Path("x").exists()


@pytest.fixture
def rows(replace_module: Any) -> None:
    """The measuring, replaced by figures."""
    from lpcodec.codec.evaluation.reconstruction import PRINTED, Row

    def table(data: list[str], progress: Any) -> list[Row]:
        progress("1 of 1, a.png", 1.0)
        return [Row(name, 5, {"lpae": 40.126, "bicubic": 30.0, "bicubic-antialiased": 31.0}) for name in data]

    replace_module("lpcodec.codec.evaluation.reconstruction", table=table, PRINTED=PRINTED)


@pytest.mark.usefixtures("rows")
def test_the_table_stands_beside_the_printed_one(lpcodec: Any) -> None:
    lines = lpcodec("show", "reconstruction", "set5", "set14").stdout.splitlines()
    assert [line for line in lines if "set5" in line and "40.13" in line and "30.00" in line]
    (printed,) = [line for line in lines if "DIV2K" in line]
    assert "54.73" in printed
    assert "26.19" in printed
    assert "19.90" not in printed, "no WAE was measured"


@pytest.mark.usefixtures("rows")
def test_the_table_as_json(lpcodec: Any) -> None:
    found = json.loads(lpcodec("show", "reconstruction", "set5", "--json", "--quiet").stdout)
    assert found["printed"]["wae"] == 19.90
    assert found["rows"][0]["psnr"]["lpae"] == 40.126
    assert found["rows"][0]["pictures"] == 5


@pytest.mark.usefixtures("photo", "no_weights")
def test_a_front_end_codes_nothing(lpcodec: Any) -> None:
    ran = lpcodec("encode", "photo.png", "--model", "lpae")
    assert ran.exit_code == 2
    assert "lpae splits pictures into bands; a model that codes pictures is needed" in ran.stderr
