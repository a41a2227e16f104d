"""What the context of the second step is worth: scales and means from z alone, or refined by the first step's symbols.

    python benchmarks/ablate_context.py --data TRAINING --out docs/results/ablation-context.json

The transforms, gains and hyper-latents of trained weights are kept; the scale network and the mean network are trained
anew from random numbers in each variant, for the same steps on the same patches, with two seeds. Measured on held-out
patches (pictures that were not trained on): bits of the rounded latents under the scales that the network predicts.
The variants differ only in what the second step sees of the first: zeros, or its symbols (for the scales) and values
(for the means).
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from lpcodec.codec.networks.hyperprior import (
    HyperpriorNetwork,
    MeanNetwork,
    ScaleNetwork,
    bfloat16_pays,
    first_step_mask,
    lambda_of_quality,
    level_of_quality,
)
from lpcodec.codec.training.warmstart import read_weights, sizes_of, start_from
from lpcodec.datasets.patches import load_stores
from lpcodec.entropy.likelihood import gaussian_bits, round_straight_through, rounded, uniform_noise

VARIANTS = {"none": (False, False), "means": (False, True), "scales": (True, False), "both": (True, True)}
"""(the scales see the first step's symbols, the means see its values)"""
QUALITIES = (15, 40, 65, 90)
PATCH, BATCH, RATE = 192, 8, 1e-3
HELD_PATCHES, HELD_SIDE = 24, 256


class Trial:
    """One variant: frozen transforms, an entropy model of its own."""

    def __init__(self, network: HyperpriorNetwork, variant: str, seed: int) -> None:
        torch.manual_seed(seed)
        self.see_symbols, self.see_values = VARIANTS[variant]
        self.network, self.amp = network, bfloat16_pays("cpu")
        self.scales, self.means = ScaleNetwork(network.sizes), MeanNetwork(network.sizes)
        self.parameters = [*self.scales.parameters(), *self.means.parameters()]

    def residuals(self, pictures: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Latents without their means, and their scale indexes, both (B, M, h, w)."""
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.amp):
            y = self.network.analyse(pictures).float()
            gained = y * self.network.gain(quality)
            z = self.network.hyper_analysis(gained).float().round()
        level, size = level_of_quality(quality), (y.shape[2], y.shape[3])
        first = first_step_mask(y.shape[1], *size)
        features, mean_features = self.scales.features(z, level, *size), self.means.features(z, level, *size)
        mean_a = self.means.first_means(mean_features)
        index_a = self.scales.first_indexes(features)
        symbols = round_straight_through(gained - mean_a, index_a) * first
        index_b = self.scales.second_indexes(features, symbols if self.see_symbols else torch.zeros_like(symbols))
        values = (symbols + mean_a) * first
        mean_b = self.means.second_means(mean_features, values if self.see_values else torch.zeros_like(values))
        index = torch.where(first, index_a, index_b)
        return gained - torch.where(first, mean_a, mean_b), index

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


def main(argv: Sequence[str] | None = None) -> None:
    """Train and measure every variant with every seed; write the JSON after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the training pictures")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--from", dest="source", default="default", help="weights whose transforms are kept")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args(argv)

    state = read_weights(options.source)
    network = HyperpriorNetwork(sizes_of(state))
    store, held = load_stores(options.data, HELD_SIDE)
    start_from(network, state, store.batch(1, 64, torch.Generator()))
    network.requires_grad_(False).to(memory_format=torch.channels_last)
    patches = held.batch(HELD_PATCHES, HELD_SIDE, torch.Generator().manual_seed(1))
    runs = []
    for seed in range(options.seeds):
        for variant in VARIANTS:
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
            about = {"latents": network.sizes.latents, "weights": options.source, "steps": options.steps}
            options.out.write_text(json.dumps({**about, "patches": HELD_PATCHES, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
