"""What the context of later steps is worth: scales and means from z alone, or refined by what is decoded already.

    python benchmarks/ablate_context.py --data TRAINING --out docs/results/ablation-context.json

The transforms, gains and hyper-latents of trained weights are kept; the scale network and the mean network are trained
from random numbers in each variant, for the same steps on the same patches, with two seeds. Measured on held-out
patches (pictures that were not trained on): bits of the rounded latents under the scales that the network predicts.
"none", "means", "scales" and "both" decode in two steps and differ only in what the second sees of the first: zeros,
or its symbols (for the scales) and values (for the means). "four steps" halves each of the two: every step sees the
symbols and values of all before it, and the last two have layers of their own, as wide as the second's; in "four
steps, shared" the last three share theirs. "averages first" is "both" with the DC latents' own steps before it, as the
codec has them.

Runs in --out with the same settings are kept, so that variants can be trained one after the other.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lpcodec.codec.devices import bfloat16_pays
from lpcodec.codec.families.hyperprior.means import MeanNetwork, MeanWalk
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.qualities import finest, lambda_of_quality, level_of_quality
from lpcodec.codec.families.hyperprior.scales import ScaleNetwork, ScaleWalk
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.families.hyperprior.steps import (
    CHECKERBOARD,
    Channels,
    Device,
    Places,
    Prediction,
    Step,
    checkerboard,
    combined,
    context_channels,
    schedule,
    walk,
)
from lpcodec.codec.families.hyperprior.warmstart import sizes_of, start_from, weights_of
from lpcodec.codec.picture import read_rgb
from lpcodec.codec.quality import Quality
from lpcodec.codec.training.source import origin, read_source
from lpcodec.datasets.patches import load_stores
from lpcodec.entropy.likelihood import gaussian_bits, round_straight_through, rounded, uniform_noise

FOUR, SHARED, AVERAGES = "four steps", "four steps, shared", "averages first"
AVERAGES_FOUR = "averages first, four steps"
VARIANTS = {"none": (False, False), "means": (False, True), "scales": (True, False), "both": (True, True),
            FOUR: (True, True), SHARED: (True, True), AVERAGES: (True, True),
            AVERAGES_FOUR: (True, True)}  # fmt: skip
"""(later steps' scales see the symbols decoded before, their means see the values)"""
QUALITIES = (15, 40, 65, 90)
DC_LATENTS = 3
PATCH, BATCH, RATE = 192, 8, 1e-3
HELD_PATCHES, HELD_SIDE = 24, 256


def steps_of(variant: str, sizes: HyperpriorSizes) -> tuple[Step, ...]:
    """The order of decoding of a variant."""
    if variant == AVERAGES:
        return schedule(sizes)
    halves, every = [checkerboard(0), checkerboard(1)], sizes.latents
    if variant not in (FOUR, SHARED, AVERAGES_FOUR):
        return Step(0, every, halves[0]), Step(0, every, halves[1], CHECKERBOARD)
    cells = [of_parity(half, parity) for half in halves for parity in (0, 1)]
    if variant == AVERAGES_FOUR:
        dc = sizes.dc_latents
        averages = [step for step in schedule(sizes) if step.stop == dc]
        rest = [Step(0 if number > 1 else dc, every, cell, CHECKERBOARD if number else None)
                for number, cell in enumerate(cells)]  # fmt: skip
        return (*averages, *rest)
    contexts = [None, *([CHECKERBOARD] * 3 if variant == SHARED else ["second", "third", "fourth"])]
    return tuple(Step(0, every, cell, context) for cell, context in zip(cells, contexts, strict=True))


def of_parity(places: Places, parity: int) -> Places:
    """Of these places those in channels of one parity: so no latent sees less than in two steps."""

    def both(start: int, stop: int, height: int, width: int, device: Device) -> Tensor:
        channel = torch.arange(start, stop, device=device).view(1, -1, 1, 1)
        return places(start, stop, height, width, device) & (channel % 2 == parity)

    return both


@dataclass(frozen=True)
class BlindScales:
    """A scale network's walk that doesn't see what was decoded."""

    scales: ScaleWalk

    def indexes(self, step: Step, symbols: Channels) -> Tensor:
        return self.scales.indexes(step, symbols)

    def seen(self, symbols: Tensor) -> Tensor:
        return torch.zeros_like(self.scales.seen(symbols))


@dataclass(frozen=True)
class BlindMeans:
    """A mean network's walk that doesn't see what was decoded."""

    network: MeanWalk

    def means(self, step: Step, values: Channels) -> Tensor:
        nothing = Channels()
        if step.context is not None:
            nothing.add(0, torch.zeros_like(values.read()))
        return self.network.means(step, nothing)


class Trial:
    """One variant: frozen transforms, an entropy model of its own."""

    def __init__(self, network: HyperpriorNetwork, variant: str, seed: int) -> None:
        torch.manual_seed(seed)
        self.see_symbols, self.see_values = VARIANTS[variant]
        self.network, self.amp = network, bfloat16_pays("cpu")
        sizes = replace(network.sizes, dc_latents=DC_LATENTS if variant in (AVERAGES, AVERAGES_FOUR) else 0)
        self.steps = steps_of(variant, sizes)
        self.scales, self.means = ScaleNetwork(sizes, self.steps), MeanNetwork(sizes, self.steps)
        self.parameters = [*self.scales.parameters(), *self.means.parameters()]

    def residuals(self, pictures: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Latents without their means, and their scale indexes, both (B, M, h, w)."""
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.amp):
            y = self.network.analyse(pictures).float()
            scaled = y * self.network.gain(quality)
            z = self.network.hyper_analysis(scaled).float().round()
        level, size = level_of_quality(quality, self.network.sizes.anchors), (y.shape[2], y.shape[3])
        scales, means = self.scales.begin(z, level, *size), self.means.begin(z, level, *size)

        def rounding(prediction: Prediction, channels: int) -> Tensor:
            assert prediction.mean is not None
            assert prediction.index is not None
            own = slice(prediction.step.start, prediction.step.start + channels)
            whole = round_straight_through(
                scaled[:, own] - prediction.mean[:, :channels], prediction.index[:, :channels]
            )
            return whole * prediction.places()[:, :channels]

        predictions = walk(
            self.steps, rounding, scales if self.see_symbols else BlindScales(scales),
            means if self.see_values else BlindMeans(means), context_channels(self.steps, self.scales),
        )  # fmt: skip
        mean = combined((p.step, p.mean) for p in predictions if p.mean is not None)
        return scaled - mean, combined((p.step, p.index) for p in predictions if p.index is not None)

    def step(self, pictures: Tensor, optimiser: torch.optim.Optimizer) -> None:
        quality = torch.randint(0, finest(self.network.sizes.anchors) + 1, (len(pictures),))
        residuals, index = self.residuals(pictures, quality)
        bits = gaussian_bits(residuals + uniform_noise(residuals), index).sum((1, 2, 3))
        optimiser.zero_grad()
        (bits / (PATCH**2 * lambda_of_quality(quality).sqrt())).mean().backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        optimiser.step()

    @torch.no_grad()
    def bpp(self, pictures: Tensor) -> dict[str, float]:
        found = {}
        for number in QUALITIES:
            quality = torch.full((len(pictures),), Quality.of(number).units)
            residuals, index = self.residuals(pictures, quality)
            bits = gaussian_bits(rounded(residuals, index), index).sum()
            found[str(number)] = round(float(bits) / pictures[:, 0].numel(), 5)
        return found


def earlier_runs(out: Path, about: dict[str, Any], chosen: Sequence[str]) -> list[dict[str, Any]]:
    """The runs of the file `out` if they were made with these settings, but for those of the variants to be trained."""
    document = json.loads(out.read_text()) if out.exists() else {"runs": []}
    runs: list[dict[str, Any]] = document.pop("runs")
    return [run for run in runs if document == about and run["variant"] not in chosen]


def main(argv: Sequence[str] | None = None) -> None:
    """Train and measure the variants with every seed; write the JSON after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the training pictures")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--from", dest="source", default="default", help="weights whose transforms are kept")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    options = parser.parse_args(argv)

    state = weights_of(read_source(options.source))
    network = HyperpriorNetwork(sizes_of(state))
    store, held, _ = load_stores(options.data, HELD_SIDE, read_rgb)
    start_from(network, state, store.batch(1, 64, torch.Generator()))
    network.requires_grad_(False).to(memory_format=torch.channels_last)
    patches = held.batch(HELD_PATCHES, HELD_SIDE, torch.Generator().manual_seed(1))
    about = {
        "latents": network.sizes.latents, "weights": origin(options.source), "steps": options.steps,
        "patches": HELD_PATCHES,
    }  # fmt: skip
    runs = earlier_runs(options.out, about, options.variants)
    for seed in range(options.seeds):
        for variant in options.variants:
            start = time.monotonic()
            trial = Trial(network, variant, seed)
            optimiser = torch.optim.Adam(trial.parameters, RATE)
            generator = torch.Generator().manual_seed(seed)
            for step in range(options.steps):
                rate = RATE * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / options.steps)))
                optimiser.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 50)
                trial.step(store.batch(BATCH, PATCH, generator), optimiser)
            runs.append({"variant": variant, "seed": seed, "bpp": trial.bpp(patches)})
            print(f"{runs[-1]}  {time.monotonic() - start:.0f} s", flush=True)
            options.out.write_text(json.dumps({**about, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
