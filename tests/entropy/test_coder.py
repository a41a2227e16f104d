"""The range coder: what its words mean, exactness against the tables, and what damage does."""

import hashlib
import math
from collections.abc import Iterator

import constriction
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.entropy import coder
from lpcodec.entropy.coder import CorruptStreamError, Decoder, Encoder, symbols_hash
from lpcodec.entropy.tables import (
    ESCAPE_CLASSES,
    SYMBOL_LIMIT,
    TOTAL,
    TableSet,
    default_scales,
    default_tables,
    gaussian_frequencies,
)

WORD = 1 << 32
STATE = 1 << 64

LOPSIDED = TableSet(
    np.array([1, 0, 300], np.int16),
    (
        np.array([9, TOTAL - 1010, 1000, 1], np.int32),
        np.array([1, TOTAL - 1], np.int32),
        gaussian_frequencies(-(7 << 16), 40 << 16, -300, 300),
    ),
)


class ReferenceDecoder:
    """The coded words' meaning: a range decoder over a 64-bit interval with 24-bit cumulative frequencies."""

    def __init__(self, data: bytes) -> None:
        self.words = iter(np.frombuffer(data, "<u4").tolist())
        self.offset = next(self.words, 0) * WORD + next(self.words, 0)  # code point less start
        self.range = STATE - 1

    def entry(self, cumulative: list[int]) -> int:
        """The next entry of a table with cumulative frequencies 0, ..., 2**24."""
        scale = self.range >> 24
        quantile = self.offset // scale
        assert quantile < 1 << 24
        entry = next(i for i, end in enumerate(cumulative[1:]) if quantile < end)
        self.offset -= cumulative[entry] * scale
        self.range = (cumulative[entry + 1] - cumulative[entry]) * scale
        if self.range < WORD:
            self.range *= WORD
            self.offset = self.offset * WORD + next(self.words, 0)
        return entry

    def symbols(self, indexes: list[int], tables: TableSet) -> list[int]:
        """What one `put` with these indexes appended."""
        result = [0] * len(indexes)
        escaped = []
        for i in sorted(range(len(indexes)), key=indexes.__getitem__):  # stable
            radius = int(tables.radius[indexes[i]])
            result[i] = self.entry(cumulatives(tables.frequencies[indexes[i]])) - radius
            if result[i] > radius:
                escaped.append(i)
        classes = {i: self.entry(cumulatives(ESCAPE_CLASSES)) for i in sorted(escaped)}
        for i in sorted(classes, key=classes.__getitem__):
            bits = classes[i] + 1
            suffix = self.entry([k << (24 - bits) for k in range((1 << bits) + 1)])
            negative, low = divmod(suffix, 1 << classes[i])
            magnitude = int(tables.radius[indexes[i]]) + (1 << classes[i]) + low
            result[i] = -magnitude if negative else magnitude
        return result


def cumulatives(frequencies: np.ndarray) -> list[int]:
    return [0, *(np.cumsum(frequencies.astype(np.int64)) << 8).tolist()]


def encoded(*puts: tuple[np.ndarray, np.ndarray, TableSet]) -> bytes:
    encoder = Encoder()
    for symbols, indexes, tables in puts:
        encoder.put(symbols, indexes, tables)
    return encoder.finish()


def gaussian_symbols(seed: int, count: int, scales: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Symbols that fit the default scales, every twentieth eight times as large so that some escape."""
    rng = np.random.default_rng(seed)
    indexes = rng.integers(0, scales, count).astype(np.uint8)
    values = rng.normal(size=count) * np.array(default_scales())[indexes] / 2**16
    values[::20] *= 8
    return np.rint(values).astype(np.int32), indexes


def all_models() -> Iterator[tuple[np.ndarray, object]]:
    yield from zip(default_tables().frequencies, coder._models(default_tables()), strict=True)
    yield from zip(LOPSIDED.frequencies, coder._models(LOPSIDED), strict=True)
    yield ESCAPE_CLASSES, coder._CLASS_MODEL
    for klass, model in enumerate(coder._SUFFIX_MODELS[:12]):
        yield np.full(2 << klass, TOTAL >> (klass + 1)), model


def test_every_boundary_of_every_model_is_the_tables_own() -> None:
    """The library's decoder at the first code point of each entry, and at the last one before it."""
    scale = (STATE - 1) >> 24
    for frequencies, model in all_models():
        for entry, start in enumerate(cumulatives(frequencies)):
            for point, expected in ((start * scale, entry), (start * scale - 1, entry - 1)):
                if 0 <= expected < len(frequencies):
                    words = np.array([point // WORD, point % WORD], np.uint32)
                    decoder = constriction.stream.queue.RangeDecoder(words)
                    assert decoder.decode(model, 1)[0] == expected


def test_widest_suffixes_are_plain_bits() -> None:
    """Too many to probe one by one: the classes that the boundary test leaves out."""
    scale = (STATE - 1) >> 24
    for klass in range(12, ESCAPE_CLASSES.size):
        for suffix in np.linspace(1, (2 << klass) - 1, 500).astype(int).tolist():
            start = suffix << (23 - klass)
            for point, expected in ((start * scale, suffix), (start * scale - 1, suffix - 1)):
                words = np.array([point // WORD, point % WORD], np.uint32)
                decoder = constriction.stream.queue.RangeDecoder(words)
                assert decoder.decode(coder._SUFFIX_MODELS[klass], 1)[0] == expected


def test_reference_decoder_reads_every_entry_of_every_table() -> None:
    for tables in (default_tables(), LOPSIDED):
        for index, radius in enumerate(tables.radius.tolist()):
            symbols = np.arange(-radius - 2, radius + 3, dtype=np.int32)
            data = encoded((symbols, np.full(symbols.size, index, np.uint8), tables))
            reference = ReferenceDecoder(data)
            table = cumulatives(tables.frequencies[index])
            entries = [reference.entry(table) for _ in range(symbols.size)]
            assert entries == [2 * radius + 1] * 2 + list(range(2 * radius + 1)) + [2 * radius + 1] * 2


def test_reference_decoder_reads_whole_streams() -> None:
    for seed in range(20):
        symbols, indexes = gaussian_symbols(seed, 60, scales=40)
        symbols[:5] = [70000, -70000, 9, -9, 1000]
        mixed = np.random.default_rng(seed).integers(0, 3, 40).astype(np.uint8)
        second = np.random.default_rng(seed).integers(-9, 9, 40).astype(np.int32)
        data = encoded((symbols, indexes, default_tables()), (second, mixed, LOPSIDED))
        reference = ReferenceDecoder(data)
        assert reference.symbols(indexes.tolist(), default_tables()) == symbols.tolist()
        assert reference.symbols(mixed.tolist(), LOPSIDED) == second.tolist()


def test_golden_words() -> None:
    """Files hold such words: they never change."""
    symbols = np.array([0, 1, -1, 2, -40, 1000, 3, -1048575, 0, 12], np.int32)
    indexes = np.array([0, 5, 9, 20, 30, 63, 0, 2, 1, 33], np.uint8)
    data = encoded((symbols, indexes, default_tables()), (symbols[:4], indexes[:4] % 3, LOPSIDED))
    assert np.frombuffer(data, "<u4").tolist() == [4294836220, 4232826137, 3994711212, 2516122543, 4084947069]
    large = encoded((*gaussian_symbols_exactly(), default_tables()))
    assert len(large) == 18728
    assert hashlib.blake2s(large, digest_size=8).hexdigest() == "5d4148461636fe6a"


def gaussian_symbols_exactly() -> tuple[np.ndarray, np.ndarray]:
    """20,000 symbols by integer arithmetic alone: sums of four random numbers, scaled by the radius."""
    state = np.arange(1, 100001, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state ^= state >> np.uint64(29)
    state *= np.uint64(0xBF58476D1CE4E5B9)
    noise = (state >> np.uint64(48)).astype(np.int64).reshape(5, -1)
    indexes = (noise[0] % 64).astype(np.uint8)
    radius = default_tables().radius.astype(np.int64)[indexes]
    return ((noise[1:].sum(0) - 131070) * radius >> 16).astype(np.int32), indexes


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 63),
            st.one_of(st.integers(-3, 3), st.integers(-1200, 1200), st.integers(1 - SYMBOL_LIMIT, SYMBOL_LIMIT - 1)),
        ),
        max_size=80,
    ),
    st.integers(0, 80),
)
def test_round_trip_of_any_symbols_in_any_portions(values: list[tuple[int, int]], cut: int) -> None:
    indexes = np.array([index for index, _ in values], np.uint8)
    symbols = np.array([symbol for _, symbol in values], np.int32)
    parts = [slice(0, cut), slice(cut, None)]
    puts = [(symbols[part], indexes[part], default_tables()) for part in parts]
    data = encoded(*puts)
    assert data == encoded(*puts)
    decoder = Decoder(data)
    for part in parts:
        decoded = decoder.get(indexes[part], default_tables())
        assert decoded.dtype == np.int32
        assert np.array_equal(decoded, symbols[part])
    decoder.finish()
    assert_length(data, sum(default_tables().bits(s, i) for s, i, _ in puts), 3 * len(values))


def assert_length(data: bytes, bits: float, coded: int) -> None:
    """Never below the ideal length; above it by at most 64 bits and 0.006 bits a coded value."""
    assert bits <= 8 * len(data) <= bits + 64 + 0.006 * coded


@pytest.mark.parametrize("count", [1, 2, 3, 10, 100, 1000, 100_000])
def test_length_is_close_to_the_estimate(count: int) -> None:
    for seed in range(3):
        symbols, indexes = gaussian_symbols(seed, count)
        data = encoded((symbols, indexes, default_tables()))
        bits = default_tables().bits(symbols, indexes)
        assert_length(data, bits, 2 * count)
        assert bits <= 8 * len(data) <= 1.01 * bits + 128


def test_what_the_coder_rounds_away() -> None:
    """A million near-certain symbols, 66 bits in all: the worst case for the relative overhead."""
    zeros = np.zeros(1_000_000, np.int32)
    data = encoded((zeros, zeros.astype(np.uint8), default_tables()))
    bits = default_tables().bits(zeros, zeros.astype(np.uint8))
    assert bits == pytest.approx(1e6 * math.log2(TOTAL / (TOTAL - 3)))
    assert bits <= 8 * len(data) <= bits + 64 + 0.0002 * zeros.size


def test_later_indexes_may_depend_on_earlier_symbols() -> None:
    symbols, indexes = gaussian_symbols(1, 500)
    later = np.clip(np.abs(symbols), 0, 63).astype(np.uint8)
    data = encoded((symbols, indexes, default_tables()), (symbols[::-1], later, default_tables()))
    decoder = Decoder(data)
    first = decoder.get(indexes, default_tables())
    second = decoder.get(np.clip(np.abs(first), 0, 63).astype(np.uint8), default_tables())
    decoder.finish()
    assert np.array_equal(first, symbols)
    assert np.array_equal(second, symbols[::-1])


def test_nothing_takes_no_bytes() -> None:
    empty = np.zeros(0, np.int32), np.zeros(0, np.uint8), default_tables()
    assert encoded() == encoded(empty, empty) == b""
    decoder = Decoder(b"")
    assert decoder.get(*empty[1:]).shape == (0,)
    decoder.finish()


def test_invalid_symbols_append_nothing() -> None:
    encoder = Encoder()
    for symbols, indexes in (
        (np.array([0, SYMBOL_LIMIT], np.int32), np.zeros(2, np.uint8)),
        (np.zeros(2, np.int32), np.array([0, 64], np.uint8)),
        (np.zeros(2, np.int32), np.zeros(3, np.uint8)),
    ):
        with pytest.raises(ValueError, match=r"symbols|index"):
            encoder.put(symbols, indexes, default_tables())
    assert encoder.finish() == b""
    with pytest.raises(ValueError, match="index"):
        Decoder(b"").get(np.array([64], np.uint8), default_tables())


def take(data: bytes, indexes: np.ndarray, tables: TableSet) -> np.ndarray:
    decoder = Decoder(data)
    symbols = decoder.get(indexes, tables)
    decoder.finish()
    return symbols


def test_cut_or_lengthened_streams_are_noticed() -> None:
    for count in (1, 2, 5, 40, 300):
        symbols, indexes = gaussian_symbols(count, count)
        data = encoded((symbols, indexes, default_tables()))
        cut = [data[:-1], data[:-4], data[4:]]
        lengthened = [data + b"\0", data + bytes(4), data + b"\1\0\0\0", data + data]
        for other in cut + lengthened:
            with pytest.raises(CorruptStreamError):
                take(other, indexes, default_tables())
        with pytest.raises(CorruptStreamError):
            Decoder(data).finish()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100), st.integers(0, 2), st.integers(0, 300))
def test_hostile_bytes_raise_or_are_a_stream_of_their_own(data: bytes, index: int, count: int) -> None:
    """Whatever the bytes: CorruptStreamError, or symbols that encode to these very bytes."""
    indexes = np.full(count, index, np.uint8)
    try:
        symbols = take(data, indexes, LOPSIDED)
    except CorruptStreamError:
        return
    assert encoded((symbols, indexes, LOPSIDED)) == data


def test_code_points_beyond_the_last_entry_are_nonsense() -> None:
    """The interval is not divided evenly: all ones lie above every entry."""
    with pytest.raises(CorruptStreamError, match="belong to no symbols"):
        Decoder(b"\xff" * 8).get(np.zeros(1, np.uint8), default_tables())


def test_every_flipped_bit_raises_or_changes_the_symbols() -> None:
    symbols, indexes = gaussian_symbols(3, 60)
    data = encoded((symbols, indexes, default_tables()))
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            assert not np.array_equal(take(bytes(flipped), indexes, default_tables()), symbols)
        except CorruptStreamError:
            continue


def test_an_escape_beyond_the_limit_is_nonsense() -> None:
    """Class 19 with its largest positive suffix, above a radius of 300."""
    words = constriction.stream.queue.RangeEncoder()
    for value, model in ((2 * 300 + 1, coder._models(LOPSIDED)[2]), (19, coder._CLASS_MODEL)):
        words.encode(np.array([value], np.int32), model)
    words.encode(np.array([(1 << 19) - 1], np.int32), coder._SUFFIX_MODELS[19])
    data = words.get_compressed().astype("<u4").tobytes()
    with pytest.raises(CorruptStreamError, match="magnitude"):
        Decoder(data).get(np.array([2], np.uint8), LOPSIDED)


def test_symbols_hash() -> None:
    a, b = np.array([1, -2, 3], np.int32), np.array([4], np.int32)
    content = (3).to_bytes(8, "little") + a.astype("<i4").tobytes() + (1).to_bytes(8, "little") + b"\4\0\0\0"
    assert symbols_hash(a, b) == hashlib.blake2s(content, digest_size=4).digest()
    assert symbols_hash(a.astype(np.int16), b.astype(np.uint8)) == symbols_hash(a, b)
    assert symbols_hash(np.asfortranarray(a.reshape(1, 3)), b) == symbols_hash(a, b)
    assert len({symbols_hash(a, b), symbols_hash(b, a), symbols_hash(np.append(a, b)), symbols_hash()}) == 4
    with pytest.raises(ValueError, match="int32"):
        symbols_hash(a.astype(np.int64))
