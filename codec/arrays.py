"""Pixels, and the small arithmetic that everything here shares."""

import math

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""(H, W, C) uint8, C = 1 or 3; of a plane (H, W)."""


def ceil_div(value: int, divisor: int) -> int:
    """`value` / `divisor`, rounded up; the divisor is positive."""
    return -(-value // divisor)


def psnr_of(squared_error: float, peak: float = 255.0) -> float:
    """Decibels of a mean squared error of values 0..`peak`; infinite if there is no error."""
    return 10 * math.log10(peak * peak / squared_error) if squared_error else math.inf
