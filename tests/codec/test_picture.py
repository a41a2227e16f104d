"""Pictures in and out: a test for each row of docs/pictures.md; metadata is in test_picture_metadata.py."""

import os
import struct
import threading
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from lpcodec.codec import picture
from lpcodec.codec.errors import FileAccessError, LimitError
from lpcodec.codec.picture import load
from lpcodec.codec.picturefiles import pixels as module
from tests.full_disk import files_of_at_most
from tests.sample_pictures import DEEP_MODES, MODES, SRGB, grey_png_with_bits, image_of, saved

# What comes back: modes


@settings(deadline=None)
@given(st.sampled_from(MODES), st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_eight_bit_modes_come_back_as_pillow_converts_them(mode: str, width: int, height: int, seed: int) -> None:
    image = image_of(mode, width, height, seed)
    before = image.copy()
    loaded = load(image, max_pixels=None)
    grey, transparent = mode in {"1", "L", "LA", "La"}, mode in {"LA", "La", "PA", "RGBA", "RGBa"}
    expected = image.convert("LA").convert("RGBA") if mode == "La" else image.convert("RGBA" if transparent else "RGB")
    planes = np.asarray(expected)
    grey_as_rgb = not grey and bool((planes[..., :3] == planes[..., :1]).all())
    assert loaded.grey_as_rgb == grey_as_rgb
    assert loaded.pixels.dtype == np.uint8
    assert loaded.pixels.shape == (height, width, 1 if grey or grey_as_rgb else 3)
    assert np.array_equal(np.broadcast_to(loaded.pixels, (height, width, 3)), planes[..., :3])
    assert (loaded.alpha is not None) == transparent
    if loaded.alpha is not None:
        assert np.array_equal(loaded.alpha, planes[..., 3])
    assert (image.mode, image.tobytes()) == (before.mode, before.tobytes())
    back = picture.to_image(loaded)
    assert back.mode == ("L" if grey else "RGB") + ("A" if transparent else "")
    assert back.size == (width, height)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_pictures_of_several_bands_are_put_together(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = image_of(mode, 20, 31)
    image.info["transparency"] = 1
    whole = load(image, max_pixels=None)
    for pixels in (1, 20, 70, 160):
        monkeypatch.setattr(module, "_BAND_PIXELS", pixels)
        loaded = load(image, max_pixels=None)
        assert np.array_equal(loaded.pixels, whole.pixels)
        assert loaded.alpha is not None
        assert whole.alpha is not None
        assert np.array_equal(loaded.alpha, whole.alpha)


@settings(deadline=None)
@given(st.sampled_from(DEEP_MODES), st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_deep_modes_come_back_as_grey_with_one_note(mode: str, width: int, height: int, seed: int) -> None:
    image = image_of(mode, width, height, seed)
    values = np.random.default_rng(seed).integers(0, 65536, (height, width)).astype(np.float64)
    top = 255 if mode == "F" and values.max() / 256 > 1 else 1 if mode == "F" else 65535
    exact = (values / 256 if mode == "F" else values) * 255 / top
    loaded = load(image, max_pixels=None)
    assert loaded.pixels.shape == (height, width, 1)
    assert loaded.alpha is None
    assert np.abs(loaded.pixels[..., 0] - np.clip(exact, 0, 255)).max() <= 0.5 + 1e-4
    assert len(loaded.notes) == 1
    assert "reduced to 8 bit" in loaded.notes[0]


def test_grey_that_came_as_colours_is_grey_and_goes_back_as_it_came() -> None:
    """R = G = B in whatever mode: one plane inside, and the same three outside."""
    grey = image_of("L", 31, 17)
    palette = Image.frombytes("P", grey.size, grey.tobytes())
    palette.putpalette(bytes(value for level in range(256) for value in (level,) * 3))
    ink = Image.merge("CMYK", (*[Image.new("L", grey.size)] * 3, ImageOps.invert(grey)))
    veil = Image.merge("RGBA", (grey, grey, grey, image_of("L", 31, 17, 1)))
    for image in (grey.convert("RGB"), palette, ink, veil):
        loaded = load(image, max_pixels=None)
        assert loaded.grey_as_rgb
        assert np.array_equal(loaded.pixels[..., 0], np.asarray(grey))
        back = picture.to_image(loaded)
        assert back.mode == ("RGBA" if image is veil else "RGB")
        assert back.convert("RGBA").tobytes() == image.convert("RGBA").tobytes()
    nearly = grey.convert("RGB")
    nearly.putpixel((30, 16), (7, 7, 8))
    assert not load(nearly, max_pixels=None).grey_as_rgb


def test_a_picture_as_rgb_is_laid_on_white() -> None:
    veil = image_of("RGBA", 31, 17)
    white = Image.new("RGBA", veil.size, "white")
    loaded = picture.load_rgb(veil)
    expected = np.asarray(Image.alpha_composite(white, veil))[..., :3].astype(int)
    assert np.abs(loaded.pixels - expected).max() <= 1
    assert (loaded.alpha, loaded.notes) == (None, ("transparent picture laid on white",))
    veil.putalpha(255)
    assert picture.load_rgb(veil).notes == ()
    assert picture.load_rgb(image_of("L", 3, 2)).pixels.shape == (2, 3, 3)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_the_codecs_own_modes_come_back_unchanged(mode: str) -> None:
    image = image_of(mode, 13, 7)
    loaded = load(image, max_pixels=None)
    assert picture.to_image(loaded).tobytes() == image.tobytes()
    assert loaded.notes == ()
    assert loaded.pixels.flags.writeable
    assert loaded.pixels.flags.c_contiguous


@pytest.mark.parametrize("transparency", [3, bytes(range(255, 155, -1))])
def test_a_palette_with_transparency_becomes_rgba(transparency: int | bytes) -> None:
    image = image_of("P", 20, 20)
    data = saved(image, "PNG", transparency=transparency)
    loaded = load(data, max_pixels=None)
    indexes = np.asarray(image)
    table = np.full(256, 255, np.uint8)
    if isinstance(transparency, int):
        table[transparency] = 0
    else:
        table[: len(transparency)] = list(transparency)
    assert loaded.alpha is not None
    assert np.array_equal(loaded.alpha, table[indexes])
    palette = np.array(image.getpalette(), np.uint8).reshape(256, 3)
    assert np.array_equal(loaded.pixels, palette[indexes])


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("1", 255), ("RGB", (1, 2, 3)), ("I;16", 4660)])
def test_a_transparent_colour_becomes_alpha(mode: str, key: int | tuple[int, int, int]) -> None:
    image = image_of(mode, 9, 9)
    if mode != "1":
        image.putpixel((4, 2), key)
        image.putpixel((8, 8), key)
    loaded = load(saved(image, "PNG", transparency=key), max_pixels=None)
    values = np.asarray(image if mode != "1" else image.convert("L")).reshape(9, 9, -1)
    assert loaded.alpha is not None
    assert np.array_equal(loaded.alpha == 0, (values == key).all(axis=2))
    assert set(np.unique(loaded.alpha)) == {0, 255}


def test_a_16_bit_colour_png_is_noted_and_its_transparent_colour_found() -> None:
    raw = b"\0" + struct.pack(">6H", 0x1234, 0x5678, 0x9ABC, 0xFFFF, 0, 0x0100)
    data = grey_png_with_bits(16, 2, raw, 2, 1, b"tRNS" + struct.pack(">3H", 0x1234, 0x5678, 0x9ABC))
    loaded = load(data, max_pixels=None)
    assert loaded.pixels.tolist() == [[[0x12, 0x56, 0x9A], [255, 0, 1]]]
    assert loaded.alpha is not None
    assert loaded.alpha.tolist() == [[0, 255]]
    assert loaded.notes == (
        "16-bit input reduced to 8 bit",
        "its transparent colour was looked for among the 8-bit colours: others may have become transparent",
    )


def test_a_16_bit_ppm_is_noted_and_an_8_bit_one_is_not() -> None:
    deep = b"P6 1 1 65535\n" + struct.pack(">3H", 65535, 0, 32768)
    assert load(deep, max_pixels=None).notes == ("16-bit input reduced to 8 bit",)
    assert load(b"P6 1 1 255\n\xff\0\x80", max_pixels=None).notes == ()


@pytest.mark.parametrize("deflated", [False, True])
def test_a_16_bit_colour_tiff_is_noted(deflated: bool) -> None:
    raw = struct.pack("<3H", 0xFFFF, 0x8000, 0)
    strip = zlib.compress(raw) if deflated else raw
    entries = [(256, 1), (257, 1), (258, 200), (259, 8 if deflated else 1), (262, 2), (273, 300), (277, 3)]
    entries += [(278, 1), (279, len(strip))]
    folder = b"".join(struct.pack("<HHII", tag, 3, 3 if tag == 258 else 1, value) for tag, value in entries)
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + folder + bytes(4)
    data = head.ljust(200, b"\0") + struct.pack("<3H", 16, 16, 16).ljust(100, b"\0") + strip
    loaded = load(data, max_pixels=None)
    assert loaded.pixels.tolist() == [[[255, 128, 0]]]
    assert loaded.notes == ("16-bit input reduced to 8 bit",)


def test_a_16_bit_sgi_is_noted() -> None:
    head = struct.pack(">HBBHHHH", 474, 0, 2, 3, 1, 1, 3)
    loaded = load(head.ljust(512, b"\0") + struct.pack(">3H", 0xFFFF, 0x8000, 0), max_pixels=None)
    assert loaded.pixels.tolist() == [[[255, 128, 0]]]
    assert loaded.notes == ("16-bit input reduced to 8 bit",)


def test_16_bit_values_are_rounded_to_the_nearest() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    loaded = load(saved(Image.fromarray(values), "TIFF"), max_pixels=None)
    assert np.array_equal(loaded.pixels[..., 0], np.rint(values / 257))
    assert loaded.notes == ("16-bit input reduced to 8 bit",)


@pytest.mark.parametrize(
    ("values", "expected", "top"),
    [
        ([0.0, 0.5, 1.0, -3.0], [0, 128, 255, 0], 1),
        ([0.0, 1.5, 254.6, 300.0], [0, 2, 255, 255], 255),
        ([np.nan, np.inf, -np.inf, 1.0], [0, 255, 0, 255], 1),
        ([np.nan, np.nan, np.nan, np.nan], [0, 0, 0, 0], 1),
    ],
)
def test_float_pictures_say_which_range_was_taken(values: list[float], expected: list[int], top: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load(Image.fromarray(np.array([values], np.float32)), max_pixels=None)
    assert loaded.pixels.ravel().tolist() == expected
    assert loaded.notes == (f"float input reduced to 8 bit, its values taken as 0 to {top}",)


def test_32_bit_integers_are_taken_as_16_bit() -> None:
    loaded = load(Image.fromarray(np.array([[-5, 0, 257, 65535, 10**6]], np.int32)), max_pixels=None)
    assert loaded.pixels.ravel().tolist() == [0, 0, 1, 255, 255]
    assert loaded.notes == ("32-bit input reduced to 8 bit, its values taken as 0 to 65535",)


def test_an_animation_gives_its_first_frame_and_a_note() -> None:
    frames = [Image.new("RGB", (5, 4), colour) for colour in ("red", "lime", "blue")]
    for format in ("GIF", "WEBP", "TIFF", "PNG"):
        loaded = load(saved(frames[0], format, save_all=True, append_images=frames[1:]), max_pixels=None)
        assert abs(loaded.pixels[0, 0].astype(int) - (255, 0, 0)).max() <= 8, format
        assert loaded.notes == ("the file holds several pictures (frames or pages): only the first was taken",)


def test_an_open_animation_gives_its_current_frame_and_stays_there() -> None:
    frames = [Image.new("RGB", (5, 4), colour) for colour in ("red", "lime", "blue")]
    with Image.open(BytesIO(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))) as image:
        image.seek(1)
        loaded = load(image, max_pixels=None)
        assert loaded.pixels[0, 0].tolist() == [0, 255, 0]
        assert loaded.notes[0].endswith("only the current one was taken")
        assert image.tell() == 1
        image.seek(0)
        assert load(image, max_pixels=None).pixels[0, 0].tolist() == [255, 0, 0]
        image.seek(2)
        assert load(image, max_pixels=None).pixels[0, 0].tolist() == [0, 0, 255]


# Colour spaces and profiles


def cmyk_profile() -> bytes:
    """A small CMYK printer profile, made here: each ink takes a quarter of the light and has no colour."""
    curve = bytes(range(256))
    identity = b"".join(struct.pack(">i", 65536 if i in (0, 4, 8) else 0) for i in range(9))
    paper = b"".join(bytes([(4 - inks.bit_count()) * 255 // 4, 128, 128]) for inks in range(16))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + curve * 4 + paper + curve * 3
    text = b"text" + bytes(4) + b"made for a test\0"
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    description = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(4 + 4 + 2 + 1 + 67)
    tags = {b"desc": description, b"cprt": text, b"wtpt": white, b"A2B0": lut}
    place, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", place + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", place + len(body), b"test", 0x02100000, b"prtr", b"CMYK", b"Lab ")
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return head + table + body


def test_cmyk_goes_through_its_profile_which_is_dropped() -> None:
    image = image_of("CMYK", 16, 16)
    for x, inks in enumerate([(0, 0, 0, 0), (0, 255, 0, 255), (255, 255, 255, 255)]):
        image.putpixel((x, 0), inks)
    loaded = load(saved(image, "TIFF", icc_profile=cmyk_profile()), max_pixels=None)
    assert loaded.icc is None
    assert loaded.notes == ("CMYK picture converted to sRGB through its ICC profile, which isn't kept",)
    assert np.ptp(loaded.pixels.astype(int), axis=2).max() <= 2  # the profile knows greys only
    levels = [loaded.pixels[0, x, 0] for x in range(3)]
    assert levels[0] == 255
    assert 100 <= levels[1] <= 140  # two inks: L* = 50, which is 119 in sRGB
    assert levels[2] <= 2
    assert not np.array_equal(loaded.pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("profile", [b"no profile at all", SRGB])
def test_cmyk_with_an_unusable_profile_is_converted_plainly(profile: bytes) -> None:
    image = image_of("CMYK", 16, 16)
    loaded = load(saved(image, "TIFF", icc_profile=profile), max_pixels=None)
    assert loaded.icc is None
    assert loaded.notes == ("CMYK picture converted to sRGB; its ICC profile isn't kept",)
    assert np.array_equal(loaded.pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV"])
def test_other_colour_spaces_become_srgb_without_their_profile(mode: str) -> None:
    image = image_of(mode, 6, 5)
    assert load(image, max_pixels=None).notes == (f"{mode} picture converted to sRGB",)
    image.info["icc_profile"] = SRGB
    loaded = load(image, max_pixels=None)
    assert loaded.icc is None
    assert loaded.notes == (f"{mode} picture converted to sRGB; its ICC profile isn't kept",)


# What can't be read or written


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_what_is_no_picture_is_a_file_access_error(data: bytes) -> None:
    with pytest.raises(FileAccessError) as caught:
        load(data, max_pixels=None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000", "AVIF"])
def test_a_cut_picture_is_a_file_access_error(format: str) -> None:
    data = saved(image_of("RGB", 60, 60), format)
    with pytest.raises(FileAccessError) as caught:
        load(data[: len(data) // 2], max_pixels=None)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileAccessError, match=r"missing\.png: can't be read: No such file"):
        load(tmp_path / "missing.png", max_pixels=None)
    with pytest.raises(FileAccessError, match="can't be read"):
        load(str(tmp_path), max_pixels=None)


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(FileAccessError, match=r"no pixels \(0 x 5\)"):
        load(Image.new("RGB", (0, 5)), max_pixels=None)


def test_the_limit_is_checked_before_pixels_are_decoded() -> None:
    """Half a picture: decoding it would be another error."""
    data = saved(image_of("RGB", 40, 30), "PNG")[:200]
    with pytest.raises(LimitError, match="40 x 30 pixels are over the limit of 1,199"):
        load(data, max_pixels=1199)
    with pytest.raises(FileAccessError):
        load(data, max_pixels=1200)
    with pytest.raises(LimitError):
        load(image_of("L", 40, 30), max_pixels=1199)


def test_an_inner_picture_larger_than_declared_is_over_the_limit() -> None:
    """An icon's directory says 16 x 16; the PNG inside says 9000 x 9000 and would be 324 MB of pixels."""
    inner = grey_png_with_bits(8, 6, b"", 9000, 9000)
    data = struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inner), 22) + inner
    with pytest.raises(LimitError, match="81000000 pixels are over the limit of 1,000"):
        load(data, max_pixels=1000)


def test_pillows_own_limit_gives_way_to_ours_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    data = saved(Image.new("L", (50, 50)), "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for limit in (None, 2500):
            threads = [threading.Thread(target=load, args=(data,), kwargs={"max_pixels": limit}) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert load(data, max_pixels=limit).pixels.shape == (50, 50, 1)
            assert Image.MAX_IMAGE_PIXELS == 100
        with pytest.raises(LimitError):
            load(data, max_pixels=2000)
        with pytest.raises(FileAccessError):
            load(data[:-20], max_pixels=None)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".ppm", ".gif"])
def test_formats_without_alpha_refuse_it(suffix: str, tmp_path: Path) -> None:
    target = tmp_path / f"picture{suffix}"
    with pytest.raises(FileAccessError, match=r"can't hold the picture's alpha channel; use \.png"):
        picture.save(image_of("RGBA", 3, 3), target)
    assert not target.exists()
    picture.save(image_of("RGB", 3, 3), target)
    assert target.exists()


def test_what_cannot_be_written_is_a_file_access_error(tmp_path: Path) -> None:
    image = image_of("RGB", 3, 3)
    with pytest.raises(FileAccessError, match=r"no such picture format; use \.png"):
        picture.save(image, tmp_path / "picture.xyz")
    with pytest.raises(FileAccessError, match=r"picture\.png: No such file"):
        picture.save(image, tmp_path / "missing" / "picture.png")
    image.info["xmp"] = bytes(70_000)
    with pytest.raises(FileAccessError, match=r"can't be written as JPEG: .*; use \.png"):
        picture.save(image, tmp_path / "picture.jpg")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "JPEG2000", "AVIF"])
def test_without_room_an_older_picture_stays_and_no_partial(format: str, tmp_path: Path) -> None:
    target = tmp_path / "picture"
    target.write_bytes(b"older")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    with files_of_at_most(100), pytest.raises(FileAccessError):
        picture.save(noise, target, format)
    assert target.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["picture"]
