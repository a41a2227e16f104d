"""What dead zones of different widths save, step by step. For docs/ablations.md.

    python benchmarks/ablate_dead_zones.py --data TRAINING --out docs/results/ablation-dead-zones.json

Each held-out picture is coded and decoded at some qualities with the installed weights, with one width of the dead zone
for all latents, and with the widths of `schedule` (codec/families/hyperprior/steps.py) for the DC latents alone, for
the others alone, and for all. Given are the bits at equal distortion (BD-rate), the mean over the pictures with its
standard error. The weights don't change. The distortion is what they are for. Bits + lambda * distortion would mislead:
a wider zone moves along the curve too, and lambda isn't quite the curve's slope.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from bjontegaard import bd_rate
from torch import Tensor

from lpcodec.codec import models, visual
from lpcodec.codec.arrays import psnr_of
from lpcodec.codec.families.family import Frame
from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec
from lpcodec.codec.families.hyperprior.steps import Step
from lpcodec.codec.picture import read_rgb
from lpcodec.codec.quality import Quality
from lpcodec.datasets.patches import load_stores

QUALITIES = (17, 25, 33, 41, 50, 60)
PATCHES, SIDE = 16, 256
VARIANTS = ("one width", "of DC latents", "of the others", "of both")


def steps_of(steps: Sequence[Step], dc: int, variant: str) -> tuple[Step, ...]:
    """The steps with the widths that the variant keeps; the others have 1."""

    def kept(step: Step) -> bool:
        is_dc = step.stop <= dc
        return variant == "of both" or variant == ("of DC latents" if is_dc else "of the others")

    return tuple(step if kept(step) else replace(step, dead_zone=1.0) for step in steps)


def point(codec: HyperpriorCodec, tune: str, picture: Tensor, quality: float) -> tuple[float, float]:
    """Bits per pixel and distortion, in dB below 255**2, of a picture (3, H, W) in 0..1."""
    pixels = (picture * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    groups = codec.code(codec.analyse(pixels), quality, keep=True).groups
    bits = sum(run.tables.bits(run.symbols, run.indexes) for group in groups for run in group.runs)
    height, width = pixels.shape[:2]
    decoded = codec.synthesise(groups, Frame(height, width, Quality.of(quality)))
    if tune == "visual":
        ours, true = (torch.from_numpy(np.array(p.transpose(2, 0, 1)[None])).float() / 255 for p in (decoded, pixels))
        distortion = float(visual.distortion_of_parts(ours, true))
    else:
        distortion = float(np.square(decoded.astype(np.float64) - pixels).mean())
    return bits / (height * width), psnr_of(distortion)


def rate_change(plain: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> float:
    """The BD-rate in percent of points (bits per pixel, dB)."""
    (bits, dbs), (other_bits, other_dbs) = (zip(*points, strict=True) for points in (plain, other))
    return float(bd_rate(bits, dbs, other_bits, other_dbs, method="pchip"))


@torch.inference_mode()
def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the training pictures")
    parser.add_argument("--models", type=lambda text: text.split(","), default=["default", "default@visual"])
    parser.add_argument("--patches", type=int, default=PATCHES)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    held = load_stores(options.data, SIDE, read_rgb).held
    pictures = held.batch(options.patches, SIDE, torch.Generator().manual_seed(1))
    rows: list[dict[str, Any]] = []
    for name in options.models:
        model = models.load(name)
        codec: Any = model.trained
        usual = codec.entropy.steps
        curves = {}
        for variant in VARIANTS:
            codec.entropy.steps = steps_of(usual, codec.network.sizes.dc_latents, variant)
            curves[variant] = [[point(codec, model.tune, p, quality) for quality in QUALITIES] for p in pictures]
        for variant in VARIANTS[1:]:
            pairs = zip(curves[VARIANTS[0]], curves[variant], strict=True)
            changes = [rate_change(plain, other) for plain, other in pairs]
            rows.append({
                "weights": name, "digest": model.digest.hex(), "variant": variant,
                "percent": round(fmean(changes), 3), "error": round(stdev(changes) / len(changes) ** 0.5, 3),
            })  # fmt: skip
            print(rows[-1], flush=True)
        codec.entropy.steps = usual
    options.out.write_text(
        json.dumps({"patches": options.patches, "side": SIDE, "qualities": QUALITIES, "rows": rows}, indent=1) + "\n",
        "utf-8",
    )


if __name__ == "__main__":
    main()
