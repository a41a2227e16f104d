"""What is shown of a decomposition, and the table's arithmetic."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from lpcodec.codec import models
from lpcodec.codec.errors import FileAccessError, UsageError
from lpcodec.codec.evaluation import reconstruction
from lpcodec.codec.evaluation.reconstruction import bicubic, decompose, frontend, table
from lpcodec.codec.families.decomposition.folded import FoldedLaplacianAutoencoder
from lpcodec.codec.families.decomposition.training import fresh
from lpcodec.codec.frontends.pyramid import LaplacianPyramid


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights of LPAE and WAE, and no others."""
    packaged = tmp_path / "packaged"
    packaged.mkdir()
    monkeypatch.setattr(models, "_PACKAGED", packaged)
    monkeypatch.delenv(models.WEIGHTS_VARIABLE, raising=False)
    torch.manual_seed(0)
    for name in ("lpae", "wae"):
        data = save(fresh(name).state_dict())
        (packaged / f"{name}.safetensors").write_bytes(data)
        (packaged / f"{name}.json").write_text(json.dumps({"name": name, "digest": hashlib.sha256(data).hexdigest()}))


@pytest.fixture
def folder(tmp_path: Path, thumbnail: Image.Image, face: Image.Image) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    thumbnail.save(pictures / "a.png")
    face.crop((0, 0, 61, 47)).save(pictures / "b.png")
    return pictures


def test_a_single_pixel_gives_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[np.ndarray] = []
    real = torch.from_numpy
    monkeypatch.setattr(torch, "from_numpy", lambda array: (given.append(array), real(array))[1])
    for channels in (1, 3):
        decompose(np.full((1, 1, channels), 7, np.uint8), "haar")
    assert given
    assert all(array.flags.writeable for array in given), "torch warns once per process, so the arrays are looked at"


@pytest.mark.parametrize("levels", [1, 3])
def test_the_pyramid_in_pictures(levels: int, face: Image.Image) -> None:
    pixels = np.asarray(face.crop((0, 0, 101, 64)))
    shown = decompose(pixels, "pyramid", levels)
    np.testing.assert_array_equal(shown.reconstruction, pixels)
    assert shown.psnr > 120
    assert shown.approximation.shape == (64 // 2**levels, -(-101 // 2**levels), 3)
    assert [d.name for d in shown.details] == ["1", "2", "3"][:levels]
    assert [d.pixels.shape[:2] for d in shown.details] == [(64, 101), (32, 51), (16, 26)][:levels]
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].double()
    coarse = LaplacianPyramid(levels).split(x).coarse[0].permute(1, 2, 0).numpy()
    assert np.abs(shown.approximation - coarse).max() < 0.51
    for detail in shown.details:
        assert abs(float(detail.pixels.mean()) - 127.5) < 12
        assert 1 < detail.gain <= 16
        clipped = float(((detail.pixels == 0) | (detail.pixels == 255)).mean())
        assert 0 < clipped < 0.03


def test_a_flat_picture_is_grey_in_detail_and_grey_pictures_are_taken() -> None:
    shown = decompose(np.full((20, 30, 1), 200, np.uint8), "pyramid")
    assert shown.reconstruction.shape == (20, 30, 3)
    assert (shown.reconstruction == 200).all()
    assert np.isin(shown.details[0].pixels, (127, 128)).all()
    assert shown.details[0].gain == 16


@pytest.mark.parametrize("name", ["haar", "db2", "bior4.4", "sym4"])
def test_any_wavelet_in_pictures(name: str, face: Image.Image) -> None:
    pixels = np.asarray(face.crop((0, 0, 101, 64)))
    shown = decompose(pixels, name, 2)
    np.testing.assert_array_equal(shown.reconstruction, pixels)
    assert [d.name for d in shown.details] == ["1-lh", "1-hl", "1-hh", "2-lh", "2-hl", "2-hh"]
    assert all(d.pixels.shape[2] == 3 for d in shown.details)
    assert abs(float(shown.approximation.mean()) - float(pixels.mean())) < 12  # as bright as the picture


def test_a_name_that_is_nothing_lists_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"no front-end named 'db99'; there are: pyramid, .*db2"):
        frontend("db99")


@pytest.mark.usefixtures("installed")
def test_trained_front_ends_by_name(face: Image.Image) -> None:
    assert isinstance(frontend("pyramid", 2), LaplacianPyramid)
    assert isinstance(frontend("lpae", 2), FoldedLaplacianAutoencoder)
    assert [frontend(name, 2).levels for name in ("pyramid", "lpae", "wae")] == [2, 2, 2]
    pixels = np.asarray(face)
    network = fresh("lpae").eval()
    network.load_state_dict(models.tensors_of("lpae")[0])
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        error = float((network(x) - x).square().mean())
    assert decompose(pixels, "lpae").psnr == pytest.approx(-10 * math.log10(error), abs=1e-3)
    for name, words in (("jpeg", "no front-end named"), ("wae-relu", "no weights for"), ("wcae", "codes pictures")):
        with pytest.raises(UsageError, match=words):
            decompose(pixels, name)


@pytest.mark.usefixtures("installed")
def test_the_table_has_a_mean_for_each_method_and_folder(folder: Path) -> None:
    told: list[tuple[str, float]] = []
    rows = table([str(folder), str(folder)], lambda *words: told.append(words))
    assert told == [("1 of 4, a.png", 0.25), ("2 of 4, b.png", 0.5), ("3 of 4, a.png", 0.75), ("4 of 4, b.png", 1)]
    assert rows[0] == rows[1]
    assert (rows[0].data, rows[0].pictures) == ("pictures", 2)
    assert list(rows[0].psnr) == ["lpae", "wae", "bicubic", "bicubic-antialiased"]
    each = [decompose(np.asarray(Image.open(path)), "wae").psnr for path in sorted(folder.iterdir())]
    assert rows[0].psnr["wae"] == pytest.approx(sum(each) / 2, abs=1e-3)
    assert rows[0].psnr["bicubic"] > 15


def test_bicubic_keeps_what_is_flat_and_the_size() -> None:
    flat = torch.full((1, 3, 21, 34), 0.3)
    for antialias in (False, True):
        assert torch.allclose(bicubic(flat, antialias), flat, atol=1e-6)


def test_nothing_installed_nothing_there(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(models, "_PACKAGED", tmp_path / "nothing")
    monkeypatch.delenv(models.WEIGHTS_VARIABLE, raising=False)
    with pytest.raises(UsageError, match="no weights of a front-end are installed: train lpae"):
        table([str(folder)])
    request.getfixturevalue("installed")
    with pytest.raises(UsageError, match="no pictures are in this folder"):
        table([str(tmp_path / "packaged")])
    (folder / "c.png").write_bytes(b"no picture")
    with pytest.raises(FileAccessError, match=r"c\.png: not a picture"):
        table([str(folder)])


def test_the_printed_figures_are_the_paper_s() -> None:
    assert reconstruction.PRINTED == {"lpae": 54.73, "wae": 19.90, "bicubic": 26.19}
