"""Effort: how long an encoder searches for a smaller file of the same quality, and how it keeps a target then.

```
a quality:  refine at it --> code
a target:   search with the plain latents --> refine a little there --> search --> refine there --> search
```

Latents are refined for one quality and are good near it. Refinement saves bits, so a higher quality meets the target. A
few iterations find that quality first. The last search compares the real files, so the target is kept. The effort
changes neither the format nor the time of decoding.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from lpcodec.codec.colour import PLAIN, Rotation
from lpcodec.codec.errors import UsageError
from lpcodec.codec.progress import Progress
from lpcodec.codec.rate import SearchResult

T = TypeVar("T")

ITERATIONS = (0, 2, 4, 6, 8, 12, 15, 20, 30, 60)
"""Iterations of each effort; one takes about as long as three decodings. Effort 0 codes the latents as they are."""
MOST = len(ITERATIONS) - 1
_FIRST_PART = 4
"""A search for a target first refines with the iterations divided by this."""


@runtime_checkable
class Refinable(Protocol):
    """A codec whose latents can be refined (the hyperprior models): `refine` returns latents for `code`."""

    def refine(
        self, pixels: npt.NDArray[np.uint8], latents: Any, quality: float, iterations: int,
        progress: Progress | None = None, /, *, rotation: Rotation = PLAIN,
    ) -> Any: ...  # fmt: skip


def check_effort(effort: int) -> None:
    """Raise UsageError unless `effort` is a whole number, 0 to 9."""
    if effort not in range(MOST + 1):
        raise UsageError(f"effort {effort}: it is a whole number from 0 to {MOST}")


def search_refined(
    target: float,
    search: Callable[[Any, float | None], SearchResult[T]],
    refine: Callable[[float, int], Any],
    iterations: int,
) -> SearchResult[T]:
    """Find the most refined file that uses the limit; if none does, the most refined one that keeps it.

    Args:
        target: bytes or dB, as the measure of the results of `search`.
        search: (latents, first quality or None) -> the result of a search with these latents; None means unrefined.
        refine: (quality, iterations) -> latents.
        iterations: the number for the last refinement; 0 searches without refinement.
    """
    found = [search(None, None)]
    for count in (max(iterations // _FIRST_PART, 1), iterations) if iterations else ():
        quality = found[-1].quality
        found.append(search(refine(quality, count), quality))
    for kept in ([r for r in found if r.close], [r for r in found if r.reached]):
        if kept:
            return kept[-1]
    return min(reversed(found), key=lambda r: (r.measure > target, abs(r.measure - target)))
