"""Training LPAE and WAE: the losses and the schedule of their papers.

```
LPAE: mean |x - x'| + 0.8 mean (I_c - x at half size)^2 + mean I_d^2
WAE:  mean (x - x')^2 + mean I_H^2
```

The schedule is the LPAE paper's for DIV2K: patches of 192, batches of 4, Adam at 1e-3, halved after every eighth of
400 epochs of 800 pictures, which is 80,000 steps; weight decay 1e-6. A run of fewer steps goes through the same eight
stages faster. The LPAE authors trained WAE at a rate of 1e-6 on these means, which hardly moves a weight; here it has
LPAE's rate, and `--learning-rate 1e-6` gives theirs. The WAE paper sums where these means stand. What the loop adds to
all trainings is added here too: a short warm-up, a bound on the gradient, averaged weights.
"""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.decomposition.lpae import LaplacianAutoencoder
from lpcodec.codec.families.decomposition.wae import WaveletLikeAutoencoder
from lpcodec.codec.models import fresh_frontend
from lpcodec.datasets.patches import PictureStore

STAGES = 8
"""The rate is halved after each of so many equal parts of the training."""
WEIGHT_DECAY = 1e-6
APPROXIMATION_WEIGHT = 0.8


class DecompositionObjective:
    """A front-end network of one level with its paper's loss."""

    patch = 192
    learning_rate = 1e-3

    def __init__(self, network: LaplacianAutoencoder | WaveletLikeAutoencoder) -> None:
        self.network = network

    def start(self, store: PictureStore, generator: torch.Generator, source: str | None) -> None:
        """The networks start at random, as their constructors leave them."""
        if source is not None:
            raise UsageError("--from: only the hyperprior networks start from earlier weights")

    def parameter_groups(self) -> Iterable[dict[str, object]]:
        group = {"params": list(self.network.parameters()), "lr_scale": 1.0, "muon": False}
        return [group | {"weight_decay": WEIGHT_DECAY}]

    def rate_at(self, part: float) -> float:
        return 0.5 ** min(STAGES - 1, int(STAGES * part))

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        value, mse = self._figures(self.network, batch)
        return value, {"psnr": psnr(mse.detach()).mean()}

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
    def validate(self, network: nn.Module, patches: Tensor) -> dict[str, float]:
        value, mse = self._figures(network, patches)
        return {"score": float(value), "psnr": float(psnr(mse).mean())}


def half_size(x: Tensor) -> Tensor:
    """What the LPAE authors' code takes for the approximation: plain bicubic, corners aligned, no anti-aliasing.

    (B, 3, H, W) -> (B, 3, H/2, W/2), sides rounded up.
    """
    size = (-(-x.shape[2] // 2), -(-x.shape[3] // 2))
    return F.interpolate(x, size, mode="bicubic", align_corners=True)


def psnr(mse: Tensor) -> Tensor:
    """Decibels of mean squared errors on 0..1."""
    return -10 / math.log(10) * mse.clamp_min(1e-12).log()


NAMES = ("lpae", "wae", "wae-relu")


def objective(name: str) -> DecompositionObjective:
    """The objective of a front-end of the registry, one of `NAMES`."""
    return DecompositionObjective(fresh_frontend(name))
