"""Which squares of a picture get more bits than others, for weights for the eye.

```
picture as decoded at one quality --visual.py--> errors of each square --+
symbols --> bits of each square -----------------------------------------+--> offsets: equal gain per bit everywhere
```

Training balances bits and errors within patches. But what is seen of a whole picture depends mostly on its worst places
(SSIMULACRA 2 has 4-norms of errors), and where these are no patch knows. So the encoder decodes the picture once, and
moves bits to where one more of them helps most, until it helps as much everywhere.

How errors and bits change with the quality is assumed to be the same for all pictures: exponential, at the rates below.
What is chosen with them has about 85 % of the gain of a search that codes every square at every quality.
"""

import numpy as np
import numpy.typing as npt

from lpcodec.codec.quality_map import MOST, QualityMap, cheap, to_bytes
from lpcodec.codec.visual import SquareErrors

SIDE = 64
"""Side of a square in pixels."""
FURTHEST = 5
"""The largest offset that is chosen."""
_ERRORS_GROWTH = (-0.2, -0.8, -0.27)
"""How fast the logarithms of the errors change per unit of an offset: of means, of fourth powers, and of MS-SSIM."""
_BITS_GROWTH = 0.2
"""How fast the logarithm of the bits grows per unit of an offset."""
_LEAST_BITS = 2.0
"""Squares count as having this many bits at least."""
_STIFFNESS = 0.08
"""The bits that a square loses by an offset that is off by 1, as a part of its own bits; four times that by 2."""
_DOUBT = 0.05
"""The part of the bits that a map must be expected to save, besides its own: latents of different gains are predicted a
little worse, and the expectation isn't exact."""
_HEAD = 6
"""The bytes of a section besides its payload."""
_ROUNDS, _PACE = 60, 1.0
"""How often offsets are corrected, and by how much for each e-fold that a square's gain per bit differs."""
_TINY = 1e-30

assert FURTHEST <= MOST


def chosen(errors: SquareErrors, bits: npt.NDArray[np.float64], side: int) -> QualityMap | None:
    """The qualities of squares, from their errors and bits (rows, columns) at one quality; None if one quality for all
    is as good."""
    even = np.zeros_like(bits)
    change = even.copy()
    for _ in range(_ROUNDS):
        gains = errors.slopes(change, _ERRORS_GROWTH) + _TINY
        costs = _bits(bits, change) * _BITS_GROWTH
        change += _PACE * np.log(gains / costs * (costs.sum() / gains.sum()))
        change.clip(-FURTHEST, FURTHEST, out=change)
    offsets = cheap(change, _STIFFNESS * bits, FURTHEST)
    if not offsets.any():
        return None
    found, moved = QualityMap(side, offsets), offsets.astype(np.float64)
    # What is seen less, as the bits that it is worth where the picture is now, and the bits that are saved.
    worth = _BITS_GROWTH * _bits(bits, even).sum() / max(errors.slopes(even, _ERRORS_GROWTH).sum(), _TINY)
    saved = worth * (errors.seen(even, _ERRORS_GROWTH) - errors.seen(moved, _ERRORS_GROWTH))
    saved += _bits(bits, even).sum() - _bits(bits, moved).sum()
    return found if saved > 8 * (_HEAD + len(to_bytes(found))) + _DOUBT * bits.sum() else None


def _bits(bits: npt.NDArray[np.float64], change: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The bits of squares whose offsets are `change`."""
    grown: npt.NDArray[np.float64] = (bits + _LEAST_BITS) * np.exp(_BITS_GROWTH * change)
    return grown
