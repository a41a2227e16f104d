"""The quality scale of the hyperprior networks: one number, which means the same lambda in every network.

```
quality 0..65535 (16 bits) --evenly--> place 0..10 --> lambda = LAMBDA_MIN * GROWTH ** place
```

A network has its quality-dependent parameters (gains, strengths, scales of z) at the whole places 0, 1, ..., its
anchors, and interpolates between them. A network with fewer than eleven anchors codes every higher quality as its
finest.
"""

import math

import torch
from torch import Tensor

PLACES = 10
"""The place of quality 100."""
LAMBDA_MIN = 1.5e-4
"""lambda of R[bpp] + lambda * 255**2 * MSE[0..1] at quality 0."""
GROWTH = 1000 ** (1 / 7)
"""lambda per place: 0.15 at place 7, 2.9 at place 10."""
COMMON_PLACE, COMMON_SHARE = 7, 0.85
"""Trainings spend this share of their patches on qualities up to this place."""
_LEVELS_PER_7_PLACES = 64


def finest(anchors: int) -> int:
    """The highest 16-bit quality that a network with `anchors` anchors distinguishes from its finest."""
    return 65535 * (anchors - 1) // PLACES


def levels(anchors: int) -> int:
    """How many levels `level_of_quality` gives."""
    return 1 + finest(anchors) * PLACES * _LEVELS_PER_7_PLACES // (7 * 65536)


def place_of_quality(quality: Tensor, anchors: int) -> Tensor:
    """16-bit quality (any number type) -> its place among the anchors, 0..anchors - 1, in float64 or float32."""
    wide = quality if quality.is_floating_point() else quality.float()
    return (wide / 65535.0 * PLACES).clamp(max=anchors - 1)


def level_of_quality(quality: Tensor, anchors: int) -> Tensor:
    """16-bit quality (integers 0..65535) -> the level 0, 1, ... that the entropy model knows of it."""
    known = quality.clamp(max=finest(anchors)) * (PLACES * _LEVELS_PER_7_PLACES)
    return torch.div(known, 7 * 65536, rounding_mode="floor")


def row_of_quality(quality: Tensor, anchors: int) -> Tensor:
    """16-bit quality -> the row 0..anchors - 1 of the hyper-latents' tables: even parts of the network's range."""
    known = quality.clamp(max=finest(anchors)) * (PLACES * anchors)
    return torch.div(known, (anchors - 1) * 65536, rounding_mode="floor").clamp(max=anchors - 1)


def training_qualities(parts: Tensor, anchors: int) -> Tensor:
    """Numbers evenly spread over 0..1 (B,) -> 16-bit qualities to train at (B,) int64: most of them in the range up to
    COMMON_PLACE, which is what pictures are mostly coded at, the rest above it."""
    common = COMMON_PLACE / PLACES
    share = COMMON_SHARE if anchors > COMMON_PLACE + 1 else 1.0
    low, high = parts / share * common, common + (parts - share) / (1 - share + 1e-9) * (1 - common)
    return (torch.where(parts < share, low, high) * 65536).long().clamp_(0, 65535)


def lambda_of_quality(quality: Tensor, anchors: int = PLACES + 1) -> Tensor:
    """16-bit quality (any number type) -> the lambda that a network with `anchors` anchors codes it for."""
    return LAMBDA_MIN * torch.exp(place_of_quality(quality, anchors) * math.log(GROWTH))
