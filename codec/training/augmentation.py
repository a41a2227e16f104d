"""Colour augmentation: strong and unusual colours are rare in training pictures, but codecs must code them well.

A rotation of the colour space about grey keeps distances, so it keeps the bits that a picture needs at a given squared
error; only the direction of its main colour axis changes.
"""

import torch
from torch import Tensor

SHARE = 0.5
"""The share of the patches whose colours are rotated."""
LARGEST_ANGLE = 0.6
"""Radians. Grey is 0.96 radians away from red, green and blue."""
GREY = 0.5
"""Mid-grey, the centre of the rotations."""


def with_rotated_colours(patches: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Return patches (B, 3, H, W) in 0..1, of which a random half has its colours rotated by a random angle about a
    random axis through mid-grey. Values are clamped to 0..1."""
    count, device = len(patches), patches.device
    axis = torch.randn(count, 3, generator=generator, device=device)
    axis = axis / axis.norm(dim=1, keepdim=True)
    draws = torch.rand(2, count, generator=generator, device=device)
    angle = LARGEST_ANGLE * draws[0] * (draws[1] < SHARE)
    turn = torch.linalg.matrix_exp(_cross_products(axis * angle[:, None]))
    turned = torch.einsum("bij,bjhw->bihw", turn, patches - GREY) + GREY
    return turned.clamp_(0, 1).contiguous(memory_format=torch.channels_last)


def _cross_products(vectors: Tensor) -> Tensor:
    """(B, 3) -> the matrices (B, 3, 3) of the cross product with each: generators of rotations."""
    x, y, z = vectors.unbind(1)
    zero = torch.zeros_like(x)
    return torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), 1).view(-1, 3, 3)
