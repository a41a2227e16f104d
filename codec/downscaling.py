"""Coding a picture at half or a quarter of its sides, which is better at low rates.

```
picture --reduced, bicubic--> small --codec--> file --codec--> small --enlarged--> picture
                                                                 the network `stage` that the file names, or bicubic
```

`choose` compares the scales by what the target asks for. It tries no smaller size of small pictures, nor at rates at
which the larger size was the better choice wherever it was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from lpcodec.codec import models, upscaling
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.family import Box
from lpcodec.codec.header import Downscaled
from lpcodec.codec.picture import Pixels

T = TypeVar("T")
Downscale = Literal["auto", 1, 2, 4]
CHOICES: tuple[Downscale, ...] = ("auto", 1, 2, 4)
STAGE = "stage"
HIGHEST_BPP = 0.12
"""`auto` halves the sides if the size that is halved takes at most this many bits per pixel of its own: 0.12 bpp of the
picture for half the sides, 0.03 for a quarter. On the CLIC 2025 pictures the half was better on one by 0.02 dB at 0.14,
and on none by more (docs/upscaling.md)."""
SMALLEST_SIDE = 256
"""It tries no smaller size of pictures with a shorter side than this."""
_BISECTIONS = 20
_REACH = 2
"""How many pixels beyond its own a pixel of bicubic enlargement depends on."""


@dataclass(frozen=True)
class Trial(Generic[T]):
    """A picture coded at one scale: `cost` finds what should be small; `bpp` is the rate of the colours alone, per
    pixel of the whole picture, and no more than what is asked for. `stores_cells`: parts of it come back exactly."""

    result: T
    cost: Callable[[], tuple[bool, float]]
    bpp: float
    stores_cells: bool = False


def check(downscale: object, lossless: bool) -> None:
    """Raise UsageError if `downscale` isn't one of `CHOICES`, or asks for a smaller picture that is lossless."""
    if downscale not in CHOICES or isinstance(downscale, bool):
        raise UsageError(f"downscale {downscale!r}: it is auto, 1, 2 or 4")
    if lossless and downscale in (2, 4):
        raise UsageError("a lossless picture keeps its size: leave the downscale out")


def choose(trial: Callable[[int], Trial[T]], downscale: Downscale, shorter_side: int) -> Trial[T]:
    """The best of the scales that `downscale` allows; `trial` codes the picture with its sides halved 0, 1, 2 times.

    `auto` keeps the size of a picture of which cells are stored: its text and its even background would be lost.
    """
    if downscale != "auto":
        return trial(downscale.bit_length() - 1)
    best = trial(0)
    if best.bpp > HIGHEST_BPP or best.stores_cells or shorter_side < SMALLEST_SIDE:
        return best
    cost = best.cost()
    for halvings in (1, 2):
        if best.bpp * 4 ** (halvings - 1) > HIGHEST_BPP:
            break
        next_smaller = trial(halvings)
        next_cost = next_smaller.cost()
        if next_cost >= cost:
            break
        best, cost = next_smaller, next_cost
    return best


def raised(quality: float, halvings: int, codec: models.Codec) -> float:
    """The quality 0..100 of the smaller picture at which a bit is worth as much as at `quality` in the whole: an error
    there counts for 4 or 16 of the pixels that are shown. The finest if none is fine enough."""
    assert isinstance(codec, models.WeighingCodec)
    wanted = codec.lambda_at(quality) * 4**halvings
    low, high = quality, 100.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if codec.lambda_at(middle) < wanted else (low, middle)
    return high


def smaller(halvings: int) -> Downscaled | None:
    """How a picture is coded with its sides halved that many times; the installed network, if any, will enlarge it.
    None for its own size."""
    if not halvings:
        return None
    found = models.installed(STAGE)
    return Downscaled(halvings) if found is None else Downscaled(halvings, *found)


def reduced(pixels: Pixels, halvings: int) -> Pixels:
    """Pixels (H, W, C) with both sides halved, rounded up; the last row and column are repeated for that."""
    step = 1 << halvings
    height, width = pixels.shape[:2]
    padding = ((0, -height % step), (0, -width % step), (0, 0))
    padded = np.pad(pixels, padding, mode="edge")
    return upscaling.resized(padded, padded.shape[0] // step, padded.shape[1] // step)


def enlarged(pixels: Pixels, width: int, height: int, how: Downscaled, device: str = "cpu") -> Pixels:
    """What `reduced` made smaller, (h, w, C), at its own size again. Errors as `network`."""
    if how.number:
        enlarger = network(how, device)
        for _ in range(how.halvings):
            pixels = enlarger.enlarge(pixels, 2)
    else:
        pixels = upscaling.bicubic(pixels, 1 << how.halvings)
    return pixels[:height, :width]


def needed(box: Box, how: Downscaled, coded_width: int, coded_height: int) -> Box:
    """The box of the smaller picture that `enlarged_part` needs for a box of the whole. Errors as `network`."""
    around = _REACH if not how.number else how.halvings * network(how).reach(2)
    left, right = _needed(box.left, box.width, how.halvings, around, coded_width)
    top, bottom = _needed(box.top, box.height, how.halvings, around, coded_height)
    return Box(left, top, right - left, bottom - top)


def enlarged_part(pixels: Pixels, place: Box, box: Box, how: Downscaled, device: str = "cpu") -> Pixels:
    """A box of what `enlarged` gives, within float noise, from the pixels of the smaller picture at `place`, the box
    that `needed` gives."""
    step = 1 << how.halvings
    found = enlarged(pixels, step * place.width, step * place.height, how, device)
    top, left = box.top - step * place.top, box.left - step * place.left
    return np.ascontiguousarray(found[top : top + box.height, left : left + box.width])


def _needed(start: int, length: int, halvings: int, around: int, coded: int) -> tuple[int, int]:
    """Along one axis: the start and stop of what is needed of the smaller picture, which is `coded` pixels long."""
    return max(0, (start >> halvings) - around), min(coded, (start + length - 1 >> halvings) + 1 + around)


def network(how: Downscaled, device: str = "cpu") -> Any:
    """The network that enlarges a picture. Raises UnknownModelError if it isn't installed, and DamagedFileError if what
    the file names enlarges no pictures."""
    return models.load_by_identity(how.number, how.digest, device, "upscaling").trained
