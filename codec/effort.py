"""Effort: the latents are refined for a smaller file of the same quality, and a target is still met.

```
for a quality:  refine the latents for it --> code
for a target:   about the quality with the plain latents --> first stage, for that quality --> search
                --> next stage, for the quality found --> search again --> ...
stages:         qualities of squares (allocation.py), a little refinement, all of it
```

Refined latents are good for the quality that they were refined for, and near it. They take fewer bits, so a higher
quality meets the target; a few iterations are enough to find about which. The last search compares real files, so the
target is met. The effort changes neither the format nor the time of decoding.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from lpcodec.codec.arguments import is_whole
from lpcodec.codec.colour import PLAIN, Rotation
from lpcodec.codec.errors import UsageError
from lpcodec.codec.progress import Progress
from lpcodec.codec.quality_map import QualityMap
from lpcodec.codec.rate import SearchResult

T = TypeVar("T")
Made = TypeVar("Made")

ITERATIONS = (0, 0, 3, 6, 8, 12, 15, 20, 30, 60)
"""The iterations of each effort. One takes about as long as three decodings. Efforts 0 and 1 don't refine latents."""
MOST = len(ITERATIONS) - 1
DEFAULT = 1
"""From this effort on, squares have qualities of their own, with weights for the eye. Encoding takes about 2.5 times as
long as at 0. Higher ones are only for a codec that is `Refinable`."""
_FIRST_PART = 4
"""For a target, the first refinement has the iterations divided by this."""


@runtime_checkable
class Refinable(Protocol):
    """A codec that can refine its latents (the hyperprior models): `refine` returns better latents for `code`,
    judged by what weights of that `tune` are trained for."""

    def refine(
        self, pixels: npt.NDArray[np.uint8], latents: Any, quality: float, iterations: int,
        progress: Progress | None = None, /, *, rotation: Rotation = PLAIN, tune: str = "psnr",
        quality_map: QualityMap | None = None,
    ) -> Any: ...  # fmt: skip


def check_effort(effort: int) -> None:
    """Raise UsageError unless `effort` is a whole number, 0 to 9."""
    if not is_whole(effort) or effort not in range(MOST + 1):
        raise UsageError(f"effort {effort!r}: it is a whole number from 0 to {MOST}")


def parts(iterations: int) -> tuple[int, ...]:
    """The iterations of each refinement for a target, the last of which has all."""
    return (max(iterations // _FIRST_PART, 1), iterations) if iterations else ()


def search_improved(
    plain: Callable[[], SearchResult[T]],
    guess: float,
    target: float,
    search: Callable[[Made, float], SearchResult[T]],
    stages: Sequence[Callable[[float, Made | None], Made | None]],
) -> SearchResult[T]:
    """Search for a target with more and more of what an encoder can do.

    Returns the last result that is `close`; if none is, the last one that is `reached`; if none is, the nearest one.

    Args:
        plain: the search with the plain latents. It is called only if no other result is `close`.
        guess: about the quality that the first stage needs.
        target: bytes or dB, as the measure of the results.
        search: (what a stage made, quality to try first) -> result.
        stages: each makes something better for the quality found before, from what the last one made (None: nothing).
            If it has nothing better, it returns None, and there is no search.
    """
    found = list[SearchResult[T]]()
    improved: Made | None = None
    for stage in stages:
        better = stage(guess, improved)
        if better is not None:
            improved = better
            found.append(search(improved, guess))
            guess = found[-1].quality
    if not any(result.close for result in found):
        found.insert(0, plain())
    for kept in ([r for r in found if r.close], [r for r in found if r.reached]):
        if kept:
            return kept[-1]
    return min(reversed(found), key=lambda r: (r.measure > target, abs(r.measure - target)))
