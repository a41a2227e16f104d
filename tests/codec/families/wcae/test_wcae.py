"""The WCAE family: the counts and shapes of the paper, rate and units, tiling, and the codec's round trip."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lpcodec.codec.errors import DamagedFileError, UsageError
from lpcodec.codec.families.family import Frame
from lpcodec.codec.families.gdn import GDN
from lpcodec.codec.families.wcae import codec as wcae_codec
from lpcodec.codec.families.wcae.codec import WcaeCode, WcaeCodec
from lpcodec.codec.families.wcae.gaussian import ChannelPrior, rate
from lpcodec.codec.families.wcae.network import WaveletAutoencoder, load_network
from lpcodec.codec.families.wcae.structure import STRUCTURES, Branch, Structure
from lpcodec.codec.families.wcae.training import loss
from lpcodec.codec.quality import COARSEST

NAMES = sorted(STRUCTURES)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def random_network(name: str, channel_prior: bool = False) -> WaveletAutoencoder:
    """Random weights with codes of a few units and pictures of full range, as a trained network has them."""
    torch.manual_seed(3)
    network = load_network(name, channel_prior)
    with torch.no_grad():
        for branch in network.analysis_branches:
            branch[-2].weight *= 2
            branch[-2].bias += torch.randn_like(branch[-2].bias)
    return network.eval()


def random_codec(name: str, channel_prior: bool = False) -> WcaeCodec:
    network = random_network(name, channel_prior)
    if network.prior is not None:
        with torch.no_grad():
            network.prior.mean.uniform_(-1.5, 1.5)
            network.prior.log_scale.uniform_(-3, 1)
        network.prior.export()
    return WcaeCodec(network)


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def frame(pixels: np.ndarray) -> Frame:
    return Frame(pixels.shape[0], pixels.shape[1], COARSEST)


# Structure


def test_wcae_has_the_papers_256606_parameters_in_the_stated_columns():
    network = load_network("wcae")
    assert parameters(network) == 256_606
    assert [parameters(branch) for branch in network.analysis_branches] == [45_760, 40_784, 35_664]
    assert [parameters(branch) for branch in network.synthesis_branches] == [44_684, 47_417, 42_297]
    assert sum(isinstance(module, GDN) for module in network.modules()) == 33


def test_the_other_two_networks_have_the_stated_parameters():
    assert parameters(load_network("nowcae")) == 76_227
    assert parameters(load_network("wcae-wide")) == 308_958


def test_an_unknown_network_is_named_in_the_error():
    with pytest.raises(UsageError, match="'wavelet'"):
        load_network("wavelet")


@pytest.mark.parametrize(("name", "code"), [("wcae", (96, 8, 8)), ("nowcae", (32, 16, 16)), ("wcae-wide", (128, 8, 8))])
def test_the_code_of_a_256_pixel_patch_has_the_papers_shape(name, code):
    network = load_network(name).eval()
    x = torch.zeros(1, 3, 256, 256)
    with torch.no_grad():
        assert network.analysis(x).shape == (1, *code)
        assert network.synthesis(torch.zeros(1, *code)).shape == x.shape
    assert network.structure.elements_per_pixel == math.prod(code) / 256**2


@pytest.mark.parametrize(("name", "convolutions", "normalisations"), [("wcae", 1696, 288), ("nowcae", 2610, 712)])
def test_the_multiplications_a_pixel_are_the_stated_ones(name, convolutions, normalisations):
    network = load_network(name).eval()
    counts = {nn.Conv2d: 0, nn.ConvTranspose2d: 0, GDN: 0}

    def count(module, inputs, output):
        if isinstance(module, GDN):
            counts[GDN] += module.channels * output.numel()
        elif type(module) in counts:
            places = (inputs[0] if isinstance(module, nn.ConvTranspose2d) else output)[0, 0].numel()
            counts[type(module)] += places * module.weight.numel()

    for module in network.modules():
        module.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, 3, 256, 256))
    assert round((counts[nn.Conv2d] + counts[nn.ConvTranspose2d]) / 256**2) == convolutions
    assert round(counts[GDN] / 256**2) == normalisations


def test_structures_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="strides"):
        Branch(3, (8, 8), (2,))
    with pytest.raises(ValueError, match="one branch"):
        Structure(3, (Branch(3, (8,), (2,)),))
    with pytest.raises(ValueError, match="same resolution"):
        Structure(2, (Branch(12, (8,), (2,)), Branch(9, (8,), (2,))))


# Rate and loss


def test_the_rate_of_a_wide_gaussian_is_its_differential_entropy():
    code = 20 * torch.randn(200_000, generator=torch.Generator().manual_seed(0)) + 5
    assert rate(code).item() == pytest.approx(math.log2(20 * math.sqrt(2 * math.pi * math.e)), abs=0.01)


def test_the_rate_of_a_constant_code_is_nothing():
    assert rate(torch.full((3, 4), 2.0)).item() == 0


@pytest.mark.parametrize("prior", [False, True])
def test_gradients_of_the_rate_are_those_of_finite_differences(prior):
    code = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(1)).requires_grad_()
    rule = ChannelPrior(3).rate if prior else rate
    rule(code).backward()
    for place in range(code.numel()):
        step = torch.zeros(code.numel())
        step[place] = 0.01
        step = step.reshape(code.shape)
        slope = (rule(code.detach() + step) - rule(code.detach() - step)) / 0.02
        assert code.grad.flatten()[place].item() == pytest.approx(slope.item(), abs=1e-3)


@pytest.mark.parametrize("channel_prior", [False, True])
def test_the_rate_of_rounded_codes_is_the_code_length_of_the_integer_tables(channel_prior):
    network = random_network("wcae", channel_prior)
    latents = WcaeCodec(random_network("wcae")).analyse(picture(512, 512))
    if network.prior is not None:
        with torch.no_grad():
            network.prior.mean.copy_(torch.from_numpy(latents.symbols.mean((1, 2))))
            network.prior.log_scale.copy_(torch.from_numpy(np.log(latents.symbols.std((1, 2)) + 0.2)))
        network.prior.export()
    codec = WcaeCodec(network)
    with torch.no_grad():
        estimate = codec.network.rate(torch.from_numpy(latents.symbols)[None].float()).item()
    side_data = 0 if channel_prior else 64
    bits = codec.code(latents, 0).bits - side_data
    assert bits == pytest.approx(estimate * latents.symbols.size, rel=0.02)


def test_the_loss_is_made_of_the_stated_means():
    network = load_network("wcae").eval()
    batch = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        parts = loss(network, batch, 0.5)
        reconstruction, code = network(2 * batch - 1)
    mse = (((reconstruction + 1) / 2 - batch) * 255).square().mean()
    torch.testing.assert_close(parts["mse"], mse)
    torch.testing.assert_close(parts["bpp_estimate"], rate(code) * 0.09375)
    torch.testing.assert_close(parts["loss"], mse / 127.5**2 + 0.5 * rate(code))


@pytest.mark.parametrize("channel_prior", [False, True])
def test_training_lowers_the_loss_and_reaches_every_parameter(channel_prior):
    torch.manual_seed(0)
    network = load_network("wcae", channel_prior).train()
    batch = nn.functional.interpolate(torch.rand(2, 3, 4, 4), size=(64, 64), mode="bilinear")
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    history = []
    for _ in range(12):
        optimiser.zero_grad()
        value = loss(network, batch)["loss"]
        value.backward()
        history.append(value.item())
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
        optimiser.step()
    assert history[-1] < 0.8 * history[0]


def test_the_loss_is_finite_under_bfloat16_autocast():
    network = load_network("wcae").train()
    batch = torch.rand(1, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(network, batch)["loss"]
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


# Tiles


@pytest.mark.parametrize("name", NAMES)
def test_halos_are_as_wide_as_the_measured_receptive_fields(name):
    network = random_network(name).double()
    m, side = network.structure.multiple, 11
    x = torch.randn(1, 3, side * m, side * m, dtype=torch.float64, requires_grad=True)
    code = network.analysis(x)
    code[:, :, side // 2, side // 2].square().sum().backward()
    places = x.grad.abs().sum((0, 1)).nonzero() // m
    assert int((places - side // 2).abs().max()) == network.structure.analysis_halo
    code = code.detach().requires_grad_()
    square = slice(side // 2 * m, (side // 2 + 1) * m)
    network.synthesis(code)[:, :, square, square].square().sum().backward()
    places = code.grad.abs().sum((0, 1)).nonzero()
    assert int((places - side // 2).abs().max()) <= network.structure.synthesis_halo


@pytest.mark.parametrize("name", NAMES)
def test_tiles_give_what_the_whole_picture_gives(name, monkeypatch):
    codec = random_codec(name)
    pixels = picture(300, 410)
    whole = codec.analyse(pixels)
    whole_picture = codec.synthesise(whole, frame(pixels))
    calls = []
    monkeypatch.setattr(wcae_codec, "TILE", 2 * codec.network.structure.multiple)
    tiled = codec.analyse(pixels, lambda stage, fraction: calls.append((stage, fraction)))
    difference = np.abs(tiled.symbols - whole.symbols)
    assert difference.max() <= 1  # a value within float noise of a half may round either way
    assert np.count_nonzero(difference) <= 2
    tiled_picture = codec.synthesise(whole, frame(pixels))
    difference = np.abs(tiled_picture.astype(int) - whole_picture)
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= difference.size // 10_000  # a seam would be a row of them
    assert len(calls) > 20
    assert calls[-1] == ("analysis", 1.0)
    assert np.ptp(whole.symbols) >= 4
    assert whole_picture.std() > 10


# Codec


@pytest.mark.parametrize("channel_prior", [False, True])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (33, 70), (64, 32)])
def test_a_picture_of_any_size_comes_back_from_its_payload(name, size, channel_prior):
    codec = random_codec(name, channel_prior)
    pixels = picture(*size)
    coded = codec.code(codec.analyse(pixels), 0)
    payload = coded.payloads()[0]
    assert 8 * len(payload) <= 1.01 * coded.bits + 96
    symbols = codec.parse([payload], frame(pixels))
    assert symbols.symbols_hash == coded.symbols_hash
    assert np.array_equal(symbols.symbols, coded.code.symbols)
    decoded = codec.synthesise(symbols, frame(pixels))
    assert decoded.shape == pixels.shape
    assert decoded.dtype == np.uint8


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(-40_000, 40_000), st.floats(0, 9), st.booleans())
def test_any_code_survives(seed, centre, spread, channel_prior):
    codec = CODECS[channel_prior]
    values = np.random.default_rng(seed).standard_normal((32, 2, 3)) * 2.0**spread + centre
    code = WcaeCode(np.clip(np.round(values), -32767, 32767).astype(np.int32))
    parsed = codec.parse([codec.code(code, 0).payloads()[0]], Frame(20, 40, COARSEST))
    assert np.array_equal(parsed.symbols, code.symbols)


CODECS = {prior: random_codec("nowcae", prior) for prior in (False, True)}


def test_a_grey_picture_is_coded_as_three_equal_channels():
    codec = random_codec("wcae")
    grey = picture(40, 40, 1)
    assert np.array_equal(codec.analyse(grey).symbols, codec.analyse(grey.repeat(3, axis=2)).symbols)


def test_the_side_data_lie_where_the_specification_says():
    codec = random_codec("nowcae")
    symbols = np.zeros((32, 1, 1), np.int32)
    symbols[:2, 0, 0] = -2, 6
    payload = codec.code(WcaeCode(symbols), 0).payloads()[0]
    mean, scale, low, high = np.frombuffer(payload[:8], "<i2")
    assert (mean, low, high) == (32, -2, 6)
    assert scale == round(symbols.std() * 256)


def test_damaged_payloads_are_called_damaged():
    codec = random_codec("wcae")
    pixels = picture(70, 33)
    payload = codec.code(codec.analyse(pixels), 0).payloads()[0]
    swapped = payload[:4] + payload[6:8] + payload[4:6] + payload[8:]  # highest symbol below lowest
    for data in (b"", payload[:5], bytes(len(payload)), swapped, payload + bytes(4000)):
        with pytest.raises(DamagedFileError):
            codec.parse([data], frame(pixels))


def test_a_prior_that_was_never_exported_cannot_code():
    with pytest.raises(ValueError, match="never exported"):
        WcaeCodec(load_network("wcae", channel_prior=True))


def test_the_tables_of_a_prior_come_from_its_stored_integers_alone():
    prior = random_codec("wcae", True).network.prior
    tables = prior.tables()
    with torch.no_grad():
        prior.mean += 1
    assert prior.tables().digest() == tables.digest()
    restored = ChannelPrior(96)
    restored.load_state_dict(prior.state_dict())
    assert restored.tables().digest() == tables.digest()
