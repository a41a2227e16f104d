"""Refined latents: never at a higher cost, coded and decoded as any others, the same every time, in groups too."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpcodec.codec import visual
from lpcodec.codec.families.family import Frame
from lpcodec.codec.families.hyperprior import refinement
from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec
from lpcodec.codec.families.hyperprior.entropy import Group
from lpcodec.codec.families.hyperprior.finishing import FEATURES, TAPS, FinishingFilter
from lpcodec.codec.families.hyperprior.hyperlatents import CLASSES, HyperTables
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.qualities import lambda_of_quality
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.quality import Quality
from lpcodec.entropy.tables import default_scales, default_tables, gaussian_tables

SMALL = HyperpriorSizes(
    width=16, latents=24, dc_latents=3, hyper_width=16, hyper_latents=8, context_width=16, early_latents=8, anchors=11
)
ANCHORS = SMALL.anchors
CONTEXTS = ("early", "late", "last")


def smooth(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Noise with more energy in low frequencies, as photographs have: uint8 (H, W, C)."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, channels, height, width)
    for scale in (1, 4, 16, 64):
        size = (-(-height // scale), -(-width // scale))
        part = torch.randn(1, channels, *size, generator=generator)
        total += scale**0.7 * torch.nn.functional.interpolate(part, (height, width), mode="nearest")
    return (128 + 9 * total[0]).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()


@pytest.fixture(scope="module")
def codec() -> HyperpriorCodec:
    """A transform codec by principal components; scale and mean networks are random, but see their inputs."""
    torch.manual_seed(0)
    network = HyperpriorNetwork(SMALL)
    pictures = torch.from_numpy(np.stack([smooth(128, 128, seed=s) for s in range(4)])).permute(0, 3, 1, 2).float()
    network.start_from_principal_components(pictures / 255)
    with torch.no_grad():
        network.hyper_analysis.layers[-1].weight.mul_(10)
        for head in (network.scales.head, *(network.scales.contexts[name].head for name in CONTEXTS)):
            head.bias.uniform_(1, 3)
        for head in (network.means.head, *(network.means.contexts[name].head for name in CONTEXTS)):
            head.weight.normal_(std=0.02)
        for layer in (network.synthesis.tail, network.analysis.tail):
            layer.weight.normal_(std=0.003)
    network.scales.freeze()
    tables = (gaussian_tables([default_scales()[20]] * SMALL.hyper_latents * CLASSES),) * ANCHORS
    z_tables = HyperTables(tables, np.full((ANCHORS, SMALL.hyper_latents), 9, np.int8))
    return HyperpriorCodec(network, default_tables(), z_tables, 3)


@pytest.fixture(params=[False, True], ids=["plain", "filtered"])
def finished(codec: HyperpriorCodec, request: pytest.FixtureRequest) -> Iterator[HyperpriorCodec]:
    """The codec without a finishing filter, and with one that changes pixels by several levels."""
    if request.param:
        generator = torch.Generator().manual_seed(1)
        codec.finish_with(FinishingFilter(0.02 * torch.randn(ANCHORS, TAPS, FEATURES, generator=generator)))
    yield codec
    codec.finish_with(None)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def header_for(pixels: np.ndarray, quality: float) -> Frame:
    return Frame(pixels.shape[0], pixels.shape[1], Quality.of(quality))


def cost(codec: HyperpriorCodec, pixels: np.ndarray, groups: list[Group], quality: float, tune: str = "psnr") -> float:
    """Bits and weighted distortion of the whole picture, as a decoder shows it."""
    decoded = codec.synthesise(groups, header_for(pixels, quality))
    if pixels.shape[2] == 1:
        decoded = decoded.mean(2, keepdims=True)
    bits = sum(p.tables.bits(p.symbols, p.indexes) for g in groups for p in g.runs)
    lmbda = float(lambda_of_quality(torch.tensor(Quality.of(quality).units).double()))
    if tune == "visual":
        tensors = (torch.from_numpy(p.transpose(2, 0, 1)[None].astype(np.float32) / 255) for p in (decoded, pixels))
        distortion = float(visual.distortion_of_parts(*tensors))
    else:
        distortion = np.square(decoded.astype(np.float64) - pixels).mean()
    return bits + refinement.LAMBDA_FACTORS[tune] * lmbda * distortion * pixels.shape[0] * pixels.shape[1]


def both_costs(
    codec: HyperpriorCodec, pixels: np.ndarray, quality: float, iterations: int, tune: str = "psnr"
) -> tuple[float, float]:
    latents = codec.analyse(pixels)
    refined = codec.refine(pixels, latents, quality, iterations, tune=tune)
    return tuple(cost(codec, pixels, codec.code(y, quality).groups, quality, tune) for y in (latents, refined))


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (70, 5), (64, 64), (5, 150)])
@pytest.mark.parametrize(("quality", "iterations"), [(3.0, 1), (50.0, 5), (97.0, 20)])
def test_refined_latents_never_cost_more(
    finished: HyperpriorCodec, size: tuple[int, int], quality: float, iterations: int
) -> None:
    plain, refined = both_costs(finished, smooth(*size), quality, iterations)
    assert refined <= plain * (1 + 1e-6)


def test_on_a_picture_of_some_size_they_cost_less_and_more_iterations_help(codec: HyperpriorCodec) -> None:
    pixels = smooth(96, 112)
    costs = [both_costs(codec, pixels, 45, iterations) for iterations in (2, 12, 40)]
    gains = [1 - refined / plain for plain, refined in costs]
    assert gains[0] > 0.002
    assert gains[1] > gains[0]
    assert gains[2] > gains[0]


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (64, 200)])
@pytest.mark.parametrize("channels", [1, 3])
def test_with_weights_for_the_eye_they_never_cost_more_of_what_is_seen(
    finished: HyperpriorCodec, size: tuple[int, int], channels: int
) -> None:
    plain, refined = both_costs(finished, smooth(*size, channels), 45, 5, "visual")
    assert refined <= plain * (1 + 1e-5)


@pytest.mark.parametrize("tune", ["psnr", "visual"])
@pytest.mark.parametrize("quality", [25, 60])
def test_either_tune_lowers_its_own_cost(codec: HyperpriorCodec, quality: float, tune: str) -> None:
    plain, refined = both_costs(codec, smooth(176, 192), quality, 8, tune)
    assert refined < 0.99 * plain


@pytest.mark.parametrize("factor", [0.1, 0.3])
def test_curvatures_that_are_far_too_small_dont_make_it_run_away(
    codec: HyperpriorCodec, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at places where the decoder amplifies many times more than elsewhere in the group."""
    measured = refinement._Distortion.curvature
    monkeypatch.setattr(refinement._Distortion, "curvature", lambda self, values: factor * measured(self, values))
    pixels = smooth(96, 112)
    plain, refined = both_costs(codec, pixels, 45, 40)
    assert refined < 0.998 * plain


def test_the_curvature_is_that_of_single_latents(codec: HyperpriorCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sum of c / 2 * x**2 with one c for each channel it is c, and channels of a small c get a quarter of the
    mean, or values would run away."""
    own = torch.linspace(0, 8, SMALL.latents).view(1, -1, 1, 1)
    monkeypatch.setattr(refinement._Distortion, "error", lambda self, values: (own / 2 * values.square()).sum())
    pixels = smooth(64, 64)
    latents = codec.analyse(pixels)
    found: list[torch.Tensor] = []
    monkeypatch.setattr(refinement._Bowl, "__init__", lambda self, measured: found.append(measured))
    monkeypatch.setattr(refinement._Refinement, "_iterate", lambda self, bowl: iter(()))
    monkeypatch.setattr(refinement._Refinement, "_try", lambda self, curvature: None)
    monkeypatch.setattr(refinement._Bowl, "curvature", 1.0, raising=False)
    codec.refine(pixels, latents, 45, 1)
    assert torch.allclose(found[0], own.clamp_min(float(own.mean()) / 4), rtol=1e-3)


@given(st.floats(0.2, 20), st.floats(0, 30), st.integers(0, 1000))
def test_the_curvature_rises_for_latents_that_move_together(own: float, shared: float, seed: int) -> None:
    """A bowl of own / 2 * x**2 for each latent, and shared / 2 * (sum of x)**2 / n for all: along equal moves the
    curvature is own + shared, so the measured one is raised by the root of the ratio."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(1, 3, 2, 2, generator=generator)

    def gradient(x: torch.Tensor) -> torch.Tensor:
        return own * x + shared * x.sum() / x.numel()

    bowl = refinement._Bowl(torch.full((1, 3, 1, 1), own))
    bowl.learn(start, gradient(start))
    assert torch.equal(bowl.curvature, torch.full((1, 3, 1, 1), own))
    bowl.learn(start + 1, gradient(start + 1))
    raised = min(math.sqrt(1 + shared / own), refinement.MOST_RAISED)
    assert torch.allclose(bowl.curvature, torch.full((1, 3, 1, 1), own * raised), rtol=1e-3)


def test_a_grey_picture_is_judged_by_its_one_channel(codec: HyperpriorCodec) -> None:
    plain, refined = both_costs(codec, smooth(80, 80, 1), 45, 8)
    assert refined < plain


@pytest.mark.parametrize("size", [(1, 1), (40, 90), (150, 70)])
def test_the_decoder_reads_what_was_refined(
    codec: HyperpriorCodec, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec, "group_side", 4)
    pixels = smooth(*size)
    coded = codec.code(codec.refine(pixels, codec.analyse(pixels), 45, 4), 45)
    for got, put in zip(codec.parse(coded.payloads(), header_for(pixels, 45)), coded.groups, strict=True):
        assert np.array_equal(got.z, put.z)
        assert np.array_equal(got.r, put.r)


def test_groups_account_for_all_of_the_picture(finished: HyperpriorCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the groups think they save, each in its own surroundings, is what the whole picture saves."""
    codec = finished
    monkeypatch.setattr(codec, "group_side", 4)
    pixels = smooth(150, 170)
    latents = codec.analyse(pixels)
    saved = []
    run = refinement._Refinement.run

    def watched(self, tell):
        before = self._cost(self.plain)
        result = run(self, tell)
        saved.append(before - self.best.cost)
        return result

    monkeypatch.setattr(refinement._Refinement, "run", watched)
    refined = codec.refine(pixels, latents, 45, 5)
    plain_cost, refined_cost = (cost(codec, pixels, codec.code(y, 45).groups, 45) for y in (latents, refined))
    assert len(saved) == 9
    assert sum(s > 0 for s in saved) >= 7
    assert plain_cost - refined_cost == pytest.approx(sum(saved), rel=0.02)


def test_the_same_every_time_and_no_random_number_of_others_is_taken(codec: HyperpriorCodec) -> None:
    pixels = smooth(60, 50)
    latents = codec.analyse(pixels)
    payloads = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        payloads.append(codec.code(codec.refine(pixels, latents, 45, 6), 45).payloads()[0])
        assert torch.equal(before, torch.get_rng_state())
    assert payloads[0] == payloads[1]


def test_what_was_given_stays_as_it_was(codec: HyperpriorCodec) -> None:
    pixels = smooth(50, 50)
    latents = codec.analyse(pixels)
    before = latents.clone()
    weights = {name: value.clone() for name, value in codec.network.state_dict().items()}
    codec.refine(pixels, latents, 45, 4)
    assert torch.equal(latents, before)
    assert all(torch.equal(value, weights[name]) for name, value in codec.network.state_dict().items())
    assert all(p.grad is None for p in codec.network.parameters())


@pytest.mark.parametrize("other", [43.0, 47.0])
def test_they_are_good_at_qualities_near_theirs(codec: HyperpriorCodec, other: float) -> None:
    pixels = smooth(96, 112)
    latents = codec.analyse(pixels)
    refined = codec.refine(pixels, latents, 45, 12)
    plain_cost, refined_cost = (cost(codec, pixels, codec.code(y, other).groups, other) for y in (latents, refined))
    assert refined_cost < plain_cost


def test_progress_goes_from_group_to_group(codec: HyperpriorCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "group_side", 4)
    pixels = smooth(100, 60)
    told: list[tuple[str, float]] = []
    codec.refine(pixels, codec.analyse(pixels), 45, 3, lambda stage, part: told.append((stage, part)))
    parts = [part for _, part in told]
    assert {stage for stage, _ in told} == {"refinement"}
    assert parts == sorted(parts)
    assert parts[-1] == 1
    assert len(set(parts)) > 4


@pytest.mark.parametrize("step", ["STEP_START", "Z_STEP"])
def test_values_that_are_not_numbers_are_left_out(
    codec: HyperpriorCodec, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that runs away costs nothing but its time: the plain latents stay."""
    monkeypatch.setattr(refinement, step, float("inf"))
    pixels = smooth(40, 40)
    latents = codec.analyse(pixels)
    refined = codec.refine(pixels, latents, 45, 2)
    assert codec.code(refined, 45).payloads()[0] == codec.code(latents, 45).payloads()[0]
