"""What `--effort` saves and costs: BD-rates against level 0 and time, tune by tune and level by level.

    python benchmarks/effort.py --data KODAK --out docs/results/effort-visual.json --pictures 4 --tunes visual

Each picture (its middle, `--crop` pixels per side; 0: all of it) is encoded at each quality in each level, as a file,
and decoded. The weights for PSNR are judged by PSNR, those for the eye by SSIMULACRA 2 and MS-SSIM too. BD-rates are
over the means of the pictures, between the lowest and the highest rates measured. Times are those of encoding,
relative to level 0 of the same tune in the same run. With `--avif`, every level is also compared with AVIF tuned for
the same, within 0.1 to 1.2 bpp. Then `python benchmarks/tables.py` writes the tables of docs/effort.md.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track

import lpcodec
from lpcodec.codec import models
from lpcodec.codec.effort import ITERATIONS
from lpcodec.codec.evaluation.codecs.codec import MeasuredCodec, Pixels
from lpcodec.codec.evaluation.codecs.registry import find_codec
from lpcodec.codec.evaluation.metrics.curves import Curve, bd_rate, mean_curve
from lpcodec.codec.evaluation.metrics.extra_metrics import SSIMULACRA2_SIDE
from lpcodec.codec.evaluation.run.measure import measure
from lpcodec.codec.evaluation.run.originals import Original, choose

QUALITIES = (20, 35, 50, 65, 80)
ALL_RATES = (0.01, 20.0)
METRICS = {"psnr": ("psnr",), "visual": ("ssimulacra2", "ms_ssim", "psnr")}
"""What each tune is judged by."""
PEERS = {"psnr": "avif", "visual": "avif-default"}
"""AVIF tuned for the same."""


@dataclass(frozen=True)
class AtEffort:
    """A model's weights for one tune at one level of effort, over its quality."""

    model: str
    tune: Literal["psnr", "visual"]
    effort: int

    @property
    def name(self) -> str:
        return f"{self.model}, tune={self.tune}, effort {self.effort}"

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        image = Image.fromarray(pixels)
        return lpcodec.encode(image, model=self.model, tune=self.tune, quality=quality, effort=self.effort)

    def decode(self, data: bytes) -> Pixels:
        return np.asarray(lpcodec.decode(data).convert("RGB"))


def middle(original: Original, side: int) -> Original:
    """The middle of a picture, at most `side` pixels each way; the whole for side 0."""
    if not side:
        return original
    top, left = (max(n - side, 0) // 2 for n in original.pixels.shape[:2])
    pixels = np.ascontiguousarray(original.pixels[top : top + side, left : left + side])
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()[:16]
    return Original(original.name, pixels, digest)


def curve(codec: AtEffort, pictures: Sequence[Original], qualities: Sequence[float]) -> Curve:
    return curve_of(codec, codec.tune, pictures, qualities)


def curve_of(codec: MeasuredCodec, tune: str, pictures: Sequence[Original], settings: Sequence[float]) -> Curve:
    """The means over the pictures at each setting, with what the tune is judged by."""
    jobs = [(setting, picture) for setting in settings for picture in pictures]
    bar = track(jobs, description=codec.name, console=Console(stderr=True))
    extra = [name for name in METRICS[tune] if name not in ("psnr", "ms_ssim")]
    return mean_curve([measure(codec, setting, picture, extra) for setting, picture in bar], codec.name)


def row(tune: str, level: int, found: Curve, plain: Curve, avif: Curve | None) -> dict[str, Any]:
    """The figures of one level. Megapixels a second are the harmonic mean over the settings."""
    speeds = [len(c.means) / sum(1 / m.encode_mps for m in c.means) for c in (found, plain)]
    figures: dict[str, Any] = {
        "level": level, "iterations": ITERATIONS[level], "encode_mps": speeds[0],
        "times_as_long": speeds[1] / speeds[0],
        "points": [
            {"quality": m.setting, "bpp": m.bpp, **{name: found.qualities(name)[n] for name in METRICS[tune]}}
            for n, m in enumerate(found.means)
        ],
    }  # fmt: skip
    if level:
        found_rates = {name: bd_rate(plain, found, name, *ALL_RATES).percent for name in METRICS[tune]}
        figures["bd_rate_percent"] = found_rates
    if avif is not None:
        figures["avif_percent"] = {name: bd_rate(avif, found, name).percent for name in METRICS[tune]}
    return figures


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every level, print a line for each, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--tunes", nargs="+", choices=list(METRICS), default=list(METRICS))
    parser.add_argument("--pictures", type=int, default=6, help="this many, evenly spread over the folder")
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--levels", type=int, nargs="+", default=list(range(1, len(ITERATIONS))))
    parser.add_argument("--qualities", type=float, nargs="+", default=list(QUALITIES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--avif", action="store_true", help="compare with AVIF too")
    options = parser.parse_args(argv)
    if "visual" in options.tunes and 0 < options.crop < SSIMULACRA2_SIDE:
        parser.error(f"SSIMULACRA 2 needs --crop {SSIMULACRA2_SIDE} or more")
    torch.set_num_threads(options.threads)
    everything = list(choose(options.data).values())
    step = max(len(everything) // options.pictures, 1)
    pictures = [middle(o, options.crop) for o in everything[::step][: options.pictures]]
    tunes: dict[str, Any] = {}
    for tune in options.tunes:
        plain = curve(AtEffort(options.model, tune, 0), pictures, options.qualities)
        peer = find_codec(PEERS[tune], threads=options.threads) if options.avif else None
        avif = peer and curve_of(peer.codec, tune, pictures, peer.settings)
        rows = [row(tune, 0, plain, plain, avif)]
        for level in options.levels:
            found = curve(AtEffort(options.model, tune, level), pictures, options.qualities)
            rows.append(row(tune, level, found, plain, avif))
            print(tune, {name: value for name, value in rows[-1].items() if name != "points"}, flush=True)
        weights = models.load(models.tuned(options.model, tune)).digest.hex()
        tunes[tune] = {"weights": weights, "levels": rows}
    document = {
        "model": options.model, "threads": options.threads, "crop": options.crop,
        "pictures": [p.name for p in pictures], "qualities": options.qualities, "squares": True, "tunes": tunes,
    }  # fmt: skip
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
