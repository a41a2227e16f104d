"""Rate and distortion of one decoded picture: bpp, MSE, PSNR, MS-SSIM.

    original, decoded: uint8 (H, W, 3) --mse, psnr, ms_ssim--> numbers      bytes, pixels --bpp--> bits per pixel

bpp is 8 x bytes of the file / pixels of the original. PSNR is that of 8-bit RGB with peak 255. MS-SSIM is that of RGB
with its usual five scales (Wang, Simoncelli & Bovik 2003), in float64: in float32 it exceeds 1 on flat bright pictures,
and its last digits depend on the processor. The rules are those of pytorch-msssim, whose own float64 takes four times
as long.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lpcodec.codec.arrays import psnr_of

if TYPE_CHECKING:
    from torch import Tensor

PEAK = 255
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
RADIUS, SIGMA = 5, 1.5
_BELL = [math.exp(-(i**2) / (2 * SIGMA**2)) for i in range(-RADIUS, RADIUS + 1)]
WINDOW = tuple(value / sum(_BELL) for value in _BELL)
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
MS_SSIM_SMALLEST_SIDE = 161  # a window of 11 must still fit after four halvings


def bpp(size: int, pixels: int) -> float:
    """Bits per pixel of a file of `size` bytes for a picture of `pixels` pixels. ValueError for no pixels."""
    if size < 0 or pixels < 1:
        raise ValueError(f"bpp needs size >= 0 and pixels >= 1, not {size} and {pixels}")
    return 8 * size / pixels


def mse(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean squared error of two uint8 pictures of one shape, over all samples. ValueError for anything else."""
    _check_pair(a, b)
    difference = a.astype(np.int32) - b
    return float(np.mean(difference * difference))


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """PSNR in dB of two uint8 pictures (H, W, 3) with peak 255, over all three channels; infinite if they are equal.

    >>> psnr(np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8))
    0.0
    """
    return psnr_of(mse(a, b))


def ms_ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """MS-SSIM of two uint8 RGB pictures (H, W, 3), 0..1: five scales, window 11 with sigma 1.5, data range 255.

    Raises ValueError unless both are RGB, of one shape, and over 160 pixels on both sides.
    """
    _check_pair(a, b)
    if a.ndim != 3 or a.shape[2] != 3:
        raise ValueError(f"MS-SSIM needs RGB pictures (H, W, 3), not {a.shape}")
    if min(a.shape[:2]) < MS_SSIM_SMALLEST_SIDE:
        raise ValueError(
            f"MS-SSIM needs sides of at least {MS_SSIM_SMALLEST_SIDE} pixels, not {a.shape[1]}x{a.shape[0]}"
        )
    import torch

    def planes(picture: NDArray[np.uint8]) -> "Tensor":
        return torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float64))

    with torch.inference_mode():
        x, y = planes(a), planes(b)
        value = torch.ones(3, dtype=torch.float64)
        for scale, weight in enumerate(SCALE_WEIGHTS, 1):
            if scale > 1:
                x, y = _halved(x), _halved(y)
            value *= _similarity(x, y, with_luminance=scale == len(SCALE_WEIGHTS)).clamp(min=0) ** weight
        return min(float(value.mean()), 1.0)


def _similarity(x: "Tensor", y: "Tensor", *, with_luminance: bool) -> "Tensor":
    """SSIM's contrast-structure term, or SSIM itself, as the mean of each plane: (C, H, W) -> (C)."""
    mean_x, mean_y = _blurred(x), _blurred(y)
    squares = mean_x.square().add_(mean_y.square())
    products = mean_x.mul_(mean_y)
    spread = _blurred(x * x + y * y).sub_(squares)
    term = (2 * (_blurred(x * y) - products) + C2) / (spread + C2)
    if with_luminance:
        term *= (2 * products + C1) / (squares + C1)
    return term.mean(dim=(1, 2))


def _blurred(plane: "Tensor") -> "Tensor":
    """(C, H, W) -> (C, H - 10, W - 10): the Gaussian window of 11, sigma 1.5. As a sum of shifted planes this takes a
    fifth of the time of torch's convolution in float64."""
    for dim in (1, 2):
        size = plane.shape[dim] - 2 * RADIUS
        total = plane.narrow(dim, RADIUS, size) * WINDOW[RADIUS]
        for i in range(RADIUS):
            total.add_(plane.narrow(dim, i, size) + plane.narrow(dim, 2 * RADIUS - i, size), alpha=WINDOW[i])
        plane = total
    return plane


def _halved(plane: "Tensor") -> "Tensor":
    """Means of 2 x 2 samples; an odd side gets a zero at each end, as in pytorch-msssim."""
    from torch.nn import functional

    return functional.avg_pool2d(plane, 2, padding=(plane.shape[1] % 2, plane.shape[2] % 2))


def ms_ssim_db(value: float) -> float:
    """-10 log10(1 - value) of an MS-SSIM in 0..1; infinite for 1.

    >>> round(ms_ssim_db(0.99), 6)
    20.0
    """
    if not 0 <= value <= 1:
        raise ValueError(f"an MS-SSIM is in 0..1, not {value}")
    return math.inf if value == 1 else -10 * math.log10(1 - value)


def _check_pair(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> None:
    if a.dtype != np.uint8 or b.dtype != np.uint8 or a.shape != b.shape or a.size == 0:
        raise ValueError(f"two uint8 pictures of one shape are needed, not {a.dtype} {a.shape} and {b.dtype} {b.shape}")
