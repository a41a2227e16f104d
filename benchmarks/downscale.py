"""What coding at smaller sizes gains at low rates: rate, PSNR of RGB, MS-SSIM, SSIMULACRA 2 and time of real files.

    python benchmarks/downscale.py clic2025-test --crop 768 --tune psnr --out docs/results/downscale-psnr.json
        --curves docs/results/downscale-psnr.png
    python benchmarks/downscale.py kodak --only kodim15 kodim21 --rates 0.04 --shown docs/images

Every picture at every rate, at its own size (`--downscale 1`) and as `encode` chooses by default. Seconds are CPU
seconds of one thread. A BD-rate compares the two curves of a picture between the qualities that its own size has at
0.03 and at 0.1 bpp. SSIMULACRA 2 is that of the package ssimulacra2. --shown writes
each picture's middle, the original beside both files, instead of figures.
"""

import argparse
import json
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import bjontegaard  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

import lpcodec
from lpcodec.codec import models
from lpcodec.codec.downscaling import HIGHEST_BPP, Downscale
from lpcodec.codec.errors import PictureWarning, TargetError
from lpcodec.codec.evaluation.metrics import distortion
from lpcodec.codec.evaluation.metrics.curves import FEWEST_POINTS
from lpcodec.codec.evaluation.metrics.extra_metrics import ssimulacra2
from lpcodec.codec.evaluation.run.machine import cpu_name
from lpcodec.codec.picture import read_rgb
from lpcodec.codec.rate import FLOOR
from lpcodec.datasets.pictures import picture_files
from lpcodec.datasets.registry import locate

RATES = (0.015, 0.02, 0.03, 0.045, 0.065, 0.1, 0.14, 0.2)
BETWEEN = 0.03, 0.1
"""Rates at the picture's own size between which BD-rates are taken."""
SHOWN_SIDE, SHOWN_GAP, SHOWN_QUALITY = 320, 8, 90
METRICS = {"psnr": "PSNR, dB", "ms_ssim": "MS-SSIM, dB", "ssimulacra2": "SSIMULACRA 2"}
Pixels = npt.NDArray[np.uint8]
Point = dict[str, Any]
Tune = Literal["psnr", "visual"]


def encoded(pixels: Pixels, bpp: float, downscale: Downscale, tune: Tune) -> lpcodec.EncodeResult | None:
    """One file; None if the rate can't be reached."""
    try:
        return lpcodec.encode_report(pixels, bpp=bpp, downscale=downscale, tune=tune)
    except TargetError:
        return None


def measured(pixels: Pixels, bpp: float, downscale: Downscale, tune: Tune, known: dict[bytes, Point]) -> Point | None:
    """Rate, scale, distortion and times of one file; None if the rate can't be reached. `known` has the distortions of
    the picture's files that were measured."""
    begun = time.process_time()
    result = encoded(pixels, bpp, downscale, tune)
    coded = time.process_time()
    if result is None:
        return None
    decoded = np.asarray(lpcodec.decode(result.data).convert("RGB"))
    finished = time.process_time()
    if result.data not in known:
        known[result.data] = {
            "psnr": distortion.psnr(pixels, decoded), "ms_ssim": distortion.ms_ssim(pixels, decoded),
            "ssimulacra2": ssimulacra2(pixels, decoded),
        }  # fmt: skip
    return {
        "bpp": result.bpp, "downscale": result.downscale, **known[result.data],
        "encode_seconds": round(coded - begun, 3), "decode_seconds": round(finished - coded, 3),
    }  # fmt: skip


def quality(point: Point, metric: str) -> float:
    """PSNR, MS-SSIM in dB, or SSIMULACRA 2."""
    return float(distortion.ms_ssim_db(point["ms_ssim"]) if metric == "ms_ssim" else point[metric])


def rising(points: Sequence[Point], metric: str) -> tuple[list[float], list[float]]:
    """Rates and qualities of the points that no smaller file beats."""
    rates: list[float] = []
    qualities: list[float] = []
    for point in sorted(points, key=lambda p: float(p["bpp"])):
        if not qualities or (quality(point, metric) > qualities[-1] and point["bpp"] > rates[-1]):
            rates.append(point["bpp"])
            qualities.append(quality(point, metric))
    return rates, qualities


def change(own: Sequence[Point], auto: Sequence[Point], metric: str) -> float | None:
    """The BD-rate of `auto` against `own` in percent; None if they share too little."""
    low, high = FLOOR * BETWEEN[0], BETWEEN[1]  # a file may have a little less than its target
    if all(point["downscale"] == 1 for point in auto if low <= point["bpp"] <= high):
        return 0.0
    (own_rates, own_dbs), (auto_rates, auto_dbs) = rising(own, metric), rising(auto, metric)
    low, high = (float(np.interp(math.log(rate), np.log(own_rates), own_dbs)) for rate in BETWEEN)
    low, high = max(low, auto_dbs[0]), min(high, auto_dbs[-1])
    if high <= low or len(own_rates) < FEWEST_POINTS:
        return None
    _, anchor, test = bjontegaard.bd_rate(
        own_rates, own_dbs, auto_rates, auto_dbs, method="pchip", require_matching_points=False, interpolators=True,
        min_overlap=0,
    )  # fmt: skip
    area = float(test.integrate(low, high) - anchor.integrate(low, high))
    return 100 * (10 ** (area / (high - low)) - 1)


def by_rate(points: Sequence[Point], bpp: float) -> Point:
    """Means at one rate, over the pictures that reach it at their own size too."""
    mine = [p for p in points if p["target_bpp"] == bpp and p["auto"]]
    there = [p for p in mine if p["own"]]
    smaller = [p for p in there if p["auto"]["downscale"] > 1]
    row: Point = {
        "target_bpp": bpp, "pictures": len(there), "smaller": len(smaller), "by_auto_alone": len(mine) - len(there),
    }  # fmt: skip
    if there:
        row |= {f"{kind}_{m}": fmean(p[kind][m] for p in there) for kind in ("own", "auto") for m in METRICS}
        row |= {"encode_times": _ratio(there, "auto", "own", "encode_seconds")}
    if smaller:
        row |= {"decode_times": _ratio(smaller, "own", "auto", "decode_seconds")}
    return row


def _ratio(points: Sequence[Point], one: str, other: str, key: str) -> float:
    return float(sum(p[one][key] for p in points) / sum(p[other][key] for p in points))


def by_picture(points: Sequence[Point], picture: str) -> Point:
    """One picture's BD-rates, the least gain of each metric at any rate, and up to which rate a smaller size was
    chosen."""
    mine = [p for p in points if p["picture"] == picture]
    own, auto = ([p[kind] for p in mine if p[kind]] for kind in ("own", "auto"))
    both = [(p["own"], p["auto"]) for p in mine if p["own"] and p["auto"]]
    return {
        "picture": picture, **{metric: change(own, auto, metric) for metric in METRICS},
        **{
            f"least_{metric}": min((quality(b, metric) - quality(a, metric) for a, b in both), default=0.0)
            for metric in METRICS
        },
        "smaller_up_to": max((p["target_bpp"] for p in mine if p["auto"] and p["auto"]["downscale"] > 1), default=0),
    }  # fmt: skip


def draw(points: Sequence[Point], rates: Sequence[float], path: Path) -> None:
    """The mean of each metric over the rate, of the pictures that have BETWEEN's lower rate at their own size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    taken = {p["picture"] for p in points if p["target_bpp"] == BETWEEN[0] and p["own"]}
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (metric, label) in zip(figure.subplots(1, len(METRICS)), METRICS.items(), strict=True):
        for kind, name, style in (("own", "own size", "o--"), ("auto", "auto", "s-")):
            known = [
                [p[kind] for p in points if p["target_bpp"] == bpp and p["picture"] in taken and p[kind]]
                for bpp in rates
            ]
            shown = [group for group in known if len(group) == len(taken)]
            axes.plot(
                [fmean(p["bpp"] for p in group) for group in shown],
                [fmean(quality(p, metric) for p in group) for group in shown], style, label=name, markersize=4,
            )  # fmt: skip
        axes.set(xscale="log", xlabel="bits per pixel", ylabel=label)
        axes.set_xticks(rates, [f"{rate:g}" for rate in rates], rotation=45)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(f"Mean of {len(taken)} pictures")
    figure.savefig(path, dpi=110)


def show(path: Path, pixels: Pixels, bpp: float, tune: Tune, folder: Path) -> None:
    """Write the picture's middle side by side: the original, its own size, as `encode` chooses."""
    found = [encoded(pixels, bpp, downscale, tune) for downscale in (1, "auto")]
    decoded = [np.asarray(lpcodec.decode(one.data).convert("RGB")) for one in found if one is not None]
    top, left = ((side - SHOWN_SIDE) // 2 for side in pixels.shape[:2])
    gap = np.full((SHOWN_SIDE, SHOWN_GAP, 3), 255, np.uint8)
    parts = [one[top : top + SHOWN_SIDE, left : left + SHOWN_SIDE] for one in (pixels, *decoded)]
    joined = np.concatenate([piece for part in parts for piece in (part, gap)][:-1], 1)
    Image.fromarray(joined).save(folder / f"downscale-{path.stem}.jpg", quality=SHOWN_QUALITY, subsampling=0)
    for one in found:
        if one is not None:
            print(f"{path.stem}: {one.bpp:.4f} bpp, coded at 1/{one.downscale} of its sides")


def pictures(data: str, every: int, only: Sequence[str] | None, crop: int | None) -> Iterator[tuple[Path, Pixels]]:
    """The pictures of a set or a folder, their middles if `crop` says so."""
    for path in picture_files(locate(data, read_rgb).folder)[::every]:
        if not only or path.stem in only:
            pixels = read_rgb(path)
            top, left = (max(0, side - crop) // 2 if crop else 0 for side in pixels.shape[:2])
            yield path, np.ascontiguousarray(pixels[top : top + (crop or 1 << 30), left : left + (crop or 1 << 30)])


def weights(tune: Tune) -> dict[str, str]:
    """The digests of the codec and of the network that enlarges what it decodes."""
    found = {"codec": models.load(models.tuned("default", tune)).digest}
    stage = models.installed("stage", tune)
    return {name: digest.hex() for name, digest in (found | ({"stage": stage[1]} if stage else {})).items()}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", help="a set or a folder")
    parser.add_argument("--out", type=Path, help="the figures, as JSON")
    parser.add_argument("--curves", type=Path, help="the mean curves, as PNG")
    parser.add_argument("--shown", type=Path, metavar="DIR", help="write pictures side by side instead of figures")
    parser.add_argument("--every", type=int, default=1, help="every Nth picture")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these pictures alone")
    parser.add_argument("--crop", type=int, metavar="SIDE", help="the middle of each picture, at most this large")
    parser.add_argument("--tune", choices=["psnr", "visual"], default="visual", help="the weights")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    given = parser.parse_args(argv)
    warnings.simplefilter("ignore", PictureWarning)
    torch.set_num_threads(1)
    points: list[Point] = []
    for path, pixels in pictures(given.data, given.every, given.only, given.crop):
        if given.shown:
            show(path, pixels, given.rates[0], given.tune, given.shown)
            continue
        known: dict[bytes, Point] = {}
        if not points:
            measured(pixels, given.rates[-1], 2, given.tune, known)  # the first file of a process loads the networks
        for bpp in given.rates:
            own, auto = (measured(pixels, bpp, downscale, given.tune, known) for downscale in (1, "auto"))
            points.append({"picture": path.stem, "target_bpp": bpp, "own": own, "auto": auto})
            print(json.dumps(points[-1]), flush=True)
    if given.out:
        found = {
            "date": f"{date.today():%Y-%m-%d}", "processor": cpu_name(), "weights": weights(given.tune),
            "data": Path(given.data).name, "crop": given.crop, "tune": given.tune, "tried_up_to": HIGHEST_BPP,
            "rows": [by_rate(points, bpp) for bpp in given.rates],
            "by_picture": [by_picture(points, name) for name in dict.fromkeys(p["picture"] for p in points)],
            "points": points,
        }  # fmt: skip
        given.out.write_text(json.dumps(found, indent=1) + "\n")
    if given.curves:
        draw(points, given.rates, given.curves)


if __name__ == "__main__":
    main()
