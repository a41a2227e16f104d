"""What the super-resolution networks compute: sizes, reach, structure."""

import pytest
import torch
import torch.nn.functional as F

from lpcodec.codec.families.superresolution.folded import FoldedNetwork
from lpcodec.codec.families.superresolution.lapsrn import LapSRN, RecursiveLapSRN
from lpcodec.codec.families.superresolution.light import LightNetwork
from lpcodec.codec.families.superresolution.lpn import LPN
from lpcodec.codec.families.superresolution.network import UpscalingNetwork
from lpcodec.codec.families.superresolution.wavelet import LPSR, WSR, WaveSR

NETWORKS = {
    "lapsrn": lambda: LapSRN(4),
    "port": lambda: LapSRN(4, kernel=4, bias=False),
    "ms": lambda: RecursiveLapSRN(8, filters=8, passes=2),
    "cms": lambda: RecursiveLapSRN(4, filters=8, passes=2, shared=3),
    "lpn2": lambda: LPN(2, width=0.25),
    "lpn3": lambda: LPN(3, width=0.25, last="beta", module="a"),
    "lpn4": lambda: LPN(4, width=0.25, last="alpha", module="b"),
    "wavesr": lambda: WaveSR(4, 1 / 32),
    "wsr2": lambda: WSR(2, 1 / 32),
    "wsr8": lambda: WSR(8, 1 / 32),
    "lpsr2": lambda: LPSR(2, 1 / 32),
    "lpsr4": lambda: LPSR(4, 1 / 32),
    "lpsr8": lambda: LPSR(8, 1 / 32),
    "light": lambda: LightNetwork((2, 3, 4), filters=8, pairs=2),
    "stage": lambda: FoldedNetwork(2, filters=8, pairs=2),
}


@pytest.fixture(params=NETWORKS)
def network(request) -> UpscalingNetwork:
    torch.manual_seed(0)
    made = NETWORKS[request.param]()
    for parameter in made.parameters():  # nothing is left at zero
        torch.nn.init.normal_(parameter, std=0.05)
    return made.eval()


def test_every_scale_of_every_network_has_its_size(network):
    for scale in network.scales:
        for height, width in ((1, 1), (5, 9), (17, 8)):
            with torch.no_grad():
                out = network(torch.rand(2, network.channels, height, width), scale)
            assert out.shape == (2, network.channels, scale * height, scale * width)


def test_a_scale_that_was_not_built_is_refused(network):
    with pytest.raises(ValueError, match="not for 16"):
        network(torch.rand(1, network.channels, 8, 8), 16)


def test_no_output_depends_on_input_beyond_the_reach(network):
    for scale in network.scales:
        reach = network.reach(scale)
        side = -(-(2 * reach + 9) // 8) * 8
        x = network.prepare(torch.rand(1, network.channels, side, side)).detach().requires_grad_()
        middle = side // 16 * 8
        out = network.enlarge(x, scale)
        (gradient,) = torch.autograd.grad(out[..., scale * middle : scale * middle + scale, scale * middle].sum(), x)
        touched = gradient.abs().sum((0, 1)).nonzero()
        assert touched.min() >= middle - reach
        assert touched.max() <= middle + reach


def test_a_fixed_picture_is_always_enlarged_to_the_same_pixels(network):
    x = torch.rand(1, network.channels, 9, 9)
    with torch.no_grad():
        assert torch.equal(network(x, network.scales[0]), network(x, network.scales[0]))


def test_the_shared_kernel_serves_the_convolution_and_the_deconvolution():
    network = RecursiveLapSRN(2, filters=4, shared=3)
    lender = network.block[2]
    torch.nn.init.normal_(lender.bias)
    features = torch.rand(1, 4, 6, 6)
    before = network.spread_features(features), lender(features)
    with torch.no_grad():
        lender.weight *= 2
    after = network.spread_features(features), lender(features)
    assert not torch.allclose(before[0], after[0])
    assert not torch.allclose(before[1], after[1])


def test_the_deconvolution_is_the_adjoint_of_the_strided_convolution_with_the_same_kernel():
    network = RecursiveLapSRN(2, filters=4, shared=1).double()
    weight = network.block[0].weight
    small, large = torch.rand(1, 4, 5, 6).double(), torch.rand(1, 4, 11, 13).double()
    spread = network.spread_features(small)
    assert spread.shape == large.shape
    assert torch.allclose((spread * large).sum(), (small * F.conv2d(large, weight, stride=2)).sum())


def test_transposed_sharing_exchanges_the_channels():
    plain = RecursiveLapSRN(2, filters=4, shared=1)
    other = RecursiveLapSRN(2, filters=4, shared=1, transposed=True)
    other.load_state_dict(plain.state_dict())
    with torch.no_grad():
        other.block[0].weight.copy_(plain.block[0].weight.transpose(0, 1))
    features = torch.rand(1, 4, 5, 5)
    assert torch.allclose(plain.spread_features(features), other.spread_features(features))


def test_the_levels_of_lapsrn_are_the_pictures_between():
    network = LapSRN(4)
    x = torch.rand(1, 1, 6, 6)
    half, whole = network.pictures(x, 2)
    assert torch.equal(network(x, 2), half)
    assert torch.equal(network(x, 4), whole)


def test_lapsrn_starts_as_bilinear_interpolation_and_a_residual():
    network = LapSRN(2)
    for layer in network.residual:
        torch.nn.init.zeros_(layer.weight)
    x = torch.rand(1, 1, 8, 8)
    expected = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(network(x, 2)[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], atol=1e-6)


def test_the_wavelet_packet_comes_back_and_is_orthonormal():
    network = WaveSR(4, 1 / 32)
    pictures = torch.rand(2, 3, 16, 24)
    bands = network.split(pictures)
    assert [band.shape for band in bands] == [(2, 3, 4, 6)] * 16
    assert torch.allclose(network.merge(bands), pictures, atol=1e-6)
    assert sum(float(band.square().sum()) for band in bands) == pytest.approx(float(pictures.square().sum()), rel=1e-5)
    assert torch.allclose(bands[0], 4 * F.avg_pool2d(pictures, 4), atol=1e-6)


@pytest.mark.parametrize("kind", [WSR, LPSR])
def test_bands_have_the_sizes_of_the_transform(kind):
    network = kind(4, 1 / 32)
    predicted = network.bands(network.prepare(torch.rand(1, 3, 6, 5)))
    wanted = network.split(torch.rand(1, 3, 24, 20))
    assert [band.shape for band in predicted] == [band.shape for band in wanted]


def test_the_transform_stays_frozen():
    network = LPSR(2, 1 / 32)
    assert not any(p.requires_grad for p in network.transform.parameters())


def test_the_light_network_starts_as_bicubic():
    x = torch.rand(1, 1, 8, 8)
    expected = F.interpolate(x, scale_factor=2, mode="bicubic", antialias=True)
    assert torch.equal(LightNetwork()(x, 2), expected)


@pytest.mark.parametrize("scale", [2, 3])
def test_the_folded_network_starts_as_bicubic_with_its_border_repeated(scale):
    x, border = torch.rand(2, 3, 6, 10), 4
    repeated = F.pad(x, (border,) * 4, mode="replicate")
    expected = F.interpolate(repeated, scale_factor=scale, mode="bicubic", antialias=True)
    inner = slice(scale * border, -scale * border)
    torch.testing.assert_close(FoldedNetwork(scale, filters=4, pairs=1)(x, scale), expected[..., inner, inner])


def test_in_bfloat16_the_folded_network_still_enlarges_in_float32():
    x, network = torch.rand(1, 3, 8, 8), FoldedNetwork(2, filters=4, pairs=1)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(x, 2)
    torch.testing.assert_close(rounded, network(x, 2))
