"""Tiles: every place is produced once, and read with as much around it as there is."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.tiles import Span, grid, spans

LENGTHS = st.integers(1, 300)
CORES = st.integers(1, 80)
HALOS = st.integers(0, 20)


@given(LENGTHS, CORES, HALOS)
def test_cores_cover_everything_once_in_order(length: int, core: int, halo: int) -> None:
    covered = [place for span in spans(length, core, halo) for place in range(length)[span.core]]
    assert covered == list(range(length))


@given(LENGTHS, CORES, HALOS)
def test_halos_end_where_the_picture_ends(length: int, core: int, halo: int) -> None:
    for span in spans(length, core, halo):
        assert 0 < span.stop - span.start <= core
        assert span.outer_start == max(0, span.start - halo)
        assert span.outer_stop == min(length, span.stop + halo)


@given(LENGTHS, CORES, HALOS, st.integers(1, 32))
def test_the_inner_part_of_what_is_read_is_the_core(length: int, core: int, halo: int, factor: int) -> None:
    line = np.arange(length * factor)
    for span in spans(length, core, halo):
        fine = span.scaled(factor)
        assert np.array_equal(line[fine.outer][fine.inner], line[fine.core])
        assert (fine.stop - fine.start) == factor * (span.stop - span.start)


@given(LENGTHS, CORES, HALOS)
def test_halved_spans_cover_the_half_once(length: int, core: int, halo: int) -> None:
    half = np.arange(ceil_div(length, 2))
    halved = [span.halved() for span in spans(length, 2 * core, 2 * halo)]
    assert [place for span in halved for place in half[span.core]] == list(half)
    for span in halved:
        assert np.array_equal(half[span.outer][span.inner], half[span.core])


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 30), HALOS)
def test_a_grid_covers_a_picture_once_row_by_row(height: int, width: int, core: int, halo: int) -> None:
    count = np.zeros((height, width), int)
    corners = []
    for rows, columns in grid(height, width, core, halo):
        count[rows.core, columns.core] += 1
        corners.append((rows.start, columns.start))
    assert (count == 1).all()
    assert corners == sorted(corners)


def test_one_tile_reads_what_it_produces() -> None:
    assert spans(64, 64, 3) == [Span(0, 64, 0, 64)]
    assert spans(65, 64, 3) == [Span(0, 64, 0, 65), Span(64, 65, 61, 65)]


def test_nothing_has_no_tiles() -> None:
    assert spans(0, 8, 1) == []
