"""Tables of ablations: what each part of the codec is worth."""

import math
import statistics

import bjontegaard  # type: ignore[import-untyped]

from page_tables.common import RESULTS, of_weights, result, table


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


_RECIPE_BASES = ("all qualities",)


def recipe() -> list[str]:
    """Short trainings of equal time that differ in how they train: steps, held-out loss by seed, and its change."""
    if not (RESULTS / "ablation-recipe.json").exists():
        return ["Not measured yet."]
    document = result("ablation-recipe.json")
    runs = document["runs"]
    variants = dict.fromkeys(run["variant"] for run in runs)
    rows = []
    for variant in variants:
        mine = {run["seed"]: run for run in runs if run["variant"] == variant}
        # The held-out loss is over the qualities that a network has.
        name = next((start for start in variants if start in _RECIPE_BASES and variant.startswith(start)), "as it is")
        base = {run["seed"]: run["held_score"] for run in runs if run["variant"] == name}
        shared = [run["held_score"] / base[seed] for seed, run in mine.items() if seed in base]
        change = f"{100 * (statistics.fmean(shared) - 1):+.1f} %" if shared and variant != name else ""
        losses = ", ".join(f"{run['held_score']:.3f}" for run in mine.values())
        rows.append((variant, ", ".join(f"{run['step']:,}" for run in mine.values()), losses, name, change))
    head = (
        "training", f"steps in {document['minutes']:g} minutes, by seed", "held-out loss", "compared with", "change",
    )  # fmt: skip
    return table(head, rows)


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


def dead_zones() -> list[str]:
    """What dead zones of different widths save: bits at equal distortion, with the standard error."""
    rows = result("ablation-dead-zones.json")["rows"]
    cells = [(f"`{row['weights']}`", row["variant"], f"{row['percent']:+.2f} ± {row['error']:.2f} %") for row in rows]
    return table(("weights", "widths by step", "bits at equal distortion"), cells)


def finishing() -> list[str]:
    """What the finishing filter changes, by set of weights, pictures and quality."""
    rows = [
        (
            f"`{row['model']}`", row["set"], str(row["quality"]), f"{row['psnr_gain']:+.2f}",
            f"{row['least_psnr_gain']:+.2f}", f"{row['ssimulacra2_gain']:+.2f}",
            f"{1000 * row['seconds_per_megapixel']:.0f}",
        )
        for row in result("finishing.json")["rows"]
    ]  # fmt: skip
    head = ("weights", "pictures", "quality", "PSNR, dB", "least of a picture", "SSIMULACRA 2", "ms per megapixel")
    return table(head, rows)


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
    return [*table(head, rows), "", of_weights("default", result("targets.json")["weights"])]


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


def drawn() -> list[str]:
    """What is seen of drawn cells: a row for each picture and rate, with and without them and as chosen."""
    rows = []
    for row in result("ablation-drawn.json")["rows"]:
        figures = [row[name] for name in ("always", "never", "chosen")]
        scores = [f"{figure['ssimulacra2']:.1f}" for figure in figures]
        similar = [f"{figure['ms_ssim']:.4f}" for figure in figures]
        which = "stored" if row["chosen"]["drawn"] else "coded"
        rows.append((row["picture"][:8], f"{row['rate']:g}", *scores, *similar, which))
    head = ("picture", "bpp", "SSIMULACRA 2, stored", "coded", "chosen", "MS-SSIM, stored", "coded", "chosen", "choice")
    return table(head, rows)


def squares() -> list[str]:
    """What qualities of squares bring, a row for each picture and one for each set."""
    rows = []
    document = result("ablation-squares.json")
    for name in dict.fromkeys(row["set"] for row in document["rows"]):
        own = [row for row in document["rows"] if row["set"] == name]
        for row in own:
            changes = [f"{row['change'][metric]:+.1f} %" for metric in ("ssimulacra2", "ms_ssim", "psnr")]
            share = f"{100 * row['largest_share']:.1f} %"
            rows.append(
                (row["picture"][:8], *changes, str(row["files_with_squares"]), share, f"{row['times_as_long']:.1f}")
            )
        means = (sum(row["change"][metric] for row in own) / len(own) for metric in ("ssimulacra2", "ms_ssim", "psnr"))
        longer = sum(row["times_as_long"] for row in own) / len(own)
        rows.append((f"**{name}, mean**", *(f"{mean:+.1f} %" for mean in means), "", "", f"{longer:.1f}"))
    count = len(document["qualities"])
    head = (
        "picture", "SSIMULACRA 2", "MS-SSIM (dB)", "PSNR", f"files with a map, of {count}", "largest share of a map",
        "encoding, times as long",
    )  # fmt: skip
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


TABLES = {
    "averages": lambda: context("ablation-averages.json", "context"),
    "context": lambda: context("ablation-context.json", "refined by the first step"),
    "four steps": lambda: context("ablation-four-steps.json", "context"),
    "shared": lambda: context("ablation-shared.json", "context"),
    "averages four": lambda: context("ablation-averages-four.json", "context"),
    "rate": lambda: rate("ablation-rate.json"), "rate from random numbers": lambda: rate("ablation-rate-start.json"),
    "recipe": recipe,
    "start": lambda: start("ablation-start.json"), "start with details": lambda: start("ablation-details.json"),
    "diagnosis": diagnosis, "kept": kept, "rounding": rounding,
    "dead zones": dead_zones, "cells": cells, "drawn": drawn, "colours": colours,
    "squares": squares,
    "finishing": finishing,
}  # fmt: skip
