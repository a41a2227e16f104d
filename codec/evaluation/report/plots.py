"""The report's curves as figures for papers and READMEs: one PNG and one SVG for each of PSNR and MS-SSIM.

    Results --draw--> curves-psnr.png, curves-psnr.svg, curves-ms-ssim.png, curves-ms-ssim.svg

Measured curves are lines through the means at fixed settings, ours strongest; a model with one fixed rate is a star;
published curves are dotted. Rates from 0.05 to 2 bpp are shown. The legend is below the axes, so that it never
covers a curve. Nothing of matplotlib's global state is used or changed.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lpcodec.codec.atomic import write_whole
from lpcodec.codec.evaluation.report.palette import LIGHT, Style, styles
from lpcodec.codec.evaluation.report.summary import published_values, setting_rows
from lpcodec.codec.evaluation.run.results import Results

WIDTH = 6.4  # inches; at 150 dpi 960 pixels, of which a phone shows about 390: hence the large letters
AXES_HEIGHT, LEGEND_ROW = 4.6, 0.27
DPI = 150
LONGEST_NAME = 48  # characters of a legend's line
MARKERS = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D", "down": "v", "cross": "X"}
STEPS = (1, 1.5, 2, 3, 4, 6, 8)  # ticks of the rate, times powers of ten
FEWEST_TICKS, MOST_TICKS = 5, 8
SHOWN_BPP = (0.05, 2.0)  # further out nobody compares, and it would take half the figure


@dataclass(frozen=True)
class Line:
    """One curve as drawn: bpp and dB of its points, both finite."""

    title: str
    points: tuple[tuple[float, float], ...]
    style: Style


def draw(results: Results, out: Path) -> list[Path]:
    """Writes the figures into `out`; MS-SSIM's only if some codec has it. Raises OSError."""
    written = []
    for metric, label in (("psnr", "PSNR (dB)"), ("ms_ssim", "MS-SSIM (dB)")):
        lines = _lines(results, metric)
        if any(not line.style.dotted for line in lines):
            stem = out / ("curves-psnr" if metric == "psnr" else "curves-ms-ssim")
            written += _figure(lines, results.pictures.label, label, stem)
    return written


def _lines(results: Results, metric: str) -> list[Line]:
    measured, published = styles(results)
    lines = []
    for codec in results.codecs:
        values = [(row.means.bpp, row.value(metric)) for row in setting_rows(results, codec.name)]
        lines.append(Line(codec.title, _finite(values), measured[codec.name]))
    for curve in results.published:
        values = [*published_values(curve, metric)]
        lines.append(Line(f"{curve.title} (published)", _finite(values), published[curve.name]))
    return [line for line in lines if line.points]


def _finite(values: Sequence[tuple[float, float | None]]) -> tuple[tuple[float, float], ...]:
    return tuple((rate, y) for rate, y in values if y is not None and math.isfinite(y) and rate > 0)


def _figure(lines: Sequence[Line], title: str, label: str, stem: Path) -> list[Path]:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = 2 if max(len(line.title) for line in lines) <= 24 else 1
    legend_height = LEGEND_ROW * math.ceil(len(lines) / columns) + 0.15
    # The hash salt makes the SVG's ids, and so the file, the same in every run.
    with mpl.rc_context({"svg.hashsalt": "lpcodec", "text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # names may be in any script
        figure = Figure(figsize=(WIDTH, AXES_HEIGHT + legend_height), layout="constrained")
        FigureCanvasAgg(figure)
        axis = figure.add_subplot()
        handles = [axis.plot(*zip(*line.points, strict=True), **_look(line))[0] for line in lines]
        _dress(axis, lines, _wrapped(title), label)
        names = [_in_legend(line.title) for line in lines]
        figure.legend(
            handles, names, loc="outside lower center", ncols=columns, fontsize=12, frameon=False, handlelength=2.4,
            labelspacing=0.3, columnspacing=1.4,
        )  # fmt: skip
        paths = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
        write_whole(paths[0], lambda stream: figure.savefig(stream, format="png", dpi=DPI))
        write_whole(paths[1], lambda stream: figure.savefig(stream, format="svg", metadata={"Date": None}))
    return paths


def _look(line: Line) -> Mapping[str, Any]:
    style = line.style
    look: dict[str, Any] = {"color": LIGHT[style.color], "marker": MARKERS[style.marker], "lw": 1.7, "ms": 5}
    if style.strong:
        look |= {"lw": 3.4, "ms": 7.5, "zorder": 4}
    if style.dotted:
        look |= {"ls": ":", "lw": 2, "ms": 4, "mfc": "white", "zorder": 1.9}
    elif len(line.points) == 1:
        look |= {"ls": "none", "marker": "*", "ms": 15}
    return look


def _dress(axis: Any, lines: Sequence[Line], title: str, label: str) -> None:
    # What others printed may reach further than what was measured here: it doesn't decide the range.
    own = [point for line in lines if not line.style.dotted for point in line.points]
    own = [(rate, value) for rate, value in own if SHOWN_BPP[0] <= rate <= SHOWN_BPP[1]] or own
    rates, values = [rate for rate, _ in own], [value for _, value in own]
    low, high = min(rates) / 1.12, max(rates) * 1.12
    room = max(0.05 * (max(values) - min(values)), 0.3)
    axis.set_xscale("log")
    axis.set_xlim(low, high)
    axis.set_ylim(min(values) - room, max(values) + room)
    ticks = rate_ticks(low, high)
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlabel("bits per pixel (log scale)", fontsize=14)
    axis.set_ylabel(label, fontsize=14)
    axis.set_title(title, fontsize=14)
    axis.tick_params(labelsize=13)
    axis.grid(True, color="0.88", lw=0.8)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def rate_ticks(low: float, high: float) -> list[float]:
    """Round rates within a range of a log axis, few enough that their labels keep apart."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 10), (1, 3), (1, 2, 5), (1, 2, 4, 6), STEPS):
        ticks = sorted({round(step * 10.0**power, 12) for power in powers for step in steps})
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= FEWEST_TICKS:
            return ticks[:: math.ceil(len(ticks) / MOST_TICKS)]
    return ticks


def _in_legend(title: str) -> str:
    short = title if len(title) <= LONGEST_NAME else title[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return f" {short}" if short.startswith("_") else short  # matplotlib leaves out what begins with "_"


def _wrapped(title: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(title, 52))
