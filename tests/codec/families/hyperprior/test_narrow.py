"""Narrow pictures and groups: oneDNN may compute their strided convolutions from unset memory (AMX, bfloat16)."""

import numpy as np
import pytest
import torch

from lpcodec.codec import models
from lpcodec.codec.families.hyperprior.layers import Z_MAX
from tests.codec.families.hyperprior.test_codec import pixels


@pytest.mark.parametrize("name", ["default", "fast"])
@pytest.mark.parametrize("size", [(33, 15), (80, 1), (64, 16), (15, 17)])
def test_latents_of_a_narrow_picture_are_numbers_whatever_is_in_freed_memory(name: str, size: tuple[int, int]) -> None:
    """With AMX, oneDNN computes bfloat16 convolutions with an output one place wide from unset memory."""
    trained = models.load(name).trained
    image = pixels(*size)
    for _ in range(5):
        junk = [torch.full((count,), torch.nan) for count in (500, 1000, 4096, 10_000, 30_000, 65_536, 200_000)]
        del junk
        latents = trained.analyse(image)
        assert bool(latents.isfinite().all())
        assert float(latents.abs().max()) < 1e5


@pytest.mark.parametrize("name", ["default", "fast"])
@pytest.mark.parametrize("columns", [1, 3, 4, 67])
def test_hyper_latents_of_a_narrow_group_are_the_same_whatever_is_in_freed_memory(name: str, columns: int) -> None:
    """The hyper-analysis halves such groups twice, to one column: the case above again, in another network."""
    trained = models.load(name).trained
    strided = trained.transforms.hyper_analysis.layers[2:]
    assert all(parameter.dtype is torch.float32 for parameter in strided.parameters())
    latents = trained.analyse(pixels(60, 16 * columns))
    seen = []
    for _ in range(5):
        junk = [torch.full((count,), torch.nan) for count in (500, 1000, 4096, 10_000, 30_000, 65_536, 200_000)]
        del junk
        seen.append([group.z for group in trained.code(latents, 40).groups])
    for z in seen:
        for one, other in zip(z, seen[0], strict=True):
            assert (one == other).all()
            assert np.abs(one).max() < Z_MAX
