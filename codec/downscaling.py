"""Coding a picture at half or a quarter of its sides, which is better at low rates.

```
picture --reduced, bicubic--> small --codec--> file --codec--> small --enlarged--> picture
                                                                 the network `stage` that the file names, or bicubic
```

`choose` compares the scales by what the target asks for. It tries neither small pictures nor rates at which the whole
picture was the better choice wherever it was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from lpcodec.codec import models, upscaling
from lpcodec.codec.errors import UsageError
from lpcodec.codec.header import Smaller
from lpcodec.codec.picture import Pixels

T = TypeVar("T")
Downscale = Literal["auto", 1, 2, 4]
CHOICES: tuple[Downscale, ...] = ("auto", 1, 2, 4)
STAGE = "stage"
HIGHEST_BPP = 0.15
"""Above this rate of the whole picture `auto` doesn't try smaller ones."""
SMALLEST_SIDE = 256
"""Nor for pictures with a shorter side than this."""


@dataclass(frozen=True)
class Trial(Generic[T]):
    """A picture coded at one scale: `cost` finds what should be small; `bpp` is the rate per pixel that is shown."""

    result: T
    cost: Callable[[], float]
    bpp: float


def check(downscale: object, lossless: bool) -> None:
    """Raise UsageError if `downscale` isn't one of `CHOICES`, or asks for a smaller picture that is lossless."""
    if downscale not in CHOICES or isinstance(downscale, bool):
        raise UsageError(f"downscale {downscale!r}: it is auto, 1, 2 or 4")
    if lossless and downscale in (2, 4):
        raise UsageError("a lossless picture keeps its size: leave the downscale out")


def choose(trial: Callable[[int], Trial[T]], downscale: Downscale, shorter_side: int) -> Trial[T]:
    """The best of the scales that `downscale` allows; `trial` codes the picture with its sides halved 0, 1, 2 times."""
    if downscale != "auto":
        return trial(downscale.bit_length() - 1)
    best = trial(0)
    if best.bpp > HIGHEST_BPP or shorter_side < SMALLEST_SIDE:
        return best
    cost = best.cost()
    for halvings in (1, 2):
        next_smaller = trial(halvings)
        next_cost = next_smaller.cost()
        if next_cost >= cost:
            break
        best, cost = next_smaller, next_cost
    return best


def smaller(halvings: int) -> Smaller | None:
    """How a picture is coded with its sides halved that many times. The installed network will enlarge it, if any."""
    if not halvings:
        return None
    found = models.installed(STAGE)
    return Smaller(halvings) if found is None else Smaller(halvings, *found)


def reduced(pixels: Pixels, halvings: int) -> Pixels:
    """Pixels (H, W, C) with both sides halved, rounded up; the last row and column are repeated for that."""
    step = 1 << halvings
    height, width = pixels.shape[:2]
    padding = ((0, -height % step), (0, -width % step), (0, 0))
    padded = np.pad(pixels, padding, mode="edge")
    return upscaling.resized(padded, padded.shape[0] // step, padded.shape[1] // step)


def enlarged(pixels: Pixels, width: int, height: int, how: Smaller, device: str = "cpu") -> Pixels:
    """What `reduced` made smaller, (h, w, C), at its own size again.

    Raises:
        UnknownModelError: the network that the file names isn't installed.
    """
    if how.number:
        network: Any = models.load_by_identity(how.number, how.digest, device).trained
        for _ in range(how.halvings):
            pixels = network.enlarge(pixels, 2)
    else:
        pixels = upscaling.bicubic(pixels, 1 << how.halvings)
    return pixels[:height, :width]
