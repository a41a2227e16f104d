"""Patches, batches and numbers that a training can't have are refused before anything is read."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lpcodec.codec import models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.family import PatchSides
from lpcodec.codec.families.superresolution import wavelet
from lpcodec.codec.training.loop import train
from lpcodec.datasets.patches import PictureStore

NETWORKS = [network.name for network in models.networks()]
WITH_OPTIONS = [
    ("default", {"tune": "visual"}), ("fast", {"frontend": "cdf53"}), ("fast", {"frontend": "pyramid"}),
    ("stage", {"tune": "visual"}),
    ("light", {"scale": 2}), ("lapsrn", {"scale": 8}), ("ms-lapsrn", {"scale": 8}), ("lpn", {"scale": 3}),
    ("lpn", {"scale": 4}), ("lpsr-narrow", {"scale": 8}), ("wavesr", {"scale": 2}),
]  # fmt: skip


@pytest.fixture(autouse=True)
def narrow_and_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """WaveSR, WSR and LPSR have 46 million parameters each."""
    torch.manual_seed(0)  # the same weights and patches whichever tests ran before
    monkeypatch.setattr(wavelet, "BLOCKS", (8,) * len(wavelet.BLOCKS))


def objective_of(model: str, options: dict[str, Any]) -> Any:
    return models.family_of(models.network_named(model)).objective({"model": model, **options}, "cpu")


def refused(tmp_path: Path, model: str = "nowcae", **given: Any) -> str:
    """The error of a training, which comes before its missing pictures are looked for."""
    with pytest.raises(UsageError) as caught:
        train(model, tmp_path / "missing", tmp_path / "run", **{"steps": 1, "batch": 4, **given})
    assert not (tmp_path / "run").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("model", NETWORKS)
def test_patches_that_a_network_cannot_be_trained_on_are_refused(model: str, tmp_path: Path) -> None:
    sides = objective_of(model, {}).sides
    if sides.step == 1:
        assert refused(tmp_path, model, patch=0) == "patch 0: give one from 1 to 65,536"
        return
    first, second = sides.smallest, sides.smallest + sides.step
    text = refused(tmp_path, model, patch=first + 1)
    assert text.startswith(f"can't train {model} on patches of {first + 1} pixels: sides are multiples of ")
    assert text.endswith(f"; give {first} or {second}")
    assert refused(tmp_path, model, patch=1).endswith(f"; give {first}")


@pytest.mark.parametrize(("model", "options"), [*((name, {}) for name in NETWORKS), *WITH_OPTIONS])
def test_a_network_trains_on_the_sides_that_it_states(model: str, options: dict[str, Any]) -> None:
    objective = objective_of(model, options)
    assert objective.patch in objective.sides
    if model == "stage":  # it loads the codec that makes its small pictures
        objective.store = PictureStore([np.zeros((1, 1, 3), np.uint8)])
        objective.start(torch.Generator(), None)
    examples = len(getattr(objective, "scales", (1,)))
    for side in (objective.sides.smallest, objective.sides.smallest + objective.sides.step):
        patches = torch.rand(examples, 3, side, side)
        batch = objective.pairs(patches) if hasattr(objective, "pairs") else patches
        first, second = gradients(objective, batch), gradients(objective, batch)
        assert first
        assert all(bool(gradient.isfinite().all()) for gradient in first)
        for a, b in zip(first, second, strict=True):
            assert float((a - b).norm()) <= 0.01 * float(a.norm()), "it depends on memory that was never set"


def gradients(objective: Any, batch: Any) -> list[torch.Tensor]:
    """Those of the loss of a batch, with the same noise at every call."""
    rubbish = [torch.full((size,), math.nan) for size in (1_000, 60_000, 600_000)]
    del rubbish  # the memory is free now, and still holds it
    objective.network.zero_grad()
    torch.manual_seed(0)
    loss, _ = objective.loss(batch)
    loss.backward()
    return [p.grad.clone() for p in objective.network.parameters() if p.grad is not None]


def test_the_sides_of_the_visual_distortion(tmp_path: Path) -> None:
    text = refused(tmp_path, "fast", patch=128, options={"tune": "visual"})
    assert text.endswith("on patches of 128 pixels: sides are multiples of 16 from 176 on; give 176")


@pytest.mark.parametrize(
    "sides", [PatchSides(), PatchSides(16), PatchSides(16, 161), PatchSides(3, 7), PatchSides(5, 2)]
)
def test_the_nearest_sides(sides: PatchSides) -> None:
    allowed = [side for side in range(1, 500) if side % sides.step == 0 and side >= sides.least]
    assert [side for side in range(-20, 500) if side in sides] == allowed
    assert sides.smallest == allowed[0]
    for side in set(range(1, 400)) - set(allowed):
        below, above = [a for a in allowed if a < side], [a for a in allowed if a > side]
        assert sides.nearest(side) == (*below[-1:], above[0])


@pytest.mark.parametrize(
    "given",
    [
        *({"learning_rate": rate} for rate in (0.0, -1.0, math.nan, math.inf, 1e300)),
        *({"seed": seed} for seed in (-1, 2**63, 2**64)),
        *({"steps": None, "time_limit": limit} for limit in (0.0, -5.0, math.nan, math.inf)),
        *({"batch": batch} for batch in (0, -1, 10**20)),
        *({"threads": threads} for threads in (0, 100_000, 10**20)),
        {"steps": 0}, {"patch": 10**20},
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(given: dict[str, Any], tmp_path: Path) -> None:
    *_, (name, value) = given.items()
    assert refused(tmp_path, **given).startswith(f"{name.replace('_', ' ')} {value}: give one from ")


@pytest.mark.parametrize("text", ["-1", "0", "nan", "inf", "1e400"])
def test_the_weight_of_a_rate_is_above_zero(text: str, tmp_path: Path) -> None:
    assert "a weight is above 0 and finite" in refused(tmp_path, options={"lmbda": text})


def test_a_batch_has_a_part_for_each_scale(tmp_path: Path) -> None:
    for model, batch, options in (("light", 1, {}), ("ms-lapsrn", 2, {"scale": "8"})):
        assert "scales, each from a part of it; give " in refused(tmp_path, model, batch=batch, options=options)
    objective = objective_of("ms-lapsrn", {"scale": 8, "batch": 4})
    _, figures = objective.loss(objective.pairs(torch.rand(4, 3, 8, 8)))
    assert figures.keys() == {"psnr_x2", "psnr_x4", "psnr_x8"}
