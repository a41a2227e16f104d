"""The front-ends of codecs: exact there and back, of the reach that they say, and each of them codes."""

import numpy as np
import pytest
import pywt
import torch

from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.frontends import folds
from lpcodec.codec.frontends.folds import FOLDS, Fold, shuffle, unshuffle
from tests.codec.families.hyperprior.test_codec import codec_of, header_for, livened, pixels, same

SIZES = HyperpriorSizes(width=16, latents=32, dc_latents=3, hyper_width=16, hyper_latents=8, context_width=16)
every = pytest.mark.parametrize("fold", FOLDS.values(), ids=list(FOLDS))


@every
@pytest.mark.parametrize("size", [(8, 8), (16, 40), (96, 64)])
def test_what_is_split_is_merged_again(fold: Fold, size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    maps = fold.split(x)
    assert maps.shape == (2, fold.channels, size[0] // 8, size[1] // 8)
    torch.testing.assert_close(fold.merge(maps), x, atol=1e-9, rtol=0)


@every
def test_it_is_linear_and_differentiable(fold: Fold) -> None:
    torch.manual_seed(0)
    x, y = torch.rand(2, 1, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(fold.split(2 * x - y), 2 * fold.split(x) - fold.split(y))
    assert torch.autograd.gradcheck(fold.split, x.requires_grad_(), fast_mode=True)
    assert torch.autograd.gradcheck(fold.merge, fold.split(y).requires_grad_(), fast_mode=True)


@every
def test_its_reach_is_what_it_says(fold: Fold) -> None:
    """A change at one place is seen at most `reach` places away, both ways."""
    torch.manual_seed(0)
    x = torch.rand(1, 3, 240, 240, dtype=torch.float64)
    changed = x.clone()
    changed[..., 120:128, 120:128] += 1
    maps, other = fold.split(x), fold.split(changed)
    seen = ((maps - other).abs().amax(1)[0] > 1e-9).nonzero() - 15
    assert seen.abs().max() <= fold.reach
    assert fold.reach == 0 or seen.abs().max() > 0
    moved = maps.clone()
    moved[..., 15, 15] += 1
    there = ((fold.merge(moved) - x).abs().amax(1)[0] > 1e-9).nonzero() // 8 - 15
    assert there.abs().max() <= fold.reach


def test_the_matrix_is_that_of_the_pixels() -> None:
    for fold in FOLDS.values():
        matrix = fold.as_matrix()
        assert (matrix is None) == (fold.reach > 0)
        if matrix is not None:
            maps = torch.rand(1, fold.channels, 2, 3)
            pixels = shuffle(torch.einsum("ji,bihw->bjhw", matrix, maps))
            torch.testing.assert_close(pixels, fold.merge(maps))
            torch.testing.assert_close(matrix @ matrix.T, torch.eye(192), atol=1e-5, rtol=0)
            torch.testing.assert_close(unshuffle(pixels), torch.einsum("ji,bihw->bjhw", matrix, maps))


def test_cdf53_is_the_wavelet_of_jpeg_2000() -> None:
    """PyWavelets' bior2.2: its filters give the same coefficients, and three scales are three times that."""
    wavelet = pywt.Wavelet("bior2.2")
    low_taps, high_taps = (np.trim_zeros(np.array(taps)) for taps in (wavelet.dec_lo, wavelet.dec_hi))
    x = torch.rand(1, 3, 40, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    low, high = folds._lifted(x, 2)
    line = x[0, 0, :, 5].numpy()
    for n in range(1, 18):
        assert low[0, 0, n, 5].item() == pytest.approx(line[2 * n - 2 : 2 * n + 3] @ low_taps)
        assert abs(high[0, 0, n, 5].item()) == pytest.approx(abs(line[2 * n : 2 * n + 3] @ high_taps))
    coarse = x
    for _ in range(3):
        coarse = folds._lifted(folds._lifted(coarse, 2)[0], 3)[0]
    torch.testing.assert_close(FOLDS["cdf53"].split(x)[:, :3], coarse)


@every
def test_a_codec_with_it_starts_codes_and_leaves_no_trace_of_tiles(fold: Fold) -> None:
    torch.manual_seed(0)
    sizes = HyperpriorSizes(**{**vars(SIZES), "frontend": fold.name})
    network = HyperpriorNetwork(sizes)
    smooth = torch.nn.functional.interpolate(torch.rand(8, 3, 8, 8), size=(96, 96), mode="bicubic").clamp(0, 1)
    network.start_from_principal_components(smooth)
    with torch.no_grad():
        back = network.synthesise(network.analyse(smooth), torch.full((8,), 40_000))
        assert float((back - smooth).square().mean()) < 1e-3, "a transform codec from the start"
        for layer in (network.analysis.tail, network.synthesis.tail):
            layer.weight.normal_(std=0.01)
    codec = codec_of(livened(network))
    codec.compute_in(torch.float32)
    image = pixels(150, 170)
    latents = codec.analyse(image)
    coded = codec.code(latents, 60)
    frame = header_for(image)
    assert same(codec.parse(coded.payloads(), frame), coded.groups)
    whole = codec.synthesise(coded.groups, frame).astype(int)
    codec.tile_side = 4
    assert (codec.analyse(image) - latents).abs().max() <= 1e-4 * latents.abs().max()
    assert np.abs(codec.synthesise(coded.groups, frame) - whole).max() <= 1


@every
def test_as_a_product_it_is_the_same_transform(fold: Fold) -> None:
    product = fold.as_product()
    x = torch.rand(2, 3, 16, 24)
    torch.testing.assert_close(product.split(x), fold.split(x), atol=1e-5, rtol=0)
    torch.testing.assert_close(product.merge(fold.split(x)), x, atol=1e-5, rtol=0)
