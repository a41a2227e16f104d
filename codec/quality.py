"""The quality of a picture: 0 to 100 for people, one of 65,536 steps in files and networks.

A `quality: float` in this package is always a number from 0 to 100. Files have a `Quality`, and tensors of qualities
have its `units`.
"""

from __future__ import annotations

from dataclasses import dataclass

FINEST_UNITS = 65535


@dataclass(frozen=True, order=True)
class Quality:
    """A quality as files have it. `units` are 0 (the coarsest) to 65535; ValueError for others."""

    units: int

    def __post_init__(self) -> None:
        if not 0 <= self.units <= FINEST_UNITS:
            raise ValueError(f"quality of {self.units} units: they go from 0 to {FINEST_UNITS}")

    @classmethod
    def of(cls, number: float) -> Quality:
        """The nearest one to a quality 0..100. Numbers outside are clamped."""
        return cls(round(min(max(number, 0.0), 100.0) / 100 * FINEST_UNITS))

    @property
    def number(self) -> float:
        """0..100."""
        return self.units / FINEST_UNITS * 100


COARSEST = Quality(0)
