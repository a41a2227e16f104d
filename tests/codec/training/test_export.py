"""From pictures to weights to files: what a small training exports, and what codes with it."""

import hashlib
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lpcodec
from lpcodec.codec import models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.lpcae import network as lpcae
from lpcodec.codec.families.lpcae import training as lpcae_training
from lpcodec.codec.training.checkpoint import Checkpoint
from lpcodec.codec.training.export import export
from lpcodec.codec.training.source import read_source
from tests.training_runs import SMALL, entries, run

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.usefixtures("small")


def pictures_of(data: Path) -> list[Image.Image]:
    small = Image.open(data / "3.png").crop((0, 0, 70, 53))
    rng = np.random.default_rng(0)
    noise = rng.integers(-20, 20, (53, 70, 3))
    return [Image.fromarray((np.asarray(small).astype(int) + noise).clip(0, 255).astype(np.uint8))]


def round_trip(name: str, picture: Image.Image) -> np.ndarray:
    data = lpcodec.encode(picture, model=name)
    about = lpcodec.info(data)
    assert about["kind"] == "model"
    assert about["model"]["name"] == models.load(name).name
    lpcodec.verify(data)
    decoded = np.asarray(lpcodec.decode(data))
    assert decoded.shape == (*picture.size[::-1], 3)
    return decoded


def check_card(path: Path, name: str, steps: int) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    assert card["name"] == name
    assert card["digest"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["training"]["steps"] == steps
    assert card["training"]["device"] == "cpu"
    assert card["training"]["data"]["pictures"] == 5
    assert math.isfinite(card["training"]["held_score"])
    assert all(value > 0 for value in card["kmac_per_pixel"].values())
    assert sorted(p.name for p in path.parent.iterdir()) == [f"{name}.json", f"{name}.safetensors"]
    return card


@pytest.mark.parametrize("calibrated", [False, True])
def test_the_default_model_from_pictures_to_files(calibrated: bool, data: Path, tmp_path: Path, registry: Path) -> None:
    out = run("default", data, tmp_path / "run", steps=3)
    path = export(out, "default", registry, data=data if calibrated else None, order=2, note="pictures of nothing")
    card = check_card(path, "default", 3)
    assert card["sizes"] == vars(SMALL)
    assert (card["order"], card["note"]) == (2, "pictures of nothing")
    assert ("calibration" in card) == calibrated
    if calibrated:
        assert card["calibration"]["pictures"] == 6
        assert card["calibration"]["fitted_bits_a_symbol"] <= card["calibration"]["gaussian_bits_a_symbol"]
    (picture,) = pictures_of(data)
    decoded = round_trip("default", picture)
    assert np.square(decoded.astype(float) - np.asarray(picture)).mean() < 3000
    data_small = lpcodec.encode(picture, quality=0)
    assert len(data_small) < len(lpcodec.encode(picture, quality=100))
    codec: Any = models.load("default").trained
    assert models.load("default").digest.hex() == card["digest"][:8]
    averaged = Checkpoint.load(out).averaged["log_gain"]
    assert torch.equal(codec.network.log_gain.cpu(), averaged.half().float()), "the averaged weights are exported"


def test_the_lpcae_from_pictures_to_files(
    data: Path, tmp_path: Path, registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = (SMALL, replace(SMALL, latents=24, coarser_latents=SMALL.latents))
    monkeypatch.setattr(lpcae, "SIZES", levels)
    monkeypatch.setattr(lpcae_training, "START_SIZE", 128)
    monkeypatch.setattr(lpcae, "_START_STEPS", 20)
    with pytest.raises(UsageError, match="no weights for 'lpae'"):
        run("lpcae", data, tmp_path / "none", steps=1, patch=128)
    registry.mkdir()
    for suffix in ("json", "safetensors"):
        shutil.copy(ROOT / f"codec/weights/lpae.{suffix}", registry)
    out = run("lpcae", data, tmp_path / "run", steps=3, patch=128)
    held = [e for e in entries(out) if "held_score" in e][-1]
    assert {"held_bpp@28", "held_psnr@90", "held_coarsest_part@10"} <= held.keys()
    again = run("lpcae", data, tmp_path / "again", steps=1, patch=128, source=str(out))
    assert (again / "checkpoint.pt").exists()
    monkeypatch.setattr(lpcae, "SIZES", levels[:1])
    with pytest.raises(UsageError, match="only the same network's weights"):
        run("lpcae", data, tmp_path / "other", steps=1, source=str(out))
    monkeypatch.setattr(lpcae, "SIZES", levels)
    path = export(out, "lpcae", tmp_path / "exported", data=data)
    card = check_card(path, "lpcae", 3)
    assert card["sizes"] == {"levels": [vars(level) for level in levels]}
    assert card["calibration"]["fitted_bits_a_symbol"] <= card["calibration"]["gaussian_bits_a_symbol"]
    for file in path.parent.iterdir():
        shutil.copy(file, registry)
    (picture,) = pictures_of(data)
    decoded = round_trip("lpcae", picture)
    assert np.square(decoded.astype(float) - np.asarray(picture)).mean() < 3000
    installed = lpcae_training.LpcaeObjective(lpcae.LpcaeNetwork(levels), amp=False)
    installed.start(torch.Generator(), read_source("lpcae"))
    for name, averaged in Checkpoint.load(out).averaged.items():
        torch.testing.assert_close(installed.network.state_dict()[name], averaged, rtol=1e-3, atol=1e-3)
    with pytest.raises(UsageError, match="can't start from lpae"):
        installed.start(torch.Generator(), read_source("lpae"))


def test_the_wcae_with_a_channel_prior_from_pictures_to_files(data: Path, tmp_path: Path, registry: Path) -> None:
    out = run("wcae", data, tmp_path / "run", steps=3, options={"channel_prior": "yes", "lmbda": "0.01"})
    path = export(out, "wcae@0.15", registry)
    card = check_card(path, "wcae@0.15", 3)
    assert (card["training"]["lmbda"], card["training"]["channel_prior"]) == (0.01, True)
    codec: Any = models.load("wcae@0.15").trained
    assert codec.network.prior is not None
    assert (codec.network.prior.units[1] > 0).all()
    round_trip("wcae@0.15", pictures_of(data)[0])
    round_trip("wcae", pictures_of(data)[0])


def test_exports_that_can_not_be(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no checkpoint\.pt; give the folder that lpcodec train wrote"):
        export(tmp_path, "default", tmp_path / "weights")
    out = run("nowcae", data, tmp_path / "run", steps=1)
    with pytest.raises(UsageError, match="trained nowcae; 'wcae' is the name of another network"):
        export(out, "wcae", tmp_path / "weights")
    for name in ("", "a/b", "../mine", ".mine", "mine@fast", "lpcodec", "stored", "mine "):
        with pytest.raises(UsageError, match="can't be a model's name"):
            export(out, name, tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_exporting_over_a_name_is_asked_for(data: Path, tmp_path: Path, registry: Path) -> None:
    """Files that were coded with the weights of that name would be lost."""
    out = run("nowcae", data, tmp_path / "run", steps=1)
    path = export(out, "mine@0.2", registry)
    before = {file.name: file.read_bytes() for file in registry.iterdir()}
    with pytest.raises(UsageError, match="is there already") as caught:
        export(out, "mine@0.2", registry, note="other")
    assert caught.value.keyword == "overwrite"
    assert {file.name: file.read_bytes() for file in registry.iterdir()} == before
    assert models.load("mine").name == "mine@0.2"
    assert export(out, "mine@0.2", registry, note="other", overwrite=True) == path
    assert json.loads(path.with_suffix(".json").read_text())["note"] == "other"
    round_trip("mine", pictures_of(data)[0])


def test_exporting_a_run_again_gives_the_same_file(data: Path, tmp_path: Path) -> None:
    out = run("nowcae", data, tmp_path / "run", steps=1)
    assert len({export(out, "nowcae", tmp_path / str(n)).read_bytes() for n in range(8)}) == 1
