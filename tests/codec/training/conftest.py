"""Trainings of seconds: small pictures, small networks, a folder of weights of its own."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec import models
from lpcodec.codec.families.hyperprior import sizes
from lpcodec.codec.families.hyperprior import training as hyperprior_training
from lpcodec.codec.training import log, loop, objective, trainer
from tests.training_runs import SMALL


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six smooth pictures: an easy set."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(6):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8))
        coarse.resize((208, 200), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks, small validation, quick schedule."""
    monkeypatch.setattr(sizes, "PROFILES", {"default": SMALL})
    monkeypatch.setattr(hyperprior_training, "START_PATCHES", 8)
    monkeypatch.setattr(hyperprior_training, "START_SIZE", 64)
    monkeypatch.setattr(objective, "VALIDATION_SIZE", 64)
    monkeypatch.setattr(objective, "VALIDATION_PATCHES", 2)
    monkeypatch.setattr(trainer, "WARM_UP_STEPS", 3)
    monkeypatch.setattr(loop, "LOG_EVERY", 5)
    monkeypatch.setattr(log, "_board", lambda folder, step: None)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own folder of weights, the only one there is."""
    folder = tmp_path / "weights"
    monkeypatch.setattr(models, "_PACKAGED", tmp_path / "none")
    monkeypatch.setenv(models.WEIGHTS_VARIABLE, str(folder))
    return folder
