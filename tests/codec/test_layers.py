"""Files in layers: pictures at every level, files that were cut or damaged, and what `info` says of them."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lpcodec
from lpcodec.codec import api, container, models
from lpcodec.codec.container import Kind, LpcFile, Section, SectionType
from lpcodec.codec.errors import DamagedFileError, LimitError, LpcodecError, UnknownModelError, UsageError
from lpcodec.codec.frontends.interface import level_sizes
from tests.layered_codec import LayeredCodec, install
from tests.modules import module_at

ICC = bytes(range(200))
MODES = ("RGB", "L", "RGBA", "LA")


@pytest.fixture
def codec(monkeypatch: pytest.MonkeyPatch) -> LayeredCodec:
    return install(LayeredCodec(), monkeypatch)


@pytest.fixture
def picture(portrait: Image.Image) -> Image.Image:
    """41 x 29, with alpha and a profile: odd sides, and a file small enough to be cut at every byte."""
    return in_mode(portrait.resize((41, 29), Image.Resampling.LANCZOS), "RGBA")


@pytest.fixture
def data(codec: LayeredCodec, picture: Image.Image) -> bytes:
    return encoded(picture, 20)


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    plain = image.convert(mode)
    if mode.endswith("A"):
        plain.putalpha(Image.linear_gradient("L").resize(image.size))
    plain.info["icc_profile"] = ICC
    return plain


def encoded(image: Image.Image, quality: float) -> bytes:
    result = api.encode_report(image, model="layered", quality=quality)
    assert result.model == "layered", "the test needs a picture that isn't stored"
    return result.data


def predicted(codec: LayeredCodec, data: bytes, layers: int, level: int = 0) -> np.ndarray[Any, Any]:
    """The colours, without decoding a file: what the codec makes of the first layers of a whole one."""
    file = container.read(data)
    symbols = codec.parse(file.payloads(SectionType.LAYER)[:layers], file.header)
    return codec.synthesise(symbols, file.header, None, level)


def whole_layers(data: bytes, length: int) -> int:
    """How many layers of `data` lie within its first `length` bytes."""
    file = container.read(data)
    layers = len(file.payloads(SectionType.LAYER))
    return sum(end <= length for end in container.section_ends(file)[:layers])


def colours(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image.convert("RGB"))


class TestEncoding:
    def test_a_scalable_codec_writes_a_layer_a_level_coarsest_first(self, codec: LayeredCodec, data: bytes) -> None:
        assert isinstance(codec, models.ScalableCodec)
        file = container.read(data)
        types = [section.type for section in file.sections]
        assert types == [SectionType.LAYER] * 3 + [SectionType.ALPHA, SectionType.ICC]
        sizes = [len(payload) for payload in file.payloads(SectionType.LAYER)]
        assert sizes == sorted(sizes)

    def test_the_others_write_their_one_payload(self, thumbnail: Image.Image) -> None:
        assert not isinstance(models.load("default").trained, models.ScalableCodec)
        file = container.read(lpcodec.encode(thumbnail, quality=20))
        assert [section.type for section in file.sections] == [SectionType.LATENTS]

    def test_targets_are_kept(self, codec: LayeredCodec, face: Image.Image) -> None:
        at_psnr = api.encode_report(face, model="layered", psnr=34)
        error = np.square(colours(lpcodec.decode(at_psnr.data)) - np.asarray(face, np.float64)).mean()
        assert at_psnr.model == "layered"
        assert 10 * math.log10(255**2 / error) >= 34
        within = api.encode_report(face, model="layered", bpp=6)
        assert within.model == "layered"
        assert within.bpp <= 6


class TestLevels:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("level", range(9))
    def test_the_sizes_are_halves_rounded_up_with_alpha_and_profile(
        self, codec: LayeredCodec, picture: Image.Image, mode: str, level: int
    ) -> None:
        image = in_mode(picture, mode)
        height, width = level_sizes((29, 41), 8)[level]
        for model in ("layered", "default"):
            data = lpcodec.encode(image, model=model, quality=10)
            decoded = lpcodec.decode(data, level=level)
            assert (decoded.size, decoded.mode, decoded.info["icc_profile"]) == ((width, height), mode, ICC)
            if mode.endswith("A"):
                plane = image.getchannel("A").resize((width, height), Image.Resampling.BICUBIC)
                expected = image.getchannel("A") if level == 0 else plane
                assert decoded.getchannel("A").tobytes() == expected.tobytes()

    @pytest.mark.parametrize("level", [0, 1, 2])
    def test_only_the_layers_that_a_level_needs_are_read(self, codec: LayeredCodec, data: bytes, level: int) -> None:
        decoded = lpcodec.decode(data, level=level)
        assert codec.parsed == [3 - level]
        assert (colours(decoded) == predicted(codec, data, 3 - level, level)).all()

    def test_a_grey_picture_is_grey_at_every_level(self, codec: LayeredCodec, picture: Image.Image) -> None:
        data = encoded(in_mode(picture, "L"), 20)
        for level in (0, 1):
            assert (np.asarray(lpcodec.decode(data, level=level)) == predicted(codec, data, 3, level)[..., 0]).all()

    def test_what_is_coarser_than_the_model_is_reduced_from_its_coarsest(
        self, codec: LayeredCodec, data: bytes
    ) -> None:
        coarsest = Image.fromarray(predicted(codec, data, 1, 2))
        decoded = lpcodec.decode(data, level=4)
        assert (colours(decoded) == np.asarray(coarsest.resize((3, 2), Image.Resampling.BICUBIC))).all()
        assert codec.parsed[-1] == 1

    @pytest.mark.parametrize("stored", [False, True])
    @pytest.mark.parametrize("mode", ["RGB", "L"])
    def test_every_other_file_is_decoded_and_reduced(self, face: Image.Image, mode: str, stored: bool) -> None:
        image = face.convert(mode).crop((0, 0, 101, 67))
        image = image.quantize(4).convert(mode) if stored else image
        result = api.encode_report(image, quality=100 if stored else 30)
        assert (result.model == "stored") == stored
        full, half = (lpcodec.decode(result.data, level=level) for level in (0, 1))
        assert half.tobytes() == full.resize((51, 34), Image.Resampling.BICUBIC).tobytes()

    @pytest.mark.parametrize("level", [-1, 9])
    def test_other_levels_are_usage_errors(self, data: bytes, level: int) -> None:
        with pytest.raises(UsageError, match=f"level {level}"):
            lpcodec.decode(data, level=level)

    def test_limits_count_the_whole_picture(self, data: bytes) -> None:
        with pytest.raises(LimitError, match="41 x 29"):
            lpcodec.decode(data, level=2, max_pixels=41 * 29 - 1)
        assert lpcodec.decode(data, level=2, max_pixels=41 * 29).size == (11, 8)


def forged(data: bytes, **changes: Any) -> bytes:
    file = container.read(data)
    return container.write(LpcFile(replace(file.header, **changes), file.sections))


def with_layers(data: bytes, *payloads: bytes) -> bytes:
    header = container.read(data).header
    return container.write(LpcFile(header, tuple(Section(SectionType.LAYER, payload) for payload in payloads)))


class TestWholeFiles:
    def test_the_hash_of_all_symbols_is_compared_where_all_were_read(self, data: bytes) -> None:
        other = forged(data, symbols_hash=b"\0\1\2\3")
        for call in (lpcodec.decode, lpcodec.verify, lambda it: lpcodec.decode(it, allow_partial=True)):
            with pytest.raises(DamagedFileError, match="symbols"):
                call(other)
        assert lpcodec.decode(other, level=1).size == (21, 15), "each layer that was read has a hash of its own"

    def test_verify_reads_every_layer(self, codec: LayeredCodec, data: bytes) -> None:
        assert lpcodec.verify(data) == lpcodec.info(data)
        assert codec.parsed == [3]
        payloads = container.read(data).payloads(SectionType.LAYER)
        for place in range(3):
            wrong = bytes([payloads[place][0] ^ 1]) + payloads[place][1:]
            with pytest.raises(DamagedFileError, match="a layer whose hash differs"):
                lpcodec.verify(with_layers(data, *payloads[:place], wrong, *payloads[place + 1 :]))

    def test_layers_that_the_encoder_left_out_are_predicted_and_nothing_is_partial(
        self, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        codec = install(LayeredCodec(kept=2), monkeypatch)
        data = encoded(picture, 20)
        for allow_partial in (False, True):
            result = api.decode_report(data, allow_partial=allow_partial)
            assert (colours(result.image) == predicted(codec, data, 2)).all()
            assert (result.notes, result.partial) == ((), False)
        lpcodec.verify(data)
        with pytest.raises(DamagedFileError, match="symbols"):
            lpcodec.verify(forged(data, symbols_hash=b"\0\1\2\3"))

    def test_layers_and_model_have_to_fit(self, codec: LayeredCodec, data: bytes, thumbnail: Image.Image) -> None:
        payloads = container.read(data).payloads(SectionType.LAYER)
        with pytest.raises(DamagedFileError, match="has 4 layers, its model has 3"):
            lpcodec.decode(with_layers(data, *payloads, payloads[0]), level=2)
        default = models.load("default")
        with pytest.raises(DamagedFileError, match="is in layers, unlike those of its model"):
            lpcodec.decode(forged(data, model_number=default.number, model_digest=default.digest))
        plain = lpcodec.encode(thumbnail.convert("L"), quality=20)  # a grey picture has no colours to rotate
        with pytest.raises(DamagedFileError, match="is not in layers, unlike those of its model"):
            lpcodec.decode(forged(plain, model_number=codec.number, model_digest=codec.digest))


class TestCutAndDamagedFiles:
    @pytest.mark.parametrize("level", [0, 1, 2])
    def test_a_cut_at_every_byte(self, codec: LayeredCodec, data: bytes, level: int) -> None:
        """Named without the option, whose name it tells where that helps; with it, the layers that are whole."""
        expected = [predicted(codec, data, min(n, 3 - level), level) for n in range(1, 4)]
        counts = Counter[int]()
        for length in range(len(data)):
            whole = whole_layers(data, length)
            counts[whole] += 1
            with pytest.raises(DamagedFileError) as caught:
                lpcodec.decode(data[:length], level=level)
            assert (caught.value.keyword == "allow_partial") == (whole > 0)
            if not whole:
                with pytest.raises(DamagedFileError):
                    lpcodec.decode(data[:length], level=level, allow_partial=True)
                continue
            result = api.decode_report(data[:length], level=level, allow_partial=True)
            assert (np.asarray(result.image) == expected[whole - 1]).all(), "in RGB: its alpha is gone"
            assert result.partial
            assert not result.image.info
        assert min(counts[n] for n in range(4)) > 10

    def test_every_flipped_byte(self, codec: LayeredCodec, data: bytes) -> None:
        """No picture without the option; with it those layers that end before the damage, and no other."""
        expected = [predicted(codec, data, n) for n in range(1, 4)]
        for place in range(len(data)):
            for flip in (0x01, 0x80, 0xFF):
                mutant = data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :]
                with pytest.raises(LpcodecError) as caught:
                    lpcodec.decode(mutant)
                assert isinstance(caught.value, (DamagedFileError, UnknownModelError))
                if not (whole := whole_layers(data, place)):
                    with pytest.raises((DamagedFileError, UnknownModelError)):
                        lpcodec.decode(mutant, allow_partial=True)
                    continue
                result = api.decode_report(mutant, allow_partial=True)
                assert (np.asarray(result.image) == expected[whole - 1]).all()
                assert result.partial

    def test_layers_that_changed_places_or_files_are_not_shown(
        self, codec: LayeredCodec, data: bytes, picture: Image.Image
    ) -> None:
        other = encoded(picture.rotate(180), 20)
        start = len(container._header_bytes(container.read(data)))
        first, second, third = container.section_ends(container.read(data))[:3]
        spliced = data[:second] + other[container.section_ends(container.read(other))[1] :]
        swapped = data[:first] + data[second:third] + data[first:second] + data[third:]
        for mutant, whole in ((spliced, 2), (swapped, 1)):
            result = api.decode_report(mutant, allow_partial=True)
            assert (np.asarray(result.image) == predicted(codec, data, whole)).all()
        with pytest.raises(DamagedFileError, match="before its coarsest layer ends"):
            lpcodec.decode(other[:start] + data[start:], allow_partial=True)

    def test_the_note_says_what_is_missing(self, data: bytes) -> None:
        ends = container.section_ends(container.read(data))
        (note,) = api.decode_report(data[: ends[1] + 9], allow_partial=True).notes
        assert note.startswith("decoded in part: the file was cut short: section LAYER needs ")
        assert note.endswith(
            "; the first 2 of at most 3 layers are whole; alpha and metadata, if there were any, are left out"
        )
        (note,) = api.decode_report(data[:-1], allow_partial=True).notes
        assert "digest needs 4 bytes, 3 are there; all layers are whole; alpha" in note

    def test_the_error_counts_the_layers_that_are_whole(self, data: bytes) -> None:
        ends = container.section_ends(container.read(data))
        for length, words in ((ends[0], "its first layer is whole"), (ends[2], "its first 3 layers are whole")):
            for call in (lpcodec.decode, lpcodec.verify):
                with pytest.raises(DamagedFileError, match=f"{words} and can be decoded"):
                    call(data[:length])

    def test_all_symbols_are_compared_where_all_layers_are_there(self, data: bytes) -> None:
        other = forged(data, symbols_hash=b"\0\1\2\3")
        with pytest.raises(DamagedFileError, match="symbols"):
            lpcodec.decode(other[:-1], allow_partial=True)

    def test_a_sound_file_is_not_partial(self, codec: LayeredCodec, data: bytes) -> None:
        result = api.decode_report(data, allow_partial=True)
        assert (result.partial, result.notes, result.image.mode) == (False, (), "RGBA")
        assert result.image.tobytes() == lpcodec.decode(data).tobytes()

    def test_other_files_cannot_be_helped(self, thumbnail: Image.Image) -> None:
        for data in (lpcodec.encode(thumbnail, quality=20), lpcodec.encode(Image.new("L", (30, 40), 7))):
            with pytest.raises(DamagedFileError, match="not in layers"):
                lpcodec.decode(data[:-9], allow_partial=True)
            with pytest.raises(DamagedFileError) as caught:
                lpcodec.decode(data[:-9])
            assert caught.value.keyword is None

    def test_limits_and_models_are_looked_at_as_in_whole_files(
        self, data: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(LimitError, match="41 x 29"):
            lpcodec.decode(data[:-1], allow_partial=True, max_pixels=100)
        with pytest.raises(LimitError, match="MB of memory"):
            lpcodec.decode(data[:-1], allow_partial=True, max_memory=1 << 20)
        monkeypatch.undo()
        with pytest.raises(UnknownModelError, match="aren't installed"):
            lpcodec.decode(data[:-1], allow_partial=True)


class TestInfo:
    def test_bytes_to_here_are_enough_for_the_level_and_one_less_is_not(self, codec: LayeredCodec, data: bytes) -> None:
        levels = lpcodec.info(data)["levels"]
        payloads = container.read(data).payloads(SectionType.LAYER)
        assert [(row["level"], row["width"], row["height"]) for row in levels] == [(2, 11, 8), (1, 21, 15), (0, 41, 29)]
        assert [row["bytes"] for row in levels] == [len(payload) for payload in payloads]
        for number, row in enumerate(levels, 1):
            assert row["part"] == row["bytes_to_here"] / len(data)
            assert len(container.read_partial(data[: row["bytes_to_here"]]).sections) == number
            if number > 1:
                assert len(container.read_partial(data[: row["bytes_to_here"] - 1]).sections) == number - 1
            decoded = lpcodec.decode(data[: row["bytes_to_here"]], level=row["level"], allow_partial=True)
            assert (np.asarray(decoded) == colours(lpcodec.decode(data, level=row["level"]))).all()

    def test_levels_whose_layers_were_left_out_take_what_the_one_before_takes(
        self, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        codec = install(LayeredCodec(kept=2), monkeypatch)
        data = encoded(picture, 20)
        assert [row["level"] for row in lpcodec.info(data)["levels"]] == [1, 0], "as many as can be told from the file"
        card = {"name": "wcae", "digest": codec.digest.hex(), "sizes": {"levels": [{}, {}, {}]}}
        monkeypatch.setattr(models, "weights", lambda: [models.Weights(Path("none"), card)])
        levels = lpcodec.info(data)["levels"]
        assert [(row["level"], row["width"]) for row in levels] == [(2, 11), (1, 21), (0, 41)]
        assert levels[2]["bytes"] == 0
        assert levels[2]["bytes_to_here"] == levels[1]["bytes_to_here"]

    def test_other_files_have_no_levels(self, thumbnail: Image.Image) -> None:
        assert "levels" not in lpcodec.info(lpcodec.encode(thumbnail, quality=20))

    def test_level_sizes_are_the_front_ends(self) -> None:
        header = container.Header(41, 29, Kind.STORED, False)
        sizes = [header.size_at(level) for level in range(9)]
        assert sizes == [(width, height) for height, width in level_sizes((29, 41), 8)]


class TestMutants:
    @pytest.fixture
    def mutants(self) -> ModuleType:
        return module_at(Path(__file__).with_name("mutants.py"))

    @pytest.fixture
    def originals(self, codec: LayeredCodec, thumbnail: Image.Image) -> list[bytes]:
        with_all = in_mode(thumbnail, "RGBA")
        with_all.info["xmp"] = b"<packet/>" * 9
        return [encoded(image, quality) for image in (thumbnail, with_all) for quality in (5, 40)]

    def test_no_damaged_file_passes_and_none_shows_other_layers(
        self, mutants: ModuleType, originals: list[bytes]
    ) -> None:
        outcomes: Counter[str] = Counter()
        for mutant in mutants.damaged(originals, 3000, seed=0):
            assert mutants.outcome(mutant) in {"DamagedFileError", "UnknownModelError"}
            outcomes[mutants.outcome(mutant, allow_partial=True)] += 1
        assert outcomes.keys() <= {"DamagedFileError", "UnknownModelError", "decoded"}
        assert min(outcomes["DamagedFileError"], outcomes["decoded"]) > 300

    def test_no_forged_file_does_harm(self, mutants: ModuleType, originals: list[bytes]) -> None:
        outcomes: Counter[str] = Counter()
        for mutant in mutants.forged(originals, 250, seed=0):
            outcomes[mutants.outcome(mutant, mutants.MAX_PIXELS)] += 1
        assert outcomes.keys() <= {"DamagedFileError", "UnknownModelError", "LimitError", "decoded"}
        assert min(outcomes["DamagedFileError"], outcomes["decoded"]) > 25
