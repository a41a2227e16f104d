"""Measures our models beside JPEG, JPEG 2000, WebP and AVIF on a folder of pictures (Kodak, say).

    python benchmarks/kodak.py --data FOLDER --out results/kodak.json --models default --targets 0.15,0.3,0.6

Everything runs in this process, warm, one codec after the other, and is measured from array to bytes and
back. It prints Markdown tables and writes, beside each other: the figures as JSON (--out), a rate-distortion
figure (.png), and a cache of the peers' points (-peers-cache.jsonl), which makes a second run quick. The
peers' speeds in the cache are those of the run that measured them: delete the file to have them anew.
"""

import argparse
import json
import math
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from rich.console import Console
from rich.progress import track

import lpcodec
from lpcodec.codec.evaluation.curves import BdRate, Curve, Metric, bd_rates, mean_curve
from lpcodec.codec.evaluation.measures import Means, Point, means
from lpcodec.codec.evaluation.peers import Peer, available
from lpcodec.codec.evaluation.points import (
    Measured,
    Original,
    Ours,
    PeerCache,
    load_originals,
    measure,
    measure_at_bpp,
)

PEERS_AT_TARGETS = ("jpeg", "jpeg2000")
METRICS: tuple[Metric, ...] = ("psnr", "ms_ssim")
FIGURE_BPP = (0.06, 1.6)


@dataclass
class Results:
    """What was measured: points of the sweeps by codec, points at targets by (target, codec)."""

    sweeps: dict[str, list[Point]] = field(default_factory=dict)
    at_targets: dict[tuple[float, str], list[Point]] = field(default_factory=dict)

    def curves(self) -> list[Curve]:
        """The curves of all codecs that have a dial."""
        curves = [mean_curve(points, name) for name, points in self.sweeps.items()]
        return [curve for curve in curves if len(curve.means) > 1]


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the benchmark; see --help."""
    options = _parse(argv)
    _use_threads(options.threads)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    originals = load_originals(options.data, options.images)
    models, model_rows = _models(options.models)
    offered = available(options.threads)
    if missing := [name for name in options.peers if name not in offered]:
        sys.exit(f"no such peer here: {', '.join(missing)} (there are {', '.join(offered)})")
    peers = [offered[name] for name in options.peers]
    cache = PeerCache(options.out.with_name(options.out.stem + "-peers-cache.jsonl"), options.threads)
    cached = len(cache)

    results = Results()
    for peer in peers:
        _measure_peer(results, peer, originals, options.targets, cache)
    for model in models:
        _measure_ours(results, model, originals, options.qualities, options.targets)

    document = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "lpcodec": lpcodec.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "cpu": _cpu_name(),
        "threads": options.threads,
        "load_average_at_start": load,
        "peer_points_from_cache": cached,
        "set": {"name": options.data.resolve().name, "pictures": {o.name: o.digest for o in originals}},
        "models": model_rows,
        "peers": {peer.name: peer.options for peer in peers},
        **_figures(results, [model.name for model in models]),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "utf-8")
    figure = options.out.with_suffix(".png")
    titles = {peer.name: peer.title for peer in peers}
    _draw(results, titles, f"{document['set']['name']}, {len(originals)} pictures", figure)
    print(_markdown(document, results))
    print(f"\nwritten: {options.out.name}, {figure.name}", file=sys.stderr)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    def numbers(text: str) -> list[float]:
        return [float(part) for part in text.split(",") if part]

    def names(text: str) -> list[str]:
        return [part for part in text.split(",") if part and part != "none"]

    def positive(text: str) -> int:
        if int(text) < 1:
            raise ValueError
        return int(text)

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of pictures, lossless ones")
    parser.add_argument("--out", type=Path, default=Path("results/kodak.json"), help="the JSON file")
    parser.add_argument("--models", type=names, default=["default"], help="ours, by name; 'none' for peers only")
    parser.add_argument("--peers", type=names, default=["jpeg", "jpeg2000", "webp", "avif"], help="peers, by name")
    parser.add_argument("--qualities", type=numbers, default=[10.0 * i for i in range(11)], help="our sweep")
    parser.add_argument("--targets", type=numbers, default=[0.15, 0.3, 0.6], help="rate targets in bpp")
    parser.add_argument("--images", type=positive, help="only the first so many pictures")
    parser.add_argument("--threads", type=positive, default=1, help="threads for every codec (default 1)")
    return parser.parse_args(argv)


def _use_threads(count: int) -> None:
    """Holds torch, and all that counts the processors it may use (AVIF's decoder does), to `count`
    threads."""
    torch.set_num_threads(count)
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text("utf-8").splitlines() if info.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _models(wanted: Sequence[str]) -> tuple[list[Ours], dict[str, dict[str, Any]]]:
    """Our models by name (a network's name: all its sets of weights), and what the JSON says of them."""
    if not wanted:
        return [], {}
    from lpcodec.codec.models import describe, load

    rows = {row["name"]: row for row in describe() if row.get("weights", True)}
    names = [name for w in wanted for name, row in rows.items() if w in (name, row.get("network"))]
    if unknown := [w for w in wanted if not any(w in (name, rows[name].get("network")) for name in names)]:
        sys.exit(f"no weights for: {', '.join(unknown)} (there are: {', '.join(rows) or 'none'})")
    kept = ("parameters", "has_quality", "description")
    # The digest is that of the weights that really code: two folders may hold sets of one name.
    about = {name: {"digest": load(name).digest.hex(), **{key: rows[name][key] for key in kept}} for name in names}
    return [Ours(name, bool(row["has_quality"])) for name, row in about.items()], about


def _measure_peer(
    results: Results, peer: Peer, originals: Sequence[Original], targets: Sequence[float], cache: PeerCache
) -> None:
    _warm(peer, originals[0], peer.settings[len(peer.settings) // 2])
    sweep = results.sweeps.setdefault(peer.name, [])
    for original in _progress(originals, peer.title):
        sweep.extend(cache.get(peer, original, setting) for setting in peer.settings)
    for target in targets if peer.name in PEERS_AT_TARGETS else ():
        results.at_targets[target, peer.name] = [
            cache.get(peer, original, target, target=True)
            for original in _progress(originals, f"{peer.title} at {target:g} bpp")
        ]


def _measure_ours(
    results: Results,
    model: Ours,
    originals: Sequence[Original],
    qualities: Sequence[float],
    targets: Sequence[float],
) -> None:
    settings = qualities if model.has_quality else [0.0]
    _warm(model, originals[0], settings[len(settings) // 2])
    sweep = results.sweeps.setdefault(model.name, [])
    for original in _progress(originals, model.name):
        sweep.extend(measure(model, setting, original) for setting in settings)
    for target in targets if model.has_quality else ():
        results.at_targets[target, model.name] = [
            measure_at_bpp(model, target, original)
            for original in _progress(originals, f"{model.name} at {target:g} bpp")
        ]


def _warm(codec: Measured, original: Original, setting: float) -> None:
    codec.decode(codec.encode(original.pixels, setting))


def _progress(originals: Sequence[Original], what: str) -> Iterable[Original]:
    return track(originals, description=f"{what:24}", console=Console(stderr=True))


def _figures(results: Results, ours: Sequence[str]) -> dict[str, Any]:
    """Means, BD-rates and our own points, ready for JSON (the peers' points are in the cache)."""
    curves = results.curves()
    bd_rows = []
    for metric in METRICS:
        for (test, anchor), value in bd_rates(curves, metric).items():
            row = {"test": test, "anchor": anchor, "metric": metric}
            bd_rows.append(row | (asdict(value) if isinstance(value, BdRate) else {"refused": str(value)}))
    return {
        "sweeps": [_mean_row(m) for name, points in results.sweeps.items() for m in mean_curve(points, name).means],
        "targets": [
            {"target_bpp": target, "above_target": _above(target, points), **_mean_row(means(points))}
            for (target, _), points in sorted(results.at_targets.items())
        ],
        "bd_rates": bd_rows,
        "points": [json.loads(p.to_json()) for name in ours for p in results.sweeps[name]],
        "target_points": [
            {"target_bpp": target, **json.loads(p.to_json())}
            for (target, name), points in sorted(results.at_targets.items())
            if name in ours
            for p in points
        ],
    }


def _mean_row(mean: Means) -> dict[str, Any]:
    row = asdict(mean) | {"ms_ssim_db": mean.ms_ssim_db}
    return {key: _rounded(value) for key, value in row.items()}


def _rounded(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return round(value, 6) if math.isfinite(value) else None


def _above(target: float, points: Iterable[Point]) -> int:
    return sum(p.bpp > target * 1.0005 for p in points)


def _markdown(document: dict[str, Any], results: Results) -> str:
    count, load = len(document["set"]["pictures"]), document["load_average_at_start"]
    busy = "" if load is None else f", load average {load:.1f} at the start"
    busy += " (CONTENDED: speeds are too low)" if load is not None and load > 0.5 else ""
    lines = [
        f"{document['set']['name']}, {count} pictures, {document['threads']} thread(s) on {document['cpu']}"
        f"{busy}; {document['peer_points_from_cache']} peer points were in the cache, "
        "with the speeds of the run that measured them",
        *(f"- {name}: {text}" for name, text in document["peers"].items()),
        *(f"- {name}: lpcodec {document['lpcodec']}, {row}" for name, row in document["models"].items()),
        "",
        "At rate targets (our encoding times include the search for the rate, the peers' do not):",
        "",
    ]
    lines += _table(
        ("target", "codec", "bpp", "PSNR", "MS-SSIM", "encode MP/s", "decode MP/s", "above target"),
        (
            (f"{row['target_bpp']:g}", *_measures(row), f"{row['above_target']} of {row['pictures']}")
            for row in document["targets"]
        ),
    )
    lines += ["", "At fixed settings:", ""]
    lines += _table(
        ("setting", "codec", "bpp", "PSNR", "MS-SSIM", "encode MP/s", "decode MP/s"),
        ((f"{row['setting']:g}", *_measures(row)) for row in document["sweeps"]),
    )
    for metric in METRICS:
        lines += ["", f"BD-rate by {metric} of row against column, in percent (overlap in dB):", ""]
        lines += _bd_table(results.curves(), metric)
    return "\n".join(lines)


def _measures(row: dict[str, Any]) -> tuple[str, ...]:
    def number(key: str, digits: int) -> str:
        return "-" if row[key] is None else f"{row[key]:.{digits}f}"

    speeds = (f"{row['encode_mps']:.3g}", f"{row['decode_mps']:.3g}")
    return (row["codec"], number("bpp", 4), number("psnr", 2), number("ms_ssim", 4), *speeds)


def _bd_table(curves: Sequence[Curve], metric: Metric) -> list[str]:
    rates, names = bd_rates(curves, metric), [curve.codec for curve in curves]

    def cell(test: str, anchor: str) -> str:
        value = rates.get((test, anchor))
        if isinstance(value, BdRate):
            return f"{value.percent:+.1f} ({value.low_db:.1f}-{value.high_db:.1f})"
        return "0" if value is None else "refused"

    refused = sorted({str(value) for value in rates.values() if isinstance(value, ValueError)})
    rows = ((test, *(cell(test, anchor) for anchor in names)) for test in names)
    return [*_table(("", *names), rows), *(f"- refused: {why}" for why in refused)]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _draw(results: Results, peer_titles: Mapping[str, str], title: str, path: Path) -> None:
    """PSNR above MS-SSIM over bpp; ours thick, a model without a dial as a star; for small screens."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 1, figsize=(6.4, 10), sharex=True, layout="constrained")
    panels: tuple[tuple[str, Callable[[Means], float | None]], ...] = (
        ("PSNR (dB)", lambda m: m.psnr),
        ("MS-SSIM (dB)", lambda m: m.ms_ssim_db),
    )
    for axis, (label, quality) in zip(axes, panels, strict=True):
        for name, points in results.sweeps.items():
            shown = [m for m in mean_curve(points, name).means if FIGURE_BPP[0] <= m.bpp <= FIGURE_BPP[1]]
            pairs = [(m.bpp, y) for m in shown if (y := quality(m)) is not None and math.isfinite(y)]
            peer = name in peer_titles
            style = {"lw": 1.6, "ms": 4.5} if peer else {"lw": 3.2, "ms": 7, "zorder": 3}
            single = len({p.setting for p in points}) == 1
            marker = {"ls": "none", "marker": "*", "ms": 16} if single else {"marker": "o"}
            axis.plot(
                *zip(*pairs, strict=True) if pairs else ([], []),
                **(style | marker),
                label=peer_titles.get(name, name),
            )
        axis.set_ylabel(label, fontsize=15)
        axis.grid(True, which="both", color="0.88", lw=0.8)
        axis.tick_params(labelsize=13)
        axis.set_axisbelow(True)
    ticks = (0.1, 0.2, 0.4, 0.8, 1.6)
    axes[1].set_xscale("log")
    axes[1].set_xlim(*FIGURE_BPP)
    axes[1].set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes[1].minorticks_off()
    axes[1].set_xlabel("bits per pixel", fontsize=15)
    axes[0].legend(fontsize=10, loc="lower right", framealpha=0.9, markerscale=0.6, labelspacing=0.25)
    axes[0].set_title(title, fontsize=16)
    figure.savefig(path, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main()
