"""What a Python caller may give to encode and decode: paths, bytes, open files, images, arrays."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import lpcodec
from lpcodec.codec import sources
from lpcodec.codec.errors import DamagedFileError, FileAccessError, UsageError

ANY = np.random.default_rng(0)


@pytest.fixture
def coded(tmp_path: Path) -> Path:
    path = tmp_path / "photo.lpc"
    path.write_bytes(lpcodec.encode(np.zeros((4, 5), np.uint8), lossless=True))
    return path


def test_a_file_is_decoded_from_wherever_it_is(coded: Path) -> None:
    data = coded.read_bytes()
    for source in (str(coded), coded, data, bytearray(data), memoryview(data)):
        assert lpcodec.decode(source).size == (5, 4)
        assert lpcodec.decode_report(source).notes == ()
        assert lpcodec.info(source)["bytes"] == len(data)
        assert lpcodec.verify(source)["bytes"] == len(data)
    with open(coded, "rb") as stream:
        assert lpcodec.decode(stream).size == (5, 4)
    assert lpcodec.decode(io.BytesIO(data)).size == (5, 4)


def test_files_that_cannot_be_read_are_named(tmp_path: Path, coded: Path) -> None:
    with pytest.raises(FileAccessError, match=r"none\.lpc: No such file"):
        lpcodec.decode(tmp_path / "none.lpc")
    with pytest.raises(FileAccessError, match="null"):
        lpcodec.decode("a\0b")
    with open(coded, "rb") as stream:
        pass
    with pytest.raises(FileAccessError, match="closed"):
        lpcodec.decode(stream)
    with pytest.raises(DamagedFileError):
        lpcodec.decode(b"text")


def test_names_that_no_file_has() -> None:
    for call in (lpcodec.decode, lpcodec.encode, lpcodec.info):
        with pytest.raises(FileAccessError, match=r"^https://a\.b/c: a URL is only read to decode a region; download"):
            call("https://a.b/c")
        with pytest.raises(UsageError, match="the name of the file is empty"):
            call("")


@pytest.mark.parametrize("wrong", [3, None, object(), [1, 2], io.StringIO("text")])
def test_what_holds_nothing_is_wrong_usage(wrong: Any) -> None:
    for call in (lpcodec.decode, lpcodec.encode, lpcodec.info):
        with pytest.raises(UsageError, match="give a path"):
            call(wrong)


def test_each_function_names_what_it_takes() -> None:
    pixels = np.zeros((2, 2), np.uint8)
    for call in (lpcodec.decode, lpcodec.info, lpcodec.verify):
        for wrong in (pixels, Image.fromarray(pixels)):
            with pytest.raises(
                UsageError, match=r"(ndarray|Image) can't be read: give a path, bytes, or a file opened"
            ):
                call(wrong)  # type: ignore[operator]
    with pytest.raises(UsageError, match=r"list can't be read: .*, an image or array$"):
        lpcodec.encode([1])  # type: ignore[arg-type]


def test_a_picture_is_encoded_from_wherever_it_is(tmp_path: Path) -> None:
    pixels = ANY.integers(0, 256, (9, 7, 3), np.uint8)
    image, path, stream = Image.fromarray(pixels), tmp_path / "p.png", io.BytesIO()
    image.save(path)
    image.save(stream, "PNG")
    expected = lpcodec.encode(image, lossless=True)
    stream.seek(0)
    for source in (str(path), path, path.read_bytes(), bytearray(path.read_bytes()), stream, pixels):
        assert lpcodec.encode(source, lossless=True) == expected


SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([None, 1, 3, 4]))


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(0, 2**32 - 1))
def test_arrays_of_bytes_come_back(shape: tuple[int, int, int | None], seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, [n for n in shape if n is not None], np.uint8)
    result = lpcodec.encode_report(pixels, lossless=True)
    decoded = np.asarray(lpcodec.decode(result.data))
    assert (decoded.reshape(pixels.shape) == pixels).all()
    assert result.notes == ()


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(0, 2**32 - 1))
def test_arrays_of_16_bits_are_rounded_with_a_note(shape: tuple[int, int, int | None], seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 65536, [n for n in shape if n is not None], np.uint16)
    result = lpcodec.encode_report(pixels, lossless=True)
    decoded = np.asarray(lpcodec.decode(result.data)).reshape(pixels.shape)
    assert np.abs(decoded * 257.0 - pixels).max() <= 128.5
    assert result.notes == ("16-bit input reduced to 8 bit",)


@pytest.mark.parametrize("order", "<>")
def test_16_bits_have_any_byte_order(order: str) -> None:
    pixels = ANY.integers(0, 65536, (6, 5, 3), np.uint16)
    result = lpcodec.encode_report(pixels.astype(f"{order}u2"), lossless=True)
    assert (result.data, result.notes) == (
        lpcodec.encode_report(pixels, lossless=True).data,
        ("16-bit input reduced to 8 bit",),
    )


def test_white_in_16_bits_is_white() -> None:
    assert (sources.load(np.full((2, 2), 65535, np.uint16), max_pixels=None).pixels == 255).all()


def test_views_are_taken_as_they_look() -> None:
    pixels = ANY.integers(0, 256, (8, 6, 3), np.uint8)
    assert lpcodec.encode(pixels[::-1, ::2], lossless=True) == lpcodec.encode(pixels[::-1, ::2].copy(), lossless=True)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros(4, np.uint8), np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2, 5), np.uint8), np.zeros((0, 4), np.uint8),
        np.zeros((2, 2, 3, 1), np.uint8), np.zeros((2, 2), np.float32), np.zeros((2, 2), bool), np.zeros((2, 2), int),
    ],
)  # fmt: skip
def test_other_arrays_are_wrong_usage(wrong: Any) -> None:
    with pytest.raises(UsageError, match="is no picture"):
        lpcodec.encode(wrong)


def test_a_device_that_is_not_there_is_named_before_anything_is_read() -> None:
    for call in (lpcodec.encode, lpcodec.decode):
        with pytest.raises(UsageError, match=r"device 'abacus' isn't available here; choose one of: cpu"):
            call("none.png", device="abacus")


def test_the_package_shows_its_names() -> None:
    assert {"encode", "decode", "encode_report", "decode_report", "info", "verify"} <= set(dir(lpcodec))
    assert all(hasattr(lpcodec, name) for name in dir(lpcodec))
