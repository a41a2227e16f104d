"""Rate and distortion of one decoded picture: bpp, MSE, PSNR, MS-SSIM.

    original, decoded: uint8 (H, W, 3) --mse, psnr, ms_ssim--> numbers      bytes, pixels --bpp--> bits per pixel

bpp is 8 x bytes of the file / pixels of the original. PSNR is that of 8-bit RGB with peak 255. MS-SSIM is that of RGB
with its usual five scales (Wang, Simoncelli & Bovik 2003).
"""

import math

import numpy as np
from numpy.typing import NDArray

PEAK = 255
MS_SSIM_SMALLEST_SIDE = 161  # a window of 11 still has to fit after four halvings


def bpp(size: int, pixels: int) -> float:
    """Bits per pixel of a file of `size` bytes for a picture of `pixels` pixels. ValueError where there are
    none."""
    if size < 0 or pixels < 1:
        raise ValueError(f"bpp needs size >= 0 and pixels >= 1, not {size} and {pixels}")
    return 8 * size / pixels


def mse(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean squared error of two uint8 pictures of one shape, over all samples. ValueError for anything
    else."""
    _check_pair(a, b)
    difference = a.astype(np.int32) - b
    return float(np.mean(difference * difference))


def psnr_of_mse(error: float) -> float:
    """dB for a mean squared error on the 0..255 scale; infinite for 0."""
    return math.inf if error == 0 else 10 * math.log10(PEAK * PEAK / error)


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """PSNR in dB of two uint8 pictures (H, W, 3) with peak 255, over all three channels; infinite where they
    are equal.

    >>> psnr(np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8))
    0.0
    """
    return psnr_of_mse(mse(a, b))


def ms_ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """MS-SSIM of two uint8 RGB pictures (H, W, 3), 0..1, five scales, window 11 with sigma 1.5, data range
    255.

    Raises ValueError unless both are RGB, of one shape, and over 160 pixels on both sides.
    """
    _check_pair(a, b)
    if a.ndim != 3 or a.shape[2] != 3:
        raise ValueError(f"MS-SSIM needs RGB pictures (H, W, 3), not {a.shape}")
    if min(a.shape[:2]) < MS_SSIM_SMALLEST_SIDE:
        raise ValueError(
            f"MS-SSIM needs sides of at least {MS_SSIM_SMALLEST_SIDE} pixels, not {a.shape[1]}x{a.shape[0]}"
        )
    import pytorch_msssim  # type: ignore[import-untyped]
    import torch

    def planes(picture: NDArray[np.uint8]) -> torch.Tensor:
        # A copy, because torch warns about arrays that can't be written to, as those from Pillow.
        return torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32))[None]

    with torch.inference_mode():
        return float(pytorch_msssim.ms_ssim(planes(a), planes(b), data_range=PEAK))


def ms_ssim_db(value: float) -> float:
    """-10 log10(1 - value) of an MS-SSIM in 0..1: infinite for 1.

    >>> round(ms_ssim_db(0.99), 6)
    20.0
    """
    if not 0 <= value <= 1:
        raise ValueError(f"an MS-SSIM lies in 0..1, not {value}")
    return math.inf if value == 1 else -10 * math.log10(1 - value)


def _check_pair(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> None:
    if a.dtype != np.uint8 or b.dtype != np.uint8 or a.shape != b.shape or a.size == 0:
        raise ValueError(f"two uint8 pictures of one shape are needed, not {a.dtype} {a.shape} and {b.dtype} {b.shape}")
