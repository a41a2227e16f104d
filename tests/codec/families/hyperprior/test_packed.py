"""Packed latents: the symbols and the estimates of the plain ones, and fewer values where a picture is smooth."""

import dataclasses

import numpy as np
import pytest
import torch

from lpcodec.codec.families.hyperprior import codec as hyperprior_codec
from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.packed import PackedLatents, sample, size_of
from lpcodec.codec.quality import Quality
from tests.codec.families.hyperprior.test_codec import SMALL, codec_of, header_for, livened, pixels, same

SIZES = dataclasses.replace(SMALL, linear_latents=12)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """The latents are the same whichever tests ran before."""
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def codec() -> HyperpriorCodec:
    torch.manual_seed(0)
    found = codec_of(livened(HyperpriorNetwork(SIZES)))
    found.group_side = found.tile_side = 4
    return found


@torch.inference_mode()
def packed_of(codec: HyperpriorCodec, y: torch.Tensor) -> PackedLatents:
    largest = codec.network.log_gain.amax(0).exp()[:, None, None]
    packed = PackedLatents(SIZES.main, largest, *size_of(y))
    parts = [packed.pack(y[:, r.core, c.core], r, c) for r, c in codec.groups(*size_of(y))]
    for part in parts:
        packed.add(part)
    return packed


@pytest.mark.parametrize("places", [(1, 1), (2, 9), (10, 6)])
@pytest.mark.parametrize("quality", [0.0, 33.3, 80.0, 100.0])
def test_symbols_are_those_of_the_plain_latents(
    codec: HyperpriorCodec, places: tuple[int, int], quality: float
) -> None:
    """Of latents from far below half a step to many steps."""
    y = torch.randn(SIZES.latents, *places) * (2 * torch.randn(SIZES.latents, 1, 1)).exp()
    y /= codec.network.gain(torch.tensor([Quality.of(quality).units]))[0].detach()
    plain, packed = codec.code(y, quality), codec.code(packed_of(codec, y), quality)
    assert same(plain.groups, packed.groups)
    assert packed.bits == plain.bits


def test_small_values_alone_are_left_out(codec: HyperpriorCodec) -> None:
    gain = codec.network.gain(torch.tensor([65535]))[0].detach()
    y = torch.randn(SIZES.latents, 6, 7) / gain
    packed, lost = packed_of(codec, y), 0
    for number, (rows, columns) in enumerate(codec.groups(*size_of(y))):
        wanted, found = y[:, rows.core, columns.core] * gain, packed.scaled(number, rows, columns, gain)
        assert torch.equal(found[: SIZES.main], wanted[: SIZES.main])
        left_out = found != wanted
        assert not found[left_out].any()
        assert (wanted[left_out].abs() < 0.5).all()
        lost += int(left_out.sum())
    assert lost > 10


@pytest.mark.parametrize("places", [(3, 4), (16, 16), (37, 50), (64, 70)])
def test_samples_and_estimates_are_those_of_the_plain_latents(codec: HyperpriorCodec, places: tuple[int, int]) -> None:
    y = torch.randn(SIZES.latents, *places)
    packed = packed_of(codec, y)
    assert torch.equal(sample(packed), sample(y))
    assert codec.expected_bits(packed) == codec.expected_bits(y)


def test_a_large_picture_is_packed_and_its_groups_are_not_kept(
    codec: HyperpriorCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = pixels(150, 90)
    small = codec.code(codec.analyse(image), 60)
    monkeypatch.setattr(hyperprior_codec, "LARGE", 0)
    latents = codec.analyse(image)
    assert isinstance(latents, PackedLatents)
    coded, kept = codec.code(latents, 60), codec.code(latents, 60, keep=True)
    assert not coded.groups
    assert (coded.bits, coded.symbols_hash, coded.payloads()) == (kept.bits, kept.symbols_hash, kept.payloads())
    assert abs(coded.bits / small.bits - 1) < 0.01, "other tiles: the same but for rounding"
    read = codec.parse(coded.payloads(), header_for(image))
    assert codec.hash_of(read) == coded.symbols_hash
    refined = codec.refine(image, latents, 60, 1)
    assert np.isfinite(codec.code(refined, 60).bits)
