"""The hyperprior network: sizes, the start as a transform codec, quality maps, and the training pass."""

import math

import pytest
import torch
from torch import Tensor

from lpcodec.codec.families.hyperprior.export import cost
from lpcodec.codec.families.hyperprior.layers import Z_MAX, asinh
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.qualities import lambda_of_quality
from lpcodec.codec.families.hyperprior.scales import GRID_WIDTH
from lpcodec.codec.families.hyperprior.sizes import PROFILES, STRIDE, HyperpriorSizes
from lpcodec.codec.families.hyperprior.steps import Channels, checkerboard
from lpcodec.codec.models import network_named
from lpcodec.entropy.integer import ACCUMULATOR_LIMIT, ACTIVATION_MAX
from lpcodec.entropy.likelihood import SCALES

MAPS = 192
SMALL = HyperpriorSizes(
    width=16, latents=32, linear_latents=8, dc_latents=3, hyper_width=16, hyper_latents=8, context_width=16,
    early_latents=8, anchors=11,
)  # fmt: skip
ANCHORS = SMALL.anchors
CONTEXTS = ("early", "late", "last")


def small_network(seed: int = 0) -> HyperpriorNetwork:
    torch.manual_seed(seed)
    return HyperpriorNetwork(SMALL)


def pictures(count: int, side: int = 64, seed: int = 0) -> Tensor:
    """Smooth colour pictures in 0..1: photographs' energy lies in the low frequencies too."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, side // 16 + 2, side // 16 + 2, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=False)
    return smooth.clamp(0, 1)


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean()))


@pytest.mark.parametrize(
    ("name", "parameters", "decode"), [("fast", 2_000_000, 12), ("default", 8_000_000, 40), ("hq", 9_000_000, 120)]
)
def test_the_models_keep_to_their_budgets(name: str, parameters: int, decode: float) -> None:
    network = HyperpriorNetwork(PROFILES[name])
    count = sum(p.numel() for p in network.parameters())
    assert count == network_named(name).parameters
    assert count <= parameters
    kmac = cost(network)
    assert kmac["synthesis"] + kmac["entropy"] <= decode


def test_shapes() -> None:
    network = small_network()
    x = pictures(2, 64)[..., :48]
    y = network.analyse(x)
    assert y.shape == (2, SMALL.latents, 4, 3)
    assert network.synthesise(y, torch.full((len(y),), 40000)).shape == x.shape
    for side, quarter in ((1, 1), (4, 1), (5, 2), (17, 5)):
        z = network.hyper_analysis(torch.randn(2, SMALL.latents, side, 3))
        assert z.shape == (2, SMALL.hyper_latents, quarter, 1)
        level = torch.tensor([0, 63])
        for part in (network.scales, network.means):
            assert part.features(z.round(), level, side, 3).shape == (2, SMALL.context_width, side, 3)


def test_hyper_latents_are_clamped() -> None:
    network = small_network()
    z = network.hyper_analysis(1e30 * torch.randn(1, SMALL.latents, 8, 8))
    assert z.abs().max() <= Z_MAX


def test_it_starts_as_a_transform_codec() -> None:
    network = small_network()
    network.start_from_principal_components(pictures(40, 64))
    held = pictures(4, 128, seed=9)
    with torch.no_grad():
        y = network.analyse(held)
        assert psnr(network.synthesise(y, torch.full((len(y),), 40000)), held) > 30
        energy = y.square().mean((0, 2, 3))
    assert energy[:4].sum() > 10 * energy[-4:].sum(), "the components come in falling order"
    basis = network.analysis.shortcut.weight.detach().reshape(SMALL.latents, 4 * MAPS)
    assert torch.allclose(basis @ basis.T, torch.eye(SMALL.latents), atol=1e-4)
    assert torch.equal(network.synthesis.shortcut.weight.detach().reshape(4 * MAPS, -1), basis.T)


def test_all_components_lose_nothing() -> None:
    torch.manual_seed(0)
    sizes = HyperpriorSizes(width=8, latents=4 * MAPS, hyper_width=8, hyper_latents=4, context_width=8)
    network = HyperpriorNetwork(sizes)
    network.start_from_principal_components(torch.rand(4, 3, 128, 128))
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert psnr(network.synthesise(network.analyse(x), torch.full((len(x),), 40000)), x) > 80


@pytest.mark.parametrize("shape", [(32, 4, 6), (32, 3, 5), (1, 7, 2), (2, 1, 1)])
def test_a_checkerboard_has_every_other_latent(shape: tuple[int, int, int]) -> None:
    mask = checkerboard(0)(0, *shape, "cpu")
    assert torch.equal(checkerboard(1)(0, *shape, "cpu"), ~mask)
    assert (mask.shape, mask.dtype) == ((1, *shape), torch.bool)
    assert int(mask.sum()) == math.ceil(math.prod(shape) / 2)
    for axis in range(1, 4):  # neighbours over places and channels belong to different steps
        if mask.shape[axis] > 1:
            length = mask.shape[axis] - 1
            assert (mask.narrow(axis, 0, length) != mask.narrow(axis, 1, length)).all()
    assert mask[0, 0, 0, 0]


def test_gains_start_monotone_and_are_interpolated_between_anchors() -> None:
    network = small_network()
    quality = torch.arange(0, 65536, 257)
    gain, inverse = network.gain(quality), network.inverse_gain(quality)
    assert gain.shape == inverse.shape == (len(quality), SMALL.latents, 1, 1)
    assert (gain.diff(dim=0) > 0).all()
    assert torch.allclose(gain * inverse, torch.ones(()))
    with torch.no_grad():
        network.log_gain.normal_()
    place = torch.tensor([round(65535 * i / (ANCHORS - 1)) for i in range(ANCHORS)])
    assert torch.allclose(network.gain(place)[..., 0, 0].log(), network.log_gain, atol=1e-3)
    middle = torch.tensor([round(65535 * 2.5 / (ANCHORS - 1))])
    expected = (network.log_gain[2] + network.log_gain[3]) / 2
    assert torch.allclose(network.gain(middle)[0, :, 0, 0].log(), expected, atol=1e-3)


def test_hyper_scale_indexes_are_table_indexes() -> None:
    network = small_network()
    quality = torch.tensor([0, 65535])
    assert (network.hyper_scale_indexes(quality) == 20).all()
    with torch.no_grad():
        network.z_index.normal_(std=10)
    index = network.hyper_scale_indexes(quality)
    assert torch.equal(index, index.round())
    assert (int(index.min()), int(index.max())) == (0, SCALES - 1)


def test_scale_indexes_are_integers_in_range_and_the_network_is_provably_exact() -> None:
    network = small_network()
    z = torch.randint(-Z_MAX, Z_MAX + 1, (1, SMALL.hyper_latents, 2, 2)).float()
    level = torch.tensor([17])
    scales = network.scales
    symbols = torch.randint(-300, 300, (1, SMALL.latents, 7, 8)).float()

    def everything() -> list[torch.Tensor]:
        begun, known = scales.begin(z, level, 7, 8), Channels()
        known.add(0, begun.seen(symbols))
        return [begun.features, *(begun.indexes(step, known) for step in network.steps)]

    found = everything()
    scales.freeze()
    for trained, shipped, top in zip(found, everything(), (ACTIVATION_MAX, *[SCALES - 1] * 8), strict=True):
        assert torch.equal(trained.double(), shipped)
        assert torch.equal(shipped, shipped.floor())
        assert 0 <= shipped.min() <= shipped.max() <= top
    contexts = ("grid1", "grid2", "grid3", "early", "late", "last")
    inner = {f"{context}, {layer}" for context in contexts for layer in ("neighbours + mixed", "head")}
    assert set(scales.bounds()) == {"coarse", "middle", "head", *inner}
    assert max(scales.bounds().values()) < ACCUMULATOR_LIMIT


def test_a_network_that_might_overflow_is_refused() -> None:
    network = small_network()
    with torch.no_grad():
        network.scales.contexts["last"].mixed.weight.mul_(400)
    with pytest.raises(ValueError, match=r"neighbours \+ mixed: accumulators reach \d+"):
        network.scales.freeze()


def test_the_training_pass_reaches_every_parameter() -> None:
    network = small_network()
    network.start_from_principal_components(pictures(40, 64))
    x = pictures(ANCHORS, 64, seed=3)
    quality = torch.linspace(0, 65535, ANCHORS).long()
    decoded, bits, z_bits, _ = network(x, quality)
    assert decoded.shape == x.shape
    assert bits.shape == z_bits.shape == (ANCHORS,)
    assert (bits > 0).all()
    assert (z_bits > 0).all()
    assert bits[-1] > 2 * bits[0], "a finer quality takes more bits"
    distortion = (decoded - x).square().mean((1, 2, 3))
    assert distortion[-1] < distortion[0]
    loss = ((bits + z_bits) / 4096 + lambda_of_quality(quality) * 255**2 * distortion).mean()
    assert torch.isfinite(loss)
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    # Tails start at zero, so at the first step nothing reaches what lies before them: they themselves move first.
    behind = ("head", "blocks", "gdn")
    silent = [name for name, p in network.named_parameters() if not p.grad.any()]
    expected = [
        name for name, _ in network.named_parameters()
        if (name.startswith(("analysis.", "synthesis.")) and name.split(".")[1] in behind)
        or (name.startswith("scales.contexts.grid") and ".head." not in name)
    ]  # fmt: skip
    assert sorted(silent) == sorted(["log_strength", *expected])


def test_bfloat16_is_kept_out_of_the_entropy_model() -> None:
    network = small_network()
    seen: dict[str, set[torch.dtype]] = {}

    def note(name: str):  # type: ignore[no-untyped-def]
        return lambda module, given, result: seen.setdefault(name, set()).add(result.dtype)

    inner = [f"{part}.contexts.{name}.head" for part in ("scales", "means") for name in CONTEXTS]
    for name in ("scales.coarse", "scales.head", "means.head", *inner, "analysis.head"):
        network.get_submodule(name).register_forward_hook(note(name))
    decoded = network(pictures(1), torch.tensor([30_000]), amp=True).pictures
    assert decoded.dtype == torch.float32
    assert seen.pop("analysis.head") == {torch.bfloat16}
    assert set().union(*seen.values()) == {torch.float32}


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
def test_the_twin_for_coding_computes_nearly_the_same(dtype: torch.dtype, error: float) -> None:
    network = small_network()
    with torch.no_grad():
        for transform in (network.analysis, network.synthesis):
            transform.tail.weight.normal_(std=0.02)
            transform.tail.bias.normal_(std=0.02)
            transform.shortcut.bias.normal_(std=0.02)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    twin = network.for_coding(dtype)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items()), "untouched"
    assert {p.dtype for p in twin.synthesis.shortcut.parameters()} == {torch.float32}
    assert {p.dtype for p in twin.analysis.tail.parameters()} == {dtype}
    assert twin.scales is network.scales
    assert twin.means is network.means
    assert twin.log_gain is network.log_gain
    quality = torch.tensor([50_000, 20_000])
    with torch.no_grad():
        y, whole = twin.analyse(pictures(2)), network.analyse(pictures(2))
        assert y.dtype == torch.float32
        assert (y - whole).abs().max() < error * whole.abs().max()
        z, whole_z = twin.hyper_analysis(whole), network.hyper_analysis(whole)
        assert z.dtype == torch.float32
        assert (z - whole_z).abs().max() < error * whole_z.abs().max().clamp_min(1)
        decoded, exact = twin.synthesise(whole, quality), network.synthesise(whole, quality)
    assert decoded.dtype == torch.float32
    assert (decoded - exact).abs().max() < error


def test_linear_only_latents_bypass_what_does_not_know_them() -> None:
    """Changing one changes neither z, nor means, nor the scales of others, and moves the picture linearly."""
    network, main = small_network(), SMALL.main
    y = torch.randn(1, SMALL.latents, 8, 8)
    other = y.clone()
    other[:, main:] += torch.randn(1, SMALL.linear_latents, 8, 8)
    quality = torch.tensor([30_000])
    with torch.no_grad():
        assert torch.equal(network.hyper_analysis(y), network.hyper_analysis(other))
        z = network.hyper_analysis(y).round()
        (mean, index), (again, index_again) = (network.predict(x, z, quality) for x in (y, other))
        assert torch.equal(mean, again)
        assert not mean[:, main:].any()
        assert torch.equal(index, index_again)
        a, b = network.synthesise(y, quality), network.synthesise(other, quality)
        halfway = network.synthesise((y + other) / 2, quality)
    assert (a - b).abs().max() > 0.01
    torch.testing.assert_close(halfway, (a + b) / 2, atol=1e-5, rtol=0)


def test_cost_a_pixel() -> None:
    """Counted by hand: multiply-accumulates of each convolution at its resolution, over the pixels."""
    s = SMALL
    w, m, n, z, c = s.width, s.main, s.hyper_width, s.hyper_latents, s.context_width
    every, a, e = m + s.linear_latents, s.dc_latents, s.early_latents
    eighth, sixteenth, half, quarter = 1 / 64, 1 / STRIDE**2, 1 / 32**2, 1 / 64**2
    expected = {
        "analysis": eighth * (9 * MAPS * w + 18 * w * w + w * w) + sixteenth * (9 * w * every + 4 * MAPS * every),
        "hyper_analysis": sixteenth * 9 * m * n + half * 9 * n * n + quarter * 9 * n * z,
        "entropy": 2 * (quarter * 9 * (z + 1) * 4 * n + half * 9 * n * 4 * c)
        + sixteenth * c * every
        + sixteenth
        * sum(9 * seen * c + c * c + 2 * c * made for seen, made in ((e, e), (e, every - e), (m, every - e)))
        + sixteenth * 3 * ((9 * a + c + a) * GRID_WIDTH + 9 * a * a + c * a)
        + sixteenth * c * m
        + sixteenth * sum(18 * seen * c + 3 * c * c + 3 * c * made for seen, made in ((e, e), (e, m - e), (m, m - e))),
        "synthesis": sixteenth * (9 * m * 4 * w + every * 4 * MAPS) + eighth * (w * w + 18 * w * w + 9 * w * MAPS),
    }
    assert cost(small_network()) == pytest.approx({k: v / 1000 for k, v in expected.items()}, abs=6e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_asinh_is_torchs_own(dtype: torch.dtype) -> None:
    x = torch.cat([torch.linspace(-400, 400, 4001), torch.linspace(-1e-3, 1e-3, 101)]).to(dtype)
    torch.testing.assert_close(asinh(x), torch.asinh(x), rtol=0, atol=1e-6)
    again, wanted = x.clone().requires_grad_(), x.clone().requires_grad_()
    asinh(again).cos().sum().backward()
    torch.asinh(wanted).cos().sum().backward()
    assert again.grad is not None
    assert wanted.grad is not None
    torch.testing.assert_close(again.grad, wanted.grad)
