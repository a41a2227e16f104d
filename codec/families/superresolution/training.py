"""Training super-resolution networks by the recipes of their papers.

```
patch --antialiased bicubic, 8 bits--> small   } pair --network--> pictures or bands --loss (losses.py)--> number
  |-----------------------------------> large  }
```

RECIPES has the patches, rates and schedules. `light` and `stage` have no paper. The papers of LapSRN and MS-LapSRN
train with momentum and a loss summed over all pixels, at rates of 1e-5 and 5e-6; with the loop's Adam and means these
become 1e-4. CMS-LapSRN prints no rate, LPN no loss. The stages of a rate are parts of the training here, whatever its
length. The loop adds its own to all trainings: a short warm-up, a bound on the gradient, averaged weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lpcodec.codec import models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.family import PatchSides, Source
from lpcodec.codec.families.superresolution.bicubic import eight_bit, enlarged, reduced, resampled
from lpcodec.codec.families.superresolution.catalogue import build, chosen
from lpcodec.codec.families.superresolution.losses import (
    Loss,
    absolute,
    all_levels,
    autoencoder_bands,
    root_mean_square,
    wavelet_bands,
)
from lpcodec.codec.families.superresolution.luma import luma
from lpcodec.codec.families.superresolution.network import UpscalingNetwork
from lpcodec.codec.families.superresolution.wavelet import AutoencoderSR
from lpcodec.codec.training.objective import PicturePatches, cosine, psnr

SMALLEST_FACTOR = 0.5
"""If pictures are reduced before patches are taken, then by a random factor between this and 1."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        loss: one of losses.py.
        patch: side of the patches in pixels.
        batch: patches per step.
        learning_rate: the peak rate.
        weight_decay: Adam's.
        halved_at: parts of the training (0..1) after which the rate is halved; none: the rate falls as a cosine.
        reduced: whether pictures are reduced by a random factor before patches are taken.
        all_scales: whether one set of weights learns all scales, each on its part of the batch.
        patch_of_small: whether `patch` is of the small picture.
    """

    loss: Loss
    patch: int
    batch: int
    learning_rate: float
    weight_decay: float = 0.0
    halved_at: tuple[float, ...] = ()
    reduced: bool = False
    all_scales: bool = False
    patch_of_small: bool = False


_SIXTHS = tuple(stage / 6 for stage in range(1, 6))
"""WaveSR, WSR and LPSR: after every 50 of 300 epochs."""
_THIRDS = (1 / 3, 2 / 3)
_LPN_STAGES = (250 / 800, 500 / 800, 750 / 800)
"""After 250, 500 and 750 of 800 epochs."""
RECIPES = {
    "light": Recipe(absolute, 192, 8, 2e-3, all_scales=True),
    "stage": Recipe(root_mean_square, 256, 8, 2e-3),
    "lapsrn": Recipe(all_levels, 128, 64, 1e-4, 1e-4, _SIXTHS, reduced=True),
    "ms-lapsrn": Recipe(all_levels, 128, 64, 1e-4, 1e-4, _THIRDS, reduced=True, all_scales=True),
    "cms-lapsrn": Recipe(all_levels, 512, 16, 1e-4, 1e-4, _THIRDS, reduced=True, all_scales=True),
    "lpn": Recipe(absolute, 48, 16, 4e-4, 0.0, _LPN_STAGES, patch_of_small=True),
    "wavesr": Recipe(wavelet_bands, 192, 8, 1e-3, 1e-6, _SIXTHS),
    "wsr": Recipe(autoencoder_bands, 192, 8, 1e-3, 1e-6, _SIXTHS),
    "lpsr": Recipe(autoencoder_bands, 192, 8, 1e-3, 1e-6, _SIXTHS),
}
"""By network. A variant, such as `lpn-alpha`, has the recipe of the network that its name begins with."""


class Pair(NamedTuple):
    """Small pictures (B, C, h, w) and the pictures (B, C, scale h, scale w) that should be made of them, in 0..1."""

    small: Tensor
    large: Tensor
    scale: int


class UpscalingObjective(PicturePatches):
    """A super-resolution network with its paper's loss. A batch has one pair per scale.

    Args:
        plan: the training's plan: `model`, `batch`, and what `catalogue.chosen` reads.
        amp: whether a network that takes bfloat16 is trained in it.

    Raises:
        UsageError: a choice that the network doesn't have, or a batch too small for its scales.
    """

    network: UpscalingNetwork

    def __init__(self, plan: Mapping[str, Any], amp: bool) -> None:
        name = plan["model"]
        self.network = build(name, chosen(name, plan))
        self.recipe = RECIPES[name if name in RECIPES else name.partition("-")[0]]
        self.loss_of = self.recipe.loss
        self.scales = self.network.scales if self.recipe.all_scales else self.network.scales[-1:]
        self.amp = amp and self.network.takes_bfloat16
        self.patch = self.recipe.patch * (self.scales[-1] if self.recipe.patch_of_small else 1)
        self.sides = PatchSides(self.scales[-1], self.scales[-1] * self.network.trains_from)
        self.batch = self.recipe.batch
        self.learning_rate = self.recipe.learning_rate
        batch, least = plan.get("batch"), len(self.scales)
        if batch is not None and batch < least:
            raise UsageError(
                f"batch {batch}: {name} learns {least} scales, each from a part of it; give {least} or more"
            )

    def start(self, generator: torch.Generator, source: Source | None) -> None:
        """Start at random, or from the weights of the same network. The transforms of WSR and LPSR are the installed
        ones.

        Raises:
            UsageError: the weights don't fit.
        """
        if source is not None:
            weights = source.state if source.state is not None else source.tensors
            try:
                self.network.load_state_dict(weights or {})
            except RuntimeError as error:
                raise UsageError(f"the weights of {source.name} don't fit this network") from error
        elif isinstance(self.network, AutoencoderSR):
            tensors, _ = models.tensors_of(self.network.transform_name)
            self.network.transform.load_state_dict(tensors)

    def parameter_groups(self) -> Iterable[dict[str, object]]:
        kernels = self.network.kernels_for_muon()
        own = {id(kernel) for kernel in kernels}
        rest = [p for p in self.network.parameters() if p.requires_grad and id(p) not in own]
        groups: list[dict[str, object]] = [{"params": kernels, "lr_scale": 1.0, "muon": True}] if kernels else []
        return [*groups, {"params": rest, "lr_scale": 1.0, "muon": False, "weight_decay": self.recipe.weight_decay}]

    def rate_at(self, part: float) -> float:
        if not self.recipe.halved_at:
            return cosine(part)
        return 0.5 ** sum(part >= stage for stage in self.recipe.halved_at)

    def sample(self, count: int, generator: torch.Generator) -> list[Pair]:
        """Return pairs of `count` patches in all, of pictures reduced by a random factor if the recipe says so."""
        return self.pairs(self._patches(count, generator))

    def pairs(self, patches: Tensor) -> list[Pair]:
        """Return a pair per scale, each of a part of the patches (B, 3, P, P)."""
        pictures = luma(patches) if self.network.channels == 1 else patches
        parts = pictures.tensor_split(len(self.scales))
        return [Pair(self.small(part, scale), part, scale) for scale, part in zip(self.scales, parts, strict=True)]

    def _patches(self, count: int, generator: torch.Generator) -> Tensor:
        if not self.recipe.reduced:
            return self.patches(count, generator)
        smallest = max(SMALLEST_FACTOR, self._patch / self.store.smallest)
        factor = smallest + (1 - smallest) * float(torch.rand(1, generator=generator, device=generator.device))
        patches = self.store.batch(count, round(self._patch / factor), generator)
        return resampled(patches, self._patch, self._patch).clamp(0, 1)

    def loss(self, batch: list[Pair]) -> tuple[Tensor, dict[str, Tensor]]:
        count = sum(len(pair.large) for pair in batch)
        total, figures = batch[0].large.new_zeros(()), dict[str, Tensor]()
        for small, large, scale in batch:
            with torch.autocast(large.device.type, torch.bfloat16, enabled=self.amp):
                value, out = self.loss_of(self.network, small, large, scale)
            total = total + value * (len(large) / count)
            figures[f"psnr_x{scale}"] = psnr((out.detach() - large).square().mean((1, 2, 3)), 1.0).mean()
        return total, figures

    def small(self, pictures: Tensor, scale: int) -> Tensor:
        """The small pictures (B, C, H / scale, W / scale) from which the network should make `pictures`."""
        return eight_bit(reduced(pictures, scale))

    def error_of(self, out: Tensor, wanted: Tensor) -> Tensor:
        """The error (B,) of enlarged pictures (B, C, H, W) in validation: the mean squared one, in 8-bit units."""
        return (out.clamp(0, 1) - wanted).square().mean((1, 2, 3)) * 255**2

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """PSNR in dB on the held-out pictures per scale, and bicubic's; `score` is the mean of `error_of`, summed over
        the scales."""
        network.eval()
        pictures = luma(self.held) if self.network.channels == 1 else self.held
        figures, score = dict[str, float](), 0.0
        for scale in self.scales:
            side = pictures.shape[2] // scale * scale  # 256 is no multiple of 3
            wanted = pictures[..., :side, :side]
            small = torch.cat([self.small(one, scale) for one in torch.split(wanted, 4)])
            with torch.autocast(wanted.device.type, torch.bfloat16, enabled=self.amp):
                out = torch.cat([network(one, scale) for one in torch.split(small, 4)]).float()
            error = (out.clamp(0, 1) - wanted).square().mean((1, 2, 3))
            plain = (enlarged(small, scale).clamp(0, 1) - wanted).square().mean((1, 2, 3))
            score += float(self.error_of(out, wanted).mean())
            figures |= {
                f"psnr_x{scale}": float(psnr(error, 1.0).mean()), f"bicubic_x{scale}": float(psnr(plain, 1.0).mean())
            }  # fmt: skip
        network.train()
        return {"score": score, **figures}
