"""Compares two rates in training: the bits of the rounded latents, and those of latents with noise instead of rounding.

    python benchmarks/ablate_rate.py --data TRAINING --out docs/results/ablation-rate.json

Runs short trainings that differ only in the rate of the loss, from given weights (--from) or from random numbers.
Measures bits per pixel, squared error and (bpp + lambda MSE) / sqrt(lambda) on patches of held-out pictures, with the
latents rounded as in coding. Then `python benchmarks/tables.py` writes the tables of docs/ablations.md.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from lpcodec.codec.devices import bfloat16_pays
from lpcodec.codec.families.hyperprior import network as hyperprior
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.qualities import lambda_of_quality
from lpcodec.codec.families.hyperprior.warmstart import sizes_of, start_from, weights_of
from lpcodec.codec.picture import read_rgb
from lpcodec.codec.quality import Quality
from lpcodec.codec.training.loop import train
from lpcodec.codec.training.source import origin, read_source
from lpcodec.datasets.patches import load_stores
from lpcodec.entropy.likelihood import coded_bits, gaussian_bits, uniform_noise

QUALITIES = (15, 40, 65, 90)
PATCHES, SIDE = 40, 256
LARGEST_STEP = 8.0
"""Bits: the tables' tails are heavier than a Gaussian's."""
Rate = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(values, the integers they are rounded to, scale indexes) -> bits, with the gradients that training gets."""


def noise(value: Tensor, symbols: Tensor, index: Tensor) -> Tensor:
    return gaussian_bits(value + uniform_noise(value), index)


def straight_through(value: Tensor, symbols: Tensor, index: Tensor) -> Tensor:
    """The symbols' bits; values have the gradient at the symbols, as if they hadn't been rounded."""
    return gaussian_bits(symbols, index)


def interpolated(value: Tensor, symbols: Tensor, index: Tensor) -> Tensor:
    """The symbols' bits; values have the slope of the bits interpolated between the integers at both sides of them."""
    with torch.no_grad():
        below = value.abs().floor()
        slope = gaussian_bits(below + 1, index) - gaussian_bits(below, index)
        slope = slope.clamp(max=LARGEST_STEP) * value.sign()
    return gaussian_bits(symbols.detach(), index) + slope * (value - value.detach())


VARIANTS: dict[str, Rate] = {
    "noise": noise,
    "symbols, noise for the values": coded_bits,
    "symbols, straight through": straight_through,
    "symbols, interpolated": interpolated,
}
"""The first is what others are compared with, the second what trainings have."""


@torch.no_grad()
def measured(source: str, patches: Tensor) -> dict[str, dict[str, float]]:
    """By quality: bpp, squared error in 8-bit units and loss of weights (a run's folder or a model's name)."""
    state = weights_of(read_source(source))
    network = HyperpriorNetwork(sizes_of(state))
    start_from(network, state, patches[:1])
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = {}
    for number in QUALITIES:
        rows = []
        for part in patches.split(8):
            quality = torch.full((len(part),), Quality.of(number).units)
            passed = network(part, quality, bfloat16_pays("cpu"))
            bpp = (passed.bits + passed.z_bits) / SIDE**2
            mse = (passed.pictures - part).square().mean((1, 2, 3)) * 255**2
            weight = lambda_of_quality(quality)
            rows.append(torch.stack([bpp, mse, (bpp + weight * mse) / weight.sqrt()], 1))
        bpp, mse, loss = torch.cat(rows).mean(0).tolist()
        found[str(number)] = {"bpp": round(bpp, 5), "mse": round(mse, 3), "loss": round(loss, 4)}
    return found


def trained(options: argparse.Namespace, variant: str, seed: int, patches: Tensor) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        with patch.object(hyperprior, "coded_bits", VARIANTS[variant]):
            out = train(
                options.model, options.data, Path(folder) / "run", steps=options.steps, batch=options.batch,
                patch=options.patch, seed=seed, threads=options.threads, source=options.source,
                learning_rate=options.learning_rate,
            )  # fmt: skip
        return measured(str(out), patches)


def main(argv: Sequence[str] | None = None) -> None:
    """Train every variant with every seed; write the JSON after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the training pictures")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--from", dest="source", help="weights to start from; by default random numbers")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--patch", type=int, default=192)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    options = parser.parse_args(argv)
    held = load_stores(options.data, SIDE, read_rgb).held
    patches = held.batch(PATCHES, SIDE, torch.Generator().manual_seed(1))
    about: dict[str, Any] = {
        "model": options.model, "steps": options.steps, "batch": options.batch, "patch": options.patch, "device": "cpu",
        "learning_rate": options.learning_rate,
    }  # fmt: skip
    if options.source:
        about |= {"weights": origin(options.source)}
    runs: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        for variant in options.variants:
            start = time.monotonic()
            runs.append({"variant": variant, "seed": seed, "held_out": trained(options, variant, seed, patches)})
            print(f"{runs[-1]}  {time.monotonic() - start:.0f} s", flush=True)
            options.out.write_text(json.dumps({**about, "runs": runs}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
