"""Multiply-accumulates, counted by torch's flop counter."""

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode


@torch.no_grad()
def kmac_per_pixel(run: Callable[[], object], pixels: int) -> float:
    """Return the thousands of multiply-accumulates of `run` per pixel, for a picture of `pixels` pixels."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops()) / 2 / pixels / 1000
