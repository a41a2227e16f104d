"""What the ablations vary: steps that see only what was decoded before, and parts of equal use."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from lpcodec.codec.families.hyperprior.context import first_step_mask
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SIZES = HyperpriorSizes(width=16, latents=12, details=4, hyper_width=8, hyper_latents=4, context_width=8)


def benchmark(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def context() -> ModuleType:
    return benchmark("ablate_context")


def test_four_steps_cut_the_two_of_the_codec_by_the_parity_of_the_channel(context: ModuleType) -> None:
    masks = context.four_masks(6, 4, 4)
    assert torch.stack(masks).sum(0).eq(1).all()
    assert torch.equal(masks[0] | masks[1], first_step_mask(6, 4, 4))
    for mask in masks:
        channel, row, column = mask[0].nonzero().T
        assert len({*(channel % 2).tolist()}) == len({*((row + column) % 2).tolist()}) == 1


@pytest.mark.parametrize("variant", ["none", "means", "scales", "both", "four steps"])
def test_a_step_sees_the_steps_before_it_alone(context: ModuleType, variant: str) -> None:
    """Change the latents of one step at a time: which other steps' scales and means change is the variant's."""
    torch.manual_seed(0)
    y, quality = 100 * torch.randn(1, SIZES.latents, 4, 4), torch.tensor([40000])
    network = SimpleNamespace(
        sizes=SIZES, gain=lambda quality: 1.0, hyper_analysis=lambda gained: torch.zeros(1, SIZES.hyper_latents, 1, 1)
    )
    trial = context.Trial(network, variant, seed=0)
    for part in (trial.means, *trial.more_means, trial.scales, *trial.more_scales):
        torch.nn.init.normal_(part.second.weight)
    masks = trial.masks(SIZES.latents, 4, 4)

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


def test_averages_have_steps_of_their_own_in_their_variant_alone(context: ModuleType) -> None:
    network = HyperpriorNetwork(replace(SIZES, averages=2))
    assert len(context.Trial(network, "both", seed=0).scales.average_steps) == 0
    trial = context.Trial(network.requires_grad_(False), "averages first", seed=0)
    assert trial.scales.averages == context.AVERAGE_LATENTS
    before = [parameter.clone() for parameter in trial.scales.average_steps.parameters()]
    trial.step(torch.rand(2, 3, 64, 64), torch.optim.Adam(trial.parameters, 1e-3))
    after = trial.scales.average_steps.parameters()
    assert not all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


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


def test_depthwise_blocks_and_a_network_without_details() -> None:
    start = benchmark("ablate_start")
    pictures, quality = torch.rand(1, 3, 64, 64), torch.tensor([40000])
    network = start.with_depthwise_blocks(HyperpriorNetwork(SIZES))
    assert len(network.analysis.blocks) == len(network.synthesis.blocks) == start.DEPTHWISE_BLOCKS
    assert network(pictures, quality).pictures.shape == pictures.shape
    plain = start.without_details(HyperpriorNetwork(SIZES))
    assert (plain.sizes.latents, plain.sizes.details) == (8, 0)
    assert plain(pictures, quality).pictures.shape == pictures.shape


def test_changes_are_against_the_first_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = benchmark("tables")
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    runs = [
        {"variant": "both", "seed": 0, "bpp": {"15": 2.0}},
        {"variant": "four steps", "seed": 0, "bpp": {"15": 1.9}},
    ]
    (tmp_path / "runs.json").write_text(json.dumps({"runs": runs}))
    assert tables.context("runs.json", "context")[2:] == ["| both | 0 |", "| four steps | -5.0 % |"]
