"""LPAE and WAE in training: the papers' losses and schedule, and a run that ends in weights."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from lpcodec.codec import models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.decomposition.family import FAMILY
from lpcodec.codec.families.decomposition.training import half_size
from lpcodec.codec.families.family import Source
from lpcodec.codec.training import log, loop, trainer
from lpcodec.codec.training import objective as training
from lpcodec.codec.training.checkpoint import Checkpoint
from lpcodec.codec.training.export import export
from lpcodec.codec.training.loop import train


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four smooth pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(4):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8))
        coarse.resize((90, 100), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "VALIDATION_SIZE", 64)
    monkeypatch.setattr(training, "VALIDATION_PATCHES", 2)
    monkeypatch.setattr(trainer, "WARM_UP_STEPS", 3)
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    monkeypatch.setattr(log, "_board", lambda folder, step: None)


def objective(name: str) -> Any:
    return FAMILY.objective({"model": name}, "cpu")


def batch() -> torch.Tensor:
    return torch.rand(2, 3, 32, 24, generator=torch.Generator().manual_seed(0))


def test_the_loss_of_lpae() -> None:
    torch.manual_seed(0)
    goal, x = objective("lpae"), batch()
    net = goal.network
    with torch.no_grad():
        coarse, detail = net.approximation(x), net.detail(x)
        back = detail + net.prediction(coarse)
        small = F.interpolate(x, (16, 12), mode="bicubic", align_corners=True)
        wanted = F.l1_loss(back, x) + 0.8 * F.mse_loss(coarse, small) + detail.square().mean()
    value, figures = goal.loss(x)
    assert float(value.detach()) == pytest.approx(float(wanted), rel=1e-5)
    mean_psnr = np.mean([-10 * math.log10(float((a - b).square().mean())) for a, b in zip(x, back, strict=True)])
    assert float(figures["psnr"]) == pytest.approx(mean_psnr, rel=1e-4)
    assert not figures["psnr"].requires_grad
    goal.held = x
    held = goal.validate(net)
    assert held["score"] == pytest.approx(float(wanted), rel=1e-5)
    assert held["psnr"] == pytest.approx(mean_psnr, rel=1e-4)


@pytest.mark.parametrize("name", ["wae", "wae-relu"])
def test_the_loss_of_wae(name: str) -> None:
    torch.manual_seed(0)
    goal, x = objective(name), batch()
    with torch.no_grad():
        bands = goal.network.split(x)
        wanted = F.mse_loss(goal.network.merge(bands), x) + bands.details[0].square().mean()
    assert float(goal.loss(x)[0].detach()) == pytest.approx(float(wanted), rel=1e-5)


def test_half_size_keeps_corners_and_rounds_up() -> None:
    x = batch()[..., :31, :23]
    small = half_size(x)
    assert small.shape == (2, 3, 16, 12)
    for row, column in ((0, 0), (-1, -1)):
        assert torch.allclose(small[..., row, column], x[..., row, column], atol=1e-6)
    assert float(training.psnr(torch.tensor(0.01), peak=1)) == pytest.approx(20)
    assert float(training.psnr(torch.tensor(650.25))) == pytest.approx(20)


def test_the_rate_is_halved_seven_times() -> None:
    goal = objective("lpae")
    rates = [goal.rate_at(float(part)) for part in np.linspace(0, 1, 801)]
    assert rates[0] == 1
    assert rates[-1] == 2**-7
    assert rates == sorted(rates, reverse=True)
    assert [sum(rate == 2.0**-stage for rate in rates) for stage in range(8)] == [100] * 7 + [101]


@pytest.mark.parametrize("name", [network.name for network in FAMILY.networks])
def test_the_recipe(name: str) -> None:
    goal = objective(name)
    assert (goal.patch, goal.learning_rate) == (192, 1e-3)
    (group,) = goal.parameter_groups()
    assert group["weight_decay"] == 1e-6
    assert sum(p.numel() for p in group["params"]) == models.network_named(name).parameters  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="can't start from default: front-ends start at random"):
        goal.start(torch.Generator(), Source("default", "default"))


@pytest.mark.parametrize("name", ["lpae", "wae-relu"])
def test_a_run_ends_in_weights(name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = train(name, data, tmp_path / "run", steps=40, patch=48, batch=2, learning_rate=3e-3)
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    rates = [entry["rate"] for entry in log if "rate" in entry]
    assert rates[4] == pytest.approx(3e-3)
    assert rates[-1] == pytest.approx(3e-3 / 128, rel=0.05)  # the log has six places
    losses = [entry["loss"] for entry in log if "loss" in entry]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    path = export(out, name, tmp_path / "weights", note="made up")
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["digest"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["training"]["held_psnr"] == pytest.approx(log[-1]["held_psnr"])
    macs = {"lpae": (10.62, 5.232), "wae-relu": (5.256, 10.464)}[name]
    assert (card["kmac_per_pixel"]["analysis"], card["kmac_per_pixel"]["synthesis"]) == macs
    monkeypatch.setenv(models.WEIGHTS_VARIABLE, str(tmp_path / "weights"))
    averaged = Checkpoint.load(out).averaged
    assert all(torch.equal(value, averaged[key]) for key, value in models.tensors_of(name)[0].items())
    frontend = models.load_frontend(name)
    with torch.no_grad():
        assert frontend.merge(frontend.split(batch())).shape == batch().shape
