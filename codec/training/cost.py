"""Multiply-accumulates, counted by torch's flop counter."""

from collections.abc import Callable, Mapping

import torch
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count


def _flops(x: list[int], weight: list[int], *_: object, out_shape: list[int]) -> int:
    """The operations of a convolution that calls oneDNN by name (entropy/convolution.py), which torch doesn't count."""
    return conv_flop_count(x, weight, out_shape)


@torch.no_grad()
def kmac_per_pixel(run: Callable[[], object], pixels: int) -> float:
    """Return the thousands of multiply-accumulates of `run` per pixel, for a picture of `pixels` pixels."""
    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.mkldnn_convolution: _flops}) as counter:
        run()
    return float(counter.get_total_flops()) / 2 / pixels / 1000


def kmac_by_part(parts: Mapping[str, Callable[[], object]], pixels: int) -> dict[str, float]:
    """Return `kmac_per_pixel` of each part by its name, rounded to whole multiply-accumulates."""
    return {name: round(kmac_per_pixel(run, pixels), 3) for name, run in parts.items()}
