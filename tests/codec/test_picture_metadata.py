"""What pictures carry beside pixels, in and out: orientation, EXIF, XMP, profiles (docs/pictures.md)."""

import re
from io import BytesIO
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from lpcodec.codec import picture
from lpcodec.codec.container import MAX_METADATA
from lpcodec.codec.picture import Picture, load
from tests.sample_pictures import (
    SRGB,
    XMP,
    XMP_RESET,
    exif_bytes,
    image_of,
    noise,
    reopened_exif,
    saved,
)

# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("format", "mode"),
    [("JPEG", "L"), ("JPEG", "RGB"), *product(("PNG", "WEBP", "TIFF"), ("L", "RGB", "RGBA"))],
)
def test_orientation_is_applied_and_reset(orientation: int, format: str, mode: str) -> None:
    options = {"WEBP": {"lossless": True, "exact": True}}.get(format, {})
    data = saved(image_of(mode, 7, 4), format, exif=exif_bytes(orientation), **options)
    with Image.open(BytesIO(data)) as opened:
        upright = ImageOps.exif_transpose(opened)
    loaded = load(data, max_pixels=None)
    again = picture.to_image(loaded)
    assert again.size == upright.size == ((4, 7) if orientation > 4 else (7, 4))
    assert again.convert("RGBA").tobytes() == upright.convert("RGBA").tobytes()
    kept = reopened_exif(loaded.exif)
    assert kept.get(274, 1) == 1
    assert kept[271] == "Maker"
    assert kept.get_ifd(0x8769)[0x829A] == 0.5
    assert kept.get_ifd(0x8825)[3] == "E"


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(("kind", "width"), [(1, 1), (3, 2), (4, 4)])
def test_only_the_orientations_own_bytes_change(order: str, kind: int, width: int) -> None:
    """Whatever else the EXIF holds (here a maker's block that nobody can parse) stays as it was."""

    def number(value: int, length: int) -> bytes:
        return value.to_bytes(length, "little" if order == "little" else "big")

    head = (b"II" if order == "little" else b"MM") + number(42, 2) + number(8, 4) + number(2, 2)
    first = number(271, 2) + number(2, 2) + number(4, 4) + b"abc\0"
    entry = number(274, 2) + number(kind, 2) + number(1, 4)
    rest = bytes(4 - width) + number(0, 4) + b"\x00\xffmaker's own"
    image = Image.new("L", (2, 3))
    image.info["exif"] = b"Exif\0\0" + head + first + entry + number(8, width) + rest
    loaded = load(image, max_pixels=None)
    assert loaded.pixels.shape == (2, 3, 1)
    assert loaded.exif == head + first + entry + number(1, width) + rest


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_orientations_without_a_meaning_turn_nothing(orientation: int) -> None:
    image = image_of("RGB", 5, 3)
    loaded = load(saved(image, "PNG", exif=exif_bytes(orientation)), max_pixels=None)
    assert picture.to_image(loaded).tobytes() == image.tobytes()


def test_orientation_told_by_xmp_alone_is_applied_and_reset() -> None:
    image = image_of("RGB", 5, 3)
    for block in (XMP, XMP.replace(b'Orientation="6"', b"z=''/><tiff:Orientation>6</tiff:Orientation><r")):
        image.info = {"xmp": block}
        loaded = load(image, max_pixels=None)
        assert picture.to_image(loaded).tobytes() == ImageOps.exif_transpose(image).tobytes()
        assert loaded.xmp is not None
        assert re.findall(rb"Orientation\W+([0-9])", loaded.xmp) == [b"1"]
        assert loaded.exif is None


def test_exif_comes_before_xmp() -> None:
    image = image_of("RGB", 5, 3)
    image.info = {"xmp": XMP, "exif": exif_bytes(3)}
    loaded = load(image, max_pixels=None)
    assert picture.to_image(loaded).tobytes() == image.transpose(Image.Transpose.ROTATE_180).tobytes()
    assert loaded.xmp == XMP_RESET


# Metadata


def metadata_picture(mode: str = "RGB") -> Picture:
    planes = noise(6, 5, 3 if mode.startswith("RGB") else 1)
    alpha = noise(6, 5, 1)[..., 0] if mode.endswith("A") else None
    return Picture(planes, alpha, SRGB, exif_bytes(1).removeprefix(b"Exif\0\0"), XMP_RESET)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_metadata_survives_saving_and_loading(format: str, mode: str, tmp_path: Path) -> None:
    original = metadata_picture(mode)
    target = tmp_path / "picture"
    picture.save(picture.to_image(original), target, format)
    loaded = load(target, max_pixels=None)
    assert loaded.icc == original.icc
    assert loaded.xmp == original.xmp
    kept = reopened_exif(loaded.exif)
    assert kept[271] == "Maker"
    assert kept.get_ifd(0x8769)[0x9286] == b"ASCII\0\0\0a comment"
    assert kept.get_ifd(0x8825)[1] == "N"
    if format in {"PNG", "JPEG", "WEBP"}:
        assert loaded.exif == original.exif
    assert loaded.notes == ()


@pytest.mark.parametrize("kind", ["icc", "exif", "xmp"])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_each_kind_of_metadata_survives_alone(kind: str, format: str) -> None:
    whole = metadata_picture()
    part = Picture(whole.pixels, **{kind: getattr(whole, kind)})
    target = BytesIO()
    picture.save(picture.to_image(part), target, format)
    loaded = load(target.getvalue(), max_pixels=None)
    present = {name for name in ("icc", "exif", "xmp") if getattr(loaded, name)}
    assert present == {kind}


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_lossless_formats_keep_every_pixel(format: str, mode: str) -> None:
    image = image_of(mode, 33, 21)
    target = BytesIO()
    picture.save(image, target, format)
    with Image.open(target) as again:
        assert again.convert(mode).tobytes() == image.tobytes()


def test_xmp_in_an_encoding_of_its_own_survives_in_png() -> None:
    block = "<x:xmpmeta/>".encode("utf-16")
    image = Image.new("L", (3, 3))
    image.info["xmp"] = block
    target = BytesIO()
    picture.save(image, target, "PNG")
    assert load(target.getvalue(), max_pixels=None).xmp == block


def test_metadata_comes_in_every_form_that_pillow_has() -> None:
    image = Image.new("L", (3, 3))
    image.info = {"XML:com.adobe.xmp": XMP_RESET.decode(), "exif": exif_bytes(1), "icc_profile": SRGB}
    loaded = load(image, max_pixels=None)
    assert loaded.xmp == XMP_RESET
    assert loaded.icc == SRGB
    assert loaded.exif == exif_bytes(1).removeprefix(b"Exif\0\0")
    image.info = {"xmp": "", "exif": b"", "icc_profile": None}
    loaded = load(image, max_pixels=None)
    assert (loaded.icc, loaded.exif, loaded.xmp, loaded.notes) == (None, None, None, ())


def test_exif_that_is_set_by_hand_or_as_text_is_found() -> None:
    by_hand = image_of("RGB", 4, 2)
    by_hand.getexif()[274] = 6
    by_hand.getexif()[271] = "Maker"
    loaded = load(by_hand, max_pixels=None)
    assert loaded.pixels.shape == (4, 2, 3)
    assert dict(reopened_exif(loaded.exif)) == {271: "Maker"}
    text = PngImagePlugin.PngInfo()
    block = exif_bytes(6)
    text.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n", zip=True)
    loaded = load(saved(image_of("RGB", 4, 2), "PNG", pnginfo=text), max_pixels=None)
    assert loaded.pixels.shape == (4, 2, 3)
    assert reopened_exif(loaded.exif).get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("raw", [b"Exif\0\0garbage", b"II+\0\x08\0\0\0", b"x"])
def test_unreadable_exif_is_left_out_with_a_note(raw: bytes) -> None:
    image = Image.new("L", (2, 2))
    image.info["exif"] = raw
    loaded = load(image, max_pixels=None)
    assert loaded.exif is None
    assert loaded.notes == ("the EXIF is unreadable and was left out",)


@given(st.binary(max_size=80))
@settings(deadline=None)
def test_hostile_exif_never_stops_a_picture(tail: bytes) -> None:
    image = Image.new("L", (2, 2))
    for head in (b"II*\0", b"MM\0*", b"II*\0\x08\0\0\0\x03\0\x12\x01"):
        image.info = {"exif": head + tail}
        assert load(image, max_pixels=None).pixels.shape == (2, 2, 1)


def test_a_tiffs_layout_is_not_taken_for_exif() -> None:
    assert load(saved(Image.new("RGB", (9, 9)), "TIFF"), max_pixels=None).exif is None


def test_metadata_over_the_bound_is_left_out_with_a_note() -> None:
    image = Image.new("L", (2, 2))
    image.info = {"icc_profile": bytes(MAX_METADATA + 1), "xmp": bytes(MAX_METADATA)}
    loaded = load(image, max_pixels=None)
    assert loaded.icc is None
    assert loaded.xmp is not None
    assert loaded.notes == (
        f"the ICC profile of {MAX_METADATA + 1} bytes was left out: at most {MAX_METADATA} can be kept",
    )
