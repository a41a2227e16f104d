"""Luma as super-resolution measures it: BT.601, studio range, as MATLAB's `rgb2ycbcr` computes it.

Studio luma of an 8-bit picture is 16 to 235; here both RGB and luma are divided by 255.
"""

from torch import Tensor

WEIGHTS = (65.481, 128.553, 24.966)
OFFSET = 16.0
RANGE = sum(WEIGHTS)
"""From black to white, in 8-bit units: 219."""


def luma(rgb: Tensor) -> Tensor:
    """RGB (B, 3, H, W) in 0..1 -> luma (B, 1, H, W) in 16/255..235/255."""
    weights = rgb.new_tensor(WEIGHTS).reshape(1, 3, 1, 1) / 255
    return (rgb * weights).sum(1, keepdim=True) + OFFSET / 255
