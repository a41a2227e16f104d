"""The figures of a report, made from its points: means, curves, speeds and BD-rates.

    Results --setting_rows / target_rows--> Rows (means over pictures) --> page, plots, tables
            --bd_matrix / bd_published--> a BD-rate, or why it is refused, for each pair --> page, tables
            --bd_by_picture / mean_bd--> the same for each picture, and their mean --> page, tables
            --derived--> the same figures, ready for results.json

If points are missing, a codec's means are over the pictures that it has at every one of its settings, and a BD-rate is
over the pictures that both codecs have: a picture never counts at one end of a curve alone. A BD-rate is that of the
mean curves; for sets of very different pictures (screens) the mean of the pictures' own BD-rates is given beside it.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from lpcodec.codec.evaluation.metrics.curves import HIGH_BPP, LOW_BPP, BdRate, Curve, bd_rate, mean_curve
from lpcodec.codec.evaluation.metrics.distortion import ms_ssim_db
from lpcodec.codec.evaluation.metrics.extra_metrics import metric_named
from lpcodec.codec.evaluation.metrics.metric import MS_SSIM, PSNR, Metric
from lpcodec.codec.evaluation.metrics.point import Means, Point, means
from lpcodec.codec.evaluation.report.targets import interpolated
from lpcodec.codec.evaluation.run.results import PublishedCurve, Results

ABOVE = 1.0005  # a file above this share of its rate target exceeds it


@dataclass(frozen=True)
class Row:
    """Means of one codec at one setting, or at one rate target, over its pictures.

    Seconds are means per picture. At a target, `above_target` counts the pictures whose smallest file is above it;
    `interpolated` counts those whose values were interpolated between a file below and one above (targets.py), and
    `file_bpp` is the mean rate of the real files, none of them above the target if another is below.
    """

    means: Means
    encode_seconds: float
    decode_seconds: float
    target_bpp: float | None = None
    above_target: int | None = None
    interpolated: int = 0
    file_bpp: float | None = None

    @property
    def codec(self) -> str:
        return self.means.codec

    def value(self, metric: str) -> float | None:
        """The mean as curves show it (MS-SSIM in dB); None if it is missing or infinite (nothing was lost)."""
        named = {"psnr": self.means.psnr, "ms_ssim": self.means.ms_ssim_db}
        value = named[metric] if metric in named else self.means.others.get(metric)
        return value if value is not None and math.isfinite(value) else None


def metrics_of(results: Results) -> tuple[Metric, ...]:
    """PSNR, MS-SSIM in dB if some picture has it, then the extra metrics by name."""
    points = [*results.points, *results.target_points]
    basic = (PSNR, MS_SSIM) if any(p.ms_ssim is not None for p in points) else (PSNR,)
    return (*basic, *(metric_named(name) for name in sorted({name for p in points for name in p.others})))


def setting_rows(results: Results, codec: str) -> list[Row]:
    """A codec's means at each of its fixed settings, by rising rate, over the pictures that all of them have."""
    groups = _complete_settings(results.of(codec))
    return sorted((_row(group) for group in groups), key=lambda row: row.means.bpp)


def target_rows(results: Results) -> list[Row]:
    """Means at each rate target, by target and then in the order of the codecs."""
    groups: dict[tuple[float, str], list[Point]] = defaultdict(list)
    for point in results.target_points:
        if point.target_bpp is not None:
            groups[point.target_bpp, point.codec].append(point)
    order = [(target, codec.name) for target in results.targets() for codec in results.codecs]
    return [_target_row(groups[key], key[0]) for key in order if key in groups]


def _target_row(points: Sequence[Point], target: float) -> Row:
    files = [p for p in points if not p.above]
    above = {p.image: p for p in points if p.above}
    values = [interpolated(p, above[p.image], target) if p.image in above else p for p in files]
    return replace(
        _row(values),
        target_bpp=target,
        above_target=sum(p.bpp > target * ABOVE for p in files),
        interpolated=sum(p.image in above for p in files),
        file_bpp=means(files).bpp,
    )


def speed(results: Results, codec: str) -> tuple[float, float] | None:
    """Encode and decode MP/s: all pixels over all seconds at the fixed settings within 0.1 to 1.2 bpp (at all of them
    if none is within); None for a codec without points."""
    groups = _complete_settings(results.of(codec))
    within = [group for group in groups if LOW_BPP <= means(group).bpp <= HIGH_BPP] or groups
    points = [point for group in within for point in group]
    if not points:
        return None
    pixels = sum(p.pixels for p in points) / 1e6
    encode, decode = sum(p.encode_seconds for p in points), sum(p.decode_seconds for p in points)
    return pixels / max(encode, 1e-9), pixels / max(decode, 1e-9)


def with_dial(results: Results) -> list[str]:
    """The codecs that can have a BD-rate: those with a dial, and points."""
    return [c.name for c in results.codecs if c.has_dial and results.of(c.name)]


def bd_matrix(results: Results, metric: str) -> dict[tuple[str, str], BdRate | str]:
    """Each codec with a dial against each other, by (test, anchor): the BD-rate, or why there is none."""
    groups = {name: _complete_settings(results.of(name)) for name in with_dial(results)}
    images = {name: _images(group) for name, group in groups.items()}
    curves: dict[tuple[str, frozenset[str]], Curve] = {}

    def curve(name: str, common: frozenset[str]) -> Curve:
        if (name, common) not in curves:
            points = [p for group in groups[name] for p in group if p.image in common]
            curves[name, common] = mean_curve(points, name)
        return curves[name, common]

    table: dict[tuple[str, str], BdRate | str] = {}
    for test in groups:
        for anchor in groups:
            common = images[test] & images[anchor]
            if test != anchor and common:
                table[test, anchor] = _bd_or_reason(curve(anchor, common), curve(test, common), metric)
            elif test != anchor:
                table[test, anchor] = "no pictures in common"
    return table


def bd_by_picture(results: Results, metric: str, test: str, anchor: str) -> dict[str, BdRate | str]:
    """The BD-rate of one codec against another on each picture that both have, or why there is none."""
    groups = [_complete_settings(results.of(name)) for name in (test, anchor)]
    common = _images(groups[0]) & _images(groups[1])
    found: dict[str, BdRate | str] = {}
    for picture in results.pictures.pictures:
        if picture.name in common:
            tested, anchored = ([p for g in group for p in g if p.image == picture.name] for group in groups)
            found[picture.name] = _bd_or_reason(mean_curve(anchored, anchor), mean_curve(tested, test), metric)
    return found


def mean_bd(by_picture: Mapping[str, BdRate | str]) -> tuple[float, int] | None:
    """The mean of the pictures' own BD-rates in percent, and how many pictures have one; None if none has."""
    figures = [cell.percent for cell in by_picture.values() if isinstance(cell, BdRate)]
    return (sum(figures) / len(figures), len(figures)) if figures else None


def bd_published(results: Results, metric: str) -> dict[tuple[str, str], BdRate | str]:
    """Each codec with a dial against each published curve, by (codec, published name). Empty for a subset, whose
    pictures are not those of the published means."""
    if results.pictures.partial:
        return {}
    table: dict[tuple[str, str], BdRate | str] = {}
    for published in results.published:
        if not published_values(published, metric):
            continue
        anchor = _published_curve(published, len(results.pictures.pictures))
        for name in with_dial(results):
            groups = _complete_settings(results.of(name))
            if len(_images(groups)) < len(results.pictures.pictures):
                table[name, published.name] = "not measured on every picture"
            else:
                points = [p for group in groups for p in group]
                table[name, published.name] = _bd_or_reason(anchor, mean_curve(points, name), metric)
    return table


def published_values(curve: PublishedCurve, metric: str) -> list[tuple[float, float]]:
    """(bpp, value) of a published curve by rising rate, for PSNR and MS-SSIM in dB; none for what wasn't printed."""
    if metric == "psnr":
        return sorted(zip(curve.bpp, curve.psnr, strict=True))
    if metric == "ms_ssim" and curve.ms_ssim is not None:
        return sorted((rate, ms_ssim_db(value)) for rate, value in zip(curve.bpp, curve.ms_ssim, strict=True))
    return []


def derived(results: Results) -> dict[str, Any]:
    """Means and BD-rates ready for `results.save`; what is infinite becomes null.

    BD-rates of single pictures are those of our models against every other codec.
    """
    metrics = [metric.name for metric in metrics_of(results)]
    rated = with_dial(results)
    models = [c.name for c in results.codecs if c.kind == "model" and c.name in rated]
    pairs = [(test, anchor) for test in models for anchor in rated if test != anchor]
    by_picture = {(m, *pair): bd_by_picture(results, m, *pair) for m in metrics for pair in pairs}
    return {
        "means": [_json_row(row) for codec in results.codecs for row in setting_rows(results, codec.name)],
        "target_means": [_json_row(row) for row in target_rows(results)],
        "bd_rates": [_json_bd(pair, m, cell) for m in metrics for pair, cell in bd_matrix(results, m).items()],
        "bd_rates_published": [
            _json_bd(pair, m, cell) for m in metrics for pair, cell in bd_published(results, m).items()
        ],
        "bd_rates_by_picture": [_json_by_picture(*key, cells) for key, cells in by_picture.items()],
    }


def _json_by_picture(metric: str, test: str, anchor: str, cells: Mapping[str, BdRate | str]) -> dict[str, Any]:
    mean = mean_bd(cells)
    return {
        "test": test,
        "anchor": anchor,
        "metric": metric,
        "mean_percent": mean and mean[0],
        "pictures": mean[1] if mean else 0,
        "percent": {name: cell.percent if isinstance(cell, BdRate) else None for name, cell in cells.items()},
    }


def _complete_settings(points: Sequence[Point]) -> list[list[Point]]:
    """Points by setting, of the pictures that every setting has."""
    by_setting: dict[float, list[Point]] = defaultdict(list)
    for point in points:
        by_setting[point.setting].append(point)
    sets = [{p.image for p in group} for group in by_setting.values()]
    common: Collection[str] = set.intersection(*sets) if sets else ()
    return [[p for p in group if p.image in common] for group in by_setting.values() if common]


def _images(groups: Sequence[Sequence[Point]]) -> frozenset[str]:
    return frozenset(p.image for group in groups for p in group)


def _row(points: Sequence[Point]) -> Row:
    count = len(points)
    return Row(
        means=means(points),
        encode_seconds=sum(p.encode_seconds for p in points) / count,
        decode_seconds=sum(p.decode_seconds for p in points) / count,
    )


def _bd_or_reason(anchor: Curve, test: Curve, metric: str) -> BdRate | str:
    try:
        return bd_rate(anchor, test, metric)
    except ValueError as error:
        # The cell says which two codecs these are; what is left is the reason, without its lists of numbers.
        before, bracket, reason = str(error).rpartition(" bpp): ")
        return reason if bracket else before or reason.partition(": [")[0]


def _published_curve(published: PublishedCurve, pictures: int) -> Curve:
    similarities: Sequence[float | None] = published.ms_ssim or [None] * len(published.bpp)
    rows = zip(published.bpp, published.psnr, similarities, strict=True)
    return Curve(
        published.name,
        tuple(
            Means(published.name, None, pictures, rate, psnr, similarity, rate, psnr, math.nan, math.nan)
            for rate, psnr, similarity in sorted(rows, key=lambda row: row[0])
        ),
    )


def _json_row(row: Row) -> dict[str, Any]:
    values = {
        **asdict(row.means),
        "ms_ssim_db": row.means.ms_ssim_db,
        "encode_seconds": row.encode_seconds,
        "decode_seconds": row.decode_seconds,
    }
    if row.target_bpp is not None:
        values |= {"target_bpp": row.target_bpp, "above_target": row.above_target}
        values |= {"interpolated": row.interpolated, "file_bpp": row.file_bpp}
    return {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in values.items()}


def _json_bd(pair: tuple[str, str], metric: str, cell: BdRate | str) -> dict[str, Any]:
    row = {"test": pair[0], "anchor": pair[1], "metric": metric}
    return row | ({"refused": cell} if isinstance(cell, str) else asdict(cell))
