"""A network in training, and one step of it.

```
batch --objective--> loss --backward, clip--> gradients --Muon, Adam--> weights --moving average--> averaged weights
```

The rate is the plan's, times a short warm-up, times the objective's fall. The averaged weights are what is validated
and exported.
"""

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lpcodec.codec.errors import DivergedError
from lpcodec.codec.families.family import Objective
from lpcodec.codec.training.checkpoint import NAME, Checkpoint, all_finite
from lpcodec.codec.training.muon import Muon
from lpcodec.codec.training.parallel import Workers
from lpcodec.codec.training.source import read_source

WARM_UP_STEPS = 300
CLIP = 1.0
"""The largest norm of a step's gradient."""
EMA_DECAY = 0.999
"""Of the averaged weights per step; less in the first steps, so that they forget the start."""
SEEDS_APART = 1_000_003
"""Between the seeds of processes that train together."""
NOT_FINITE = 10
"""A run ends when this many steps in a row had no finite gradient; each such step changes no weight."""


class Trainer:
    """The weights, their moving average, the optimisers and the random numbers of a training; `step` is how many steps
    it has taken.

    Args:
        objective: its data are loaded (`open`).
        plan: whole (plan.py).
        out: the run's folder, for errors.
        found: where a resumed run was; None for a new one.

    Raises:
        UsageError: the weights to start from don't fit.
        DamagedFileError: the checkpoint doesn't fit the model.
    """

    def __init__(
        self, objective: Objective[Any], plan: Mapping[str, Any], out: Path, workers: Workers, found: Checkpoint | None
    ) -> None:
        self.objective, self.plan, self.out, self.workers = objective, plan, out, workers
        self.step, self._not_finite = 0, 0
        self.generator = torch.Generator(device=workers.device).manual_seed(plan["seed"])
        self.network = objective.network.to(workers.device)
        if found is None:
            source = plan.get("from")
            objective.start(self.generator, None if source is None else read_source(source))
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimisers = optimisers_of(objective, plan["learning_rate"])
        if found is not None:
            self._go_on_from(found)
        self._loss = workers.loss(objective)
        self.averaged: nn.Module = copy.deepcopy(self.network)
        if found is not None:
            found.fill(self.averaged, found.averaged, out)
        if not workers.first:  # other patches and noise than the first process
            own_seed = plan["seed"] + self.step + SEEDS_APART * workers.rank
            self.generator.manual_seed(own_seed)
            torch.manual_seed(own_seed)

    def _go_on_from(self, found: Checkpoint) -> None:
        self.step = found.step
        found.fill(self.network, found.weights, self.out)
        found.fill_optimisers(self.optimisers, self.out)
        seed = self.plan["seed"] + found.step
        if found.generator.numel() == self.generator.get_state().numel():
            self.generator.set_state(found.generator.cpu())
        else:  # the state of another device's generator
            self.generator.manual_seed(seed)
        torch.manual_seed(seed)

    def take_step(self, part: float) -> dict[str, Tensor]:
        """Take one step when `part` (0..1) of the plan is done; return its figures, scalars.

        Raises:
            DivergedError: none of the last steps had a finite gradient.
        """
        rate = self._set_rate(part)
        batch = self.objective.sample(self.plan["batch"], self.generator)
        self.network.zero_grad(set_to_none=True)
        loss, figures = self._loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        if math.isfinite(float(norm)):
            self._not_finite = 0
            for optimiser in self.optimisers:
                optimiser.step()
        else:
            self._not_finite += 1
            if self._not_finite == NOT_FINITE:
                raise self._diverged(f"the last {NOT_FINITE} steps had no finite gradient")
        self.step += 1
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.network.parameters()), 1 - decay)
        return {"loss": loss.detach(), "gradient": norm, "rate": torch.tensor(rate), **figures}

    def _set_rate(self, part: float) -> float:
        warm = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        rate: float = self.plan["learning_rate"] * warm * self.objective.rate_at(part)
        for group in (g for optimiser in self.optimisers for g in optimiser.param_groups):
            group["lr"] = rate * group["lr_scale"]
        return rate

    def validate(self) -> dict[str, float]:
        """The objective's figures of the averaged weights, with the network's present buffers, on the held-out data:
        `score`, and others.

        Raises:
            DivergedError: weights aren't finite.
        """
        if not all_finite(self.network.state_dict(), self.averaged.state_dict()):
            raise self._diverged("its weights aren't finite")
        # Statistics of batch normalisation are moving averages already.
        for kept, current in zip(self.averaged.buffers(), self.network.buffers(), strict=True):
            kept.copy_(current)
        # The same noise every time. The generators of the training aren't moved on, neither the CPU's nor the GPU's.
        device = torch.device(self.workers.device)
        with torch.random.fork_rng([] if device.type == "cpu" else [device], device_type=device.type):
            torch.manual_seed(1)
            return self.objective.validate(self.averaged)

    def checkpoint(self, seconds: float, best: float) -> Checkpoint:
        """The state of the run: what the trainer has, the seconds it took and its best score."""
        return Checkpoint(
            dict(self.plan), self.step, seconds, self.network.state_dict(), self.averaged.state_dict(),
            [optimiser.state_dict() for optimiser in self.optimisers], self.generator.get_state(), best,
        )  # fmt: skip

    def _diverged(self, what: str) -> DivergedError:
        kept = (self.out / NAME).exists()
        words = "its last checkpoint is kept" if kept else "it has no checkpoint yet"
        return DivergedError(f"{self.out}: the run diverged at step {self.step}: {what}; {words}; use a lower rate")


def optimisers_of(objective: Objective[Any], rate: float) -> list[torch.optim.Optimizer]:
    """Muon and Adam, each with its groups of parameters; one without any is left out."""
    groups = list(objective.parameter_groups())
    found: list[torch.optim.Optimizer] = []
    if muon := [g for g in groups if g["muon"]]:
        found.append(Muon(muon, rate))
    if adam := [g for g in groups if not g["muon"]]:
        found.append(torch.optim.Adam(adam, rate, fused=True))
    return found
