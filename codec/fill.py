"""Pixels that nobody will see, replaced by a smooth continuation of those around them, which is cheap to code.

It is pull-push interpolation (Gortler et al., "The lumigraph", 1996). The known pixels are averaged 2 x 2, level by
level, until one is left. On the way back, each unknown pixel takes the value of the coarser level at its place,
interpolated linearly.
"""

import numpy as np
import numpy.typing as npt

from lpcodec.codec.arrays import Pixels, ceil_div

_Plane = npt.NDArray[np.float32]
_BAND = 256
"""Rows that are computed at a time, so that no float copy of a large picture is in memory."""


def filled(pixels: Pixels, known: npt.NDArray[np.bool_]) -> Pixels:
    """Return a copy of pixels, uint8 (H, W, C), with those outside `known`, bool (H, W), interpolated from the others.

    If no pixel is known, the result is 128 everywhere.
    """
    height, width, channels = pixels.shape
    if known.all():
        return pixels.copy()
    half = (ceil_div(height, 2), ceil_div(width, 2))
    sums, weights = np.empty((*half, channels), np.float32), np.empty(half, np.float32)
    for top in range(0, height, _BAND):
        part = known[top : top + _BAND].astype(np.float32)
        rows = slice(top // 2, top // 2 + ceil_div(len(part), 2))
        sums[rows] = _halved(pixels[top : top + _BAND] * part[..., None])
        weights[rows] = _halved(part[..., None])[..., 0]
    coarse = _interpolated(sums, weights)
    result = pixels.copy()
    for top in range(0, height, _BAND):
        rows = slice(top, min(top + _BAND, height))
        unknown = ~known[rows]
        if unknown.any():
            # One row more on each side, because the interpolation needs it.
            first, last = max(top // 2 - 1, 0), min(ceil_div(rows.stop, 2) + 1, half[0])
            band = _doubled(coarse[first:last])[top - 2 * first :][: len(unknown), :width]
            result[rows][unknown] = np.rint(band[unknown]).astype(np.uint8)
    return result


def _interpolated(sums: _Plane, weights: _Plane) -> _Plane:
    """The values (h, w, C) of a level: the averages of its known pixels, where there are any, blended with the coarser
    level. `sums` (h, w, C) are those of the known pixels, `weights` (h, w) their numbers."""
    own: _Plane = np.divide(sums, np.maximum(weights, np.float32(1e-6))[..., None], dtype=np.float32)
    share = np.minimum(weights, np.float32(1))[..., None]
    if share.min() == 1:
        return own
    if share.size == 1:
        return np.asarray(np.where(share > 0, own, np.float32(128)), np.float32)
    above = _doubled(_interpolated(_halved(own * share), _halved(share)[..., 0]))[: own.shape[0], : own.shape[1]]
    blended: _Plane = above + share * (own - above)
    return blended


def _halved(plane: _Plane) -> _Plane:
    """The sums of 2 x 2 places of (h, w, C); beyond an odd last row or column there is 0."""
    tall, wide = plane.shape[0] % 2, plane.shape[1] % 2
    if tall or wide:
        plane = np.pad(plane, ((0, tall), (0, wide), (0, 0)))
    rows = plane[::2] + plane[1::2]
    summed: _Plane = rows[:, ::2] + rows[:, 1::2]
    return summed


def _doubled(plane: _Plane) -> _Plane:
    """(h, w, C) at twice the size, linearly interpolated between the centres of pixels."""
    for axis in (0, 1):
        before = np.concatenate([plane.take([0], axis), plane.take(range(plane.shape[axis] - 1), axis)], axis)
        after = np.concatenate([plane.take(range(1, plane.shape[axis]), axis), plane.take([-1], axis)], axis)
        pair = np.stack([0.75 * plane + 0.25 * before, 0.75 * plane + 0.25 * after], axis + 1)
        shape = list(plane.shape)
        shape[axis] *= 2
        plane = pair.reshape(shape).astype(np.float32)
    return plane
