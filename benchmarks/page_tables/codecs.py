"""Tables of codecs side by side, from the files that `lpcodec report` writes."""

from typing import Any

from lpcodec.codec.evaluation.report.page import judged_by
from page_tables.common import METRICS, RESULTS, measured, of_set, percent, result, speed, table

OURS = "lpcodec"
PRINTED = (("NoWCAE", 0.206, 23.82, 0.8983), ("WCAE", 0.143, 25.61, 0.8965), ("JPEG", 0.147, 30.27, 0.8208),
           ("JPEG 2000", 0.149, 33.29, 0.9404))  # fmt: skip
"""Table 1 of the WCAE paper (Akyazi & Ebrahimi, CLIC 2019), on the 102 pictures of that challenge's validation set:
name, bpp, PSNR, MS-SSIM."""
VISUAL = "default@visual"
TUNES = {VISUAL: "lpcodec", OURS: "lpcodec, tune=psnr"}
"""What the tables call the sets of weights of the default model."""
BESIDE = ("jpeg", "avif", "avif-speed2", "avif-default")
SHOWN = (VISUAL, OURS, "jpeg", "jpeg2000", "webp", "avif", "avif-default")


def targets() -> list[str]:
    """At each rate target: ours beside the peers that were asked for it. The files' rate is that of the real files; the
    qualities of codecs with whole-number settings are interpolated to the target (docs/reports.md)."""
    rows = [
        (
            f"{row['target_bpp']:g}", TUNES.get(row["codec"], row["codec"]),
            f"{row.get('file_bpp', row['bpp']):.4f}", f"{row['psnr']:.2f}",
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
    """The README's rows: both sets of weights of the default model and four peers at one rate target, and a sentence
    that compares them with AVIF: each set with the AVIF that is tuned alike."""
    document = of_set("kodak")
    figures = {row["codec"]: row for row in document["target_means"] if row["target_bpp"] == target}
    changes = {
        (row["test"], row["anchor"], row["metric"]): row["percent"] for row in document["bd_rates"] if "percent" in row
    }
    rows = [
        (
            TUNES.get(codec, codec), f"{row['ssimulacra2']:.1f}", f"{row['ms_ssim']:.4f}", f"{row['psnr']:.2f}",
            speed(row["encode_mps"]), speed(row["decode_mps"]),
        )
        for codec in (VISUAL, OURS, "avif-default", "avif", "webp", "jpeg")
        if (row := _with_extra(figures.get(codec)))
    ]  # fmt: skip
    head = (f"codec at {target:g} bpp", "SSIMULACRA 2", "MS-SSIM", "PSNR, dB", "encode, MP/s", "decode, MP/s")
    words = {
        f"{abs(change):.1f} % {'more' if change > 0 else 'fewer'} bits for the same {METRICS[metric]}": test
        for test, anchor, metric in (
            (VISUAL, "avif-default", "ssimulacra2"), (VISUAL, "avif-default", "ms_ssim"), (OURS, "avif", "psnr"),
        )
        if (change := changes.get((test, anchor, metric))) is not None
    }  # fmt: skip
    eye = " and ".join(text for text, test in words.items() if test == VISUAL)
    plain = " and ".join(text for text, test in words.items() if test == OURS)
    slower = figures["avif"]["decode_mps"] / figures[OURS]["decode_mps"]
    sentence = (
        f"**Compared with AVIF:** lpcodec needs {eye} as AVIF at Pillow's defaults, but without tiles. "
        f"With `--tune psnr` it needs {plain}"
        f" as AVIF tuned for PSNR. AVIF decodes {slower:.2g} times as fast."
    )
    if document["machine"]["contended"]:
        sentence += " Speeds are those of one thread, measured while other programs ran."
    return [*table(head, rows), "", sentence]


def _with_extra(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """A row of means with its extra metrics beside the usual ones."""
    return row if row is None else row | row["others"]


def bd_rates(pictures: str) -> list[str]:
    """BD-rates of the default model's two sets of weights against each peer."""
    rows = []
    document = of_set(pictures)
    others = {codec["name"] for codec in document["codecs"] if codec["kind"] == "peer"}
    found = [
        row
        for row in document["bd_rates"]
        if row["test"] in TUNES and row["anchor"] in others and fair(document, row["anchor"], row["metric"])
    ]
    if measured(f"{pictures}-speed2"):
        more = of_set(f"{pictures}-speed2")["bd_rates"]
        found += [row for row in more if (row["test"], row["anchor"], row["metric"]) == (OURS, "avif-speed2", "psnr")]
    for row in sorted(found, key=lambda row: list(TUNES).index(row["test"])):
        cells = (TUNES[row["test"]], row["anchor"], METRICS[row["metric"]])
        if "refused" in row:
            rows.append((*cells, "refused", row["refused"]))
        else:
            unit = "" if row["metric"] == "ssimulacra2" else " dB"
            rows.append((*cells, f"{row['percent']:+.1f} %", f"{row['low_db']:.1f} to {row['high_db']:.1f}{unit}"))
    return table(("weights", "against", "metric", "BD-rate", "overlap"), rows)


def own(pictures: str) -> list[str]:
    """BD-rates of each of our models with a quality against AVIF (by PSNR as it is tuned for that, by other metrics at
    its defaults) and JPEG."""
    document = of_set(pictures)
    figures = {(row["test"], row["anchor"], row["metric"]): row for row in document["bd_rates"]}
    eye = "avif-default" if any(codec["name"] == "avif-default" for codec in document["codecs"]) else "avif"
    wanted = (("avif", "psnr"), (eye, "ms_ssim"), (eye, "ssimulacra2"), ("jpeg", "psnr"), ("jpeg", "ms_ssim"))
    columns = [column for column in wanted if any(key[1:] == column for key in figures)]
    rows = []
    for codec in document["codecs"]:
        if codec["kind"] == "model" and codec["has_dial"]:
            found = [figures[codec["name"], *column] for column in columns]
            cells = ["refused" if "refused" in row else f"{row['percent']:+.1f} %" for row in found]
            rows.append((TUNES.get(codec["name"], codec["name"]), f"{codec['parameters']:,}", *cells))
    head = [f"against {anchor}, {METRICS[metric]}" for anchor, metric in columns]
    return table(("model", "parameters", *head), rows)


def awkward() -> list[str]:
    """Pictures with a flat half or one strong colour: PSNR beside that of other codecs at the same bytes."""
    rows = [
        (row["picture"], row["change"], f"{row['bpp']:.3f}", *(f"{psnr:.2f}" for psnr in row["psnr"].values()))
        for row in result("awkward.json")["rows"]
    ]
    names = list(result("awkward.json")["rows"][0]["psnr"])
    return table(("picture", "changed to", "bpp", *(f"{name}, dB" for name in names)), rows)


def tunes() -> list[str]:
    """Both sets of weights and AVIF's defaults at the same bytes, on twelve pictures."""
    if not (RESULTS / "tunes.json").exists():
        return ["Not measured yet: `python benchmarks/tunes.py` makes this table."]
    metrics, rows = (("ssimulacra2", 1), ("ms_ssim", 4), ("psnr", 2)), []
    for row in result("tunes.json")["rows"]:
        found = row["codecs"]
        scores = [f"{found[name][metric]:.{digits}f}" for metric, digits in metrics for name in found]
        rows.append((row["picture"][:8], f"{row['bpp']:.3f}", *scores))
    names = list(result("tunes.json")["rows"][0]["codecs"])
    head = [f"{metric} of {name}" for metric in ("SSIMULACRA 2", "MS-SSIM", "PSNR") for name in names]
    return table(("picture", "bpp", *head), rows)


def by_picture(pictures: str) -> list[str]:
    """The BD-rate of ours on each picture by itself against each fair peer, and the mean of the pictures' own: by PSNR
    with the weights for that, by other metrics with the default ones."""
    if not measured(pictures):
        return ["Not measured yet: `python benchmarks/reports.py` makes this table."]
    document = of_set(pictures)
    peers = {codec["name"] for codec in document["codecs"] if codec["kind"] == "peer"}
    columns = [
        row
        for row in document["bd_rates_by_picture"]
        if row["test"] == (OURS if row["metric"] == "psnr" else VISUAL)
        and row["anchor"] in peers & set(BESIDE)
        and fair(document, row["anchor"], row["metric"])
    ]
    names = [picture["name"] for picture in document["pictures"]["pictures"]]
    rows = [(name, *(percent(column["percent"].get(name)) for column in columns)) for name in names]
    rows.append(("mean", *(f"{percent(column['mean_percent'])} ({column['pictures']})" for column in columns)))
    return table(("picture", *(f"{column['anchor']}, {METRICS[column['metric']]}" for column in columns)), rows)


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


TABLES = {
    "shown": shown, "targets": targets, "bd-rates": lambda: bd_rates("kodak"), "models": lambda: own("kodak"),
    "clic models": lambda: own("clic2025-test"), "awkward": awkward, "tunes": tunes,
    "clic bd-rates": lambda: bd_rates("clic2025-test"), "kodak by picture": lambda: by_picture("kodak"),
    "clic by picture": lambda: by_picture("clic2025-test"), "screens by picture": lambda: by_picture("screens"),
    "paper": paper, "printed": printed,
}  # fmt: skip
