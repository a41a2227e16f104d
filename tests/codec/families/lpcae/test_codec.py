"""Coding with LPCAE: every level from the first layers alone, whatever the size; what isn't there is predicted."""

import numpy as np
import pytest
import torch

from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.families.family import Frame
from lpcodec.codec.families.lpcae import codec as lpcae_codec
from lpcodec.codec.families.lpcae.codec import LpcaeCodec, Predicted
from lpcodec.codec.families.lpcae.network import LpcaeNetwork, Prediction
from lpcodec.codec.frontends.interface import level_sizes
from lpcodec.codec.models import ScalableCodec
from lpcodec.codec.quality import Quality
from tests.codec.families.hyperprior.test_codec import codec_of, livened, same
from tests.codec.families.lpcae.test_network import SMALL

SIZES = [(1, 1), (17, 33), (70, 5), (64, 64), (130, 97)]


@pytest.fixture(scope="module")
def codec() -> LpcaeCodec:
    torch.manual_seed(1)
    network = LpcaeNetwork(SMALL)
    coders = [codec_of(livened(own)) for own in network.networks]
    return LpcaeCodec(coders, network.prediction)


def pixels(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, channels), np.uint8)


def header_for(image: np.ndarray, quality: float = 60.0) -> Frame:
    return Frame(image.shape[0], image.shape[1], Quality.of(quality))


def test_it_is_a_scalable_codec(codec: LpcaeCodec) -> None:
    assert isinstance(codec, ScalableCodec)
    assert codec.levels == 2


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("quality", [5.0, 60.0, 100.0])
def test_the_decoder_reads_what_was_coded(codec: LpcaeCodec, size: tuple[int, int], quality: float) -> None:
    image = pixels(*size)
    header = header_for(image, quality)
    coded = codec.code(codec.analyse(image), quality)
    symbols = codec.parse(coded.payloads(), header)
    assert all(same(got, put.groups) for got, put in zip(symbols, coded.layers, strict=True))
    assert codec.hash_of(symbols) == coded.symbols_hash
    for level, wanted in enumerate(level_sizes(size, 2)):
        decoded = codec.synthesise(symbols, header, level=level)
        assert (decoded.shape, decoded.dtype) == ((*wanted, 3), np.uint8)


@pytest.mark.parametrize("size", [(17, 33), (130, 97)])
def test_a_level_needs_its_own_layers_and_no_finer_one(codec: LpcaeCodec, size: tuple[int, int]) -> None:
    image = pixels(*size)
    header = header_for(image)
    payloads = codec.code(codec.analyse(image), 60).payloads()
    whole = codec.parse(payloads, header)
    for level in (0, 1, 2):
        fewer = codec.parse(payloads[: 3 - level], header)
        assert np.array_equal(
            codec.synthesise(fewer, header, level=level), codec.synthesise(whole, header, level=level)
        )


def test_the_encoder_saw_what_the_decoder_has(codec: LpcaeCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The closed loop: details are differences from the decoder's own prediction."""
    image = pixels(70, 90)
    seen: list[np.ndarray] = []
    original = Predicted.__init__

    def recorded(self: Predicted, prediction: Prediction, coarse: np.ndarray) -> None:
        seen.append(coarse)
        original(self, prediction, coarse)

    monkeypatch.setattr(Predicted, "__init__", recorded)
    payloads = codec.code(codec.analyse(image), 60).payloads()
    encoder_s, seen = seen[:2], []
    header = header_for(image)
    symbols = codec.parse(payloads, header)
    for level, coarse in zip((2, 1), encoder_s, strict=True):
        assert np.array_equal(codec.synthesise(symbols, header, level=level), coarse)


def test_what_is_missing_is_predicted(codec: LpcaeCodec) -> None:
    image = pixels(61, 38)
    header = header_for(image)
    symbols = codec.parse(codec.code(codec.analyse(image), 60).payloads(), header)
    half = codec.synthesise(symbols, header, level=1)
    with torch.no_grad():
        x = torch.from_numpy(half).permute(2, 0, 1)[None].float() / 255
        wanted = codec.prediction(x)[0, :, :61, :38].mul(255).round().clamp(0, 255).permute(1, 2, 0).numpy()
    got = codec.synthesise(symbols[:2], header).astype(int)
    assert np.abs(got - wanted).max() <= 1
    assert codec.synthesise(symbols[:1], header).shape == (61, 38, 3)


@pytest.mark.parametrize("size", [(1, 1), (3, 64), (75, 33), (64, 49)])
def test_halving_in_tiles_is_halving(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    image = pixels(*size)
    whole = lpcae_codec.half_size(image)
    monkeypatch.setattr(lpcae_codec, "TILE", 16)
    assert np.array_equal(lpcae_codec.half_size(image), whole)
    exact = lpcae_codec.halve(torch.from_numpy(image).permute(2, 0, 1)[None].float())[0].permute(1, 2, 0)
    assert np.array_equal(whole, exact.round().clamp(0, 255).numpy())


def test_groups_and_tiles_leave_no_trace(codec: LpcaeCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    image = pixels(150, 170)
    header = header_for(image, 40)
    coded = codec.code(codec.analyse(image), 40)
    whole = codec.synthesise(codec.parse(coded.payloads(), header), header).astype(int)
    for coder in codec.coders:
        monkeypatch.setattr(coder, "tile_side", 4)
    monkeypatch.setattr(lpcae_codec, "TILE", 32)
    tiled = codec.synthesise(codec.parse(coded.payloads(), header), header).astype(int)
    assert np.abs(tiled - whole).max() <= 3, "roundings of coarser levels add up"
    assert np.abs(tiled - whole).mean() < 0.02
    # Groups are part of the format: a level's groups of 4 lie above the coarser level's places of 2.
    for coder in codec.coders:
        monkeypatch.setattr(coder, "group_side", 4)
    grouped = codec.code(codec.analyse(image), 40)
    assert len(grouped.layers[2].groups) == 9
    symbols = codec.parse(grouped.payloads(), header)
    assert all(same(got, put.groups) for got, put in zip(symbols, grouped.layers, strict=True))


def test_the_estimate_is_the_bytes(codec: LpcaeCodec) -> None:
    coded = codec.code(codec.analyse(pixels(130, 97)), 60)
    real = sum(map(len, coded.payloads()))
    assert real <= coded.bits / 8 * 1.01 + 12
    assert real >= coded.bits / 8 * 0.99 - 12


def test_a_finest_detail_that_doesn_t_pay_is_left_out(codec: LpcaeCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weighed only where it is cheap; kept where it takes more off the error than its bits are worth."""
    latents = codec.analyse(np.full((64, 64, 3), 90, np.uint8))
    assert len(codec.code(latents, 50).layers) == 3, "a random network's details are dear: not weighed"
    monkeypatch.setattr(lpcae_codec, "LEFT_OUT_BELOW", np.inf)
    coded = codec.code(latents, 50)
    assert len(coded.layers) == 2, "of a random network none pays"
    header = header_for(np.zeros((64, 64, 3)), 50)
    assert codec.synthesise(codec.parse(coded.payloads(), header), header).shape == (64, 64, 3)
    monkeypatch.setattr(lpcae_codec, "lambda_of_quality", lambda q, anchors: torch.tensor(1e9))
    monkeypatch.setattr(Predicted, "picture", lambda self, height, width: np.zeros((height, width, 3), np.uint8))
    assert len(codec.code(codec.analyse(pixels(64, 64)), 50).layers) == 3


def test_grey_pictures_are_coded_as_equal_channels(codec: LpcaeCodec) -> None:
    grey = pixels(40, 24, 1)
    one, three = (codec.code(codec.analyse(image), 50).payloads() for image in (grey, np.repeat(grey, 3, 2)))
    assert one == three


def test_progress_rises_to_one(codec: LpcaeCodec) -> None:
    image = pixels(130, 97)
    header = header_for(image)
    symbols = codec.parse(codec.code(codec.analyse(image), 60).payloads(), header)
    told: list[tuple[str, float]] = []
    codec.synthesise(symbols, header, lambda stage, part: told.append((stage, part)))
    parts = [part for _, part in told]
    assert parts == sorted(parts)
    assert parts[-1] == 1
    assert {stage for stage, _ in told} == {"synthesis"}


def test_damage_is_named(codec: LpcaeCodec) -> None:
    image = pixels(70, 90)
    header = header_for(image)
    payloads = codec.code(codec.analyse(image), 60).payloads()
    other = codec.code(codec.analyse(pixels(71, 90)), 60).payloads()
    for broken in (
        [],
        [*payloads, payloads[2]],
        [b"", *payloads[1:]],
        [b"abcd" + payloads[0][4:], *payloads[1:]],
        [payloads[0][:-2], *payloads[1:]],
        [other[0], *payloads[1:]],
        [payloads[1], payloads[1]],
    ):
        with pytest.raises(DamagedFileError):
            codec.parse(broken, header)


def test_weights_come_back_from_tensors(codec: LpcaeCodec) -> None:
    sizes = {"levels": [vars(coder.network.sizes) for coder in codec.coders]}
    stored = LpcaeCodec.from_tensors(codec.to_tensors(), sizes)
    again = stored.to_tensors()
    assert {k: v.dtype for k, v in again.items()} == {k: v.dtype for k, v in codec.to_tensors().items()}
    assert all(torch.equal(v, again[k]) for k, v in codec.to_tensors().items())
    image = pixels(70, 90)
    payloads = codec.code(codec.analyse(image), 60).payloads()
    assert stored.hash_of(stored.parse(payloads, header_for(image))) == codec.hash_of(
        codec.parse(payloads, header_for(image))
    )
