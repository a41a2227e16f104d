"""The type of pixels, and small arithmetic that many modules share."""

import math

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""uint8 (H, W, C), C = 1 or 3, or a plane (H, W)."""


def ceil_div(value: int, divisor: int) -> int:
    """`value` / `divisor`, rounded up. The divisor is positive."""
    return -(-value // divisor)


def psnr_of(squared_error: float, peak: float = 255.0) -> float:
    """The PSNR in dB for a mean squared error of values 0..`peak`; infinite if there is no error."""
    return 10 * math.log10(peak * peak / squared_error) if squared_error else math.inf
