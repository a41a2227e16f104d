"""LPAE: its integers, that it is affine, its sizes at every level, and that the folded form is the chain."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lpcodec.codec.families.decomposition import folded
from lpcodec.codec.families.decomposition.folded import FoldedLaplacianAutoencoder
from lpcodec.codec.families.decomposition.lpae import LaplacianAutoencoder
from lpcodec.codec.frontends.interface import Bands, level_sizes


def network(levels: int = 1, seed: int = 0) -> LaplacianAutoencoder:
    """Random weights and biases in double precision: what is equal is equal to 1e-12."""
    torch.manual_seed(seed)
    made = LaplacianAutoencoder(levels).double().eval()
    for layer in made.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert layer.bias is not None
            nn.init.normal_(layer.bias, std=0.3)
    return made


def picture(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def parameters(part: nn.Module) -> int:
    return sum(p.numel() for p in part.parameters())


def test_the_integers_are_the_paper_s() -> None:
    net = LaplacianAutoencoder()
    assert [parameters(part) for part in (net.approximation, net.detail, net.prediction)] == [5523, 5523, 5859]
    assert parameters(net) == 16905
    assert not [layer for layer in net.modules() if isinstance(layer, nn.ReLU | nn.BatchNorm2d)]


@pytest.mark.parametrize(("part", "macs"), [("approximation", 5148), ("detail", 5472), ("prediction", 5232)])
def test_the_macs_a_pixel_are_the_paper_s(part: str, macs: int) -> None:
    side = 64
    x = torch.rand(1, 3, side // 2, side // 2) if part == "prediction" else torch.rand(1, 3, side, side)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        getattr(LaplacianAutoencoder(), part)(x)
    assert counter.get_total_flops() == 2 * macs * side**2


def test_it_starts_as_the_papers_do() -> None:
    torch.manual_seed(0)
    net = LaplacianAutoencoder()
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    assert all(torch.all(layer.bias == 0.01) for layer in layers if layer.bias is not None)
    bound = (6 / (9 * 16 + 9 * 16)) ** 0.5
    assert 0.95 * bound < float(layers[1].weight.detach().abs().max()) <= bound


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_it_is_affine(levels: int) -> None:
    net, a, b = network(levels), picture(1, 3, 21, 18), picture(1, 3, 21, 18, seed=1)

    def flat(x: torch.Tensor) -> torch.Tensor:
        bands = net.split(x)
        return torch.cat([t.flatten() for t in (bands.coarse, *bands.details, net.merge(bands))])

    with torch.no_grad():
        assert torch.allclose(flat(a + b) + flat(torch.zeros_like(a)), flat(a) + flat(b), atol=1e-10)
        assert not torch.allclose(flat(a + b), flat(a) + flat(b), atol=1e-3), "the biases are part of it"


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("size", [(64, 32), (40, 24), (37, 51), (1, 1), (1, 6)])
def test_sizes_of_the_recursion(levels: int, size: tuple[int, int]) -> None:
    net, x = network(levels), picture(2, 3, *size)
    with torch.no_grad():
        bands = net.split(x)
        assert net.merge(bands).shape == x.shape
    sizes = level_sizes(size, levels)
    assert bands.coarse.shape == (2, 3, *sizes[-1])
    assert [tuple(detail.shape) for detail in bands.details] == [(2, 3, *s) for s in sizes[:-1][::-1]]


def test_every_level_has_the_same_weights() -> None:
    deep, x = network(3), picture(1, 3, 48, 40)
    with torch.no_grad():
        bands = deep.split(x)
        for detail in reversed(bands.details):
            deep.levels = 1
            one = deep.split(x)
            assert torch.equal(one.details[0], detail)
            x = one.coarse
        assert torch.equal(bands.coarse, x)


@given(
    height=st.integers(1, 40), width=st.integers(1, 40), levels=st.integers(1, 3),
    tile=st.sampled_from([(8, 12), (64, 512)]),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_folded_is_the_chain(height: int, width: int, levels: int, tile: tuple[int, int]) -> None:
    """Also at the border, across tiles, and at sizes that leave no interior."""
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(folded, "TILE", tile)
        chain, x = network(levels), picture(2, 3, height, width)
        fold = FoldedLaplacianAutoencoder(chain)
        wanted, found = chain.split(x), fold.split(x)
        for a, b in zip((wanted.coarse, *wanted.details), (found.coarse, *found.details), strict=True):
            assert torch.allclose(a, b, atol=1e-11)
        assert torch.allclose(fold.merge(wanted), chain.merge(wanted), atol=1e-11)
        coarse = picture(1, 3, -(-height // 2), -(-width // 2))
        assert torch.allclose(fold.predict(coarse, (height, width)), chain.predict(coarse, (height, width)), atol=1e-11)


def test_folded_in_single_precision_is_within_1e_5() -> None:
    chain = network().float()
    x = picture(1, 3, 150, 170).float()
    fold = FoldedLaplacianAutoencoder(chain)
    with torch.no_grad():
        wanted, found = chain.split(x), fold.split(x)
        pairs = [(wanted.coarse, found.coarse), (wanted.details[0], found.details[0])]
        pairs.append((chain.merge(wanted), fold.merge(wanted)))
    for a, b in pairs:
        assert float((a - b).abs().max()) < 1e-5 * max(1.0, float(a.abs().max()))


def test_folding_leaves_the_network_alone() -> None:
    chain, x = network(), picture(1, 3, 40, 40)
    before = {name: value.clone() for name, value in chain.state_dict().items()}
    with torch.no_grad():
        coarse = chain.split(x).coarse
        FoldedLaplacianAutoencoder(chain)
        assert torch.equal(chain.split(x).coarse, coarse)
    assert all(torch.equal(value, before[name]) for name, value in chain.state_dict().items())


def test_what_can_not_be_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one level, not 0"):
        LaplacianAutoencoder(0)
    for front in (network(2), FoldedLaplacianAutoencoder(network(2))):
        with pytest.raises(ValueError, match="2 details expected, one per level; 1 given"):
            front.merge(Bands((8, 8), picture(1, 3, 2, 2), (picture(1, 3, 4, 4),)))
