"""Starting from earlier weights: the same function, from a run and from installed weights, and with more latents."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lpcodec.codec import models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.hyperprior import warmstart
from lpcodec.codec.families.hyperprior.export import frozen_codec
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.families.hyperprior.steps import LATE, Channels
from lpcodec.codec.families.hyperprior.warmstart import start_from, weights_of
from lpcodec.codec.training.checkpoint import Checkpoint
from lpcodec.codec.training.source import origin, read_source

SMALL = HyperpriorSizes(width=16, latents=24, hyper_width=16, hyper_latents=8, context_width=16)


@pytest.fixture
def pictures() -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(6, 3, 12, 12, generator=generator)
    fine = torch.rand(6, 3, 64, 64, generator=generator)
    return 0.8 * torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bilinear") + 0.2 * fine


@pytest.fixture
def network(pictures: torch.Tensor) -> HyperpriorNetwork:
    torch.manual_seed(0)
    network = HyperpriorNetwork(SMALL)
    network.start_from_principal_components(pictures)
    return network


def figures(network: HyperpriorNetwork, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The decoded pictures without quantisation, and z."""
    with torch.no_grad():
        y = network.analyse(pictures)
        return network.synthesise(y, torch.full((len(y),), 40000)), network.hyper_analysis(y)


def in_run(network: HyperpriorNetwork, folder: Path) -> str:
    state = network.state_dict()
    keys = ("steps", "time_limit", "batch", "patch", "seed", "learning_rate")
    Checkpoint({"model": "default", **dict.fromkeys(keys)}, 1, 1.0, state, state, [], torch.zeros(1), 0.0).save(folder)
    return str(folder)


def test_a_run_gives_its_averaged_weights(network: HyperpriorNetwork, pictures: torch.Tensor, tmp_path: Path) -> None:
    again = HyperpriorNetwork(SMALL)
    start_from(again, weights_of(read_source(in_run(network, tmp_path))), pictures)
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_installed_weights_are_thawed(
    network: HyperpriorNetwork, pictures: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    level, z = torch.tensor([30]), torch.randint(-9, 10, (1, SMALL.hyper_latents, 3, 3)).float()
    wanted = network.scales.begin(z, level, 12, 12).from_z.whole.detach()
    frozen = HyperpriorNetwork(SMALL)
    frozen.load_state_dict(network.state_dict())
    codec = frozen_codec(frozen)
    monkeypatch.setattr(models, "tensors_of", lambda name: (codec.to_tensors(), {"sizes": vars(SMALL)}))
    again = HyperpriorNetwork(SMALL)
    start_from(again, weights_of(read_source("default")), pictures)
    assert torch.equal(again.scales.begin(z, level, 12, 12).from_z.whole, wanted)
    assert all(p.requires_grad and p.dtype == torch.float32 for p in again.parameters())


@pytest.mark.parametrize("linear", [0, 6, 16])
def test_more_latents_keep_the_function_and_represent_more(
    network: HyperpriorNetwork, pictures: torch.Tensor, tmp_path: Path, linear: int
) -> None:
    old, old_z = figures(network, pictures)
    wider = HyperpriorNetwork(replace(SMALL, latents=40, linear_latents=linear))
    start_from(wider, weights_of(read_source(in_run(network, tmp_path))), pictures)
    new, new_z = figures(wider, pictures)
    torch.testing.assert_close(new_z, old_z)
    with torch.no_grad():
        y = wider.analyse(pictures)
        torch.testing.assert_close(y[:, :24], network.analyse(pictures))
        y[:, 24:] = 0
        torch.testing.assert_close(wider.synthesise(y, torch.full((len(y),), 40000)), old)
    assert (new - pictures).square().mean() < 0.9 * (old - pictures).square().mean()


def test_more_residual_pairs_keep_the_function(
    network: HyperpriorNetwork, pictures: torch.Tensor, tmp_path: Path
) -> None:
    with torch.no_grad():
        network.synthesis.tail.weight.normal_(std=0.05)
        network.analysis.tail.weight.normal_(std=0.05)
        network.log_strength.normal_(std=0.1)
    deeper = HyperpriorNetwork(replace(SMALL, analysis_pairs=2, synthesis_pairs=3))
    start_from(deeper, weights_of(read_source(in_run(network, tmp_path))), pictures)
    for found, wanted in zip(figures(deeper, pictures), figures(network, pictures), strict=True):
        torch.testing.assert_close(found, wanted)
    pair = deeper.synthesis.blocks[2]
    assert pair.first.weight.any(), "the new pair can learn"


def test_what_does_not_fit_is_refused(network: HyperpriorNetwork, pictures: torch.Tensor, tmp_path: Path) -> None:
    state = weights_of(read_source(in_run(network, tmp_path)))
    for sizes in (
        replace(SMALL, width=24), replace(SMALL, latents=16), replace(SMALL, synthesis_pairs=0),
        replace(SMALL, linear_latents=8),
    ):  # fmt: skip
        with pytest.raises(UsageError, match="of another size"):
            start_from(HyperpriorNetwork(sizes), state, pictures)


def test_latents_between_main_ones_and_linear_only_ones_are_refused(pictures: torch.Tensor) -> None:
    state = HyperpriorNetwork(replace(SMALL, linear_latents=8)).state_dict()
    start_from(HyperpriorNetwork(replace(SMALL, latents=32, linear_latents=16)), state, pictures)
    with pytest.raises(UsageError, match="of another size"):
        start_from(HyperpriorNetwork(replace(SMALL, latents=32, linear_latents=8)), state, pictures)


def test_what_weights_went_through_adds_up(network: HyperpriorNetwork, tmp_path: Path) -> None:
    source = in_run(network, tmp_path)
    assert origin(source) == {"name": tmp_path.name, "steps": 1, "seconds": 1}
    state = Checkpoint.load(tmp_path)
    state.plan["origin"] = {"name": "earlier", "steps": 40, "seconds": 50}
    state.save(tmp_path)
    assert origin(source) == {"name": tmp_path.name, "steps": 41, "seconds": 51}


def test_what_installed_weights_went_through_names_their_digest() -> None:
    found = origin("default")
    (row,) = [row for row in models.describe() if row["name"] == "default"]
    assert found["digest"] == row["digest"][:8]
    assert found["steps"] >= row["training"]["steps"]


def test_only_hyperprior_networks_start_from_weights() -> None:
    with pytest.raises(UsageError, match="only the hyperprior networks"):
        weights_of(read_source("wcae"))


def test_the_named_layers_are_all_those_that_depend_on_the_number_of_latents() -> None:
    def changed(sizes: HyperpriorSizes) -> set[str]:
        a, b = (HyperpriorNetwork(s).state_dict() for s in (SMALL, sizes))
        return {name.rsplit(".", 1)[0] if "." in name else name for name in a if a[name].shape != b[name].shape}

    every = {*warmstart.LATENTS_IN, *warmstart.LATENTS_OUT, *warmstart.GAINS}
    assert changed(replace(SMALL, latents=40, linear_latents=16)) == every
    assert changed(replace(SMALL, latents=40)) == {*every, *warmstart.LATENTS_IN_MAIN, *warmstart.LATENTS_OUT_MAIN}


@pytest.mark.parametrize(
    "sizes",
    [
        SMALL,
        replace(SMALL, latents=40, linear_latents=16, synthesis_pairs=2),
        replace(SMALL, coarser_latents=8),
        replace(SMALL, dc_latents=3),
    ],
)
def test_sizes_are_found_in_the_weights(sizes: HyperpriorSizes) -> None:
    assert warmstart.sizes_of(HyperpriorNetwork(sizes).state_dict()) == sizes


def test_two_steps_become_early_and_late_ones_that_start_near_the_old_function(
    network: HyperpriorNetwork, pictures: torch.Tensor, tmp_path: Path
) -> None:
    """What z says stays as it was to the bit, and the late context adds nothing to it."""
    new = HyperpriorNetwork(replace(SMALL, early_latents=8, anchors=11))
    start_from(new, weights_of(read_source(in_run(network, tmp_path))), pictures)
    level, z = torch.tensor([30]), torch.randint(-9, 10, (1, SMALL.hyper_latents, 3, 3)).float()
    old_scales, scales = network.scales.begin(z, level, 12, 12), new.scales.begin(z, level, 12, 12)
    old_means, means = network.means.begin(z, level, 12, 12), new.means.begin(z, level, 12, 12)
    assert torch.equal(scales.from_z.whole, old_scales.from_z.whole)
    assert torch.equal(means.from_z.whole, old_means.from_z.whole)
    known = Channels()
    known.add(0, torch.randint(-9, 10, (1, SMALL.latents, 12, 12)).float())
    late = next(step for step in new.steps if step.context == LATE)
    first = next(step for step in network.steps if step.context is None)
    own = slice(8 - first.start, None)
    assert torch.equal(scales.indexes(late, known), old_scales.indexes(first, known)[:, own])
    assert torch.equal(means.means(late, known), old_means.means(first, known)[:, own])


def test_more_anchors_keep_the_gains_where_both_networks_have_some(
    network: HyperpriorNetwork, pictures: torch.Tensor, tmp_path: Path
) -> None:
    new = HyperpriorNetwork(replace(SMALL, anchors=11))
    start_from(new, weights_of(read_source(in_run(network, tmp_path))), pictures)
    quality = torch.tensor([0, 10_000, 30_000, 45_000])
    torch.testing.assert_close(new.gain(quality), network.gain(quality))
    steps = new.log_gain.diff(dim=0)
    torch.testing.assert_close(steps[-1], steps[-4])
