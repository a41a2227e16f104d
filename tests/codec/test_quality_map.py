"""The qualities of squares: the section is the mirror of itself, by its written rules, and damage has an error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lpcodec.codec import quality_map
from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.quality import Quality
from lpcodec.codec.quality_map import MOST, SIDES, STEP_UNITS, QualityMap
from lpcodec.entropy.coder import Encoder
from lpcodec.entropy.tables import default_tables

OFFSETS = arrays.arrays(
    np.int32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(-MOST, MOST)
).filter(np.any)


def payload_of(residuals: list[list[int]], index: int = 20, side: int = 64) -> bytes:
    """A payload from the words of the specification: differences from the predictions, in one table."""
    symbols = np.array(residuals, np.int32).ravel()
    encoder = Encoder()
    encoder.put(symbols, np.full(symbols.size, index, np.uint8), default_tables())
    return bytes([SIDES.index(side) | index << 2]) + encoder.finish()


@given(OFFSETS, st.sampled_from(SIDES))
def test_a_section_gives_back_the_map(offsets: np.ndarray, side: int) -> None:
    height, width = (side * count for count in offsets.shape)
    for short in (0, side - 1):  # squares that the picture cuts off
        found = quality_map.from_bytes(quality_map.to_bytes(QualityMap(side, offsets)), height - short, width - short)
        assert found.side == side
        np.testing.assert_array_equal(found.offsets, offsets)


def test_the_words_of_a_large_map_with_one_offset_take_a_byte_for_400_squares() -> None:
    offsets = np.zeros((60, 80), np.int32)
    offsets[40, 30] = 2
    payload = quality_map.to_bytes(QualityMap(64, offsets))
    assert payload[0] >> 2 >= 5
    assert offsets.size / 400 <= len(payload) <= offsets.size / 100


def test_offsets_are_predicted_from_the_left_and_above() -> None:
    found = quality_map.from_bytes(payload_of([[3, -1, 0], [1, 2, -4]]), 128, 192)
    # The second row: 3 + 1; (4 + 2 + 1) // 2 + 2; (5 + 2 + 1) // 2 - 4.
    assert found.offsets.tolist() == [[3, 2, 2], [4, 5, 0]]


def test_a_unit_is_a_32nd_of_the_quality_and_the_ends_hold() -> None:
    found = QualityMap(64, np.array([[-15, -1, 0, 2, 15]], np.int32))
    assert found.units(Quality(4000)).tolist() == [[0, 1952, 4000, 8096, 34720]]
    assert found.units(Quality(65000)).tolist() == [[65000 - 15 * STEP_UNITS, 62952, 65000, 65535, 65535]]


@given(OFFSETS, st.sampled_from(SIDES), st.data())
def test_a_part_has_the_squares_of_the_whole(offsets: np.ndarray, side: int, data: st.DataObject) -> None:
    whole = QualityMap(side, offsets)
    top, left = (data.draw(st.integers(0, side * count - 1)) for count in offsets.shape)
    by_pixel = offsets.repeat(side, 0).repeat(side, 1)
    part = whole.part(top, left)
    assert 0 <= part.top < side
    assert 0 <= part.left < side
    found = part.offsets.repeat(side, 0).repeat(side, 1)[part.top :, part.left :]
    np.testing.assert_array_equal(found, by_pixel[top:, left:])
    again = part.part(3, 5) if min(found.shape) > 5 else part
    if again is not part:
        expected = found[3:, 5:]
        np.testing.assert_array_equal(
            again.offsets.repeat(side, 0).repeat(side, 1)[again.top :, again.left :], expected
        )


def test_cheap_offsets_are_the_nearest_if_that_matters_and_few_bits_if_not() -> None:
    wanted = np.random.default_rng(0).normal(scale=2, size=(12, 15))
    stiff = quality_map.cheap(wanted, np.full(wanted.shape, 1e6), 5)
    np.testing.assert_array_equal(stiff, np.rint(wanted).clip(-5, 5))
    soft = quality_map.cheap(wanted, np.full(wanted.shape, 1e-3), 5)
    assert np.abs(soft - wanted.clip(-5, 5)).max() <= 2.5
    sizes = [len(quality_map.to_bytes(QualityMap(64, offsets))) for offsets in (stiff, soft)]
    assert sizes[1] < 0.6 * sizes[0]


def test_a_map_of_zeros_is_no_section() -> None:
    with pytest.raises(ValueError, match="all squares have the file's quality"):
        quality_map.to_bytes(QualityMap(64, np.zeros((2, 3), np.int32)))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "are missing"),
        (payload_of([[0, 0], [0, 0]]), "are all the file's own"),
        (payload_of([[0, 1], [0, 0]], 4), "table 4, which none may use"),
        (payload_of([[15, 1], [0, 0]], 30), "beyond 15 steps"),
        (payload_of([[0, 0], [-16, 0]], 30), "beyond 15 steps"),
        (payload_of([[500_000, 0], [0, 0]], 30), "beyond 15 steps"),
        (payload_of([[1, 0], [2, 0]])[:-4], "can't be read"),
        (payload_of([[1, 0], [2, 0]]) + bytes(4), "can't be read"),
        (payload_of([[1, 0], [2, 0]])[:-1], "can't be read"),
        (payload_of([[1, 0, 0], [2, 0, 0]]), "can't be read"),
        (bytes([1 | 63 << 2]), "can't be read"),
    ],
)
def test_damage_has_an_error(payload: bytes, message: str) -> None:
    with pytest.raises(DamagedFileError, match=message):
        quality_map.from_bytes(payload, 128, 128)


@pytest.mark.parametrize("index", [5, 20, 63])
def test_a_small_section_cant_declare_a_large_map(index: int) -> None:
    with pytest.raises(DamagedFileError, match="cut short"):
        quality_map.from_bytes(bytes([index << 2]) + bytes(40), 2**24, 2**24)
