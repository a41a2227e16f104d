"""Alpha: what it hides, and how it is coded; soft alpha with a bounded error."""

import hashlib
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import lpcodec
from lpcodec.codec import alpha as alphas
from lpcodec.codec import bounded
from lpcodec.codec.alpha import from_bytes, to_bytes
from lpcodec.codec.errors import DamagedFileError, TargetError, UsageError
from lpcodec.codec.fill import filled
from lpcodec.codec.picture import Pixels, load
from tests.sample_pictures import GREY_PROFILE, SRGB, image_of, noise, saved
from tests.time_limits import takes_at_most

CODED = (
    "024e83a5f7ff39cc135442fdd0bb7db94996112165f7d6c58db20e090d5befa46b8d4d3bab34534e22af248fb1ce2919285e"
    "f9602781abe45c82b6c0a5fb8865c52d49960c62323d6b77efe86a2a"
)
DECODED = "6ce9d646ac0ef502"

# Without loss


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.sampled_from([0, 1, 0xF0, 255]))
def test_alpha_comes_back(width: int, height: int, seed: int, mask: int) -> None:
    alpha: Pixels = noise(height, width, 1, seed)[..., 0] & np.uint8(mask)
    payload = to_bytes(alpha)
    assert np.array_equal(from_bytes(payload, width, height), alpha)
    assert len(payload) <= alpha.size + 20


def smooth(height: int, width: int) -> Pixels:
    y, x = np.mgrid[:height, :width]
    disc: Pixels = np.clip((height * 0.4 - np.hypot(y - height / 2, x - width / 2)) * 60 + 128, 0, 255).astype(np.uint8)
    return disc


@pytest.mark.parametrize("coding", ["deflate", "PNG", "WEBP"])
def test_every_coding_of_alpha_is_read(coding: str) -> None:
    alpha = smooth(30, 50)
    if coding == "deflate":
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        payload = b"\x01" + deflate.compress(alpha.tobytes()) + deflate.flush()
    else:
        image = Image.fromarray(alpha)
        payload = b"\x02" + saved(image.convert("RGB") if coding == "WEBP" else image, coding, lossless=True)
    assert np.array_equal(from_bytes(payload, 50, 30), alpha)
    for width, height in ((30, 50), (50, 29), (50, 31), (1, 1)):
        if (coding, width, height) != ("deflate", 30, 50):  # rows don't know how long they are
            with pytest.raises(DamagedFileError, match="alpha: "):
                from_bytes(payload, width, height)


def test_constant_alpha_costs_next_to_nothing() -> None:
    for value in (0, 128, 255):
        alpha = np.full((3000, 4000), value, np.uint8)
        payload = to_bytes(alpha)
        assert payload == bytes([0, value])
        assert np.array_equal(from_bytes(payload, 4000, 3000), alpha)


def test_a_large_alpha_takes_seconds() -> None:
    alpha = smooth(3000, 4000)
    with takes_at_most(10):
        payload = to_bytes(alpha)
    assert len(payload) < 60_000
    assert np.array_equal(from_bytes(payload, 4000, 3000), alpha)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00",
        b"\x00\x01\x02",
        b"\x01",
        b"\x01\xff\xff",
        b"\x02",
        b"\x03abc",
        b"\x03\x15\x00",
        b"\x04abc",
        b"\xff",
    ],
)
def test_alpha_without_sense_is_damage(payload: bytes) -> None:
    with pytest.raises(DamagedFileError, match="alpha: "):
        from_bytes(payload, 3, 3)


# With a bounded error


def soft(kind: str, height: int, width: int, seed: int = 0) -> Pixels:
    """Alpha as people have it: a gradient, a shadow with noise, a mask with smooth edges, noise."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - height / 2, x - width / 2)
    chance = np.random.default_rng(seed)
    values = {
        "gradient": 300 - 340 * distance / (height + width) * 2,
        "shadow": 200 * np.exp(-((distance / (height + width) * 5) ** 2)) + chance.normal(0, 1.5, distance.shape),
        "mask": (height * 0.4 - distance) * 60 + 128,
        "noise": chance.integers(0, 256, distance.shape),
    }[kind]
    alpha: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return alpha


def within(alpha: Pixels, decoded: Pixels, error: int) -> None:
    assert decoded.shape == alpha.shape
    assert np.abs(decoded.astype(int) - alpha).max() <= error
    for end in (0, 255):
        assert (decoded[alpha == end] == end).all()


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(["gradient", "shadow", "mask", "noise"]), st.integers(1, 70), st.integers(1, 70),
    st.integers(0, bounded.MAX_ERROR), st.integers(0, 99),
)  # fmt: skip
def test_the_error_is_bounded_and_both_ends_are_exact(
    kind: str, width: int, height: int, error: int, seed: int
) -> None:
    alpha = soft(kind, height, width, seed)
    within(alpha, bounded.from_bytes(bounded.to_bytes(alpha, error), width, height), error)
    within(alpha, bounded.nearest_level(alpha, error), error)
    within(alpha, from_bytes(to_bytes(alpha, error), width, height), error)


def test_two_levels_of_error_take_far_fewer_bytes() -> None:
    for kind, part in (("gradient", 0.35), ("shadow", 0.6), ("mask", 0.9)):
        alpha = soft(kind, 300, 420)
        assert len(to_bytes(alpha, 2)) <= part * len(to_bytes(alpha)), kind


def test_the_bytes_of_a_plane_are_the_same_everywhere() -> None:
    """What a decoder must give for these bytes, now and later: the tables are learnt, and in integers alone."""
    y, x = np.mgrid[:9, :13]
    plane = np.clip(290 - (x - 5) ** 2 * 4 - (y - 4) ** 2 * 7, 0, 255).astype(np.uint8)
    assert bounded.to_bytes(plane, 2).hex() == CODED
    decoded = bounded.from_bytes(bytes.fromhex(CODED), 13, 9)
    assert hashlib.sha256(decoded.tobytes()).hexdigest()[:16] == DECODED


@pytest.mark.parametrize("damage", ["cut", "longer", "bit", "error"])
def test_a_damaged_plane_is_damage_or_a_plane(damage: str) -> None:
    data = bounded.to_bytes(soft("shadow", 30, 40), 2)
    for place in range(2, len(data), 7):
        mutant = bytearray(data)
        if damage == "cut":
            mutant = mutant[:place]
        elif damage == "longer":
            mutant += bytes(place % 8 + 1)
        elif damage == "bit":
            mutant[place] ^= 1 << place % 8
        else:
            mutant[0] = bounded.MAX_ERROR + place % 200 + 1
        try:
            plane = bounded.from_bytes(bytes(mutant), 40, 30)
        except DamagedFileError:
            continue
        assert damage == "bit"
        assert plane.shape == (30, 40)


def test_alpha_of_few_values_is_exact() -> None:
    alpha = noise(40, 50, 1)[..., 0] // 30 * 31
    assert np.array_equal(from_bytes(to_bytes(alpha, 10), 50, 40), alpha)


def test_alpha_qualities_say_how_large_an_error_may_be() -> None:
    assert [alphas.error_asked_for(q, False) for q in (None, 100, 97, 90, 89.5, 50, 0)] == [2, 0, 0, 2, 2, 10, 20]
    assert [alphas.error_asked_for(q, True) for q in (None, 100)] == [0, 0]
    for quality in (-1, 100.5):
        with pytest.raises(UsageError, match="goes from 0 to 100"):
            alphas.error_asked_for(quality, False)
    with pytest.raises(UsageError, match="nan: give a number"):
        alphas.error_asked_for(float("nan"), False)


# The colours below


def sticker(portrait: Image.Image, hidden: str) -> Image.Image:
    """A photograph in a soft disc; below alpha 0 what programs leave there."""
    photo = portrait.crop((120, 60, 376, 316))
    disc = Image.fromarray(soft("mask", 256, 256))
    behind = {
        "noise": Image.fromarray(noise(256, 256, 3, 5)),
        "black": Image.new("RGB", photo.size),
        "other photograph": portrait.crop((200, 300, 456, 556)),
        "fill": Image.fromarray(filled(np.asarray(photo), np.asarray(disc) > 0)),
    }[hidden]
    image = Image.composite(photo, behind, disc.point(lambda value: 255 if value else 0))
    image.putalpha(disc)
    return image


def edge_error(original: Image.Image, decoded: Image.Image, ground: str) -> float:
    """Mean squared error within 8 pixels of the border of what is visible, both laid on one colour."""
    alpha = np.asarray(original)[..., 3]
    y, x = np.mgrid[:256, :256]
    zone = np.abs(np.hypot(y - 128, x - 128) - 256 * 0.4) < 8
    assert (alpha[zone] == 0).any()
    pair = []
    for image in (original, decoded):
        laid = Image.new("RGBA", image.size, ground)
        laid.alpha_composite(image)
        pair.append(np.asarray(laid)[zone][:, :3].astype(float))
    return float(np.mean((pair[0] - pair[1]) ** 2))


def test_hidden_colours_cost_nothing_and_do_not_bleed(portrait: Image.Image) -> None:
    filled_in = sticker(portrait, "fill")
    best = lpcodec.encode(filled_in, quality=50)
    for hidden in ("noise", "black", "other photograph"):
        image = sticker(portrait, hidden)
        data = lpcodec.encode(image, quality=50)
        assert len(data) <= 1.05 * len(best), hidden
        for ground in ("white", "grey", "black"):
            wanted = edge_error(filled_in, lpcodec.decode(best), ground)
            assert edge_error(image, lpcodec.decode(data), ground) <= 1.05 * wanted, (hidden, ground)


def test_exact_keeps_the_hidden_colours(portrait: Image.Image) -> None:
    image = sticker(portrait, "noise")
    kept = lpcodec.encode(image, quality=50, exact=True)
    assert len(kept) > 1.5 * len(lpcodec.encode(image, quality=50))
    hidden = np.asarray(image)[..., 3] == 0
    shown = np.asarray(lpcodec.decode(kept))[hidden][:, :3].astype(float)
    assert np.corrcoef(shown.ravel(), np.asarray(image)[hidden][:, :3].astype(float).ravel())[0, 1] > 0.5
    assert lpcodec.decode(lpcodec.encode(image, lossless=True)).tobytes() == image.tobytes()


def test_a_picture_that_hides_all_of_itself_is_coded() -> None:
    image = image_of("RGBA", 40, 30)
    image.putalpha(0)
    data = lpcodec.encode(image, quality=50)
    assert len(data) < 200
    assert np.asarray(lpcodec.decode(data))[..., 3].max() == 0


def test_visible_grey_is_grey_whatever_is_hidden(portrait: Image.Image) -> None:
    image = sticker(portrait, "noise")
    grey = Image.merge("RGB", [image.convert("L")] * 3)
    hidden = image.getchannel("A").point(lambda value: 255 if value else 0)
    image.paste(grey, mask=hidden)
    image.putalpha(Image.fromarray(soft("mask", 256, 256)))
    decoded = np.asarray(lpcodec.decode(lpcodec.encode(image, quality=30)))
    assert (decoded[..., :3] == decoded[..., :1]).all()


@pytest.mark.parametrize("background", ["white", "#204080", (10, 20, 30)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_a_background_takes_the_place_of_alpha(background: str | tuple[int, int, int], mode: str) -> None:
    image = image_of("P" if mode == "P" else mode, 31, 17)
    if mode == "P":
        image.info["transparency"] = bytes(range(256))
    decoded = lpcodec.decode(lpcodec.encode(image, background=background, lossless=True))
    assert decoded.mode == ("L" if (mode, background) == ("LA", "white") else "RGB")
    laid = Image.new("RGBA", image.size, background)
    laid.alpha_composite(image.convert("RGBA"))
    assert np.abs(np.asarray(decoded.convert("RGB"), int) - np.asarray(laid)[..., :3]).max() <= 1


def test_a_background_leaves_opaque_pictures_alone_and_profiles_fitting() -> None:
    image = image_of("RGB", 9, 7)
    image.info["icc_profile"] = SRGB
    same = alphas.prepared(load(image, max_pixels=None), exact=False, background="red")
    assert np.array_equal(same.pixels, np.asarray(image))
    grey = image_of("LA", 9, 7)
    grey.info["icc_profile"] = GREY_PROFILE
    on_red = alphas.prepared(load(grey, max_pixels=None), exact=False, background="red")
    assert on_red.icc is not None
    assert on_red.icc[16:20] == b"RGB "
    on_white = alphas.prepared(load(grey, max_pixels=None), exact=False, background="white")
    assert on_white.icc == GREY_PROFILE


@pytest.mark.parametrize("background", ["nocolour", "#12", "#11223344", (1, 2), (1, 2, 300), (1.5, 2, 3)])
def test_what_is_no_colour_is_said_in_one_line(background: str | tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="background") as caught:
        lpcodec.encode(image_of("RGB", 3, 3), background=background)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


# In a file


@pytest.mark.parametrize(("quality", "error"), [(None, 2), (100, 0), (50, 10)])
def test_alpha_in_a_file_is_within_its_bound(portrait: Image.Image, quality: float | None, error: int) -> None:
    image = portrait.crop((150, 100, 350, 250))
    image.putalpha(Image.fromarray(soft("shadow", 150, 200)))
    decoded = lpcodec.decode(lpcodec.encode(image, quality=40, alpha_quality=quality))
    within(np.asarray(image)[..., 3], np.asarray(decoded)[..., 3], error)
    lpcodec.verify(lpcodec.encode(image, quality=40, alpha_quality=quality))


def test_a_size_that_alpha_alone_exceeds_says_what_helps(portrait: Image.Image) -> None:
    image = portrait.crop((150, 100, 350, 250))
    image.putalpha(Image.fromarray(soft("noise", 150, 200)))
    with pytest.raises(TargetError, match="are alpha and metadata") as caught:
        lpcodec.encode(image, size=2000)
    assert caught.value.keyword == "alpha_quality"
    assert len(lpcodec.encode(image, size=2000, background="white")) <= 2000


def test_a_lossless_picture_keeps_its_alpha() -> None:
    image = image_of("LA", 20, 10)
    assert lpcodec.decode(lpcodec.encode(image, lossless=True)).tobytes() == image.tobytes()
    assert lpcodec.decode(lpcodec.encode(image, lossless=True, alpha_quality=100)).tobytes() == image.tobytes()
    with pytest.raises(UsageError, match="keeps its alpha"):
        lpcodec.encode(image, lossless=True, alpha_quality=90)


def test_notes_reach_a_python_caller_as_warnings() -> None:
    deep = Image.fromarray(np.full((20, 30), 40_000, np.uint16))
    with pytest.warns(lpcodec.PictureWarning, match="16-bit input reduced to 8 bit") as caught:
        data = lpcodec.encode(deep, quality=50)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "16-bit input reduced to 8 bit" in lpcodec.encode_report(deep, quality=50).notes
        lpcodec.decode(data)
