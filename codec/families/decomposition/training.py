"""Training LPAE and WAE: the losses and the schedule of their papers.

```
LPAE: mean |x - x'| + 0.8 mean (I_c - x at half size)^2 + mean I_d^2
WAE:  mean (x - x')^2 + mean I_H^2
```

The schedule is the LPAE paper's for DIV2K: patches of 192, batches of 4, Adam at 1e-3, halved after every eighth of
400 epochs of 800 pictures, which is 80,000 steps; weight decay 1e-6. A run of fewer steps goes through the same eight
stages faster. The LPAE authors trained WAE at a rate of 1e-6 on these means, which hardly moves a weight; here it has
LPAE's rate, and `--learning-rate 1e-6` gives theirs. The WAE paper has sums instead of these means. The loop adds its
own to all trainings: a short warm-up, a bound on the gradient, averaged weights.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.decomposition.lpae import LaplacianAutoencoder
from lpcodec.codec.families.decomposition.wae import WaveletLikeAutoencoder
from lpcodec.codec.families.family import PatchSides, Source
from lpcodec.codec.training.cost import kmac_by_part
from lpcodec.codec.training.objective import PictureObjective, psnr

Decomposition = LaplacianAutoencoder | WaveletLikeAutoencoder

STAGES = 8
"""The training has this many equal parts; the rate is halved after each."""
WEIGHT_DECAY = 1e-6
APPROXIMATION_WEIGHT = 0.8
"""Of the approximation's distance in LPAE's loss."""


class DecompositionObjective(PictureObjective):
    """A front-end network of one level with its paper's loss."""

    patch = 192
    sides = PatchSides()
    learning_rate = 1e-3

    def __init__(self, network: Decomposition) -> None:
        self.network = network

    def start(self, generator: torch.Generator, source: Source | None) -> None:
        """The networks start at random, as their constructors leave them."""
        if source is not None:
            raise UsageError(f"can't start from {source.name}: front-ends start at random")

    def parameter_groups(self) -> Iterable[dict[str, object]]:
        group = {"params": list(self.network.parameters()), "lr_scale": 1.0, "muon": False}
        return [group | {"weight_decay": WEIGHT_DECAY}]

    def rate_at(self, part: float) -> float:
        return 0.5 ** min(STAGES - 1, int(STAGES * part))

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        value, mse = self._figures(self.network, batch)
        return value, {"psnr": psnr(mse.detach(), peak=1).mean()}

    def _figures(self, network: nn.Module, batch: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, a scalar, and the mean squared error of each picture on 0..1 (B,)."""
        assert isinstance(network, LaplacianAutoencoder | WaveletLikeAutoencoder)
        bands = network.split(batch)
        difference = batch - network.merge(bands)
        mse = difference.square().mean((1, 2, 3))
        energy = bands.details[0].square().mean()
        if isinstance(network, WaveletLikeAutoencoder):
            return mse.mean() + energy, mse
        distance = (bands.coarse - half_size(batch)).square().mean()
        return difference.abs().mean() + APPROXIMATION_WEIGHT * distance + energy, mse

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        value, mse = self._figures(network, self.held)
        return {"score": float(value), "psnr": float(psnr(mse, peak=1).mean())}


def half_size(x: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 3, H/2, W/2), sides rounded up: the target of the approximation in the LPAE authors' code,
    plain bicubic with aligned corners and no antialiasing."""
    size = (ceil_div(x.shape[2], 2), ceil_div(x.shape[3], 2))
    return F.interpolate(x, size, mode="bicubic", align_corners=True)


def fresh(name: str) -> Decomposition:
    """The front-end of a network's name (lpae, wae, wae-relu) with random weights and one level."""
    if name == "lpae":
        return LaplacianAutoencoder()
    return WaveletLikeAutoencoder(1, "relu" if name == "wae-relu" else "linear")


@torch.no_grad()
def cost(network: Decomposition, side: int = 512) -> dict[str, float]:
    """Thousands of multiply-accumulates per pixel, by part, of a square picture with that side."""
    picture = torch.rand(1, 3, side, side)
    bands = network.split(picture)
    return kmac_by_part(
        {"analysis": lambda: network.split(picture), "synthesis": lambda: network.merge(bands)}, side**2
    )
