"""What a file says of its colours, with an ICC profile or without: kept with its meaning, or noted."""

import re
import struct
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from lpcodec.codec import picture
from lpcodec.codec.picture import load
from lpcodec.codec.picturefiles import profiles
from tests.sample_pictures import GREY_PROFILE, SRGB, image_of, noise, saved, with_chunks

SRGB_CHUNKS = (
    b"gAMA" + struct.pack(">I", 45455),
    b"cHRM" + struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
)
P3_CHRM = b"cHRM" + struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
# Linear P3 (D65) to linear sRGB, from the primaries of SMPTE EG 432-1 and of IEC 61966-2-1.
P3_TO_SRGB = np.array([[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]])


def png(mode: str, *chunks: bytes, value: int | tuple[int, ...] = 128) -> bytes:
    return with_chunks(saved(Image.new(mode, (2, 1), value), "PNG"), *chunks)


def light(coded: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """sRGB's 0..255 -> linear 0..1."""
    value = np.asarray(coded) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def as_srgb(data: bytes) -> list[int]:
    """The first pixel of a picture, through its profile, in sRGB."""
    image = picture.to_image(load(data, max_pixels=None))
    profile = ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"]))
    shown = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), 1, "RGB")
    return list(shown.getpixel((0, 0)))


@pytest.mark.parametrize(("mode", "value"), [("RGB", (128, 128, 128)), ("RGB", (128, 60, 200)), ("L", 128)])
def test_a_gamma_is_kept_as_a_profile(mode: str, value: int | tuple[int, ...]) -> None:
    """gAMA 1.0: 128 is half the light, which is 188 in sRGB."""
    data = png(mode, b"gAMA" + struct.pack(">I", 100_000), value=value)
    assert load(data, max_pixels=None).notes == ()
    expected = np.interp(np.resize(value, 3) / 255, light(np.arange(256)), np.arange(256))
    assert np.abs(as_srgb(data) - expected).max() <= 1


def test_primaries_are_kept_as_a_profile() -> None:
    for chunk in (P3_CHRM, b"cICP" + bytes([12, 13, 0, 1])):
        data = png("RGB", chunk, value=(200, 100, 80))
        assert load(data, max_pixels=None).notes == ()
        linear = P3_TO_SRGB @ light([200, 100, 80])
        expected = np.interp(linear, light(np.arange(256)), np.arange(256))
        assert np.abs(as_srgb(data) - expected).max() <= 1.5


@pytest.mark.parametrize(
    "chunks",
    [SRGB_CHUNKS, SRGB_CHUNKS[:1], SRGB_CHUNKS[1:], (b"sRGB\0", P3_CHRM), (b"cICP" + bytes([1, 13, 0, 1]), P3_CHRM)],
)
def test_what_says_srgb_says_nothing(chunks: tuple[bytes, ...]) -> None:
    for mode in ("RGB", "L", "RGBA"):
        loaded = load(png(mode, *chunks, value=128 if mode == "L" else (128,) * len(mode)), max_pixels=None)
        assert (loaded.icc, loaded.notes) == (None, ())


@pytest.mark.parametrize(
    ("chunk", "words"),
    [
        (b"cICP" + bytes([9, 16, 0, 1]), r"the colours are HDR \(PQ\)"),
        (b"cICP" + bytes([9, 18, 0, 1]), r"the colours are HDR \(HLG\)"),
        (b"cICP" + bytes([1, 1, 0, 1]), r"BT\.709 video"),
        (b"cICP" + bytes([22, 13, 0, 1]), r"H\.273: 22, 13"),
        (b"gAMA" + bytes(4), "make no sense"),
        (b"cHRM" + bytes(32), "make no sense"),
        (b"cHRM" + struct.pack(">8I", 31270, 32900, *[30000, 30000] * 3), "make no sense"),
    ],
)
def test_what_no_profile_can_say_is_noted(chunk: bytes, words: str) -> None:
    loaded = load(png("RGB", chunk, value=(9, 99, 199)), max_pixels=None)
    assert loaded.icc is None
    (note,) = loaded.notes
    assert re.search(words, note)


def test_an_avifs_nclx_is_kept_as_a_profile_or_noted() -> None:
    plain = saved(Image.fromarray(noise(8, 8, 3)), "AVIF", quality=100)
    assert (load(plain, max_pixels=None).icc, load(plain, max_pixels=None).notes) == (None, ())
    place = plain.index(b"colrnclx") + 8
    for codes, has_profile, noted in (((12, 13), True, False), ((9, 16), False, True), ((2, 2), False, False)):
        data = plain[:place] + struct.pack(">HH", *codes) + plain[place + 4 :]
        loaded = load(data, max_pixels=None)
        assert (loaded.icc is not None, bool(loaded.notes)) == (has_profile, noted)


def test_an_icc_profile_comes_before_gamma_and_codes() -> None:
    data = saved(Image.new("RGB", (2, 1), (9, 99, 199)), "PNG", icc_profile=SRGB)
    for chunk in (P3_CHRM, b"cICP" + bytes([12, 13, 0, 1])):
        loaded = load(with_chunks(data, chunk), max_pixels=None)
        assert (loaded.icc, loaded.notes) == (SRGB, ())


# Profiles that fit the pixels


@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF", "JPEG", "TIFF"])
def test_grey_goes_out_with_a_profile_that_fits(format: str) -> None:
    """No GRAY profile in an RGB file, and no RGB profile in a grey one: lcms refuses both. The meaning stays."""
    grey = image_of("L", 16, 16)
    for profile in (GREY_PROFILE, SRGB):
        stream = BytesIO()
        grey.info["icc_profile"] = profile
        assert picture.save(picture.to_image(load(grey, max_pixels=None)), stream, format) == ()
        with Image.open(stream) as image:
            found = ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"]))
            shown = ImageCms.profileToProfile(image, found, ImageCms.createProfile("sRGB"), 1, "RGB")
            assert found.profile.xcolor_space.strip() == {"L": "GRAY", "RGB": "RGB"}[image.mode]
            values = np.asarray(image.convert("L")).astype(float)
        linear = (values / 255) ** 2.2 if profile is GREY_PROFILE else light(values)
        expected = np.interp(linear, light(np.arange(256)), np.arange(256))
        assert np.abs(np.asarray(shown)[..., 1] - expected).max() <= 1.5


def test_a_grey_profile_on_colours_is_left_out_with_a_note() -> None:
    colours = image_of("RGB", 5, 4)
    colours.info["icc_profile"] = GREY_PROFILE
    loaded = load(colours, max_pixels=None)
    assert (loaded.icc, loaded.notes) == (None, ("the ICC profile isn't for RGB and was left out",))
    neutral = image_of("L", 5, 4).convert("RGB")
    neutral.info["icc_profile"] = GREY_PROFILE
    loaded = load(neutral, max_pixels=None)
    assert (loaded.icc, loaded.notes) == (profiles.for_rgb(GREY_PROFILE), ())


def test_formats_without_a_place_for_metadata_say_so() -> None:
    image = image_of("RGB", 5, 4)
    image.info.update(icc_profile=SRGB, xmp=b"<x/>")
    assert picture.save(image, BytesIO(), "BMP") == ("BMP holds no ICC profile, XMP: left out",)


def test_profiles_of_our_own_are_what_lcms_takes() -> None:
    for profile, space in (
        (profiles.grey(profiles.SRGB_CURVE, "grey"), "GRAY"),
        (profiles.rgb(profiles.BT2020, profiles.BT709_CURVE, "wide"), "RGB "),
    ):
        found = ImageCms.ImageCmsProfile(BytesIO(profile)).profile
        assert (found.xcolor_space, found.connection_space, found.version) == (space, "XYZ ", 4.3)
        assert found.profile_description in {"grey", "wide"}
    white = profiles.BT2020.matrix().sum(axis=1)
    assert np.abs(white - (0.9642, 1.0, 0.8249)).max() < 1e-4
