"""A whole measurement: codecs x pictures -> the document of a report.

    Request --pictures, codecs--> Jobs (what the cache lacks) --workers--> Points --cache--> Results
            --memory, published----------------------------------------------------------------/

Every point goes into the cache in the report's folder as soon as it is measured: a run that is stopped loses the points
under way and nothing else. What can't be measured (a picture that can't be read, a codec that fails or crashes) is a
Failure in the document.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lpcodec.codec.errors import FileAccessError, UsageError
from lpcodec.codec.evaluation.codecs.codec import CodecAbout
from lpcodec.codec.evaluation.codecs.command import Command
from lpcodec.codec.evaluation.codecs.registry import CodecEntry, find_codec, versions
from lpcodec.codec.evaluation.metrics import extra_metrics
from lpcodec.codec.evaluation.metrics.point import Point
from lpcodec.codec.evaluation.run import memory, published
from lpcodec.codec.evaluation.run.cache import Key, PointCache
from lpcodec.codec.evaluation.run.machine import Machine, cores_at_work, cpu_name
from lpcodec.codec.evaluation.run.originals import Original, load_original, picture_paths
from lpcodec.codec.evaluation.run.results import Failure, PictureAbout, Results, SetAbout
from lpcodec.codec.evaluation.run.time_left import Clock
from lpcodec.codec.evaluation.run.workers import Job, Setup, one_line, run_jobs
from lpcodec.codec.progress import Progress, silent
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


class Originals(Mapping[str, Original]):
    """The pictures of a run by name, read from the disk when they are asked for: a set may not fit into memory."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths

    def __getitem__(self, name: str) -> Original:
        return load_original(self._paths[name], name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def run(request: Request, progress: Progress = silent) -> Results:
    """Measure what `request` asks for and the cache of its folder lacks; return all of it.

    Raises UsageError for codecs, metrics or numbers that can't be, FileAccessError if there are no pictures or the
    cache can't be written. Failures of single pictures and codecs are in the document instead.
    """
    _check(request)
    entries = [_with_settings(find_codec(n, request.commands, request.threads), request) for n in request.codecs]
    paths = _paths(request)
    pictures, failures = _readable(paths)
    busy = request.workers > 1 or cores_at_work() > BUSY
    try:
        request.out.mkdir(parents=True, exist_ok=True)
        cache = PointCache(request.out / CACHE_NAME)
        failures += _measure_missing(request, entries, pictures, paths, cache, busy, progress)
        codecs = [_with_memory(c, request, pictures, paths, cache, progress) for c in entries]
    except OSError as error:
        raise FileAccessError(f"{request.out}: {error.strerror or error}") from error
    points, targets, contended = _collect(request, entries, pictures, cache)
    return Results(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        machine=Machine(cpu_name(), request.threads, request.workers, busy or contended),
        pictures=_set_about(request, pictures),
        codecs=tuple(codecs),
        points=tuple(points),
        target_points=tuple(targets),
        published=published.curves(request.dataset.name if request.dataset else None, request.published),
        failures=tuple(failures),
        notes=(*request.notes, *left_out(request.folder)),
    )


def originals(request: Request) -> Originals:
    """The pictures of a request that can be read, by the names that its points have."""
    paths = _paths(request)
    readable = {picture.name for picture in _readable(paths)[0]}
    return Originals({name: path for name, path in paths.items() if name in readable})


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


def _paths(request: Request) -> dict[str, Path]:
    try:
        paths = picture_paths(request.folder)
    except ValueError as error:
        raise FileAccessError(str(error)) from error
    except OSError as error:
        raise FileAccessError(f"{request.folder}: {error.strerror or error}") from error
    chosen = {name: path for name, path in paths.items() if request.only is None or name in request.only}
    if not chosen:
        raise FileAccessError(f"{request.folder}: none of the pictures that are asked for is there")
    return dict(list(chosen.items())[: request.limit])


def _readable(paths: Mapping[str, Path]) -> tuple[list[PictureAbout], list[Failure]]:
    """The pictures that can be read, described; the others as failures."""
    pictures, failures = [], []
    for name, path in paths.items():
        try:
            original = load_original(path, name)
        except Exception as error:  # Pillow raises many kinds
            failures.append(Failure(f"the picture can't be read: {one_line(error)}", picture=name))
            continue
        height, width = original.pixels.shape[:2]
        pictures.append(PictureAbout(name, original.digest, width, height, original.notes))
    return pictures, failures


def _measure_missing(
    request: Request,
    entries: Sequence[CodecEntry],
    pictures: Sequence[PictureAbout],
    paths: Mapping[str, Path],
    cache: PointCache,
    busy: bool,
    progress: Progress,
) -> list[Failure]:
    """Measure what the cache lacks, and put it there; return what failed."""
    keys = {(p.name, c.about.name): _key(p, c) for p in pictures for c in entries}
    jobs = [_job(request, c, p, paths[p.name], keys[p.name, c.about.name], cache) for p in pictures for c in entries]
    jobs = [job for job in jobs if job.settings or job.targets]
    clock = Clock([(job.codec, len(job.settings) + len(job.targets)) for job in jobs], request.workers, progress)
    failures = []
    with closing(run_jobs(jobs, request.setup, request.workers)) as outcomes:
        for outcome in outcomes:
            if outcome.points:
                key = keys[outcome.picture, outcome.codec].at(outcome.setting, outcome.target)
                cache.put(key, outcome.points, request.extra_metrics, contended=busy)
            else:
                where = f"at {outcome.target:g} bpp: " if outcome.target is not None else ""
                failures.append(Failure(where + outcome.error, outcome.codec, outcome.setting, outcome.picture))
            clock.tick(outcome.codec, f"{outcome.codec} on {outcome.picture}")
    return failures


def _key(picture: PictureAbout, entry: CodecEntry) -> Key:
    return Key(picture.digest, entry.about.name, f"{entry.about.options}|{entry.made_by}")


def _targets(request: Request, entry: CodecEntry) -> tuple[float, ...]:
    return request.targets if entry.has_rates else ()


def _job(request: Request, entry: CodecEntry, picture: PictureAbout, path: Path, key: Key, cache: PointCache) -> Job:
    """What is missing of a codec on a picture."""
    swept = {s: cache.get(key.at(s, None), picture.name, request.extra_metrics) for s in entry.settings}
    targets = [
        t for t in _targets(request, entry) if cache.get(key.at(None, t), picture.name, request.extra_metrics) is None
    ]
    return Job(
        codec=entry.about.name,
        picture=picture.name,
        path=path,
        settings=tuple(s for s, found in swept.items() if found is None),
        targets=tuple(targets),
        known={s: found[0].bytes for s, found in swept.items() if found is not None},
    )


def _with_memory(
    entry: CodecEntry,
    request: Request,
    pictures: Sequence[PictureAbout],
    paths: Mapping[str, Path],
    cache: PointCache,
    progress: Progress,
) -> CodecAbout:
    """What the report says of a codec, with its peak memory on the largest picture."""
    if not pictures or not request.memory:
        return entry.about
    largest = max(pictures, key=lambda p: (p.width * p.height, p.name))
    key = _key(largest, entry).memory
    found = cache.memory(key)
    if found is None:
        progress(f"memory of {entry.about.name}", 0.0)
        found = memory.peaks(entry.about.name, paths[largest.name], request.setup)
        cache.put_memory(key, found)
    return replace(entry.about, encode_memory_mb=found[0], decode_memory_mb=found[1])


def _collect(
    request: Request, entries: Sequence[CodecEntry], pictures: Sequence[PictureAbout], cache: PointCache
) -> tuple[list[Point], list[Point], bool]:
    """Points at settings, points at targets (by codec, setting or target, picture), and whether any was contended."""
    points: list[Point] = []
    targets: list[Point] = []
    contended = False
    for c in entries:
        for setting, target in [*((s, None) for s in c.settings), *((None, t) for t in _targets(request, c))]:
            for picture in pictures:
                key = _key(picture, c).at(setting, target)
                if (found := cache.get(key, picture.name, request.extra_metrics)) is not None:
                    (points if target is None else targets).extend(found)
                    contended |= cache.contended(key)
    return points, targets, contended


def _set_about(request: Request, pictures: Sequence[PictureAbout]) -> SetAbout:
    if (known := request.dataset) is not None:
        return SetAbout(known.name, known.title, tuple(pictures), known.count)
    name = request.folder.resolve().name
    return SetAbout(name, name, tuple(pictures))
