"""The finishing filter, the decoder's last step: a small linear filter, chosen for each place by the picture itself.

```
luma --differences--> products, summed over 6 x 6 pixels --> activity, direction, coherence --> class of a 2 x 2 block
luma, class, quality --> the class's filter of 13 taps --> change of luma, added to red, green and blue
```

The synthesis works on blocks of 8 x 8 pixels and knows nothing of the pixels that it makes. This filter does: along an
edge it smooths, across it sharpens. Filters are part of the weights; an export fits them by least squares to the
training pictures and what the network makes of them. Files say nothing of them.

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
"""Pixels around a place that its result depends on."""
_REACH = 2
_LUMA = (0.299, 0.587, 0.114)
_OFFSETS = ((0, 1), (0, 2), (1, -1), (1, 0), (1, 1), (2, 0))
"""(rows, columns) to a neighbour. The one on the opposite side has the same weight."""
_DIRECTIONS = 16
_GRADIENTS = tuple((level / 255) ** 2 for level in (0.7, 1.2, 2, 3, 4.5, 7, 10, 15, 22))
"""Mean squared gradients of luma between which the classes of activity lie."""
_COHERENCES = tuple(level**2 for level in (0.2, 0.4, 0.6, 0.8))
"""Squares of (l1 - l2) / (l1 + l2) of the eigenvalues of the gradients' mean products."""
CLASSES = (len(_GRADIENTS) + 1) * _DIRECTIONS * (len(_COHERENCES) + 1)
TAPS = len(_OFFSETS)
_SAMPLES = 4 * 9 * 4
"""What a sum of products is divided by: 4 pixels in each of 9 blocks, with gradients twice as large as they are."""
_RIDGE = 300.0
"""Added to the normal equations, in squared 8-bit units: a class that is hardly ever seen changes nothing."""
_DIAGONAL = 1e-4


class _Blocks:
    """Luma (h, w) with even sides, as blocks of 2 x 2: every shift of it is a view of one of four planes."""

    def __init__(self, luma: Tensor) -> None:
        self.height, self.width = luma.shape[0] // 2, luma.shape[1] // 2
        padded = F.pad(luma[None, None], (_REACH,) * 4, mode="replicate")
        self._planes = F.pixel_unshuffle(padded, 2)[0]

    def at(self, row: int, column: int) -> Tensor:
        """The pixels at (row, column) of every block (h/2, w/2); blocks are of 2 x 2, the place may lie outside."""
        row, column = row + _REACH, column + _REACH
        plane = self._planes[2 * (row % 2) + column % 2]
        top, left = row // 2, column // 2
        return plane[top : top + self.height, left : left + self.width]

    def classes(self) -> Tensor:
        """The class 0..CLASSES - 1 of each block (h/2, w/2), int64."""
        products = torch.zeros(3, self.height, self.width, device=self._planes.device)
        for row, column in _PLACES:
            across = self.at(row, column + 1) - self.at(row, column - 1)
            down = self.at(row + 1, column) - self.at(row - 1, column)
            products[0].addcmul_(across, across)
            products[1].addcmul_(across, down)
            products[2].addcmul_(down, down)
        wide = F.pad(products[None], (1, 1, 1, 1), mode="replicate")[0]
        tall = wide[:, :, :-2] + wide[:, :, 1:-1] + wide[:, :, 2:]
        horizontal, mixed, vertical = tall[:, :-2] + tall[:, 1:-1] + tall[:, 2:]
        total, difference, twice = horizontal + vertical, horizontal - vertical, 2 * mixed
        activity = torch.bucketize(total, total.new_tensor(_GRADIENTS) * _SAMPLES)
        turn = torch.atan2(twice, difference).mul_(_DIRECTIONS / (2 * math.pi)).round_().long().remainder_(_DIRECTIONS)
        coherence = (difference.square() + twice.square()) / total.square().add_(1e-12)
        coherent = torch.bucketize(coherence, coherence.new_tensor(_COHERENCES))
        return (activity * _DIRECTIONS + turn) * (len(_COHERENCES) + 1) + coherent

    def differences(self, row: int, column: int) -> list[Tensor]:
        """For each tap, the two neighbours of the pixels at (row, column) less twice the pixels, (h/2, w/2) each."""
        twice = 2 * self.at(row, column)
        return [
            self.at(row + down, column + right) + self.at(row - down, column - right) - twice
            for down, right in _OFFSETS
        ]


_PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))


@dataclass(frozen=True)
class FinishingFilter:
    """The filters (anchors, TAPS, CLASSES) float32: each tap's weight on both of its neighbours' differences."""

    weights: Tensor

    def to(self, device: torch.device) -> "FinishingFilter":
        return FinishingFilter(self.weights.to(device))

    def __call__(self, picture: Tensor, quality: Tensor) -> Tensor:
        """Return a decoded picture (3, h, w) in 0..1, with even sides, filtered for a 16-bit quality (1,).

        Places within MARGIN of its border are right only if that is the border of the whole picture.
        """
        blocks = _Blocks(_luma(picture))
        place = float(place_of_quality(quality, len(self.weights)))
        low = min(int(place), len(self.weights) - 2)
        filters = torch.lerp(self.weights[low], self.weights[low + 1], place - low)
        by_block = filters.index_select(1, blocks.classes().flatten()).view(TAPS, blocks.height, blocks.width)
        own = by_block.sum(0).mul_(-2)
        changes = torch.empty(len(_PLACES), blocks.height, blocks.width, device=picture.device)
        for change, (row, column) in zip(changes, _PLACES, strict=True):
            torch.mul(blocks.at(row, column), own, out=change)
            for weight, (down, right) in zip(by_block, _OFFSETS, strict=True):
                change.addcmul_(weight, blocks.at(row + down, column + right))
                change.addcmul_(weight, blocks.at(row - down, column - right))
        return picture + F.pixel_shuffle(changes[None], 2)[0]


class Fit:
    """The normal equations of every filter, summed over pictures."""

    def __init__(self, anchors: int) -> None:
        self._products = np.zeros((anchors, CLASSES, TAPS, TAPS))
        self._targets = np.zeros((anchors, CLASSES, TAPS))
        self._errors = np.zeros(anchors)

    def add(self, decoded: Tensor, original: Tensor, anchor: int) -> None:
        """Take pictures (3, h, w) in 0..1 with even sides, decoded at about the quality of an anchor."""
        blocks, wanted = _Blocks(_luma(decoded) * 255), (_luma(original) - _luma(decoded)) * 255
        classes = _Blocks(_luma(decoded)).classes().flatten().numpy()

        def by_class(values: list[Tensor]) -> npt.NDArray[np.float64]:
            found: npt.NDArray[np.float64] = np.bincount(
                classes, torch.stack(values).sum(0).flatten().double().numpy(), CLASSES
            ).astype(np.float64)
            return found

        places = [blocks.differences(*place) for place in _PLACES]
        errors = [wanted[row::2, column::2] for row, column in _PLACES]
        self._errors[anchor] += float(wanted.double().square().sum())
        for one in range(TAPS):
            found = by_class([d[one] * e for d, e in zip(places, errors, strict=True)])
            self._targets[anchor, :, one] += found
            for other in range(one, TAPS):
                found = by_class([d[one] * d[other] for d in places])
                self._products[anchor, :, one, other] += found
                self._products[anchor, :, other, one] = self._products[anchor, :, one, other]

    def solve(self, strength: float) -> FinishingFilter:
        """The filters of the least squared error, times `strength`."""
        diagonal = np.eye(TAPS) * np.diagonal(self._products, axis1=2, axis2=3)[..., None]
        products = self._products + _DIAGONAL * diagonal + _RIDGE * np.eye(TAPS)
        found = np.linalg.solve(products, self._targets[..., None])[..., 0]
        return FinishingFilter(torch.from_numpy(strength * np.moveaxis(found, 2, 1)).float())

    def gain(self, finishing: FinishingFilter) -> float:
        """How much the filters lower the error of luma of the pictures taken, in dB: the mean of the anchors."""
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
