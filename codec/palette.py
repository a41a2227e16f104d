"""Fewer colours for pictures drawn by a computer, chosen by rate and distortion.

The colours of a picture are quantised to a palette (entropy-constrained vector quantisation: Chou, Lookabaugh and Gray
1989). Again and again, each colour takes the entry with the least bits + lambda * squared error, each entry moves to
the mean of its colours, and entries that no colour takes are dropped. So lambda decides how many colours are left. The
work is done on the list of distinct colours, not on pixels.
"""

import numpy as np
import numpy.typing as npt

from lpcodec.codec.arrays import Pixels

MOST_ENTRIES = 256
"""The most entries: WebP and PNG can code up to this many colours as indexes."""
_MOST_COLOURS = 1 << 13
"""Only this many colours, the most frequent ones, take part in choosing the entries."""
_ITERATIONS = 6
_BITS_SHARE = 0.3
"""A pixel takes about this part of the bits that the frequency of its colour says: its neighbours predict it."""
_BATCH = 4096
"""Colours that are compared with all entries at a time."""
_MAJORITY = 0.5
"""An entry is set to a colour that more than this part of its pixels have."""


def distinct_colours(pixels: Pixels) -> tuple[Pixels, npt.NDArray[np.int32]]:
    """The distinct colours, uint8 (n, C), of pixels, uint8 (N, C) with C 1 or 3, and the row of each pixel's colour,
    int32 (N,)."""
    keys = np.zeros(len(pixels), np.int32)
    for channel in pixels.T:
        keys = keys << 8 | channel
    found, places = np.unique(keys, return_inverse=True)
    shifts = 8 * np.arange(pixels.shape[1])[::-1]
    return (found[:, None] >> shifts & 255).astype(np.uint8), places.astype(np.int32)


def fewer_colours(colours: Pixels, counts: npt.NDArray[np.int64], lmbda: float) -> Pixels:
    """Return the colour that replaces each of the distinct colours, uint8 (n, C): at most 256 different ones.

    If most pixels of an entry have one colour, the entry is that colour, so that backgrounds stay exact.

    Args:
        counts: how many pixels have each colour, (n,); not all 0.
        lmbda: the cost of a pixel is bits + lambda * squared error, in 8-bit units, a mean over channels.
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
    # Values are sorted by frequency, so the first one of an entry is its most frequent one.
    used, first = np.unique(taken, return_index=True)
    dominant = weights[first] > _MAJORITY * np.bincount(taken, weights, len(entries))[used]
    entries[used[dominant]] = values[first[dominant]]
    replaced: Pixels = entries[_cheapest(colours.astype(np.float32), entries, uses, lmbda)].astype(np.uint8)
    return replaced


def _cheapest(
    values: npt.NDArray[np.float32], entries: npt.NDArray[np.float32], uses: npt.NDArray[np.float64], lmbda: float
) -> npt.NDArray[np.intp]:
    """For each of the values (n, C), the row of the entry in (m, C) that costs least. `uses` (m,) are the pixels of
    each entry."""
    bits = (-_BITS_SHARE * np.log2(np.maximum(uses, 0.5) / uses.sum())).astype(np.float32)
    scale = np.float32(lmbda / values.shape[1])
    own = scale * np.square(entries).sum(1) + bits
    taken = np.empty(len(values), np.intp)
    for start in range(0, len(values), _BATCH):
        part = values[start : start + _BATCH]
        costs = np.broadcast_to(own, (len(part), len(own))).copy()
        # Not a matrix product: numpy's would start the BLAS library's threads, which go on spinning after it.
        for channel, entry in zip(part.T, 2 * scale * entries.T, strict=True):
            costs -= np.multiply.outer(channel, entry)
        taken[start : start + _BATCH] = costs.argmin(1)
    return taken
