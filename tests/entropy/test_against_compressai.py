"""Our integer tables beside those of CompressAI's GaussianConditional, an independent implementation."""

import numpy as np
import pytest
import torch

from lpcodec.entropy.likelihood import gaussian_bits
from lpcodec.entropy.tables import default_scales, default_tables
from tests.compressai_peer import compressai_module

SCALES = [6, 12, 20, 30, 40, 50, 63]


@pytest.fixture(scope="module")
def conditional() -> torch.nn.Module:
    models = compressai_module("compressai.entropy_models")
    sigmas = [default_scales()[i] / 65536 for i in range(64)]
    conditional = models.GaussianConditional(sigmas)
    conditional.update()
    return conditional


@pytest.mark.parametrize("index", SCALES)
def test_tables_agree_with_compressai_within_a_few_units_of_their_precision(conditional, index):
    length, offset = int(conditional._cdf_length[index]), int(conditional._offset[index])
    theirs = np.diff(conditional._quantized_cdf[index, :length].numpy())[:-1]
    ours, radius = default_tables().frequencies[index], int(default_tables().radius[index])
    reach = min(radius, -offset)
    ours_there = ours[radius - reach : radius + reach + 1]
    theirs_there = theirs[-offset - reach : -offset + reach + 1]
    # Both hold 16 bits; each gives its tails at least a unit and takes that from the centre in its own way.
    assert np.abs(ours_there.astype(int) - theirs_there).max() <= max(8, 2e-3 * 65536 / len(ours_there) + 2 * reach)


def test_the_differentiable_rate_agrees_with_compressais(conditional):
    values = torch.arange(-6, 7).float()
    for index in SCALES:
        sigma = torch.full_like(values, default_scales()[index] / 65536)
        likelihood = conditional._likelihood(values, sigma)
        ours = gaussian_bits(values, torch.full_like(values, float(index)))
        known = likelihood > 1e-3  # further out, float32 differences of nearly equal tails decide
        assert torch.allclose(ours[known], -torch.log2(likelihood[known]), atol=2e-3)
