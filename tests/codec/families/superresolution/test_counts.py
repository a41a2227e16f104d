"""Every printed count of parameters and of multiply-accumulates, and those that follow from the papers' text."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lpcodec.codec.families.superresolution.lapsrn import LapSRN, RecursiveLapSRN
from lpcodec.codec.families.superresolution.lpn import LPN
from lpcodec.codec.families.superresolution.wavelet import LPSR, WSR, BandNetwork, WaveSR

HD = 1280 * 720
"""Output pixels that the LPN paper counts multiply-accumulates for."""


def _parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def _kernels(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.ndim == 4)


def _macs_per_input_pixel(run: Callable[[torch.Tensor], object], channels: int, side: int) -> float:
    with FlopCounterMode(display=False) as counter:
        run(torch.empty(1, channels, side, side, device="meta"))
    return counter.get_total_flops() / 2 / side**2


@pytest.fixture(autouse=True)
def _without_memory():
    with torch.device("meta"):
        yield


@pytest.mark.parametrize(
    ("scale", "weights", "parameters"), [(2, 406_672, 407_441), (4, 812_768, 814_242), (8, 1_218_864, 1_221_043)]
)
def test_lapsrn(scale, weights, parameters):
    network = LapSRN(scale)
    assert (_kernels(network), _parameters(network)) == (weights, parameters)


def test_the_port_of_lapsrn_has_more_weights_and_no_biases():
    network = LapSRN(4, kernel=4, bias=False)
    assert _kernels(network) == _parameters(network) == 870_112


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_ms_lapsrn_has_222_thousand_weights_whatever_the_scale(scale):
    network = RecursiveLapSRN(scale)
    assert (_kernels(network), _parameters(network)) == (222_352, 222_801)


@pytest.mark.parametrize("shared", [1, 3, 5])
def test_cms_lapsrn_saves_the_deconvolution(shared):
    network = RecursiveLapSRN(4, shared=shared)
    assert (_kernels(network), _parameters(network)) == (185_488, 185_873)
    assert 222_352 - _kernels(network) == 36_864


@pytest.mark.parametrize(
    ("scale", "last", "width", "parameters", "gmacs"),
    [
        (2, "gamma", 1, 2_643_171, 184.463),
        (3, "gamma", 1, 2_827_811, 101.743),
        (4, "gamma", 1, 2_790_883, 81.284),
        (2, "alpha", 1, 2_367_779, 151.516),  # the paper prints 151.6: 0.06 % more than its layers give
        (2, "beta", 1, 2_532_195, 168.368),
        (2, "gamma", 0.75, 1_534_635, 106.888),
        (2, "gamma", 0.5, 724_595, 50.286),
    ],
)
def test_lpn(scale, last, width, parameters, gmacs):
    network = LPN(scale, last=last, width=width)
    assert _parameters(network) == parameters
    per_pixel = _macs_per_input_pixel(lambda x: network(x, scale), 3, 64)
    assert per_pixel * HD / scale**2 / 1e9 == pytest.approx(gmacs, abs=5e-4)


@pytest.mark.parametrize("module", ["a", "b"])
def test_the_activations_of_lpn_have_no_parameters(module):
    assert _parameters(LPN(2, module=module)) == 2_643_171


@pytest.mark.parametrize(
    ("kind", "scale", "parameters", "mmacs"),
    [
        (WaveSR, 2, 46_253_708, 46.2),
        (WaveSR, 4, 51_015_728, 51.0),
        (WaveSR, 8, 70_063_808, 70.0),
        (WSR, 2, 45_439_046, 45.4),
        (WSR, 4, 45_836_649, 45.8),
        (WSR, 8, 46_238_092, 46.2),
        (LPSR, 2, 45_440_390, 45.4),
        (LPSR, 4, 45_841_833, 45.8),
        (LPSR, 8, 46_386_956, 46.4),
    ],
)
def test_wavelet_and_pyramid_super_resolution(kind, scale, parameters, mmacs):
    network: BandNetwork = kind(scale)
    assert _parameters(network) == parameters
    counted = _macs_per_input_pixel(lambda x: network.bands(network.prepare(x)), 3, 8) / 1e6
    assert counted == pytest.approx(mmacs, abs=0.05)


def test_the_narrow_lpsr_is_one_that_people_can_run():
    assert _parameters(LPSR(2, 1 / 8)) == 919_830
    assert _parameters(LPSR(4, 1 / 8)) == 1_034_553


def test_embeddings_of_the_two_kinds():
    assert _parameters(WaveSR(2).embedding) == 44_666_368
    assert _parameters(LPSR(2).embedding) == 44_646_528
