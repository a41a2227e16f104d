"""The discrete wavelet transform with any wavelet and border of PyWavelets, in torch: differentiable, any size.

```
x --border, low and high pass, every second, along columns and rows--> LL and details (LH, HL, HH) --LL again--> ...
```

Filters, border modes, and the sizes and order of the bands are those of PyWavelets: `pywt.wavedec2` gives the same
numbers, and filters and border rules are read from it. wavelet.py is only the Haar transform of even sides, written for
the codecs; there `DWT("haar", k)` gives the values of its `HaarPyramid(k)`.
"""

from __future__ import annotations

import functools

import pywt  # type: ignore[import-untyped]
import torch
from torch import Tensor

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.frontends.banks import doubled, halved
from lpcodec.codec.frontends.interface import Bands, Size, check_details, check_levels, split_levels

PERIODIZATION = "periodization"
ALIASES = {"cdf53": "bior2.2"}
"""Other names of wavelets -> PyWavelets' names."""


def wavelets() -> tuple[str, ...]:
    """The names of the discrete wavelets of PyWavelets."""
    return tuple(pywt.wavelist(kind="discrete"))


def wavelet_named(name: str) -> str | None:
    """PyWavelets' name of the discrete wavelet `name` ("cdf53" is its "bior2.2"); None if there is none."""
    found = ALIASES.get(name, name)
    return found if found in wavelets() else None


class DWT:
    """A transform of `levels` scales: coarse is LL, each detail holds LH of all channels, then HL, then HH.

    The bands have the sizes that PyWavelets gives them: (n + f - 1) // 2 of a side of n and a filter of f taps, or
    half of n, rounded up, for the mode "periodization". More levels than `pywt.dwt_max_level` are allowed.

    Args:
        wavelet: a discrete wavelet's name, one of `pywt.wavelist(kind="discrete")`.
        levels: 1 or more.
        mode: how a picture continues beyond its border, one of `pywt.Modes.modes`.

    Raises:
        ValueError: fewer than one level, no such wavelet, no such mode.
    """

    def __init__(self, wavelet: str, levels: int, mode: str = "symmetric") -> None:
        check_levels(levels)
        if wavelet not in wavelets():
            raise ValueError(f"{wavelet!r} is no discrete wavelet of PyWavelets")
        if mode not in pywt.Modes.modes:
            raise ValueError(f"{mode!r} is no border mode of PyWavelets: {', '.join(pywt.Modes.modes)}")
        self.levels, self.mode = levels, mode
        filters = pywt.Wavelet(wavelet)
        self.taps = len(filters.dec_lo)
        self._analysis = (tuple(reversed(filters.dec_lo)), tuple(reversed(filters.dec_hi)))
        self._synthesis = (tuple(filters.rec_lo), tuple(filters.rec_hi))

    def split(self, x: Tensor) -> Bands:
        """Picture (B, C, H, W) -> coarse (B, C, h, w), details (B, 3C, h, w), coarsest first."""

        def split_once(x: Tensor) -> tuple[Tensor, Tensor]:
            low, high = self._halve(x, 2)
            (ll, hl), (lh, hh) = self._halve(low, 3), self._halve(high, 3)
            return ll, torch.cat((lh, hl, hh), dim=1)

        return split_levels(x, self.levels, split_once)

    def predict(self, coarse: Tensor, size: Size) -> Tensor:
        """LL (B, C, h, w) -> the next finer LL (B, C, *size) if all details are zero.

        Raises:
            ValueError: a level of `size` doesn't have an LL like this.
        """
        self._check_half(coarse, size)
        return self._double(self._double(coarse, None, 3, size[1]), None, 2, size[0])

    def merge(self, bands: Bands) -> Tensor:
        """Bands -> picture (B, C, H, W), exact within the rounding of floats.

        Raises:
            ValueError: the bands are not those of a picture of `bands.size`.
        """
        check_details(bands, self.levels)
        x = bands.coarse
        sizes = [bands.size]
        for _ in range(self.levels - 1):
            sizes.append(self._half_size(sizes[-1]))
        for details, size in zip(bands.details, reversed(sizes), strict=True):
            self._check_half(x, size)
            if details.shape != (x.shape[0], 3 * x.shape[1], *x.shape[2:]):
                raise ValueError(f"details {tuple(details.shape)} do not belong to LL {tuple(x.shape)}")
            lh, hl, hh = details.chunk(3, dim=1)
            low, high = self._double(x, hl, 3, size[1]), self._double(lh, hh, 3, size[1])
            x = self._double(low, high, 2, size[0])
        return x

    def _half_size(self, size: Size) -> Size:
        height, width = size
        if self.mode == PERIODIZATION:
            return ceil_div(height, 2), ceil_div(width, 2)
        return (height + self.taps - 1) // 2, (width + self.taps - 1) // 2

    def _check_half(self, coarse: Tensor, size: Size) -> None:
        if tuple(coarse.shape[2:]) != self._half_size(size):
            raise ValueError(f"an LL of {tuple(coarse.shape[2:])} doesn't belong to a level of {size}")

    def _halve(self, x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        """The low and the high half of `x` along `axis`."""
        if self.mode == PERIODIZATION:
            if x.shape[axis] % 2:
                x = torch.cat((x, x.narrow(axis, x.shape[axis] - 1, 1)), dim=axis)
            x = _wrapped(x, axis, self.taps // 2 - 1, self.taps // 2 - 1)
        else:
            # Of the taps - 1 places beyond each border the first is in no window.
            x = _extended(x, axis, self.taps - 1, self.mode)
            x = x.narrow(axis, 1, x.shape[axis] - 1)
        low, high = halved(x, axis, self._analysis)
        return low, high

    def _double(self, low: Tensor, high: Tensor | None, axis: int, length: int) -> Tensor:
        """The inverse of `_halve`, cut to `length`; `high` is zero if it is None."""
        parts: tuple[Tensor, ...] = (low,) if high is None else (low, high)
        if self.mode == PERIODIZATION:
            reach = self.taps // 4
            parts = tuple(_wrapped(part, axis, reach, reach) for part in parts)
            first = self.taps // 2 - 1 + 2 * reach
        else:
            first = self.taps - 2
        return doubled(parts, axis, self._synthesis[: len(parts)], first, length)


def _wrapped(x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """`x`, continued circularly along `axis` by `before` and `after` places."""
    length = x.shape[axis]
    places = torch.arange(-before, length + after, device=x.device) % length
    return x.index_select(axis, places)


def _extended(x: Tensor, axis: int, reach: int, mode: str) -> Tensor:
    """`x` with `reach` more places at both ends of `axis`, by PyWavelets' rule for the mode."""
    length = x.shape[axis]
    ends = min(length, 2 * reach + 2)
    rule = torch.tensor(_border_rule(ends, reach, mode), dtype=x.dtype, device=x.device)
    if ends < length:
        half = reach + 1
        border = torch.cat((x.narrow(axis, 0, half), x.narrow(axis, length - half, half)), dim=axis)
    else:
        border = x
    added = torch.tensordot(rule, border, dims=([1], [axis])).movedim(0, axis)
    before, after = added.split(reach, dim=axis)
    return torch.cat((before, x, after), dim=axis)


@functools.lru_cache(maxsize=256)
def _border_rule(length: int, reach: int, mode: str) -> tuple[tuple[float, ...], ...]:
    """How the places beyond both ends follow from a line of `length` places: 2 * reach rows of `length` weights.

    All of PyWavelets' rules are linear, and none looks further than `reach` + 1 places from an end. So the rule of a
    line of the places near both ends holds for longer lines too.
    """
    import numpy as np

    if length == 1 and mode == "smooth":  # a single place has no slope
        mode = "constant"
    whole = np.stack([pywt.pad(line, reach, mode) for line in np.eye(length)], axis=1)
    rows = np.concatenate((whole[:reach], whole[len(whole) - reach :]))
    return tuple(tuple(float(weight) for weight in row) for row in rows)
