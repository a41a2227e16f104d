"""Symbols chosen by what they cost, in bits of their tables and in error, for an encoder with time to choose.

A symbol n for a value that would best be x costs

    bits of n in the symbol's table  +  curvature / 2 * (x - n)**2

where the curvature says how many bits an error is worth. `cheapest` takes the least of the integers beside x and zero,
`soft` a mean of the three that favours the cheap ones, for searches that haven't decided yet. Decoders don't know of
it: any symbol may be coded.
"""

import functools

import numpy as np
import torch
from torch import Tensor

from lpcodec.entropy.tables import ESCAPE_CLASSES, PRECISION_BITS, TableSet, escape_code

_LARGEST_LISTED = 1024
"""Symbols beyond are taken to cost what this one does."""


def code_lengths(tables: TableSet, limit: int) -> Tensor:
    """Bits of the symbols -limit..limit in each table, escapes included: float32 (S, 2 * limit + 1)."""
    symbols = np.arange(-limit, limit + 1, dtype=np.int32)
    escape_bits = PRECISION_BITS - np.log2(ESCAPE_CLASSES)
    rows = []
    for radius, frequencies in zip(tables.radius.tolist(), tables.frequencies, strict=True):
        bits = PRECISION_BITS - np.log2(frequencies)
        row = np.full(len(symbols), bits[-1])
        inside = np.abs(symbols) <= radius
        row[inside] = bits[symbols[inside] + radius]
        classes, _ = escape_code(symbols[~inside], np.full((~inside).sum(), radius, np.int16))
        row[~inside] += escape_bits[classes] + classes + 1
        rows.append(row)
    return torch.from_numpy(np.stack(rows)).float()


class SymbolCosts:
    """What symbols cost, and the choice among them. Shapes are any; indexes are of the tables."""

    def __init__(self, tables: TableSet, device: torch.device | str = "cpu") -> None:
        self.limit = min(int(tables.radius.max()) + 1, _LARGEST_LISTED)
        self.bits = code_lengths(tables, self.limit).to(device)

    def _candidates(self, wanted: Tensor, indexes: Tensor, curvature: Tensor) -> tuple[Tensor, Tensor]:
        """The integers to both sides of `wanted` and zero, and their costs, in a first dimension of 3."""
        inner = wanted.trunc()
        symbols = torch.stack((inner, inner + torch.where(wanted < 0, -1.0, 1.0), torch.zeros_like(inner)))
        places = symbols.clamp(-self.limit, self.limit).long() + self.limit
        costs = self.bits[indexes.long(), places] + curvature / 2 * (wanted - symbols).square()
        costs[2] = torch.where(inner == 0, torch.inf, costs[2])
        return symbols, costs

    def cheapest(self, wanted: Tensor, indexes: Tensor, curvature: Tensor) -> Tensor:
        """The symbols of least cost: integers in wanted's dtype."""
        symbols, costs = self._candidates(wanted, indexes, curvature)
        found, least = symbols[0], costs[0]
        for symbol, cost in zip(symbols[1:], costs[1:], strict=True):
            found, least = torch.where(cost < least, symbol, found), torch.minimum(cost, least)
        return found

    def soft(self, wanted: Tensor, indexes: Tensor, curvature: Tensor, temperature: float) -> Tensor:
        """The mean symbols under exp(-cost / temperature)."""
        symbols, costs = self._candidates(wanted, indexes, curvature)
        return (symbols * torch.softmax(-costs / temperature, 0)).sum(0)


@functools.lru_cache(maxsize=4)
def symbol_costs(tables: TableSet, device: str = "cpu") -> SymbolCosts:
    """`SymbolCosts` of tables, made once."""
    return SymbolCosts(tables, device)
