"""What the ablations vary: steps that see only what was decoded before, and parts of equal use."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.families.hyperprior.steps import checkerboard
from tests.modules import BENCHMARKS, module_at

SIZES = HyperpriorSizes(width=16, latents=12, linear_latents=4, hyper_width=8, hyper_latents=4, context_width=8)


@pytest.fixture(scope="module")
def context() -> ModuleType:
    return module_at(BENCHMARKS / "ablate_context.py")


def masks_of(trial: Any) -> list[torch.Tensor]:
    return [step.places(step.start, step.stop, 4, 4, "cpu") for step in trial.steps]


@pytest.mark.parametrize("variant", ["four steps", "four steps, shared"])
def test_four_steps_cut_two_by_the_parity_of_the_channel(context: ModuleType, variant: str) -> None:
    trial = context.Trial(HyperpriorNetwork(SIZES), variant, seed=0)
    masks = masks_of(trial)
    assert torch.stack(masks).sum(0).eq(1).all()
    assert torch.equal(masks[0] | masks[1], checkerboard(0)(0, SIZES.latents, 4, 4, "cpu"))
    for mask in masks:
        channel, row, column = mask[0].nonzero().T
        assert len({*(channel % 2).tolist()}) == len({*((row + column) % 2).tolist()}) == 1
    assert len(trial.scales.contexts) == (1 if variant.endswith("shared") else 3)


@pytest.mark.parametrize("variant", ["none", "means", "scales", "both", "four steps", "four steps, shared"])
def test_a_step_sees_the_steps_before_it_alone(context: ModuleType, variant: str) -> None:
    """Change the latents of one step at a time: which other steps' scales and means change is the variant's."""
    torch.manual_seed(0)
    y, quality = 100 * torch.randn(1, SIZES.latents, 4, 4), torch.tensor([40000])
    network = SimpleNamespace(
        sizes=SIZES, gain=lambda quality: 1.0, hyper_analysis=lambda scaled: torch.zeros(1, SIZES.hyper_latents, 1, 1)
    )
    trial = context.Trial(network, variant, seed=0)
    for part in (*trial.means.contexts.values(), *trial.scales.contexts.values()):
        torch.nn.init.normal_(part.head.weight)
    masks = masks_of(trial)

    def predicted(latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        network.analyse = lambda pictures: latents
        residuals, index = trial.residuals(torch.zeros(1), quality)
        return latents - residuals, index

    means, indexes = predicted(y)
    for number, changed in enumerate(masks):
        other_means, other_indexes = predicted(y + 50 * changed)
        for later, mask in enumerate(masks):
            part = mask.expand_as(y)
            reached = later > number
            moved = not torch.allclose(means[part], other_means[part], atol=1e-3)
            assert moved == (reached and trial.see_values)
            assert (not torch.equal(indexes[part], other_indexes[part])) == (reached and trial.see_symbols)


def test_dc_latents_have_steps_of_their_own_in_their_variant_alone(context: ModuleType) -> None:
    network = HyperpriorNetwork(replace(SIZES, dc_latents=2))
    assert list(context.Trial(network, "both", seed=0).scales.contexts) == ["checkerboard"]
    trial = context.Trial(network.requires_grad_(False), "averages first", seed=0)
    assert trial.steps[0].stop == context.DC_LATENTS
    parameters = list(trial.scales.contexts["grid2"].parameters())
    before = [parameter.clone() for parameter in parameters]
    trial.step(torch.rand(2, 3, 64, 64), torch.optim.Adam(trial.parameters, 1e-3))
    assert not all(torch.equal(old, new) for old, new in zip(before, parameters, strict=True))


def test_dc_latents_first_and_then_four_steps_decode_each_latent_once(context: ModuleType) -> None:
    trial = context.Trial(HyperpriorNetwork(SIZES).requires_grad_(False), "averages first, four steps", seed=0)
    times = torch.zeros(1, SIZES.latents, 8, 8)
    for step in trial.steps:
        times[:, step.start : step.stop] += step.places(step.start, step.stop, 8, 8, "cpu")
    assert times.eq(1).all()
    assert [step.stop for step in trial.steps] == [context.DC_LATENTS] * 4 + [SIZES.latents] * 4
    assert list(trial.scales.contexts) == ["grid1", "grid2", "grid3", "checkerboard"]
    trial.step(torch.rand(2, 3, 64, 64), torch.optim.Adam(trial.parameters, 1e-3))


def test_four_steps_learn(context: ModuleType) -> None:
    trial = context.Trial(HyperpriorNetwork(SIZES).requires_grad_(False), "four steps", seed=0)
    before = [parameter.clone() for parameter in trial.parameters]
    trial.step(torch.rand(2, 3, 64, 64), torch.optim.Adam(trial.parameters, 1e-3))
    unmoved = [old.shape for old, new in zip(before, trial.parameters, strict=True) if torch.equal(old, new)]
    assert unmoved == []


def test_earlier_runs_of_other_variants_and_the_same_settings_are_kept(context: ModuleType, tmp_path: Path) -> None:
    out, about = tmp_path / "runs.json", {"steps": 8}
    assert context.earlier_runs(out, about, ["both"]) == []
    runs = [{"variant": "none", "seed": 0}, {"variant": "both", "seed": 0}]
    out.write_text(json.dumps({**about, "runs": runs}))
    assert context.earlier_runs(out, about, ["both"]) == runs[:1]
    assert context.earlier_runs(out, {"steps": 9}, ["both"]) == []


def test_depthwise_blocks_and_a_network_without_linear_only_latents() -> None:
    start = module_at(BENCHMARKS / "ablate_start.py")
    pictures, quality = torch.rand(1, 3, 64, 64), torch.tensor([40000])
    network = start.with_depthwise_blocks(HyperpriorNetwork(SIZES))
    assert len(network.analysis.blocks) == len(network.synthesis.blocks) == start.DEPTHWISE_BLOCKS
    assert network(pictures, quality).pictures.shape == pictures.shape
    plain = start.without_details(HyperpriorNetwork(SIZES))
    assert (plain.sizes.latents, plain.sizes.linear_latents) == (8, 0)
    assert plain(pictures, quality).pictures.shape == pictures.shape


def test_changes_are_against_the_first_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    ablations = importlib.import_module("page_tables.ablations")
    monkeypatch.setattr("page_tables.common.RESULTS", tmp_path)
    runs = [
        {"variant": "both", "seed": 0, "bpp": {"15": 2.0}},
        {"variant": "four steps", "seed": 0, "bpp": {"15": 1.9}},
    ]
    (tmp_path / "runs.json").write_text(json.dumps({"runs": runs}))
    assert ablations.context("runs.json", "context")[2:] == ["| both | 0 |", "| four steps | -5.0 % |"]
