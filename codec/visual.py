"""Distortions close to what people see, differentiable: those of SSIMULACRA 2 and MS-SSIM, and what the weights for
the eye (`tune=visual`) are trained on and judged by.

```
distance:        pictures --linear light, XYB--> scales, each half of the one before --per scale and channel-->
                     errors of structure (SSIM), new edges, lost edges; mean and 4-norm of each
                         --published weights--> 0 for equal pictures
structure_lost:  pictures --luma--> five scales --contrast and structure of each--> 1 - MS-SSIM
seen:            both, in the units of a squared error; of an 8-bit picture of any size, in tiles: seen_of_pixels;
                     what each square of a picture adds to it: errors_of_squares
distortion:      that and the squared error; of pictures of any size: distortion_of_parts
```
Networks are trained on `distortion`: the squared error keeps them from losing what neither metric sees. Two files of
one picture are compared by `seen`: of text, most of `distortion` would be the squared error, which is large long before
anyone sees it.

SSIMULACRA 2 is J. Sneyers' metric (github.com/cloudinary/ssimulacra2, 2023); the constants and weights are those of its
definition. Three things differ from the metric:
- the blur repeats the border instead of taking zeros beyond it, because a patch's border isn't one of the picture;
- weights below `LEAST_WEIGHT` are left out, which saves most channels of the two finest scales;
- roots are smoothed near zero, so that gradients stay finite.

`score` turns a distance into the metric's own number.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from lpcodec.codec.arrays import Pixels, ceil_div
from lpcodec.codec.threads import in_threads
from lpcodec.codec.tiles import Span, grid

Sums = npt.NDArray[np.float64]

SIGMA = 1.5
"""Pixels of the blur, at every scale."""
RADIUS = 5
STABILISER = 0.0009
LEAST_WEIGHT = 0.1
_TINY = 1e-20

VISUAL_SHARE, STRUCTURE_SHARE = 0.5, 0.35
"""How much of `distortion` is the distance of SSIMULACRA 2 and how much the loss of MS-SSIM; the rest is the squared
error. `seen` has them in the same ratio."""
ERROR_PER_DISTANCE, ERROR_PER_STRUCTURE = 4.0, 1200.0
"""Squared error, in 8-bit units, that a distance of 1 and an MS-SSIM of 0 count as. On training patches the ratios of
squared error to them are 2 and 700 by the median, 5 and 1500 by the means, and nearly the same at every quality."""

_DISTANCE_SHARE = VISUAL_SHARE / (VISUAL_SHARE + STRUCTURE_SHARE) * ERROR_PER_DISTANCE
_STRUCTURE_SHARE = STRUCTURE_SHARE / (VISUAL_SHARE + STRUCTURE_SHARE) * ERROR_PER_STRUCTURE
"""What `seen` multiplies the two with."""

_TILE = 512
"""Side in pixels of the tiles in which `seen_of_pixels` compares pictures, about."""
_MOST_TILES = 16
"""The most tiles of a picture that are compared: of a large one only these are, evenly spread."""

SIDE_STEP = 16
"""The sides of pictures are multiples of this: they are halved four times."""
LEAST_SIDE = 2 * RADIUS * SIDE_STEP + 1
"""The least side of pictures in pixels: after four halvings MS-SSIM's window still fits."""

_LUMA = (0.299, 0.587, 0.114)
"""The luma of BT.601, from red, green and blue."""
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The exponents of MS-SSIM's five scales, fine to coarse."""
_LUMINANCE_STABILISER, _CONTRAST_STABILISER = 0.01**2, 0.03**2
"""MS-SSIM's constants below the fractions, for values in 0..1."""
_LEAST_SIMILARITY = 1e-3
"""The least similarity of a scale: the gradient of its power stays finite."""

_OPSIN = ((0.30, 0.622, 0.078), (0.23, 0.692, 0.078), (0.24342268924547819, 0.20476744424496821, 0.55180986650955360))
_OPSIN_BIAS = 0.0037930732552754493


class _Weights(NamedTuple):
    """The weights of one channel at one scale, each (mean, 4-norm)."""

    structure: tuple[float, float] = (0.0, 0.0)
    artefact: tuple[float, float] = (0.0, 0.0)
    lost: tuple[float, float] = (0.0, 0.0)


_WEIGHTS: dict[tuple[int, int], _Weights] = {
    # (scale, channel): channel 0 is X (red against green), 1 is Y (luminance), 2 is B - Y
    (0, 1): _Weights(structure=(0.0, 7.466890328078848), lost=(0.0, 17.445833984131262)),
    (1, 0): _Weights(structure=(0.0, 1.1041726426657346)),
    (1, 1): _Weights(structure=(0.0, 6.683678146179332), lost=(0.0, 1.027889937768264)),
    (2, 0): _Weights(structure=(0.0, 1.8422455520539298), artefact=(0.0, 11.441172603757666)),
    (2, 1): _Weights(structure=(225.20515300849274, 19.213238186143016)),
    (3, 0): _Weights(structure=(0.0, 1.8787594979546387), artefact=(0.0, 10.94906990605142)),
    (3, 1): _Weights(structure=(176.39317598450694, 24.43300999870476), artefact=(0.0, 0.28520802612117757)),
    (3, 2): _Weights(structure=(0.0, 8.826982764996862), artefact=(0.0, 23.19243343998926)),
    (4, 0): _Weights(artefact=(0.9677937080626833, 0.9981766977854967)),
    (4, 1): _Weights(structure=(0.0, 34.77906344483772), artefact=(0.0, 44.835625328877896)),
    (4, 2): _Weights(
        structure=(95.1080498811086, 0.0),
        artefact=(0.9863978034400682, 171.2667255897307),
        lost=(0.9834382792465353, 0.9807858872435379),
    ),
}
"""Weights below `LEAST_WEIGHT` are left out, among them all of the sixth scale."""


def distance(decoded: Tensor, original: Tensor) -> Tensor:
    """Return the distance (B,) of pictures (B, 3, H, W) from their originals, both sRGB in 0..1, with sides that are
    multiples of 16 and at least 128. Gradients flow to `decoded`, also outside 0..1."""
    total = decoded.new_zeros(len(decoded))
    for _, errors, weights in _error_maps(decoded, original):
        total = total + _norms(errors, weights)
    return total


def _error_maps(decoded: Tensor, original: Tensor) -> Iterator[tuple[int, Tensor, tuple[float, float]]]:
    """The maps of errors that `distance` has norms of: the scale (0: that of the pixels), errors (B, H', W'), and the
    weights of their mean and 4-norm."""
    ours, true = _linear_light(decoded), _linear_light(original)
    for scale in range(1 + max(scale for scale, _ in _WEIGHTS)):
        if scale:
            ours, true = F.avg_pool2d(ours, 2), F.avg_pool2d(true, 2)
        channels = [channel for s, channel in _WEIGHTS if s == scale]
        found = _errors(_xyb(ours)[:, channels], _xyb(true)[:, channels])
        for number, channel in enumerate(channels):
            for errors, weights in zip(found, _WEIGHTS[scale, channel], strict=True):
                if any(weights):
                    yield scale, errors[:, number], weights


def structure_lost(decoded: Tensor, original: Tensor) -> Tensor:
    """Return 1 - MS-SSIM (B,) of the luma of pictures (B, 3, H, W), both sRGB in 0..1; no side is below LEAST_SIDE.

    MS-SSIM is that of Wang, Simoncelli and Bovik (2003): window 11, sigma 1.5, five scales, no padding.
    """
    similarity = decoded.new_ones(len(decoded))
    for here, weight in zip(_similarity_maps(decoded, original, _windowed), _SCALE_WEIGHTS, strict=True):
        similarity = similarity * here.mean((1, 2)).clamp_min(_LEAST_SIMILARITY) ** weight
    return 1 - similarity


def _similarity_maps(decoded: Tensor, original: Tensor, blur: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
    """The maps (B, H', W') that `structure_lost` has means of, one for each scale."""
    luma = decoded.new_tensor(_LUMA)
    ours, true = (torch.einsum("c,bchw->bhw", luma, pictures)[:, None] for pictures in (decoded, original))
    for scale in range(len(_SCALE_WEIGHTS)):
        if scale:
            ours, true = F.avg_pool2d(ours, 2), F.avg_pool2d(true, 2)
        maps = torch.cat([ours, true, ours * ours, true * true, ours * true], 1)
        mean, mean_true, square, square_true, product = blur(maps).unbind(1)
        deviations = (square - mean * mean) + (square_true - mean_true * mean_true) + _CONTRAST_STABILISER
        here = (2 * (product - mean * mean_true) + _CONTRAST_STABILISER) / deviations
        if scale == len(_SCALE_WEIGHTS) - 1:
            powers = mean * mean + mean_true * mean_true + _LUMINANCE_STABILISER
            here = here * (2 * mean * mean_true + _LUMINANCE_STABILISER) / powers
        yield here


def seen(decoded: Tensor, original: Tensor) -> Tensor:
    """Return how much of a difference is seen (B,), in the units of a squared error of 8-bit values.

    Pictures (B, 3, H, W), both sRGB in 0..1, with sides that are multiples of 16 and at least LEAST_SIDE.
    """
    return _DISTANCE_SHARE * distance(decoded, original) + _STRUCTURE_SHARE * structure_lost(decoded, original)


def distortion(decoded: Tensor, original: Tensor) -> Tensor:
    """Return what the weights for the eye are trained on (B,), in the units of a squared error of 8-bit values; of the
    same pictures as `seen`."""
    share = VISUAL_SHARE + STRUCTURE_SHARE
    squared = (decoded - original).square().mean((1, 2, 3)) * 255**2
    return share * seen(decoded, original) + (1 - share) * squared


def distortion_of_parts(decoded: Tensor, original: Tensor) -> Tensor:
    """Return the `distortion` (B,) of pictures of any size (B, 1 or 3, H, W), both sRGB in 0..1, with gradients.

    They are extended by their last row and column to multiples of 16, and to at least LEAST_SIDE.
    """
    return distortion(_extended(decoded), _extended(original))


@torch.inference_mode()
def seen_of_pixels(decoded: Pixels, original: Pixels) -> float:
    """Return how much is `seen` of the difference of two pictures of equal shape, uint8 (H, W, 1 or 3): the mean over
    their tiles, which are extended as in `distortion_of_parts`.

    Of large pictures only some tiles are compared, evenly spread.
    """
    places = [(rows, columns) for rows in _parts(original.shape[0]) for columns in _parts(original.shape[1])]
    count = min(len(places), _MOST_TILES)
    chosen = [places[(2 * number + 1) * len(places) // (2 * count)] for number in range(count)]
    return fmean(
        float(seen(*(_extended(_tensor(pixels[rows.core, columns.core])) for pixels in (decoded, original))))
        for rows, columns in chosen
    )


@dataclass(frozen=True)
class SquareErrors:
    """What each square of a picture adds to `seen`; each array's last two axes are (rows, columns) of squares, and the
    sum over them is that of the picture.

    `means` (K, rows, columns) float64 are parts of the means of errors, `fourths` of the means of their fourth powers,
    with weights (K,) each; `lost` (5, rows, columns) are parts of the means of what is lost at the scales of MS-SSIM.
    """

    means: Sums
    mean_weights: Sums
    fourths: Sums
    fourth_weights: Sums
    lost: Sums

    def seen(self, change: Sums, growth: tuple[float, float, float]) -> float:
        """How much is `seen` of the picture if the errors in each square grow by factors.

        Means grow by exp(growth[0] * change), fourths by exp(growth[1] * change), `lost` by exp(growth[2] * change);
        `change` is (rows, columns).
        """
        means, fourths, lost = self._grown(change, growth)
        distance = self.mean_weights @ means.sum((1, 2)) + self.fourth_weights @ (fourths.sum((1, 2)) + _TINY) ** 0.25
        structure = 1 - np.prod(_kept(lost) ** np.array(_SCALE_WEIGHTS))
        return float(_DISTANCE_SHARE * distance + _STRUCTURE_SHARE * structure)

    def slopes(self, change: Sums, growth: tuple[float, float, float]) -> Sums:
        """How fast `seen` falls as the change of each square grows: minus its derivative, (rows, columns)."""
        means, fourths, lost = self._grown(change, growth)
        norms = self.fourth_weights / 4 * (fourths.sum((1, 2)) + _TINY) ** -0.75
        distance = np.tensordot(norms * -growth[1], fourths, 1) + np.tensordot(self.mean_weights * -growth[0], means, 1)
        kept, weights = _kept(lost), np.array(_SCALE_WEIGHTS)
        structure = np.tensordot(np.prod(kept**weights) * weights / kept * -growth[2], lost, 1)
        slopes: Sums = _DISTANCE_SHARE * distance + _STRUCTURE_SHARE * structure
        return slopes

    def _grown(self, change: Sums, growth: tuple[float, float, float]) -> tuple[Sums, Sums, Sums]:
        of_means, of_fourths, of_lost = (np.exp(rate * change) for rate in growth)
        return self.means * of_means, self.fourths * of_fourths, self.lost * of_lost


def _kept(lost: Sums) -> Sums:
    """The mean similarity (5,) of each scale of MS-SSIM, from what is lost in squares (5, rows, columns)."""
    kept: Sums = np.maximum(1 - lost.sum((1, 2)), _LEAST_SIMILARITY)
    return kept


@torch.inference_mode()
def errors_of_squares(decoded: Pixels, original: Pixels, side: int, of: int) -> SquareErrors:
    """Return the errors of squares of a picture or of a part of one, from two of equal shape, uint8 (H, W, 1 or 3).

    Args:
        side: of a square in pixels, a multiple of 16 that divides 512.
        of: the pixels of the whole picture.
    """
    height, width = original.shape[:2]
    size = ceil_div(height, side), ceil_div(width, side)

    def of_tile(place: tuple[Span, Span]) -> tuple[list[tuple[float, float]], list[Sums]]:
        """The weights of maps of errors, and their sums, those of their fourth powers and those of what is lost."""
        rows, columns = place
        ours, true = (_extended(_tensor(pixels[rows.core, columns.core])) for pixels in (decoded, original))
        shape = rows.stop - rows.start, columns.stop - columns.start
        maps = list(_error_maps(ours, true))
        sums = [_by_square(errors, scale, shape, side) for scale, errors, _ in maps]
        sums += [_by_square(errors.square().square(), scale, shape, side) for scale, errors, _ in maps]
        similarities = enumerate(_similarity_maps(ours, true, _blurred))
        sums += [_by_square(1 - here, scale, shape, side) for scale, here in similarities]
        return [own for _, _, own in maps], sums

    places = list(grid(height, width, _TILE, 0))
    found: Sums | None = None
    for (rows, columns), (weights, sums) in zip(places, in_threads(of_tile, places, torch.device("cpu")), strict=True):
        if found is None:
            found, (mean_weights, fourth_weights) = np.zeros((len(sums), *size)), np.array(weights).T
        top, left = rows.start // side, columns.start // side
        part = np.stack(sums) / of
        found[:, top : top + part.shape[1], left : left + part.shape[2]] = part
    assert found is not None
    count = len(mean_weights)
    means, fourths, lost = found[:count], found[count : 2 * count], found[2 * count :].clip(0)
    return SquareErrors(means, mean_weights, fourths, fourth_weights, lost)


def joined(parts: Sequence[tuple[int, int, SquareErrors]], size: tuple[int, int]) -> SquareErrors:
    """The errors of a picture of `size` (rows, columns) squares, from those of its parts, each with the row and column
    of its first square."""
    first = parts[0][2]
    whole = replace(first, **{
        name: np.zeros((len(getattr(first, name)), *size)) for name in ("means", "fourths", "lost")
    })  # fmt: skip
    for row, column, part in parts:
        rows, columns = slice(row, row + part.lost.shape[1]), slice(column, column + part.lost.shape[2])
        whole.means[:, rows, columns] = part.means
        whole.fourths[:, rows, columns] = part.fourths
        whole.lost[:, rows, columns] = part.lost
    return whole


def _by_square(errors: Tensor, scale: int, shape: tuple[int, int], side: int) -> Sums:
    """The sums over squares of a map of errors (1, H', W'), times the pixels that each place of it stands for."""
    small = side >> scale
    inside = errors[:, : ceil_div(shape[0], 1 << scale), : ceil_div(shape[1], 1 << scale)]
    padded = F.pad(inside, (0, -inside.shape[2] % small, 0, -inside.shape[1] % small))
    sums: Sums = F.avg_pool2d(padded[None], small)[0, 0].double().numpy() * float(side * side)
    return sums


def _parts(length: int) -> list[Span]:
    """`length` places in parts of nearly equal length, about _TILE."""
    count = max(1, round(length / _TILE))
    bounds = [length * number // count for number in range(count + 1)]
    return [Span(start, stop, start, stop) for start, stop in pairwise(bounds)]


def _extended(pictures: Tensor) -> Tensor:
    """Pictures (B, 1 or 3, H, W) in three channels, with the last row and column repeated to the sides `seen` needs."""
    below, beside = (ceil_div(max(side, LEAST_SIDE), SIDE_STEP) * SIDE_STEP - side for side in pictures.shape[2:])
    return F.pad(pictures, (0, beside, 0, below), mode="replicate").expand(-1, 3, -1, -1)


def _tensor(pixels: Pixels) -> Tensor:
    """Pixels (h, w, C) -> (1, C, h, w) in 0..1."""
    return torch.from_numpy(np.array(pixels.transpose(2, 0, 1)[None])).float() / 255  # Pillow's arrays are read-only


def score(distance: Tensor) -> Tensor:
    """SSIMULACRA 2 of a distance: 100 for equal pictures, 90 visually lossless, 70 high and 50 medium quality."""
    scaled = 0.9562382616834844 * distance
    bent = 2.326765642916932 * scaled - 0.020884521182843837 * scaled**2 + 6.248496625763138e-05 * scaled**3
    return 100 - 10 * bent.clamp_min(0) ** 0.6276336467831387


def _norms(errors: Tensor, weights: tuple[float, float]) -> Tensor:
    """The weighted mean and 4-norm of errors (B, H, W), at least 0."""
    mean, fourth = weights
    total = errors.new_zeros(len(errors))
    if mean:
        total = total + mean * errors.mean((1, 2))
    if fourth:
        total = total + fourth * (errors.square().square().mean((1, 2)) + _TINY).pow(0.25)
    return total


def _errors(ours: Tensor, true: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Errors of structure, new edges and lost edges of maps (B, C, H, W), each (B, C, H, W) and at least 0."""
    channels = ours.shape[1]
    blurred = _blurred(torch.cat([ours, true, ours * ours, true * true, ours * true], 1))
    mean, mean_true, square, square_true, product = torch.split(blurred, channels, 1)
    luminance = 1 - (mean - mean_true).square()
    covariance = 2 * (product - mean * mean_true) + STABILISER
    variances = (square - mean * mean) + (square_true - mean_true * mean_true) + STABILISER
    structure = (1 - luminance * covariance / variances).clamp_min(0)
    change = (1 + (ours - mean).abs()) / (1 + (true - mean_true).abs()) - 1
    return structure, change.clamp_min(0), (-change).clamp_min(0)


def _blurred(maps: Tensor) -> Tensor:
    """Maps (B, C, H, W), each blurred by a Gaussian of SIGMA; borders are repeated."""
    return _windowed(F.pad(maps, (RADIUS,) * 4, mode="replicate"))


def _windowed(maps: Tensor) -> Tensor:
    """Maps (B, C, H, W), each blurred by a Gaussian of SIGMA, without the RADIUS places at the border."""
    places = torch.arange(-RADIUS, RADIUS + 1, device=maps.device, dtype=maps.dtype)
    kernel = torch.exp(-places.square() / (2 * SIGMA**2))
    channels = maps.shape[1]
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1).repeat(channels, 1, 1, 1)
    maps = maps.contiguous(memory_format=torch.channels_last)
    return F.conv2d(F.conv2d(maps, kernel, groups=channels), kernel.mT.contiguous(), groups=channels)


def _linear_light(srgb: Tensor) -> Tensor:
    """sRGB in 0..1 to linear light; linear below 0, with finite gradients everywhere."""
    low = srgb / 12.92
    high = ((srgb.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(srgb <= 0.04045, low, high)


def _xyb(linear: Tensor) -> Tensor:
    """Linear RGB (B, 3, H, W) to X, Y and B - Y, shifted and scaled as in the metric."""
    matrix = linear.new_tensor(_OPSIN)
    cones = torch.einsum("ij,bjhw->bihw", matrix, linear) + _OPSIN_BIAS
    responses = cones.clamp_min(1e-6).pow(1 / 3) - math.cbrt(_OPSIN_BIAS)
    long, middle, short = responses.unbind(1)
    x, y = (long - middle) / 2, (long + middle) / 2
    return torch.stack((14 * x + 0.42, y + 0.01, short - y + 0.55), 1)
