"""The quality scale: the same lambda in every network, as fine as a network has anchors."""

import pytest
import torch

from lpcodec.codec.families.hyperprior.qualities import (
    COMMON_PLACE,
    COMMON_SHARE,
    GROWTH,
    LAMBDA_MIN,
    PLACES,
    finest,
    lambda_of_quality,
    level_of_quality,
    levels,
    place_of_quality,
    row_of_quality,
    training_qualities,
)

QUALITIES = torch.arange(65536)


@pytest.mark.parametrize("anchors", [8, 11])
def test_levels_and_rows_cover_a_networks_range_evenly(anchors: int) -> None:
    inside = QUALITIES[: finest(anchors) + 1]
    for found, count in ((level_of_quality, levels(anchors)), (row_of_quality, anchors)):
        values = found(inside, anchors)
        assert torch.equal(values.unique(), torch.arange(count))
        assert (values.diff() >= 0).all()
        sizes = values.bincount()[:-1]
        assert sizes.max() - sizes.min() <= 1
        beyond = found(QUALITIES[finest(anchors) :], anchors)
        assert (beyond == count - 1).all(), "every higher quality is the finest"


def test_networks_agree_about_the_range_that_both_have() -> None:
    both = QUALITIES[: finest(8)]
    assert torch.equal(level_of_quality(both, 8), level_of_quality(both, 11))
    assert torch.equal(lambda_of_quality(both, 8), lambda_of_quality(both, 11))
    assert levels(8) == 64


def test_lambda_runs_log_linearly_between_its_ends() -> None:
    values = lambda_of_quality(torch.tensor([0, 13107, 26214, 39321, 52428, 65535])).double()
    assert float(values[0]) == pytest.approx(LAMBDA_MIN, rel=1e-5)
    assert float(values[-1]) == pytest.approx(LAMBDA_MIN * GROWTH**PLACES, rel=1e-5)
    steps = values.log().diff()
    assert torch.allclose(steps, steps[0].expand(5), rtol=1e-4)
    assert float(lambda_of_quality(torch.tensor([65535]), 8)) == pytest.approx(0.15, rel=1e-5)


def test_places_are_those_of_the_anchors() -> None:
    quality = torch.tensor([round(65535 * place / PLACES) for place in range(PLACES + 1)])
    assert torch.allclose(place_of_quality(quality, 11), torch.arange(11.0), atol=1e-4)
    assert torch.allclose(place_of_quality(quality, 8), torch.arange(11.0).clamp(max=7), atol=1e-4)


def test_trainings_are_mostly_about_common_qualities() -> None:
    parts = (torch.arange(1000) + 0.5) / 1000
    quality = training_qualities(parts, 11)
    assert (quality.min(), quality.max()) >= (0, 65000)
    common = (place_of_quality(quality, 11) <= COMMON_PLACE).float().mean()
    assert float(common) == pytest.approx(COMMON_SHARE, abs=2e-3)
    assert training_qualities(parts, 8).max() <= finest(8) + 66
