"""Is a report still true? Its points are compared with the same points measured again, except for times.

    results.json --request_for--> Request --runner.run--> Results --differences(old, new)--> Differences

Bytes must be the same. Qualities may differ slightly, because a decoder in floats gives a few other pixels on another
processor; the difference is less than any table shows. The setting that a search came to at a target is not compared,
because several give the same file. Points that the document doesn't have are not compared either.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lpcodec.codec.evaluation.codecs.command import Command
from lpcodec.codec.evaluation.metrics.point import Point
from lpcodec.codec.evaluation.run.published import NONE
from lpcodec.codec.evaluation.run.results import Results
from lpcodec.codec.evaluation.run.runner import Request

if TYPE_CHECKING:
    from lpcodec.datasets.registry import DataSet

TOLERANCES: Mapping[str, float] = {"bytes": 0, "psnr": 1e-3, "ms_ssim": 1e-5}
OTHERS_TOLERANCE = 1e-3
"""Of an extra metric: this share of its value, or this much if it is below 1."""


@dataclass(frozen=True)
class Difference:
    """A point that isn't what it was; `what` says how."""

    codec: str
    picture: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.codec} on {self.picture} at {self.where}: {self.what}"


def request_for(
    old: Results,
    folder: Path,
    out: Path,
    dataset: "DataSet | None" = None,
    commands: Sequence[Command] = (),
    workers: int = 1,
) -> tuple[Request, list[str]]:
    """The request that measures a document's points again, and the codecs that are left out of it.

    Commands that weren't given again in `commands` are left out: a document's own are never run, because the document
    may be a stranger's.
    """
    given = {command.name for command in commands}
    left_out = [c.name for c in old.codecs if c.kind == "command" and c.name not in given]
    codecs = tuple(c.name for c in old.codecs if c.name not in left_out)
    settings = {name: tuple(dict.fromkeys(p.setting for p in old.of(name))) for name in codecs}
    points = [*old.points, *old.target_points]
    request = Request(
        folder=folder,
        out=out,
        codecs=codecs,
        dataset=dataset,
        commands=tuple(commands),
        settings={name: found for name, found in settings.items() if found},
        targets=tuple(old.targets()),
        extra_metrics=tuple(dict.fromkeys(name for p in points for name in p.others)),
        workers=workers,
        threads=old.machine.threads if workers == 1 else 1,
        only=frozenset(p.name for p in old.pictures.pictures),
        published=NONE,
        memory=False,
    )
    return request, left_out


def differences(old: Results, new: Results, left_out: Sequence[str] = ()) -> list[Difference]:
    """What of `old`, except the codecs left out, isn't in `new` as it was: pictures, then points in order."""
    found = []
    digests = {p.name: p.digest for p in new.pictures.pictures}
    for picture in old.pictures.pictures:
        if digests.get(picture.name) != picture.digest:
            what = "has other pixels" if picture.name in digests else "is missing, or can't be read"
            found.append(Difference("the picture", picture.name, "its file", what))
    before = {_place(p): p for p in (*old.points, *old.target_points) if p.codec not in left_out}
    after = {_place(p): p for p in (*new.points, *new.target_points)}
    why = {(f.codec, f.picture): f.error for f in new.failures}
    for place, point in before.items():
        if place in after:
            what = ", ".join(_changes(point, after[place]))
        else:
            what = f"not measured again: {why.get((point.codec, point.image), 'no such point')}"
        if what:
            found.append(Difference(point.codec, point.image, place[2], what))
    return found


def _place(point: Point) -> tuple[str, str, str]:
    where = f"setting {point.setting:g}" if point.target_bpp is None else f"{point.target_bpp:g} bpp"
    where += ", just above it" if point.above else ""
    return point.codec, point.image, where


def _changes(old: Point, new: Point) -> Iterator[str]:
    for name, tolerance in TOLERANCES.items():
        yield from _change(name, getattr(old, name), getattr(new, name), tolerance)
    for name, value in old.others.items():
        yield from _change(name, value, new.others.get(name), OTHERS_TOLERANCE * max(1.0, abs(value)))


def _change(name: str, old: float | None, new: float | None, tolerance: float) -> Iterator[str]:
    if old is None or new is None:
        if old is not new:
            yield f"{name} {old} is now {new}"
    elif old != new and not abs(old - new) <= tolerance:
        yield f"{name} {old:.10g} is now {new:.10g} ({new - old:+.4g})"
