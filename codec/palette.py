"""Fewer colours for pictures drawn by a computer, chosen by rate and distortion.

Entropy-constrained vector quantisation (Chou, Lookabaugh and Gray 1989) of the colours that occur: a colour takes the
entry of the least bits + lambda * squared error, an entry moves to the mean of its colours, and one that nobody takes
is dropped. So lambda decides how many colours are left. It works on the list of distinct colours, not on pixels.
"""

import numpy as np
import numpy.typing as npt

from lpcodec.codec.arrays import Pixels

MOST_ENTRIES = 256
"""WebP and PNG code up to this many colours as indexes."""
_MOST_COLOURS = 1 << 13
"""Rarer colours than the most frequent ones of this number have no part in choosing the entries."""
_ITERATIONS = 6
_BITS_SHARE = 0.3
"""The bits that a pixel takes after prediction from its neighbours, as a part of those of its colour's frequency."""
_BATCH = 4096
_MAJORITY = 0.5


def distinct_colours(pixels: Pixels) -> tuple[Pixels, npt.NDArray[np.int32]]:
    """The distinct colours (n, C) of pixels uint8 (N, C), C 1 or 3, and the number of each pixel's colour (N,)."""
    keys = np.zeros(len(pixels), np.int32)
    for channel in pixels.T:
        keys = keys << 8 | channel
    found, places = np.unique(keys, return_inverse=True)
    shifts = 8 * np.arange(pixels.shape[1])[::-1]
    return (found[:, None] >> shifts & 255).astype(np.uint8), places.astype(np.int32)


def fewer_colours(colours: Pixels, counts: npt.NDArray[np.int64], lmbda: float) -> Pixels:
    """Return what replaces each of the distinct colours uint8 (n, C): at most 256 different ones.

    The cost is bits + lambda * squared error of each pixel, a mean over the C channels, in 8-bit units. An entry whose
    pixels mostly have one colour is that colour, so that backgrounds stay exact.

    Args:
        counts: how many pixels have each colour, (n,); not all 0.
    """
    order = np.argsort(-counts, kind="stable")[: min(_MOST_COLOURS, np.count_nonzero(counts))]
    values, weights = colours[order].astype(np.float32), counts[order].astype(np.float64)
    entries, uses = values[:MOST_ENTRIES], weights[:MOST_ENTRIES]
    for _ in range(_ITERATIONS):
        taken = _cheapest(values, entries, uses, lmbda)
        uses = np.bincount(taken, weights, len(entries)).astype(np.float64)
        sums = np.stack([np.bincount(taken, weights * channel, len(entries)) for channel in values.T], 1)
        kept = uses > 0
        entries, uses = (sums[kept] / uses[kept, None]).astype(np.float32), uses[kept]
    entries = np.rint(entries)
    taken = _cheapest(values, entries, uses, lmbda)
    # The values come in falling order of frequency: the first of an entry is its most frequent.
    used, first = np.unique(taken, return_index=True)
    dominant = weights[first] > _MAJORITY * np.bincount(taken, weights, len(entries))[used]
    entries[used[dominant]] = values[first[dominant]]
    replaced: Pixels = entries[_cheapest(colours.astype(np.float32), entries, uses, lmbda)].astype(np.uint8)
    return replaced


def _cheapest(
    values: npt.NDArray[np.float32], entries: npt.NDArray[np.float32], uses: npt.NDArray[np.float64], lmbda: float
) -> npt.NDArray[np.intp]:
    """The number of the entry (m, C) that costs least for each of the values (n, C)."""
    bits = (-_BITS_SHARE * np.log2(np.maximum(uses, 0.5) / uses.sum())).astype(np.float32)
    scale = np.float32(lmbda / values.shape[1])
    own = scale * np.square(entries).sum(1) + bits
    taken = np.empty(len(values), np.intp)
    for start in range(0, len(values), _BATCH):
        taken[start : start + _BATCH] = (own - values[start : start + _BATCH] @ (2 * scale * entries.T)).argmin(1)
    return taken
