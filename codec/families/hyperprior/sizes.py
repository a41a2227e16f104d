"""The sizes that distinguish the networks of this family, and the shapes that all of them share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lpcodec.codec.arrays import ceil_div

STRIDE = 16
"""Pixels per latent, each way."""
HYPER_STRIDE = 4
"""Latents per hyper-latent, each way."""
_EARLIER_NAMES = {"details": "linear_latents", "averages": "dc_latents"}


def latent_grid(height: int, width: int) -> tuple[int, int]:
    """The rows and columns of the latents of a picture of height x width pixels."""
    return ceil_div(height, STRIDE), ceil_div(width, STRIDE)


def hyper_grid(height: int, width: int) -> tuple[int, int]:
    """The rows and columns of the hyper-latents of height x width latents."""
    return ceil_div(height, HYPER_STRIDE), ceil_div(width, HYPER_STRIDE)


@dataclass(frozen=True)
class HyperpriorSizes:
    """The widths that distinguish the models of this family.

    Attributes:
        latents: latents y per place.
        linear_latents: this many of the latents, the last ones, are known to the shortcuts, the analysis and the heads
            of the scale network alone; their means are zero. High rates need them, and there they cost little.
        dc_latents: this many of the latents, the first ones, are the mean colours of blocks (as the first three
            principal components are, with which training starts). They are decoded in steps of their own; 0: they
            are latents like all others.
        early_latents: this many of the latents, the first ones, are decoded before all others, which then have them
            as context; 0: all latents are decoded in the two steps of one checkerboard.
        anchors: places of the quality scale at which the network has parameters of their own (qualities.py).
        coarser_latents: latents of the next coarser level of a pyramid; 0 for a network without one.
        frontend: the name of the front-end (frontends/folds.py).
    """

    width: int = 128
    latents: int = 320
    analysis_pairs: int = 1
    synthesis_pairs: int = 1
    hyper_width: int = 96
    hyper_latents: int = 64
    context_width: int = 64
    linear_latents: int = 0
    dc_latents: int = 0
    early_latents: int = 0
    anchors: int = 8
    coarser_latents: int = 0
    frontend: str = "haar"

    @property
    def main(self) -> int:
        """The number of the other latents, the first ones, which all layers work with."""
        return self.latents - self.linear_latents

    @classmethod
    def from_card(cls, fields: Mapping[str, Any]) -> "HyperpriorSizes":
        """The sizes that a card holds, under today's names of the fields or earlier ones."""
        return cls(**{_EARLIER_NAMES.get(name, name): value for name, value in fields.items()})


_DEFAULT = HyperpriorSizes(latents=768, linear_latents=448, dc_latents=3, early_latents=96, anchors=11)
"""768 latents are the whole space of a block of 16x16 pixels in three colours, so no quality is out of reach."""
PROFILES = {
    "fast": HyperpriorSizes(
        width=72, latents=232, linear_latents=40, dc_latents=3, hyper_width=40, hyper_latents=40, context_width=32
    ),
    "default": _DEFAULT,
    "hq": replace(_DEFAULT, analysis_pairs=2, synthesis_pairs=3),
}
"""The models of this family. `hq` is `default` with more residual pairs, so that it can start from its weights."""
