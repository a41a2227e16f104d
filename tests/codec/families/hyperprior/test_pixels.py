"""The analysis of 8-bit pixels: the latents of the analysis in floats, within the rounding that its docstring names."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.codec.arrays import Pixels
from lpcodec.codec.families.hyperprior.pixels import PixelAnalysis
from lpcodec.codec.models import load
from tests.codec.families.hyperprior.test_network import small_network

DC = 3


def both(pixels: Pixels, dc_latents: int = DC) -> tuple[torch.Tensor, torch.Tensor]:
    """The latents of pixels by `PixelAnalysis` and by the network in float32."""
    network = small_network().eval()
    found = PixelAnalysis(network.for_coding(torch.float32).analysis, dc_latents)(pixels)
    picture = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        return found, network.analyse(picture)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1), st.sampled_from([0, DC]))
def test_its_latents_are_those_of_the_network(rows: int, columns: int, seed: int, dc_latents: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (16 * rows, 16 * columns, 3), np.uint8)
    found, wanted = both(pixels, dc_latents)
    assert found.shape == wanted.shape
    assert found.dtype == torch.float32
    assert (found - wanted).abs().max() < 0.02 * wanted.abs().max()


@pytest.mark.parametrize("level", [0, 1, 127, 128, 254, 255])
def test_dc_latents_of_a_flat_picture_are_precise(level: int) -> None:
    """Flat pictures have the largest latents. The shortcut alone makes those of a network that isn't trained."""
    found, wanted = both(np.full((64, 64, 3), level, np.uint8))
    inner = ..., slice(1, -1), slice(1, -1)
    assert torch.allclose(found[:, :DC][inner], wanted[:, :DC][inner], rtol=1e-3, atol=0.01)


def test_it_costs_hardly_any_precision_at_the_finest_quality() -> None:
    codec = load("default", "cpu").trained
    pixels = np.random.default_rng(0).normal(128, 40, (64, 64, 3)).clip(0, 255).astype(np.uint8)
    exact = codec.network.for_coding(torch.float32)
    found = PixelAnalysis(exact.analysis, codec.network.sizes.dc_latents)(pixels)
    with torch.no_grad():
        wanted = exact.analyse(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255)
        steps = (found - wanted) * codec.network.gain(torch.tensor([65535]))
    assert steps.square().mean().sqrt() < 0.1  # rounding to whole steps errs by 0.29
