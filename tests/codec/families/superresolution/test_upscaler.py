"""Enlarging 8-bit pictures in tiles: no seams, every size, grey as grey."""

import numpy as np
import pytest
import torch

from lpcodec.codec import upscaling
from lpcodec.codec.families.superresolution.folded import FoldedNetwork
from lpcodec.codec.families.superresolution.lapsrn import RecursiveLapSRN
from lpcodec.codec.families.superresolution.light import LightNetwork
from lpcodec.codec.families.superresolution.lpn import LPN
from lpcodec.codec.families.superresolution.upscaler import Upscaler
from lpcodec.codec.families.superresolution.wavelet import LPSR

NETWORKS = {
    "light": (lambda: LightNetwork((2, 4), filters=8, pairs=1), 4),
    "ms": (lambda: RecursiveLapSRN(4, filters=4, passes=1), 4),
    "lpn": (lambda: LPN(3, width=0.125, last="alpha"), 3),
    "lpsr": (lambda: LPSR(2, 1 / 64), 2),
    "stage": (lambda: FoldedNetwork(2, filters=8, pairs=1), 2),
}


def _network(name: str) -> torch.nn.Module:
    torch.manual_seed(1)
    network = NETWORKS[name][0]()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.08)
    return network


def _noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("name", NETWORKS)
def test_tiles_leave_no_seam(name):
    scale = NETWORKS[name][1]
    network = _network(name)
    pixels = _noise(45, 70)
    whole = Upscaler(network, tile=1024)
    tiled = Upscaler(network, tile=16)
    whole.amp = tiled.amp = False  # bfloat16 rounds differently in tiles of different sizes
    difference = np.abs(whole.enlarge(pixels, scale).astype(int) - tiled.enlarge(pixels, scale))
    # A float on the edge between two levels may fall on either side.
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(1, 1), (3, 20), (17, 9)])
def test_every_size_and_grey(name, size):
    scale = NETWORKS[name][1]
    upscaler = Upscaler(_network(name))
    for channels in (1, 3):
        out = upscaler.enlarge(_noise(*size, channels), scale)
        assert out.shape == (scale * size[0], scale * size[1], channels)
        assert out.dtype == np.uint8


def test_a_new_light_network_is_bicubic_up_to_rounding():
    pixels = _noise(20, 30) // 3 + 80  # nothing overshoots 0..255 between the axes, where Pillow would cut it off
    for scale in (2, 4):
        ours = Upscaler(LightNetwork()).enlarge(pixels, scale).astype(int)
        assert np.abs(ours - upscaling.bicubic(pixels, scale)).max() <= 1


def test_the_chroma_of_a_luma_network_is_bicubic():
    pixels = _noise(16, 16) // 3 + 80
    plain = Upscaler(LightNetwork()).enlarge(pixels, 2).astype(int)
    trained = Upscaler(_network("light")).enlarge(pixels, 2).astype(int)
    change = trained - plain
    inside = ((trained > 0) & (trained < 255)).all(axis=2)
    assert np.abs(change[inside]).max() > 2
    spread = change[inside].max(axis=1) - change[inside].min(axis=1)
    assert spread.max() <= 1


def test_progress_reaches_the_end():
    told = []
    Upscaler(LightNetwork(filters=4, pairs=1), tile=8).enlarge(_noise(20, 9), 2, lambda *now: told.append(now))
    assert told == [("upscale", done / 6) for done in range(1, 7)]


def test_a_scale_without_training_is_refused():
    with pytest.raises(ValueError, match="not for 3"):
        Upscaler(LightNetwork()).enlarge(_noise(4, 4), 3)
