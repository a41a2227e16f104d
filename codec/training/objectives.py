"""What is trained: for each model family its network, its loss, its way to start and its validation.

The loop (loop.py) knows none of them; it asks an objective for a loss on a batch and for held-out figures.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lpcodec.codec import models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.decomposition import training as decompositions
from lpcodec.codec.families.decomposition.lpae import LaplacianAutoencoder
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork, bfloat16_pays, lambda_of_quality
from lpcodec.codec.families.hyperprior.sizes import PROFILES, HyperpriorSizes
from lpcodec.codec.families.hyperprior.warmstart import read_run, read_weights, start_from
from lpcodec.codec.families.lpcae.network import LpcaeNetwork
from lpcodec.codec.families.wcae.network import LAMBDA, STRUCTURES, WaveletAutoencoder, load_network
from lpcodec.codec.families.wcae.network import loss as wcae_loss
from lpcodec.codec.training.augmentation import with_rotated_colours
from lpcodec.datasets.patches import PictureStore

START_PATCHES, START_SIZE = 96, 192
LPCAE_START_SIZE = 256
"""What the principal components are taken from."""
LOWEST_RATE = 0.01
VALIDATION_PATCHES = 24
VALIDATION_SIZE = 256
VALIDATION_QUALITIES = (0.15, 0.4, 0.65, 0.9)


class Objective(Protocol):
    """A network with its loss."""

    @property
    def network(self) -> nn.Module: ...
    @property
    def patch(self) -> int:
        """Side of the training patches, unless the plan says otherwise."""
        ...

    @property
    def learning_rate(self) -> float:
        """Peak rate, unless the plan says otherwise."""
        ...

    def start(self, store: PictureStore, generator: torch.Generator, source: str | None) -> None:
        """Initialise what random numbers don't initialise well, or take the weights of `source` (a run's folder or a
        model's name); called once, not on resume.

        Raises:
            UsageError: the weights of `source` don't fit, or this family can't start from any.
        """
        ...

    def parameter_groups(self) -> Iterable[dict[str, object]]:
        """Optimiser groups: `lr_scale` multiplies the schedule's rate, `muon` says which of Muon and Adam they get."""
        ...

    def rate_at(self, part: float) -> float:
        """Return what the peak rate is multiplied with when `part` (0..1) of the training is done."""
        ...

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch (B, 3, P, P) in 0..1 and the figures worth logging (scalars without gradient)."""
        ...

    def validate(self, network: nn.Module, patches: Tensor) -> dict[str, float]:
        """Return held-out figures of `network` (the averaged weights, say); `score` is what must fall."""
        ...


class HyperpriorObjective:
    """R + lambda * 255**2 * MSE with a random quality for each patch, divided by sqrt(lambda) so that no rate drowns
    the others; latents rounded as in coding, with straight-through gradients."""

    def __init__(self, sizes: HyperpriorSizes, amp: bool) -> None:
        self.network = HyperpriorNetwork(sizes)
        self.amp = amp
        self.patch = 192
        self.learning_rate = 6e-4

    def start(self, store: PictureStore, generator: torch.Generator, source: str | None) -> None:
        pictures = store.batch(START_PATCHES, START_SIZE, generator)
        if source is None:
            self.network.start_from_principal_components(pictures)
        else:
            start_from(self.network, read_weights(source), pictures)

    def parameter_groups(self) -> Iterable[dict[str, object]]:
        return _groups([self.network])

    def rate_at(self, part: float) -> float:
        return cosine(part)

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        batch, quality = with_rotated_colours(batch), _qualities(batch)
        lmbda = lambda_of_quality(quality)
        bpp, z_bpp, mse = self._figures(self.network, batch, quality)
        loss = ((bpp + lmbda * mse) / lmbda.sqrt()).mean()
        return loss, _means(bpp=bpp, z_bpp=z_bpp, psnr=_psnr(mse))

    def _figures(self, network: nn.Module, batch: Tensor, quality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        passed = network(batch, quality, self.amp)
        pixels = batch.shape[2] * batch.shape[3]
        mse = (passed.pictures - batch).square().mean((1, 2, 3)) * 255**2
        return (passed.bits + passed.z_bits) / pixels, passed.z_bits / pixels, mse

    @torch.no_grad()
    def validate(self, network: nn.Module, patches: Tensor) -> dict[str, float]:
        figures: dict[str, float] = {}
        score = 0.0
        for number, quality, (bpp, _, mse) in _held_out(lambda p, q: self._figures(network, p, q), patches):
            lmbda = lambda_of_quality(quality)
            score += float(((bpp + lmbda * mse) / lmbda.sqrt()).mean()) / len(VALIDATION_QUALITIES)
            figures |= {f"bpp@{number}": float(bpp.mean()), f"psnr@{number}": float(_psnr(mse).mean())}
        return {"score": score, **figures}


class LpcaeObjective:
    """The hyperprior networks' loss at every level of the pyramid, added up: each level on its own pixels."""

    def __init__(self, network: LpcaeNetwork, amp: bool) -> None:
        self.network = network
        self.amp = amp
        self.patch = 256
        self.learning_rate = 6e-4

    def start(self, store: PictureStore, generator: torch.Generator, source: str | None) -> None:
        """The prediction starts from the installed LPAE's, the coders from principal components; or everything from the
        weights of another run."""
        if source is not None:
            self.network.load_state_dict(read_run(source, self.network))
            return
        lpae = models.load_frontend("lpae")
        assert isinstance(lpae, LaplacianAutoencoder)
        pictures = store.batch(START_PATCHES, LPCAE_START_SIZE, generator)
        self.network.start_from(lpae.prediction.state_dict(), pictures)

    def parameter_groups(self) -> Iterable[dict[str, object]]:
        prediction = list(self.network.prediction.parameters())
        return [*_groups(self.network.networks), {"params": prediction, "lr_scale": 1.0, "muon": False}]

    def rate_at(self, part: float) -> float:
        return cosine(part)

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        batch, quality = with_rotated_colours(batch), _qualities(batch)
        bpp, mse, cost = self._figures(self.network, batch, quality)
        return cost.mean(0).sum(), _means(
            bpp=_whole(bpp), coarsest_part=bpp[:, 0] / _whole(bpp), psnr=_psnr(mse[:, -1])
        )

    def _figures(self, network: nn.Module, batch: Tensor, quality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of each picture and level (B, levels + 1): bits a pixel of the whole picture, squared error in 8-bit units,
        and the loss on the level's own pixels."""
        lmbda = lambda_of_quality(quality)
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
    def validate(self, network: nn.Module, patches: Tensor) -> dict[str, float]:
        figures: dict[str, float] = {}
        score = 0.0
        for number, _, (bpp, mse, cost) in _held_out(lambda p, q: self._figures(network, p, q), patches):
            score += float(cost.mean()) / len(VALIDATION_QUALITIES)
            figures |= {
                f"bpp@{number}": float(_whole(bpp).mean()), f"psnr@{number}": float(_psnr(mse[:, -1]).mean()),
                f"coarsest_part@{number}": float((bpp[:, 0] / _whole(bpp)).mean()),
            }  # fmt: skip
        return {"score": score, **figures}


class WcaeObjective:
    """J = D + lambda R of the paper: mean squared error on [-1, 1], mean bits an element of the code."""

    def __init__(self, name: str, lmbda: float, channel_prior: bool) -> None:
        self.network = load_network(name, channel_prior)
        self.lmbda = lmbda
        self.patch = 256
        self.learning_rate = 1e-4

    def start(self, store: PictureStore, generator: torch.Generator, source: str | None) -> None:
        """The networks start at random."""
        if source is not None:
            raise UsageError("--from: only the hyperprior networks start from earlier weights")

    def parameter_groups(self) -> Iterable[dict[str, object]]:
        return [{"params": list(self.network.parameters()), "lr_scale": 1.0, "muon": False}]

    def rate_at(self, part: float) -> float:
        return cosine(part)

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        figures = wcae_loss(self.network, batch, self.lmbda)
        return figures["loss"], _means(bpp=figures["bpp_estimate"], psnr=_psnr(figures["mse"]))

    @torch.no_grad()
    def validate(self, network: nn.Module, patches: Tensor) -> dict[str, float]:
        assert isinstance(network, WaveletAutoencoder)
        network.eval()
        figures = wcae_loss(network, patches, self.lmbda)
        network.train()
        means = _means(bpp=figures["bpp_estimate"], psnr=_psnr(figures["mse"]))
        return {"score": float(figures["loss"]), **{name: float(value) for name, value in means.items()}}


def _groups(networks: Iterable[HyperpriorNetwork]) -> list[dict[str, object]]:
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


def _qualities(batch: Tensor) -> Tensor:
    """A random 16-bit quality for each picture (B,): one from each of as many equal parts of the range as there are
    pictures, which is less noise than free draws."""
    places = torch.randperm(len(batch), device=batch.device) + torch.rand(len(batch), device=batch.device)
    return (places * 65536 / len(batch)).long().clamp_(max=65535)


def _held_out(
    figures: Callable[[Tensor, Tensor], tuple[Tensor, ...]], patches: Tensor
) -> Iterator[tuple[int, Tensor, tuple[Tensor, ...]]]:
    """At each quality of the validation: its number 0..100, the 16-bit qualities (B,), and the figures of all patches,
    eight at a time."""
    for part in VALIDATION_QUALITIES:
        quality = torch.full((len(patches),), round(part * 65535), device=patches.device)
        found = [figures(p, q) for p, q in zip(torch.split(patches, 8), torch.split(quality, 8), strict=True)]
        yield round(100 * part), quality, tuple(torch.cat(column) for column in zip(*found, strict=True))


def _whole(bpp: Tensor) -> Tensor:
    """The sum over the levels (B,)."""
    return bpp.sum(1)


def cosine(part: float) -> float:
    """A cosine from 1 down to 1 %."""
    return LOWEST_RATE + (1 - LOWEST_RATE) * 0.5 * (1 + math.cos(math.pi * part))


def _means(**figures: Tensor) -> dict[str, Tensor]:
    return {name: value.detach().mean() for name, value in figures.items()}


def _psnr(mse: Tensor) -> Tensor:
    return 20 * math.log10(255) - 10 * torch.log10(mse.clamp_min(1e-6))


def objective_for(plan: Mapping[str, Any], device: str) -> Objective:
    """Return the objective of a plan: its `model`, and for the WCAE family `lmbda` and `channel_prior`.

    Raises:
        UsageError: no such model, or an option that the model doesn't have.
    """
    model, lmbda, channel_prior = plan["model"], plan.get("lmbda"), bool(plan.get("channel_prior"))
    if model in STRUCTURES:
        return WcaeObjective(model, LAMBDA if lmbda is None else lmbda, channel_prior)
    if model not in (*PROFILES, "lpcae", *decompositions.NAMES):
        known = ", ".join((*PROFILES, "lpcae", *STRUCTURES, *decompositions.NAMES))
        raise UsageError(f"no model named {model!r} to train: {known}")
    if lmbda is not None or channel_prior:
        raise UsageError(f"{model} has one set of weights: --lmbda, --channel-prior are the wcae family's")
    if model in decompositions.NAMES:
        return decompositions.objective(model)
    if model == "lpcae":
        return LpcaeObjective(LpcaeNetwork(), amp=bfloat16_pays(device))
    return HyperpriorObjective(PROFILES[model], amp=bfloat16_pays(device))
