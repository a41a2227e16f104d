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
