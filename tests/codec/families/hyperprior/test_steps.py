"""The steps of the entropy model: they share out the latents, each sees those before it alone, and any list will do."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.families.hyperprior.steps import (
    CHECKERBOARD,
    Channels,
    Cuts,
    Places,
    Step,
    checkerboard,
    context_channels,
    contexts_of,
    dead_zones,
    grid,
    schedule,
    walk,
)
from tests.codec.families.hyperprior.test_codec import codec_of, header_for, livened, pixels, same

SIZES = HyperpriorSizes(
    width=16, latents=12, linear_latents=4, dc_latents=3, hyper_width=8, hyper_latents=4, context_width=8
)
Q = torch.tensor([30_000])


def of_parity(places: Places, parity: int) -> Places:
    """Of these places those in channels of one parity."""

    def both(start: int, stop: int, height: int, width: int, device: torch.device | str) -> torch.Tensor:
        channel = torch.arange(start, stop, device=device).view(1, -1, 1, 1)
        return places(start, stop, height, width, device) & (channel % 2 == parity)

    return both


def four_steps(shared: bool) -> tuple[Step, ...]:
    """The checkerboard's two halves, each cut by the parity of the channel; the later steps share layers or not."""
    cells = [of_parity(checkerboard(n), parity) for n in (0, 1) for parity in (0, 1)]
    names = [None, *(CHECKERBOARD if shared else f"own{n}" for n in range(3))]
    return tuple(Step(0, SIZES.latents, cell, name) for cell, name in zip(cells, names, strict=True))


def coarse_to_fine() -> tuple[Step, ...]:
    """More channels on the grid, in ranges that overlap those of other steps."""
    every = [Step(0, 6, grid(n), CHECKERBOARD if n else None) for n in range(4)]
    return (*every, Step(6, 12, checkerboard(0), CHECKERBOARD), Step(0, 12, checkerboard(1), "own"))


SCHEDULES = {
    "as it is": schedule(SIZES), "four, shared": four_steps(True), "four": four_steps(False),
    "coarse to fine": coarse_to_fine(),
}  # fmt: skip
named = pytest.mark.parametrize("steps", SCHEDULES.values(), ids=list(SCHEDULES))


def mask_of(step: Step, height: int, width: int) -> torch.Tensor:
    """Which of all latents are the step's, (1, M, height, width)."""
    mask = torch.zeros(1, SIZES.latents, height, width, dtype=torch.bool)
    mask[:, step.channels] = step.places(step.start, step.stop, height, width, "cpu")
    return mask


@named
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5), (8, 8), (33, 20)])
def test_steps_share_out_the_latents(steps: Sequence[Step], size: tuple[int, int]) -> None:
    assert torch.stack([mask_of(step, *size) for step in steps]).sum(0).eq(1).all()


def test_every_place_of_the_grid_has_four_neighbours_of_the_steps_before() -> None:
    before, *later = (grid(n)(0, 3, 16, 16, "cpu") for n in range(4))
    assert torch.equal(before | later[0] | later[1] | later[2], checkerboard(0)(0, 3, 16, 16, "cpu"))
    for mask, reach, corners in zip(later, (2, 2, 1), (True, False, True), strict=True):
        ways = [(a, b) for a in (-reach, 0, reach) for b in (-reach, 0, reach) if (a != 0 and b != 0) == corners]
        ways = [way for way in ways if way != (0, 0)]
        seen = torch.stack([torch.roll(before, way, (2, 3)) for way in ways]).sum(0)
        inner = torch.zeros_like(mask)
        inner[..., 4:12, 4:12] = True
        assert (seen[mask & inner] == 4).all()
        before = before | mask


@named
def test_a_step_sees_the_steps_before_it_alone(steps: Sequence[Step]) -> None:
    """Change the latents of one step at a time: later steps' scales and means move, and no others."""
    torch.manual_seed(0)
    network = HyperpriorNetwork(SIZES, steps)
    with torch.no_grad():
        for part in (network.scales, network.means):
            for name, parameter in part.contexts.named_parameters():
                if name.endswith("head.weight"):
                    parameter.normal_(std=1)
    y, z = 60 * torch.randn(1, SIZES.latents, 9, 10), torch.zeros(1, 4, 3, 3)
    masks = [mask_of(step, 9, 10) for step in steps]
    with torch.no_grad():
        means, indexes = network.predict(y, z, Q)
        for number, changed in enumerate(masks):
            main = changed.clone()
            main[:, SIZES.main :] = False  # contexts don't know linear-only latents
            other_means, other_indexes = network.predict(y + 50 * main, z, Q)
            for later, mask in enumerate(masks):
                if later <= number:
                    assert torch.equal(means[mask], other_means[mask])
                    assert torch.equal(indexes[mask], other_indexes[mask])
            if number < len(masks) - 1:
                assert not torch.equal(means, other_means)
                assert not torch.equal(indexes, other_indexes)


@named
def test_any_list_of_steps_trains_codes_and_decodes(steps: Sequence[Step]) -> None:
    """What training predicts, the encoder codes, the parser reads and the decoder of values finds are one thing."""
    torch.manual_seed(1)
    network = HyperpriorNetwork(SIZES, steps)
    assert list(network.scales.contexts) == list(network.means.contexts) == contexts_of(steps)
    passed = network(torch.rand(2, 3, 64, 64), torch.tensor([20_000, 50_000]))
    (passed.bits.sum() + passed.z_bits.sum() + passed.pictures.square().sum()).backward()
    assert all(p.grad is not None for p in network.parameters())

    codec = codec_of(livened(network))
    codec.entropy.skip_below = 0  # training rounds all latents
    codec.group_side = 4
    image = pixels(100, 130)
    frame = header_for(image)
    latents = codec.analyse(image)
    coded = codec.code(latents, 60)
    assert same(codec.parse(coded.payloads(), frame), coded.groups)
    group = coded.groups[0]
    assert len(group.r_runs) == len(steps)
    q = torch.tensor([frame.quality.units])
    with torch.no_grad():
        scaled = latents[None, :, :4, :4] * network.gain(q)
        means, _ = network.predict(scaled, torch.from_numpy(group.z).double()[None].float(), q)
    assert (group.r != 0).any()
    values = codec.entropy.values(group, q)
    torch.testing.assert_close(values, torch.from_numpy(group.r).float()[None] + means, atol=1e-3, rtol=1e-4)


@named
def test_each_latent_has_the_dead_zone_of_its_step(steps: Sequence[Step]) -> None:
    latents = torch.zeros(1, SIZES.latents, 9, 10)
    uneven = tuple(replace(step, dead_zone=number / 8) for number, step in enumerate(steps))
    widths = dead_zones(uneven, latents)
    assert isinstance(widths, torch.Tensor)
    for step in uneven:
        assert (widths[:, step.channels][step.mask(latents[:, step.channels])] == step.dead_zone).all()
    assert dead_zones(tuple(replace(step, dead_zone=0.5) for step in steps), latents) == 0.5


def test_parsing_computes_no_means_and_a_walk_of_values_no_scales() -> None:
    network = HyperpriorNetwork(SIZES)
    network.scales.freeze()
    z = torch.zeros(1, 4, 2, 2)
    asked: list[int] = []

    def zeros(prediction: object, channels: int) -> torch.Tensor:
        asked.append(channels)
        return torch.zeros(1, channels, 8, 8)

    seen = context_channels(network.steps, network.scales)
    parsed = walk(network.steps, zeros, network.scales.begin(z, Q, 8, 8), None, seen)
    assert [p.mean for p in parsed] == [None] * 6
    assert asked == [3, 3, 3, 3, 5, 0], "linear-only latents and the last step are context of none"
    valued = walk(network.steps, zeros, None, network.means.begin(z, Q, 8, 8), seen)
    assert [p.index for p in valued] == [None] * 6


def test_a_new_network_takes_neighbours_for_a_part_of_the_mean() -> None:
    """Off by 10 in all four neighbours moves the mean by 8, and the scales stay."""
    torch.manual_seed(0)
    network, size = HyperpriorNetwork(SIZES), (12, 12)
    means = network.means.begin(torch.zeros(1, 4, 3, 3), Q, *size)
    scales = network.scales.begin(torch.zeros(1, 4, 3, 3), Q, *size)
    before = torch.zeros(1, 3, *size, dtype=torch.bool)
    with torch.no_grad():
        for step in network.steps[:4]:
            mask = step.places(0, 3, *size, "cpu")
            if step.context is not None:
                values, symbols = Channels(), Channels()
                values.add(0, (means.from_z.whole[:, :3] + 10) * before)
                symbols.add(0, 7.0 * before)
                inner = mask.clone()
                inner[..., :2, :] = inner[..., -2:, :] = inner[..., :2] = inner[..., -2:] = False
                moved = means.means(step, values) - means.from_z.whole[:, :3]
                torch.testing.assert_close(moved[inner], torch.full_like(moved[inner], 8.0))
                assert torch.equal(scales.indexes(step, symbols), scales.indexes(network.steps[0], symbols))
            before |= mask


class TestChannels:
    def test_parts_are_put_together_as_in_one_array(self) -> None:
        random = np.random.default_rng(0)
        for _ in range(200):
            added, whole = Channels(), torch.zeros(1, 9, 2, 3)
            put, placed = Channels(), torch.full((1, 9, 2, 3), torch.nan)
            for _ in range(random.integers(1, 6)):
                start, stop = sorted(random.choice(10, 2, replace=False).tolist())
                x = torch.from_numpy(random.normal(size=(1, stop - start, 2, 3))).float()
                added.add(start, x)
                whole[:, start:stop] += x
                places = torch.from_numpy(random.random((1, stop - start, 2, 3)) < 0.5)
                put.put(start, x, places)
                block = placed[:, start:stop]
                placed[:, start:stop] = torch.where(places | block.isnan().all(), x, block)
            torch.testing.assert_close(added.read(9), whole)
            stop = int(random.integers(1, 10))
            torch.testing.assert_close(added.read(stop), whole[:, :stop])

    def test_nothing_decoded_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="no channels"):
            Channels().read(3)

    def test_gradients_flow(self) -> None:
        x = torch.ones(1, 2, 1, 1, requires_grad=True)
        parts = Channels()
        parts.add(0, x)
        parts.add(1, 3 * x)
        parts.read(3).sum().backward()
        assert x.grad is not None
        assert x.grad.flatten().tolist() == [4, 4]


def test_cuts_read_the_channels_of_every_step_and_pass_their_gradients() -> None:
    steps = schedule(HyperpriorSizes())
    channels = HyperpriorSizes().latents
    weights = torch.randn(len(steps), channels, generator=torch.Generator().manual_seed(0))
    plain = torch.randn(1, channels, 2, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    cut = plain.detach().clone().requires_grad_()
    cuts = Cuts(cut, steps)
    for step, weight in zip(steps, weights, strict=True):
        own = weight[step.channels].view(1, -1, 1, 1)
        assert torch.equal(cuts.read(step.channels), plain[:, step.channels])
        (cuts.read(step.channels) * own).sum().backward(retain_graph=True)
        (plain[:, step.channels] * own).sum().backward(retain_graph=True)
    assert cut.grad is not None
    assert plain.grad is not None
    torch.testing.assert_close(cut.grad, plain.grad)
