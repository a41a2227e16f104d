"""Writes the tables of README.md and docs/*.md from result files: `python benchmarks/tables.py [--check]`.

A table is between `<!-- table: NAME -->` and `<!-- end table -->`; what is between is replaced. With --check nothing is
written, and the exit code is 1 if a page doesn't say what the result files say.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import bjontegaard  # type: ignore[import-untyped]

from lpcodec.codec.evaluation.report.page import judged_by

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
NAMES = ("training", "results", "ablations", "reliability", "frontends", "effort", "layers", "scale", "upscaling")
PAGES = ("README.md", *(f"docs/{name}.md" for name in NAMES))
START, END = "<!-- table: {} -->", "<!-- end table -->"
OURS = "lpcodec"
PRINTED = (("NoWCAE", 0.206, 23.82, 0.8983), ("WCAE", 0.143, 25.61, 0.8965), ("JPEG", 0.147, 30.27, 0.8208),
           ("JPEG 2000", 0.149, 33.29, 0.9404))  # fmt: skip
"""Table 1 of the WCAE paper (Akyazi & Ebrahimi, CLIC 2019), on the 102 pictures of that challenge's validation set:
name, bpp, PSNR, MS-SSIM."""
METRICS = {"psnr": "PSNR", "ms_ssim": "MS-SSIM (dB)", "ssimulacra2": "SSIMULACRA 2"}
BESIDE = ("jpeg", "avif", "avif-speed2", "avif-default")
SHOWN = (OURS, "jpeg", "jpeg2000", "webp", "avif", "avif-default")


def result(*parts: str) -> dict[str, Any]:
    """A result file below docs/results. `lpcodec report` writes points, and means and BD-rates of them."""
    document: dict[str, Any] = json.loads(RESULTS.joinpath(*parts).read_text())
    return document


def of_set(name: str) -> dict[str, Any]:
    return result(name, "results.json")


def cards() -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in (ROOT / "codec" / "weights").glob("*.json")]
    return sorted(
        found, key=lambda card: (card["name"].split("@")[0] != "default", card["training"]["model"], card["order"])
    )


def measured(name: str) -> bool:
    """Whether a set has a report here (benchmarks/reports.py makes it)."""
    return (RESULTS / name / "results.json").exists()


def targets() -> list[str]:
    """At each rate target: ours beside the peers that were asked for it. The files' rate is that of the real files; the
    qualities of codecs with whole-number settings are interpolated to the target (docs/reports.md)."""
    rows = [
        (
            f"{row['target_bpp']:g}", row["codec"], f"{row.get('file_bpp', row['bpp']):.4f}", f"{row['psnr']:.2f}",
            f"{row['ms_ssim']:.4f}", speed(row["encode_mps"]), speed(row["decode_mps"]),
        )
        for row in of_set("kodak")["target_means"]
        if row["codec"] in SHOWN
    ]  # fmt: skip
    return table(("target bpp", "codec", "files' bpp", "PSNR, dB", "MS-SSIM", "encode MP/s", "decode MP/s"), rows)


def fair(document: dict[str, Any], anchor: str, metric: str) -> bool:
    """Whether a codec is a fair peer by a metric: AVIF has one tuning for PSNR and another for the eye."""
    return metric in METRICS and metric in judged_by(anchor, [codec["name"] for codec in document["codecs"]])


def shown(target: float = 0.3) -> list[str]:
    """The README's four rows: the default model and three peers at one rate target, the bits that the model needs
    beside each, and a sentence that compares it with AVIF. By MS-SSIM the peer is AVIF at its defaults if that was
    measured: the other one is tuned for PSNR."""
    document = of_set("kodak")
    figures = {row["codec"]: row for row in document["target_means"] if row["target_bpp"] == target}
    changes = {
        (row["anchor"], row["metric"]): row["percent"]
        for row in document["bd_rates"]
        if row["test"] == OURS and "percent" in row
    }
    eye = "avif-default" if ("avif-default", "ms_ssim") in changes else "avif"

    def bits(codec: str, metric: str) -> str:
        anchor = eye if (codec, metric) == ("avif", "ms_ssim") else codec
        return "" if codec == OURS else percent(changes.get((anchor, metric)))

    rows = [
        (
            codec, f"{figures[codec]['psnr']:.2f}", bits(codec, "psnr"), bits(codec, "ms_ssim"),
            speed(figures[codec]["encode_mps"]), speed(figures[codec]["decode_mps"]),
        )
        for codec in (OURS, "jpeg", "webp", "avif")
    ]  # fmt: skip
    head = (
        f"codec at {target:g} bpp", "PSNR, dB", "lpcodec's bits for its PSNR", "for its MS-SSIM", "encode, MP/s",
        "decode, MP/s",
    )  # fmt: skip
    against = [
        f"{abs(change):.1f} % {'more' if change > 0 else 'fewer'} bits than AVIF for the same {name}"
        for name, metric, anchor in (("PSNR", "psnr", "avif"), ("MS-SSIM", "ms_ssim", eye))
        if (change := changes.get((anchor, metric))) is not None
    ]
    slower = figures["avif"]["decode_mps"] / figures[OURS]["decode_mps"]
    sentence = f"lpcodec needs {' and '.join(against)}. AVIF decodes {slower:.2g} times as fast."
    return [*table(head, rows), "", f"**Beside AVIF:** {sentence}"]


def bd_rates(pictures: str) -> list[str]:
    """BD-rates of ours against each peer."""
    rows = []
    document = of_set(pictures)
    others = {codec["name"] for codec in document["codecs"] if codec["kind"] == "peer"}
    for row in document["bd_rates"]:
        if row["test"] == OURS and row["anchor"] in others and fair(document, row["anchor"], row["metric"]):
            metric = METRICS[row["metric"]]
            if "refused" in row:
                rows.append((row["anchor"], metric, "refused", row["refused"]))
            else:
                unit = "" if row["metric"] == "ssimulacra2" else " dB"
                overlap = f"{row['low_db']:.1f} to {row['high_db']:.1f}{unit}"
                rows.append((row["anchor"], metric, f"{row['percent']:+.1f} %", overlap))
    return table(("against", "metric", "BD-rate", "overlap"), rows)


def own(pictures: str) -> list[str]:
    """BD-rates of each of our models with a quality against AVIF and JPEG."""
    document = of_set(pictures)
    figures = {(row["test"], row["anchor"], row["metric"]): row for row in document["bd_rates"]}
    eye = "avif-default" if any(codec["name"] == "avif-default" for codec in document["codecs"]) else "avif"
    columns = (("avif", "psnr"), (eye, "ms_ssim"), ("jpeg", "psnr"), ("jpeg", "ms_ssim"))
    rows = []
    for codec in document["codecs"]:
        if codec["kind"] == "model" and codec["has_dial"]:
            found = [figures[codec["name"], *column] for column in columns]
            cells = ["refused" if "refused" in row else f"{row['percent']:+.1f} %" for row in found]
            rows.append((codec["name"], f"{codec['parameters']:,}", *cells))
    head = [f"against {anchor}, {METRICS[metric]}" for anchor, metric in columns]
    return table(("model", "parameters", *head), rows)


def by_picture(pictures: str) -> list[str]:
    """The BD-rate of ours on each picture by itself against each fair peer, and the mean of the pictures' own."""
    if not measured(pictures):
        return ["Not measured yet: `python benchmarks/reports.py` makes this table."]
    document = of_set(pictures)
    peers = {codec["name"] for codec in document["codecs"] if codec["kind"] == "peer"}
    columns = [
        row
        for row in document["bd_rates_by_picture"]
        if row["test"] == OURS and row["anchor"] in peers & set(BESIDE) and fair(document, row["anchor"], row["metric"])
    ]
    names = [picture["name"] for picture in document["pictures"]["pictures"]]
    rows = [(name, *(percent(column["percent"].get(name)) for column in columns)) for name in names]
    rows.append(("mean", *(f"{percent(column['mean_percent'])} ({column['pictures']})" for column in columns)))
    return table(("picture", *(f"{column['anchor']}, {METRICS[column['metric']]}" for column in columns)), rows)


def percent(value: float | None) -> str:
    return "refused" if value is None else f"{value:+.1f} %"


def paper() -> list[str]:
    """The paper's networks: one row per set of weights."""
    document = of_set("kodak")
    ours = {codec["name"]: codec for codec in document["codecs"] if codec["kind"] == "model" and not codec["has_dial"]}
    rows = [
        (
            # A set by itself has its own name; in a network's curve each is a setting.
            row["codec"] if "@" in row["codec"] else f"{row['codec']}@{row['setting']:.2f}",
            f"{ours[row['codec']]['parameters']:,}", f"{row['bpp']:.4f}",
            f"{row['psnr']:.2f}", f"{row['ms_ssim']:.4f}", speed(row["encode_mps"]), speed(row["decode_mps"]),
        )
        for row in document["means"]
        if row["codec"] in ours
    ]  # fmt: skip
    return table(("weights", "parameters", "bpp", "PSNR, dB", "MS-SSIM", "encode MP/s", "decode MP/s"), rows)


def printed() -> list[str]:
    """Table 1 of the WCAE paper."""
    rows = [(name, f"{bpp:.3f}", f"{psnr:.2f}", f"{ms_ssim:.4f}") for name, bpp, psnr, ms_ssim in PRINTED]
    return table(("printed", "bpp", "PSNR, dB", "MS-SSIM"), rows)


def weights() -> list[str]:
    """How each set of weights was trained."""
    rows = []
    for card in cards():
        plan = card["training"]
        cost = card["kmac_per_pixel"]
        pictures = plan["steps"] * plan["batch"]
        before = plan.get("origin")
        earlier = f" after {before['steps']:,} in {before['seconds'] / 60:.0f} min" if before else ""
        rows.append((
            card["name"], f"{plan['steps']:,} in {plan['seconds'] / 60:.0f} min{earlier}",
            f"{pictures:,} of {plan['patch']}²",
            plan["device"], f"{plan['learning_rate']:g}",
            f"{plan.get('lmbda', 'all' if 'entropy' in cost else '')}", f"{plan['held_score']:.4g}",
            f"{cost['synthesis']:.1f} + {cost.get('entropy', 0):.1f}" if "synthesis" in cost else
            ", ".join(f"{part} {kmac:.1f}" for part, kmac in cost.items()),
        ))  # fmt: skip
    head = ("weights", "steps", "patches", "device", "rate", "lambda", "held-out loss", "decode kMAC/px")
    return table(head, rows)


def diagnosis() -> list[str]:
    """What the transforms allow beside what is reached, for sets of weights."""
    rows = [
        (
            row["weights"], str(row["latents"]), row["patches"], str(row["quality"]), f"{row['bpp']:.3f}",
            f"{row['psnr']:.2f}", f"{row['psnr_unrounded']:.2f}", f"{row['loss']:.3f}",
        )
        for row in result("diagnosis.json")["rows"]
    ]  # fmt: skip
    head = ("weights", "latents", "patches", "quality", "bpp", "PSNR, dB", "PSNR without rounding", "loss")
    return table(head, rows)


def training_speed() -> list[str]:
    """How fast training sees pixels and what it learns from them, beside an older build."""
    rows = [
        (
            row["build"], str(row["seed"]), f"{row['batch']}", f"{row['gigapixels']:.3f}",
            f"{row['gigapixels_per_hour']:.2f}", f"{row['held_score']:.4f}",
        )
        for row in result("training-loop.json")["rows"]
    ]  # fmt: skip
    return table(("build", "seed", "batch", "gigapixels", "gigapixels per core-hour", "held-out loss"), rows)


def training_profile() -> list[str]:
    """What a training step spends its time on."""
    document = result("training-loop.json")
    whole = sum(document["milliseconds_per_step"].values())
    rows = [(kind, f"{100 * part / whole:.0f} %") for kind, part in document["milliseconds_per_step"].items()]
    return table((f"a step of {document['batch']} patches", "share of its time"), rows)


def context(name: str, head: str) -> list[str]:
    """What the context of later steps is worth: each variant's bits against the first variant's, by seed."""
    runs = result(name)["runs"]
    variants = list(dict.fromkeys(run["variant"] for run in runs))
    base = {run["seed"]: run["bpp"] for run in runs if run["variant"] == variants[0]}
    qualities = list(next(iter(base.values())))
    rows = []
    for variant in variants:
        mine = {run["seed"]: run["bpp"] for run in runs if run["variant"] == variant}
        cells = []
        for quality in qualities:
            changes = [100 * (mine[seed][quality] / base[seed][quality] - 1) for seed in mine if seed in base]
            cells.append(", ".join(f"{change:+.1f} %" for change in changes) if variant != variants[0] else "0")
        rows.append((variant, *cells))
    return table((head, *(f"bits at quality {q}" for q in qualities)), rows)


def start(name: str) -> list[str]:
    """Short trainings with one part changed: held-out loss by seed, and the change of their mean against the network as
    it is."""
    runs = result(name)["runs"]
    losses: dict[str, list[float]] = {}
    for run in runs:
        losses.setdefault(run["variant"], []).append(run["held_score"])
    base = losses["as it is"]
    rows = []
    for variant, found in losses.items():
        change = 100 * (sum(found) / len(found) / (sum(base) / len(base)) - 1)
        figures = ", ".join(f"{loss:.3f}" for loss in found)
        rows.append((variant, figures, "0" if variant == "as it is" else f"{change:+.1f} %"))
    return table(("network", "held-out loss, by seed", "against as it is"), rows)


def rate(name: str) -> list[str]:
    """Short trainings with one rate or another: the bits at each quality, the mean loss, and the BD-rate against the
    first variant's, by seed."""
    runs = result(name)["runs"]
    variants = list(dict.fromkeys(run["variant"] for run in runs))
    base = {run["seed"]: run["held_out"] for run in runs if run["variant"] == variants[0]}
    rows = []
    for variant in variants:
        mine = {run["seed"]: run["held_out"] for run in runs if run["variant"] == variant}
        bits = [", ".join(f"{found[quality]['bpp']:.4f}" for found in mine.values()) for quality in ("15", "90")]
        losses = ", ".join(f"{sum(row['loss'] for row in found.values()) / len(found):.3f}" for found in mine.values())
        changes = ", ".join(f"{_bd_rate(base[seed], found):+.1f} %" for seed, found in mine.items())
        rows.append((variant, *bits, losses, changes if variant != variants[0] else "0"))
    return table(("rate in training", "bpp at quality 15", "bpp at quality 90", "loss", "bits at equal PSNR"), rows)


def _bd_rate(anchor: dict[str, dict[str, float]], test: dict[str, dict[str, float]]) -> float:
    """BD-rate in PSNR between figures by quality."""
    curves = [
        curve
        for found in (anchor, test)
        for curve in ([row["bpp"] for row in found.values()], [-10 * math.log10(row["mse"]) for row in found.values()])
    ]
    return float(bjontegaard.bd_rate(*curves, method="pchip"))


def rounding() -> list[str]:
    """What a dead zone does to bits and error at each quality: the change of their cost in parts of the bits."""
    rows = result("ablation-rounding.json")["rows"]
    qualities = sorted({row["quality"] for row in rows})
    found = {(row["width"], row["quality"]): row["change"] for row in rows}
    return table(
        ("of a step for each bit", *(f"cost at quality {q}" for q in qualities)),
        [
            (f"{width:g}", *(f"{100 * found[width, q]:+.1f} %" if width else "0" for q in qualities))
            for width in sorted({row["width"] for row in rows})
        ],
    )


def kept() -> list[str]:
    """How close files come to the rate asked for, one row per set."""
    counts = {"stored": "lossless", "room_to_spare": "finest quality", "above": "above", "out_of_reach": "exit 6"}
    sets = result("targets.json")["sets"]
    shown = {key: head for key, head in counts.items() if all(key in row for row in sets.values())}
    rows = []
    for name, row in sets.items():
        steps = ", ".join(f"{count} in {n}" for n, count in row["steps"].items())
        near = f"{row['near']} of {row['judged']} ({100 * row['near'] / row['judged']:.1f} %)"
        rows.append((name, str(row["files"]), near, *(str(row[key]) for key in shown), steps))
    head = ("set", "files", "within 97 to 100 %", *shown.values(), "searches by entropy evaluations")
    return table(head, rows)


def reconstruction() -> list[str]:
    """What comes back of pictures through the front-ends, beside the LPAE paper's Table 1."""
    document = result("reconstruction.json")
    methods = list(document["rows"][0]["psnr"])
    rows = [
        (row["data"], str(row["pictures"]), *(f"{row['psnr'][method]:.2f}" for method in methods))
        for row in document["rows"]
    ]
    printed = (f"{document['printed'][m]:.2f}" if m in document["printed"] else "" for m in methods)
    return table(("pictures", "how many", *methods), [*rows, ("printed: DIV2K crops", "", *printed)])


def frontends() -> list[str]:
    """Split and merge in megapixels a second."""
    rows = [
        (row["name"], str(row["levels"]), f"{row['megapixels']:.1f}", speed(row["megapixels_per_second"]))
        for row in result("frontends.json")["rows"]
    ]
    return table(("front-end", "levels", "megapixels", "split + merge, MP/s"), rows)


def layers() -> list[str]:
    """Bytes and time of each level of a large picture."""
    rows = [
        (
            row["picture"], f"{row['quality']:g}", f"{row['bpp']:.3f}", str(row["level"]),
            f"{row['width']} x {row['height']}", f"{row['bytes']:,}", f"{100 * row['part']:.1f} %",
            f"{row['seconds']:.3f}", f"{row['times_as_fast']:.1f}",
        )
        for row in result("layers.json")["large"]
    ]  # fmt: skip
    head = ("picture", "quality", "bpp", "level", "pixels", "its bytes", "of the file, to here", "decode, s")
    return table((*head, "times as fast"), rows)


def predicted() -> list[str]:
    """What predicted detail is worth, beside bicubic and beside coded detail."""
    rows = [
        (
            f"{row['quality']:g}", f"{row['bpp']:.3f}", f"{row['psnr']:.2f}", f"{row['bpp_without']:.3f}",
            f"{row['psnr_predicted']:.2f}", f"{row['psnr_bicubic']:.2f}",
        )
        for row in result("layers.json")["predicted"]
    ]  # fmt: skip
    head = ("quality", "bpp, all layers", "PSNR, dB", "bpp, finest left out", "PSNR, predicted", "PSNR, bicubic")
    return table(head, rows)


def scalability() -> list[str]:
    """BD-rates of the codec in layers against the other models, and against AVIF."""
    rows = []
    for row in of_set("kodak")["bd_rates"]:
        metric = METRICS.get(row["metric"])
        if row["test"] == "lpcae" and metric is not None and row["anchor"] in (OURS, "fast", "avif", "jpeg"):
            figure = row["refused"] if "refused" in row else f"{row['percent']:+.1f} %"
            rows.append((row["anchor"], metric, figure))
    return table(("lpcae against", "metric", "BD-rate"), rows)


def effort() -> list[str]:
    """What each level of effort saves and takes."""
    rows = [
        (
            str(row["level"]), str(row["iterations"]), f"{row['bd_rate_percent']:+.1f} %" if row["level"] else "0",
            f"{row['encode_mps']:.2g}", f"{row['times_as_long']:.0f}",
        )
        for row in result("effort.json")["levels"]
    ]  # fmt: skip
    return table(("level", "iterations", "BD-rate", "encode MP/s", "times as long"), rows)


def scale() -> list[str]:
    """Pictures per second of `lpcodec batch`; no rows before it was measured (benchmarks/scale.py)."""
    runs = result("scale.json")["runs"] if (RESULTS / "scale.json").exists() else []
    head = ("task", "from", "engine", "processes", "pictures", "pictures/s", "a million, hours")
    rows = [
        (
            row["task"], row["layout"], row["engine"], str(row["workers"]), f"{row['pictures']:,}",
            f"{row['pictures_per_second']:.2f}", f"{1e6 / row['pictures_per_second'] / 3600:.1f}",
        )
        for row in runs
    ]  # fmt: skip
    return table(head, rows)


def upscaling(scale: int) -> list[str]:
    """PSNR and SSIM of enlarged pictures, measured here and published."""
    document = result("upscaling.json")
    sets = ("set5", "set14", "bsd100")
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for row in document["measured"]:
        if row["scale"] == scale:
            rows.setdefault((row["method"], "measured"), {})[row["data"]] = f"{row['psnr']:.2f} / {row['ssim']:.4f}"
    for row in document["published"]:
        if row["scale"] == scale:
            figures = {name: f"{psnr:.2f} / {ssim:.4f}" for name, (psnr, ssim) in row["results"].items()}
            rows[row["method"], f"published: {row['source'].split(',')[0]}"] = figures
    lines = [(method, kind, *(figures.get(name, "") for name in sets)) for (method, kind), figures in rows.items()]
    return table(("method", "", "Set5", "Set14", "BSD100"), lines)


def downscale() -> list[str]:
    """What coding at smaller sizes gains at low rates: means over the pictures that both reach the rate with."""
    rows = [
        (
            f"{row['target_bpp']:g}", f"{row['smaller']} of {row['pictures']}", f"{row['own_psnr']:.2f}",
            f"{row['auto_psnr']:.2f}", f"{row['own_ms_ssim']:.4f}", f"{row['auto_ms_ssim']:.4f}",
            str(row["reached_by_auto_alone"]),
        )
        for row in result("downscale.json")["rows"]
        if row["pictures"]
    ]  # fmt: skip
    head = ("bpp", "smaller", "PSNR", "PSNR, auto", "MS-SSIM", "MS-SSIM, auto", "reached by auto alone")
    return table(head, rows)


def damage() -> list[str]:
    """What came of changed files (tests/codec/mutants.py): how many ended in which way, how long the slowest took."""
    document = result("damage.json")
    rows = []
    for kind in ("damaged", "forged"):
        outcomes = document[kind]["outcomes"]
        ends = ", ".join(f"{count:,} {name}" for name, count in outcomes.items())
        slowest = document[kind]["slowest_seconds"]
        rows.append((kind, f"{sum(outcomes.values()):,}", ends, f"{slowest:.2f}" if slowest > 0.01 else "under 0.01"))
    return table(("files", "how many", "ended in", "slowest, s"), rows)


def speed(megapixels: float) -> str:
    return f"{megapixels:.0f}" if megapixels >= 10 else f"{megapixels:.1f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def cells() -> list[str]:
    """What storing cells brings, and where it stands against AVIF, a row for each picture."""
    document = result("ablation-cells.json")
    rows = []
    for row in document["rows"]:
        against = [row.get(key, "") for key in ("avif_without", "avif")]
        shown = [f"{figure:+.1f} %" if isinstance(figure, float) else "" for figure in against]
        shares = [point["cells_bytes"] for point in row["with"]]
        stored = "none" if not any(shares) else f"{min(shares):,} to {max(shares):,}"
        rows.append((row["picture"][:12], row["set"], stored, f"{row['change']:+.1f} %", *shown))
    head = ("picture", "set", "bytes stored", "BD-rate by cells", "against AVIF without", "against AVIF with")
    return table(head, rows)


def colours() -> list[str]:
    """What rotated colours bring, a row for each set: the mean, the best and the worst picture."""
    rows = []
    document = result("ablation-colours.json")
    for name in dict.fromkeys(row["set"] for row in document["rows"]):
        changes = sorted((row["change"], row["picture"][:12]) for row in document["rows"] if row["set"] == name)
        mean = sum(change for change, _ in changes) / len(changes)
        rotated = sum(change != 0 for change, _ in changes)
        ends = [f"{change:+.1f} % ({picture})" for change, picture in (changes[0], changes[-1])]
        rows.append((name, str(len(changes)), str(rotated), f"{mean:+.2f} %", *ends))
    return table(("set", "pictures", "rotated", "mean BD-rate", "best", "worst"), rows)


TABLES: dict[str, Callable[[], list[str]]] = {
    "cells": cells, "colours": colours,
    "downscale": downscale, "upscaling-x2": lambda: upscaling(2), "upscaling-x4": lambda: upscaling(4),
    "scale": scale, "damage": damage,
    "shown": shown, "targets": targets, "bd-rates": lambda: bd_rates("kodak"), "paper": paper, "weights": weights,
    "clic bd-rates": lambda: bd_rates("clic2025-test"), "kodak by picture": lambda: by_picture("kodak"),
    "clic by picture": lambda: by_picture("clic2025-test"), "screens by picture": lambda: by_picture("screens"),
    "models": lambda: own("kodak"),
    "printed": printed,
    "rate": lambda: rate("ablation-rate.json"), "rate from random numbers": lambda: rate("ablation-rate-start.json"),
    "averages": lambda: context("ablation-averages.json", "context"),
    "diagnosis": diagnosis, "kept": kept, "rounding": rounding,
    "context": lambda: context("ablation-context.json", "refined by the first step"),
    "training speed": training_speed,
    "training profile": training_profile,
    "four steps": lambda: context("ablation-four-steps.json", "context"),
    "start": lambda: start("ablation-start.json"), "start with details": lambda: start("ablation-details.json"),
    "reconstruction": reconstruction, "frontends": frontends,
    "effort": effort, "layers": layers, "predicted": predicted, "scalability": scalability,
}  # fmt: skip


def with_tables(text: str) -> str:
    """The page with all its tables made anew."""
    for name, make in TABLES.items():
        start = START.format(name)
        if start in text:
            before, rest = text.split(start, 1)
            text = "\n".join((before + start, *make(), END)) + rest.split(END, 1)[1]
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a page is out of date")
    check = parser.parse_args().check
    stale = []
    for page in (ROOT / name for name in PAGES):
        text = page.read_text()
        if (new := with_tables(text)) != text:
            stale.append(page.name)
            if not check:
                page.write_text(new)
    if stale:
        print(("out of date: " if check else "written: ") + ", ".join(stale))
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
