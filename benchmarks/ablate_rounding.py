"""What rounding towards zero saves, for steps that cost bits. For docs/ablations.md.

    python benchmarks/ablate_rounding.py --data TRAINING --models runs/earlier --out docs/results/ablation-rounding.json

For each set of weights (an installed model's name or a run's folder), each quality and each width of the dead zone, it
measures the bits per pixel of the rounded latents, the squared error, and the cost bits + lambda * error, as a change
against plain rounding relative to its bits. The patches are of held-out pictures. The weights don't change: those that
were trained with one width are used with all.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
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
from lpcodec.entropy import likelihood
from lpcodec.entropy.likelihood import gaussian_bits, rounded

QUALITIES = (20, 45, 65, 85)
WIDTHS = (0.0, 0.01, 0.015, 0.02, 0.03, 0.04)
"""Plain rounding first."""
PATCHES, SIDE = 48, 256


def figures(network: HyperpriorNetwork, patches: Tensor, number: int) -> dict[str, float]:
    """Means over patches (B, 3, S, S) at one quality: bpp, squared error in 8-bit units, and their cost."""
    rows = []
    for part in patches.split(8):
        quality = torch.full((len(part),), Quality.of(number).units)
        scaled = network.analyse(part) * network.gain(quality)
        mean, index = network.predict(scaled, network.hyper_analysis(scaled).round(), quality)
        symbols = rounded(scaled - mean, index, dead_zones(network.steps, scaled))
        bpp = gaussian_bits(symbols, index).sum((1, 2, 3)) / SIDE**2
        picture = network.synthesise((symbols + mean) * network.inverse_gain(quality), quality)
        rows.append(torch.stack([bpp, (picture - part).square().mean((1, 2, 3)) * 255**2], 1))
    bpp, mse = torch.cat(rows).mean(0).tolist()
    weight = float(lambda_of_quality(torch.tensor([Quality.of(number).units])))
    return {"bpp": round(bpp, 5), "mse": round(mse, 3), "cost": round(bpp + weight * mse, 5)}


@torch.no_grad()
def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the training pictures")
    parser.add_argument("--models", type=lambda text: text.split(","), default=["default"])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    held = load_stores(options.data, SIDE, read_rgb).held
    patches = held.batch(PATCHES, SIDE, torch.Generator().manual_seed(1))
    rows = []
    usual = likelihood._dead_zones()
    for source in options.models:
        state = weights_of(read_source(source))
        network = HyperpriorNetwork(sizes_of(state))
        start_from(network, state, patches[:1])
        for number in QUALITIES:
            plain: dict[str, float] = {}
            for width in WIDTHS:
                # The steps' own widths come on top: the border between 0 and 1 stays below 1.
                widest = 0.5 / likelihood.WIDEST
                zones = (usual * (width / likelihood.DEAD_ZONE)).clip(max=widest).astype(np.float32)
                with patch.object(likelihood, "_dead_zones", lambda zones=zones: zones):
                    found = figures(network, patches, number)
                plain = plain or found
                change = (found["cost"] - plain["cost"]) / plain["bpp"]
                about = {"weights": Path(source).name, "quality": number, "width": width}
                rows.append({**about, **found, "change": round(change, 5)})
                print(rows[-1], flush=True)
    options.out.write_text(json.dumps({"patches": PATCHES, "side": SIDE, "rows": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
