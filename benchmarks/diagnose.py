"""What limits a default-like model: data, capacity or the number of latents. For docs/training.md's diagnosis.

    python benchmarks/diagnose.py --data TRAINING --models default,runs/other --out docs/results/diagnosis.json

For each set of weights (an installed model's name or a run's folder) and each quality, it measures the bits per pixel
of the rounded latents, the PSNR as coded, and the PSNR without rounding, which is the limit of the transforms and their
number of latents at that quality. It does so on training patches and on equally hard held-out patches. A gap between
these shows too little data, no gap too little capacity. A limit near the coded PSNR shows too few latents.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.qualities import lambda_of_quality
from lpcodec.codec.families.hyperprior.steps import dead_zones
from lpcodec.codec.families.hyperprior.warmstart import sizes_of, start_from, weights_of
from lpcodec.codec.picture import read_rgb
from lpcodec.codec.quality import Quality
from lpcodec.codec.training.source import read_source
from lpcodec.datasets.patches import load_stores
from lpcodec.entropy.likelihood import gaussian_bits, rounded

QUALITIES = (15, 40, 65, 90)
PATCHES, SIDE = 96, 256


def figures(network: HyperpriorNetwork, patches: Tensor, number: int) -> dict[str, float]:
    """Means over patches (B, 3, S, S) at one quality: bpp, PSNR as coded, PSNR without rounding, loss."""
    rows = []
    for part in patches.split(8):
        quality = torch.full((len(part),), Quality.of(number).units)
        y = network.analyse(part)
        scaled = y * network.gain(quality)
        mean, index = network.predict(scaled, network.hyper_analysis(scaled).round(), quality)
        residuals = rounded(scaled - mean, index, dead_zones(network.steps, scaled))
        bpp = gaussian_bits(residuals, index).sum((1, 2, 3)) / SIDE**2
        coded, whole = (
            (network.synthesise(value * network.inverse_gain(quality), quality) - part).square().mean((1, 2, 3))
            * 255**2
            for value in (residuals + mean, scaled)
        )
        rows.append(torch.stack([bpp, coded, whole], 1))
    bpp, coded, whole = torch.cat(rows).unbind(1)
    weight = float(lambda_of_quality(torch.tensor([Quality.of(number).units])))
    return {
        "bpp": float(bpp.mean()),
        "psnr": float((48.1308 - 10 * coded.log10()).mean()),
        "psnr_unrounded": float((48.1308 - 10 * whole.log10()).mean()),
        "loss": float((bpp + weight * coded).mean() / weight**0.5),
    }


@torch.no_grad()
def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the training pictures")
    parser.add_argument("--models", type=lambda text: text.split(","), default=["default"])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    stores = load_stores(options.data, SIDE, read_rgb)
    sides = {
        name: store.batch(PATCHES, SIDE, torch.Generator().manual_seed(1))
        for name, store in zip(("trained on", "held out"), stores, strict=True)
    }
    rows = []
    for source in options.models:
        state = weights_of(read_source(source))
        network = HyperpriorNetwork(sizes_of(state))
        start_from(network, state, sides["held out"][:1])
        for side, patches in sides.items():
            for number in QUALITIES:
                found = {name: round(value, 4) for name, value in figures(network, patches, number).items()}
                about = {"weights": Path(source).name, "latents": network.sizes.latents, "patches": side}
                rows.append({**about, "quality": number, **found})
                print(rows[-1], flush=True)
    options.out.write_text(json.dumps({"patches": PATCHES, "side": SIDE, "rows": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
