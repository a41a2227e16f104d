"""Lossless payloads: alpha and stored pictures come back, and hostile ones are damage before they are decoded."""

import struct
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lpcodec.codec import lossless
from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.picture import Pixels
from lpcodec.codec.varint import read_varint


def noise(height: int, width: int, channels: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def image_of(mode: str, width: int, height: int) -> Image.Image:
    """A noisy picture in one of a few modes."""
    if mode == "RGBA":
        return Image.fromarray(noise(height, width, 4))
    return Image.fromarray(noise(height, width, 3)).convert("L" if mode == "I;16" else "RGB").convert(mode)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    target = BytesIO()
    image.save(target, format, **options)
    return target.getvalue()


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.booleans())
def test_stored_pictures_come_back(width: int, height: int, seed: int, grey: bool) -> None:
    pixels = noise(height, width, 1 if grey else 3, seed)
    payload = lossless.stored_to_bytes(pixels)
    assert np.array_equal(lossless.stored_from_bytes(payload, width, height, grey), pixels)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.booleans())
def test_large_pictures_come_back_from_their_parts(
    monkeypatch: pytest.MonkeyPatch, width: int, height: int, seed: int, grey: bool
) -> None:
    monkeypatch.setattr(lossless, "_PART", 8)
    pixels = noise(height, width, 1 if grey else 3, seed)
    payload = lossless.stored_to_bytes(pixels)
    assert np.array_equal(lossless.stored_from_bytes(payload, width, height, grey), pixels)


def test_pictures_up_to_4_megapixels_are_one_part() -> None:
    assert len(lossless._parts(2048, 2048)) == len(lossless._parts(1, 1 << 22)) == 1
    assert len(lossless._parts(2048, 2049)) == 2
    assert len(lossless._parts(16384, 16384)) == 64


def test_damaged_parts_are_damage_before_any_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lossless, "_PART", 8)
    payload = lossless.stored_to_bytes(noise(20, 12, 3))
    stream = BytesIO(payload)
    length = read_varint(lambda: stream.read(1)[0])
    first = stream.tell() + length
    monkeypatch.setattr(lossless, "_inner_pixels", lambda *_: pytest.fail("it was decoded"))
    refused(b"", 12, 20, False, "the length of a part is missing")
    refused(payload[:-1], 12, 20, False, "a part was cut short")
    refused(payload + b"\0", 12, 20, False, "bytes follow its last part")
    refused(b"\xff" * 5 + payload, 12, 20, False, "the length of a part is missing")
    refused(b"\xff\xff\xff\xff\x7f" + payload, 12, 20, False, "a part was cut short")
    refused(payload, 20, 12, False, "pixels inside a file of")
    refused(payload[:first] + b"\x04abcd", 12, 20, False, "neither a PNG nor a WebP")


def test_a_side_too_long_for_webp_is_stored_as_png() -> None:
    pixels = noise(1, 20_000, 3)
    payload = lossless.stored_to_bytes(pixels)
    assert payload.startswith(b"\x89PNG")
    assert np.array_equal(lossless.stored_from_bytes(payload, 20_000, 1, False), pixels)


def test_noise_is_stored_without_growing() -> None:
    pixels = noise(64, 64, 3)
    assert len(lossless.stored_to_bytes(pixels)) <= pixels.size + 128


def refused(payload: bytes, width: int, height: int, grey: bool, words: str) -> None:
    with pytest.raises(DamagedFileError, match=words) as caught:
        lossless.stored_from_bytes(payload, width, height, grey)
    assert "\n" not in str(caught.value)


def test_an_inner_header_of_another_size_is_damage_before_it_is_decoded() -> None:
    """Bombs: a few bytes that declare hundreds of megapixels."""
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBBI", 60_000, 60_000, 8, 0, 0, 0, 0, 0)
    refused(png, 8, 8, True, "60000 x 60000 pixels inside a file of 8 x 8")
    webp = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8L" + struct.pack("<I", 10)
    webp += b"\x2f" + struct.pack("<I", 16382 | 16382 << 14) + bytes(5)
    refused(webp, 8, 8, False, "16383 x 16383 pixels inside a file of 8 x 8")


def test_only_the_plain_forms_that_are_written_are_read() -> None:
    image = image_of("RGB", 12, 9)
    for data in (
        b"",
        b"\x89PNG",
        saved(image, "GIF"),
        saved(image, "WEBP"),
        saved(image, "WEBP", lossless=True, exif=b"Exif\0\0MM\0*"),
        saved(image_of("RGBA", 12, 9), "PNG"),
        saved(image_of("P", 12, 9), "PNG"),
        saved(image_of("I;16", 12, 9), "PNG"),
        saved(image_of("L", 12, 9), "PNG"),
    ):
        refused(data, 12, 9, False, "neither a PNG nor a WebP")
    refused(saved(image, "PNG"), 12, 9, True, "neither a PNG nor a WebP")
    refused(saved(image, "WEBP", lossless=True), 12, 9, True, r"decodes to an array of shape \(9, 12, 3\)")
    refused(saved(image_of("RGBA", 12, 9), "WEBP", lossless=True), 12, 9, False, r"shape \(9, 12, 4\)")


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_damaged_payloads_are_damaged_files_or_decode_to_the_right_shape(format: str) -> None:
    """The container's checksums stand before this; a forged file meets the inner parsers."""
    data = saved(image_of("RGB", 24, 18), format, lossless=True)
    chance = np.random.default_rng(3)
    for number in range(400):
        mutant = bytearray(data[: len(data) - number] if number < 200 else data)
        if number >= 200:
            mutant[chance.integers(len(data))] ^= 1 << int(chance.integers(8))
        try:
            planes = lossless.stored_from_bytes(bytes(mutant), 24, 18, False)
        except DamagedFileError:
            continue
        assert planes.shape == (18, 24, 3)
