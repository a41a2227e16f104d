"""Several processes that train one network together, each on its own patches: GPUs of a machine, or machines.

`torchrun --nproc-per-node=N -m lpcodec train ...` starts them; without it a run is one process and nothing here costs
anything. Every process holds the whole network and the whole store of pictures; after each backward pass the gradients
are averaged, so all take the same step. The first process alone writes, validates and reports.
"""

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Workers:
    """The processes of a run: `rank` of `count`."""

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

    def share(self, network: nn.Module) -> None:
        """Give all processes the first one's parameters and buffers."""
        if self.count > 1:
            for value in (*network.parameters(), *network.buffers()):
                dist.broadcast(value.data, 0)

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes: one reduction for all of them."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def agree(self, seconds: float, stopped: bool) -> tuple[float, bool]:
        """Return the first process's clock, and whether any process was told to stop: all end at the same step."""
        if self.count == 1:
            return seconds, stopped
        said = torch.tensor([seconds if self.first else 0.0, float(stopped)], dtype=torch.float64)
        said = self._reduced(said)
        return float(said[0]), bool(said[1] > 0)

    def _reduced(self, values: Tensor) -> Tensor:
        values = values.to(self.device)
        dist.all_reduce(values)
        return values

    def end(self) -> None:
        """Leave the group, after all have come here."""
        if self.count > 1:
            dist.barrier()
            dist.destroy_process_group()
