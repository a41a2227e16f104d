"""WAE: its integers in both variants, where it is affine, and its sizes at every level."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lpcodec.codec.families.decomposition.wae import Variant, WaveletLikeAutoencoder
from lpcodec.codec.frontends.interface import Bands, level_sizes

VARIANTS: tuple[Variant, ...] = ("linear", "relu")


def picture(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(levels: int, variant: Variant) -> WaveletLikeAutoencoder:
    torch.manual_seed(0)
    return WaveletLikeAutoencoder(levels, variant).double().eval()


def parameters(*parts: nn.Module) -> int:
    return sum(p.numel() for part in parts for p in part.parameters())


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_integers_are_the_paper_s(variant: Variant) -> None:
    net = WaveletLikeAutoencoder(variant=variant)
    assert parameters(net) == 17676
    assert parameters(net.shared, net.low, net.high) == 5958
    assert [parameters(net.low_decoder), parameters(net.high_decoder)] == [5859, 5859]
    assert len([layer for layer in net.modules() if isinstance(layer, nn.ReLU)]) == (3 if variant == "relu" else 0)


def test_the_macs_a_pixel_are_the_paper_s() -> None:
    net, x = WaveletLikeAutoencoder(), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            bands = net.split(x)
        assert counter.get_total_flops() == 2 * 5256 * 64**2
        with FlopCounterMode(display=False) as counter:
            net.merge(bands)
        assert counter.get_total_flops() == 2 * 10464 * 64**2


def test_the_linear_variant_is_affine_and_the_other_is_not() -> None:
    a, b = picture(1, 3, 14, 17), picture(1, 3, 14, 17, seed=1) - 1
    errors = {}
    for variant in VARIANTS:
        net = network(2, variant)
        with torch.no_grad():
            error = net(a + b) + net(torch.zeros_like(a)) - net(a) - net(b)
        errors[variant] = float(error.abs().max())
    assert errors["linear"] < 1e-12
    assert errors["relu"] > 1e-6


@given(height=st.integers(1, 40), width=st.integers(1, 40), levels=st.integers(1, 3), variant=st.sampled_from(VARIANTS))
@settings(max_examples=40, deadline=None)
def test_sizes_of_the_recursion(height: int, width: int, levels: int, variant: Variant) -> None:
    net, x = network(levels, variant), picture(2, 3, height, width)
    with torch.no_grad():
        bands = net.split(x)
        assert net.merge(bands).shape == x.shape
    sizes = level_sizes((height, width), levels)[1:]
    assert bands.coarse.shape == (2, 3, *sizes[-1])
    assert [tuple(detail.shape) for detail in bands.details] == [(2, 3, *s) for s in reversed(sizes)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_low_channel_is_what_is_split_again(variant: Variant) -> None:
    deep, x = network(2, variant), picture(1, 3, 24, 20)
    shallow = network(1, variant)
    with torch.no_grad():
        bands, first = deep.split(x), shallow.split(x)
        second = shallow.split(first.coarse)
        assert torch.equal(bands.coarse, second.coarse)
        assert torch.equal(bands.details[0], second.details[0])
        assert torch.equal(bands.details[1], first.details[0])
        inner = shallow.merge(second)
        assert torch.equal(deep.merge(bands), shallow.merge(Bands((24, 20), inner, first.details)))


def test_what_can_not_be_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one level, not 0"):
        WaveletLikeAutoencoder(0)
    with pytest.raises(ValueError, match="2 details expected, one per level; 1 given"):
        network(2, "linear").merge(Bands((8, 8), picture(1, 3, 2, 2), (picture(1, 3, 4, 4),)))
