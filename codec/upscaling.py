"""Enlarging pictures: by a trained super-resolution network, the prediction of a front-end, or bicubic interpolation.

```
Picture --pixels: network, front-end or bicubic--> Picture with 2, 3, 4 or 8 times the sides
          alpha: bicubic; metadata: unchanged
```

Front-ends have the names that `lpcodec show decompose` takes. LPAE, WAE and the Laplacian pyramid predict the finer
level. A wavelet is synthesised with details of zero; its low-pass is scaled so that a flat picture keeps its value
(pyramid.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lpcodec.codec import models
from lpcodec.codec.arguments import text, whole
from lpcodec.codec.errors import LimitError, UsageError
from lpcodec.codec.families.family import Task
from lpcodec.codec.picture import Picture, Pixels
from lpcodec.codec.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor

    from lpcodec.codec.frontends.interface import Size

DEFAULT = "light"
BICUBIC = "bicubic"
MAX_SCALE = 8
DOUBLINGS = (2, 4, 8)
Enlarge = Callable[[Pixels, int, Progress | None], Pixels]
Predict = Callable[["Tensor", "Size"], "Tensor"]
"""A front-end's `predict`: approximation (1, 3, h, w), (height, width) of the finer level -> that level."""


@dataclass(frozen=True)
class UpscaleResult:
    """An enlarged picture, and a note for each thing of the original that wasn't kept."""

    image: Image.Image
    notes: tuple[str, ...]


def upscale(
    picture: Picture, scale: int, *, model: str = DEFAULT, max_pixels: int, device: str = "cpu",
    progress: Progress | None = None,
) -> Picture:  # fmt: skip
    """Enlarge a picture `scale` times.

    Args:
        scale: one that the model was trained for; 2, 4 or 8 for front-ends, 1 to 8 for bicubic.
        model: a network for upscaling, a set of its weights, a front-end (lpae, wae, pyramid, haar, cdf53,
            or a discrete wavelet of PyWavelets), or "bicubic".
        max_pixels: refuse results with more pixels.

    Raises:
        UsageError: there is no such model, or no weights for it or for this scale.
        LimitError: the result would have more than `max_pixels` pixels.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    height, width = picture.pixels.shape[:2]
    if scale**2 * height * width > max_pixels:
        raise LimitError(
            f"{width}x{height}, enlarged {scale} times, has {scale**2 * height * width:,} pixels; the limit is "
            f"{max_pixels:,}", keyword="max_pixels",
        )  # fmt: skip
    pixels = enlarger(model, scale, device)(picture.pixels, scale, progress)
    alpha = None if picture.alpha is None else bicubic(picture.alpha[..., None], scale)[..., 0]
    return dataclasses.replace(picture, pixels=pixels, alpha=alpha)


def check(model: str, scale: int) -> None:
    """Raise UsageError if there is no such model, or it doesn't enlarge `scale` times. No weights are loaded."""
    text("model", model)
    whole("scale", scale)
    if model == BICUBIC:
        if not 1 <= scale <= MAX_SCALE:
            raise UsageError(f"a scale of {scale}: bicubic enlarges 1 to {MAX_SCALE} times")
    elif (task := _task(model)) in (None, "front-end"):
        if scale not in DOUBLINGS:
            raise UsageError(f"{model} enlarges 2, 4 or 8 times, not {scale} times")
        if task is not None:
            models.variants(model, task)
    elif task == "codec":
        raise UsageError(f"{model} codes pictures; these enlarge them: {_choice()}")
    else:
        weights_for(model, scale)


def enlarger(model: str, scale: int, device: str = "cpu") -> Enlarge:
    """The function of a model's name that enlarges pixels, uint8 (H, W, 1 or 3), `scale` times. Raises as `upscale`."""
    check(model, scale)
    if model == BICUBIC:
        return lambda pixels, scale, progress: bicubic(pixels, scale)
    if (predict := _prediction(model)) is not None:
        return lambda pixels, scale, progress: predicted(predict, pixels, scale)
    found: Enlarge = models.load_for("upscaling", weights_for(model, scale), device).trained.enlarge
    return found


def _task(model: str) -> Task | None:
    """What a network is for; None for a front-end without weights. Raises UsageError if there is no such model."""
    try:
        return models.network_of(model).task
    except UsageError:
        from lpcodec.codec.frontends import dwt, pyramid

        if model != pyramid.NAME and dwt.wavelet_named(model) is None:
            raise UsageError(f"no model named {model!r}; there are: {_choice()}") from None
        return None


def _choice() -> str:
    """All that enlarges pictures, for people."""
    from lpcodec.codec.frontends import pyramid

    trained = ", ".join((*models.names("upscaling"), BICUBIC, *models.names("front-end"), pyramid.NAME))
    return f"{trained}, and the discrete wavelets of PyWavelets, such as haar, cdf53 (bior2.2), db2, sym4"


def _prediction(model: str) -> Predict | None:
    """The `predict` of a front-end; None for a network of another task. Raises UsageError if there is no such model."""
    task = _task(model)
    if task is None:
        from lpcodec.codec.frontends import dwt, pyramid

        wavelet = dwt.wavelet_named(model)
        return (pyramid.LaplacianPyramid(1) if wavelet is None else pyramid.LaplacianPyramid(1, wavelet)).predict
    return models.load_frontend(model).predict if task == "front-end" else None


def predicted(predict: Predict, pixels: Pixels, scale: int) -> Pixels:
    """What a front-end predicts at the finer levels if `pixels`, uint8 (H, W, 1 or 3), are its approximation.

    Returns uint8 (scale H, scale W, C).
    """
    import torch

    with torch.inference_mode():
        x = torch.from_numpy(np.array(pixels.transpose(2, 0, 1)[None])).float() / 255
        x = x.expand(-1, 3, -1, -1)
        while x.shape[2] < scale * pixels.shape[0]:
            x = predict(x, (2 * x.shape[2], 2 * x.shape[3]))
        rgb = (x[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return rgb if pixels.shape[2] == 3 else np.rint(rgb.mean(2, keepdims=True)).astype(np.uint8)


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
    """Pillow's bicubic interpolation: uint8 (H, W, 1 or 3) -> (scale H, scale W, C)."""
    return resized(pixels, scale * pixels.shape[0], scale * pixels.shape[1])


def resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """Pillow's bicubic resampling, antialiased if it reduces: uint8 (H, W, 1 or 3) -> (height, width, C)."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    found = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    return found[..., None] if pixels.shape[2] == 1 else found
