"""encode and decode as a person uses them: what comes back, targets, sizes, limits, progress."""

import io
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import lpcodec
from lpcodec.codec import api, container, models, picture
from lpcodec.codec.container import Header, Kind, LpcFile, Section, SectionType
from lpcodec.codec.errors import (
    DamagedFileError,
    FileAccessError,
    LimitError,
    TargetError,
    UnknownModelError,
    UsageError,
)
from lpcodec.codec.quality import COARSEST, Quality

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

MODES = {
    "1": "L", "L": "L", "LA": "LA", "P": "RGB", "RGB": "RGB", "RGBA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB",
    "I;16": "L", "F": "L",
}  # fmt: skip
SIZES = ((1, 1), (1, 70), (70, 1), (15, 17), (16, 16), (65, 33), (257, 130))


def png(image: Image.Image, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def psnr(one: Image.Image, other: Image.Image) -> float:
    difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    return 10 * math.log10(255**2 / max(float(np.mean(difference**2)), 1e-10))


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """`image` in any mode, those with alpha with a ramp in it."""
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "F":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.float32))
    if mode in {"LA", "RGBA"}:
        plain = image.convert(mode)
        plain.putalpha(Image.linear_gradient("L").resize(image.size))
        return plain
    return image.convert(mode)


class TestRoundTrip:
    @pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
    def test_every_size_comes_back(self, portrait: Image.Image, size: tuple[int, int]) -> None:
        image = portrait.resize(size, Image.Resampling.LANCZOS)
        decoded = lpcodec.decode(lpcodec.encode(image, quality=60))
        assert (decoded.size, decoded.mode) == (size, "RGB")
        assert psnr(image, decoded) > 20

    @pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
    def test_every_size_is_coded_by_the_model_and_not_only_stored(
        self, portrait: Image.Image, size: tuple[int, int]
    ) -> None:
        pixels = np.asarray(portrait.resize(size, Image.Resampling.LANCZOS))
        model = models.load("default")
        coded = model.trained.code(model.trained.analyse(pixels), 60)
        header = Header(*size, Kind.MODEL, False, model.number, model.digest, Quality.of(60), coded.symbols_hash)
        file = LpcFile(header, (Section(SectionType.LATENTS, coded.payloads()[0]),))
        decoded = lpcodec.decode(container.write(file))
        assert decoded.size == size
        assert psnr(Image.fromarray(pixels), decoded) > 18

    @pytest.mark.parametrize("mode", MODES)
    def test_every_mode_comes_back_as_the_documentation_says(self, portrait: Image.Image, mode: str) -> None:
        image = in_mode(portrait.resize((90, 105)), mode)
        result = api.encode_report(image, quality=80)
        decoded = lpcodec.decode(result.data)
        assert (decoded.size, decoded.mode) == (image.size, MODES[mode])
        source = picture.to_image(picture.load(image, max_pixels=None))
        colours = ("RGB" if "RGB" in decoded.mode else "L",)
        assert psnr(source.convert(*colours), decoded.convert(*colours)) > (12 if mode in "1P" else 24)
        if decoded.mode.endswith("A"):
            pair = (np.asarray(image)[..., -1].astype(int) for image in (decoded, source))
            assert np.abs(np.subtract(*pair)).max() <= 2

    def test_a_palette_with_transparency_comes_back_with_its_alpha(self, thumbnail: Image.Image) -> None:
        image = thumbnail.quantize(16)
        data = png(image, transparency=bytes([0, 128]))
        decoded = lpcodec.decode(lpcodec.encode(data, quality=50))
        expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))[..., 3]
        assert decoded.mode == "RGBA"
        assert (np.asarray(decoded)[..., 3] == expected).all()

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_the_exif_orientation_is_applied_and_reset(self, orientation: int) -> None:
        upright = Image.new("L", (40, 24))
        ImageDraw.Draw(upright).rectangle((0, 0, 12, 8), fill=255)  # white at the upper left once it is upright
        turns = {
            2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180],
            4: [Image.Transpose.FLIP_TOP_BOTTOM], 5: [Image.Transpose.TRANSPOSE],
            6: [Image.Transpose.ROTATE_90], 7: [Image.Transpose.TRANSVERSE], 8: [Image.Transpose.ROTATE_270],
        }  # fmt: skip
        image = upright
        for turn in turns.get(orientation, []):
            image = image.transpose(turn)
        exif = Image.Exif()
        exif[0x0112] = orientation
        decoded = lpcodec.decode(lpcodec.encode(png(image, exif=exif), quality=90))
        assert decoded.size == upright.size
        assert psnr(upright, decoded) > 20
        assert decoded.getexif().get(0x0112, 1) == 1

    def test_metadata_are_kept_byte_by_byte_unless_stripped(self, thumbnail: Image.Image) -> None:
        from PIL import ImageCms

        exif = Image.Exif()
        exif[0x010F] = "A maker"
        icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">a packet</x:xmpmeta>'
        stream = io.BytesIO()
        thumbnail.save(stream, "WEBP", lossless=True, exif=exif, icc_profile=icc, xmp=xmp)
        kept = lpcodec.decode(lpcodec.encode(stream.getvalue()))
        assert kept.info["icc_profile"] == icc
        assert kept.info["xmp"] == xmp
        assert kept.getexif()[0x010F] == "A maker"
        stripped = lpcodec.decode(lpcodec.encode(stream.getvalue(), strip=True))
        assert not {"icc_profile", "xmp", "exif"} & stripped.info.keys()

    def test_paths_bytes_and_images_give_the_same_file(self, thumbnail: Image.Image, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(png(thumbnail))
        sources = (path, str(path), path.read_bytes(), thumbnail)
        assert len({lpcodec.encode(source, quality=50) for source in sources}) == 1

    def test_what_is_no_picture_is_a_named_error(self, tmp_path: Path) -> None:
        for source in (b"", b"no picture", tmp_path / "missing.png", tmp_path):
            with pytest.raises(FileAccessError):
                lpcodec.encode(source)

    def test_encoding_and_decoding_are_deterministic(self, face: Image.Image) -> None:
        one, other = (lpcodec.encode(face, bpp=0.4) for _ in range(2))
        assert one == other
        assert lpcodec.decode(one).tobytes() == lpcodec.decode(other).tobytes()


class TestTargets:
    @pytest.mark.parametrize("bpp", [0.2, 0.45, 1.0])
    @pytest.mark.parametrize("name", ["portrait", "face"])
    def test_a_rate_is_never_exceeded_and_met_within_three_percent(
        self, bpp: float, name: str, request: pytest.FixtureRequest
    ) -> None:
        image = request.getfixturevalue(name)
        result = api.encode_report(image, bpp=bpp)
        assert 0.97 * bpp - 64 / (image.width * image.height) <= result.bpp <= bpp
        assert result.bpp == 8 * len(result.data) / (image.width * image.height)

    def test_a_size_is_never_exceeded_with_alpha_and_metadata_in_it(self, face: Image.Image) -> None:
        image = in_mode(face, "RGBA")
        image.info["xmp"] = np.random.default_rng(0).bytes(1000)
        for size in (4500, 9000):
            data = lpcodec.encode(image, size=size)
            assert 0.97 * size - 8 <= len(data) <= size
            assert lpcodec.decode(data).mode == "RGBA"

    @pytest.mark.parametrize("target", [26.0, 30.0])
    def test_a_psnr_is_never_missed_and_hardly_exceeded(self, face: Image.Image, target: float) -> None:
        result = api.encode_report(face, psnr=target)
        reached = psnr(face, lpcodec.decode(result.data))
        assert target <= reached < target + 0.3
        assert result.quality is not None

    def test_quality_is_a_dial(self, face: Image.Image) -> None:
        results = [api.encode_report(face, quality=quality) for quality in (0, 25, 50, 75, 100)]
        sizes = [len(result.data) for result in results]
        fidelities = [psnr(face, lpcodec.decode(result.data)) for result in results]
        assert sizes == sorted(sizes)
        assert fidelities == sorted(fidelities)
        assert [result.quality for result in results] == [0, 25, 50, 75, 100]

    def test_the_default_is_quality_40(self, face: Image.Image) -> None:
        assert lpcodec.encode(face) == lpcodec.encode(face, quality=40)

    def test_a_size_too_small_names_the_smallest_which_can_be_had(self, face: Image.Image) -> None:
        with pytest.raises(TargetError, match=r"^60 bytes \(.* bpp\) can't be reached with model default") as caught:
            lpcodec.encode(face, size=60)
        assert caught.value.keyword == "best_effort"
        smallest = int(re.findall(r"smallest file is ([\d,]+) bytes", str(caught.value))[0].replace(",", ""))
        assert len(lpcodec.encode(face, size=smallest)) == smallest

    def test_metadata_and_alpha_in_the_way_of_a_size_are_named(self, face: Image.Image) -> None:
        image = face.copy()
        image.info["xmp"] = np.random.default_rng(0).bytes(5000)
        with pytest.raises(TargetError, match=r"of which 5,0.. are alpha and metadata") as caught:
            lpcodec.encode(image, size=4000)
        assert caught.value.keyword == "strip"
        assert len(lpcodec.encode(image, size=4000, strip=True)) <= 4000
        soft = in_mode(face, "RGBA")
        soft.putalpha(Image.fromarray(np.random.default_rng(1).integers(0, 256, (224, 256), np.uint8)))
        with pytest.raises(TargetError, match="are alpha and metadata") as caught:
            lpcodec.encode(soft, size=4000)
        assert caught.value.keyword == "alpha_quality", "there is no metadata to leave out, and alpha takes the bytes"

    def test_best_effort_at_a_rate_of_less_than_a_byte(self) -> None:
        result = api.encode_report(np.full((9, 11, 3), range(3), np.uint8), bpp=0.01, best_effort=True)
        assert any("bytes over the limit of 0: no smaller" in note for note in result.notes)

    def test_best_effort_says_by_how_much_it_exceeds_the_limit(self, face: Image.Image) -> None:
        result = api.encode_report(face, size=60, best_effort=True)
        over = len(result.data) - 60
        assert result.quality == 0
        (note,) = result.notes
        assert note.startswith(f"the file is {over:,} bytes ({100 * over / 60:.0f} %) over the limit of 60:")

    def test_a_limit_with_room_to_spare_gives_the_finest_quality_and_says_so(self, face: Image.Image) -> None:
        finest, stored = len(lpcodec.encode(face, quality=100)), len(lpcodec.encode(face, lossless=True))
        assert finest < 0.97 * (stored - 1)
        result = api.encode_report(face, size=stored - 1)
        assert (len(result.data), result.quality, result.model) == (finest, 100, "default@visual")
        assert result.notes == (
            f"the limit of {stored - 1:,} bytes isn't used up: the finest quality takes {finest:,}",
        )

    @pytest.mark.parametrize("limit", [{"size": 1_000_000}, {"bpp": 24}])
    def test_a_limit_that_lossless_fits_gives_a_lossless_file(self, face: Image.Image, limit: dict[str, float]) -> None:
        result = api.encode_report(face, **limit)
        assert (result.model, result.psnr, result.quality) == ("stored", math.inf, None)
        assert result.notes == ("stored losslessly: within the target",)
        assert lpcodec.decode(result.data).tobytes() == face.tobytes()

    @pytest.mark.parametrize("target", [60.0, 90.0])
    def test_a_psnr_that_no_quality_reaches_is_reached_losslessly(self, face: Image.Image, target: float) -> None:
        result = api.encode_report(face, psnr=target)
        assert (result.model, result.psnr) == ("stored", math.inf)
        assert re.fullmatch(r"stored losslessly: default has \d+\.\d\d dB at its finest quality", result.notes[0])
        assert lpcodec.decode(result.data).tobytes() == face.tobytes()

    def test_a_psnr_is_that_of_the_pixels_that_can_be_seen(self, face: Image.Image) -> None:
        rows, columns = np.mgrid[0 : face.height, 0 : face.width]
        away = np.hypot(rows - face.height / 2, columns - face.width / 2)
        alpha = np.clip(300 - 6 * away, 0, 255).astype(np.uint8)
        picture = np.dstack([np.asarray(face.convert("RGB")), alpha])
        result = api.encode_report(picture, psnr=35, downscale=1)
        decoded = np.asarray(lpcodec.decode(result.data))
        seen = alpha > 0
        assert 0.1 < seen.mean() < 0.9
        errors = decoded[seen][:, :3].astype(float) - picture[seen][:, :3]
        measured = 10 * math.log10(255**2 / np.square(errors).mean())
        assert result.psnr == pytest.approx(measured, abs=1e-9)
        assert 35 <= measured < 35.5

    def test_lossless_means_alpha_and_hidden_colours_too(self, face: Image.Image) -> None:
        pixels = np.asarray(face.convert("RGB"))
        noise = np.random.default_rng(0).integers(1, 255, face.size[::-1], dtype=np.uint8)
        mask = np.where(np.arange(face.width) % 2, 255, 0).astype(np.uint8) | np.zeros_like(noise)
        colours_alone = "colours stored losslessly, but not alpha or what it hides: within the target"
        for alpha, options, lossless in (
            (noise, {"bpp": 60}, False),
            (noise, {"bpp": 60, "alpha_quality": 100}, True),
            (noise, {"lossless": True}, True),
            (mask, {"bpp": 60}, False),
            (mask, {"bpp": 60, "exact": True}, True),
        ):
            result = api.encode_report(np.dstack([pixels, alpha]), **options)
            assert (result.model, result.lossless) == ("stored", lossless)
            same = np.array_equal(np.asarray(lpcodec.decode(result.data)), np.dstack([pixels, alpha]))
            assert same is lossless
            if not lossless:
                assert result.notes == (colours_alone,)

    def test_the_psnr_that_was_a_target_is_told(self, face: Image.Image) -> None:
        result = api.encode_report(face, psnr=30)
        assert result.psnr == pytest.approx(psnr(face, lpcodec.decode(result.data)), abs=1e-9)
        assert api.encode_report(face, quality=30).psnr is None

    @pytest.mark.parametrize("mode", MODES)
    def test_lossless_is_lossless(self, face: Image.Image, mode: str) -> None:
        image = in_mode(face.crop((0, 0, 65, 33)), mode)
        result = api.encode_report(image, lossless=True)
        assert lpcodec.info(result.data)["kind"] == "stored"
        decoded = lpcodec.decode(result.data)
        assert decoded.mode == MODES[mode]
        expected = picture.to_image(picture.load(image, max_pixels=None))
        assert decoded.tobytes() == expected.tobytes()

    def test_lossless_loads_no_model(self, thumbnail: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(models, "load", lambda *_: pytest.fail("nothing is coded"))
        assert lpcodec.encode(thumbnail, lossless=True)
        with pytest.raises(UsageError, match="nothing to refine"):
            lpcodec.encode(thumbnail, lossless=True, effort=3)

    def test_a_quality_for_a_model_without_one_is_refused(self, thumbnail: Image.Image) -> None:
        name = next(n for n in models.names() if n.startswith("wcae"))
        for target in ({"quality": 90}, {"psnr": 30}):
            with pytest.raises(UsageError, match="has no quality to choose"):
                lpcodec.encode(thumbnail, model=name, **target)
        assert lpcodec.encode(thumbnail, model=name)

    @pytest.mark.parametrize(
        "targets",
        [
            {"quality": 50, "bpp": 0.3}, {"size": 100, "psnr": 30}, {"quality": 101}, {"quality": -1},
            {"quality": math.nan}, {"bpp": 0}, {"bpp": math.inf}, {"psnr": math.nan}, {"size": -5},
            {"quality": "high"}, {"bpp": "0.15"}, {"lossless": True, "quality": 50}, {"size": 0.0},
        ],
    )  # fmt: skip
    def test_targets_that_cannot_be_are_usage_errors(self, thumbnail: Image.Image, targets: dict[str, Any]) -> None:
        with pytest.raises(UsageError):
            lpcodec.encode(thumbnail, **targets)

    def test_an_unknown_model_is_a_usage_error(self, thumbnail: Image.Image) -> None:
        with pytest.raises(UsageError):
            lpcodec.encode(thumbnail, model="nonesuch")


class TestProgress:
    def test_each_stage_goes_from_0_to_1(self, portrait: Image.Image) -> None:
        image = portrait.resize((2100, 40))
        calls: list[tuple[str, float]] = []
        data = lpcodec.encode(image, quality=40, progress=lambda *call: calls.append(call))
        lpcodec.decode(data, progress=lambda *call: calls.append(call))
        stages = list(dict.fromkeys(stage for stage, _ in calls))
        assert stages == ["analysis", "synthesis"]
        for stage in stages:
            parts = [part for name, part in calls if name == stage]
            assert len(parts) > 1
            assert parts == sorted(parts)
            assert parts[0] > 0
            assert parts[-1] == 1

    def test_a_search_analyses_once(self, face: Image.Image) -> None:
        calls: list[tuple[str, float]] = []
        lpcodec.encode(face, bpp=0.5, progress=lambda *call: calls.append(call))
        assert [part for stage, part in calls if stage == "analysis"].count(1.0) == 1


class TestLimits:
    def test_a_large_picture_is_refused_before_it_is_encoded(self, thumbnail: Image.Image) -> None:
        with pytest.raises(LimitError, match="over the limit of 2,287"):
            lpcodec.encode(thumbnail, max_pixels=44 * 52 - 1)
        assert lpcodec.encode(thumbnail, max_pixels=44 * 52)

    def test_limits_hold_before_the_model_is_even_looked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unexpected(*_: Any) -> None:
            raise AssertionError("the limit was checked too late")

        for module, name in ((models, "load_by_identity"), (np, "empty"), (np, "full")):
            monkeypatch.setattr(module, name, unexpected)
        header = Header(16384, 16384, Kind.MODEL, False, 1, b"abcd", COARSEST, b"hash")
        data = container.write(LpcFile(header, (Section(SectionType.LATENTS, bytes(900)),)))
        for call in (lpcodec.decode, lpcodec.verify):
            with pytest.raises(LimitError, match="over the limit of 1,000,000"):
                call(data, max_pixels=10**6)
        with pytest.raises(LimitError, match="MB of memory"):
            lpcodec.decode(data, max_memory=1 << 30)

    def test_the_default_limit(self) -> None:
        header = Header(2**15, 2**14, Kind.MODEL, False, 1, b"abcd", COARSEST, b"hash")
        data = container.write(LpcFile(header, (Section(SectionType.LATENTS, b""),)))
        with pytest.raises(LimitError, match=f"{api.DEFAULT_MAX_PIXELS:,}"):
            lpcodec.decode(data)

    def test_enough_memory_is_enough(self, thumbnail: Image.Image) -> None:
        assert lpcodec.decode(lpcodec.encode(thumbnail), max_memory=1 << 30).size == thumbnail.size


class TestInfoAndVerify:
    def test_info_imports_no_torch(self, face: Image.Image, tmp_path: Path) -> None:
        (tmp_path / "face.lpc").write_bytes(lpcodec.encode(face, model="fast", quality=10))
        program = "import sys, lpcodec; lpcodec.info(sys.argv[1]); print('torch' in sys.modules)"
        words = [sys.executable, "-c", program, str(tmp_path / "face.lpc")]
        assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() == "False"

    def test_info_says_what_the_file_holds(self, face: Image.Image) -> None:
        image = in_mode(face, "RGBA")
        data = lpcodec.encode(image, quality=33)
        about = lpcodec.info(data)
        expected = {
            "format_version": 2, "width": 256, "height": 224, "mode": "RGBA", "kind": "model", "bytes": len(data),
            "bpp": 8 * len(data) / (256 * 224), "quality": 33.0,
        }  # fmt: skip
        assert expected.items() <= about.items()
        codec = models.load("default@visual")
        assert about["model"] == {
            "name": "default@visual", "number": codec.number, "digest": codec.digest.hex(), "installed": True,
            "has_quality": True,
        }  # fmt: skip
        assert [section["type"] for section in about["sections"]] == ["LATENTS", "ALPHA"]
        assert about["overhead_bytes"] + sum(section["bytes"] for section in about["sections"]) == len(data)
        assert lpcodec.verify(data) == about

    def test_a_missing_model_is_named_by_decode_and_shown_by_info(self, thumbnail: Image.Image) -> None:
        codec = models.load("default@visual")
        header = Header(44, 52, Kind.MODEL, False, codec.number, b"none", COARSEST, b"hash")
        data = container.write(LpcFile(header, (Section(SectionType.LATENTS, bytes(8)),)))
        about = lpcodec.info(data)
        assert about["model"]["installed"] is False
        assert about["model"]["name"] == "default"
        for call in (lpcodec.decode, lpcodec.verify):
            with pytest.raises(UnknownModelError, match="install"):
                call(data)

    def test_verify_finds_symbols_that_are_not_the_ones_encoded(self, face: Image.Image) -> None:
        file = container.read(lpcodec.encode(face, quality=20))
        header = Header(**(vars(file.header) | {"symbols_hash": b"\0\1\2\3"}))
        data = container.write(LpcFile(header, file.sections))
        for call in (lpcodec.decode, lpcodec.verify):
            with pytest.raises(DamagedFileError, match="symbols"):
                call(data)
        assert lpcodec.info(data)["kind"] == "model"

    def test_verify_looks_into_every_section(self, face: Image.Image) -> None:
        image = in_mode(face, "RGBA")
        image.info["xmp"] = b"<packet/>"
        file = container.read(lpcodec.encode(image, quality=20))
        for damaged in (SectionType.LATENTS, SectionType.ALPHA, SectionType.XMP):
            sections = tuple(
                Section(s.type, b"\7" + s.payload if s.type == damaged else s.payload) for s in file.sections
            )
            with pytest.raises(DamagedFileError):
                lpcodec.verify(container.write(LpcFile(file.header, sections)))
