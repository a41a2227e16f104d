"""The report's page: one HTML file that opens anywhere, offline, with nothing beside it but the pictures.

    Results, Shown --_document--> JSON in the page --charts.js, tables.js, viewer.js--> curves, per-image table, slider
                   --page.html (Jinja2, everything escaped)--> means, BD-rates, codecs: there without a script, too

Style and scripts are written into the page. Its content security policy allows only that script (by its digest) and
pictures: a name from a file or a command line can neither run nor fetch anything.
"""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from lpcodec.codec.evaluation.metrics.curves import HIGH_BPP, LOW_BPP, BdRate
from lpcodec.codec.evaluation.metrics.metric import Metric
from lpcodec.codec.evaluation.report.palette import DARK, LIGHT, Style, styles
from lpcodec.codec.evaluation.report.pictures import Shown
from lpcodec.codec.evaluation.report.plots import SHOWN_BPP
from lpcodec.codec.evaluation.report.summary import (
    bd_matrix,
    bd_published,
    metrics_of,
    published_values,
    setting_rows,
    speed,
    target_rows,
    with_dial,
)
from lpcodec.codec.evaluation.report.tables import number, overlap_text, speed_text
from lpcodec.codec.evaluation.run.results import Results

PACKAGE = "lpcodec.codec.evaluation.report"
SCRIPTS = ("page.js", "charts.js", "tables.js", "viewer.js")  # one scope, in this order
STRONGEST_PERCENT = 60.0  # a BD-rate from here on has the strongest colour

Table = dict[tuple[str, str], BdRate | str]


def page(results: Results, shown: Sequence[Shown]) -> str:
    """The page's HTML. `shown` are the pictures for the slider, with paths relative to the page."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_file), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number=number, speed=speed_text)
    script = "".join(_file(name) for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    tables = {m.name: bd_matrix(results, m.name) for m in metrics_of(results)}
    titles = {codec.name: codec.title for codec in results.codecs}
    return environment.get_template("page.html").render(
        results=results,
        titles=titles,
        metrics=metrics_of(results),
        extra=[m for m in metrics_of(results) if m.name not in ("psnr", "ms_ssim")],
        headline=_headline(results, tables),
        settings=[row for codec in results.codecs for row in setting_rows(results, codec.name)],
        targets=target_rows(results),
        dials=[titles[name] for name in with_dial(results)],
        matrices=[(m, _matrix(results, m, tables[m.name])) for m in metrics_of(results) if tables[m.name]],
        published=[(m, _published(results, m)) for m in metrics_of(results) if bd_published(results, m.name)],
        bd_range=(LOW_BPP, HIGH_BPP),
        shown_range=SHOWN_BPP,
        palette=list(zip(LIGHT, DARK, strict=True)),
        has_pictures=bool(shown),
        css=_file("page.css"),
        script=script,
        digest=digest,
        document=embedded(_document(results, shown, tables)),
    )


def embedded(document: Any) -> str:
    """JSON that may stand in a script element: ASCII, without a character that HTML could take for a tag."""
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _file(name: str) -> str:
    return resources.files(PACKAGE).joinpath(name).read_text("utf-8")


def _headline(results: Results, tables: Mapping[str, Table]) -> dict[str, Any] | None:
    """What our first model needs against each other codec; None where there is no such model."""
    dials = with_dial(results)
    ours = next((c for c in results.codecs if c.kind == "model" and c.name in dials), None)
    if ours is None:
        return None
    titles = {codec.name: codec.title for codec in results.codecs}
    against = []
    for anchor in dials:
        found = [
            (m, tables[m.name].get((ours.name, anchor))) for m in metrics_of(results) if m.name in ("psnr", "ms_ssim")
        ]
        if any(isinstance(cell, BdRate) for _, cell in found):
            figures = [(m.label.split(" (")[0], _cell(cell, m)) for m, cell in found if isinstance(cell, BdRate)]
            against.append((titles[anchor], figures))
    return {"title": ours.title, "against": against} if against else None


def _matrix(results: Results, metric: Metric, table: Table) -> list[tuple[str, list[dict[str, Any] | None]]]:
    """Rows of the matrix: a title and a cell for each column, None on the diagonal."""
    titles, dials = {codec.name: codec.title for codec in results.codecs}, with_dial(results)
    return [
        (titles[test], [_cell(table[test, anchor], metric) if test != anchor else None for anchor in dials])
        for test in dials
    ]


def _published(results: Results, metric: Metric) -> dict[str, Any]:
    """MeasuredCodec codecs (rows) against published curves (columns)."""
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
        "text": f"{value.percent:+.1f} %".replace("-", "\N{MINUS SIGN}"),
        "strength": round(min(abs(value.percent), STRONGEST_PERCENT) / STRONGEST_PERCENT * 100),
        "overlap": overlap_text(value, metric),
        "rates": f"{value.test_bpp[0]:.2f} to {value.test_bpp[1]:.2f} bpp",
    }


def _document(results: Results, shown: Sequence[Shown], tables: Mapping[str, Table]) -> dict[str, Any]:
    """What the scripts draw from."""
    measured, published = styles(results)
    listed = metrics_of(results)
    return {
        "measures": [
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
        "shown": [[s.picture, s.codec, _rounded(s.near_bpp), _rounded(s.bpp), _rounded(s.psnr), s.path] for s in shown],
    }


def _rows(results: Results, listed: Sequence[Metric]) -> list[list[Any]]:
    """A list for each point: codec, picture, setting, target, bpp, bytes, encode and decode MP/s, measures.

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
    """Floats with six digits that count, infinite ones as "inf", in lists and tuples too."""
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else "inf"
