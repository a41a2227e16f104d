"""The report's figures as files for other programs: CSV, Markdown, CompressAI's JSON.

    Results --points_csv--> every point   --markdown--> means at targets, BD-rates   --compressai--> one curve per codec

Only the Markdown has published figures, under a heading of their own.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from lpcodec.codec.evaluation.codecs.codec import CodecAbout
from lpcodec.codec.evaluation.metrics.curves import HIGH_BPP, LOW_BPP, BdRate
from lpcodec.codec.evaluation.metrics.metric import Metric
from lpcodec.codec.evaluation.metrics.point import Means
from lpcodec.codec.evaluation.report.summary import (
    Row,
    bd_matrix,
    bd_published,
    metrics_of,
    setting_rows,
    target_rows,
)
from lpcodec.codec.evaluation.run.results import Results

COLUMNS = (
    "codec", "setting", "target_bpp", "image", "width", "height", "bytes", "pixels", "bpp", "psnr", "mse", "ms_ssim",
    "encode_seconds", "decode_seconds",
)  # fmt: skip


TARGETS_NOTE = (
    "Codecs with whole-number settings stay a few percent under a target. So their qualities are interpolated over log "
    "rate between the file just below the target and the one just above it. The files' bpp is the mean rate of the "
    "real files below."
)
INTERPOLATED_NOTE = "`interpolated` counts the pictures for which that was done."


def points_csv(results: Results) -> str:
    """Every point, at fixed settings and at rate targets, one a line; further metrics are columns of their names.

    What is missing is empty, an infinite PSNR `inf`; numbers are written whole and read back the same.
    """
    others = sorted({name for p in (*results.points, *results.target_points) for name in p.others})
    sides = {picture.name: (picture.width, picture.height) for picture in results.pictures.pictures}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*COLUMNS, *others])
    for p in (*results.points, *results.target_points):
        values = [getattr(p, name, None) for name in COLUMNS]
        values[4:6] = sides.get(p.image, (None, None))
        table.writerow(["" if v is None else v for v in (*values, *(p.others.get(name) for name in others))])
    return text.getvalue()


def compressai(results: Results, codec: CodecAbout) -> dict[str, Any]:
    """A codec's means at its fixed settings in the form of CompressAI's result files (JSON-ready).

    Times are mean seconds per picture. MS-SSIM is left out if a picture has none.
    """
    rows = [row for row in setting_rows(results, codec.name) if row.value("psnr") is not None]
    columns: dict[str, list[float | None]] = {
        "bpp": [row.means.bpp for row in rows],
        "psnr-rgb": [row.value("psnr") for row in rows],
        "ms-ssim-rgb": [row.means.ms_ssim for row in rows],
        "encoding_time": [row.encode_seconds for row in rows],
        "decoding_time": [row.decode_seconds for row in rows],
    }
    if None in columns["ms-ssim-rgb"]:
        del columns["ms-ssim-rgb"]
    about = f"{codec.title}, {codec.options}. {results.pictures.label}."
    return {"name": codec.name, "description": about, "results": columns}


def markdown(results: Results) -> str:
    """What a README or a paper takes over: means at the rate targets, BD-rates with their overlap."""
    machine = results.machine
    contended = " Other work ran at the same time: the speeds are too low." if machine.contended else ""
    lines = [
        f"# {_plain(results.pictures.label)}",
        "",
        f"{_plain(machine.cpu)}, {_count(machine.threads, 'thread')}, {_count(machine.workers, 'worker')}, "
        f"{_plain(results.created)}; {_versions(results)}.{contended}",
    ]
    for note in results.notes:
        lines += ["", _plain(note)]
    for note in results.pictures.notes:
        lines += ["", f"Changed before it was measured: {_plain(note)}."]
    if rows := target_rows(results):
        note = f"{TARGETS_NOTE} {INTERPOLATED_NOTE}"
        lines += ["", "## At rate targets", "", note, "", *_table(*_targets(results, rows))]
    for metric in metrics_of(results):
        if matrix := bd_matrix(results, metric.name):
            rule = f"More bits than the anchor at equal quality, PCHIP over log rate, {LOW_BPP:g} to {HIGH_BPP:g} bpp."
            lines += ["", f"## BD-rate by {_plain(metric.label)}", "", rule, "", *_bd_table(results, matrix, metric)]
    for metric in metrics_of(results):
        if table := bd_published(results, metric.name):
            lines += ["", f"## BD-rate by {_plain(metric.label)} against published curves, not measured here", ""]
            lines += _bd_table(results, table, metric)
    if results.published:
        lines += ["", "## Published curves", ""]
        lines += [f"- {_plain(c.title)}: {_plain(c.source)}" for c in results.published]
    if results.failures:
        lines += ["", "## Not measured", ""]
        lines += [
            "- " + _plain(" ".join(part for part in (f.codec, _setting(f.setting), f.picture) if part) + f": {f.error}")
            for f in results.failures
        ]
    return "\n".join(lines) + "\n"


def _targets(results: Results, rows: Sequence[Row]) -> tuple[Sequence[str], Iterable[Sequence[str]]]:
    extra = [m for m in metrics_of(results) if m.name not in ("psnr", "ms_ssim")]
    titles = {codec.name: codec.title for codec in results.codecs}
    head = ["target bpp", "codec", "pictures", "files' bpp", "PSNR (dB)", "MS-SSIM", *(m.label for m in extra)]
    head += ["pooled bpp", "pooled PSNR (dB)", "encode MP/s", "decode MP/s", "interpolated", "above target"]

    def cells(row: Row, mean: Means) -> list[str]:
        qualities = [number(row.means.psnr, 2), number(mean.ms_ssim, 4)]
        qualities += [number(row.value(m.name), m.digits) for m in extra]
        return [
            f"{row.target_bpp:g}", _plain(titles[row.codec]), str(mean.pictures), number(row.file_bpp, 4), *qualities,
            number(mean.pooled_bpp, 4), number(mean.pooled_psnr, 2), speed_text(mean.encode_mps),
            speed_text(mean.decode_mps), str(row.interpolated), str(row.above_target),
        ]  # fmt: skip

    return [_plain(text) for text in head], (cells(row, row.means) for row in rows)


def _bd_table(results: Results, table: dict[tuple[str, str], BdRate | str], metric: Metric) -> list[str]:
    """One pair per line: a matrix with overlaps in its cells would be too wide."""
    titles = {c.name: c.title for c in results.published} | {c.name: c.title for c in results.codecs}
    rows = []
    for (test, anchor), cell in table.items():
        names = (_plain(titles.get(test, test)), _plain(titles.get(anchor, anchor)))
        if isinstance(cell, str):
            rows.append((*names, "refused", _plain(cell), ""))
        else:
            rates = f"{cell.test_bpp[0]:.3f} to {cell.test_bpp[1]:.3f}"
            rows.append((*names, f"{cell.percent:+.1f} %", overlap_text(cell, metric), rates))
    return _table(("codec", "anchor", "BD-rate", "overlap", "codec's bpp there"), rows)


def number(value: float | None, digits: int) -> str:
    """A value for a table: `-` if it is missing, `inf` if it is infinite."""
    if value is None or math.isnan(value):
        return "-"
    return "inf" if math.isinf(value) else f"{value:.{digits}f}"


def overlap_text(cell: BdRate, metric: Metric) -> str:
    """The range of quality that a BD-rate is taken over, in the metric's own unit and direction."""
    digits = 1 if metric.digits == 2 else 3
    low, high = (cell.low_db, cell.high_db) if metric.higher_is_better else (-cell.high_db, -cell.low_db)
    return f"{low:.{digits}f} to {high:.{digits}f} {metric.unit}".rstrip()


def speed_text(megapixels: float) -> str:
    """MP/s with two digits that count, or all before the point."""
    return f"{megapixels:.0f}" if megapixels >= 10 else f"{megapixels:.2g}"


def _versions(results: Results) -> str:
    return _plain(", ".join(f"{name} {version}" for name, version in results.versions.items()))


def _setting(value: float | None) -> str:
    return "" if value is None else f"at {value:g}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line of a table."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
