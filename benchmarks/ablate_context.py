"""What the context of later steps is worth: scales and means from z alone, or refined by what is decoded already.

    python benchmarks/ablate_context.py --data TRAINING --out docs/results/ablation-context.json

The transforms, gains and hyper-latents of trained weights are kept; the scale network and the mean network are trained
anew from random numbers in each variant, for the same steps on the same patches, with two seeds. Measured on held-out
patches (pictures that were not trained on): bits of the rounded latents under the scales that the network predicts.
"none", "means", "scales" and "both" are the two steps of the codec and differ only in what the second sees of the
first: zeros, or its symbols (for the scales) and values (for the means). "four steps" halves each of the two: every
step sees the symbols and values of all before it, and the last two have layers of their own, as wide as the second's.
"averages first" is "both" with the averages' own steps within the first, as the codec has them.

Runs in --out with the same settings are kept, so that variants can be trained one after the other.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.families.hyperprior.context import (
    MeanNetwork,
    ScaleNetwork,
    averages_in_steps,
    conv3,
    first_step_mask,
)
from lpcodec.codec.families.hyperprior.network import (
    HyperpriorNetwork,
    bfloat16_pays,
    lambda_of_quality,
    level_of_quality,
)
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.families.hyperprior.warmstart import sizes_of, start_from, weights_of
from lpcodec.codec.picture import read_rgb
from lpcodec.codec.training.source import origin, read_source
from lpcodec.datasets.patches import load_stores
from lpcodec.entropy.integer import (
    ACTIVATION_BITS,
    ACTIVATION_MAX,
    WEIGHT_BITS,
    IntegerConv,
    log_magnitude,
    requantise,
)
from lpcodec.entropy.likelihood import SCALES, gaussian_bits, round_straight_through, rounded, uniform_noise

FOUR = "four steps"
AVERAGES = "averages first"
VARIANTS = {"none": (False, False), "means": (False, True), "scales": (True, False), "both": (True, True),
            FOUR: (True, True), AVERAGES: (True, True)}  # fmt: skip
"""(later steps' scales see the symbols decoded before, their means see the values)"""
QUALITIES = (15, 40, 65, 90)
AVERAGE_LATENTS = 3
PATCH, BATCH, RATE = 192, 8, 1e-3
HELD_PATCHES, HELD_SIDE = 24, 256
Step = Callable[[Tensor, Tensor], Tensor]
"""(features, what is decoded of the latents, zero elsewhere) -> scale indexes, or means, of all latents."""


class ScaleStep(nn.Module):
    """Scale indexes of one more step: the layers of `ScaleNetwork.second_indexes` once again."""

    log_magnitudes: Tensor

    def __init__(self, sizes: HyperpriorSizes, log_magnitudes: Tensor) -> None:
        super().__init__()
        c = sizes.context_width
        self.main = sizes.main
        self.neighbours = IntegerConv(sizes.main, c, 3, gain=0.5)
        self.mixed = IntegerConv(c, c, 1)
        self.second = IntegerConv(2 * c, sizes.latents, 1, gain=0.5)
        nn.init.constant_(self.second.bias, 2.0)
        self.register_buffer("log_magnitudes", log_magnitudes, persistent=False)

    def forward(self, features: Tensor, symbols: Tensor) -> Tensor:
        known = log_magnitude(symbols[:, : self.main], self.log_magnitudes)
        context = requantise(self.neighbours(known) + self.mixed(features), WEIGHT_BITS, 0, ACTIVATION_MAX)
        acc = self.second(torch.cat([features, context], 1))
        return requantise(acc, WEIGHT_BITS + ACTIVATION_BITS - 3, 0, SCALES - 1, returning=True)


class MeanStep(nn.Module):
    """Means of one more step: the layers of `MeanNetwork.second_means` once again."""

    def __init__(self, sizes: HyperpriorSizes) -> None:
        super().__init__()
        c = sizes.context_width
        self.main, self.details = sizes.main, sizes.details
        self.neighbours = conv3(sizes.main, 2 * c)
        self.mixed = nn.Conv2d(3 * c, c, 1)
        self.second = nn.Conv2d(3 * c, sizes.main, 1)
        nn.init.normal_(self.second.weight, std=1e-3)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, values: Tensor) -> Tensor:
        near = self.neighbours(values[:, : self.main])
        mixed = F.leaky_relu(self.mixed(torch.cat([features, torch.asinh(near)], 1)), 0.1)
        means: Tensor = self.second(torch.cat([mixed, near], 1))
        return F.pad(means, (0, 0, 0, 0, 0, self.details))


def two_masks(channels: int, height: int, width: int) -> list[Tensor]:
    """Of each step its latents, (1, channels, height, width) bool."""
    first = first_step_mask(channels, height, width)
    return [first, ~first]


def four_masks(channels: int, height: int, width: int) -> list[Tensor]:
    """The two steps of the codec, each cut by the parity of the channel: so no latent sees less than in two steps."""
    even = (torch.arange(channels) % 2 == 0).view(1, -1, 1, 1)
    return [mask & part for mask in two_masks(channels, height, width) for part in (even, ~even)]


class Trial:
    """One variant: frozen transforms, an entropy model of its own."""

    def __init__(self, network: HyperpriorNetwork, variant: str, seed: int) -> None:
        torch.manual_seed(seed)
        self.see_symbols, self.see_values = VARIANTS[variant]
        self.network, self.amp = network, bfloat16_pays("cpu")
        sizes = replace(network.sizes, averages=AVERAGE_LATENTS if variant == AVERAGES else 0)
        self.scales, self.means = ScaleNetwork(sizes), MeanNetwork(sizes)
        self.more_scales, self.more_means, self.masks = nn.ModuleList(), nn.ModuleList(), two_masks
        if variant == FOUR:
            self.masks = four_masks
            with torch.random.fork_rng():  # the training's noise stays that of the other variants
                self.more_scales.extend(ScaleStep(sizes, self.scales.log_magnitudes) for _ in range(2))
                self.more_means.extend(MeanStep(sizes) for _ in range(2))
        parts = (self.scales, self.means, self.more_scales, self.more_means)
        self.parameters = [parameter for part in parts for parameter in part.parameters()]

    def residuals(self, pictures: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Latents without their means, and their scale indexes, both (B, M, h, w)."""
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.amp):
            y = self.network.analyse(pictures).float()
            gained = y * self.network.gain(quality)
            z = self.network.hyper_analysis(gained).float().round()
        level, size = level_of_quality(quality), (y.shape[2], y.shape[3])
        features, mean_features = self.scales.features(z, level, *size), self.means.features(z, level, *size)
        first, *later = self.masks(y.shape[1], *size)
        index, mean = self.scales.first_indexes(features), self.means.first_means(mean_features)
        index, mean = averages_in_steps(self.scales, self.means, gained, features, mean_features, index, mean)
        decoded = first
        for mask, scales, means in zip(later, *self.later_steps(), strict=True):
            symbols = round_straight_through(gained - mean, index) * decoded
            values = (symbols + mean) * decoded
            own_index = scales(features, symbols if self.see_symbols else torch.zeros_like(symbols))
            own_mean = means(mean_features, values if self.see_values else torch.zeros_like(values))
            index, mean = torch.where(mask, own_index, index), torch.where(mask, own_mean, mean)
            decoded = decoded | mask
        return gained - mean, index

    def later_steps(self) -> tuple[list[Step], list[Step]]:
        """What gives the scale indexes and the means of each step after the first."""
        return [self.scales.second_indexes, *self.more_scales], [self.means.second_means, *self.more_means]

    def step(self, pictures: Tensor, optimiser: torch.optim.Optimizer) -> None:
        quality = torch.randint(0, 65536, (len(pictures),))
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
            quality = torch.full((len(pictures),), round(number * 655.35))
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
