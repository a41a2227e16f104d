"""The points of a run: every codec on every picture. What the cache has is taken from it, what it lacks is measured.

    Grid --measure_missing--> Jobs --workers--> Points --> cache
         --found------------------------------------------> Points of all codecs and pictures
         --with_memory--> what the report says of a codec, with its peak memory

A point goes into the cache as soon as it is measured: a run that is stopped loses only the points in progress.
"""

from contextlib import closing
from dataclasses import dataclass, replace

from lpcodec.codec.evaluation.codecs.codec import CodecAbout
from lpcodec.codec.evaluation.codecs.registry import CodecEntry
from lpcodec.codec.evaluation.metrics.point import Point
from lpcodec.codec.evaluation.run import memory
from lpcodec.codec.evaluation.run.cache import Key, PointCache
from lpcodec.codec.evaluation.run.originals import Originals
from lpcodec.codec.evaluation.run.results import Failure, PictureAbout
from lpcodec.codec.evaluation.run.time_left import Clock
from lpcodec.codec.evaluation.run.workers import Job, Setup, run_jobs
from lpcodec.codec.progress import Progress


@dataclass(frozen=True)
class Found:
    """Points at fixed settings and at rate targets, by codec, setting or target, and picture. `contended` is whether
    other work ran while any of them was timed."""

    points: tuple[Point, ...]
    target_points: tuple[Point, ...]
    contended: bool


@dataclass(frozen=True)
class Grid:
    """Codecs x pictures.

    `pictures` describes those of `originals` that can be read. `targets` are rates in bpp, for the codecs that can be
    asked for a rate. `setup` is what every worker needs to know.
    """

    entries: tuple[CodecEntry, ...]
    originals: Originals
    pictures: tuple[PictureAbout, ...]
    targets: tuple[float, ...]
    setup: Setup
    cache: PointCache

    def measure_missing(self, workers: int, progress: Progress, *, busy: bool) -> list[Failure]:
        """Measure what the cache lacks in `workers` processes, and put it there; return what failed.

        `busy`: other work runs at the same time, so the times are marked as contended. OSError or FileAccessError if
        the cache can't be written.
        """
        keys = {(p.name, c.about.name): _key(p, c) for p in self.pictures for c in self.entries}
        jobs = [self._job(c, p) for p in self.pictures for c in self.entries]
        jobs = [job for job in jobs if job.settings or job.targets]
        clock = Clock([(job.codec, len(job.settings) + len(job.targets)) for job in jobs], workers, progress)
        failures = []
        with closing(run_jobs(jobs, self.setup, workers)) as outcomes:
            for outcome in outcomes:
                if outcome.points:
                    key = keys[outcome.picture, outcome.codec].at(outcome.setting, outcome.target)
                    self.cache.put(key, outcome.points, self.setup.extra_metrics, contended=busy)
                else:
                    where = f"at {outcome.target:g} bpp: " if outcome.target is not None else ""
                    failures.append(Failure(where + outcome.error, outcome.codec, outcome.setting, outcome.picture))
                clock.tick(outcome.codec, f"{outcome.codec} on {outcome.picture}")
        return failures

    def found(self) -> Found:
        """All points that the cache has."""
        points: list[Point] = []
        target_points: list[Point] = []
        contended = False
        for entry in self.entries:
            targets = [(None, target) for target in self._targets(entry)]
            for setting, target in [*((setting, None) for setting in entry.settings), *targets]:
                for picture in self.pictures:
                    key = _key(picture, entry).at(setting, target)
                    if (found := self._cached(key, picture)) is not None:
                        (points if target is None else target_points).extend(found)
                        contended |= self.cache.contended(key)
        return Found(tuple(points), tuple(target_points), contended)

    def with_memory(self, entry: CodecEntry, progress: Progress) -> CodecAbout:
        """What the report says of a codec, with its peak memory on the largest picture, measured if the cache lacks
        it."""
        if not self.pictures:
            return entry.about
        largest = max(self.pictures, key=lambda picture: (picture.width * picture.height, picture.name))
        key = _key(largest, entry).memory
        found = self.cache.memory(key)
        if found is None:
            progress(f"memory of {entry.about.name}", 0.0)
            found = memory.peaks(entry.about.name, self.originals.paths[largest.name], self.setup)
            self.cache.put_memory(key, found)
        return replace(entry.about, encode_memory_mb=found[0], decode_memory_mb=found[1])

    def _job(self, entry: CodecEntry, picture: PictureAbout) -> Job:
        """What is missing of a codec on a picture."""
        key = _key(picture, entry)
        swept = {setting: self._cached(key.at(setting, None), picture) for setting in entry.settings}
        return Job(
            codec=entry.about.name,
            picture=picture.name,
            path=self.originals.paths[picture.name],
            settings=tuple(setting for setting, found in swept.items() if found is None),
            targets=tuple(t for t in self._targets(entry) if self._cached(key.at(None, t), picture) is None),
            known={setting: found[0].bytes for setting, found in swept.items() if found is not None},
        )

    def _targets(self, entry: CodecEntry) -> tuple[float, ...]:
        return self.targets if entry.has_rates else ()

    def _cached(self, key: str, picture: PictureAbout) -> tuple[Point, ...] | None:
        return self.cache.get(key, picture.name, self.setup.extra_metrics)


def _key(picture: PictureAbout, entry: CodecEntry) -> Key:
    return Key(picture.digest, entry.about.name, f"{entry.about.options}|{entry.made_by}")
