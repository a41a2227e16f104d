"""Rate-distortion curves and the BD-rate between two of them.

    points --mean_curve--> Curve (means at each fixed setting) --bd_rate(anchor, test, metric)--> BdRate

A BD-rate is the mean difference of log rate at equal quality, as a percentage: how many more bits `test` needs than
`anchor` (Bjontegaard, VCEG-M33, 2001). Both curves are interpolated by PCHIP over log rate (the `bjontegaard` package).
They are compared over the range of quality that both reach within a range of rates: from the better of the two at its
low end to the worse of the two at its high end. That range is part of the figure and always returned with it. If it is
too narrow to mean anything, the figure is refused. A metric is `psnr`, `ms_ssim` (in dB), or the name of an extra
metric (extra_metrics.py), whose values are in its own unit, negated if lower is better; `low_db` and `high_db` are then
in that unit.

A setting that another setting of the same codec beats in both rate and quality is not part of its curve, because nobody
would choose it. Codecs that store a picture losslessly if that is smaller have such settings.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lpcodec.codec.evaluation.metrics.extra_metrics import metric_named
from lpcodec.codec.evaluation.metrics.point import Means, Point, means

LOW_BPP, HIGH_BPP = 0.1, 1.2
FEWEST_POINTS = 3
INTERPOLATION = "pchip"


class OverlapError(ValueError):
    """Two curves share too little quality, or too few points there, for a BD-rate to mean anything."""


@dataclass(frozen=True)
class Curve:
    """A codec's means at several settings, in rising order of rate."""

    codec: str
    means: tuple[Means, ...]

    def rates(self) -> list[float]:
        """Mean bpp of each setting."""
        return [m.bpp for m in self.means]

    def qualities(self, metric: str) -> list[float]:
        """Mean PSNR, mean MS-SSIM in dB, or mean of an extra metric (negated if lower is better), of each setting.
        ValueError if it is missing, because pictures were too small or it wasn't asked for."""
        if metric == "psnr":
            return [m.psnr for m in self.means]
        if metric == "ms_ssim":
            values = [m.ms_ssim_db for m in self.means]
        else:
            sign = 1 if metric_named(metric).higher_is_better else -1
            values = [sign * m.others[metric] if metric in m.others else None for m in self.means]
        if None in values:
            name = "MS-SSIM" if metric == "ms_ssim" else metric
            raise ValueError(f"the curve of {self.codec} has no {name} (not measured, or pictures too small)")
        return [value for value in values if value is not None]


@dataclass(frozen=True)
class BdRate:
    """`percent` more bits for `test` than for `anchor` at equal quality between `low_db` and `high_db`.

    `anchor_bpp` and `test_bpp` are the rates at which each codec reaches those two qualities.
    """

    anchor: str
    test: str
    metric: str
    percent: float
    low_db: float
    high_db: float
    anchor_bpp: tuple[float, float]
    test_bpp: tuple[float, float]

    def __str__(self) -> str:
        about = metric_named(self.metric)
        unit = f" {about.unit}" if about.unit else ""
        return (
            f"{self.percent:+.1f} % ({self.metric}, {INTERPOLATION} over log rate, "
            f"{self.low_db:.3g} to {self.high_db:.3g}{unit}, {self.anchor}: {_span(self.anchor_bpp)} bpp, "
            f"{self.test}: {_span(self.test_bpp)} bpp)"
        )


def mean_curve(points: Iterable[Point], codec: str) -> Curve:
    """The curve of one codec: at each of its settings the mean over the pictures.

    A setting that lacks a picture which others have (coding it failed) is left out, because its mean would be that of
    another set. Raises ValueError if no setting is left.
    """
    by_setting: dict[float, list[Point]] = defaultdict(list)
    for point in points:
        if point.codec == codec:
            by_setting[point.setting].append(point)
    pictures = {p.image for group in by_setting.values() for p in group}
    whole = [group for group in by_setting.values() if {p.image for p in group} == pictures]
    if not whole:
        raise ValueError(f"{codec} needs a setting with points of all its pictures")
    return Curve(codec, tuple(sorted((means(group) for group in whole), key=lambda m: m.bpp)))


def bd_rate(
    anchor: Curve, test: Curve, metric: str = "psnr", low_bpp: float = LOW_BPP, high_bpp: float = HIGH_BPP
) -> BdRate:
    """The BD-rate of `test` against `anchor` over what they share between `low_bpp` and `high_bpp`.

    Raises OverlapError if they share less than the metric's smallest overlap (2 dB), or if either has fewer than 3
    points there.
    """
    if not 0 < low_bpp < high_bpp:
        raise ValueError(f"rates must rise from above 0, not from {low_bpp} to {high_bpp}")
    curves = [_rising(curve, metric) for curve in (anchor, test)]
    (anchor_rates, anchor_dbs), (test_rates, test_dbs) = curves
    names = f"{test.codec} against {anchor.codec} ({metric}, {low_bpp:g} to {high_bpp:g} bpp)"
    if min(len(anchor_rates), len(test_rates)) < FEWEST_POINTS:
        raise OverlapError(f"{names}: a curve has fewer than {FEWEST_POINTS} points")
    if max(anchor_rates[0], test_rates[0], low_bpp) >= min(anchor_rates[-1], test_rates[-1], high_bpp):
        raise OverlapError(f"{names}: no rates in common")
    if max(anchor_dbs[0], test_dbs[0]) >= min(anchor_dbs[-1], test_dbs[-1]):
        raise OverlapError(f"{names}: no quality in common")

    quality_at = _interpolators(curves, of_rate=True)
    ends = [
        [float(at(math.log10(min(max(rate, rates[0]), rates[-1])))) for rate in (low_bpp, high_bpp)]
        for at, (rates, _) in zip(quality_at, curves, strict=True)
    ]
    low_db, high_db = max(low for low, _ in ends), min(high for _, high in ends)
    about = metric_named(metric)
    least, unit = about.smallest_overlap, f" {about.unit}" if about.unit else ""
    if high_db - low_db < least:
        shared = max(0.0, high_db - low_db)
        raise OverlapError(f"{names}: only {shared:.2f}{unit} in common, {least:g}{unit} are needed")
    for curve, (_, dbs) in zip((anchor, test), curves, strict=True):
        inside = sum(low_db - 1e-9 <= db <= high_db + 1e-9 for db in dbs)
        if inside < FEWEST_POINTS:
            there = f"only {inside} points of {curve.codec} in that range"
            raise OverlapError(f"{names}: {there}, {FEWEST_POINTS} are needed")

    anchor_log, test_log = _interpolators(curves, of_rate=False)
    area = test_log.integrate(low_db, high_db) - anchor_log.integrate(low_db, high_db)
    percent = 100 * (10 ** (float(area) / (high_db - low_db)) - 1)
    spans = [(10 ** float(f(low_db)), 10 ** float(f(high_db))) for f in (anchor_log, test_log)]
    return BdRate(anchor.codec, test.codec, metric, percent, low_db, high_db, spans[0], spans[1])


def bd_rates(
    curves: Sequence[Curve], metric: str = "psnr", low_bpp: float = LOW_BPP, high_bpp: float = HIGH_BPP
) -> dict[tuple[str, str], BdRate | ValueError]:
    """Every curve against every other, by (test, anchor); a refused figure is replaced by its error."""
    table: dict[tuple[str, str], BdRate | ValueError] = {}
    for test in curves:
        for anchor in curves:
            if test is not anchor:
                try:
                    table[test.codec, anchor.codec] = bd_rate(anchor, test, metric, low_bpp, high_bpp)
                except ValueError as error:
                    table[test.codec, anchor.codec] = error
    return table


class _Interpolator(Protocol):
    def __call__(self, x: float) -> float: ...

    def integrate(self, low: float, high: float) -> float: ...


def _span(rates: tuple[float, float]) -> str:
    return f"{rates[0]:.3f} to {rates[1]:.3f}"


def _rising(curve: Curve, metric: str) -> tuple[list[float], list[float]]:
    """Rates and qualities of the settings that no other setting beats, by rising rate; both rise strictly."""
    rates: list[float] = []
    qualities: list[float] = []
    for rate, quality in sorted(zip(curve.rates(), curve.qualities(metric), strict=True), key=lambda p: (p[0], -p[1])):
        if not qualities or quality > qualities[-1]:
            rates.append(rate)
            qualities.append(quality)
    return rates, qualities


def _interpolators(
    curves: Sequence[tuple[list[float], list[float]]], *, of_rate: bool
) -> tuple[_Interpolator, _Interpolator]:
    """Both curves as functions: quality of log10 rate, or log10 rate of quality; with `integrate(low, high)`."""
    import bjontegaard  # type: ignore[import-untyped]

    (anchor_rates, anchor_dbs), (test_rates, test_dbs) = curves
    delta: Callable[..., tuple[float, _Interpolator, _Interpolator]]
    delta = bjontegaard.bd_psnr if of_rate else bjontegaard.bd_rate
    # Its own figure, over all that the curves share, is left aside: ours keeps to a range of rates.
    _, anchor, test = delta(
        anchor_rates,
        anchor_dbs,
        test_rates,
        test_dbs,
        method=INTERPOLATION,
        require_matching_points=False,
        interpolators=True,
        min_overlap=0,
    )
    return anchor, test
