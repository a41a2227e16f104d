"""Bicubic resampling as picture programs do it: Keys' kernel with a = -0.5, stretched to the scale when reducing.

This is Pillow's `BICUBIC`, and MATLAB's `imresize` except at the borders: MATLAB mirrors the picture, Pillow leaves out
what lies outside. torch computes it; `antialias=True` chooses a = -0.5, for enlarging too.
"""

import torch.nn.functional as F
from torch import Tensor


def reduced(x: Tensor, scale: int) -> Tensor:
    """Pictures (B, C, H, W), floats, sides multiples of `scale` -> (B, C, H / scale, W / scale).

    Raises:
        ValueError: a side isn't a multiple.
    """
    height, width = x.shape[2:]
    if height % scale or width % scale:
        raise ValueError(f"{width}x{height} isn't a multiple of {scale}")
    return resampled(x, height // scale, width // scale)


def enlarged(x: Tensor, scale: int) -> Tensor:
    """Pictures (B, C, h, w), floats -> (B, C, scale h, scale w)."""
    return resampled(x, scale * x.shape[2], scale * x.shape[3])


def resampled(x: Tensor, height: int, width: int) -> Tensor:
    """Pictures (B, C, H, W), floats -> (B, C, height, width)."""
    if width == 1:
        # If the result has one column, torch 2.13 gives every row the values of the first.
        return resampled(x.transpose(2, 3), 1, height).transpose(2, 3) if height > 1 else _interpolated(x, 1, 1)
    return _interpolated(x, height, width)


def _interpolated(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, (height, width), mode="bicubic", antialias=True)


def eight_bit(x: Tensor) -> Tensor:
    """Values about 0..1 -> the nearest of the 256 values in 0..1 that an 8-bit picture can have."""
    return (x.clamp(0, 1) * 255).round() / 255
