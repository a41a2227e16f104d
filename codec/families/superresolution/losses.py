"""The losses of the super-resolution papers.

Each takes the network, small pictures (B, C, h, w), the pictures (B, C, H, W) that they were made from, both in 0..1,
and the scale. It returns the loss, a scalar, and the enlarged pictures (B, C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from lpcodec.codec.families.superresolution.bicubic import reduced
from lpcodec.codec.families.superresolution.lapsrn import Pyramid
from lpcodec.codec.families.superresolution.network import UpscalingNetwork, levels_of
from lpcodec.codec.families.superresolution.wavelet import BandNetwork

Loss = Callable[[Any, Tensor, Tensor, int], tuple[Tensor, Tensor]]

CHARBONNIER = 1e-6
"""Added to the squared difference below the root."""
DETAIL_WEIGHTS = (0.8, 1.0, 1.2)
"""WSR and LPSR: weights of the details, coarse to fine."""
TEXTURE_MARGIN = 1.2
"""WaveSR: a detail should have this many times less energy than its target at most."""


def absolute(network: UpscalingNetwork, small: Tensor, pictures: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """L1, the loss of LPN and of `light`."""
    out = network(small, scale)
    return (out - pictures).abs().mean(), out


def root_mean_square(network: UpscalingNetwork, small: Tensor, pictures: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """The mean over the pictures of the root of each one's mean squared error: the loss of `stage`."""
    out = network(small, scale)
    return ((out - pictures).square().mean((1, 2, 3)) + CHARBONNIER).sqrt().mean(), out


def all_levels(network: Pyramid, small: Tensor, pictures: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """Charbonnier's loss of every level, added up: the loss of LapSRN and of its successors."""
    found = network.pictures(small, levels_of(scale))
    targets = [reduced(pictures, pictures.shape[2] // one.shape[2]) for one in found[:-1]] + [pictures]
    return _sum(charbonnier(one - target) for one, target in zip(found, targets, strict=True)), found[-1]


def wavelet_bands(network: BandNetwork, small: Tensor, pictures: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """The loss of WaveSR: 0.01 MSE(approximation) + sum of MSE(details) + sum of texture losses + 0.1 MSE(picture).

    The texture loss keeps details from vanishing: max(0, 1.2 mean(target^2) - mean(prediction^2)).
    """
    predicted, targets, out = _bands(network, small, pictures)
    squares = [(p - t).square().mean() for p, t in zip(predicted, targets, strict=True)]
    texture = [
        (TEXTURE_MARGIN * t.square().mean() - p.square().mean()).clamp_min(0)
        for p, t in zip(predicted[1:], targets[1:], strict=True)
    ]
    return 0.01 * squares[0] + _sum(squares[1:]) + _sum(texture) + 0.1 * (out - pictures).square().mean(), out


def autoencoder_bands(network: BandNetwork, small: Tensor, pictures: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """The loss of WSR and LPSR: L1(picture) + 10 (L1(approximation) + weighted sum of L1(details))."""
    predicted, targets, out = _bands(network, small, pictures)
    distances = [(p - t).abs().mean() for p, t in zip(predicted, targets, strict=True)]
    details = _sum(weight * one for weight, one in zip(DETAIL_WEIGHTS, distances[1:], strict=False))
    return (out - pictures).abs().mean() + 10 * (distances[0] + details), out


def charbonnier(difference: Tensor) -> Tensor:
    """The mean of sqrt(d^2 + 1e-6): L1 that is smooth at zero."""
    return (difference.square() + CHARBONNIER).sqrt().mean()


def _bands(network: BandNetwork, small: Tensor, pictures: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """The bands that the network predicts, those of the pictures, and the enlarged pictures."""
    predicted = network.bands(network.prepare(small))
    out = network.merge(predicted)
    with torch.no_grad():
        return predicted, network.split(pictures), out


def _sum(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).sum()
