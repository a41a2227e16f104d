"""A target -> the quality that meets it. The analysis has run already: a step of a search costs the entropy side alone.

log(bytes) is close to linear in the quality, so a secant over it, kept inside its bracket, needs three to five steps.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

FLOOR = 0.97
"""A file is near enough to its limit from this part of it on,"""
SLACK_BYTES = 8
"""or within so many bytes: streams grow by whole words."""
AIM = 0.99
MAX_STEPS = 10
_USUAL_SLOPE = 3.7 / 100
"""d log(bytes) / d quality of photographs, for the first step."""


@dataclass(frozen=True)
class Found(Generic[T]):
    """What a search arrived at: `value` at `quality`, of `measure` (bytes or dB). `reached` says whether the target is
    kept; if not, this is the nearest that can be had."""

    quality: float
    value: T
    measure: float
    reached: bool


def quality_for_size(at: Callable[[float], tuple[T, int]], limit: int, guess: float) -> Found[T]:
    """Find the quality whose file is as large as `limit` bytes allow, never larger.

    Args:
        at: quality 0..100 -> (value, bytes of the whole file).
        limit: bytes.
        guess: the quality to try first.
    """
    low, high = (0.0, -math.inf), (100.0, math.inf)  # (quality, log bytes) known to be under, over
    under: Found[T] | None = None
    over: Found[T] | None = None
    quality = min(max(guess, 0.0), 100.0)
    aim = math.log(max(AIM * limit, 1))
    for _ in range(MAX_STEPS):
        value, size = at(quality)
        log_size = math.log(size)
        if size <= limit:
            near = size >= FLOOR * limit or size >= limit - SLACK_BYTES
            if under is None or size > under.measure:
                under = Found(quality, value, size, near)
            if near or quality == 100:
                return under
            low = (quality, log_size)
        else:
            if over is None or size < over.measure:
                over = Found(quality, value, size, False)
            if quality == 0:
                return over
            high = (quality, log_size)
        quality = _next_quality(quality, log_size, low, high, aim)
    result = under or over
    assert result is not None
    return result


def _next_quality(
    quality: float, log_size: float, low: tuple[float, float], high: tuple[float, float], aim: float
) -> float:
    if math.isfinite(low[1]) and math.isfinite(high[1]):
        slope = max((high[1] - low[1]) / max(high[0] - low[0], 1e-9), 1e-6)
        wanted = low[0] + (aim - low[1]) / slope
        margin = 0.02 * (high[0] - low[0])
        return min(max(wanted, low[0] + margin), high[0] - margin)
    wanted = quality + (aim - log_size) / _USUAL_SLOPE
    # A step that runs out of the scale tries its end: the target may be out of reach.
    return min(max(wanted, low[0]), high[0])


def quality_for_psnr(at: Callable[[float], tuple[T, float]], target: float, guess: float) -> Found[T]:
    """Find the smallest quality (to 0.5) whose picture has at least `target` dB. `at`: quality -> (value, dB)."""
    low, high = 0.0, 100.0
    quality = min(max(guess, 0.0), 100.0)
    best: Found[T] | None = None
    top: Found[T] | None = None
    while True:
        value, psnr = at(quality)
        if psnr >= target:
            if best is None or quality < best.quality:
                best = Found(quality, value, psnr, True)
            high = quality
        else:
            if top is None or psnr > top.measure:
                top = Found(quality, value, psnr, False)
            low = quality
        if high - low <= 0.5 or (best is not None and best.measure - target < 0.02):
            break
        # About 0.2 dB a step of quality; never further than the middle of what is left beyond it.
        step = quality + (target + 0.01 - psnr) / 0.2
        quality = min(max(step, low + 0.2 * (high - low)), high - 0.2 * (high - low))
        if best is None and high - quality < 1:
            quality = 100.0
            if top is not None and top.quality == quality:
                break
    result = best or top
    assert result is not None
    return result
