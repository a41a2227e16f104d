"""The quality that a file holds, and the number for people."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpcodec.codec import container, rate
from lpcodec.codec.container import Header, Kind, LpcFile, Section, SectionType
from lpcodec.codec.quality import COARSEST, FINEST_UNITS, Quality


def test_numbers_for_people_are_clamped_and_rounded() -> None:
    assert [Quality.of(number).units for number in (-1, 0, 50, 100, 101)] == [0, 0, 32768, 65535, 65535]
    assert COARSEST == Quality.of(0) < Quality.of(50) < Quality.of(100)


@given(st.integers(0, FINEST_UNITS))
def test_a_quality_survives_its_number_and_a_file(units: int) -> None:
    quality = Quality(units)
    assert Quality.of(quality.number) == quality
    header = Header(8, 8, Kind.MODEL, False, 1, b"abcd", quality, b"hash")
    file = LpcFile(header, (Section(SectionType.LATENTS, b"x"),))
    assert container.read(container.write(file)).header.quality == quality


@pytest.mark.parametrize("units", [-1, FINEST_UNITS + 1])
def test_no_other_units(units: int) -> None:
    with pytest.raises(ValueError, match=f"quality of {units} units: they go from 0 to 65535"):
        Quality(units)
    with pytest.raises(ValueError, match="they go from"):
        dataclasses.replace(COARSEST, units=units)


@given(st.floats(0, 100), st.floats(1, 2000))
def test_a_search_tries_only_what_a_file_can_hold(guess: float, limit: float) -> None:
    tried: list[float] = []

    def at(quality: float) -> tuple[float, int]:
        tried.append(quality)
        return quality, round(10 + quality**1.5)

    rate.quality_for_size(at, round(limit), rate.Expected.usual(0.05, 4.0), guess)
    assert all(Quality.of(quality).number == quality for quality in tried)
