"""A training run's state on disk: everything that is needed to go on, or to export.

`checkpoint.pt` holds tensors and plain numbers only and is read with `weights_only=True`; it is replaced atomically.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

NAME = "checkpoint.pt"


@dataclass
class Checkpoint:
    """The state of a run.

    `plan` is what the run was asked to do (model, steps or time limit, batch, patch, seed, rate ...), JSON-ready;
    `averaged` the exponential moving average of the weights, which is what is validated and exported.
    """

    plan: dict[str, Any]
    step: int
    seconds: float
    weights: dict[str, torch.Tensor]
    averaged: dict[str, torch.Tensor]
    optimisers: list[dict[str, Any]]
    generator: torch.Tensor
    best: float

    def save(self, folder: Path) -> None:
        """Write `checkpoint.pt` into the folder, atomically."""
        partial = folder / f".{NAME}.partial"
        torch.save(vars(self), partial)
        os.replace(partial, folder / NAME)

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> "Checkpoint":
        """Read a run's state.

        Raises:
            FileNotFoundError: there is none.
        """
        return cls(**torch.load(folder / NAME, map_location=device, weights_only=True))
