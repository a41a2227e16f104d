"""Qualities of squares in the hyperprior: other gains in each, the same symbols' rules, and no seams in decoding."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import lpcodec
from lpcodec.codec import container, models, quality_map
from lpcodec.codec.container import Section, SectionType
from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.families.family import Frame
from lpcodec.codec.families.hyperprior import allocation
from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec
from lpcodec.codec.families.hyperprior.packed import PackedLatents
from lpcodec.codec.families.hyperprior.places import Places
from lpcodec.codec.quality import Quality
from lpcodec.codec.quality_map import QualityMap

OFFSETS = np.array([[3, -4, 0], [5, -5, 1], [0, 2, -3]], np.int32)
MAP = QualityMap(64, OFFSETS)


@pytest.fixture(scope="module")
def codec() -> HyperpriorCodec:
    found = models.load("default@visual").trained
    assert isinstance(found, HyperpriorCodec)
    return found


@pytest.fixture(scope="module")
def picture(portrait: Image.Image) -> np.ndarray:
    """180 x 170 pixels: squares that the picture cuts off."""
    return np.asarray(portrait.crop((150, 60, 320, 240)))


def test_each_place_has_the_gain_of_its_square_and_dc_that_of_the_file(codec: HyperpriorCodec) -> None:
    network, quality = codec.network, Quality.of(40)
    places = Places(network, quality, MAP)
    gain = places.gain(slice(0, 12), slice(0, 11))
    dc = network.sizes.dc_latents
    assert dc > 0
    for i, j in ((0, 0), (3, 3), (4, 3), (3, 4), (11, 10)):
        units = quality.units + 2048 * int(OFFSETS[i // 4, j // 4])
        own = network.gain(torch.tensor([units]))[0, :, 0, 0]
        torch.testing.assert_close(gain[0, dc:, i, j], own[dc:])
        torch.testing.assert_close(gain[0, :dc, i, j], network.gain(torch.tensor([quality.units]))[0, :dc, 0, 0])
        assert int(places.qualities(slice(i, i + 1), slice(j, j + 1))) == units


def test_a_part_has_the_gains_of_its_place(codec: HyperpriorCodec) -> None:
    whole = Places(codec.network, Quality.of(40), MAP)
    part = Places(codec.network, Quality.of(40), MAP.part(5 * 16, 2 * 16))
    for one, other in ((whole.gain, part.gain), (whole.inverse_gain, part.inverse_gain)):
        torch.testing.assert_close(one(slice(6, 11), slice(3, 9)), other(slice(1, 6), slice(1, 7)))


def test_offsets_of_zero_change_nothing(codec: HyperpriorCodec, picture: np.ndarray) -> None:
    latents, zeros = codec.analyse(picture), QualityMap(64, np.zeros((3, 3), np.int32))
    plain, mapped = codec.code(latents, 40), codec.code(latents, 40, quality_map=zeros)
    assert plain.payloads() == mapped.payloads()
    frame = Frame(*picture.shape[:2], Quality.of(40))
    decoded = codec.synthesise(plain.groups, frame).astype(int)
    assert np.abs(codec.synthesise(plain.groups, replace(frame, quality_map=zeros)) - decoded).max() <= 1


def test_squares_of_higher_quality_take_more_and_look_better(codec: HyperpriorCodec, picture: np.ndarray) -> None:
    latents = codec.analyse(picture)
    coded = codec.code(latents, 40, quality_map=MAP)
    frame = Frame(*picture.shape[:2], Quality.of(40), quality_map=MAP)
    symbols = codec.parse(coded.payloads(), frame)
    assert codec.hash_of(symbols) == coded.symbols_hash
    errors = np.square(codec.synthesise(symbols, frame) - picture.astype(float)).mean(2)
    uniform = codec.synthesise(codec.code(latents, 40).groups, Frame(*picture.shape[:2], Quality.of(40)))
    before = np.square(uniform - picture.astype(float)).mean(2)

    def by_square(values: np.ndarray) -> np.ndarray:
        return np.array(
            [[values[64 * i : 64 * i + 64, 64 * j : 64 * j + 64].mean() for j in range(3)] for i in range(3)]
        )

    ratios = by_square(errors) / by_square(before)
    assert (ratios[OFFSETS >= 3] < 0.95).all()
    assert (ratios[OFFSETS <= -3] > 1.05).all()
    # Read without the map, the same symbols are another picture.
    wrong = codec.synthesise(symbols, replace(frame, quality_map=None))
    assert np.square(wrong - picture.astype(float)).mean() > 2 * errors.mean()


def test_packed_latents_give_the_same_symbols(codec: HyperpriorCodec, picture: np.ndarray) -> None:
    y = codec.analyse(picture)
    assert isinstance(y, torch.Tensor)
    sizes = codec.network.sizes
    packed = PackedLatents(sizes.main, codec.network.log_gain.amax(0).exp()[:, None, None], *y.shape[1:])
    for place in codec.groups(*y.shape[1:]):
        packed.add(packed.pack(y[:, place[0].core, place[1].core], *place))
    for quality in (40, 90):
        wanted = codec.code(y, quality, quality_map=MAP).payloads()
        assert codec.code(packed, quality, quality_map=MAP).payloads() == wanted


def test_qualities_are_chosen_block_by_block_as_for_the_whole(
    codec: HyperpriorCodec, portrait: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of 256 pixels, each of four groups. Errors are larger at their borders, so the offsets are others, but the
    same squares have high ones."""
    pixels = np.asarray(portrait)
    latents = codec.analyse(pixels)
    whole = codec.allocated(pixels, latents, 30)
    monkeypatch.setattr(codec, "group_side", 8)
    monkeypatch.setattr(allocation, "_BLOCK", 16)
    blocks = codec.allocated(pixels, latents, 30)
    assert whole is not None
    assert blocks is not None
    assert np.corrcoef(whole.offsets.ravel(), blocks.offsets.ravel())[0, 1] > 0.7


def test_tiles_and_groups_decode_as_the_whole(
    codec: HyperpriorCodec, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    latents, frame = codec.analyse(picture), Frame(*picture.shape[:2], Quality.of(40), quality_map=MAP)
    whole = codec.synthesise(codec.code(latents, 40, quality_map=MAP).groups, frame).astype(int)
    monkeypatch.setattr(codec, "tile_side", 4)
    again = codec.synthesise(codec.code(latents, 40, quality_map=MAP).groups, frame)
    assert np.abs(again - whole).max() <= 1
    assert (again != whole).mean() < 0.01


@pytest.fixture(scope="module")
def coded(portrait: Image.Image) -> bytes:
    data = lpcodec.encode(portrait, quality=30, downscale=1)
    assert container.read(data).payload(SectionType.QUALITIES) is not None
    return data


@pytest.mark.parametrize("region", [(0, 0, 40, 40), (270, 290, 100, 90), (511, 599, 1, 1), (63, 64, 2, 370)])
def test_a_region_is_the_crop(coded: bytes, region: tuple[int, int, int, int]) -> None:
    left, top, width, height = region
    whole = np.asarray(lpcodec.decode(coded)).astype(int)[top : top + height, left : left + width]
    found = np.asarray(lpcodec.decode(coded, region=region)).astype(int)
    assert np.abs(found - whole).max() <= 1
    assert (found != whole).mean() < 0.01


@pytest.mark.parametrize("model", ["wcae@0.13", "nowcae@0.20"])
def test_a_model_with_one_quality_refuses_them(model: str, picture: np.ndarray) -> None:
    file = container.read(lpcodec.encode(Image.fromarray(picture), model=model))
    section = Section(SectionType.QUALITIES, quality_map.to_bytes(MAP))
    forged = container.write(replace(file, sections=(*file.sections, section)))
    for read in (lpcodec.decode, lpcodec.verify):
        with pytest.raises(DamagedFileError, match="differs from square to square"):
            read(forged)
