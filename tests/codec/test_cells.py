"""Stored cells: the section is the mirror of itself, the choice is by cost, and the seams show nothing."""

import zlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw

import lpcodec
from lpcodec.codec import cells, container, lossless
from lpcodec.codec.cell_choice import CellChoice, _Choice
from lpcodec.codec.cells import Cells
from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.fill import filled
from lpcodec.codec.palette import distinct_colours, fewer_colours
from lpcodec.codec.varint import varint

MIDDLE_LAMBDA = 5e-3
"""That of quality 50."""


def noise(height: int, width: int, channels: int = 3, seed: int = 1) -> np.ndarray:
    """What no lossless coder makes smaller."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def page(height: int = 96, width: int = 128) -> np.ndarray:
    """A page of text: black on white, with grey levels at the letters' edges."""
    image = Image.new("L", (2 * width, 2 * height), 255)
    for line in range(0, 2 * height, 24):
        ImageDraw.Draw(image).text((4, line), "the quick brown fox jumps over the lazy dog", fill=0)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX).convert("RGB"))


@settings(deadline=None, max_examples=40)
@given(st.data(), st.integers(1, 50), st.integers(1, 150), st.booleans())
def test_a_section_gives_back_the_cells(data: st.DataObject, height: int, width: int, grey: bool) -> None:
    stored = data.draw(arrays.arrays(bool, cells.grid_size(height, width)).filter(np.any))
    before = Cells(stored, noise(height, width, 1 if grey else 3))
    after = cells.from_bytes(cells.to_bytes(before), width, height, grey)
    np.testing.assert_array_equal(after.stored, before.stored)
    np.testing.assert_array_equal(after.pixels, before.pixels)


def test_no_stored_cell_is_no_section() -> None:
    with pytest.raises(ValueError, match="no cell is stored"):
        cells.to_bytes(Cells(np.zeros((1, 1), bool), noise(16, 16)))


def _payload(raw_map: bytes, pixels: np.ndarray) -> bytes:
    packed = container.deflated(raw_map)
    return varint(len(packed)) + packed + lossless.stored_to_bytes(pixels)


def test_rows_of_the_map_are_differences_from_the_row_above() -> None:
    """The first row is 11, and what changes from row to row is 11, too: 11, 00, 11."""
    read = cells.from_bytes(_payload(b"\xc0\xc0\xc0", noise(40, 30)), 30, 40, False)
    assert read.stored.tolist() == [[True, True], [False, False], [True, True]]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "the map has no length"),
        (b"\x80\x00", "the map has no length"),
        (b"\x01\xff", "not a deflate stream"),
        (b"\x09\x03", "doesn't end where the section does"),
        (_payload(b"\xc0\x00", noise(40, 30)), "a map of 2 bytes for 2 x 3 cells"),
        (_payload(b"\xc0\x00\x00\x00", noise(40, 30)), "more than 3 bytes"),
        (_payload(b"\x00\x00\x00", noise(40, 30)), "or with none"),
        (_payload(b"\x20\x00\x00", noise(40, 30)), "cells outside the picture"),
        (_payload(b"\xc0\x00\x00", noise(40, 31)), "31 x 40 pixels inside a file of 30 x 40"),
        (_payload(b"\xc0\x00\x00", noise(40, 30))[:-9], "can't be decoded"),
    ],
)
def test_damage_is_named(payload: bytes, words: str) -> None:
    with pytest.raises(DamagedFileError, match=words):
        cells.from_bytes(payload, 30, 40, False)


def test_a_map_that_inflates_without_end_is_refused() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = bomb.compress(bytes(20 << 20)) + bomb.flush()
    with pytest.raises(DamagedFileError, match="more than 3 bytes"):
        cells.from_bytes(varint(len(stream)) + stream, 30, 40, False)


def test_pasting_shows_stored_cells_and_leaves_the_others() -> None:
    decoded, stored = noise(40, 50), noise(40, 50, seed=2)
    map_ = np.zeros((3, 4), bool)
    map_[2, 3] = map_[0, 1] = True
    result = cells.pasted(decoded.copy(), Cells(map_, stored))
    shown = np.zeros((40, 50), bool)
    shown[:16, 16:32] = shown[32:, 48:] = True
    np.testing.assert_array_equal(result, np.where(shown[..., None], stored, decoded))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255), st.integers(0, 2**31))
def test_filling_keeps_what_is_known_and_continues_it(height: int, width: int, value: int, seed: int) -> None:
    known = np.random.default_rng(seed).random((height, width)) < 0.3
    pixels = np.where(known[..., None], np.uint8(value), noise(height, width))
    expected = value if known.any() else 128
    result = filled(pixels, known)
    np.testing.assert_array_equal(result, np.full_like(pixels, expected))


def test_filling_is_smooth_between_what_is_known() -> None:
    """Between a dark and a bright border, no step is larger than a few times that of a straight ramp."""
    pixels, known = noise(300, 256), np.zeros((300, 256), bool)
    known[:, :16] = known[:, -16:] = True
    pixels[:, :16], pixels[:, -16:] = 20, 240
    result = filled(pixels, known).astype(int)
    np.testing.assert_array_equal(result[known], pixels[known])
    assert np.abs(np.diff(result, axis=1)).max() <= 8
    assert np.abs(np.diff(result, axis=0)).max() <= 2


@settings(deadline=None, max_examples=40)
@given(arrays.arrays(np.uint8, (40, 3), elements=st.integers(0, 255)), st.floats(1e-4, 0.2))
def test_colours_are_replaced_by_at_most_256(pixels: np.ndarray, lmbda: float) -> None:
    colours, numbers = distinct_colours(pixels)
    np.testing.assert_array_equal(colours[numbers], pixels)
    replaced = fewer_colours(colours, np.bincount(numbers), lmbda)
    assert replaced.shape == colours.shape
    assert len(np.unique(replaced, axis=0)) <= 256


def test_more_lambda_is_more_colours_and_the_background_stays_exact() -> None:
    colours, numbers = distinct_colours(page().reshape(-1, 3))
    counts = np.bincount(numbers)
    kept = [len(np.unique(fewer_colours(colours, counts, lmbda), axis=0)) for lmbda in (1e-4, 1e-3, 1e-2, 1.0)]
    assert kept == sorted(kept)
    assert kept[0] < len(colours) / 2
    assert kept[-1] >= len(colours) - 2
    white = counts.argmax()
    assert (fewer_colours(colours, counts, 1e-4)[white] == 255).all()


def test_noise_has_no_candidates_and_is_not_stored() -> None:
    assert CellChoice.of(noise(64, 64)) is None


@pytest.mark.parametrize("grey", [False, True])
def test_text_is_stored_and_noise_beside_it_is_not(grey: bool) -> None:
    text = page()
    pixels = np.concatenate([text, noise(*text.shape[:2])], 1)[..., : 1 if grey else 3]
    choice = CellChoice.of(pixels)
    assert choice is not None
    chosen = choice.at(MIDDLE_LAMBDA)
    assert chosen is not None
    columns = text.shape[1] // cells.CELL
    assert chosen.drawn
    assert chosen.cells.stored[:, :columns].mean() > 0.9
    assert not chosen.cells.stored[:, columns:].any()
    again = cells.from_bytes(chosen.payload, pixels.shape[1], pixels.shape[0], grey)
    np.testing.assert_array_equal(again.stored, chosen.cells.stored)
    shown = cells.by_pixel(again.stored, *pixels.shape[:2])
    error = pixels[shown].astype(int) - again.pixels[shown]
    assert np.square(error).mean() < 12
    assert (again.pixels[shown][pixels[shown].min(-1) == 255] == 255).all()


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ((80, 1000), (60, 100), "second"), ((200, 1000), (60, 100), "first"), ((200, 1000), (300, 1000), "second"),
        ((200, 1000), None, "first"), ((-2000, 1000), (900, 1000), "even"), ((80, 1000), (90, 1000), "even"),
    ],
)  # fmt: skip
def test_the_choice_that_gains_most_is_taken_of_those_that_pay(
    first: tuple[float, float], second: tuple[float, float] | None, taken: str
) -> None:
    """Choices are given by their gain and by what coding their cells costs; a tenth of that has to be gained."""

    def candidates(name: str, figures: tuple[float, float] | None) -> Any:
        chosen: Any = SimpleNamespace(name=name, cells=SimpleNamespace(stored=None))
        choice = figures and _Choice(chosen, *figures, bits_per_change=1.0)
        return SimpleNamespace(cells=None, choose=lambda *_: choice, even=lambda: SimpleNamespace(name="even"))

    choice = CellChoice(noise(16, 16), np.ones((1, 1)))
    vars(choice).update(_drawn=candidates("first", first), _possible=candidates("second", second))
    found: Any = choice.at(MIDDLE_LAMBDA)
    assert found.name == taken


def test_a_flat_background_is_stored_exactly() -> None:
    pixels = np.full((256, 256, 3), 255, np.uint8)
    pixels[96:160, 96:160] = noise(64, 64)
    choice = CellChoice.of(pixels)
    assert choice is not None
    chosen = choice.at(MIDDLE_LAMBDA)
    assert chosen is not None
    expected = np.ones((16, 16), bool)
    expected[6:10, 6:10] = False
    np.testing.assert_array_equal(chosen.cells.stored, expected)
    assert (chosen.cells.pixels[:96] == 255).all()
    assert len(chosen.payload) < 100
    assert not chosen.drawn
    assert choice.even is not None
    assert choice.even.payload == chosen.payload


@pytest.mark.parametrize("ground", [255, 0])
@pytest.mark.parametrize("quality", [10, 20, 50, 70])
def test_an_even_background_stays_exact_around_a_photograph(portrait: Image.Image, ground: int, quality: int) -> None:
    """A product on white: storing pays for the background alone, not for the cells at the photograph's edge."""
    picture = Image.new("RGB", (256, 256), (ground,) * 3)
    picture.paste(portrait.crop((130, 60, 230, 160)), (80, 80))
    decoded = np.asarray(lpcodec.decode(lpcodec.encode(picture, quality=quality)))
    far = np.ones((256, 256), bool)
    far[50:210, 50:210] = False
    assert (decoded[far] == ground).all()
