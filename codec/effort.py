"""Effort: the latents are refined for a smaller file of the same quality, and a target is still met.

```
for a quality:  refine the latents for it --> code
for a target:   search with the plain latents --> refine a little for the quality found --> search again
                --> refine more for the quality found now --> search again
```

Refined latents are good for the quality that they were refined for, and near it. They take fewer bits, so a higher
quality meets the target; a few iterations are enough to find about which. The last search compares real files, so the
target is met. The effort changes neither the format nor the time of decoding.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from lpcodec.codec.arguments import is_whole
from lpcodec.codec.colour import PLAIN, Rotation
from lpcodec.codec.errors import UsageError
from lpcodec.codec.progress import Progress
from lpcodec.codec.rate import SearchResult

T = TypeVar("T")

ITERATIONS = (0, 3, 4, 6, 8, 12, 15, 20, 30, 60)
"""The iterations of each effort. One takes about as long as three decodings. Effort 0 doesn't refine the latents."""
MOST = len(ITERATIONS) - 1
_FIRST_PART = 4
"""For a target, the first refinement has the iterations divided by this."""


@runtime_checkable
class Refinable(Protocol):
    """A codec that can refine its latents (the hyperprior models): `refine` returns better latents for `code`,
    judged by what weights of that `tune` are trained for."""

    def refine(
        self, pixels: npt.NDArray[np.uint8], latents: Any, quality: float, iterations: int,
        progress: Progress | None = None, /, *, rotation: Rotation = PLAIN, tune: str = "psnr",
    ) -> Any: ...  # fmt: skip


def check_effort(effort: int) -> None:
    """Raise UsageError unless `effort` is a whole number, 0 to 9."""
    if not is_whole(effort) or effort not in range(MOST + 1):
        raise UsageError(f"effort {effort!r}: it is a whole number from 0 to {MOST}")


def search_refined(
    target: float,
    search: Callable[[Any, float | None], SearchResult[T]],
    refine: Callable[[float, int], Any],
    iterations: int,
) -> SearchResult[T]:
    """Search for a target with more and more refined latents.

    Returns the last result that is `close`; if none is, the last one that is `reached`; if none is, the nearest one.

    Args:
        target: bytes or dB, as the measure of the results of `search`.
        search: (latents, quality to try first) -> result. None for latents means the plain ones; None for the quality
            leaves the choice to the search.
        refine: (quality, iterations) -> latents.
        iterations: those of the last refinement; 0 searches with the plain latents alone.
    """
    found = [search(None, None)]
    for count in (max(iterations // _FIRST_PART, 1), iterations) if iterations else ():
        quality = found[-1].quality
        found.append(search(refine(quality, count), quality))
    for kept in ([r for r in found if r.close], [r for r in found if r.reached]):
        if kept:
            return kept[-1]
    return min(reversed(found), key=lambda r: (r.measure > target, abs(r.measure - target)))
