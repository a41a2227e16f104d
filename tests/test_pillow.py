"""The plugin for Pillow does what Pillow's users expect of a format."""

import inspect
import mimetypes
import pickle
import subprocess
import sys
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

import lpcodec
import lpcodec.pillow
from lpcodec.codec import container

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"


@pytest.fixture(scope="module")
def coded(face: Image.Image) -> bytes:
    """256 x 224 pixels with ICC, EXIF and XMP."""
    image = face.copy()
    exif = Image.Exif()
    exif[270] = "a face"
    image.info |= {"icc_profile": SRGB, "exif": exif.tobytes(), "xmp": XMP}
    return lpcodec.encode(image, quality=20)


@pytest.fixture(scope="module")
def layers(face: Image.Image) -> bytes:
    """A file in layers, with alpha behind them."""
    image = face.copy()
    image.putalpha(Image.linear_gradient("L").resize(face.size))
    return lpcodec.encode(image, quality=20, model="lpcae")


def _cut_in_last_layer(data: bytes) -> bytes:
    file = container.read(data)
    layers = sum(section.type == container.SectionType.LAYER for section in file.sections)
    assert layers >= 2
    return data[: container.section_ends(file)[layers - 1] - 1]


class TestOpening:
    def test_the_pixels_are_those_of_decode(self, coded: bytes) -> None:
        with Image.open(BytesIO(coded)) as image:
            assert (image.format, image.get_format_mimetype()) == ("LPC", "image/x-lpc")
            assert np.array_equal(np.asarray(image), np.asarray(lpcodec.decode(coded)))

    @pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
    def test_size_and_mode_are_known_unread(self, thumbnail: Image.Image, mode: str) -> None:
        self._check(thumbnail.convert(mode))

    def test_grey_that_came_as_rgb_opens_as_rgb(self, thumbnail: Image.Image) -> None:
        self._check(thumbnail.convert("L").convert("RGB"))

    def _check(self, picture: Image.Image) -> None:
        data, mode = lpcodec.encode(picture, quality=20), picture.mode
        with Image.open(BytesIO(data)) as image:
            assert (image.mode, image.size) == (mode, picture.size)
            image.load()
            assert (image.mode, image.size) == (mode, picture.size)

    def test_opening_imports_no_torch_and_decodes_nothing(self, coded: bytes, tmp_path: Path) -> None:
        path = tmp_path / "face.lpc"
        path.write_bytes(coded)
        program = (
            "import sys, lpcodec.pillow\nfrom PIL import Image\n"
            f"image = Image.open({str(path)!r})\n"
            "print(image.size, image.mode, sorted(image.info), 'torch' in sys.modules)"
        )
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == "(256, 224) RGB ['exif', 'icc_profile', 'xmp'] False"

    def test_metadata_is_in_info_before_and_after_loading(self, coded: bytes) -> None:
        with Image.open(BytesIO(coded)) as image:
            before = dict(image.info)
            image.load()
            assert image.info == before
            assert (image.info["icc_profile"], image.info["xmp"]) == (SRGB, XMP)
            assert image.getexif()[270] == "a face"

    def test_a_path_is_closed_after_loading_and_a_stream_left_open(self, coded: bytes, tmp_path: Path) -> None:
        path, stream = tmp_path / "face.lpc", BytesIO(coded)
        path.write_bytes(coded)
        image = Image.open(path)
        file = image.fp
        image.load()
        assert file is not None
        assert file.closed
        Image.open(stream).load()
        assert not stream.closed

    def test_copies_crops_and_pickles(self, coded: bytes) -> None:
        whole = np.asarray(lpcodec.decode(coded))
        assert np.array_equal(np.asarray(Image.open(BytesIO(coded)).crop((10, 20, 60, 70))), whole[20:70, 10:60])
        assert np.array_equal(np.asarray(Image.open(BytesIO(coded)).copy()), whole)
        assert np.array_equal(np.asarray(pickle.loads(pickle.dumps(Image.open(BytesIO(coded))))), whole)

    def test_a_closed_image_says_so(self, coded: bytes) -> None:
        with Image.open(BytesIO(coded)) as image:
            pass
        with pytest.raises(ValueError, match="closed"):
            image.load()


class TestBombs:
    def test_too_many_pixels_warn_and_far_too_many_are_refused(
        self, coded: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pixels = 256 * 224
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels - 1)
        with pytest.warns(Image.DecompressionBombWarning):
            Image.open(BytesIO(coded))
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels // 2 - 1)
        with pytest.raises(Image.DecompressionBombError):
            Image.open(BytesIO(coded))

    def test_a_header_that_declares_much_is_refused_before_anything_is_allocated(self) -> None:
        header = container.Header(2**20, 2**20, container.Kind.STORED, False)
        section = container.Section(container.SectionType.STORED, b"x")
        with pytest.raises(Image.DecompressionBombError):
            Image.open(BytesIO(container.write(container.LpcFile(header, (section,)))))


class TestDamage:
    def test_a_cut_file_opens_and_fails_when_loaded(self, coded: bytes) -> None:
        for length in (len(coded) - 1, len(coded) // 2, 40):
            image = Image.open(BytesIO(coded[:length]))
            assert image.size == (256, 224)
            with pytest.raises(OSError, match="cut short"):
                image.load()

    def test_truncated_files_in_layers_are_shown_if_that_is_asked_for(
        self, layers: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cut = _cut_in_last_layer(layers)
        with pytest.raises(OSError, match="cut short"):
            Image.open(BytesIO(cut)).load()
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        image = Image.open(BytesIO(cut))
        with pytest.warns(lpcodec.PictureWarning, match="decoded in part"):
            found = np.asarray(image)[..., :3]
        with pytest.warns(lpcodec.PictureWarning, match="decoded in part"):
            assert np.array_equal(found, np.asarray(lpcodec.decode(cut, allow_partial=True)))

    def test_lost_alpha_becomes_opaque(self, layers: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        image = Image.open(BytesIO(layers[:-6]))
        assert image.mode == "RGBA"
        with pytest.warns(lpcodec.PictureWarning, match="decoded in part"):
            assert image.getextrema()[3] == (255, 255)

    def test_what_cannot_be_shown_is_an_error_all_the_same(self, coded: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        with pytest.raises(OSError, match="nothing of it can be shown"):
            Image.open(BytesIO(coded[: len(coded) // 2])).load()

    def test_damaged_metadata_is_left_out_of_info_and_loading_fails(self, coded: bytes) -> None:
        data = bytearray(coded)
        data[-8] ^= 1  # in the XMP, the last section
        image = Image.open(BytesIO(bytes(data)))
        assert "xmp" not in image.info
        with pytest.raises(OSError, match="checksum differs"):
            image.load()

    def test_verify(self, coded: bytes) -> None:
        Image.open(BytesIO(coded)).verify()
        with pytest.raises(OSError, match="cut short"):
            Image.open(BytesIO(coded[:-1])).verify()

    def test_other_files_and_newer_ones_are_not_identified(self, coded: bytes) -> None:
        for data in (b"\xb1LP", coded[:5], coded[:3] + b"\0" + coded[4:]):
            with pytest.raises(UnidentifiedImageError):
                Image.open(BytesIO(data))
        with pytest.warns(UserWarning, match="newer version"), pytest.raises(UnidentifiedImageError):
            Image.open(BytesIO(coded[:3] + b"\xff" + coded[4:]))


class TestSaving:
    @pytest.mark.parametrize(
        "options", [{"quality": 30}, {"bpp": 0.5}, {"size": 2000}, {"psnr": 28}, {"effort": 1}, {"lossless": True}, {}]
    )
    def test_the_bytes_are_those_of_encode(self, face: Image.Image, options: dict[str, float], tmp_path: Path) -> None:
        image = face.crop((0, 0, 96, 80))
        wanted, stream = lpcodec.encode(image, **options), BytesIO()
        image.save(tmp_path / "face.lpc", **options)
        image.save(stream, "LPC", **options)
        assert (tmp_path / "face.lpc").read_bytes() == wanted == stream.getvalue()

    def test_every_option_of_encode_but_its_own_is_passed_on(self) -> None:
        parameters = set(inspect.signature(lpcodec.encode).parameters) - {"image", "max_pixels", "progress"}
        assert set(lpcodec.pillow.SAVE_OPTIONS) == parameters

    def test_metadata_of_the_picture_is_kept_and_keywords_win(self, thumbnail: Image.Image) -> None:
        image, stream = thumbnail.copy(), BytesIO()
        image.info |= {"icc_profile": SRGB, "xmp": XMP}
        exif = Image.Exif()
        exif[270] = "given"
        image.save(stream, "LPC", exif=exif, xmp=None)
        found = Image.open(stream)
        assert (found.info["icc_profile"], found.getexif()[270]) == (SRGB, "given")
        assert "xmp" not in found.info
        assert image.info["xmp"] == XMP

    def test_a_target_that_cannot_be_met_leaves_no_file(self, face: Image.Image, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="can't be reached"):
            face.save(tmp_path / "face.lpc", size=20)
        with pytest.raises(ValueError, match="one target at most"):
            face.save(tmp_path / "face.lpc", size=2000, bpp=0.3)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("options", [{"downscale": 2.0}, {"background": 5}, {"lossless": True, "model": "fast"}])
    def test_invalid_options_are_value_errors(self, thumbnail: Image.Image, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"downscale|background|leave the model"):
            thumbnail.save(BytesIO(), "LPC", **options)

    def test_a_picture_without_pixels_is_named(self) -> None:
        with pytest.raises(OSError, match="no pixels"):
            Image.new("RGB", (0, 0)).save(BytesIO(), "LPC")

    def test_large_pictures_are_not_refused_on_the_way_out(
        self, thumbnail: Image.Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            thumbnail.save(BytesIO(), "LPC")

    def test_a_coded_picture_becomes_another_format(self, coded: bytes) -> None:
        stream = BytesIO()
        with Image.open(BytesIO(coded)) as image:
            image.save(stream, "PNG")
        assert np.array_equal(np.asarray(Image.open(stream)), np.asarray(lpcodec.decode(coded)))


def test_the_type_is_known_by_name() -> None:
    lpcodec.pillow.register()
    assert Image.registered_extensions()[".lpc"] == "LPC"
    assert mimetypes.guess_type("photo.lpc") == ("image/x-lpc", None)
