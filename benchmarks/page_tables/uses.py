"""Tables of front-ends, layers, effort, many pictures, other sizes, damage, exactness and fuzzing."""

import statistics
from typing import Any

from page_tables.codecs import OURS, TUNES, VISUAL, fair
from page_tables.common import METRICS, RESULTS, of_set, of_weights, result, speed, table


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
    return [*table((*head, "times as fast"), rows), "", _layers_weights()]


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
    return [*table(head, rows), "", _layers_weights()]


def _layers_weights() -> str:
    document = result("layers.json")
    return of_weights(document["model"], document["weights"])


def scalability() -> list[str]:
    """BD-rates of the codec in layers against the other models, and against the AVIF that is tuned for the metric."""
    document = of_set("kodak")
    rows = []
    for row in document["bd_rates"]:
        wanted = row["anchor"] in (OURS, VISUAL, "fast", "avif", "avif-default", "jpeg")
        if row["test"] == "lpcae" and wanted and fair(document, row["anchor"], row["metric"]):
            figure = "refused" if "refused" in row else f"{row['percent']:+.1f} %"
            rows.append((TUNES.get(row["anchor"], row["anchor"]), METRICS[row["metric"]], figure))
    weights = next(codec["options"] for codec in document["codecs"] if codec["name"] == "lpcae").split()[-1].strip("()")
    return [*table(("lpcae against", "metric", "BD-rate"), rows), "", of_weights("lpcae", weights)]


WITHOUT_SQUARES = "Measured before squares had qualities of their own: no level has them here, and there is no level 1."
"""The note under results of effort that are older."""


def effort(tune: str) -> list[str]:
    """What each level of effort saves and takes, for one tune."""
    found = result(f"effort-{tune}.json")["tunes"][tune]
    metrics = list(found["levels"][-1]["bd_rate_percent"])
    rows = [
        (
            str(row["level"]), str(row["iterations"]),
            *(f"{row['bd_rate_percent'][metric]:+.1f} %" if row["level"] else "0" for metric in metrics),
            f"{row['encode_mps']:.2g}", f"{row['times_as_long']:.0f}",
        )
        for row in found["levels"]
    ]  # fmt: skip
    head = ("level", "iterations", *(METRICS[metric] for metric in metrics), "encode MP/s", "times as long")
    name = {"psnr": "default", "visual": "default@visual"}[tune]
    return [*table(head, rows), "", of_weights(name, found["weights"])]


def effort_whole() -> list[str]:
    """What effort saves on whole pictures, against level 0 and against AVIF."""
    if not (RESULTS / "effort-whole.json").exists():
        return ["Not measured yet."]
    document = result("effort-whole.json")
    rows = [
        (
            "default" if tune == "visual" else f"tune={tune}", str(row["level"]), METRICS[metric],
            f"{row['bd_rate_percent'][metric]:+.1f} %" if row["level"] else "0", f"{against:+.1f} %",
        )
        for tune, found in document["tunes"].items()
        for metric in found["levels"][0]["avif_percent"]
        for row in found["levels"]
        for against in [row["avif_percent"][metric]]
    ]  # fmt: skip
    names = {"psnr": "default", "visual": "default@visual"}
    weights = [of_weights(names[tune], found["weights"]) for tune, found in document["tunes"].items()]
    if not document["squares"]:
        weights.append(WITHOUT_SQUARES)
    head = ("weights", "level", "metric", "against level 0", "against AVIF tuned for the same")
    return [*table(head, rows), "", " ".join(weights)]


def effort_parts() -> list[str]:
    """What each part of the search saves: a row for each variant, a column for each number of iterations."""
    found: dict[str, dict[int, str]] = {}
    for row in result("ablation-effort.json")["rows"]:
        found.setdefault(row["variant"], {})[row["iterations"]] = f"{row['bd_rate_percent']:+.1f} %"
    counts = sorted(next(iter(found.values())))
    rows = [(variant, *(cells[count] for count in counts)) for variant, cells in found.items()]
    return table(("search", *(f"{count} iterations" for count in counts)), rows)


def scale() -> list[str]:
    """Pictures per second of `lpcodec batch`, and of each run beside one process (benchmarks/scale.py)."""
    if not (RESULTS / "scale.json").exists():
        return ["Not measured yet: `python benchmarks/scale.py --data FOLDER --out docs/results/scale.json`."]
    document = result("scale.json")
    alone = {_kind(row): row["pictures_per_second"] for row in document["runs"] if row["workers"] == 1}
    rows = []
    for row in document["runs"]:
        speed = row["pictures_per_second"]
        times = f"{speed / alone[_kind(row)]:.2f}" if _kind(row) in alone else ""
        counts = (str(row["workers"]), f"{row['pictures']:,}", f"{speed:.2f}", times, f"{1e6 / speed / 3600:.1f}")
        rows.append((row["task"], row["layout"], row["engine"], *counts))
    head = ("task", "from", "engine", "processes", "pictures", "pictures/s", "times one process", "a million, hours")
    about = (
        f"{document['width']} x {document['height']} pixels, quality {document['quality']:g}, {document['date']}, "
        f"{document['processors']} processors; the load before was {document['load_before']:.1f}."
    )
    return [*table(head, rows), "", about]


def _kind(row: dict[str, Any]) -> tuple[str, str, str, int]:
    return row["task"], row["layout"], row["engine"], row["pictures"]


def regions() -> list[str]:
    """Seconds to decode a region of a large picture, warm (benchmarks/regions.py)."""
    if not (RESULTS / "regions.json").exists():
        return ["Not measured yet: `python benchmarks/regions.py --megapixels 50 --out docs/results/regions.json`."]
    document = result("regions.json")
    side, size = document["side"], f"{document['width']} x {document['height']}"
    rows = [
        (f"{side} x {side} of {size}: {row['region']}", f"{row['seconds']:.3f}", f"{100 * row['part']:.1f} %")
        for row in document["rows"]
    ]
    return table(("region, warm, one thread", "seconds", "read of the file"), rows)


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


def downscale(tune: str) -> list[str]:
    """What coding at smaller sizes gains at low rates with the weights for a tune: means over the pictures that both
    reach the rate with."""
    rows = [
        (
            f"{row['target_bpp']:g}", f"{row['smaller']} of {row['pictures']}", str(row["by_auto_alone"]),
            *(f"{row[f'{kind}_{key}']:.{digits}f}" for key, digits in _DIGITS.items() for kind in ("own", "auto")),
            f"{row['encode_times']:.2f}", f"{row['decode_times']:.2f}" if "decode_times" in row else "",
        )
        for row in result(f"downscale-{tune}.json")["rows"]
        if row["pictures"]
    ]  # fmt: skip
    head = (
        "bpp", "smaller", "reached by auto alone", "PSNR", "auto", "MS-SSIM", "auto", "SSIMULACRA 2", "auto",
        "encoding, times as long", "decoding, times as fast where smaller",
    )  # fmt: skip
    return table(head, rows)


_DIGITS = {"psnr": 2, "ms_ssim": 4, "ssimulacra2": 1}


def downscale_by_picture(tune: str) -> list[str]:
    """The BD-rate of coding at the best size against the own size, a row for each picture, and the means."""
    found = result(f"downscale-{tune}.json")["by_picture"]

    def percent(value: float | None) -> str:
        return "" if value is None else f"{value:+.1f} %"

    rows = [
        (row["picture"][:8], *(percent(row[kind]) for kind in _DIGITS), f"{row['smaller_up_to'] or 0:g}")
        for row in found
    ]
    means = [statistics.fmean(row[kind] for row in found if row[kind] is not None) for kind in _DIGITS]
    rows.append(("mean", *map(percent, means), ""))
    return table(("picture", "BD-rate, PSNR", "MS-SSIM", "SSIMULACRA 2", "smaller up to, bpp"), rows)


def enlarging() -> list[str]:
    """How long `upscale` takes for one megapixel."""
    rows = [
        (row["method"], str(row["threads"]), f"{row['seconds']:.2f}", f"{row['processor_seconds']:.2f}")
        for row in result("enlarging.json")["rows"]
    ]
    return table(("method", "threads", "seconds", "processor seconds"), rows)


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


def large() -> list[str]:
    """Time and memory of one large picture, each way in a process of its own (benchmarks/large.py)."""
    if not (RESULTS / "large.json").exists():
        return ["Not measured yet: `python benchmarks/large.py --out docs/results/large.json`."]
    document = result("large.json")
    rows = [
        (f"{row['pixels'] / 1e6:.1f}", row["step"], f"{row['seconds']:.1f}", f"{row['peak']:.0f}")
        for row in document["rows"]
    ]
    for step in ("encode", "decode"):
        found = [row for row in document["rows"] if row["step"] == step]
        if len(found) > 1:
            first, last = found[0], found[-1]
            slope = 1e6 * (last["peak"] - first["peak"]) / (last["pixels"] - first["pixels"])
            rows.append(("each pixel more", step, "", f"{slope:.0f} bytes"))
    about = f"Threads: {document['threads']}; {document['target_bpp']:g} bpp; {document['date']}; "
    about += f"the load before was {document['load_before']:.1f}. Interpreter, libraries and weights take "
    about += f"up to {max(row['peak'] - row['above'] for row in document['rows']):.0f} MB of each peak."
    return [*table(("megapixels", "step", "seconds", "peak MB"), rows), "", about]


def exactness() -> list[str]:
    """How far pixels are apart by each way to use the processor (benchmarks/exactness.py)."""
    if not (RESULTS / "exactness.json").exists():
        return ["Not measured yet: `python benchmarks/exactness.py --out docs/results/exactness.json`."]
    document = result("exactness.json")
    rows = [
        (
            row["device"], str(row["threads"]), row["aten"] or "own", row["onednn"] or "own",
            "yes" if row["channels_last"] else "no",
            "no" if row["full_precision"] else "fast math" if row["fast_math"] else "yes", row["symbols"],
            str(row["largest"]), str(row["largest_enlarged"]), f"{100 * row['share']:.3f} %",
        )
        for row in document["rows"]
    ]  # fmt: skip
    head = ("device", "threads", "torch's set", "oneDNN's set", "channels last", "bfloat16", "symbols")
    return table((*head, "levels apart", "if enlarged", "of values"), rows)


def fuzz() -> list[str]:
    """How many inputs the coverage-guided fuzzer gave to each target (tests/fuzz/run)."""
    targets = result("fuzz.json")["targets"]
    rows = [(name, f"{row['tried']:,}", str(row["seconds"]), str(row["corpus"])) for name, row in targets.items()]
    return table(("target", "inputs", "seconds", "kept in the corpus"), rows)


def fuzzed_lines() -> list[str]:
    """Which share of the lines of each module the fuzzer's corpora reach."""
    lines = result("fuzz.json")["lines"]
    rows = [(f"`{name.removeprefix('lpcodec.')}`", f"{100 * share:.0f} %") for name, share in lines.items()]
    return table(("module", "lines reached"), rows)


def against_before() -> list[str]:
    """Encoding and decoding beside the build of 22 November, idle and beside busy processes."""
    if not (RESULTS / "speed.json").exists():
        return ["Not measured yet: `python benchmarks/speed.py --out docs/results/speed.json`."]
    document = result("speed.json")
    idle = {
        (run["set"], run["threads"], row["task"], row["bpp"]): row["now"]
        for run in document["runs"]
        if not run["busy"]
        for row in run["rows"]
    }
    rows: list[tuple[str, ...]] = []
    for run in document["runs"]:
        for row in run["rows"]:
            alone = idle.get((run["set"], run["threads"], row["task"], row["bpp"]))
            kept = "" if alone is None or not run["busy"] else f"{alone / row['now']:.2f}"
            rows.append(
                (
                    f"{run['set']}, {row['pictures']}", str(run["threads"]), str(run["busy"]), row["task"],
                    f"{row['bpp']:g}", f"{1000 * row['before']:.0f}", f"{1000 * row['now']:.0f}",
                    f"{row['ratio']:.2f}", kept,
                )
            )  # fmt: skip
    head = ("pictures", "threads", "other busy processes", "task", "bpp", "before, ms/MP", "now, ms/MP")
    about = "Times are of the wall clock." if document["clock"] == "seconds" else "Times are the process's own."
    return [*table((*head, "times as fast", "of its idle speed"), rows), "", about]


TABLES = {
    "speed": against_before,
    "reconstruction": reconstruction, "frontends": frontends, "effort psnr": lambda: effort("psnr"),
    "effort visual": lambda: effort("visual"), "effort parts": effort_parts,
    "effort whole": effort_whole,
    "scale": scale, "damage": damage,
    "large": large, "regions": regions, "exactness": exactness, "fuzz": fuzz, "fuzzed lines": fuzzed_lines,
    "layers": layers, "predicted": predicted, "scalability": scalability,
    "upscaling-x2": lambda: upscaling(2), "upscaling-x4": lambda: upscaling(4),
    **{f"downscale {tune}": lambda tune=tune: downscale(tune) for tune in ("visual", "psnr")},
    **{f"downscale {tune} by picture": lambda tune=tune: downscale_by_picture(tune) for tune in ("visual", "psnr")},
    "enlarging": enlarging,
}  # fmt: skip
