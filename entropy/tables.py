"""Integer frequency tables for the range coder, made without floating-point numbers.

A table has an entry for each symbol of -R..R, and one escape entry for all others. Each frequency is at least 1, and
their sum is 2**16. Encoder and decoder must have exactly the same tables. So Gaussian tables are computed in integers
alone (fixed point, pi and exp by their series) and are the same on every machine.

A symbol beyond the radius R is coded as the escape entry and an Exp-Golomb code of v = abs(symbol) - R. That is the
class floor(log2(v)), with the table `ESCAPE_CLASSES`, and a suffix of class + 1 plain bits: the sign, then the bits of
v below its highest one.
"""

import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

PRECISION_BITS = 16
TOTAL = 1 << PRECISION_BITS
SCALE_BITS = 16  # means and scales are integers in units of 2**-16
SCALE_COUNT = 64
SYMBOL_LIMIT = 1 << 20  # every symbol is smaller in magnitude
MAX_TABLES = 256  # a table index is one byte
MAX_SCALE = 1 << 28
MAX_MEAN = 1 << 31

# A Gaussian table leaves at most this much mass to the escape, in units of 2**-16. Of the powers of two this one wastes
# the fewest bits on average over the default scales. With less, the table is longer and spends its units on rare
# symbols.
_ESCAPE_UNITS = 16

# The upper tail of the Gaussian is tabulated at multiples of 2**-12 standard deviations up to 8, in units of 2**-44. So
# its product with TOTAL fits 64 bits, and linear interpolation has an error below 2**-29.
_NODE_BITS = 12
_NODE_COUNT = 8 << _NODE_BITS
_FRACTION_BITS = 18
_MASS_BITS = 44
_WORK_BITS = 160

_Integer = TypeVar("_Integer", bound=np.signedinteger)


@dataclass(frozen=True, eq=False)
class TableSet:
    """1 to 256 frequency tables; a uint8 index per symbol says which one it is coded with.

    `radius` is int16 (S,), 0 or more. `frequencies[i]` is int32 (2 * radius[i] + 2,): the frequencies of the symbols
    -radius[i]..radius[i], then that of the escape. Each is at least 1, and their sum is 2**16. They need not be
    symmetric. The arrays are copied and made read-only. Raises ValueError for other arrays.
    """

    radius: NDArray[np.int16]
    frequencies: tuple[NDArray[np.int32], ...]

    def __post_init__(self) -> None:
        count = len(self.frequencies)
        if not 1 <= count <= MAX_TABLES or np.shape(self.radius) != (count,):
            raise ValueError(f"a table set has 1 to {MAX_TABLES} tables and one radius for each")
        radius = _integers(self.radius, np.int16, "radius")
        if radius.min() < 0:
            raise ValueError("a table's radius can't be negative")
        tables = tuple(_integers(table, np.int32, "table") for table in self.frequencies)
        for number, (table, r) in enumerate(zip(tables, radius.tolist(), strict=True)):
            if table.shape != (2 * r + 2,):
                raise ValueError(f"table {number} must have {2 * r + 2} entries, not shape {table.shape}")
            if table.min() < 1 or int(table.sum(dtype=np.int64)) != TOTAL:
                raise ValueError(f"table {number}: frequencies must be at least 1 and sum to {TOTAL}")
        object.__setattr__(self, "radius", radius)
        object.__setattr__(self, "frequencies", tables)

    def __len__(self) -> int:
        return len(self.frequencies)

    def symbols(self) -> tuple[NDArray[np.int32], ...]:
        """The symbols of each table without the escape, in the order of its entries."""
        return tuple(np.arange(-r, r + 1, dtype=np.int32) for r in self.radius.tolist())

    def entries(
        self, symbols: NDArray[np.int32], indexes: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """The entry of each symbol in its table, int32 (N,), and whether it is the escape, bool (N,).

        Args:
            symbols: int32 (N,), all below 2**20 in magnitude.
            indexes: of their tables, uint8 (N,), all below the number of tables.

        Raises ValueError for other arrays.
        """
        self.check_indexes(indexes)
        if symbols.dtype != np.int32 or symbols.shape != indexes.shape:
            raise ValueError(f"{indexes.size} int32 symbols expected, not {symbols.dtype} {symbols.shape}")
        if int(symbols.max(initial=0)) >= SYMBOL_LIMIT or int(symbols.min(initial=0)) <= -SYMBOL_LIMIT:
            raise ValueError(f"symbols must be smaller than {SYMBOL_LIMIT} in magnitude")
        radius = self.radius.astype(np.int32)[indexes]
        escaped = np.abs(symbols) > radius
        return np.where(escaped, 2 * radius + 1, symbols + radius), escaped

    def check_indexes(self, indexes: NDArray[np.uint8]) -> None:
        """Raise ValueError unless `indexes` is uint8 (N,), all below the number of tables."""
        if indexes.dtype != np.uint8 or indexes.ndim != 1:
            raise ValueError(f"table indexes must be uint8 and 1-D, not {indexes.dtype} {indexes.shape}")
        if int(indexes.max(initial=0)) >= len(self):
            raise ValueError(f"table index {int(indexes.max())} in a set of {len(self)} tables")

    def bits(self, symbols: NDArray[np.int32], indexes: NDArray[np.uint8]) -> float:
        """The ideal code length of all symbols in bits, with escapes. Arguments and errors are those of `entries`."""
        entries, escaped = self.entries(symbols, indexes)
        starts, lengths = self._code_lengths
        bits = float(lengths[starts[indexes] + entries].sum())
        if escaped.any():
            classes, _ = escape_code(symbols[escaped], self.radius[indexes[escaped]])
            bits += float((_ideal_bits(ESCAPE_CLASSES)[classes] + classes + 1).sum())
        return bits

    def pack(self) -> dict[str, NDArray[np.int16] | NDArray[np.uint16]]:
        """The set as two arrays for storage: `radius` int16 (S,), and `frequencies` uint16, one table after another."""
        flat = np.concatenate(self.frequencies).astype(np.uint16)
        return {"radius": self.radius.copy(), "frequencies": flat}

    @staticmethod
    def unpack(arrays: Mapping[str, NDArray[np.integer]]) -> "TableSet":
        """The inverse of `pack`, for arrays of any integer dtypes. Raises ValueError if they aren't a set of tables."""
        if not {"radius", "frequencies"} <= arrays.keys():
            raise ValueError("packed tables need the arrays 'radius' and 'frequencies'")
        radius = _integers(arrays["radius"], np.int16, "radius")
        flat = _integers(arrays["frequencies"], np.int32, "frequencies")
        if radius.ndim != 1 or flat.ndim != 1 or radius.size == 0 or radius.min() < 0:
            raise ValueError("packed tables: radius and frequencies must be 1-D, no radius negative")
        lengths = 2 * radius.astype(np.int64) + 2
        if int(lengths.sum()) != flat.size:
            raise ValueError(f"packed tables: {flat.size} frequencies, {int(lengths.sum())} needed")
        return TableSet(radius, tuple(np.split(flat, np.cumsum(lengths)[:-1])))

    def digest(self) -> bytes:
        """Four bytes that identify the tables: BLAKE2s over their number, radii and frequencies."""
        state = hashlib.blake2s(digest_size=4)
        state.update(len(self).to_bytes(2, "little"))
        state.update(self.radius.astype("<i2").tobytes())
        state.update(np.concatenate(self.frequencies).astype("<u2").tobytes())
        return state.digest()

    @functools.cached_property
    def _code_lengths(self) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Where each table starts in the list of all tables' entries, and the code lengths of these entries in bits."""
        ends = np.cumsum(2 * self.radius.astype(np.int32) + 2, dtype=np.int32)
        starts = np.concatenate([np.zeros(1, np.int32), ends[:-1]])
        return starts, _ideal_bits(np.concatenate(self.frequencies))


def escape_code(symbols: NDArray[np.int32], radius: NDArray[np.int16]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The Exp-Golomb classes (0..19) and suffixes (below 2**(class + 1)) of symbols beyond their radius, all (N,).

    Their magnitudes must be below 2**20.
    """
    value = np.abs(symbols) - radius.astype(np.int32)
    classes = np.searchsorted(_CLASS_STARTS, value, side="right").astype(np.int32) - 1
    power = np.int32(1) << classes
    return classes, value - power + np.where(symbols < 0, power, 0).astype(np.int32)


def escaped_symbols(
    classes: NDArray[np.int32], suffixes: NDArray[np.int32], radius: NDArray[np.int16]
) -> NDArray[np.int32]:
    """The inverse of `escape_code`. An invalid code may give symbols of 2**20 or more."""
    power = np.int32(1) << classes
    magnitude = radius.astype(np.int32) + power + (suffixes & (power - 1))
    symbols: NDArray[np.int32] = np.where(suffixes & power, -magnitude, magnitude)
    return symbols


def gaussian_tables(scales: Sequence[int]) -> TableSet:
    """Zero-mean Gaussian tables, one for each of `scales`: standard deviations in units of 2**-16, 1..2**28.

    The radius of a table is the smallest one, but at least 1, with at most 2**-12 of the mass outside (to within 2**-12
    standard deviations). Raises ValueError unless there are 1 to 256 scales, all in range.
    """
    tails = _upper_tails()
    enough = _ESCAPE_UNITS << (_MASS_BITS - PRECISION_BITS)
    node = int(np.argmax(2 * tails <= enough))  # distance from the mean in units of 2**-12 standard deviations
    unit = 1 << (SCALE_BITS - 1 + _NODE_BITS)  # half a symbol, in 2**-12 of a scale's unit
    radius = []
    for scale in scales:
        halves = (node * scale + unit - 1) // unit  # rounded up
        radius.append(max(1, halves // 2))  # the smallest R with 2 R + 1 >= halves
    tables = tuple(gaussian_frequencies(0, scale, -r, r) for scale, r in zip(scales, radius, strict=True))
    return TableSet(np.array(radius, np.int16), tables)


def gaussian_frequencies(mean: int, scale: int, low: int, high: int) -> NDArray[np.int32]:
    """The frequencies of a Gaussian, int32 (high - low + 2,): of the symbols low..high, then of the escape.

    `mean` and `scale` are in units of 2**-16. The scale is 1..2**28, the mean below 2**31 in magnitude, and `low` and
    `high` are within -32767..32767. Raises ValueError for others. With mean 0, -R..R gives a symmetric table.
    """
    if not 1 <= scale <= MAX_SCALE or abs(mean) >= MAX_MEAN or not -(1 << 15) < low <= high < 1 << 15:
        raise ValueError(f"no Gaussian table for mean {mean}, scale {scale}, symbols {low}..{high}")
    tails = _upper_tails()
    edges = np.arange(low, high + 2, dtype=np.int64) * (1 << SCALE_BITS) - (1 << (SCALE_BITS - 1)) - mean
    position = (np.abs(edges) << (_NODE_BITS + _FRACTION_BITS)) // scale
    position = np.minimum(position, (_NODE_COUNT << _FRACTION_BITS) - 1)
    node, fraction = position >> _FRACTION_BITS, position & ((1 << _FRACTION_BITS) - 1)
    tail = tails[node] - (((tails[node] - tails[node + 1]) * fraction) >> _FRACTION_BITS)
    below = np.where(edges < 0, tail, (1 << _MASS_BITS) - tail)
    masses = np.diff(below)
    return apportion(np.append(masses, (1 << _MASS_BITS) - masses.sum()))


@functools.cache
def default_scales() -> tuple[int, ...]:
    """The 64 scales 0.11 * (256 / 0.11)**(i / 63), rounded, in units of 2**-16."""
    steps = SCALE_COUNT - 1
    scales = []
    for i in range(SCALE_COUNT):
        # (2 * scale)**63 is a rational number, so its root can be found in integers.
        numerator = (2 * 11 << SCALE_BITS) ** steps * 25600**i
        scales.append((_integer_root(numerator // (100**steps * 11**i), steps) + 1) // 2)
    return tuple(scales)


@functools.cache
def default_tables() -> TableSet:
    """The tables of the 64 default scales."""
    return gaussian_tables(default_scales())


def apportion(masses: NDArray[np.int64]) -> NDArray[np.int32]:
    """Frequencies proportional to `masses` (int64, 0 or more, sum at most 2**46): each at least 1, with sum 2**16.

    Entries that are too light for one unit get one. The others share the rest by the largest remainder method. Entries
    with equal remainders are treated alike, which keeps symmetry and order. What is left goes to the heaviest entry,
    the last one (the escape) excepted.
    """
    light = np.zeros(masses.shape, bool)
    while True:
        heavy = int(masses[~light].sum())
        quotas = masses * (TOTAL - int(light.sum()))
        now_light = light | (quotas < heavy)
        if np.array_equal(now_light, light):
            break
        light = now_light
    frequencies = np.where(light, 1, quotas // heavy)
    remainders = np.where(light, -1, quotas % heavy)
    missing = TOTAL - int(frequencies.sum())
    threshold = np.sort(remainders)[-1 - missing]
    frequencies += remainders > threshold
    frequencies[np.argmax(masses[:-1])] += TOTAL - int(frequencies.sum())
    return frequencies.astype(np.int32)


@functools.cache
def _upper_tails() -> NDArray[np.int64]:
    """The mass of a standard Gaussian above k * 2**-12 for k = 0..2**15, int64, in units of 2**-44.

    It is the trapezoidal sum of the density with the first Euler-Maclaurin correction, h**2 / 12 times the slope. The
    error is below 2**-56.
    """
    one = 1 << _WORK_BITS
    density = math.isqrt((one**3) // (2 * _pi()))
    ratio = _exp_negative(one >> (2 * _NODE_BITS + 1))  # from exp(-(k h)**2 / 2) to the next, at first
    ratio_step = ratio * ratio >> _WORK_BITS
    tails = np.empty(_NODE_COUNT + 1, np.int64)
    remaining = one >> 1
    for k in range(_NODE_COUNT + 1):
        correction = (k * density // 12) >> (3 * _NODE_BITS)
        tails[k] = max(0, remaining - correction) >> (_WORK_BITS - _MASS_BITS)
        following = density * ratio >> _WORK_BITS
        ratio = ratio * ratio_step >> _WORK_BITS
        remaining -= (density + following) >> (_NODE_BITS + 1)
        density = following
    tails.setflags(write=False)
    return tails


def _exp_negative(x: int) -> int:
    """exp(-x) by its series, for a small x of 0 or more; x and the result are in units of 2**-160."""
    total = term = 1 << _WORK_BITS
    n = 0
    while term:
        n += 1
        term = (term * x >> _WORK_BITS) // n
        total += -term if n % 2 else term
    return total


def _pi() -> int:
    """pi in units of 2**-160, by Machin's formula 16 arctan(1/5) - 4 arctan(1/239)."""
    guard = 16

    def inverse_arctangent(x: int) -> int:
        total, power, n = 0, (1 << (_WORK_BITS + guard)) // x, 1
        while power:
            total += (2 - n % 4) * (power // n)
            power //= x * x
            n += 2
        return total

    return (16 * inverse_arctangent(5) - 4 * inverse_arctangent(239)) >> guard


def _integer_root(value: int, degree: int) -> int:
    """The largest integer n with n**degree <= value, by bisection."""
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**degree <= value else (low, middle)
    return low


def _integers(values: object, dtype: type[_Integer], name: str) -> NDArray[_Integer]:
    """A read-only copy of an array of integers as `dtype`. Raises ValueError if its values aren't integers that fit."""
    array = np.asarray(values)
    info = np.iinfo(dtype)
    integral = array.dtype.kind in "iu"
    if not integral or (array.size and not info.min <= array.min() <= array.max() <= info.max):
        raise ValueError(f"{name} must hold integers that fit {info.dtype}")
    copy = array.astype(dtype)
    copy.setflags(write=False)
    return copy


def _ideal_bits(frequencies: NDArray[np.int32]) -> NDArray[np.float64]:
    return PRECISION_BITS - np.log2(frequencies)


def _escape_classes() -> NDArray[np.int32]:
    """The frequencies of the escape classes: 64 for each, and 2**-(k + 1) of the rest for class k."""
    count, floor = SYMBOL_LIMIT.bit_length() - 1, 64
    shares = [floor + ((TOTAL - count * floor) >> (k + 1)) for k in range(count)]
    shares[0] += TOTAL - sum(shares)
    return _integers(np.array(shares), np.int32, "escape classes")


ESCAPE_CLASSES = _escape_classes()
_CLASS_STARTS = _integers(1 << np.arange(ESCAPE_CLASSES.size), np.int32, "class starts")
