"""One picture, coded by one of our models at some rates and by other codecs at the same bytes, as a page.

Original, model, rates --code--> our files --their bytes--> the other codecs' files --page_alone--> one HTML file
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from lpcodec.codec.errors import UsageError
from lpcodec.codec.evaluation.codecs.codec import RateControlled
from lpcodec.codec.evaluation.codecs.rate_search import encode_near_size
from lpcodec.codec.evaluation.codecs.registry import CodecEntry, versions
from lpcodec.codec.evaluation.metrics.point import Point, measured_point
from lpcodec.codec.evaluation.report.page import page_alone
from lpcodec.codec.evaluation.report.pictures import save_pictures
from lpcodec.codec.evaluation.run.machine import Machine, cpu_name
from lpcodec.codec.evaluation.run.originals import Original
from lpcodec.codec.evaluation.run.results import Results, SetAbout
from lpcodec.codec.progress import Progress, counted, silent


def compare(
    original: Original,
    ours: CodecEntry,
    others: Sequence[CodecEntry],
    rates: Sequence[float],
    progress: Progress = silent,
) -> Results:
    """A document of target points: `ours` at each of `rates` (bpp), the others as near as they come to its bytes.

    `progress` is called before each file. UsageError if `ours` has no rate control.
    """
    if not isinstance(ours.codec, RateControlled) or not ours.has_rates:
        raise UsageError(f"{ours.about.name} codes at one rate only: it can't be compared at others")
    points: list[Point] = []
    count = len(rates) * (1 + len(others))
    for rate in rates:
        progress(*counted(len(points), count, f"{ours.about.name} at {rate:g} bpp"))
        start = time.perf_counter()
        data, setting = ours.codec.encode_to_bpp(original.pixels, rate)
        points.append(_point(ours, original, data, setting, rate, time.perf_counter() - start))
        size = len(data)
        for other in others:
            progress(*counted(len(points), count, f"{other.about.name} at {rate:g} bpp"))
            start = time.perf_counter()
            data, setting = encode_near_size(other.codec, original.pixels, size)  # type: ignore[arg-type]
            points.append(_point(other, original, data, setting, rate, time.perf_counter() - start))
    return Results(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        machine=Machine(cpu_name(), threads=1, workers=1, contended=False),
        pictures=SetAbout(original.name, original.name, (original.about,)),
        codecs=(ours.about, *(other.about for other in others)),
        points=(),
        target_points=tuple(points),
    )


def comparison_page(
    results: Results,
    original: Original,
    entries: Sequence[CodecEntry],
    rates: Sequence[float],
    progress: Progress = silent,
) -> str:
    """The HTML of what `compare` found, with the pictures in it."""
    codecs = {entry.about.name: entry.codec for entry in entries}
    with tempfile.TemporaryDirectory() as folder:
        shown = save_pictures(results, {original.name: original}, codecs, Path(folder), rates, progress)
        return page_alone(results, shown, Path(folder))


def _point(
    entry: CodecEntry, original: Original, data: bytes, setting: float, rate: float, encode_seconds: float
) -> Point:
    start = time.perf_counter()
    decoded = entry.codec.decode(data)
    seconds = (encode_seconds, time.perf_counter() - start)
    name = entry.about.name
    point = measured_point(name, setting, original.name, original.pixels, decoded, len(data), seconds)
    return replace(point, target_bpp=rate)
