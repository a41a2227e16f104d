"""The report's page: one HTML file that opens anywhere, offline, and needs no other files than the pictures.

    Results, Shown --_document--> JSON in the page --viewer.js, charts.js, tables.js--> pictures, curves, sorting
                   --page.html (Jinja2, everything escaped)--> means, BD-rates, codecs: also without a script

Style and scripts are written into the page. Its content security policy allows only that script (by its digest) and
pictures: a name from a file or a command line can neither run nor fetch anything. `page_alone` writes the pictures into
the page too, so that it can be sent as one file.
"""

import base64
import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from lpcodec.codec.evaluation.codecs.codec import CodecAbout
from lpcodec.codec.evaluation.metrics.curves import HIGH_BPP, LOW_BPP, BdRate
from lpcodec.codec.evaluation.metrics.metric import Metric
from lpcodec.codec.evaluation.metrics.point import PSNR_CEILING
from lpcodec.codec.evaluation.report.palette import DARK, LIGHT, Style, styles
from lpcodec.codec.evaluation.report.pictures import Shown
from lpcodec.codec.evaluation.report.plots import SHOWN_BPP
from lpcodec.codec.evaluation.report.summary import (
    bd_by_picture,
    bd_matrix,
    bd_published,
    mean_bd,
    metrics_of,
    published_values,
    setting_rows,
    speed,
    target_rows,
    with_dial,
)
from lpcodec.codec.evaluation.report.tables import TARGETS_NOTE, number, overlap_text, speed_text
from lpcodec.codec.evaluation.run.results import Results

PACKAGE = "lpcodec.codec.evaluation.report"
SCRIPTS = ("base.js", "page.js", "viewer.js", "charts.js", "tables.js")  # one scope, in this order
STRONGEST_PERCENT = 60.0  # a BD-rate from here on has the strongest colour
REFERENCES = ("avif", "avif-default", "heic", "webp", "jpeg2000", "jpeg")  # for the order of the pictures
FOR_PSNR, FOR_EYE = ("psnr",), ("ms_ssim", "ssimulacra2")
TUNED = ((("avif", "avif-speed2"), "avif-default"), (("lpcodec", "default"), "default@visual"))
"""Codecs that have versions for PSNR, and the one for the eye."""
KINDS = {".webp": "image/webp", ".png": "image/png"}
MINUS = "\N{MINUS SIGN}"

Table = dict[tuple[str, str], BdRate | str]


def page(results: Results, shown: Sequence[Shown]) -> str:
    """The page's HTML. `shown` are the pictures to look at, with paths relative to the page."""
    return _page(results, shown, alone=False)


def page_alone(results: Results, shown: Sequence[Shown], folder: Path) -> str:
    """The page's HTML with all pictures in it, read from the report's `folder`. Raises OSError if one can't be read."""

    def inside(path: str) -> str:
        if not path:
            return ""
        kind = KINDS.get(Path(path).suffix, "application/octet-stream")
        return f"data:{kind};base64,{base64.b64encode((folder / path).read_bytes()).decode()}"

    def within(s: Shown) -> Shown:
        return replace(s, path=inside(s.path), file=inside(s.file), thumbnail=inside(s.thumbnail))

    return _page(results, [within(s) for s in shown], alone=True)


def _page(results: Results, shown: Sequence[Shown], *, alone: bool) -> str:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_file), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number=number, speed=speed_text)
    script = "".join(_file(name) for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    metrics = metrics_of(results)
    tables = {m.name: bd_matrix(results, m.name) for m in metrics}
    titles = {codec.name: codec.title for codec in results.codecs}
    rows = target_rows(results)
    return environment.get_template("page.html").render(
        results=results,
        created=_date(results.created),
        alone=alone,
        titles=titles,
        metrics=metrics,
        extra=[m for m in metrics if m.name not in ("psnr", "ms_ssim")],
        headline=_headline(results, tables),
        settings=[row for codec in results.codecs for row in setting_rows(results, codec.name)],
        targets=rows,
        targets_note=TARGETS_NOTE if any(row.interpolated for row in rows) else "",
        ceiling=PSNR_CEILING,
        dials=[titles[name] for name in with_dial(results)],
        matrices=[(m, _matrix(results, m, tables[m.name])) for m in metrics if tables[m.name]],
        by_picture=[(m, _by_picture(results, m, ours)) for m in metrics if (ours := _ours(results, m.name))],
        published=[(m, _published(results, m)) for m in metrics if bd_published(results, m.name)],
        bd_range=(LOW_BPP, HIGH_BPP),
        shown_range=SHOWN_BPP,
        palette=list(zip(LIGHT, DARK, strict=True)),
        has_pictures=bool(shown),
        css=_file("base.css") + _file("page.css"),
        script=script,
        digest=digest,
        document=embedded(_document(results, shown, tables)),
    )


def embedded(document: Any) -> str:
    """JSON for a script element: ASCII, without a character that HTML could take for a tag."""
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _file(name: str) -> str:
    return resources.files(PACKAGE).joinpath(name).read_text("utf-8")


def _date(created: str) -> str:
    """An ISO time as people write it, or unchanged if it isn't one."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return created
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def judged_by(codec: str, names: Collection[str]) -> tuple[str, ...]:
    """The metrics by which a codec is a fair peer, if a report has the codecs `names`. AVIF and our default model each
    have a version for PSNR and one for the eye: if a report has both, each counts by what it was made for."""
    for for_psnr, for_eye in TUNED:
        if codec in for_psnr and for_eye in names:
            return FOR_PSNR
        if codec == for_eye and set(for_psnr) & set(names):
            return FOR_EYE
    return FOR_PSNR + FOR_EYE


def _ours(results: Results, metric: str) -> CodecAbout | None:
    """Our first model that has BD-rates and counts by `metric`."""
    rated = with_dial(results)
    return next(
        (c for c in results.codecs if c.kind == "model" and c.name in rated and metric in judged_by(c.name, rated)),
        None,
    )


def _looked_at(results: Results) -> str:
    """The name of our model that is shown first: the first one for the eye, or the first; empty if there is none."""
    names = [codec.name for codec in results.codecs if codec.kind == "model"]
    return next((name for name in names if set(FOR_EYE) <= set(judged_by(name, names))), "".join(names[:1]))


def _headline(results: Results, tables: Mapping[str, Table]) -> dict[str, Any] | None:
    """What our first model needs against each other codec; None if there is no such model.

    By PSNR that is the model for PSNR, by other metrics the one for the eye; `for_psnr` is its title if it is another.
    """
    titles, names = {codec.name: codec.title for codec in results.codecs}, with_dial(results)
    ours = {m.name: about for m in metrics_of(results) if (about := _ours(results, m.name))}
    if not ours:
        return None
    against = []
    for anchor in names:
        figures = [
            (m.title, _cell(cell, m))
            for m in metrics_of(results)
            if m.name in ours and m.name in judged_by(anchor, names)
            if isinstance(cell := tables[m.name].get((ours[m.name].name, anchor)), BdRate)
        ]
        if figures:
            against.append((titles[anchor], figures))
    eye = ours[list(ours)[-1]].title  # PSNR is the first metric of a report
    psnr = ours["psnr"].title if "psnr" in ours else eye
    return {"title": eye, "for_psnr": psnr if psnr != eye else "", "against": against} if against else None


def _by_picture(results: Results, metric: Metric, ours: CodecAbout) -> dict[str, Any]:
    """The BD-rate of one of our models on each picture (rows) against every other codec (columns), and the means."""
    anchors = [codec for codec in results.codecs if codec.name in with_dial(results) and codec != ours]
    columns = [bd_by_picture(results, metric.name, ours.name, anchor.name) for anchor in anchors]
    rows = []
    for picture in results.pictures.pictures:
        cells = [column.get(picture.name, "not measured") for column in columns]
        rows.append((picture.name, [_cell(cell, metric) for cell in cells]))
    means = [(f"{mean[0]:+.1f} %".replace("-", MINUS), mean[1]) if (mean := mean_bd(c)) else None for c in columns]
    return {"ours": ours.title, "columns": [anchor.title for anchor in anchors], "rows": rows, "means": means}


def _matrix(results: Results, metric: Metric, table: Table) -> list[tuple[str, list[dict[str, Any] | None]]]:
    """Rows of the matrix: a title and a cell for each column, None on the diagonal."""
    titles, dials = {codec.name: codec.title for codec in results.codecs}, with_dial(results)
    return [
        (titles[test], [_cell(table[test, anchor], metric) if test != anchor else None for anchor in dials])
        for test in dials
    ]


def _published(results: Results, metric: Metric) -> dict[str, Any]:
    """Measured codecs (rows) against published curves (columns)."""
    table, titles = bd_published(results, metric.name), {codec.name: codec.title for codec in results.codecs}
    columns = [curve for curve in results.published if any(name == curve.name for _, name in table)]
    rows = [
        (titles[test], [_cell(table[test, curve.name], metric) for curve in columns]) for test in with_dial(results)
    ]
    return {"columns": [curve.title for curve in columns], "rows": rows}


def _cell(value: BdRate | str, metric: Metric) -> dict[str, Any]:
    if isinstance(value, str):
        return {"refused": value}
    return {
        "percent": value.percent,
        "text": f"{value.percent:+.1f} %".replace("-", MINUS),
        "strength": round(min(abs(value.percent), STRONGEST_PERCENT) / STRONGEST_PERCENT * 100),
        "overlap": overlap_text(value, metric),
        "rates": f"{value.test_bpp[0]:.2f} to {value.test_bpp[1]:.2f} bpp",
    }


def _document(results: Results, shown: Sequence[Shown], tables: Mapping[str, Table]) -> dict[str, Any]:
    """What the scripts draw from."""
    measured, published = styles(results)
    listed = metrics_of(results)
    return {
        "metrics": [
            {"key": m.name, "title": m.label, "digits": m.digits, "rising": m.higher_is_better} for m in listed
        ],
        "range": SHOWN_BPP,
        "codecs": [
            {
                "name": c.name,
                "title": c.title,
                "peer": c.kind != "model",
                **_style(measured[c.name]),
                "speed": _rounded(speed(results, c.name)),
                "points": [
                    {
                        "setting": row.means.setting,
                        "pictures": row.means.pictures,
                        "bpp": _rounded(row.means.bpp),
                        "values": {m.name: _rounded(row.value(m.name)) for m in listed},
                    }
                    for row in setting_rows(results, c.name)
                ],
            }
            for c in results.codecs
        ],
        "published": [
            {
                "title": c.title,
                **_style(published[c.name]),
                "values": {m.name: _rounded(published_values(c, m.name)) for m in listed},
            }
            for c in results.published
        ],
        "bd": {
            metric: [[t, a, _rounded(cell.percent)] for (t, a), cell in table.items() if isinstance(cell, BdRate)]
            for metric, table in tables.items()
        },
        "dials": with_dial(results),
        "pictures": [[p.name, p.width, p.height] for p in results.pictures.pictures],
        "targets": results.targets(),
        "rows": _rows(results, listed),
        "shown": [
            [s.picture, s.codec, *_rounded([s.near_bpp, s.bpp, s.psnr]), s.path, s.bytes, _rounded(s.ms_ssim), s.file]
            for s in shown
        ],
        "thumbnails": {s.picture: s.thumbnail for s in shown if s.thumbnail},
        "ours": _looked_at(results),
        "ranks": _ranks(results),
    }


def _ranks(results: Results) -> dict[str, Any] | None:
    """How our model does on each picture: its BD-rate against the first usual peer, by SSIMULACRA 2 or else by PSNR."""
    listed = {metric.name: metric.title for metric in metrics_of(results)}
    metric = "ssimulacra2" if "ssimulacra2" in listed else "psnr"
    ours, dials = _ours(results, metric), with_dial(results)
    reference = next((name for name in REFERENCES if name in dials and metric in judged_by(name, dials)), None)
    if ours is None or reference is None:
        return None
    cells = bd_by_picture(results, metric, ours.name, reference)
    percent = {name: _rounded(cell.percent) for name, cell in cells.items() if isinstance(cell, BdRate)}
    title = next(c.title for c in results.codecs if c.name == reference)
    return {"ours": ours.title, "title": title, "metric": listed.get(metric, "PSNR"), "percent": percent}


def _rows(results: Results, listed: Sequence[Metric]) -> list[list[Any]]:
    """A list for each point: codec, picture, setting, target, bpp, bytes, encode and decode MP/s, metrics.

    MS-SSIM is linear here, as papers print that of a picture.
    """
    codecs = {codec.name: i for i, codec in enumerate(results.codecs)}
    pictures = {picture.name: i for i, picture in enumerate(results.pictures.pictures)}
    rows = []
    for p in (*results.points, *results.target_points):
        if p.codec in codecs and p.image in pictures:
            speeds = [p.pixels / 1e6 / max(seconds, 1e-9) for seconds in (p.encode_seconds, p.decode_seconds)]
            values = {**p.others, "psnr": p.psnr, "ms_ssim": p.ms_ssim}
            row = [p.setting, p.target_bpp, p.bpp, p.bytes, *speeds, *(values.get(m.name) for m in listed)]
            rows.append([codecs[p.codec], pictures[p.image], *_rounded(row)])
    return rows


def _style(style: Style) -> dict[str, Any]:
    return {"color": style.color, "marker": style.marker, "strong": style.strong}


def _rounded(value: Any) -> Any:
    """Floats with six significant digits, infinite ones as "inf", in lists and tuples too."""
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else "inf"
