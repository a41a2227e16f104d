"""Training super-resolution networks: losses, patches, rates and schedules of their papers.

```
patch --antialiased bicubic, 8 bits--> small --network--> pictures or bands --loss--> against the patch
```

| networks | loss | patch, batch | rate |
|---|---|---|---|
| LapSRN | Charbonnier, all levels | 128, 64 | halved every sixth of the training |
| MS-LapSRN, CMS-LapSRN | the same, batch split over the scales | 128, 64; 512, 16 | halved after each third |
| LPN | L1 | 48 x scale, 16 | halved after 250, 500 and 750 of 800 epochs |
| WaveSR | bands, texture, picture | 192, 8 | halved every 50 of 300 epochs |
| WSR, LPSR | L1 of picture and bands | 192, 8 | the same |
| light | L1, both scales | 192, 8 | a cosine |
| stage | root mean squared error; the small picture is coded by `default` and decoded (stage.py) | 256, 6 | a cosine |

The papers of LapSRN and MS-LapSRN train with momentum and a sum over all pixels at rates of 1e-5 and 5e-6; with Adam,
which the loop has, and means these become 1e-4. CMS-LapSRN prints no rate, LPN no loss. What the loop adds to all
trainings is added here too: a short warm-up, a bound on the gradient, averaged weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lpcodec.codec import models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.family import Source
from lpcodec.codec.families.superresolution.bicubic import eight_bit, enlarged, reduced, resampled
from lpcodec.codec.families.superresolution.catalogue import build, chosen
from lpcodec.codec.families.superresolution.lapsrn import Pyramid
from lpcodec.codec.families.superresolution.light import LightNetwork
from lpcodec.codec.families.superresolution.luma import luma
from lpcodec.codec.families.superresolution.network import UpscalingNetwork
from lpcodec.codec.families.superresolution.wavelet import LPSR, WSR, BandNetwork, WaveSR
from lpcodec.codec.training.objective import PictureObjective, cosine, psnr

CHARBONNIER = 1e-6
"""Added to the squared difference below the root."""
SMALLEST_FACTOR = 0.5
"""LapSRN's pictures are reduced by a random factor between this and 1 before patches are taken."""
DETAIL_WEIGHTS = (0.8, 1.0, 1.2)
"""WSR and LPSR: weights of the details, coarse to fine."""
TEXTURE_MARGIN = 1.2


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: side of the patches, patches per step, peak rate, Adam's weight decay; after which
    parts of the training the rate is halved (none: a cosine); whether pictures are reduced at random beforehand."""

    patch: int
    batch: int
    learning_rate: float
    weight_decay: float = 0.0
    halved_at: tuple[float, ...] = ()
    reduced: bool = False


_SIXTHS = tuple(stage / 6 for stage in range(1, 6))
RECIPES = {
    "light": Recipe(192, 8, 2e-3),
    "stage": Recipe(256, 6, 2e-3),
    "lapsrn": Recipe(128, 64, 1e-4, 1e-4, _SIXTHS, True),
    "ms-lapsrn": Recipe(128, 64, 1e-4, 1e-4, (1 / 3, 2 / 3), True),
    "cms-lapsrn": Recipe(512, 16, 1e-4, 1e-4, (1 / 3, 2 / 3), True),
    "lpn": Recipe(48, 16, 4e-4, 0.0, (250 / 800, 500 / 800, 750 / 800)),
    "wavesr": Recipe(192, 8, 1e-3, 1e-6, _SIXTHS),
    "wsr": Recipe(192, 8, 1e-3, 1e-6, _SIXTHS),
    "lpsr": Recipe(192, 8, 1e-3, 1e-6, _SIXTHS),
}
"""By the first word of a network's name. LPN's patches are of the small picture: 48 times the scale here."""


class UpscalingObjective(PictureObjective):
    """A super-resolution network with its paper's loss.

    Args:
        plan: the training's plan: `model`, and what `catalogue.chosen` reads.
        amp: whether the convolutions of `light` run in bfloat16. The others keep full precision: their pictures, and
            not residuals alone, pass through convolutions.

    Raises:
        UsageError: a choice that the network doesn't have.
    """

    network: UpscalingNetwork

    def __init__(self, plan: Mapping[str, Any], amp: bool) -> None:
        name = plan["model"]
        self.network = build(name, chosen(name, plan))
        # Those whose weights serve all scales learn them side by side.
        shared = name in ("light", "ms-lapsrn", "cms-lapsrn")
        self.scales = self.network.scales if shared else self.network.scales[-1:]
        self.recipe = RECIPES[name.partition("-")[0] if name not in RECIPES else name]
        self.amp = amp and isinstance(self.network, LightNetwork)
        self.patch = self.recipe.patch * (self.scales[-1] if name.startswith("lpn") else 1)
        self.batch = self.recipe.batch
        self.learning_rate = self.recipe.learning_rate

    def open(self, data: Path, patch: int, device: str) -> dict[str, Any]:
        """Load the pictures below `data`; see `families.family.Objective.open`.

        Raises:
            UsageError: the patches aren't a multiple of the scale.
        """
        if patch % self.scales[-1]:
            raise UsageError(f"patches of {patch} pixels aren't a multiple of the scale, {self.scales[-1]}")
        return super().open(data, patch, device)

    def start(self, generator: torch.Generator, source: Source | None) -> None:
        """The networks start at random, as their constructors leave them, or from a run of the same network. The
        transforms of WSR and LPSR are the installed ones."""
        if source is not None:
            weights = source.state if source.state is not None else source.tensors
            try:
                self.network.load_state_dict(weights or {})
            except RuntimeError as error:
                raise UsageError(f"the weights of {source.name} don't fit this network") from error
        elif isinstance(self.network, WSR | LPSR):
            tensors, _ = models.tensors_of("wae" if isinstance(self.network, WSR) else "lpae")
            self.network.transform.load_state_dict(tensors)

    def parameter_groups(self) -> Iterable[dict[str, object]]:
        if isinstance(self.network, LightNetwork):
            kernels = [p for p in self.network.trunk.parameters() if p.ndim == 4]
            rest = [p for p in self.network.parameters() if not any(p is kernel for kernel in kernels)]
            return [
                {"params": kernels, "lr_scale": 1.0, "muon": True},
                {"params": rest, "lr_scale": 1.0, "muon": False},
            ]
        trained = [p for p in self.network.parameters() if p.requires_grad]
        return [{"params": trained, "lr_scale": 1.0, "muon": False, "weight_decay": self.recipe.weight_decay}]

    def rate_at(self, part: float) -> float:
        if not self.recipe.halved_at:
            return cosine(part)
        return 0.5 ** sum(part >= stage for stage in self.recipe.halved_at)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Return `count` patches (count, 3, P, P); for LapSRN and its kin of pictures reduced by a random factor."""
        if not self.recipe.reduced:
            return super().sample(count, generator)
        smallest = max(SMALLEST_FACTOR, self._patch / self.store.smallest)
        factor = smallest + (1 - smallest) * float(torch.rand(1, generator=generator, device=generator.device))
        patches = self.store.batch(count, round(self._patch / factor), generator)
        return resampled(patches, self._patch, self._patch).clamp(0, 1)

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        pictures = luma(batch) if self.network.channels == 1 else batch
        parts = [(s, part) for s, part in zip(self.scales, pictures.chunk(len(self.scales)), strict=False)]
        total, figures = pictures.new_zeros(()), dict[str, Tensor]()
        for scale, part in parts:
            small = self.small(part, scale)
            with torch.autocast(batch.device.type, torch.bfloat16, enabled=self.amp):
                value, out = self._loss(small, part, scale)
            total = total + value * (len(part) / len(pictures))
            figures[f"psnr_x{scale}"] = psnr((out.detach() - part).square().mean((1, 2, 3)), 1.0).mean()
        return total, figures

    def small(self, pictures: Tensor, scale: int) -> Tensor:
        """The small pictures, (B, C, H / scale, W / scale), that the network is to enlarge to `pictures`."""
        return eight_bit(reduced(pictures, scale))

    def _loss(self, small: Tensor, pictures: Tensor, scale: int) -> tuple[Tensor, Tensor]:
        """The loss of one scale, and the enlarged pictures."""
        if isinstance(self.network, Pyramid):
            found = self.network.pictures(small, scale.bit_length() - 1)
            targets = [reduced(pictures, pictures.shape[2] // one.shape[2]) for one in found[:-1]] + [pictures]
            return sum_of(charbonnier(one - target) for one, target in zip(found, targets, strict=True)), found[-1]
        if isinstance(self.network, BandNetwork):
            return band_loss(self.network, small, pictures)
        out = self.network(small, scale)
        return (out - pictures).abs().mean(), out

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """PSNR in dB on the held-out pictures per scale, and bicubic's; `score` is the mean squared error in 8-bit
        units, added up over the scales."""
        network.eval()
        pictures = luma(self.held) if self.network.channels == 1 else self.held
        figures, score = dict[str, float](), 0.0
        for scale in self.scales:
            side = pictures.shape[2] // scale * scale  # 256 is no multiple of 3
            wanted = pictures[..., :side, :side]
            small = torch.cat([self.small(one, scale) for one in torch.split(wanted, 4)])
            with torch.autocast(wanted.device.type, torch.bfloat16, enabled=self.amp):
                out = torch.cat([network(one, scale) for one in torch.split(small, 4)])
            error = (out.clamp(0, 1) - wanted).square().mean((1, 2, 3))
            plain = (enlarged(small, scale).clamp(0, 1) - wanted).square().mean((1, 2, 3))
            score += float(error.mean()) * 255**2
            figures |= {
                f"psnr_x{scale}": float(psnr(error, 1.0).mean()), f"bicubic_x{scale}": float(psnr(plain, 1.0).mean())
            }  # fmt: skip
        network.train()
        return {"score": score, **figures}


def charbonnier(difference: Tensor) -> Tensor:
    """The mean of sqrt(d^2 + 1e-6): L1 that is smooth at zero."""
    return (difference.square() + CHARBONNIER).sqrt().mean()


def sum_of(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).sum()


def band_loss(network: BandNetwork, small: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """The losses of WaveSR, WSR and LPSR on their bands and on the picture; and the enlarged picture (B, 3, H, W).

    WaveSR: 0.01 MSE(approximation) + sum of MSE(details) + sum of the texture losses + 0.1 MSE(picture). The texture
    loss keeps details from vanishing: max(0, 1.2 mean(target^2) - mean(prediction^2)).
    WSR and LPSR: L1(picture) + 10 (L1(approximation) + weighted sum of L1(details)).
    """
    predicted = network.bands(network.prepare(small))
    out = network.merge(predicted)
    with torch.no_grad():
        targets = network.split(pictures)
    pairs = list(zip(predicted, targets, strict=True))
    if isinstance(network, WaveSR):
        squares = [(p - t).square().mean() for p, t in pairs]
        texture = [(TEXTURE_MARGIN * t.square().mean() - p.square().mean()).clamp_min(0) for p, t in pairs[1:]]
        total = 0.01 * squares[0] + sum_of(squares[1:]) + sum_of(texture) + 0.1 * (out - pictures).square().mean()
        return total, out
    distances = [(p - t).abs().mean() for p, t in pairs]
    details = sum_of(weight * one for weight, one in zip(DETAIL_WEIGHTS, distances[1:], strict=False))
    return (out - pictures).abs().mean() + 10 * (distances[0] + details), out
