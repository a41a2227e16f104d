"""Training the hyperprior networks: the loss, the start, the optimiser's groups of parameters."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from lpcodec.codec import visual
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.family import PatchSides, Source
from lpcodec.codec.families.hyperprior.means import MeanNetwork
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.qualities import lambda_of_quality, training_qualities
from lpcodec.codec.families.hyperprior.scales import ScaleNetwork
from lpcodec.codec.families.hyperprior.sizes import STRIDE, HyperpriorSizes
from lpcodec.codec.families.hyperprior.steps import GRIDS, grid_context
from lpcodec.codec.families.hyperprior.warmstart import start_from, weights_of
from lpcodec.codec.training.augmentation import with_rotated_colours
from lpcodec.codec.training.objective import (
    VALIDATION_QUALITIES,
    PictureObjective,
    held_out,
    means,
    psnr,
    random_parts,
)

LEAST_SIDE = 3 * STRIDE
"""The least side of patches in pixels. With fewer than three latents a side, a strided convolution of the
hyper-analysis has a single output, and torch's gradient of its kernel in bfloat16 is unset memory."""
START_PATCHES, START_SIZE = 96, 192
"""Patches, and their side in pixels, that the principal components are taken from."""


class HyperpriorObjective(PictureObjective):
    """R + lambda * distortion with a random quality for each patch, divided by sqrt(lambda) so that no quality
    dominates. Latents are rounded as in coding, with straight-through gradients.

    The distortion is 255**2 * MSE, or for `tune="visual"` mostly what SSIMULACRA 2 and MS-SSIM see (visual.py).
    """

    patch = 192
    batch = 16
    """On one thread torch convolves batches below 16 with 1x1 kernels in float32 at a third of the speed."""
    learning_rate = 6e-4

    def __init__(self, sizes: HyperpriorSizes, amp: bool, tune: Literal["psnr", "visual"] = "psnr") -> None:
        self.network = HyperpriorNetwork(sizes)
        self.amp = amp
        self.tune = tune
        self.sides = PatchSides(STRIDE, visual.LEAST_SIDE if tune == "visual" else LEAST_SIDE)

    def start(self, generator: torch.Generator, source: Source | None) -> None:
        pictures = self.store.batch(START_PATCHES, START_SIZE, generator)
        if source is None:
            self.network.start_from_principal_components(pictures)
        else:
            known = source.card.get("sizes", source.card).get("frontend") or "haar"
            if known != self.network.sizes.frontend:
                raise UsageError(f"can't start from {source.name}: it has another front-end, {known}")
            start_from(self.network, weights_of(source), pictures)

    def parameter_groups(self) -> Iterable[dict[str, object]]:
        return parameter_groups([self.network])

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        anchors = self.network.sizes.anchors
        batch, quality = with_rotated_colours(batch), training_qualities(random_parts(batch), anchors)
        lmbda = lambda_of_quality(quality, anchors)
        found = self._figures(self.network, batch, quality)
        loss = ((found.bpp + lmbda * found.distortion) / lmbda.sqrt()).mean()
        return loss, means(bpp=found.bpp, z_bpp=found.z_bpp, psnr=psnr(found.mse))

    def _figures(self, network: nn.Module, batch: Tensor, quality: Tensor) -> "_Figures":
        passed = network(batch, quality, self.amp)
        pixels = batch.shape[2] * batch.shape[3]
        mse = (passed.pictures - batch).square().mean((1, 2, 3)) * 255**2
        distortion = visual.distortion(passed.pictures, batch) if self.tune == "visual" else mse
        return _Figures((passed.bits + passed.z_bits) / pixels, passed.z_bits / pixels, mse, distortion)

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        figures: dict[str, float] = {}
        total = 0.0
        for number, quality, columns in held_out(lambda p, q: self._figures(network, p, q), self.held):
            found, lmbda = _Figures(*columns), lambda_of_quality(quality, self.network.sizes.anchors)
            total += float(((found.bpp + lmbda * found.distortion) / lmbda.sqrt()).mean()) / len(VALIDATION_QUALITIES)
            figures |= {f"bpp@{number}": float(found.bpp.mean()), f"psnr@{number}": float(psnr(found.mse).mean())}
            if self.tune == "visual":
                figures[f"distortion@{number}"] = float(found.distortion.mean())
        return {"score": total, **figures}


class _Figures(NamedTuple):
    """Per picture (B,): bits per pixel in all and of the hyper-latents, squared error in 8-bit units, distortion."""

    bpp: Tensor
    z_bpp: Tensor
    mse: Tensor
    distortion: Tensor


def _heads(network: ScaleNetwork | MeanNetwork) -> Iterator[nn.Parameter]:
    """Kernels for Adam, not Muon: those of the last layers, and all parameters of the interlaced grid's contexts."""
    for name, parameter in network.named_parameters():
        module, _, kind = name.rpartition(".")
        of_grid = name.startswith(tuple(f"contexts.{grid_context(n)}." for n in range(1, GRIDS)))
        if of_grid or (module.rpartition(".")[2] == "head" and kind == "weight"):
            yield parameter


def parameter_groups(networks: Iterable[HyperpriorNetwork]) -> list[dict[str, object]]:
    """Optimiser groups: Muon for the kernels, slow steps for the shortcuts, Adam for the rest."""
    kernels: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    shortcuts: list[nn.Parameter] = []
    for net in networks:
        slow = [*net.analysis.shortcut.parameters(), *net.synthesis.shortcut.parameters()]
        no_kernels = {id(p) for p in (*slow, *_heads(net.scales), *_heads(net.means))}
        own_kernels = [p for p in net.parameters() if p.ndim == 4 and id(p) not in no_kernels]
        assigned = {id(p) for p in (*slow, *own_kernels)}
        rest += [p for p in net.parameters() if id(p) not in assigned]
        kernels += own_kernels
        shortcuts += slow
    return [
        {"params": kernels, "lr_scale": 1.0, "muon": True},
        {"params": rest, "lr_scale": 1.0, "muon": False},
        {"params": shortcuts, "lr_scale": 0.2, "muon": False},
    ]
