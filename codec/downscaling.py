"""Coding a picture at half or a quarter of its sides, which is better at low rates.

```
picture --reduced, bicubic--> small --codec--> file --codec--> small --enlarged--> picture
                                                                 by a network that the file names, or bicubic
```

`choose` tries the sizes and takes the one that serves the target best. It doesn't try smaller sizes for small pictures,
nor at rates where the larger size was better on every picture that was measured.
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
"""The network that enlarges pictures, if its weights are installed: those for the tune of the codec's weights."""
HIGHEST_BPP = 0.12
"""`auto` tries the next smaller size if the file takes at most this many bits per pixel of the size it is coded at. So
it tries half the sides up to 0.12 bpp of the whole picture, and a quarter of the sides up to 0.03. Above 0.12, half the
sides was hardly ever better (docs/upscaling.md)."""
SMALLEST_SIDE = 256
"""`auto` doesn't try smaller sizes for pictures with a shorter side than this, in pixels, if their own size meets the
target."""
_BISECTIONS = 20
"""Steps of the search for a quality with a given lambda."""
_REACH = 2
"""Bicubic enlargement computes a pixel from this many pixels on each side, in the smaller picture."""


@dataclass(frozen=True)
class Trial(Generic[T]):
    """A picture coded at one size.

    `cost` computes what `choose` compares; the smallest is best. `bpp` is the rate of the colours alone, per pixel of
    the whole picture, and at most the rate that is asked for. `reached`: the target is met.
    """

    result: T
    cost: Callable[[], tuple[bool, float]]
    bpp: float
    reached: bool = True


def check(downscale: object, lossless: bool) -> None:
    """Raise UsageError if `downscale` isn't one of `CHOICES`, or asks for a smaller picture that is lossless."""
    if not isinstance(downscale, (str, int)) or isinstance(downscale, bool) or downscale not in CHOICES:
        raise UsageError(f"downscale {downscale!r}: it is auto, 1, 2 or 4")
    if lossless and downscale in (2, 4):
        raise UsageError("a lossless picture keeps its size: leave the downscale out")


def choose(trial: Callable[[int], Trial[T]], downscale: Downscale, shorter_side: int) -> Trial[T]:
    """The best of the sizes that `downscale` allows.

    `auto` stops at the first smaller size that isn't better. If no file at the picture's own size meets the target, it
    tries the smaller sizes of all pictures, at all rates.

    Args:
        trial: codes the picture with its sides halved 0, 1 or 2 times.
        shorter_side: of the picture, in pixels.
    """
    if downscale != "auto":
        return trial(downscale.bit_length() - 1)
    best = trial(0)
    if best.reached and (best.bpp > HIGHEST_BPP or shorter_side < SMALLEST_SIDE):
        return best
    cost = best.cost()
    for halvings in (1, 2):
        rate = best.bpp * 4 ** (halvings - 1)  # per pixel of the size that `best` is coded at
        if best.reached and rate > HIGHEST_BPP:
            break
        next_smaller = trial(halvings)
        next_cost = next_smaller.cost()
        if next_cost >= cost:
            break
        best, cost = next_smaller, next_cost
    return best


def raised_quality(quality: float, halvings: int, codec: models.Codec) -> float:
    """The quality 0..100 at which to code the smaller picture if `quality` is asked for; 100 if none is high enough.

    A pixel of the smaller picture becomes 4 or 16 pixels of the picture that is shown. So its error counts 4 or 16
    times as much against its bits: its lambda is that many times as high.
    """
    assert isinstance(codec, models.WeighingCodec)
    wanted = codec.lambda_at(quality) * 4**halvings
    low, high = quality, 100.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if codec.lambda_at(middle) < wanted else (low, middle)
    return high


def downscaled(halvings: int, tune: str) -> Downscaled | None:
    """What the header says of a picture with its sides halved 0, 1 or 2 times; None for 0.

    It names the weights of `stage` for the tune if they are installed, or else other weights of it.
    """
    if not halvings:
        return None
    found = models.installed(STAGE, tune)
    return Downscaled(halvings) if found is None else Downscaled(halvings, *found)


def reduced(pixels: Pixels, halvings: int) -> Pixels:
    """Pixels (H, W, C) with both sides halved `halvings` times and rounded up, by an antialiased bicubic filter.

    If a side can't be halved evenly, its last row or column is repeated first. With 0 halvings, the same array.
    """
    if not halvings:
        return pixels
    step = 1 << halvings
    height, width = pixels.shape[:2]
    padding = ((0, -height % step), (0, -width % step), (0, 0))
    padded = np.pad(pixels, padding, mode="edge")
    return upscaling.resized(padded, padded.shape[0] // step, padded.shape[1] // step)


def enlarged(pixels: Pixels, width: int, height: int, how: Downscaled, device: str = "cpu") -> Pixels:
    """Pixels (h, w, C) that were `reduced`, enlarged to (height, width, C) as `how` says. Raises as `network_of`."""
    if how.number:
        network = network_of(how, device)
        for _ in range(how.halvings):
            pixels = network.enlarge(pixels, 2)
    else:
        pixels = upscaling.bicubic(pixels, 1 << how.halvings)
    return pixels[:height, :width]


def needed(box: Box, how: Downscaled, coded_width: int, coded_height: int) -> Box:
    """The box of the smaller picture that `enlarged_part` needs for a box of the shown one. Raises as `network_of`."""
    around, step = _REACH, 1
    if how.number:
        upscaler = network_of(how)
        around, step = how.halvings * upscaler.reach(2), upscaler.network.step
    left, right = _needed_along(box.left, box.width, how.halvings, around, step, coded_width)
    top, bottom = _needed_along(box.top, box.height, how.halvings, around, step, coded_height)
    return Box(left, top, right - left, bottom - top)


def enlarged_part(pixels: Pixels, place: Box, box: Box, how: Downscaled, device: str = "cpu") -> Pixels:
    """The part of what `enlarged` gives that is in `box`, within float noise.

    Args:
        pixels: the part of the smaller picture that is in `place`, which is what `needed` gives for `box`.
    """
    step = 1 << how.halvings
    found = enlarged(pixels, step * place.width, step * place.height, how, device)
    top, left = box.top - step * place.top, box.left - step * place.left
    return np.ascontiguousarray(found[top : top + box.height, left : left + box.width])


def _needed_along(start: int, length: int, halvings: int, around: int, step: int, coded: int) -> tuple[int, int]:
    """Along one axis: the start and stop of the pixels of the smaller picture that are needed.

    Those are the pixels under the box and `around` more on each side, within the `coded` pixels that there are. The
    start is a multiple of `step`: the network then sees the same blocks of pixels as in the whole picture.
    """
    first = max(0, (start >> halvings) - around) // step * step
    return first, min(coded, (start + length - 1 >> halvings) + 1 + around)


def network_of(how: Downscaled, device: str = "cpu") -> Any:
    """The network that enlarges a picture, an `Upscaler`.

    Raises:
        UnknownModelError: its weights aren't installed.
        DamagedFileError: the weights that the file names don't enlarge pictures.
    """
    return models.load_by_identity(how.number, how.digest, device, "upscaling").trained
