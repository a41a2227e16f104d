"""The sizes that tell the networks of one class apart, and the shapes that all of them share."""

from dataclasses import dataclass

STRIDE = 16
"""Pixels a latent spans, each way."""
FOLDED = 192
"""Maps of the folded wavelet transform at 1/8."""


@dataclass(frozen=True)
class HyperpriorSizes:
    """The widths that tell the models of this class apart."""

    width: int = 128
    latents: int = 320
    analysis_pairs: int = 1
    synthesis_pairs: int = 1
    hyper_width: int = 96
    hyper_latents: int = 64
    context_width: int = 64
    details: int = 0
    """So many of the latents, the last, are known to the shortcuts, the analysis and the heads of the scale network
    alone; their means are zero. High rates need them, and there they cost little."""
    averages: int = 0
    """So many of the latents, the first, are averages of colours (as the first three principal components are, where
    training starts), which have steps of their own; 0: they are latents as all others."""
    coarser_latents: int = 0
    """Latents of the next coarser level of a pyramid; 0 for a network that knows of none."""

    @property
    def main(self) -> int:
        """The other latents, the first, which all layers work with."""
        return self.latents - self.details


PROFILES = {
    "fast": HyperpriorSizes(
        width=72, latents=232, details=40, averages=3, hyper_width=40, hyper_latents=40, context_width=32
    ),
    "default": HyperpriorSizes(latents=512, details=192, averages=3),
    "hq": HyperpriorSizes(latents=512, details=192, averages=3, analysis_pairs=2, synthesis_pairs=3),
}
"""The models of this class. `hq` is `default` with more residual pairs, so that it can start from its weights."""
