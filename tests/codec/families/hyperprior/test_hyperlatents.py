"""The hyper-latents' two steps: what is written is read, and only what is read already foretells the rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.codec.families.hyperprior.hyperlatents import (
    CLASSES,
    WEIGHT_MAX,
    WEIGHT_UNIT,
    HyperTables,
    first_places,
    neighbours,
)
from lpcodec.codec.families.hyperprior.layers import Z_MAX
from lpcodec.entropy.coder import CorruptStreamError, Decoder, Encoder
from lpcodec.entropy.tables import default_scales, gaussian_tables

CHANNELS = 5
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def tables(seed: int = 0) -> HyperTables:
    generator = np.random.default_rng(seed)
    scales = [default_scales()[i] for i in generator.integers(8, 34, CHANNELS * CLASSES)]
    return HyperTables((gaussian_tables(scales),), generator.integers(0, WEIGHT_MAX + 1, (1, CHANNELS), np.int8))


def hyper_latents(seed: int, height: int, width: int, largest: int = Z_MAX) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.integers(-largest, largest + 1, (CHANNELS, height, width), np.int32)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), SIZES, st.integers(0, Z_MAX))
def test_what_is_written_is_read(seed: int, size: tuple[int, int], largest: int) -> None:
    z, own = hyper_latents(seed, *size, largest), tables(seed % 7)
    runs, encoder = own.runs(z, 0), Encoder()
    for run in runs:
        encoder.put(run.symbols, run.indexes, run.tables)
    decoder = Decoder(encoder.finish())
    found, again = own.read(decoder, 0, *size)
    decoder.finish()
    assert np.array_equal(found, z)
    for one, other in zip(runs, again, strict=True):
        assert np.array_equal(one.symbols, other.symbols)
        assert np.array_equal(one.indexes, other.indexes)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 1), (4, 7)])
def test_predictions_are_weighted_means_of_the_first_places(size: tuple[int, int]) -> None:
    """By loops and in floats; halves round up."""
    z, own, (height, width) = hyper_latents(1, *size), tables(), size
    first = first_places(height, width)
    prediction, indexes = own.predicted(np.where(first, z, 0), 0)
    for c, i, j in np.ndindex(CHANNELS, height, width):
        if first[i, j]:
            continue
        near = [
            int(z[c, a, b])
            for a, b in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1))
            if 0 <= a < height and 0 <= b < width
        ]
        mean = sum(near) / len(near)
        assert prediction[c, i, j] == np.floor(int(own.weights[0, c]) / WEIGHT_UNIT * mean + 0.5 + 1e-9)
        apart = sum(abs(one - mean) for one in near) / len(near)
        wanted = 1 + (apart >= 0.3 - 1e-9) + (apart >= 0.8 - 1e-9)
        assert indexes[c, i, j] == wanted * CHANNELS + c


def test_the_other_places_foretell_nothing() -> None:
    z, first = hyper_latents(3, 6, 6), first_places(6, 6)
    for one, other in zip(neighbours(z), neighbours(np.where(first, z, 9)), strict=True):
        assert np.array_equal(one[:, ~first], other[:, ~first])


@pytest.mark.parametrize("place", [(0, 0, 0), (0, 0, 1)], ids=["first", "other"])
def test_larger_ones_than_there_can_be_are_refused(place: tuple[int, int, int]) -> None:
    z, own, encoder = hyper_latents(4, 3, 3, 2), tables(), Encoder()
    z[place] = Z_MAX + 1
    for run in own.runs(z, 0):
        encoder.put(run.symbols, run.indexes, run.tables)
    with pytest.raises(CorruptStreamError, match=f"hyper-latents beyond {Z_MAX}"):
        own.read(Decoder(encoder.finish()), 0, 3, 3)


def test_no_hyper_latents_are_cheaper_than_the_cheapest() -> None:
    own = tables(2)
    least = own.least_bits(0)
    for seed in range(20):
        runs = own.runs(hyper_latents(seed, 4, 4, seed % 3), 0)
        assert sum(run.tables.bits(run.symbols, run.indexes) for run in runs) >= 16 * least
