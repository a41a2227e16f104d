"""A training run's state on disk: everything that is needed to go on, or to export.

`checkpoint.pt` holds tensors and plain numbers only and is read with `weights_only=True`. A new one
replaces it only once it is whole and on the disk.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lpcodec.codec import atomic
from lpcodec.codec.errors import DamagedFileError, DivergedError, FileAccessError, UsageError

NAME = "checkpoint.pt"
_PLANNED = {"model", "steps", "time_limit", "batch", "patch", "seed", "learning_rate"}
_NOT_WHOLE = "not a whole checkpoint of this version; start the run again in another folder"


def find_run(folder: Path, resume: bool, device: str) -> "Checkpoint | None":
    """The run in `folder` that is resumed, on `device`; None for a new run.

    Raises:
        UsageError: there is none to resume, or there is one and it isn't to be resumed.
        FileAccessError, DamagedFileError, DivergedError: as `Checkpoint.load`.
    """
    exists = (folder / NAME).exists()
    if resume and not exists:
        raise UsageError(f"{folder}: no {NAME} to resume from")
    if exists and not resume:
        raise UsageError(f"{folder} already holds a run: resume it, or choose another folder")
    return Checkpoint.load(folder, device) if resume else None


def all_finite(*states: Mapping[str, torch.Tensor]) -> bool:
    """Whether no value of any state is infinite or not a number."""
    return all(bool(value.isfinite().all()) for state in states for value in state.values())


@dataclass
class Checkpoint:
    """The state of a run after `step` steps and `seconds` of training.

    `plan` is what the run was asked to do (plan.py), JSON-ready; `averaged` the moving average of the weights, which is
    validated and exported; `generator` the state of the generator that draws the patches; `best` the lowest score on
    the held-out pictures so far.
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
        """Write `checkpoint.pt` into the folder; an older one stays until the new one is on the disk.

        Raises:
            FileAccessError: it can't be written (a full disk, say).
        """
        stream = io.BytesIO()  # torch's own writer loses the reason of a failure
        torch.save(vars(self), stream)
        atomic.write_bytes(folder / NAME, stream.getvalue())

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> "Checkpoint":
        """Read a run's state.

        Raises:
            FileAccessError: there is none, or it can't be read.
            DamagedFileError: it is empty, cut or changed, or of another version.
            DivergedError: its weights aren't finite.
        """
        path = folder / NAME
        try:
            data = path.read_bytes()
        except OSError as error:
            raise FileAccessError(f"{path}: {error.strerror or error}") from error
        try:
            found = cls(**torch.load(io.BytesIO(data), map_location=device, weights_only=True))
        except MemoryError:
            raise
        except Exception as error:  # torch, zip and pickle each have their own, for a cut file and for a changed one
            raise DamagedFileError(f"{path}: {_NOT_WHOLE}") from error
        if not found._is_of_this_version():
            raise DamagedFileError(f"{path}: {_NOT_WHOLE}")
        if not all_finite(found.weights, found.averaged):
            raise DivergedError(f"{path}: the run diverged, its weights aren't finite; train again at a lower rate")
        return found

    def fill(self, network: nn.Module, state: Mapping[str, torch.Tensor], folder: Path) -> None:
        """Put `state`, the weights or the averaged ones, into a network of the plan's model.

        Raises:
            DamagedFileError: they don't fit: a changed file, or one of another version.
        """
        try:
            network.load_state_dict(state)
        except (RuntimeError, TypeError) as error:
            model = self.plan["model"]
            raise DamagedFileError(f"{folder / NAME}: its weights don't fit {model} of this version") from error

    def fill_optimisers(self, optimisers: Sequence[torch.optim.Optimizer], folder: Path) -> None:
        """Put the optimisers' states into optimisers of the plan's model.

        Raises:
            DamagedFileError: they don't fit.
        """
        try:
            for optimiser, state in zip(optimisers, self.optimisers, strict=True):
                optimiser.load_state_dict(state)
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedFileError(f"{folder / NAME}: its optimisers' state doesn't fit this version") from error

    def _is_of_this_version(self) -> bool:
        states = (self.weights, self.averaged)
        return (
            isinstance(self.plan, dict)
            and isinstance(self.plan.get("model"), str)
            and self.plan.keys() >= _PLANNED
            and isinstance(self.step, int)
            and isinstance(self.seconds, float)
            and all(isinstance(s, dict) and all(isinstance(v, torch.Tensor) for v in s.values()) for s in states)
            and isinstance(self.optimisers, list)
            and isinstance(self.generator, torch.Tensor)
        )
