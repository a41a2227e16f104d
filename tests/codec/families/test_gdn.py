"""Divisive normalisation: its formula, its bounds, its gradients, and agreement with CompressAI."""

import pytest
import torch
from torch import Tensor

from lpcodec.codec.families.gdn import BETA_MINIMUM, GDN, SimpleGDN
from tests.compressai_peer import compressai_module

LAYERS = [GDN, SimpleGDN]


def random_layer(layer: type[GDN] | type[SimpleGDN], channels: int, inverse: bool) -> GDN | SimpleGDN:
    torch.manual_seed(1)
    made = layer(channels, inverse=inverse)
    with torch.no_grad():
        made.beta_root.add_(0.5 * torch.rand(channels))
        made.gamma_root.add_(0.3 * torch.rand(channels, channels))
    return made


@pytest.mark.parametrize("layer", LAYERS)
def test_it_starts_at_beta_one_and_gamma_a_tenth_of_the_identity_with_c_plus_c_squared_parameters(layer):
    made = layer(7)
    torch.testing.assert_close(made.beta, torch.ones(7))
    torch.testing.assert_close(made.gamma, 0.1 * torch.eye(7))
    assert sum(parameter.numel() for parameter in made.parameters()) == 7 + 49


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_it_computes_the_formula_channel_by_channel(layer, inverse):
    made = random_layer(layer, 3, inverse)
    x = torch.randn(2, 3, 4, 5)
    expected = torch.empty_like(x)
    for i in range(3):
        norm = torch.zeros_like(x[:, 0]) + made.beta[i]
        for j in range(3):
            norm = norm + made.gamma[i, j] * (x[:, j] ** 2 if layer is GDN else x[:, j].abs())
        norm = norm.sqrt() if layer is GDN else norm
        expected[:, i] = x[:, i] * norm if inverse else x[:, i] / norm
    torch.testing.assert_close(made(x), expected)


@pytest.mark.parametrize("layer", LAYERS)
def test_stored_values_below_their_bounds_count_as_the_bounds_and_can_come_back(layer):
    made = layer(2)
    with torch.no_grad():
        made.beta_root.fill_(-3.0)
        made.gamma_root.fill_(-3.0)
    assert torch.all(made.beta >= BETA_MINIMUM * 0.999)
    assert torch.all(made.gamma >= 0)
    (-made.beta.sum() - made.gamma.sum()).backward()  # a step would raise both
    assert torch.all(made.beta_root.grad < 0)
    assert torch.all(made.gamma_root.grad < 0)
    made.zero_grad()
    (made.beta.sum() + made.gamma.sum()).backward()  # a step would lower both further
    assert torch.all(made.beta_root.grad == 0)
    assert torch.all(made.gamma_root.grad == 0)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_its_gradients_are_those_of_finite_differences(layer, inverse):
    made = random_layer(layer, 3, inverse).double()
    x = torch.randn(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)

    def run(x: Tensor, beta_root: Tensor, gamma_root: Tensor) -> Tensor:
        return torch.func.functional_call(made, {"beta_root": beta_root, "gamma_root": gamma_root}, (x,))

    assert torch.autograd.gradcheck(run, (x, made.beta_root, made.gamma_root))


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_bfloat16_autocast_and_channels_last_change_nothing_but_precision(layer, inverse):
    made = random_layer(layer, 8, inverse)
    x = 30 * torch.randn(1, 8, 9, 7)
    plain = made(x)
    last = made(x.contiguous(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, plain)
    half = x.bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = made(half)
    y.float().square().mean().backward()
    assert torch.isfinite(half.grad).all()
    torch.testing.assert_close(y.float(), plain, rtol=0.03, atol=0.03)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(("layer", "peer"), [(GDN, "GDN"), (SimpleGDN, "GDN1")])
def test_it_agrees_with_compressai(layer, peer, inverse):
    theirs = getattr(compressai_module("compressai.layers"), peer)(5, inverse=inverse)
    ours = random_layer(layer, 5, inverse)
    with torch.no_grad():
        theirs.beta.copy_(ours.beta_root)
        theirs.gamma.copy_(ours.gamma_root)
    x = torch.randn(2, 5, 6, 6)
    torch.testing.assert_close(ours(x), theirs(x))
    for layer_ in (ours, theirs):
        layer_(x).square().sum().backward()
    torch.testing.assert_close(ours.gamma_root.grad, theirs.gamma.grad)
    torch.testing.assert_close(ours.beta_root.grad, theirs.beta.grad)
