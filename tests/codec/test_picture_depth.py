"""Pictures of more and of fewer than 8 bits: read rightly or refused, never wrongly, and never without a note."""

import base64
import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec.errors import FileAccessError
from lpcodec.codec.picture import load
from tests.sample_pictures import grey_png_with_bits, noise, saved, tiff

REDUCED = "16-bit input reduced to 8 bit"
# A white 4x4 picture, RGB of 16 bits, lossless JPEG 2000 codestream (OpenJPEG by way of imagecodecs 2026.3.6).
WHITE_JPEG_2000 = base64.b64decode(
    "/0//UQAvAAAAAAAEAAAABAAAAAAAAAAAAAAABAAAAAQAAAAAAAAAAAADDwEBDwEBDwEB/1IADAAAAAEBAAQEAAH/XAAEQID/kAAK"
    "AAAAAAAYAAH/k8/8MBAUAFyvgID/2Q=="
)

# 2x2 pixels of 512, 10 bits, in AVIF (libavif 1.4 by way of imagecodecs 2026.3.6).
GREY_AVIF_OF_10_BITS = base64.b64decode(
    "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAA"
    "AAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAGwAAAChpaW5mAAAAAAABAAAAGmluZmUC"
    "AAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAAgAAAAIAAAAQcGl4aQAAAAADCgoKAAAA"
    "DGF2MUOBIEAAAAAAE2NvbHJuY2x4AAIAAgAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAI21kYXQSAAoHOAA28CAgaTIO"
    "GUJjBMAANAAAEJA/n0A="
)


def grey_tiff(values: np.ndarray, bits: int, photometric: int = 1, order: str = "<", sample_format: int = 1) -> bytes:
    height, width = values.shape
    if bits == 12:
        pairs = values.reshape(-1, 2).astype(np.uint32)
        packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=1)
        raw = packed.astype(np.uint8).tobytes()
    else:
        raw = values.astype(f"{order}u{bits // 8}").tobytes()
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 277: 1, 278: height, 339: sample_format}
    return tiff({tag: (3, [value]) for tag, value in tags.items()}, raw, order)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_16_bit_tiff_in_planes_is_read_rightly(order: str, channels: int) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (6, 5, channels)).astype(np.uint16)
    planes = np.moveaxis(values, 2, 0).astype(f"{order}u2").tobytes()
    tags = {256: [5], 257: [6], 258: [16] * channels, 259: [1], 262: [2], 277: [channels], 278: [6], 284: [2]}
    if channels == 4:
        tags[338] = [2]
    loaded = load(tiff({tag: (3, numbers) for tag, numbers in tags.items()}, planes, order), max_pixels=None)
    assert np.array_equal(loaded.pixels, values[..., :3] >> 8)
    if channels == 4:
        assert np.array_equal(loaded.alpha, values[..., 3] >> 8)
    assert loaded.notes == (REDUCED,)


@pytest.mark.parametrize("compression", [1, 32773])
def test_a_tiff_with_grey_and_alpha_in_planes_is_refused(compression: int) -> None:
    """Pillow gives a compressed one an alpha of 0 everywhere: all of it would be hidden."""
    planes = [bytes([value] * 16) for value in (100, 200)]
    raw = b"".join(planes if compression == 1 else [bytes([15]) + plane for plane in planes])
    tags = {256: [4], 257: [4], 258: [8, 8], 259: [compression], 262: [1], 277: [2], 278: [4], 284: [2], 338: [2]}
    with pytest.raises(FileAccessError):
        load(tiff({tag: (3, numbers) for tag, numbers in tags.items()}, raw, "<"), max_pixels=None)


def test_white_is_zero_is_not_a_negative() -> None:
    values = np.random.default_rng(2).integers(0, 65536, (6, 5)).astype(np.uint16)
    usual = load(grey_tiff(values, 16, 1), max_pixels=None)
    inverted = load(grey_tiff(values, 16, 0), max_pixels=None)
    assert np.array_equal(usual.pixels[..., 0], np.rint(values / 257))
    assert np.array_equal(inverted.pixels, 255 - usual.pixels)
    assert inverted.notes == (REDUCED,)
    byte = load(grey_tiff(values >> 8, 8, 0), max_pixels=None)
    assert np.array_equal(byte.pixels[..., 0], 255 - (values >> 8))


def test_a_12_bit_tiff_has_its_whole_range() -> None:
    values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    loaded = load(grey_tiff(values, 12), max_pixels=None)
    assert np.array_equal(loaded.pixels[..., 0], np.rint(values / 4095 * 255))
    assert loaded.notes == ("12-bit input reduced to 8 bit",)


def test_unsigned_32_bit_values_do_not_become_negative() -> None:
    values = np.array([[0, 257, 65535, 2**31, 2**32 - 1]], np.uint32)
    loaded = load(grey_tiff(values, 32), max_pixels=None)
    assert loaded.pixels.ravel().tolist() == [0, 1, 255, 255, 255]
    assert loaded.notes == ("32-bit input reduced to 8 bit, its values taken as 0 to 65535",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (grey_tiff(np.zeros((2, 2), np.uint8), 8, sample_format=2), "signed bytes"),
        (
            grey_tiff(np.zeros((2, 2), np.uint32), 32, photometric=0, sample_format=3),
            "WhiteIsZero TIFF of 32-bit values",
        ),
        (WHITE_JPEG_2000, "JPEG 2000 picture with 16 bits per colour"),
    ],
    ids=["signed", "inverted floats", "JPEG 2000"],
)
def test_what_would_be_read_wrongly_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(FileAccessError, match=words) as caught:
        load(data, max_pixels=None)
    assert "\n" not in str(caught.value)


def test_a_tiff_in_planes_that_was_loaded_already_is_refused() -> None:
    planes = np.full((3, 2, 2), 500, "<u2").tobytes()
    tags = {256: [2], 257: [2], 258: [16] * 3, 259: [1], 262: [2], 277: [3], 278: [2], 284: [2]}
    with Image.open(BytesIO(tiff({tag: (3, numbers) for tag, numbers in tags.items()}, planes))) as image:
        image.load()
        with pytest.raises(FileAccessError, match="give its file instead"):
            load(image, max_pixels=None)


def test_deep_grey_jpeg_2000_and_8_bit_colours_are_read() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    deep = load(saved(Image.fromarray(values), "JPEG2000"), max_pixels=None)
    assert np.array_equal(deep.pixels[..., 0], np.rint(values / 257))
    assert REDUCED in deep.notes
    colours = Image.fromarray(noise(16, 20, 3))
    assert np.array_equal(load(saved(colours, "JPEG2000"), max_pixels=None).pixels, np.asarray(colours))


@pytest.mark.parametrize(("bits", "key"), [(1, 0), (1, 1), (2, 0), (2, 1), (2, 3), (4, 9), (8, 200)])
def test_a_transparent_grey_is_found_at_every_depth(bits: int, key: int) -> None:
    levels = range(1 << bits) if bits < 8 else (0, 200, 201, 255)
    width = 8 // bits if bits < 8 else 4
    values = np.resize(np.array(list(levels), np.uint8), (4, width))
    rows = b""
    for row in values:
        packed = 0
        for value in row:
            packed = packed << bits | int(value)
        rows += b"\0" + packed.to_bytes(width * bits // 8, "big")
    loaded = load(grey_png_with_bits(bits, 0, rows, width, 4, b"tRNS" + struct.pack(">H", key)), max_pixels=None)
    assert loaded.alpha is not None
    assert np.array_equal(loaded.alpha == 0, values == key)
    assert np.array_equal(loaded.pixels[..., 0], values * (255 // ((1 << bits) - 1)))


def test_an_avif_of_10_bits_is_noted() -> None:
    assert load(saved(Image.fromarray(noise(8, 8, 3)), "AVIF"), max_pixels=None).notes == ()
    loaded = load(GREY_AVIF_OF_10_BITS, max_pixels=None)
    assert loaded.pixels.ravel().tolist() == [128] * 4
    assert loaded.notes == ("10-bit input reduced to 8 bit",)
