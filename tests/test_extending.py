"""docs/extending.md: its family is built, trained, exported and coded with, as the page says it can be."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lpcodec
from lpcodec.codec import models
from lpcodec.codec.errors import DamagedFileError, UsageError
from lpcodec.codec.families.family import Frame
from lpcodec.codec.quality import COARSEST
from lpcodec.codec.training import log, loop, objective, trainer
from lpcodec.codec.training.export import export

PAGE = Path(__file__).parents[1] / "docs/extending.md"


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's family, in a module of its own, registered by the page's own lines."""
    register, family = blocks()
    (tmp_path / "tiny_family.py").write_text(family, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(models, "FAMILIES", list(models.FAMILIES))
    monkeypatch.setattr(trainer, "WARM_UP_STEPS", 3)
    monkeypatch.setattr(log, "_board", lambda folder, step: None)
    monkeypatch.setattr(objective, "VALIDATION_SIZE", 64)
    monkeypatch.setattr(objective, "VALIDATION_PATCHES", 4)
    exec(register, {})
    yield
    sys.modules.pop("tiny_family", None)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(4):
        coarse = Image.fromarray(random.integers(0, 256, (7, 7, 3), np.uint8))
        coarse.resize((120, 100), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def psnr(a: Image.Image, b: Image.Image) -> float:
    error = np.square(np.asarray(a, np.float64) - np.asarray(b, np.float64)).mean()
    return float(10 * np.log10(255**2 / error))


@pytest.mark.usefixtures("tiny")
def test_the_page_s_family_trains_and_codes(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = models.network_named("tiny")
    fresh = models.family_of(network).objective({"model": "tiny"}, "cpu").network
    assert sum(p.numel() for p in fresh.parameters()) == network.parameters
    with pytest.raises(UsageError, match="sides are multiples of 8; give 56 or 64"):
        loop.train("tiny", pictures, tmp_path / "run", steps=1, patch=60)
    torch.manual_seed(0)
    run = loop.train("tiny", pictures, tmp_path / "run", steps=300, batch=4)
    export(run, "tiny", tmp_path / "weights")
    monkeypatch.setenv(models.WEIGHTS_VARIABLE, str(tmp_path / "weights"))
    assert "tiny" in models.names()

    with Image.open(pictures / "1.png") as image:
        picture = image.crop((3, 5, 93, 60))
    data = lpcodec.encode(picture, model="tiny")
    about = lpcodec.verify(data)
    assert (about["model"]["name"], about["model"]["number"]) == ("tiny", 250)
    decoded = lpcodec.decode(data)
    assert decoded.size == picture.size
    assert psnr(picture, decoded) > 18, "it learned something: a flat grey has about 12 dB"
    codec = models.load("tiny").trained
    coded = codec.code(codec.analyse(np.asarray(picture)), 0)
    assert coded.bits / 8 <= len(coded.payloads()[0]) <= 1.01 * coded.bits / 8 + 32


@pytest.mark.usefixtures("tiny")
def test_a_cut_file_of_it_is_damaged(tmp_path: Path) -> None:
    family = models.family_of(models.network_named("tiny"))
    network = family.objective({"model": "tiny"}, "cpu").network
    codec = family.load(models.network_named("tiny"), network.state_dict(), {}, "cpu")
    (payload,) = codec.code(codec.analyse(np.full((40, 50, 3), 99, np.uint8)), 0).payloads()
    with pytest.raises(DamagedFileError):
        codec.parse([payload[:-4]], Frame(40, 50, COARSEST))


def test_the_page_s_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE.read_text("utf-8")):
        assert (PAGE.parent / target).exists(), target
