"""A trained hyperprior network -> what is stored: integers proved, Gaussian tables built; and what it costs."""

import numpy as np
import torch

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec
from lpcodec.codec.families.hyperprior.hyperlatents import CLASSES, HyperTables
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.qualities import finest
from lpcodec.codec.families.hyperprior.steps import Prediction, context_channels, walk
from lpcodec.codec.training.cost import kmac_per_pixel
from lpcodec.entropy.tables import default_scales, default_tables, gaussian_tables

SKIP_SCALE = 0.14
"""Latents of a smaller scale are not coded: 0.04 % of them would not have been zero."""


def frozen_codec(network: HyperpriorNetwork) -> HyperpriorCodec:
    """Freeze the network's scale part and join it with the Gaussian tables that it was trained with.

    Raises:
        ValueError: an accumulator of the scale network could overflow.
    """
    anchors = network.sizes.anchors
    quality = ((torch.arange(anchors) + 0.5) * finest(anchors) / anchors).long()
    z_indexes = network.hyper_scale_indexes(quality).detach().int().tolist()
    network.scales.freeze()
    scales = [[default_scales()[index] for index in row] for row in z_indexes]
    weights = np.zeros((anchors, network.sizes.hyper_latents), np.int8)
    z_tables = HyperTables(tuple(gaussian_tables(row * CLASSES) for row in scales), weights)
    skip_below = sum(scale < SKIP_SCALE * 65536 for scale in default_scales())
    return HyperpriorCodec(network, default_tables(), z_tables, skip_below)


@torch.no_grad()
def cost(network: HyperpriorNetwork, side: int = 512) -> dict[str, float]:
    """Thousands of multiply-accumulates per pixel, by part, of a square picture with that side."""
    picture, level = torch.rand(1, 3, side, side), torch.tensor([32])
    y = network.analyse(picture)
    hw = (y.shape[2], y.shape[3])
    z = network.hyper_analysis(y).round()
    coarser = torch.zeros(1, network.sizes.coarser_latents, ceil_div(hw[0], 2), ceil_div(hw[1], 2))
    known = coarser if network.sizes.coarser_latents else None

    def zeros(prediction: Prediction, channels: int) -> torch.Tensor:
        return torch.zeros(1, channels, *hw)

    def entropy_side() -> None:
        scales, means = network.scales.begin(z, level, *hw, known), network.means.begin(z, level, *hw, known)
        walk(network.steps, zeros, scales, means, context_channels(network.steps, network.scales))

    parts = {
        "analysis": lambda: network.analyse(picture),
        "hyper_analysis": lambda: network.hyper_analysis(y),
        "entropy": entropy_side,
        "synthesis": lambda: network.synthesise(y, torch.tensor([32768])),
    }
    return {name: round(kmac_per_pixel(run, side**2), 3) for name, run in parts.items()}
