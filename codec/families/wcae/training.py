"""Training the WCAE family by its paper's loss, and what the networks cost."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.family import PatchSides, Source
from lpcodec.codec.families.wcae.network import WaveletAutoencoder, load_network
from lpcodec.codec.training.cost import kmac_by_part
from lpcodec.codec.training.objective import PictureObjective, means, psnr

LAMBDA = 0.0025
"""The paper's weight of the rate."""
_MSE_8BIT = 127.5**2
"""A mean squared error in 8-bit units, divided by the same on [-1, 1]."""


class WcaeObjective(PictureObjective):
    """The paper's J = D + lambda R: mean squared error on [-1, 1], mean bits per element of the code."""

    patch = 256
    learning_rate = 1e-4

    def __init__(self, name: str, lmbda: float, channel_prior: bool) -> None:
        self.network = load_network(name, channel_prior)
        self.lmbda = lmbda
        self.sides = PatchSides(self.network.structure.multiple)

    def start(self, generator: torch.Generator, source: Source | None) -> None:
        """The networks start at random."""
        if source is not None:
            raise UsageError(f"can't start from {source.name}: the wcae family starts at random")

    def parameter_groups(self) -> Iterable[dict[str, object]]:
        return [{"params": list(self.network.parameters()), "lr_scale": 1.0, "muon": False}]

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        figures = loss(self.network, batch, self.lmbda)
        return figures["loss"], means(bpp=figures["bpp_estimate"], psnr=psnr(figures["mse"]))

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        assert isinstance(network, WaveletAutoencoder)
        network.eval()
        figures = loss(network, self.held, self.lmbda)
        network.train()
        found = means(bpp=figures["bpp_estimate"], psnr=psnr(figures["mse"]))
        return {"score": float(figures["loss"]), **{name: float(value) for name, value in found.items()}}


def loss(network: WaveletAutoencoder, batch: Tensor, lmbda: float = LAMBDA) -> dict[str, Tensor]:
    """J = D + lambda R of a batch (B, 3, H, W) in [0, 1].

    D is the mean squared error per sample on [-1, 1], R the mean bits per element of the code. Returns scalars: `loss`
    (the only one with a gradient), `bpp_estimate`, and `mse` in 8-bit units.
    """
    x = batch * 2 - 1
    reconstruction, code = network(x)
    distortion = (reconstruction.float() - x).square().mean()
    bits = network.rate(code)
    return {
        "loss": distortion + lmbda * bits,
        "bpp_estimate": bits.detach() * network.structure.elements_per_pixel,
        "mse": distortion.detach() * _MSE_8BIT,
    }


@torch.no_grad()
def cost(network: WaveletAutoencoder, side: int = 512) -> dict[str, float]:
    """Thousands of multiply-accumulates per pixel, by part, of a square picture with that side."""
    picture = torch.rand(1, 3, side, side) * 2 - 1
    code = network.analysis(picture)
    return kmac_by_part(
        {"analysis": lambda: network.analysis(picture), "synthesis": lambda: network.synthesis(code)}, side**2
    )
