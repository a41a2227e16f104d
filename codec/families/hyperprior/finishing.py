"""The finishing filter, the decoder's last step: a small linear filter whose weights follow the picture.

```
luma --differences--> products, summed over 6 x 6 pixels --> activity, direction, coherence --> features of 2 x 2 pixels
luma, features, quality --linear--> the block's filter of 13 pixels --> change of luma, added to red, green and blue
```

The synthesis makes its pixels in blocks of 8 x 8, and none of its layers sees the pixels that come out. This filter
does: along an edge it smooths, across an edge it sharpens. What it does is part of the weights, not of the files: an
export fits it (calibration.py) to training pictures and to what the network makes of them.

A filter has 6 weights, one for each pair of opposite neighbours; the weights of all 13 pixels add up to 1, so the pixel
itself has what the pairs leave. The change is the sum of weight * (neighbour + opposite neighbour - 2 * pixel).

The weights are continuous functions of the pixels. So if the pixels of two processors differ by little before the
filter, they differ by little after it. RAISR (Romano et al. 2017) and the adaptive loop filter of VVC (Karczewicz et
al. 2021) choose their filters by the same properties, but from classes: there, float noise that changes a block's class
makes it jump.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.families.hyperprior.qualities import place_of_quality
from lpcodec.codec.families.hyperprior.sizes import STRIDE

MARGIN = 4
"""A filtered pixel depends on pixels at most this far away: its weights come from the 8 x 8 pixels around its block.
Even, so that padding keeps the blocks."""
HALO = ceil_div(MARGIN, STRIDE)
"""The latents around a tile that have room for the MARGIN."""
_LUMA = (0.299, 0.587, 0.114)
"""BT.601's weights of red, green and blue."""
_IN_BLOCK = ((0, 0), (0, 1), (1, 0), (1, 1))
"""(row, column) of the pixels in a block, in the order of `F.pixel_shuffle`."""
_OFFSETS = ((0, 1), (0, 2), (1, -1), (1, 0), (1, 1), (2, 0))
"""(rows, columns) to a neighbour. The one on the opposite side has the same weight."""
TAPS = len(_OFFSETS)
"""Weights of a filter: one for each pair of opposite neighbours."""
_RAMPS = 7
"""Doublings of activity, each with a ramp of its own."""
_SHAPES = 6
"""Monomials up to the second order of the direction (u, v)."""
FEATURES = (1 + _RAMPS) * _SHAPES
"""How many features the weights are linear functions of, in the order (1 + _RAMPS, _SHAPES)."""
_SAMPLES = 4 * 9 * 4
"""What a sum of products is divided by: 4 pixels in each of 9 blocks, with gradients twice as large as they are."""
_FLAT = _SAMPLES * (0.5 / 255) ** 2
"""The sum of products where the first ramp begins, from a gradient of 0.5 levels. Added to all sums, so that noise in a
flat region has no direction."""
_STEPS = 0.25
"""How much a squared step to a neighbour counts. Gradients are differences of pixels two apart, which are 0 in stripes
and checkers of single pixels: without the steps, noise alone would make the direction there."""
_CHUNK = 16384
"""How many blocks' features are computed at a time: this many stay in the cache."""
_EIGHT_BIT = 255.0**2
"""Squares of 8-bit levels in a square of values in 0..1."""
_RIDGE = 30.0
"""Added to the diagonal of the normal equations, in squared 8-bit units: a feature that is hardly ever seen gets
weights near 0."""
_DIAGONAL = 1e-5
"""The diagonal grows by this part of itself, which keeps the equations well conditioned."""


class _Blocks:
    """Luma (h, w) with even sides, as blocks of 2 x 2 pixels. Beyond the border, the last pixels are repeated.

    The pixels at the same place of all blocks are a plane, so whatever `at` gives is a view of one of four planes.
    """

    def __init__(self, luma: Tensor) -> None:
        self.height, self.width = luma.shape[0] // 2, luma.shape[1] // 2
        self._planes = F.pixel_unshuffle(F.pad(luma[None, None], (MARGIN,) * 4, mode="replicate"), 2)[0]

    def at(self, row: int, column: int, around: int = 0) -> Tensor:
        """One pixel for each block (h/2, w/2): the one `row` rows below and `column` columns right of its first pixel.

        Both are -4..5; 0 and 1 are in the block. With `around` = 1, also for the blocks around luma
        (h/2 + 2, w/2 + 2), within -2..3.
        """
        row, column = row + MARGIN, column + MARGIN
        plane = self._planes[2 * (row % 2) + column % 2]
        top, left = row // 2 - around, column // 2 - around
        return plane[top : top + self.height + 2 * around, left : left + self.width + 2 * around]

    def gradients(self) -> Tensor:
        """Direction (u, v) and activity (3, h/2 * w/2), from luma in 0..1; what `_features` takes.

        They come from the structure tensor (a, b; b, c) of the 6 x 6 pixels around a block, with
        total = a + c + _STEPS * (the squared steps between direct neighbours) + _FLAT. Activity is how many doublings
        of the mean gradient lead from _FLAT to the total. Direction is (u, v) = (a - c, 2b) / total: its angle is twice
        that of the gradients, its length the coherence.
        """
        products = self._planes.new_zeros(4, self.height + 2, self.width + 2)
        for row, column in _IN_BLOCK:
            across = self.at(row, column + 1, 1) - self.at(row, column - 1, 1)
            down = self.at(row + 1, column, 1) - self.at(row - 1, column, 1)
            products[0].addcmul_(across, across)
            products[1].addcmul_(across, down)
            products[2].addcmul_(down, down)
            for neighbour in (self.at(row, column + 1, 1), self.at(row + 1, column, 1)):
                step = neighbour - self.at(row, column, 1)
                products[3].addcmul_(step, step, value=_STEPS)
        of_three = (products[:, :, :-2] + products[:, :, 1:-1]).add_(products[:, :, 2:])
        sums = (of_three[:, :-2] + of_three[:, 1:-1]).add_(of_three[:, 2:]).flatten(1)
        horizontal, mixed, vertical, total = sums  # the first three become u, v and activity, in place
        total.add_(horizontal).add_(vertical).add_(_FLAT)
        horizontal.sub_(vertical).div_(total)
        mixed.mul_(2).div_(total)
        # The products are squares: two doublings of theirs are one of the gradient.
        torch.div(total, _FLAT, out=vertical).log2_().div_(2)
        return sums[:3]

    def differences(self, row: int, column: int) -> Tensor:
        """For each weight, what it multiplies in the change of the pixels at (row, column), (TAPS, h/2 * w/2): the two
        neighbours less twice the pixel."""
        twice = 2 * self.at(row, column)
        return torch.stack([
            self.at(row + down, column + right) + self.at(row - down, column - right) - twice
            for down, right in _OFFSETS
        ]).flatten(1)  # fmt: skip


def _features(gradients: Tensor) -> Tensor:
    """Continuous functions (FEATURES, blocks) of the `gradients` (3, blocks) of _Blocks; all are -1..1.

    Each doubling of activity has a ramp from 0 to 1, so a linear function of the ramps is a piecewise linear one of
    activity. The features are the products of 1 and the ramps with the shapes 1, u, v, u**2, v**2 and u * v.
    """
    u, v, activity = gradients[:, None]
    ones, doublings = torch.ones_like(u), torch.arange(_RAMPS, device=u.device)[:, None]
    ramps = torch.cat((ones, (activity - doublings).clamp_(0, 1)))
    return (ramps[:, None] * torch.cat((ones, u, v, u * u, v * v, u * v))).flatten(0, 1)


@dataclass(frozen=True)
class FinishingFilter:
    """How a filter's weights follow the features at each anchor's quality: `weights` (anchors, TAPS, FEATURES)
    float32."""

    weights: Tensor

    def to(self, device: torch.device) -> "FinishingFilter":
        return FinishingFilter(self.weights.to(device))

    def __call__(self, picture: Tensor, quality: Tensor) -> Tensor:
        """Return a decoded picture, filtered. Gradients take the weights that follow from the picture for constants.
        They flow to `weights` if these require them.

        Pixels within MARGIN of its border are right only if that is the border of the whole picture.

        Args:
            picture: (3, h, w) about 0..1, both sides even.
            quality: (1,) 16-bit.
        """
        blocks = _Blocks(_luma(picture))
        with torch.no_grad():
            gradients = blocks.gradients()
        with torch.set_grad_enabled(self.weights.requires_grad):
            by_block = self._by_block(gradients, quality).view(TAPS, blocks.height, blocks.width)
            own = by_block.sum(0).mul_(-2)
        changes = []
        for row, column in _IN_BLOCK:
            change = blocks.at(row, column) * own
            for weight, (down, right) in zip(by_block, _OFFSETS, strict=True):
                change.addcmul_(weight, blocks.at(row + down, column + right))
                change.addcmul_(weight, blocks.at(row - down, column - right))
            changes.append(change)
        return picture + F.pixel_shuffle(torch.stack(changes)[None], 2)[0]

    def _by_block(self, gradients: Tensor, quality: Tensor) -> Tensor:
        """The weights (TAPS, blocks) of blocks with these `gradients` (3, blocks)."""
        place = float(place_of_quality(quality, len(self.weights)))
        low = min(int(place), len(self.weights) - 2)
        weights = torch.lerp(self.weights[low], self.weights[low + 1], place - low)
        if weights.requires_grad:
            return weights @ _features(gradients)
        found = torch.empty(TAPS, gradients.shape[1], device=gradients.device)
        for part, own in zip(*(torch.split(values, _CHUNK, 1) for values in (gradients, found)), strict=True):
            torch.mm(weights, _features(part), out=own)
        return found


class Fit:
    """Fits the weights: the normal equations of each anchor, summed over pictures."""

    def __init__(self, anchors: int) -> None:
        self._products = np.zeros((anchors, TAPS, FEATURES, TAPS, FEATURES))
        self._targets = np.zeros((anchors, TAPS, FEATURES))
        self._errors = np.zeros(anchors)

    def add(self, decoded: Tensor, original: Tensor, anchor: int) -> None:
        """Take a picture (3, h, w) in 0..1 with even sides, as it was decoded at the quality of `anchor`."""
        luma = _luma(decoded)
        blocks, wanted = _Blocks(luma), F.pixel_unshuffle((_luma(original) - luma)[None], 2).flatten(1)
        differences = torch.stack([blocks.differences(*place) for place in _IN_BLOCK], 1)
        self._errors[anchor] += _EIGHT_BIT * float(wanted.double().square().sum())
        chunks = (torch.split(values, _CHUNK, -1) for values in (blocks.gradients(), differences, wanted))
        for gradients, pairs, errors in zip(*chunks, strict=True):
            features = _features(gradients)
            found = (pairs * errors).sum(1) @ features.T
            self._targets[anchor] += _EIGHT_BIT * found.double().numpy()
            for one, other in itertools.combinations_with_replacement(range(TAPS), 2):
                found = (features * (pairs[one] * pairs[other]).sum(0)) @ features.T
                self._products[anchor, one, :, other] += _EIGHT_BIT * found.double().numpy()
                self._products[anchor, other, :, one] = self._products[anchor, one, :, other]

    def solve(self, strength: float) -> FinishingFilter:
        """The weights with the least squared error, times `strength` (0..1).

        Anchors that weren't seen get weights of 0.
        """
        shape = self._targets.shape
        products = self._products.reshape(shape[0], TAPS * FEATURES, TAPS * FEATURES)
        diagonal = _RIDGE + _DIAGONAL * np.diagonal(products, axis1=1, axis2=2)
        products = products + diagonal[:, None] * np.eye(TAPS * FEATURES)
        found = np.linalg.solve(products, self._targets.reshape(shape[0], -1, 1)).reshape(shape)
        return FinishingFilter(torch.from_numpy(strength * found).float())

    def gain(self, finishing: FinishingFilter) -> float:
        """How much the filter raises the PSNR of luma of the pictures taken, in dB: the mean of the anchors seen."""
        weights = finishing.weights.double().cpu().numpy()
        change = np.einsum("atf,atfsg,asg->a", weights, self._products, weights, optimize=True)
        change -= 2 * np.einsum("atf,atf->a", weights, self._targets)
        seen = self._errors > 0
        return float(-10 * np.log10(1 + change[seen] / self._errors[seen]).mean())


def _luma(picture: Tensor) -> Tensor:
    """Luma (h, w) of a picture (3, h, w), as BT.601 weighs it."""
    luma: Tensor = torch.tensordot(picture.new_tensor(_LUMA), picture, 1)
    return luma
