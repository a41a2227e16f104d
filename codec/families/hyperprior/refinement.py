"""Better latents for the same decoder: what `--effort` buys for the hyperprior models.

```
y, z of the encoder's networks ---> u, z  --soft symbols--> values --synthesis, finishing--> picture
                                    ^                                                           |
                                    +------- distortion's gradient through the decoder ---------+   n times, per group
u, z --hard symbols--> bits of the tables + lambda * distortion: the cheapest is kept
```

The cost is bits + lambda * distortion * pixels, as in training, with what the weights were trained for as the
distortion: 255**2 * MSE, or for `tune="visual"` that of visual.py. Around the present values it is nearly a quadratic
bowl: its curvature per channel shows in how the gradient changes if all latents move by random signs. Then each latent
has a cost of its own,

    bits of its table for symbol n  +  curvature / 2 * (u - mean - n)**2

and u, the value with the least distortion, follows from the gradient: values - gradient / curvature. Latents that move
together cost more than each alone, up to three times as much at low qualities. How much shows in the gradients of one
iteration and the next, and the curvature is raised for it (`_Bowl`). While the search goes on, a symbol is the mean of
its few candidates under exp(-cost / temperature), so one that is undecided stays between two integers (mean-field
annealing). When it is coded, it is the cheapest of them. The gradient includes what the symbols of a step do to the
means of later steps; z moves too, by its gradient in rate and distortion.

Results are measured by what will be coded: the codec's own symbols, integer tables and 8-bit pixels. The plain latents
are among the candidates, so the cost never rises. A group is refined with its neighbours as they are at that time
(those before it are refined already), out to where the synthesis reaches, so the memory is that of a group.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpcodec.codec import visual
from lpcodec.codec.colour import PLAIN, Rotation, rotated_back
from lpcodec.codec.families.hyperprior.entropy import EntropyModel, Group
from lpcodec.codec.families.hyperprior.finishing import HALO, FinishingFilter
from lpcodec.codec.families.hyperprior.layers import Z_MAX
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.places import Places
from lpcodec.codec.families.hyperprior.qualities import lambda_of_quality, level_of_quality, row_of_quality
from lpcodec.codec.families.hyperprior.scales import ScaleNetwork, ScaleWalk
from lpcodec.codec.families.hyperprior.sizes import STRIDE
from lpcodec.codec.families.hyperprior.steps import Channels, Prediction, Step, combined, walk
from lpcodec.codec.progress import Progress
from lpcodec.codec.tiles import Span
from lpcodec.entropy.choice import code_lengths, symbol_costs
from lpcodec.entropy.likelihood import gaussian_bits

STEP_START, STEP_END = 0.4, 0.05
"""How much of the way to its target u goes per iteration; falls geometrically."""
FURTHEST = 2.0
"""The most that a latent's target is away from its value, in steps of rounding. At the few places where the curvature
is many times the channel's mean, targets would be far off, and the search would run away."""
STEP_SUM, LARGEST_END = 0.8, 0.3
"""With few iterations it falls less: its end is STEP_SUM over their number, at most LARGEST_END."""
PACES: Mapping[str, float] = MappingProxyType({"psnr": 1.0, "visual": 0.5})
"""What these steps are multiplied by for each tune. What the eye sees is less like a bowl: with whole steps the values
overshoot."""
TEMPERATURE_START, TEMPERATURE_END = 0.5, 0.2
"""The temperature of the soft symbols, in bits; falls geometrically."""
Z_STEP = 0.035
"""Adam's step for z, falling linearly."""
_ADAM_DECAYS, _TINY = (0.9, 0.99), 1e-8
STIFFNESS = (1.0, 2.0, 4.0)
"""Curvatures, in units of the bowl's, that the last rounding is tried with. Mostly 1 is best; larger ones keep more
latents at their values, if the search hasn't settled."""
MOST_RAISED = 2.5
"""The most that the curvature is raised by."""
_NEW_RATIO = 0.3
"""The part of a new measurement in the average that the curvature is raised for."""
LAMBDA_FACTORS: Mapping[str, float] = MappingProxyType({"psnr": 1.25, "visual": 1.0})
"""The lambda here, in units of that of training, for each tune: those that gave the smallest files for their quality
(docs/effort.md). With 1 for PSNR, refined files have lower rates than the quality's gains and tables were made for."""
_PROBE = 0.2
"""How far latents move to find the curvature, in steps of rounding."""
_PROBED_PLACES, _MOST_PROBES = 256, 8
"""A curvature is the mean over about this many places, in at most this many passes."""
_SEED = 1
_WORTH_LOOKING_EARLY = 16
"""With this many iterations or more, the best may come before the end, so symbols are tried on the way too."""


@dataclass(frozen=True)
class Refined:
    """Latents y (M, h, w); for each group z (1, Z, h/4, w/4), whole numbers, and the curvature (M, 1, 1) that symbols
    are chosen with (None: plain rounding). They are made for one quality and good at those near it."""

    y: Tensor
    z: list[Tensor]
    curvature: list[Tensor | None]


def refine(
    transforms: HyperpriorNetwork, entropy: EntropyModel, finishing: FinishingFilter | None,
    groups: list[tuple[Span, Span]], plain: list[Group], pixels: npt.NDArray[np.uint8], latents: Tensor, places: Places,
    iterations: int, progress: Progress | None = None, rotation: Rotation = PLAIN, tune: str = "psnr",
) -> Refined:  # fmt: skip
    """Refine latents (M, h, w) of pixels (H, W, 3 or 1) uint8 for the qualities of `places`. Deterministic on one
    machine.

    The picture's cost (see above) is at most that of the latents given.

    Args:
        finishing: the decoder's filter after the synthesis, if it has one.
        groups: the rows and columns of the groups of latents, in coding order.
        plain: what the latents are coded as, group by group.
        places: the qualities at which they are coded.
        rotation: of the pixels' colours in the latents.
        tune: what the distortion is, "psnr" or "visual".
    """
    work = _Work(transforms, entropy, finishing, groups, plain, pixels, latents, places, iterations, rotation, tune)
    refined = Refined(latents.clone(), [], [])
    for number, (rows, columns) in enumerate(groups):

        def report(part: float, before: int = number) -> None:
            if progress:
                progress("refinement", (before + part) / len(groups))

        y, z, curvature = _Refinement(work, number, rows, columns).run(report)
        refined.y[:, rows.core, columns.core] = y
        refined.z.append(z)
        refined.curvature.append(curvature)
    return refined


class _Work:
    """What all groups of a picture share. `values` (M, h, w) are the decoder's y: those of the plain latents at first,
    then, group by group, those of the refined ones."""

    def __init__(
        self, transforms: HyperpriorNetwork, entropy: EntropyModel, finishing: FinishingFilter | None,
        groups: list[tuple[Span, Span]], plain: list[Group], pixels: npt.NDArray[np.uint8], latents: Tensor,
        places: Places, iterations: int, rotation: Rotation, tune: str,
    ) -> None:  # fmt: skip
        self.transforms, self.entropy, self.device = transforms, entropy, entropy.device
        self.finishing = finishing
        self.pixels, self.latents, self.iterations, self.plain = pixels, latents, iterations, plain
        self.rotation = rotation
        self.places, self.q = places, places.quality
        self.level = level_of_quality(self.q, entropy.anchors)
        # Exact integers in float32 as well, and with gradients for z.
        self.scales: ScaleNetwork = copy.deepcopy(entropy.scales).float().to(self.device)
        self.costs = symbol_costs(entropy.tables, str(self.device))
        self.z_bits = code_lengths(entropy.z_tables.tables[int(row_of_quality(self.q, entropy.anchors))], Z_MAX + 1).to(
            self.device
        )
        self.values = torch.empty_like(latents)
        for group, (rows, columns) in zip(plain, groups, strict=True):
            values = entropy.values(group, self.q.cpu()) * places.inverse_gain(rows.core, columns.core)
            self.values[:, rows.core, columns.core] = values[0].cpu()
        self.distortion = visual.distortion_of_parts if tune == "visual" else _squared_error
        self.pace = PACES[tune]
        self.lmbda = LAMBDA_FACTORS[tune] * float(lambda_of_quality(self.q.double(), entropy.anchors))


def _squared_error(decoded: Tensor, original: Tensor) -> Tensor:
    """The mean squared error (1,) of pictures (1, C, H, W) in 0..1, in 8-bit units."""
    return (decoded - original).square().mean((1, 2, 3), dtype=torch.float64) * 255**2


@dataclass(frozen=True)
class _Best:
    """The cheapest that was coded so far, and the u, z and curvature that it was coded from."""

    cost: float
    group: Group
    u: Tensor
    z: Tensor
    curvature: Tensor | None


class _Adam:
    """Adam's steps (Kingma and Ba 2015); the first use of torch.optim would import its compiler, for seconds."""

    def __init__(self, like: Tensor) -> None:
        self.mean, self.square, self.taken = torch.zeros_like(like), torch.zeros_like(like), 0

    def step(self, gradient: Tensor, rate: float) -> Tensor:
        """Return what to subtract."""
        self.taken += 1
        self.mean = self.mean.lerp(gradient, 1 - _ADAM_DECAYS[0])
        self.square = self.square.lerp(gradient.square(), 1 - _ADAM_DECAYS[1])
        mean, square = (x / (1 - d**self.taken) for x, d in zip((self.mean, self.square), _ADAM_DECAYS, strict=True))
        return rate * mean / (square.sqrt() + _TINY)


@dataclass(frozen=True)
class _RoundedSymbols:
    """Scale indexes from soft symbols: their contexts take whole numbers."""

    scales: ScaleWalk

    def indexes(self, step: Step, symbols: Channels) -> Tensor:
        return self.scales.indexes(step, symbols)

    def seen(self, symbols: Tensor) -> Tensor:
        return self.scales.seen(symbols.round())


class _Distortion:
    """The error of the pixels that one group of latents reaches, weighed as in the cost. Latents around the group, out
    to where the synthesis reaches, are constant: they are what the work has when this is made."""

    def __init__(self, work: _Work, rows: Span, columns: Span) -> None:
        self.work = work
        halo = work.transforms.synthesis_halo + (0 if work.finishing is None else HALO)
        shape = work.latents.shape[1:]
        (seen_y, outer_y), (seen_x, outer_x) = (
            [Span(s.start, s.stop, max(0, s.start - h), min(n, s.stop + h)) for h in (halo, 2 * halo)]
            for s, n in ((rows, shape[0]), (columns, shape[1]))
        )
        part = work.pixels[seen_y.scaled(STRIDE).outer, seen_x.scaled(STRIDE).outer]
        original = torch.from_numpy(part.copy()).to(work.device).permute(2, 0, 1)[None]
        self.original = original.float() / 255
        top, left = (STRIDE * (s.outer_start - o.outer_start) for s, o in ((seen_y, outer_y), (seen_x, outer_x)))
        self.reached = (slice(top, top + part.shape[0]), slice(left, left + part.shape[1]))
        self.around = work.values[None, :, outer_y.outer, outer_x.outer].to(work.device)
        self.inside = (outer_y.inner, outer_x.inner)
        self.inverse_gain = work.places.inverse_gain(rows.core, columns.core)
        self.qualities = work.places.qualities(outer_y.outer, outer_x.outer)

    def picture(self, values: Tensor) -> Tensor:
        """The decoded pixels (1, 3 or 1, H, W) that the group reaches, not rounded, from its values r + mean."""
        latents = values * self.inverse_gain
        whole = self.around.clone()
        whole[:, :, *self.inside] = latents
        picture: Tensor = self.work.transforms.synthesise(
            whole.contiguous(memory_format=torch.channels_last), self.qualities
        )
        picture = rotated_back(picture, self.work.rotation)
        if self.work.finishing is not None:
            picture = self.work.finishing(picture[0], self.work.q)[None]
        picture = picture[:, :, *self.reached]
        return picture.mean(1, keepdim=True) if self.original.shape[1] == 1 else picture

    def error(self, values: Tensor) -> Tensor:
        """The distortion's part of the cost, with gradients."""
        return self._weighed(self.picture(values))

    @torch.no_grad()
    def shown_error(self, values: Tensor) -> float:
        """The distortion's part of the cost, of the pixels as they will be shown: with 8 bits."""
        return float(self._weighed(self.picture(values).mul(255).round().clamp(0, 255) / 255))

    def _weighed(self, picture: Tensor) -> Tensor:
        pixels = picture.shape[2] * picture.shape[3]
        weighed: Tensor = self.work.lmbda * pixels * self.work.distortion(picture, self.original)[0]
        return weighed

    def curvature(self, values: Tensor) -> Tensor:
        """(1, M, 1, 1): the second derivative of the distortion by a latent, the mean over the group.

        If all latents move by _PROBE with random signs, what the others do to a latent's gradient has a mean of 0.
        """
        generator = torch.Generator().manual_seed(_SEED)
        before, total = self._gradient(values), torch.zeros_like(values)
        probes = min(max(_PROBED_PLACES // (values.shape[2] * values.shape[3]), 1), _MOST_PROBES)
        for _ in range(probes):
            signs = torch.randint(0, 2, values.shape, generator=generator).to(values) * 2 - 1
            total += signs * (self._gradient(values + _PROBE * signs) - before)
        curvature = total.mean((0, 2, 3), keepdim=True) / (_PROBE * probes)
        return curvature.clamp_min(max(float(curvature.mean()) / 4, 1e-3))

    def _gradient(self, values: Tensor) -> Tensor:
        start = values.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.error(start), start)
        return gradient


class _Bowl:
    """The distortion around the present values: a quadratic with a curvature for each channel.

    `curvature` (1, M, 1, 1) is the measured one of single latents, raised for latents that move together. From one
    iteration to the next, values change by d and gradients by g, so along d the curvature is g'd / d'd. Its ratio to
    the measured one is 2 to 3 at low qualities and 1.2 at high ones. The square root of it is best: the measured
    curvature alone makes the values overshoot, and all of the ratio keeps latents where they are.
    """

    def __init__(self, measured: Tensor) -> None:
        self.curvature = self._measured = measured
        self._ratio: float | None = None
        self._last: tuple[Tensor, Tensor] | None = None

    def learn(self, values: Tensor, gradient: Tensor) -> None:
        """Raise the curvature as the gradient (1, M, h, w) at the values asks for."""
        if self._last is not None:
            moved, change = values - self._last[0], gradient - self._last[1]
            apart = float((self._measured * moved.square()).sum())
            if apart > 0:
                ratio = float((change * moved).sum()) / apart
                self._ratio = ratio if self._ratio is None else self._ratio + _NEW_RATIO * (ratio - self._ratio)
                raised = math.sqrt(max(self._ratio, 1.0))
                self.curvature = self._measured * min(raised, MOST_RAISED)
        self._last = values, gradient


class _Refinement:
    """One group on its way: `u` and `z` move, `best` is the cheapest of what was coded so far."""

    def __init__(self, work: _Work, number: int, rows: Span, columns: Span) -> None:
        self.work, self.rows, self.columns = work, rows, columns
        self.distortion = _Distortion(work, rows, columns)
        self.gain = work.places.gain(rows.core, columns.core)
        u = (work.latents[None, :, rows.core, columns.core].to(work.device) * self.gain).clone()
        self.u = u.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            self.z = work.transforms.hyper_analysis(self.u)
        self.height, self.width = u.shape[2:]
        self.plain: Group = work.plain[number]
        z = torch.from_numpy(self.plain.z).to(work.device).float()[None]
        self.best = _Best(self._cost(self.plain), self.plain, self.u, z, None)

    def run(self, report: Callable[[float], None]) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return y (M, h, w), z and curvature of the best that was found, and put its values into the work."""
        bowl = _Bowl(self.distortion.curvature(self._values(self.plain)))
        n = self.work.iterations
        early = (n // 2, 3 * n // 4) if n >= _WORTH_LOOKING_EARLY else ()
        for done in self._iterate(bowl):
            report(done / n)
            if done in early:
                self._try(bowl.curvature)
        for factor in STIFFNESS:
            self._try(factor * bowl.curvature)
        report(1.0)
        values = self._values(self.best.group) * self.distortion.inverse_gain
        self.work.values[:, self.rows.core, self.columns.core] = values[0].cpu()
        y = (self.best.u / self.gain)[0].cpu()
        chosen_with = self.best.curvature
        return y, self.best.z.cpu(), None if chosen_with is None else chosen_with[0].cpu()

    def _iterate(self, bowl: _Bowl) -> Iterator[int]:
        """Move u and z, while they are numbers; yields after each iteration how many are done."""
        steps = self.work.iterations
        end = max(STEP_END, min(STEP_SUM / steps, LARGEST_END))
        adam = _Adam(self.z)
        for step in range(steps):
            part = step / max(steps - 1, 1)
            rate = self.work.pace * STEP_START * (end / STEP_START) ** part
            temperature = TEMPERATURE_START * (TEMPERATURE_END / TEMPERATURE_START) ** part
            values, gradient, z_gradient = self._gradients(bowl.curvature, temperature)
            bowl.learn(values, gradient)
            target = values - (gradient / bowl.curvature).clamp(-FURTHEST, FURTHEST)
            self.u = self.u + rate * (target - self.u)
            self.z = self.z - adam.step(z_gradient, Z_STEP * (1 - step / steps))
            if not self._is_finite():
                return
            yield step + 1

    def _is_finite(self) -> bool:
        return bool(self.u.isfinite().all() and self.z.isfinite().all())

    def _gradients(self, curvature: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
        """Soft values, the distortion's gradient for the symbols, and the cost's for z, which is rounded."""
        work, size = self.work, (self.height, self.width)
        z = self.z.round().clamp(-Z_MAX, Z_MAX).requires_grad_()
        found: list[tuple[Step, Tensor]] = []

        def soft(prediction: Prediction, channels: int) -> Tensor:
            step, mean, index = prediction.step, prediction.mean, prediction.index
            assert mean is not None
            assert index is not None
            with torch.no_grad():
                own = slice(step.start, step.stop)
                symbols = work.costs.soft(self.u[:, own] - mean, index, curvature[:, own], temperature)
                symbols = symbols * (prediction.places() & (index >= work.entropy.skip_below))
            found.append((step, symbols.requires_grad_()))
            return symbols[:, :channels]

        scales = _RoundedSymbols(work.scales.begin(z, work.level, *size))
        means = work.entropy.means.begin(z, work.level, *size)
        predictions = walk(work.entropy.steps, soft, scales, means, work.entropy.context_channels)

        symbols = Channels()
        for step, own in found:
            symbols.add(step.start, own)
        r = symbols.read()
        values = r + combined((p.step, p.mean) for p in predictions if p.mean is not None)
        index = combined((p.step, p.index) for p in predictions if p.index is not None)
        bits = gaussian_bits(r.detach().round(), index) * (index.detach() >= work.entropy.skip_below)
        cost = self.distortion.error(values) + bits.sum()
        *gradients, for_z = torch.autograd.grad(cost, (*(own for _, own in found), z))
        gradient = combined((step, own) for (step, _), own in zip(found, gradients, strict=True))
        return values.detach(), gradient, for_z + self._z_slopes(z.detach())

    def _z_slopes(self, z: Tensor) -> Tensor:
        """The slope of z's bits in z, from the tables' entries on both sides. All places are taken for first places."""
        channel = torch.arange(z.shape[1], device=z.device).view(1, -1, 1, 1)
        place = z.long() + Z_MAX + 1
        slopes: Tensor = (self.work.z_bits[channel, place + 1] - self.work.z_bits[channel, place - 1]) / 2
        return slopes

    def _try(self, curvature: Tensor) -> None:
        """Code what u and z are now; keep it if it is the cheapest."""
        if not self._is_finite():
            return
        z = self.z.round().clamp(-Z_MAX, Z_MAX)
        group = self.work.entropy.code(self.u[0].cpu(), z, self.work.q.cpu(), curvature[0].cpu())
        cost = self._cost(group)
        if cost < self.best.cost:
            self.best = _Best(cost, group, self.u, z, curvature)

    def _cost(self, group: Group) -> float:
        """Bits by the tables, and the error of the pixels as they will be shown."""
        bits = sum(run.tables.bits(run.symbols, run.indexes) for run in group.runs)
        return self.distortion.shown_error(self._values(group)) + bits

    def _values(self, group: Group) -> Tensor:
        """r + mean (1, M, h, w); the gain is still in them."""
        return self.work.entropy.values(group, self.work.q.cpu())
