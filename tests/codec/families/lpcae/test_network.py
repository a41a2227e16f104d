"""LPCAE's network: the pyramid it codes, the prediction between its levels, and what the training pass promises."""

from itertools import pairwise

import pytest
import torch

from lpcodec.codec.families.decomposition.folded import FoldedLaplacianAutoencoder
from lpcodec.codec.families.decomposition.lpae import LaplacianAutoencoder
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.families.lpcae import network as lpcae
from lpcodec.codec.families.lpcae.network import SIZES, LpcaeNetwork, Prediction, halve

WIDTHS = HyperpriorSizes(width=16, latents=32, hyper_width=16, hyper_latents=8, context_width=16)
SMALL = (
    WIDTHS,
    HyperpriorSizes(**{**vars(WIDTHS), "latents": 24, "coarser_latents": 32}),
    HyperpriorSizes(**{**vars(WIDTHS), "latents": 24, "coarser_latents": 24}),
)
QUALITY = torch.tensor([9000, 60000])


def small_network(seed: int = 0) -> LpcaeNetwork:
    torch.manual_seed(seed)
    return LpcaeNetwork(SMALL)


def smooth(count: int, side: int) -> torch.Tensor:
    coarse = torch.rand(count, 3, side // 32, side // 32, generator=torch.Generator().manual_seed(5))
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)


def test_each_level_knows_of_the_one_before() -> None:
    assert SIZES[0].coarser_latents == 0
    assert all(finer.coarser_latents == coarser.latents for coarser, finer in pairwise(SIZES))
    assert sum(p.numel() for p in LpcaeNetwork().parameters()) == 6_197_619


def test_the_prediction_is_lpae_s_decoder_inside_the_picture() -> None:
    torch.manual_seed(0)
    lpae = LaplacianAutoencoder()
    prediction = Prediction()
    prediction.chain.load_state_dict(lpae.prediction.state_dict())
    x = torch.rand(1, 3, 24, 30)
    with torch.no_grad():
        ours, chain = prediction(x), lpae.predict(x, (48, 60))
    torch.testing.assert_close(ours[..., 8:-8, 8:-8], chain[..., 8:-8, 8:-8], atol=1e-5, rtol=0)
    folded = FoldedLaplacianAutoencoder(lpae).predict(x, (48, 60))
    torch.testing.assert_close(ours[..., 8:-8, 8:-8], folded[..., 8:-8, 8:-8], atol=1e-5, rtol=0)


def test_the_prediction_learns_through_its_fold() -> None:
    prediction = Prediction()
    prediction(torch.rand(1, 3, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and float(p.grad.abs().max()) > 0 for p in prediction.parameters())


def test_levels_come_coarsest_first_and_add_up() -> None:
    x = smooth(2, 256)
    network = small_network()
    passes = list(network(x, QUALITY))
    assert [tuple(original.shape[2:]) for original, _ in passes] == [(64, 64), (128, 128), (256, 256)]
    torch.testing.assert_close(passes[1][0], halve(x))
    for original, passed in passes:
        assert passed.pictures.shape == original.shape
        assert passed.bits.shape == passed.z_bits.shape == (2,)
        assert bool((passed.bits > 0).all())


def test_a_level_sends_no_gradient_to_the_coarser_ones() -> None:
    """Its own coder and the prediction learn from it, no other."""
    network = small_network()
    *_, (original, passed) = network(smooth(2, 256), QUALITY)
    (passed.bits.sum() + (passed.pictures - original).square().sum()).backward()
    coarsest, middle, finest = ([p.grad for p in coder.parameters()] for coder in network.networks)
    assert all(g is None or not g.any() for g in (*coarsest, *middle))
    assert any(g is not None and g.any() for g in finest)
    assert any(p.grad is not None and p.grad.any() for p in network.prediction.parameters())


def test_the_coarser_level_s_latents_are_context() -> None:
    """Other symbols below change the scale indexes, other values the means."""
    network = small_network().networks[1]
    z, level = torch.zeros(1, 8, 2, 2), torch.tensor([20])
    symbols, values = torch.zeros(1, 32, 4, 3), torch.zeros(1, 32, 4, 3)
    with torch.no_grad():
        for part, known, other in (
            (network.scales, symbols, symbols + 40),
            (network.means, values, values + 3),
        ):
            plain = part.features(z, level, 8, 6, known)
            assert plain.shape == (1, 16, 8, 6)
            assert not torch.equal(part.features(z, level, 8, 6, other), plain)


def test_training_starts_as_a_transform_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fitted prediction and principal components the first decoded pictures are near, at every level."""
    monkeypatch.setattr(lpcae, "_START_STEPS", 80)
    network = small_network()
    pictures = smooth(8, 256)
    network.start_from(LaplacianAutoencoder().prediction.state_dict(), pictures)
    with torch.no_grad():
        passes = list(network(pictures[:2], torch.tensor([65535, 65535])))
    errors = [float((passed.pictures - original).square().mean()) for original, passed in passes]
    assert max(errors) < 3e-3, errors


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (6, 6)])
def test_halving_rounds_up(shape: tuple[int, int]) -> None:
    halved = halve(torch.full((1, 3, *shape), 0.25))
    assert tuple(halved.shape[2:]) == (-(-shape[0] // 2), -(-shape[1] // 2))
    torch.testing.assert_close(halved, torch.full_like(halved, 0.25))
