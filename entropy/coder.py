"""The range coder: from integer symbols and the indexes of their tables to 32-bit words, and back.

The words are those of constriction's queue coder at 24 bits of precision. A decoder of twenty lines in the tests
describes them without the library. A stream holds any number of arrays: each `put` appends one, and a `get` with the
same indexes and tables returns it, in the same order.

A `put` codes the symbols sorted by their table indexes (stably), so that the library is called once per table. Then it
codes the escapes: first the classes of all, in the order of the array, then their suffixes, sorted by class (stably).

A stream is never shorter than the sum of `TableSet.bits`. It is at most 8 bytes longer, plus what the coder's 64-bit
state loses by rounding: at most 0.006 bits per coded value, 0.0002 on average. That matters only if millions of symbols
cost almost nothing.
"""

import hashlib
import weakref
from dataclasses import dataclass
from typing import Any

import constriction  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from lpcodec.entropy.tables import (
    ESCAPE_CLASSES,
    PRECISION_BITS,
    SYMBOL_LIMIT,
    TableSet,
    escape_code,
    escaped_symbols,
)

_CODER_BITS = 24


@dataclass(frozen=True)
class SymbolRun:
    """Symbols in coding order, int32 (n,), and the index of the table of each, uint8 (n,)."""

    symbols: NDArray[np.int32]
    indexes: NDArray[np.uint8]
    tables: TableSet


class CorruptStreamError(ValueError):
    """A stream that isn't that of any symbols with the given tables."""


class Encoder:
    """Codes arrays of symbols into one stream of words."""

    def __init__(self) -> None:
        self._words = constriction.stream.queue.RangeEncoder()

    def put(self, symbols: NDArray[np.int32], indexes: NDArray[np.uint8], tables: TableSet) -> None:
        """Append `symbols`, int32 (N,), below 2**20 in magnitude. `indexes`, uint8 (N,), are those of their tables.

        Raises ValueError for other arrays. Then nothing is appended.
        """
        entries, escaped = tables.entries(symbols, indexes)
        order, runs = _runs(indexes)
        ordered = entries[order]
        models = _models(tables)
        for index, start, stop in runs:
            self._words.encode(ordered[start:stop], models[index])
        if escaped.any():
            classes, suffixes = escape_code(symbols[escaped], tables.radius[indexes[escaped]])
            self._put_escapes(classes, suffixes)

    def _put_escapes(self, classes: NDArray[np.int32], suffixes: NDArray[np.int32]) -> None:
        self._words.encode(classes, _CLASS_MODEL)
        order, runs = _runs(classes)
        ordered = suffixes[order]
        for klass, start, stop in runs:
            self._words.encode(ordered[start:stop], _SUFFIX_MODELS[klass])

    def finish(self) -> bytes:
        """The stream: 32-bit words, little-endian; empty if nothing was put."""
        words: NDArray[np.uint32] = self._words.get_compressed()
        return words.astype("<u4").tobytes()


class Decoder:
    """Reads the arrays of an `Encoder`'s stream.

    Its work is bounded by the number of symbols that are asked for, whatever the bytes are. Damage raises
    CorruptStreamError or goes unnoticed: changed bits may be the stream of other symbols. Raises CorruptStreamError for
    a length that isn't a multiple of 4 bytes.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) % 4:
            raise CorruptStreamError(f"a stream of {len(data)} bytes is not one of 32-bit words")
        self._data = bytes(data)
        words = np.frombuffer(self._data, "<u4").astype(np.uint32)
        self._words = constriction.stream.queue.RangeDecoder(words)
        self._echo = constriction.stream.queue.RangeEncoder()

    def get(self, indexes: NDArray[np.uint8], tables: TableSet) -> NDArray[np.int32]:
        """The next symbols, int32 (N,). `indexes`, uint8 (N,), are those of their tables.

        Raises:
            CorruptStreamError: the stream isn't one of such symbols.
            ValueError: other indexes.
        """
        tables.check_indexes(indexes)
        order, runs = _runs(indexes)
        ordered = np.empty(indexes.shape, np.int32)
        models = _models(tables)
        for index, start, stop in runs:
            ordered[start:stop] = self._decode(models[index], stop - start)
        entries = np.empty(indexes.shape, np.int32)
        entries[order] = ordered
        radius = tables.radius.astype(np.int32)[indexes]
        symbols = entries - radius
        escaped = symbols > radius
        if escaped.any():
            symbols[escaped] = self._get_escapes(tables.radius[indexes[escaped]])
        return symbols

    def _get_escapes(self, radius: NDArray[np.int16]) -> NDArray[np.int32]:
        classes = self._decode(_CLASS_MODEL, radius.size)
        order, runs = _runs(classes)
        suffixes = np.empty(radius.shape, np.int32)
        for klass, start, stop in runs:
            suffixes[order[start:stop]] = self._decode(_SUFFIX_MODELS[klass], stop - start)
        symbols = escaped_symbols(classes, suffixes, radius)
        if int(np.abs(symbols).max()) >= SYMBOL_LIMIT:
            raise CorruptStreamError(f"an escaped symbol of magnitude {int(np.abs(symbols).max())}")
        return symbols

    def _decode(self, model: Any, count: int) -> NDArray[np.int32]:
        try:
            values: NDArray[np.int32] = self._words.decode(model, count)
        except (AssertionError, ValueError) as error:
            raise CorruptStreamError("the words belong to no symbols") from error
        self._echo.encode(values, model)
        return values

    def finish(self) -> None:
        """Raise CorruptStreamError unless the stream is, to the last bit, that of the symbols that were read.

        This finds streams that were cut, lengthened or not read to the end. A range decoder can't find them by itself,
        because it reads ahead, and reads zeros after the end. So the symbols are encoded again while they are decoded;
        that is much faster than decoding.
        """
        words: NDArray[np.uint32] = self._echo.get_compressed()
        if words.astype("<u4").tobytes() != self._data:
            raise CorruptStreamError("the stream does not end where its symbols do")


class SymbolsHash:
    """Four bytes that identify arrays of symbols: BLAKE2s over the size of each array (8 bytes) and its int32 values.

    Both are little-endian; the values are in C order.
    """

    def __init__(self) -> None:
        self._state = hashlib.blake2s(digest_size=4)

    def add(self, array: NDArray[np.integer]) -> None:
        """Append an array. Raises ValueError for a dtype that doesn't fit int32."""
        if not np.can_cast(array.dtype, np.int32):
            raise ValueError(f"symbols must be int32, not {array.dtype}")
        self._state.update(array.size.to_bytes(8, "little"))
        self._state.update(array.astype("<i4").tobytes())

    def digest(self) -> bytes:
        """The hash of all arrays so far."""
        return self._state.digest()


def symbols_hash(*arrays: NDArray[np.integer]) -> bytes:
    """The `SymbolsHash` of these arrays."""
    state = SymbolsHash()
    for array in arrays:
        state.add(array)
    return state.digest()


def _runs(keys: NDArray[np.integer]) -> tuple[NDArray[np.intp], list[tuple[int, int, int]]]:
    """The stable order that sorts `keys` (0..255), and for each key that occurs (key, start, stop) in that order."""
    order = np.argsort(keys.astype(np.uint8), kind="stable")  # a radix sort, for bytes
    counts = np.bincount(keys)
    stops = np.cumsum(counts)
    present = np.flatnonzero(counts)
    starts = stops - counts
    return order, [(key, int(starts[key]), int(stops[key])) for key in present.tolist()]


def _exact_model(frequencies: NDArray[np.int32]) -> Any:
    """The library's model with exactly the `frequencies` (sum 2**16), times 2**8 for its 24 bits.

    From n float weights p the library makes the cumulative frequencies floor((sum of p before i) * scale) + i, with
    scale = (2**24 - n) / (sum of all p). If each p is one less than its 24-bit frequency, the scale is exactly 1, and
    so all values are exact. The library doesn't promise this construction, so a test checks every boundary.
    """
    shifted = frequencies.astype(np.int64) << (_CODER_BITS - PRECISION_BITS)
    return constriction.stream.model.Categorical((shifted - 1).astype(np.float64), perfect=False)


def _models(tables: TableSet) -> tuple[Any, ...]:
    """The library's models of a set of tables, made once."""
    models = _MODELS.get(tables)
    if models is None:
        models = _MODELS[tables] = tuple(_exact_model(table) for table in tables.frequencies)
    return models


_MODELS: weakref.WeakKeyDictionary[TableSet, tuple[Any, ...]] = weakref.WeakKeyDictionary()
_CLASS_MODEL = _exact_model(ESCAPE_CLASSES)
_SUFFIX_MODELS = tuple(constriction.stream.model.Uniform(2 << klass) for klass in range(ESCAPE_CLASSES.size))
