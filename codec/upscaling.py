"""Enlarging pictures: by a trained super-resolution network, or by plain bicubic interpolation.

```
Picture --pixels: network or bicubic--> Picture of 2, 3, 4 or 8 times the sides
          alpha: bicubic; metadata unchanged
```
"""

import dataclasses

import numpy as np
from PIL import Image

from lpcodec.codec import models
from lpcodec.codec.errors import LimitError, UsageError
from lpcodec.codec.picture import Picture, Pixels
from lpcodec.codec.tiles import Progress

DEFAULT = "light"
BICUBIC = "bicubic"
MAX_SCALE = 8


def upscale(
    picture: Picture, scale: int, *, model: str = DEFAULT, max_pixels: int, device: str = "cpu",
    progress: Progress | None = None,
) -> Picture:  # fmt: skip
    """Enlarge a picture `scale` times.

    Args:
        scale: what the model was trained for; bicubic takes 1 to 8.
        model: a network whose task is upscaling, a set of its weights, or "bicubic".
        max_pixels: refuse results of more pixels.

    Raises:
        UsageError: no such model, no weights for it, or none for this scale.
        LimitError: the result would have more pixels than `max_pixels`.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    height, width = picture.pixels.shape[:2]
    if scale**2 * height * width > max_pixels:
        raise LimitError(
            f"{width}x{height}, enlarged {scale} times, has {scale**2 * height * width:,} pixels; the limit is "
            f"{max_pixels:,}", keyword="max_pixels",
        )  # fmt: skip
    if model == BICUBIC:
        if not 1 <= scale <= MAX_SCALE:
            raise UsageError(f"a scale of {scale}: bicubic enlarges 1 to {MAX_SCALE} times")
        pixels = bicubic(picture.pixels, scale)
    else:
        pixels = models.load_for("upscaling", weights_for(model, scale), device).trained.enlarge(
            picture.pixels, scale, progress
        )
    alpha = None if picture.alpha is None else bicubic(picture.alpha[..., None], scale)[..., 0]
    return dataclasses.replace(picture, pixels=pixels, alpha=alpha)


def weights_for(model: str, scale: int) -> str:
    """The first set of weights of a model name that enlarges `scale` times.

    Raises:
        UsageError: there is none; the text says which scales there are.
    """
    sets = models.variants(model, "upscaling")
    scales = {name: models.card_of(name)["scales"] for name in sets}
    for name in sets:
        if scale in scales[name]:
            return name
    known = sorted({one for found in scales.values() for one in found})
    raise UsageError(f"{model} enlarges {' or '.join(map(str, known))} times, not {scale} times")


def bicubic(pixels: Pixels, scale: int) -> Pixels:
    """Pillow's bicubic interpolation: uint8 (H, W, C) -> (scale H, scale W, C), every channel on its own."""
    height, width, channels = pixels.shape
    size = (scale * width, scale * height)
    planes = [
        np.asarray(Image.fromarray(pixels[..., channel]).resize(size, Image.Resampling.BICUBIC))
        for channel in range(channels)
    ]
    return np.stack(planes, axis=2)
