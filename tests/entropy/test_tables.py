"""Frequency tables: integers that are the same everywhere, and what every table must hold."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.entropy import tables
from lpcodec.entropy.tables import (
    ESCAPE_CLASSES,
    SYMBOL_LIMIT,
    TOTAL,
    TableSet,
    default_scales,
    default_tables,
    escape_code,
    escaped_symbols,
    gaussian_frequencies,
    gaussian_tables,
)

DEFAULT = list(zip(default_scales(), default_tables().radius.tolist(), default_tables().frequencies, strict=True))


def upper_tail(x: float) -> float:
    return math.erfc(x / math.sqrt(2)) / 2


def expected_frequencies(mean: float, scale: float, low: int, high: int) -> np.ndarray:
    """Float reference: 2**16 times the mass of each symbol, then of all others."""
    edges = [(k - 0.5 - mean) / scale for k in range(low, high + 2)]
    masses = [
        upper_tail(a) - upper_tail(b) if a > 0 else upper_tail(-b) - upper_tail(-a)
        for a, b in itertools.pairwise(edges)
    ]
    return TOTAL * np.array([*masses, upper_tail(-edges[0]) + upper_tail(edges[-1])])


def skewed_set() -> TableSet:
    """Two tables that are no Gaussians: one lopsided, one of radius 0."""
    return TableSet(
        np.array([1, 0], np.int16),
        (np.array([9, TOTAL - 1010, 1000, 1], np.int32), np.array([TOTAL - 3, 3], np.int32)),
    )


def test_default_scales_are_the_rounded_geometric_grid() -> None:
    expected = [0.11 * (256 / 0.11) ** (i / 63) * 2**16 for i in range(64)]
    assert np.abs(np.array(default_scales()) - expected).max() <= 0.5 + 1e-6
    assert default_scales()[:3] == (7209, 8153, 9221)
    assert default_scales()[-1] == 256 << 16


def test_upper_tails_agree_with_the_error_function() -> None:
    tails = tables._upper_tails()
    expected = np.array([upper_tail(k / 4096) for k in range(tails.size)]) * 2.0**44
    assert tails[0] == 1 << 43
    assert np.abs(tails - expected).max() < 1.01  # rounded down, and the reference's own last digit


def test_series_constants() -> None:
    assert tables._pi() >> (160 - 128) == 0x3243F6A8885A308D313198A2E03707344  # 2**128 pi
    assert tables._exp_negative(1 << 159) / 2**160 == pytest.approx(math.exp(-0.5), rel=1e-15)


def test_default_tables_are_golden() -> None:
    """Files depend on these tables: they never change."""
    golden = default_tables()
    assert golden.digest().hex() == "6d335db2"
    assert golden.radius[[0, 20, 40, 63]].tolist() == [1, 5, 55, 939]
    assert golden.frequencies[0].tolist() == [1, 65533, 1, 1]
    assert golden.frequencies[20].tolist() == [
        15, 201, 1501, 6295, 14862, 19787, 14862, 6295, 1501, 201, 15, 1
    ]  # fmt: skip


@pytest.mark.parametrize(("scale", "radius", "table"), DEFAULT)
def test_every_default_table(scale: int, radius: int, table: np.ndarray) -> None:
    assert table.dtype == np.int32
    assert table.sum() == TOTAL
    assert table.min() >= 1
    symbols = table[:-1]
    assert np.array_equal(symbols, symbols[::-1])
    assert (np.diff(symbols[radius:]) <= 0).all()
    # Entries below one unit are lifted to it, and the others pay for that in proportion.
    expected = expected_frequencies(0, scale / 2**16, -radius, radius)
    lifted = np.maximum(1 - expected, 0).sum()
    assert (np.abs(table - expected) <= 2 + expected * (lifted + 1) / TOTAL)[expected >= 1].all()
    assert (table[expected < 0.98] == 1).all()
    # The radius is the smallest that leaves at most 2**-12 to the escape, but for the tail's own grid.
    assert expected[-1] <= 16.001
    assert radius == 1 or 2 * upper_tail((radius - 0.5) * 2**16 / scale) * TOTAL > 15.98


def test_default_tables_cost_little_more_than_the_entropy() -> None:
    """Expected code length under each table, escapes included, against the rounded Gaussian's entropy."""
    for index, (scale, _, _) in enumerate(DEFAULT):
        reach = 7 * scale // 2**16 + 2
        mass = expected_frequencies(0, scale / 2**16, -reach, reach)[:-1] / TOTAL
        symbols = np.arange(-reach, reach + 1, dtype=np.int32)
        one = np.array([index], np.uint8)
        lengths = [default_tables().bits(symbols[i : i + 1], one) for i in range(symbols.size)]
        entropy = -(mass[mass > 0] * np.log2(mass[mass > 0])).sum()
        assert 0 <= (mass * lengths).sum() - entropy < 0.003


@settings(max_examples=200, deadline=None)
@given(
    st.integers(-(2**31) + 1, 2**31 - 1),
    st.integers(1, 2**28),
    st.integers(-600, 600),
    st.integers(0, 600),
)
def test_any_gaussian_gives_a_valid_table(mean: int, scale: int, low: int, width: int) -> None:
    table = gaussian_frequencies(mean, scale, low, low + width)
    assert table.shape == (width + 2,)
    assert table.dtype == np.int32
    assert table.sum() == TOTAL
    assert table.min() >= 1


@settings(max_examples=100, deadline=None)
@given(st.integers(-30 << 16, 30 << 16), st.integers(1 << 14, 60 << 16))
def test_shifted_gaussians_follow_the_error_function(mean: int, scale: int) -> None:
    table = gaussian_frequencies(mean, scale, -100, 100)
    expected = expected_frequencies(mean / 2**16, scale / 2**16, -100, 100)
    lifted = np.maximum(1 - expected, 0).sum()
    assert (np.abs(table - expected) <= 2 + expected * (lifted + 1) / TOTAL)[expected >= 1].all()


@pytest.mark.parametrize(
    ("mean", "scale", "low", "high"),
    [
        (0, 0, -1, 1),
        (0, 2**28 + 1, -1, 1),
        (2**31, 1, -1, 1),
        (0, 1, 1, 0),
        (0, 1, -(2**15), 0),
        (0, 1, 0, 2**15),
    ],
)
def test_gaussian_parameters_out_of_range(mean: int, scale: int, low: int, high: int) -> None:
    with pytest.raises(ValueError, match="no Gaussian table"):
        gaussian_frequencies(mean, scale, low, high)


def test_the_widest_gaussian_is_a_valid_table() -> None:
    table = gaussian_frequencies(0, 2**28, -32767, 32767)
    assert (table == 1).all()
    assert table.sum() == TOTAL
    assert gaussian_tables([1, 2**28]).radius.tolist() == [1, 15026]


def test_pack_round_trip() -> None:
    for original in (default_tables(), skewed_set()):
        packed = original.pack()
        assert packed["radius"].dtype == np.int16
        assert packed["frequencies"].dtype == np.uint16
        restored = TableSet.unpack({name: array.astype(np.int32) for name, array in packed.items()})
        assert restored.digest() == original.digest()
        assert np.array_equal(restored.radius, original.radius)
        assert all(map(np.array_equal, restored.frequencies, original.frequencies))


def test_digest_sees_every_unit() -> None:
    packed = default_tables().pack()
    packed["frequencies"][1] -= 1
    packed["frequencies"][2] += 1
    assert TableSet.unpack(packed).digest() != default_tables().digest()


def test_symbols_cover_the_radius() -> None:
    covered = skewed_set().symbols()
    assert [s.tolist() for s in covered] == [[-1, 0, 1], [0]]


def test_arrays_are_copied_and_read_only() -> None:
    table = np.array([TOTAL - 3, 3], np.int32)
    made = TableSet(np.zeros(1, np.int16), (table,))
    table[0] = 0
    assert made.frequencies[0][0] == TOTAL - 3
    with pytest.raises(ValueError, match="read-only"):
        made.frequencies[0][0] = 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: TableSet(np.zeros(0, np.int16), ()),
        lambda: TableSet(np.zeros(257, np.int16), (np.array([TOTAL - 1, 1]),) * 257),
        lambda: TableSet(np.zeros(2, np.int16), (np.array([TOTAL - 1, 1]),)),
        lambda: TableSet(np.zeros((1, 1), np.int16), (np.array([TOTAL - 1, 1]),)),
        lambda: TableSet(np.array([-1], np.int16), (np.zeros(0, np.int32),)),
        lambda: TableSet(np.array([40000]), (np.ones(80002, np.int32),)),
        lambda: TableSet(np.array([0.0]), (np.array([TOTAL - 1, 1]),)),
        lambda: TableSet(np.array([0]), (np.array([TOTAL - 1.0, 1]),)),
        lambda: TableSet(np.array([0]), (np.array([TOTAL - 2, 1, 1]),)),
        lambda: TableSet(np.array([0]), (np.array([TOTAL, 0]),)),
        lambda: TableSet(np.array([0]), (np.array([TOTAL + 1, -1]),)),
        lambda: TableSet(np.array([0]), (np.array([TOTAL, 1]),)),
        lambda: TableSet.unpack({"radius": np.array([0])}),
        lambda: TableSet.unpack({"radius": np.array([0]), "frequencies": np.array([TOTAL - 1, 1, 1])}),
        lambda: TableSet.unpack({"radius": np.array([-1]), "frequencies": np.zeros(0, np.int32)}),
        lambda: TableSet.unpack({"radius": np.zeros(0, int), "frequencies": np.zeros(0, int)}),
        lambda: TableSet.unpack({"radius": np.array(0), "frequencies": np.array([TOTAL - 1, 1])}),
        lambda: gaussian_tables([]),
        lambda: gaussian_tables([0]),
        lambda: gaussian_tables([1] * 257),
    ],
)
def test_invalid_sets_raise(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"table|radius|tables"):
        make()


def test_bits_is_the_sum_of_ideal_code_lengths() -> None:
    symbols = np.array([-1, 0, 1, 0, 2, -5], np.int32)
    indexes = np.array([0, 0, 0, 1, 0, 1], np.uint8)
    plain = [9, TOTAL - 1010, 1000, TOTAL - 3, 1, 3]
    escapes = [(ESCAPE_CLASSES[0], 1), (ESCAPE_CLASSES[2], 3)]  # v = 1 and v = 5
    expected = sum(16 - math.log2(f) for f in plain) + sum(16 - math.log2(f) + n for f, n in escapes)
    assert skewed_set().bits(symbols, indexes) == pytest.approx(expected, rel=1e-12)
    assert skewed_set().bits(symbols[:0], indexes[:0]) == 0


@pytest.mark.parametrize(
    ("symbols", "indexes"),
    [
        (np.zeros(2, np.int32), np.zeros(3, np.uint8)),
        (np.zeros(2, np.int64), np.zeros(2, np.uint8)),
        (np.zeros(2, np.int32), np.zeros(2, np.int32)),
        (np.zeros((1, 2), np.int32), np.zeros((1, 2), np.uint8)),
        (np.zeros(2, np.int32), np.full(2, 2, np.uint8)),
        (np.array([SYMBOL_LIMIT], np.int32), np.zeros(1, np.uint8)),
        (np.array([-SYMBOL_LIMIT], np.int32), np.zeros(1, np.uint8)),
        (np.array([-(2**31)], np.int32), np.zeros(1, np.uint8)),
    ],
)
def test_symbols_and_indexes_are_checked(symbols: np.ndarray, indexes: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"symbols|index"):
        skewed_set().bits(symbols, indexes)


def test_escape_classes_are_golden() -> None:
    assert ESCAPE_CLASSES.tolist() == [
        32199, 16128, 8096, 4080, 2072, 1068, 566, 315, 189, 126, 95, 79, 71, 67, 65, 64, 64, 64, 64, 64
    ]  # fmt: skip
    assert ESCAPE_CLASSES.sum() == TOTAL


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 32767).flatmap(lambda r: st.tuples(st.just(r), st.integers(r + 1, SYMBOL_LIMIT - 1))))
def test_escape_code_is_invertible(case: tuple[int, int]) -> None:
    radius = np.full(2, case[0], np.int16)
    symbols = np.array([case[1], -case[1]], np.int32)
    classes, suffixes = escape_code(symbols, radius)
    assert classes.tolist() == [(case[1] - case[0]).bit_length() - 1] * 2
    assert suffixes.min() >= 0
    assert (suffixes < 2 << classes).all()
    assert np.array_equal(escaped_symbols(classes, suffixes, radius), symbols)
