"""A whole measurement: codecs x pictures -> the document of a report.

    Request --originals.py, registry--> Grid of codecs and pictures --measured--> Points --> Results
            --published-----------------------------------------------------------------/

What can't be measured (a picture that can't be read, a codec that fails or crashes) is a Failure in the document. The
cache in the report's folder keeps every point, so the same request again measures only what is missing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lpcodec.codec.errors import FileAccessError, UsageError
from lpcodec.codec.evaluation.codecs.command import Command
from lpcodec.codec.evaluation.codecs.registry import CodecEntry, find_codec, versions
from lpcodec.codec.evaluation.metrics import extra_metrics
from lpcodec.codec.evaluation.run import published
from lpcodec.codec.evaluation.run.cache import PointCache
from lpcodec.codec.evaluation.run.grid import Grid
from lpcodec.codec.evaluation.run.machine import Machine, cores_at_work, cpu_name
from lpcodec.codec.evaluation.run.originals import Originals, choose, describe
from lpcodec.codec.evaluation.run.results import PictureAbout, Results, SetAbout
from lpcodec.codec.evaluation.run.workers import Setup
from lpcodec.codec.progress import Progress, silent
from lpcodec.codec.storage import make_folder
from lpcodec.datasets.pictures import left_out

if TYPE_CHECKING:
    from lpcodec.datasets.registry import DataSet

TARGETS = (0.075, 0.15, 0.3, 0.6)
CACHE_NAME = "points-cache.jsonl"
BUSY = 0.3
"""Cores at work before a run begins; more than this means that other work is running."""


@dataclass(frozen=True)
class Request:
    """What to measure.

    `folder` has the pictures, `dataset` is the known set to which they belong. `only` names the pictures that count,
    `limit` takes only the first ones. `settings` replaces a codec's own sweep. `targets` are rates in bpp.
    `extra_metrics` are names from extra_metrics.py. `workers` processes measure at the same time, each codec with
    `threads` threads. The cache is kept in `out`. `published` is a file or folder of published curves, "none", or None
    for the packaged ones. `memory`: measure the peak of each codec too. `notes` are sentences for the page.
    """

    folder: Path
    out: Path
    codecs: tuple[str, ...]
    dataset: "DataSet | None" = None
    commands: tuple[Command, ...] = ()
    settings: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    targets: tuple[float, ...] = TARGETS
    extra_metrics: tuple[str, ...] = ()
    workers: int = 1
    threads: int = 1
    limit: int | None = None
    only: frozenset[str] | None = None
    published: str | None = None
    memory: bool = True
    notes: tuple[str, ...] = ()

    @property
    def setup(self) -> Setup:
        return Setup(self.commands, self.threads, self.extra_metrics)


def run(request: Request, progress: Progress = silent) -> Results:
    """Measure what `request` asks for and the cache of its folder lacks; return all of it.

    Raises UsageError for codecs, metrics or numbers that can't be, FileAccessError if there are no pictures or the
    cache can't be written. Failures of single pictures and codecs are in the document instead.
    """
    _check(request)
    entries = [_with_settings(find_codec(n, request.commands, request.threads), request) for n in request.codecs]
    chosen = choose(request.folder, request.only, request.limit)
    pictures, failures = describe(chosen)
    busy = request.workers > 1 or cores_at_work() > BUSY
    try:
        make_folder(request.out)
        cache = PointCache(request.out / CACHE_NAME)
        grid = Grid(tuple(entries), chosen, tuple(pictures), request.targets, request.setup, cache)
        failures += grid.measure_missing(request.workers, progress, busy=busy)
        codecs = [grid.with_memory(entry, progress) if request.memory else entry.about for entry in entries]
    except OSError as error:
        raise FileAccessError(f"{request.out}: {error.strerror or error}") from error
    found = grid.found()
    return Results(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        machine=Machine(cpu_name(), request.threads, request.workers, busy or found.contended),
        pictures=_set_about(request, pictures),
        codecs=tuple(codecs),
        points=found.points,
        target_points=found.target_points,
        published=published.curves(request.dataset.name if request.dataset else None, request.published),
        failures=tuple(failures),
        notes=(*request.notes, *left_out(request.folder), *_too_small(request.extra_metrics, pictures)),
    )


def _too_small(metrics: Sequence[str], pictures: Sequence[PictureAbout]) -> list[str]:
    """A sentence for each metric that some pictures are too small for."""
    notes = []
    for about in (extra_metrics.EXTRA_METRICS[name] for name in metrics):
        small = [p.name for p in pictures if min(p.width, p.height) < about.smallest_side]
        if small:
            which = f"{small[0]} is" if len(small) == 1 else f"{small[0]} and {len(small) - 1} more are"
            needed = f"sides of {about.smallest_side} pixels or more"
            notes.append(f"{about.title} needs {needed}; {which} smaller, so no mean has it.")
    return notes


def originals(request: Request) -> Originals:
    """The pictures of a request that can be read, by the names that its points have."""
    chosen = choose(request.folder, request.only, request.limit)
    readable = {picture.name for picture in describe(chosen)[0]}
    return Originals({name: path for name, path in chosen.paths.items() if name in readable})


def _check(request: Request) -> None:
    if request.workers > 1 and request.threads > 1:
        raise UsageError("several workers have one thread each: ask for more workers or for more threads, not for both")
    for target in request.targets:
        if not 0 < target < 64:
            raise UsageError(f"target {target:g}: a rate is between 0 and 64 bpp")
    for name, count in Counter(request.codecs).items():
        if count > 1:
            raise UsageError(f"the codec {name} is given twice")
    if not request.codecs:
        raise UsageError("no codecs to measure")
    extra_metrics.check(request.extra_metrics)
    published.curves(None, request.published)  # so that a wrong name is an error before hours of measuring


def _with_settings(found: CodecEntry, request: Request) -> CodecEntry:
    settings = request.settings.get(found.about.name)
    return found if settings is None else replace(found, settings=settings)


def _set_about(request: Request, pictures: Sequence[PictureAbout]) -> SetAbout:
    if (known := request.dataset) is not None:
        return SetAbout(known.name, known.title, tuple(pictures), known.count)
    name = request.folder.resolve().name
    return SetAbout(name, name, tuple(pictures))
