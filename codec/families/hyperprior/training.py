"""Training the hyperprior networks: the loss, the start, the optimiser's groups of parameters."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from lpcodec.codec.families.family import Source
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork, lambda_of_quality
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.families.hyperprior.warmstart import start_from, weights_of
from lpcodec.codec.training.augmentation import with_rotated_colours
from lpcodec.codec.training.objective import (
    VALIDATION_QUALITIES,
    PictureObjective,
    held_out,
    means,
    psnr,
    random_qualities,
)

START_PATCHES, START_SIZE = 96, 192
"""What the principal components are taken from."""


class HyperpriorObjective(PictureObjective):
    """R + lambda * 255**2 * MSE with a random quality for each patch, divided by sqrt(lambda) so that no rate drowns
    the others. Latents are rounded as in coding, with straight-through gradients."""

    patch = 192
    learning_rate = 6e-4

    def __init__(self, sizes: HyperpriorSizes, amp: bool) -> None:
        self.network = HyperpriorNetwork(sizes)
        self.amp = amp

    def start(self, generator: torch.Generator, source: Source | None) -> None:
        pictures = self.store.batch(START_PATCHES, START_SIZE, generator)
        if source is None:
            self.network.start_from_principal_components(pictures)
        else:
            start_from(self.network, weights_of(source), pictures)

    def parameter_groups(self) -> Iterable[dict[str, object]]:
        return parameter_groups([self.network])

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        batch, quality = with_rotated_colours(batch), random_qualities(batch)
        lmbda = lambda_of_quality(quality)
        bpp, z_bpp, mse = self._figures(self.network, batch, quality)
        loss = ((bpp + lmbda * mse) / lmbda.sqrt()).mean()
        return loss, means(bpp=bpp, z_bpp=z_bpp, psnr=psnr(mse))

    def _figures(self, network: nn.Module, batch: Tensor, quality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        passed = network(batch, quality, self.amp)
        pixels = batch.shape[2] * batch.shape[3]
        mse = (passed.pictures - batch).square().mean((1, 2, 3)) * 255**2
        return (passed.bits + passed.z_bits) / pixels, passed.z_bits / pixels, mse

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        figures: dict[str, float] = {}
        score = 0.0
        for number, quality, (bpp, _, mse) in held_out(lambda p, q: self._figures(network, p, q), self.held):
            lmbda = lambda_of_quality(quality)
            score += float(((bpp + lmbda * mse) / lmbda.sqrt()).mean()) / len(VALIDATION_QUALITIES)
            figures |= {f"bpp@{number}": float(bpp.mean()), f"psnr@{number}": float(psnr(mse).mean())}
        return {"score": score, **figures}


def parameter_groups(networks: Iterable[HyperpriorNetwork]) -> list[dict[str, object]]:
    """Optimiser groups: Muon for the kernels, slow steps for the shortcuts, Adam for the rest."""
    kernels: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    shortcuts: list[nn.Parameter] = []
    for net in networks:
        slow = [*net.analysis.shortcut.parameters(), *net.synthesis.shortcut.parameters()]
        heads = [net.scales.first, net.scales.second, net.means.first, net.means.second]
        averages = (*net.scales.average_steps.parameters(), *net.means.average_steps.parameters())
        apart = {id(p) for p in (*slow, *averages, *(head.weight for head in heads))}
        mine = [p for p in net.parameters() if p.ndim == 4 and id(p) not in apart]
        apart = {id(p) for p in (*slow, *mine)}
        rest += [p for p in net.parameters() if id(p) not in apart]
        kernels += mine
        shortcuts += slow
    return [
        {"params": kernels, "lr_scale": 1.0, "muon": True},
        {"params": rest, "lr_scale": 1.0, "muon": False},
        {"params": shortcuts, "lr_scale": 0.2, "muon": False},
    ]
