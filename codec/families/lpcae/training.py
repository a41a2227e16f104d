"""Training LPCAE: the hyperprior networks' loss at every level, the start, and what the network costs."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from lpcodec.codec import models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.family import PatchSides, Source
from lpcodec.codec.families.hyperprior import export as hyperprior
from lpcodec.codec.families.hyperprior.qualities import lambda_of_quality, training_qualities
from lpcodec.codec.families.hyperprior.sizes import STRIDE
from lpcodec.codec.families.hyperprior.stored import current_names
from lpcodec.codec.families.hyperprior.training import LEAST_SIDE, parameter_groups
from lpcodec.codec.families.hyperprior.warmstart import thawed
from lpcodec.codec.families.lpcae.codec import PREDICTION, LpcaeCodec, with_prefix
from lpcodec.codec.families.lpcae.network import LpcaeNetwork
from lpcodec.codec.training.augmentation import with_rotated_colours
from lpcodec.codec.training.cost import kmac_per_pixel
from lpcodec.codec.training.objective import (
    VALIDATION_QUALITIES,
    PictureObjective,
    held_out,
    means,
    psnr,
    random_parts,
)

START_PATCHES, START_SIZE = 96, 256
"""Patches, and their side in pixels, that the principal components are taken from."""


class LpcaeObjective(PictureObjective):
    """The hyperprior networks' loss at every level of the pyramid, added up: each level on its own pixels."""

    patch = 256
    learning_rate = 6e-4

    def __init__(self, network: LpcaeNetwork, amp: bool) -> None:
        self.network = network
        self.amp = amp
        self.sides = PatchSides(STRIDE << network.levels, LEAST_SIDE << network.levels)

    def start(self, generator: torch.Generator, source: Source | None) -> None:
        """Start the prediction from the installed LPAE's and the coders from principal components; or everything from
        the weights of another run or of the installed `lpcae`.

        Raises:
            UsageError: the source is another network.
        """
        if source is not None:
            self.network.load_state_dict(_state_of(source, self.network))
            return
        lpae, _ = models.tensors_of("lpae")
        self.network.start_from(with_prefix(lpae, PREDICTION), self.store.batch(START_PATCHES, START_SIZE, generator))

    def parameter_groups(self) -> Iterable[dict[str, object]]:
        prediction = list(self.network.prediction.parameters())
        return [*parameter_groups(self.network.networks), {"params": prediction, "lr_scale": 1.0, "muon": False}]

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        batch = with_rotated_colours(batch)
        quality = training_qualities(random_parts(batch), self.network.anchors)
        bpp, mse, cost = self._figures(self.network, batch, quality)
        return cost.mean(0).sum(), means(bpp=bpp.sum(1), coarsest_part=bpp[:, 0] / bpp.sum(1), psnr=psnr(mse[:, -1]))

    def _figures(self, network: nn.Module, batch: Tensor, quality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """For each picture and level (B, levels + 1): its bits per pixel of the whole picture, its mean squared error
        in 8-bit units, and its loss, with the rate per pixel of the level."""
        lmbda = lambda_of_quality(quality, self.network.anchors)
        pixels = batch.shape[2] * batch.shape[3]
        bpp, mse, cost = [], [], []
        for original, passed in network(batch, quality, self.amp):
            bits = passed.bits + passed.z_bits
            mse.append((passed.pictures - original).square().mean((1, 2, 3)) * 255**2)
            bpp.append(bits.detach() / pixels)
            own = bits / (original.shape[2] * original.shape[3])
            cost.append((own + lmbda * mse[-1]) / lmbda.sqrt())
        return torch.stack(bpp, 1), torch.stack(mse, 1), torch.stack(cost, 1)

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        figures: dict[str, float] = {}
        score = 0.0
        for number, _, (bpp, mse, cost) in held_out(lambda p, q: self._figures(network, p, q), self.held):
            score += float(cost.mean()) / len(VALIDATION_QUALITIES)
            figures |= {
                f"bpp@{number}": float(bpp.sum(1).mean()), f"psnr@{number}": float(psnr(mse[:, -1]).mean()),
                f"coarsest_part@{number}": float((bpp[:, 0] / bpp.sum(1)).mean()),
            }  # fmt: skip
        return {"score": score, **figures}


def _state_of(source: Source, network: LpcaeNetwork) -> dict[str, Tensor]:
    """The averaged weights of a run of the same network, or the installed weights as float32 parameters.

    Raises:
        UsageError: the source is another network.
    """
    state = None if source.state is None else current_names(source.state)
    if source.tensors is not None and "levels" in source.card.get("sizes", {}):
        state = _thawed(LpcaeCodec.from_tensors(source.tensors, source.card["sizes"]))
    if state is None or {k: v.shape for k, v in state.items()} != {k: v.shape for k, v in network.state_dict().items()}:
        raise UsageError(f"can't start from {source.name}: only the same network's weights are a start for it")
    return state


def _thawed(codec: LpcaeCodec) -> dict[str, Tensor]:
    """The state of the network that an installed codec was made from."""
    prediction = {f"{PREDICTION}{name}": value for name, value in codec.prediction.state_dict().items()}
    coders = ({f"coders.{place}.{k}": v for k, v in thawed(c.network).items()} for place, c in enumerate(codec.coders))
    return {**prediction, **{name: value for coder in coders for name, value in coder.items()}}


def cost(network: LpcaeNetwork, side: int = 512) -> dict[str, float]:
    """Thousands of multiply-accumulates by part, of all levels, per pixel of the whole picture. The prediction counts
    as synthesis."""
    total: dict[str, float] = {}
    for level, own in enumerate(reversed(network.networks)):
        for name, kmac in hyperprior.cost(own, side).items():
            total[name] = total.get(name, 0.0) + kmac / 4**level
        if level:
            coarse = torch.rand(1, 3, side, side)
            total["synthesis"] += kmac_per_pixel(lambda x=coarse: network.prediction(x), side**2) / 4**level  # type: ignore[misc]
    return {name: round(kmac, 3) for name, kmac in total.items()}
