"""The averages' own steps: lattices that share out the first step, and what each step may know."""

import pytest
import torch

from lpcodec.codec.families.hyperprior.averages import lattices
from lpcodec.codec.families.hyperprior.context import averages_in_steps, first_step_mask
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes

SIZES = HyperpriorSizes(width=16, latents=12, details=4, averages=3, hyper_width=8, hyper_latents=4, context_width=8)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5), (8, 8), (33, 20)])
def test_the_lattices_share_out_the_first_step(size: tuple[int, int]) -> None:
    masks = lattices(3, *size)
    assert all((mask.shape, mask.dtype) == ((1, 3, *size), torch.bool) for mask in masks)
    assert torch.equal(torch.stack(masks).sum(0) == 1, first_step_mask(3, *size))
    assert torch.stack(masks).sum(0).max() == 1


def test_every_place_inside_has_four_neighbours_of_the_steps_before() -> None:
    before, *later = lattices(3, 16, 16)
    for mask, reach, corners in zip(later, (2, 2, 1), (True, False, True), strict=True):
        ways = [(a, b) for a in (-reach, 0, reach) for b in (-reach, 0, reach) if (a != 0 and b != 0) == corners]
        ways = [way for way in ways if way != (0, 0)]
        seen = torch.stack([torch.roll(before, way, (2, 3)) for way in ways]).sum(0)
        inner = torch.zeros_like(mask)
        inner[..., 4:12, 4:12] = True
        assert (seen[mask & inner] == 4).all()
        before = before | mask


def livened() -> HyperpriorNetwork:
    torch.manual_seed(0)
    network = HyperpriorNetwork(SIZES)
    with torch.no_grad():
        for step in network.scales.average_steps:
            step.head.weight.normal_(std=2)  # type: ignore[union-attr, operator]
    return network


def test_a_step_sees_the_steps_before_it_alone() -> None:
    network, size = livened(), (9, 10)
    gained, z, level = 60 * torch.randn(1, 12, *size), torch.zeros(1, 4, 3, 3), torch.tensor([30])

    def predicted(latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features, mean_features = (part.features(z, level, *size) for part in (network.scales, network.means))
        index, mean = network.scales.first_indexes(features), network.means.first_means(mean_features)
        return averages_in_steps(network.scales, network.means, latents, features, mean_features, index, mean)

    masks = lattices(3, *size)
    with torch.no_grad():
        indexes, means = predicted(gained)
        for number, changed in enumerate(masks):
            moved = gained.clone()
            moved[:, :3] += 50 * changed
            other_indexes, other_means = predicted(moved)
            assert torch.equal(indexes[:, 3:], other_indexes[:, 3:])
            assert torch.equal(means[:, 3:], other_means[:, 3:])
            for later, mask in enumerate(masks):
                same = torch.equal(indexes[:, :3][mask], other_indexes[:, :3][mask])
                assert same == (later <= number)
                assert torch.equal(means[:, :3][mask], other_means[:, :3][mask]) == (later <= number)


def test_a_new_network_takes_neighbours_for_a_part_of_the_mean() -> None:
    """Off by 10 in all four neighbours moves the mean by 8, and the scales stay."""
    torch.manual_seed(0)
    network, size = HyperpriorNetwork(SIZES), (12, 12)
    means = network.means
    features, first = torch.rand(1, 8, *size), torch.randn(1, 3, *size)
    before, *later = lattices(3, *size)
    with torch.no_grad():
        for step, mask in enumerate(later, 1):
            found = means.average_means(step, features, first, first + 10, before)
            inner = mask.clone()
            inner[..., :2, :] = inner[..., -2:, :] = inner[..., :2] = inner[..., -2:] = False
            torch.testing.assert_close((found - first)[inner], torch.full_like(first[inner], 8.0))
            before = before | mask
        acc = network.scales.features(torch.zeros(1, 4, 3, 3), torch.tensor([30]), *size)
        own = network.scales.average_indexes(1, acc, torch.full((1, 3, *size), 7.0))
        assert torch.equal(own, network.scales.first_indexes(acc)[:, :3])
