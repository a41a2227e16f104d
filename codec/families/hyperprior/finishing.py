"""The finishing filter, the decoder's last step: a small linear filter, chosen for each place by the picture itself.

```
luma --differences--> products, summed over 6 x 6 pixels --> activity, direction, coherence --> class of a 2 x 2 block
luma, class, quality --> the class's filter of 13 pixels --> change of luma, added to red, green and blue
```

The synthesis makes its pixels in blocks of 8 x 8, and none of its layers sees the pixels that come out. This filter
does: along an edge it smooths, across an edge it sharpens. The filters are part of the weights, not of the files; an
export fits them by least squares to training pictures and to what the network makes of those.

A filter has 6 weights, one for each pair of opposite neighbours; the weights of all 13 pixels add up to 1, so the pixel
itself has what the pairs leave. The change is the sum of weight * (neighbour + opposite neighbour - 2 * pixel).

The classes are those of RAISR (Romano et al. 2017); the adaptive loop filter of VVC (Karczewicz et al. 2021) does the
same with filters that the file holds.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from lpcodec.codec.families.hyperprior.qualities import place_of_quality

MARGIN = 4
"""A filtered pixel depends on pixels at most this far away: its class comes from the 8 x 8 pixels around its block."""
_REACH = 2
"""How far from a block `_Blocks.at` looks, in pixels; even, so that padding keeps the blocks."""
_LUMA = (0.299, 0.587, 0.114)
"""BT.601's weights of red, green and blue."""
_IN_BLOCK = ((0, 0), (0, 1), (1, 0), (1, 1))
"""(row, column) of the pixels in a block, in the order of `F.pixel_shuffle`."""
_OFFSETS = ((0, 1), (0, 2), (1, -1), (1, 0), (1, 1), (2, 0))
"""(rows, columns) to a neighbour. The one on the opposite side has the same weight."""
_DIRECTIONS = 16
"""Classes of direction, evenly spread over 180 degrees."""
_GRADIENTS = tuple((level / 255) ** 2 for level in (0.7, 1.2, 2, 3, 4.5, 7, 10, 15, 22))
"""The borders between the classes of activity: mean squared gradients of luma in 0..1 per pixel."""
_COHERENCES = tuple(level**2 for level in (0.2, 0.4, 0.6, 0.8))
"""The borders between the classes of coherence: squares of (l1 - l2) / (l1 + l2), where l1 and l2 are the eigenvalues
of the structure tensor, the gradients' summed products."""
CLASSES = (len(_GRADIENTS) + 1) * _DIRECTIONS * (len(_COHERENCES) + 1)
TAPS = len(_OFFSETS)
"""Weights of a filter: one for each pair of opposite neighbours."""
_SAMPLES = 4 * 9 * 4
"""What a sum of products is divided by: 4 pixels in each of 9 blocks, with gradients twice as large as they are."""
_RIDGE = 300.0
"""Added to the diagonal of the normal equations, in squared 8-bit units: a class that is hardly ever seen gets weights
near 0."""
_DIAGONAL = 1e-4
"""The diagonal grows by this part of itself, which keeps the equations well conditioned."""


class _Blocks:
    """Luma (h, w) with even sides, as blocks of 2 x 2 pixels. Beyond the border, the last pixels are repeated.

    The pixels at the same place of all blocks are a plane, so whatever `at` gives is a view of one of four planes.
    """

    def __init__(self, luma: Tensor) -> None:
        self.height, self.width = luma.shape[0] // 2, luma.shape[1] // 2
        padded = F.pad(luma[None, None], (_REACH,) * 4, mode="replicate")
        self._planes = F.pixel_unshuffle(padded, 2)[0]

    def at(self, row: int, column: int) -> Tensor:
        """One pixel for each block (h/2, w/2): the one `row` rows below and `column` columns right of its first pixel.

        Both are -2..3; 0 and 1 are in the block.
        """
        row, column = row + _REACH, column + _REACH
        plane = self._planes[2 * (row % 2) + column % 2]
        top, left = row // 2, column // 2
        return plane[top : top + self.height, left : left + self.width]

    def classes(self) -> Tensor:
        """The class 0..CLASSES - 1 of each block (h/2, w/2), int64, from luma in 0..1.

        The direction and the coherence come from the structure tensor (a, b; b, c) of the 6 x 6 pixels around a block:
        tan(2 * angle) = 2b / (a - c), and the squared coherence is ((a - c)**2 + (2b)**2) / (a + c)**2.
        """
        products = torch.zeros(3, self.height, self.width, device=self._planes.device)
        for row, column in _IN_BLOCK:
            across = self.at(row, column + 1) - self.at(row, column - 1)
            down = self.at(row + 1, column) - self.at(row - 1, column)
            products[0].addcmul_(across, across)
            products[1].addcmul_(across, down)
            products[2].addcmul_(down, down)
        padded = F.pad(products[None], (1, 1, 1, 1), mode="replicate")[0]
        of_three = padded[:, :, :-2] + padded[:, :, 1:-1] + padded[:, :, 2:]
        horizontal, mixed, vertical = of_three[:, :-2] + of_three[:, 1:-1] + of_three[:, 2:]
        total, difference, twice_mixed = horizontal + vertical, horizontal - vertical, 2 * mixed
        activity = torch.bucketize(total, total.new_tensor(_GRADIENTS) * _SAMPLES)
        angle = torch.atan2(twice_mixed, difference)  # twice the direction's
        direction = angle.mul_(_DIRECTIONS / (2 * math.pi)).round_().long().remainder_(_DIRECTIONS)
        squared_coherence = (difference.square() + twice_mixed.square()) / total.square().add_(1e-12)
        coherence = torch.bucketize(squared_coherence, total.new_tensor(_COHERENCES))
        return (activity * _DIRECTIONS + direction) * (len(_COHERENCES) + 1) + coherence

    def differences(self, row: int, column: int) -> list[Tensor]:
        """For each weight, what it multiplies in the change of the pixels at (row, column), (h/2, w/2) each: the two
        neighbours less twice the pixel."""
        twice = 2 * self.at(row, column)
        return [
            self.at(row + down, column + right) + self.at(row - down, column - right) - twice
            for down, right in _OFFSETS
        ]


@dataclass(frozen=True)
class FinishingFilter:
    """The filters of all classes at each anchor's quality: `weights` (anchors, TAPS, CLASSES) float32."""

    weights: Tensor

    def to(self, device: torch.device) -> "FinishingFilter":
        return FinishingFilter(self.weights.to(device))

    def __call__(self, picture: Tensor, quality: Tensor) -> Tensor:
        """Return a decoded picture, filtered.

        Pixels within MARGIN of its border are right only if that is the border of the whole picture.

        Args:
            picture: (3, h, w) about 0..1, both sides even.
            quality: (1,) 16-bit.
        """
        blocks = _Blocks(_luma(picture))
        place = float(place_of_quality(quality, len(self.weights)))
        low = min(int(place), len(self.weights) - 2)
        filters = torch.lerp(self.weights[low], self.weights[low + 1], place - low)
        by_block = filters.index_select(1, blocks.classes().flatten()).view(TAPS, blocks.height, blocks.width)
        own = by_block.sum(0).mul_(-2)
        changes = torch.empty(len(_IN_BLOCK), blocks.height, blocks.width, device=picture.device)
        for change, (row, column) in zip(changes, _IN_BLOCK, strict=True):
            torch.mul(blocks.at(row, column), own, out=change)
            for weight, (down, right) in zip(by_block, _OFFSETS, strict=True):
                change.addcmul_(weight, blocks.at(row + down, column + right))
                change.addcmul_(weight, blocks.at(row - down, column - right))
        return picture + F.pixel_shuffle(changes[None], 2)[0]


class Fit:
    """Fits filters: the normal equations of each anchor and class, summed over pictures."""

    def __init__(self, anchors: int) -> None:
        self._products = np.zeros((anchors, CLASSES, TAPS, TAPS))
        self._targets = np.zeros((anchors, CLASSES, TAPS))
        self._errors = np.zeros(anchors)

    def add(self, decoded: Tensor, original: Tensor, anchor: int) -> None:
        """Take a picture (3, h, w) in 0..1 with even sides, as it was decoded at the quality of `anchor`."""
        luma = _luma(decoded)
        classes = _Blocks(luma).classes().flatten().numpy()
        blocks, wanted = _Blocks(luma * 255), (_luma(original) - luma) * 255  # 8-bit units, as _RIDGE

        def by_class(values: list[Tensor]) -> npt.NDArray[np.float64]:
            """Values (h/2, w/2) for each pixel of a block, summed over all pixels of a class: (CLASSES,)."""
            found: npt.NDArray[np.float64] = np.bincount(
                classes, torch.stack(values).sum(0).flatten().double().numpy(), CLASSES
            ).astype(np.float64)
            return found

        places = [blocks.differences(*place) for place in _IN_BLOCK]
        errors = [wanted[row::2, column::2] for row, column in _IN_BLOCK]
        self._errors[anchor] += float(wanted.double().square().sum())
        for one in range(TAPS):
            found = by_class([d[one] * e for d, e in zip(places, errors, strict=True)])
            self._targets[anchor, :, one] += found
            for other in range(one, TAPS):
                found = by_class([d[one] * d[other] for d in places])
                self._products[anchor, :, one, other] += found
                self._products[anchor, :, other, one] = self._products[anchor, :, one, other]

    def solve(self, strength: float) -> FinishingFilter:
        """The filters with the least squared error, with their weights times `strength` (0..1).

        Anchors and classes that weren't seen get weights of 0.
        """
        diagonal = np.eye(TAPS) * np.diagonal(self._products, axis1=2, axis2=3)[..., None]
        products = self._products + _DIAGONAL * diagonal + _RIDGE * np.eye(TAPS)
        found = np.linalg.solve(products, self._targets[..., None])[..., 0]
        return FinishingFilter(torch.from_numpy(strength * np.moveaxis(found, 2, 1)).float())

    def gain(self, finishing: FinishingFilter) -> float:
        """How much the filters raise the PSNR of luma of the pictures taken, in dB: the mean of the anchors seen."""
        weights = np.moveaxis(finishing.weights.double().cpu().numpy(), 1, 2)
        change = np.einsum("act,acts,acs->a", weights, self._products, weights)
        change -= 2 * np.einsum("act,act->a", weights, self._targets)
        seen = self._errors > 0
        return float(-10 * np.log10(1 + change[seen] / self._errors[seen]).mean())


def _luma(picture: Tensor) -> Tensor:
    """Luma (h, w) of a picture (3, h, w), as BT.601 weighs it."""
    red, green, blue = picture
    luma: Tensor = red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2]
    return luma
