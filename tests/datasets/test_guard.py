"""Nothing is trained on that codecs are compared on, whatever the file is called."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec.picture import read_rgb
from lpcodec.datasets import guard as module
from lpcodec.datasets import record
from lpcodec.datasets.dataset import DataSet
from lpcodec.datasets.guard import EvaluationPictureError, Guard
from lpcodec.datasets.patches import load_stores
from lpcodec.datasets.pictures import pixel_digest
from lpcodec.datasets.record import Record
from lpcodec.datasets.registry import ROOT_VARIABLE, sets


@pytest.fixture
def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(3)
    return [Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)) for _ in range(6)]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "root"))
    return tmp_path / "root"


def a_set(split: str, picture: Image.Image, stem: str = "kodim99") -> DataSet:
    digest = pixel_digest(np.asarray(picture))
    return DataSet(f"some-{split}", f"Some {split}", 1, split, "free", "http://x", digests={stem: digest}, access="y")  # type: ignore[arg-type]


def folder_of(pictures: list[Image.Image], folder: Path) -> Path:
    folder.mkdir()
    for number, picture in enumerate(pictures):
        picture.save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_picture_of_an_evaluation_set_stops_the_loading(split, pictures, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "sets", lambda: (a_set(split, pictures[3]),))
    with pytest.raises(EvaluationPictureError, match=rf"^3\.png is kodim99 of Some {split}, an evaluation set"):
        load_stores(folder_of(pictures, tmp_path / "data"), 8, read_rgb)


def test_a_picture_of_a_training_set_does_not(pictures, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "sets", lambda: (a_set("train", pictures[3]),))
    train, held, _ = load_stores(folder_of(pictures, tmp_path / "data"), 8, read_rgb)
    assert len(train) + len(held) == 6


def test_shards_and_other_formats_are_seen_through(pictures, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "sets", lambda: (a_set("test", pictures[2]),))
    with tarfile.open(tmp_path / "train.tar", "w") as tar:
        for number, picture in enumerate(pictures):
            stream = io.BytesIO()
            picture.save(stream, "WEBP", lossless=True)
            member = tarfile.TarInfo(f"{number}.webp")
            member.size = stream.tell()
            stream.seek(0)
            tar.addfile(member, stream)
    with pytest.raises(EvaluationPictureError, match=r"train\.tar/2\.webp is kodim99"):
        load_stores(tmp_path / "train.tar", 8, read_rgb)


def test_an_evaluation_set_that_was_fetched_is_guarded_too(pictures, root: Path, tmp_path: Path, monkeypatch) -> None:
    known = a_set("valid", pictures[0])
    monkeypatch.setattr(module, "sets", lambda: (known,))
    (root / known.name).mkdir(parents=True)
    digest = pixel_digest(np.asarray(pictures[4]))
    record.save(Record(known.name, (), {"fetched.png": digest}), root / known.name)
    data = folder_of(pictures[1:], tmp_path / "data")
    with pytest.raises(EvaluationPictureError, match=r"3\.png is fetched\.png of Some valid"):
        load_stores(data, 8, read_rgb)
    record.save(Record("another", (), {"fetched.png": digest}), root / known.name)
    load_stores(data, 8, read_rgb)


def test_changed_pixels_pass_as_the_module_says(pictures, monkeypatch) -> None:
    monkeypatch.setattr(module, "sets", lambda: (a_set("test", pictures[0]),))
    pixels = np.asarray(pictures[0])
    for changed in (pixels[1:], pixels[:, ::-1], pixels ^ 1, np.asarray(pictures[0].resize((12, 10)))):
        Guard().check("x", changed)
    with pytest.raises(EvaluationPictureError):
        Guard().check("x", pixels)


def test_every_known_digest_of_an_evaluation_set_is_guarded(root: Path) -> None:
    digests = {digest for dataset in sets() if dataset.evaluates for digest in dataset.digests.values()}
    assert Guard().known.keys() == digests
    assert len(digests) == 24 + 11 + 5 + 14 + 100
