"""Costs of symbols are those of the coder's tables; the choice is the cheapest of its candidates."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpcodec.entropy.choice import SymbolCosts, code_lengths, symbol_costs
from lpcodec.entropy.tables import default_tables, gaussian_tables

TABLES = default_tables()
COSTS = SymbolCosts(TABLES)


def cost(symbol: float, wanted: float, index: int, curvature: float) -> float:
    bits = TABLES.bits(np.array([symbol], np.int32), np.array([index], np.uint8))
    return bits + curvature / 2 * (wanted - symbol) ** 2


def candidates(wanted: float) -> set[float]:
    """The integers to both sides (towards zero and away from it), and zero."""
    inner = float(np.trunc(wanted))
    return {inner, inner + (-1.0 if wanted < 0 else 1.0), 0.0}


@pytest.mark.parametrize("scales", [[7000], [20000, 100000, 300000]])
def test_code_lengths_are_those_of_the_tables_and_their_escapes(scales: list[int]) -> None:
    tables = gaussian_tables(scales)
    limit = int(tables.radius.max()) + 40
    lengths = code_lengths(tables, limit)
    assert lengths.shape == (len(scales), 2 * limit + 1)
    for index in range(len(scales)):
        for symbol in range(-limit, limit + 1, 3):
            exact = tables.bits(np.array([symbol], np.int32), np.array([index], np.uint8))
            assert float(lengths[index, symbol + limit]) == pytest.approx(exact, abs=1e-4)


@given(st.floats(-300, 300, width=32), st.integers(0, 63), st.floats(0.0625, 50, width=32))
def test_the_cheapest_costs_no_more_than_rounding_or_zero(wanted: float, index: int, curvature: float) -> None:
    x, i, c = torch.tensor([wanted]), torch.tensor([index]), torch.tensor([curvature])
    symbol = float(COSTS.cheapest(x, i, c))
    assert symbol in candidates(wanted)
    least = min(cost(n, wanted, index, curvature) for n in (*candidates(wanted), round(wanted)))
    assert cost(symbol, wanted, index, curvature) <= least + 1e-2


@given(st.floats(-20, 20, width=32), st.integers(0, 40), st.floats(1, 30, width=32))
def test_soft_symbols_harden_as_the_temperature_falls(wanted: float, index: int, curvature: float) -> None:
    x, i, c = torch.tensor([wanted]), torch.tensor([index]), torch.tensor([curvature])
    warm = float(COSTS.soft(x, i, c, 1.0))
    assert min(candidates(wanted)) - 1e-4 <= warm <= max(candidates(wanted)) + 1e-4
    hard = float(COSTS.cheapest(x, i, c))
    costs = sorted(cost(n, wanted, index, curvature) for n in candidates(wanted))
    if costs[0] + 0.01 < costs[1]:
        assert float(COSTS.soft(x, i, c, 1e-3)) == pytest.approx(hard, abs=0.01)


def test_little_curvature_gives_zeros_and_much_gives_rounding() -> None:
    wanted = torch.linspace(-6, 6, 97)
    index = torch.full(wanted.shape, 20)
    assert not COSTS.cheapest(wanted, index, torch.tensor(1e-3)).any()
    assert torch.equal(COSTS.cheapest(wanted + 0.01, index, torch.tensor(1e6)), (wanted + 0.01).round())


def test_symbols_beyond_the_list_are_still_rounded() -> None:
    wanted = torch.tensor([-30000.3, 5000.7])
    assert COSTS.cheapest(wanted, torch.tensor([63, 0]), torch.tensor(10.0)).tolist() == [-30000.0, 5001.0]


def test_costs_of_tables_are_made_once() -> None:
    assert symbol_costs(TABLES) is symbol_costs(TABLES)
    assert symbol_costs(gaussian_tables([70000])) is not symbol_costs(gaussian_tables([70000]))
