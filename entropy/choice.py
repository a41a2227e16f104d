"""Symbols chosen by their cost in bits and in error, for encoders that take their time.

If x is the value with the least error, the cost of a symbol n is

    bits of n in its table  +  curvature / 2 * (x - n)**2

The curvature is what an error costs, in bits. The candidates are zero and the two integers next to x. `cheapest` takes
the cheapest of the three. `soft` is their mean, with more weight for cheaper ones, for searches that haven't decided
yet. Only encoders choose; any symbol can be decoded.
"""

import functools

import numpy as np
import torch
from torch import Tensor

from lpcodec.entropy.tables import ESCAPE_CLASSES, PRECISION_BITS, TableSet, escape_code

_LARGEST_LISTED = 1024
"""Symbols of a larger magnitude are taken to cost as much as this one."""


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
    """The costs of symbols, and the choice among them.

    The arguments of its methods: `wanted`, the values x, float32 of any shape; `indexes` of their tables, of the same
    shape; `curvature`, of a shape that broadcasts to it.
    """

    def __init__(self, tables: TableSet, device: torch.device | str = "cpu") -> None:
        self.limit = min(int(tables.radius.max()) + 1, _LARGEST_LISTED)
        self.bits = code_lengths(tables, self.limit).to(device)

    def _candidates(self, wanted: Tensor, indexes: Tensor, curvature: Tensor) -> tuple[Tensor, Tensor]:
        """The candidates and their costs, both (3, ...): the two integers next to `wanted`, and zero."""
        inner = wanted.trunc()
        symbols = torch.stack((inner, inner + torch.where(wanted < 0, -1.0, 1.0), torch.zeros_like(inner)))
        places = symbols.clamp(-self.limit, self.limit).long() + self.limit
        costs = self.bits[indexes.long(), places] + curvature / 2 * (wanted - symbols).square()
        costs[2] = torch.where(inner == 0, torch.inf, costs[2])  # or `soft` would count zero twice
        return symbols, costs

    def cheapest(self, wanted: Tensor, indexes: Tensor, curvature: Tensor) -> Tensor:
        """The cheapest symbols: whole numbers in the dtype of `wanted`."""
        symbols, costs = self._candidates(wanted, indexes, curvature)
        found, least = symbols[0], costs[0]
        for symbol, cost in zip(symbols[1:], costs[1:], strict=True):
            found, least = torch.where(cost < least, symbol, found), torch.minimum(cost, least)
        return found

    def soft(self, wanted: Tensor, indexes: Tensor, curvature: Tensor, temperature: float) -> Tensor:
        """The means of the candidates, weighted by exp(-cost / temperature). `temperature` is in bits."""
        symbols, costs = self._candidates(wanted, indexes, curvature)
        return (symbols * torch.softmax(-costs / temperature, 0)).sum(0)


@functools.lru_cache(maxsize=4)
def symbol_costs(tables: TableSet, device: str = "cpu") -> SymbolCosts:
    """The `SymbolCosts` of a set of tables, made once per device."""
    return SymbolCosts(tables, device)
