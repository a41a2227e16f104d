"""A network in training, and one step of it.

```
batch --objective--> loss --backward, clip--> gradients --Muon, Adam--> weights --moving average--> averaged weights
```

The learning rate is the plan's, times a short warm-up, times the objective's decay (`rate_at`). The averaged weights
are what is validated and exported.
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
"""The number of first steps in which the learning rate rises linearly from 0."""
CLIP = 1.0
"""The largest norm of a step's gradient: longer ones are scaled down."""
EMA_DECAY = 0.999
"""What the averaged weights keep of themselves in a step. After n steps it is at most (1 + n) / (10 + n), so that they
soon forget the weights of the start."""
SEEDS_APART = 1_000_003
"""The distance between the seeds of processes that train together."""
NOT_FINITE = 10
"""A run ends when this many steps in a row had a gradient that isn't finite. Such a step changes no weight."""


class Trainer:
    """The weights, their moving average, the optimisers and the random numbers of a training; `step` is how many steps
    it has taken.

    Args:
        objective: with its data loaded (`open`).
        plan: complete, filled in (plan.py).
        out: the run's folder, for the text of errors.
        workers: the processes that train together; they have the device.
        found: the checkpoint of a resumed run; None for a new one.

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
        self._loss = workers.loss(objective)  # gives all processes the same weights, so the average is copied after it
        self.averaged: nn.Module = copy.deepcopy(self.network)
        if found is not None:
            found.fill(self.averaged, found.averaged, out)
        if not workers.first:  # other patches and noise than the first process
            own_seed = plan["seed"] + self.step + SEEDS_APART * workers.rank
            self.generator.manual_seed(own_seed)
            torch.manual_seed(own_seed)

    def _go_on_from(self, found: Checkpoint) -> None:
        """Restore all but the averaged weights, which don't exist yet."""
        self.step = found.step
        found.fill(self.network, found.weights, self.out)
        found.fill_optimisers(self.optimisers, self.out)
        seed = self.plan["seed"] + found.step  # of another noise than the first steps had
        if found.generator.numel() == self.generator.get_state().numel():
            self.generator.set_state(found.generator.cpu())
        else:  # the state of another device's generator
            self.generator.manual_seed(seed)
        torch.manual_seed(seed)

    def take_step(self, part: float) -> dict[str, Tensor]:
        """Take one step when `part` (0..1) of the plan is done.

        Returns:
            Scalars to log: `loss`, `gradient` (its norm before clipping), `rate`, and the objective's own.

        Raises:
            DivergedError: none of the last NOT_FINITE steps had a finite gradient.
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
        self._update_average()
        return {"loss": loss.detach(), "gradient": norm, "rate": torch.tensor(rate), **figures}

    def _update_average(self) -> None:
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.network.parameters()), 1 - decay)

    def _set_rate(self, part: float) -> float:
        """Set the optimisers' learning rates for this step; return the rate before the groups' own factors."""
        warm = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        rate: float = self.plan["learning_rate"] * warm * self.objective.rate_at(part)
        for group in (g for optimiser in self.optimisers for g in optimiser.param_groups):
            group["lr"] = rate * group["lr_scale"]
        return rate

    def validate(self) -> dict[str, float]:
        """The objective's figures of the averaged network on the held-out data: `score` and others.

        Its weights are the averaged ones, its buffers the network's present ones.

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
        """The state of the run: what the trainer has, the seconds of training so far, and the best score."""
        return Checkpoint(
            dict(self.plan), self.step, seconds, self.network.state_dict(), self.averaged.state_dict(),
            [optimiser.state_dict() for optimiser in self.optimisers], self.generator.get_state(), best,
        )  # fmt: skip

    def _diverged(self, what: str) -> DivergedError:
        """The error for a run that diverged; `what` says how that shows."""
        kept = (self.out / NAME).exists()
        words = "its last checkpoint is kept" if kept else "it has no checkpoint yet"
        return DivergedError(f"{self.out}: the run diverged at step {self.step}: {what}; {words}; use a lower rate")


def optimisers_of(objective: Objective[Any], rate: float) -> list[torch.optim.Optimizer]:
    """Muon and Adam, each for its part of the objective's groups of parameters; one with no group is left out."""
    groups = list(objective.parameter_groups())
    found: list[torch.optim.Optimizer] = []
    if muon := [g for g in groups if g["muon"]]:
        found.append(Muon(muon, rate))
    if adam := [g for g in groups if not g["muon"]]:
        found.append(torch.optim.Adam(adam, rate, fused=True))
    return found
