"""Decoded pictures in other formats: fine by default, smaller at a quality, with what each format can keep."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from lpcodec.codec import picture
from lpcodec.codec.errors import UsageError
from lpcodec.codec.picturefiles.plugins import advice_to_write
from lpcodec.codec.picturefiles.saving import LOSSY_FORMATS

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"
ENDINGS = {"HEIF": ".heic", "JXL": ".jxl"}


def _saved(image: Image.Image, format: str, quality: int | None = None) -> tuple[bytes, tuple[str, ...]]:
    if advice := advice_to_write(ENDINGS.get(format, "")):
        pytest.skip(advice)
    stream = io.BytesIO()
    notes = picture.save(image, stream, format, quality)
    return stream.getvalue(), notes


@pytest.mark.parametrize("format", sorted(LOSSY_FORMATS))
class TestQuality:
    def test_a_lower_quality_is_a_smaller_file_and_a_larger_error(self, face: Image.Image, format: str) -> None:
        sizes, errors = [], []
        for quality in (20, 60, 92, None):
            data, _ = _saved(face, format, quality)
            found = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)
            sizes.append(len(data))
            errors.append(float(np.mean((found - np.asarray(face)) ** 2)))
        assert sizes == sorted(sizes)
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] < 12

    def test_metadata_and_alpha_stay(self, thumbnail: Image.Image, format: str) -> None:
        image = thumbnail.copy()
        if format != "JPEG":
            image.putalpha(Image.linear_gradient("L").resize(image.size))
        exif = Image.Exif()
        exif[270] = "here"
        image.info |= {"icc_profile": SRGB, "exif": exif.tobytes(), "xmp": XMP}
        data, notes = _saved(image, format, 60)
        found = Image.open(io.BytesIO(data))
        assert found.mode == image.mode
        assert found.getexif()[270] == "here"
        if format == "JXL":  # whose plugin writes sRGB, whatever profile it is given
            assert notes == ("JXL holds no ICC profile: left out",)
        else:
            assert (found.info["icc_profile"], found.info["xmp"], notes) == (SRGB, XMP, ())

    def test_qualities_out_of_range_are_refused(self, thumbnail: Image.Image, format: str) -> None:
        with pytest.raises(UsageError, match="from 0 to 100"):
            _saved(thumbnail, format, 101)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
def test_formats_without_a_quality_say_so(thumbnail: Image.Image, format: str) -> None:
    with pytest.raises(UsageError, match="has no quality"):
        _saved(thumbnail, format, 60)


def test_webp_and_jpeg_xl_are_lossless_unless_a_quality_is_asked_for(thumbnail: Image.Image) -> None:
    for format in ("WEBP", "JXL"):
        data, _ = _saved(thumbnail, format)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(thumbnail))


@pytest.mark.parametrize("format", ["GIF", "ICO", "ICNS", "SPIDER", "BMP"])
def test_a_format_that_changes_the_picture_says_so(face: Image.Image, format: str) -> None:
    image = face.resize((300, 200))
    data, notes = _saved(image, format)
    same = np.array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), np.asarray(image))
    wanted = {
        "GIF": "GIF holds 256 colours at most, and the picture's were reduced",
        "ICO": "ICO holds small pictures alone: this one was made 128 x 85 pixels",
        "ICNS": "ICNS holds square pictures of some sizes alone: this one was made 1024 x 1024 pixels",
        "SPIDER": "SPIDER holds no colours, and the picture's were left out",
    }
    assert notes == ((wanted[format],) if format in wanted else ())
    assert same == (format not in wanted)


@pytest.mark.parametrize("format", ["GIF", "ICO"])
def test_a_picture_that_the_format_holds_comes_without_a_note(face: Image.Image, format: str) -> None:
    for image in (face.resize((64, 64)).convert("L"), face.resize((64, 64)).quantize(256).convert("RGB")):
        data, notes = _saved(image, format)
        assert notes == ()
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), np.asarray(image.convert("RGB")))
