"""Rotated colours: a picture's own axes instead of red, green and blue.

```
encoder:  pixels --choose--> Rotation --matrix--> the codec rotates, then analyses
decoder:  header's two bytes --> Rotation --matrix--> the codec synthesises, then rotates back
```

In the pictures that networks are trained on, the strongest changes are between dark and bright. If they are between two
colours instead (a sunset, a red pepper on green), a rotation turns the axis of these colours into that of grey, by the
smallest angle. Then the picture is like those in training. The rotation is orthogonal, so squared errors don't change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lpcodec.codec.arrays import Pixels

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 256
"""The number of values of each angle: a byte."""
_LARGEST_TILT = math.pi / 2
_GREY = np.full(3, 1 / math.sqrt(3))
"""The unit vector of grey. The next two vectors make an orthonormal basis with it."""
_ACROSS = np.array([1, -1, 0]) / math.sqrt(2)
_ALONG = np.array([1, 1, -2]) / math.sqrt(6)
_MIDDLE = 0.5
"""Mid-grey: colours are rotated about this point."""
_BAND = 256
"""Rows of a picture that are handled at a time."""
_LEAST_SAVING = 1e-3
"""A rotation must save at least this part of the bits: the estimate has an error of about that."""
_LEAST_TILT = 8
"""Smaller tilts, below 3 degrees, aren't tried: they hardly change the bits, and trying takes two analyses."""
_SAMPLE_SIDE, _SAMPLES = 256, 8
"""The side in pixels, and the number, of the squares that `sample` takes."""

Matrix = npt.NDArray[np.float64]
Bits = Sequence[float]


@dataclass(frozen=True)
class Rotation:
    """The rotation that turns an axis of colours into grey.

    `tilt` is the angle between the axis and grey, 0..255 in steps of 90/255 degrees. `direction` is the angle of the
    axis around grey, 0..255 in steps of 360/256 degrees. A tilt of 0 is no rotation.
    """

    tilt: int
    direction: int

    @property
    def axis(self) -> npt.NDArray[np.float64]:
        """The unit vector (3,) of red, green and blue that becomes grey."""
        tilt, turn = self.tilt * _LARGEST_TILT / (STEPS - 1), self.direction * 2 * math.pi / STEPS
        sideways = math.cos(turn) * _ACROSS + math.sin(turn) * _ALONG
        found: npt.NDArray[np.float64] = math.cos(tilt) * _GREY + math.sin(tilt) * sideways
        return found

    def matrix(self) -> Matrix:
        """The matrix (3, 3) for colours minus mid-grey. Its inverse is its transpose."""
        axis = self.axis
        # Two reflections, first at the axis and then at the middle between it and grey: the smallest rotation.
        middle = (axis + _GREY) / np.linalg.norm(axis + _GREY)
        half = 2 * np.outer(middle, middle) - np.eye(3)
        found: Matrix = half @ (2 * np.outer(axis, axis) - np.eye(3))
        return found


PLAIN = Rotation(0, 0)


def nearest_rotation(axis: npt.NDArray[np.float64]) -> Rotation:
    """The rotation nearest to the one that turns an axis (3,), not all 0, into grey."""
    axis = axis / np.linalg.norm(axis)
    if axis @ _GREY < 0:
        axis = -axis
    tilt = round(math.acos(min(float(axis @ _GREY), 1.0)) * (STEPS - 1) / _LARGEST_TILT)
    if tilt == 0:
        return PLAIN
    turn = math.atan2(float(axis @ _ALONG), float(axis @ _ACROSS))
    return Rotation(tilt, round(turn * STEPS / (2 * math.pi)) % STEPS)


def gradient_covariance(pixels: Pixels) -> Matrix:
    """The mean products (3, 3) of the differences between neighbouring pixels, for pixels (H, W, 3)."""
    total, count = np.zeros((3, 3)), 0
    for top in range(0, len(pixels), _BAND):
        band = pixels[max(top - 1, 0) : top + _BAND].astype(np.float32)
        for differences in (np.diff(band, axis=0), np.diff(band[-min(_BAND, len(pixels) - top) :], axis=1)):
            steps = differences.reshape(-1, 3)
            total += steps.T @ steps
            count += len(steps)
    return total / max(count, 1)


def sample(pixels: Pixels) -> Pixels:
    """A picture (H, W, C) if it is small, else 8 squares of 256 pixels a side from all over it, one below the other."""
    height, width = pixels.shape[:2]
    if height * width <= _SAMPLE_SIDE**2 * _SAMPLES:
        return pixels
    rows, columns = max(height // _SAMPLE_SIDE, 1), max(width // _SAMPLE_SIDE, 1)
    tall, wide = min(_SAMPLE_SIDE, height), min(_SAMPLE_SIDE, width)
    tops = np.linspace(0, height - tall, rows).astype(int)
    lefts = np.linspace(0, width - wide, columns).astype(int)
    numbers = np.linspace(0, rows * columns - 1, _SAMPLES).round().astype(int)
    places = ((tops[number // columns], lefts[number % columns]) for number in numbers)
    return np.concatenate([pixels[y : y + tall, x : x + wide] for y, x in places])


def choose(pixels: Pixels, expected_bits: Callable[[Pixels, Rotation], Bits]) -> Rotation:
    """The rotation that turns the main axis of the gradients of pixels (H, W, 3) into grey; PLAIN if it saves no bits.

    Args:
        expected_bits: (pixels, rotation) -> the bits to expect at several qualities.
    """
    seen = sample(pixels)
    covariance = gradient_covariance(seen)
    if not covariance.any():
        return PLAIN
    rotation = nearest_rotation(np.linalg.eigh(covariance)[1][:, -1])
    if rotation.tilt < _LEAST_TILT:
        return PLAIN
    plain, turned = (np.asarray(expected_bits(seen, candidate)) for candidate in (PLAIN, rotation))
    return rotation if np.log(turned / plain).mean() < -_LEAST_SAVING else PLAIN


def rotated(picture: Tensor, rotation: Rotation) -> Tensor:
    """A picture (..., 3, H, W) in 0..1 with its colours rotated about mid-grey. Values may leave 0..1."""
    return picture if rotation == PLAIN else _times(picture, rotation.matrix())


def rotated_back(picture: Tensor, rotation: Rotation) -> Tensor:
    """The inverse of `rotated`."""
    return picture if rotation == PLAIN else _times(picture, rotation.matrix().T)


def _times(picture: Tensor, matrix: Matrix) -> Tensor:
    import torch

    by = torch.from_numpy(np.ascontiguousarray(matrix)).to(picture)
    return torch.einsum("ij,...jhw->...ihw", by, picture - _MIDDLE) + _MIDDLE
