"""Several processes that train one network together, each on its own patches: GPUs of a machine, or machines.

`torchrun --nproc-per-node=N -m lpcodec train ...` starts them; without it a run is one process and nothing here costs
anything. Every process holds the whole network and the whole store of pictures. torch's `DistributedDataParallel`
averages the gradients while the backward pass still runs, so all take the same step. Only the first process writes,
validates and reports.
"""

import os
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lpcodec.codec.families.family import Objective

Loss = Callable[[Any], tuple[Tensor, dict[str, Tensor]]]


class _Loss(nn.Module):
    """An objective's loss as a module: `DistributedDataParallel` watches calls of modules."""

    def __init__(self, objective: Objective[Any]) -> None:
        super().__init__()
        self.network, self.objective = objective.network, objective

    def forward(self, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        return self.objective.loss(batch)


class Workers:
    """The processes of a run: this one is number `rank` (0, 1, ...) of `count`, on `device`."""

    def __init__(self, device: str) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0")) if self.count > 1 else 0
        self.device = device
        if self.count > 1:
            if device == "cuda":
                self.device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
                torch.cuda.set_device(self.device)
            dist.init_process_group("nccl" if device == "cuda" else "gloo")

    @property
    def first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def loss(self, objective: Objective[Any]) -> Loss:
        """The objective's loss. With several processes, all get the first one's parameters now, and each backward pass
        from the loss leaves the mean of the processes' gradients. A step may leave parameters out."""
        if self.count == 1:
            return objective.loss
        # Buffers aren't shared: statistics of batch normalisation are the first process's own.
        loss: Loss = nn.parallel.DistributedDataParallel(
            _Loss(objective), broadcast_buffers=False, find_unused_parameters=True
        )
        return loss

    def agree(self, seconds: float, stopped: bool) -> tuple[float, bool]:
        """Return the first process's seconds, and whether any process was asked to stop, so that all end at the same
        step."""
        if self.count == 1:
            return seconds, stopped
        sums = torch.tensor([seconds if self.first else 0.0, float(stopped)], dtype=torch.float64)
        sums = self._reduced(sums)
        return float(sums[0]), bool(sums[1] > 0)

    def _reduced(self, values: Tensor) -> Tensor:
        values = values.to(self.device)
        dist.all_reduce(values)
        return values

    def end(self) -> None:
        """Wait for all processes, then leave the group."""
        if self.count > 1:
            dist.barrier()
            dist.destroy_process_group()
