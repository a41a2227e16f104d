"""The errors and bits of a picture's squares at one quality, for codec/allocation.py.

```
blocks of groups --coded, decoded--> pixels --> errors of squares;    latents --> bits of squares --> QualityMap
```
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from torch import Tensor

from lpcodec.codec import visual
from lpcodec.codec.allocation import SIDE, chosen
from lpcodec.codec.arrays import Pixels, ceil_div
from lpcodec.codec.families.hyperprior.sizes import STRIDE
from lpcodec.codec.freed import give_back
from lpcodec.codec.quality_map import QualityMap
from lpcodec.codec.tiles import Span

_BLOCK = 128
"""Side in latents of what is decoded at a time, a multiple of a group's: memory is that of a block."""
_LATENTS = SIDE // STRIDE

Decoded = Callable[[Sequence[int], int, int], Pixels]
"""(numbers of the groups of a block, its height and width in pixels) -> its decoded pixels (h, w, 3)."""
Bits = Callable[[int], Tensor]
"""(number of a group) -> about how many bits its latents take at each place (h, w)."""


def allocate(pixels: Pixels, places: Sequence[tuple[Span, Span]], decoded: Decoded, bits: Bits) -> QualityMap | None:
    """Return the qualities of squares for pixels (H, W, 3 or 1); None if they are all the same.

    Args:
        places: the rows and columns of the groups of latents, in coding order.
        bits: without those of the DC latents, which don't depend on the map.
    """
    height, width = pixels.shape[:2]
    of_squares = np.zeros((ceil_div(height, SIDE), ceil_div(width, SIDE)))
    blocks: dict[tuple[int, int], list[int]] = {}
    for number, (rows, columns) in enumerate(places):
        blocks.setdefault((rows.start // _BLOCK, columns.start // _BLOCK), []).append(number)
    found = []
    for numbers in blocks.values():
        (rows, columns), (last_rows, last_columns) = places[numbers[0]], places[numbers[-1]]
        top, left = STRIDE * rows.start, STRIDE * columns.start
        part = pixels[top : STRIDE * last_rows.stop, left : STRIDE * last_columns.stop]
        shown = decoded(numbers, *part.shape[:2])
        if part.shape[2] == 1:
            shown = np.rint(shown.mean(2, keepdims=True, dtype=np.float32)).astype(np.uint8)
        found.append((top // SIDE, left // SIDE, visual.errors_of_squares(shown, part, SIDE, height * width)))
        for number in numbers:
            own = _by_square(bits(number))
            row, column = places[number][0].start // _LATENTS, places[number][1].start // _LATENTS
            of_squares[row : row + own.shape[0], column : column + own.shape[1]] = own
        if len(blocks) > 1:
            give_back()
    return chosen(visual.joined(found, of_squares.shape), of_squares, SIDE)


def _by_square(bits: Tensor) -> npt.NDArray[np.float64]:
    """Bits by place (h, w) as bits by square."""
    below, beside = (-length % _LATENTS for length in bits.shape)
    sums: npt.NDArray[np.float64] = F.avg_pool2d(F.pad(bits, (0, beside, 0, below))[None], _LATENTS)[0].double().numpy()
    return sums * float(_LATENTS**2)
