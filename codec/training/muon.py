"""Muon: steepest descent under the spectral norm, for the kernels of convolutions.

The momentum of a weight, taken as a matrix (outputs, inputs x kernel), is replaced by the nearest semi-orthogonal
matrix before it is applied (Jordan et al. 2024, "Muon"), scaled so that its elements are as large as Adam's updates
usually are (Liu et al. 2025, "Muon is scalable for LLM training"): one learning rate serves both. Trained from scratch
the default model reached in 600 steps what it reached with Adam in 900, at a quarter more time a step on a CPU.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

MOMENTUM = 0.95
ROUNDS = 5
"""Newton-Schulz rounds: singular values end within 0.7 to 1.2."""
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ADAM_LIKE = 0.2
"""The root mean square of an update of Adam, in units of its rate."""
ROWS = 128
"""Taller matrices are taken in slices of so many rows, which costs much less and did as well."""


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum for weights of two or more dimensions; no weight decay."""

    def __init__(self, params: Iterable[Any], lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Apply one update; weights without a gradient are left alone."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    state = self.state[weight]
                    momentum = state.setdefault("momentum", torch.zeros_like(weight))
                    momentum.mul_(MOMENTUM).add_(weight.grad)
                    update = weight.grad + MOMENTUM * momentum
                    weight.sub_(_update(update.flatten(1)).view(weight.shape), alpha=group["lr"])


def _update(matrix: Tensor) -> Tensor:
    rows, columns = matrix.shape
    slices = rows // ROWS if rows % ROWS == 0 else 1
    parts = orthogonal(matrix.reshape(slices, rows // slices, columns))
    return parts.reshape(rows, columns) * (ADAM_LIKE * math.sqrt(max(rows // slices, columns)))


def orthogonal(matrices: Tensor) -> Tensor:
    """Return (..., rows, columns) with the singular vectors of `matrices` and singular values near 1, in float32.

    Newton-Schulz iterations in bfloat16, which is all the precision that a step needs.
    """
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x.mT if tall else x
    return result.float()
