"""The classical Laplacian pyramid (Burt & Adelson 1983), with their kernel, bicubic's or any PyWavelets low-pass.

```
c0 = x --low-pass, every second--> c1 --low-pass, every second--> c2 ...
d1 = c0 - predict(c1)              d2 = c1 - predict(c2)                 predict: spread twofold, low-pass
c_(j-1) = d_j + predict(c_j)
```

Details are differences, so every picture comes back within the rounding of floats, whatever the kernel. Beyond the
border a picture continues with its last row and column. Parameter-free, differentiable, keeps the dtype.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from lpcodec.codec.frontends.banks import doubled, halved
from lpcodec.codec.frontends.interface import Bands, Size, check_levels, merge_levels, split_levels

NAME = "pyramid"
"""The name of the pyramid with Burt and Adelson's kernel, among those of trained front-ends and wavelets."""
BURT_ADELSON = "burt-adelson"
BICUBIC = "bicubic"
_KEYS = -0.5
"""The free parameter of Keys' cubic convolution (1981), as Pillow has it."""


@dataclass(frozen=True)
class Taps:
    """A filter along one axis: `weights[i]` belongs to the place `first + i`."""

    first: int
    weights: tuple[float, ...]

    @property
    def last(self) -> int:
        return self.first + len(self.weights) - 1


class LaplacianPyramid:
    """The pyramid of a kernel: coarse c_k, and details as large as their levels (4/3 of the samples in all).

    Args:
        levels: how often the picture is halved, 1 or more; sides are rounded up, a side of 1 stays 1.
        kernel: "burt-adelson" (1 5 8 5 1 / 20, the paper's a = 0.4); "bicubic", which halves and doubles as picture
            programs do (antialiased, pixels between pixels); or the name of a discrete wavelet of PyWavelets. Then its
            low-pass filter of the analysis reduces, that of the synthesis predicts.

    Raises:
        ValueError: fewer than one level, or no such wavelet.
    """

    def __init__(self, levels: int, kernel: str = BURT_ADELSON) -> None:
        check_levels(levels)
        self.levels = levels
        self.kernel = kernel
        known = {BURT_ADELSON: _burt_adelson, BICUBIC: _bicubic}
        self._reduce, self._spread = known[kernel]() if kernel in known else _low_pass(kernel)

    def split(self, x: Tensor) -> Bands:
        """Picture (B, C, H, W) -> coarse (B, C, H/2^k, W/2^k), details (B, C, h, w) of each level's own size."""

        def split_once(x: Tensor) -> tuple[Tensor, Tensor]:
            coarse = self.reduce(x)
            return coarse, x - self.predict(coarse, (x.shape[2], x.shape[3]))

        return split_levels(x, self.levels, split_once)

    def reduce(self, x: Tensor) -> Tensor:
        """Picture (B, C, H, W) -> its approximation (B, C, h, w) at half the size, sides rounded up."""
        return _reduced(_reduced(x, self._reduce, 2), self._reduce, 3)

    def predict(self, coarse: Tensor, size: Size) -> Tensor:
        """(B, C, h, w) -> (B, C, *size), `size` being twice h and w or one less."""
        return _spread(_spread(coarse, self._spread, 2, size[0]), self._spread, 3, size[1])

    def merge(self, bands: Bands) -> Tensor:
        """Bands -> picture (B, C, H, W)."""
        return merge_levels(bands, self.levels, self.predict)


def _burt_adelson() -> tuple[Taps, Taps]:
    weights = (0.05, 0.25, 0.4, 0.25, 0.05)
    return Taps(-2, weights), Taps(-2, tuple(2 * w for w in weights))


def _bicubic() -> tuple[Taps, Taps]:
    """Keys' kernel, stretched to twice its width; the middle is between the places 0 and 1."""

    def cubic(x: float) -> float:
        if x < 1:
            return (_KEYS + 2) * x**3 - (_KEYS + 3) * x**2 + 1
        return _KEYS * (x**3 - 5 * x**2 + 8 * x - 4)

    weights = tuple(cubic(abs(place - 0.5) / 2) for place in range(-3, 5))
    return Taps(-3, tuple(w / 2 for w in weights)), Taps(-3, weights)


def _low_pass(name: str) -> tuple[Taps, Taps]:
    """A wavelet's low-pass filters, scaled so that a flat picture keeps its value."""
    import pywt  # type: ignore[import-untyped]

    if name not in pywt.wavelist(kind="discrete"):
        raise ValueError(f"{name!r} is neither {BURT_ADELSON!r}, {BICUBIC!r} nor a discrete wavelet of PyWavelets")
    wavelet = pywt.Wavelet(name)
    length = len(wavelet.dec_lo)
    # A coefficient k of PyWavelets covers the places 2k + 2 - length to 2k + 1. Shifted by this many coefficients, the
    # middle of what k covers is the middle of the places 2k and 2k + 1, or the place before it.
    first = 2 - length + 2 * ((length - 2) // 4)
    down, up = sum(wavelet.dec_lo), sum(wavelet.rec_lo) / 2
    reduce = Taps(first, tuple(weight / down for weight in reversed(wavelet.dec_lo)))
    return reduce, Taps(first, tuple(weight / up for weight in wavelet.rec_lo))


def _reduced(x: Tensor, taps: Taps, axis: int) -> Tensor:
    """y[k] = sum over p of taps[p] * x[2k + p] along `axis` (2 or 3): half the places, rounded up."""
    length = x.shape[axis]
    after = max(0, 2 * ((length + 1) // 2) - 2 + taps.last - (length - 1))
    (coarse,) = halved(_extended(x, axis, -taps.first, after), axis, (taps.weights,))
    return coarse.narrow(axis, 0, (length + 1) // 2)


def _spread(x: Tensor, taps: Taps, axis: int, length: int) -> Tensor:
    """y[n] = sum over k of taps[n - 2k] * x[k] along `axis`: `length` places, twice as many as x has or one less."""
    if length not in (2 * x.shape[axis], 2 * x.shape[axis] - 1):
        raise ValueError(f"a level of {x.shape[axis]} isn't half of {length}")
    # y[n] needs the places from (n - last) / 2 to (n - first) / 2.
    before, after = (taps.last + 1) // 2, max(0, (length - 1 - taps.first) // 2 - (x.shape[axis] - 1))
    extended = _extended(x, axis, before, after)
    return doubled((extended,), axis, (taps.weights,), 2 * before - taps.first, length)


def _extended(x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """`x` with its first and last place along `axis` repeated."""
    sides = (before, after, 0, 0) if axis == 3 else (0, 0, before, after)
    return F.pad(x, sides, mode="replicate")
