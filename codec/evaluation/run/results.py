"""The document of a report: what was measured, on which pictures, with what. Pages, plots and tables are made of it.

    Results --save--> results.json --load--> Results

The measured points are kept one by one. Means, curves and BD-rates are always made from them (point.py, curves.py);
the file has them too only for readers that don't have this package.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from lpcodec.codec.atomic import write_whole
from lpcodec.codec.errors import in_short
from lpcodec.codec.evaluation.codecs.codec import CodecAbout
from lpcodec.codec.evaluation.metrics.point import Point
from lpcodec.codec.evaluation.run.machine import Machine

FORMAT = 1


@dataclass(frozen=True)
class PictureAbout:
    """A picture of the set: its file's stem, the digest of its size and pixels, its sides in pixels.

    `notes` say, one line each, what was changed when the file was read as 8-bit RGB.
    """

    name: str
    digest: str
    width: int
    height: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SetAbout:
    """The pictures measured. `expected` is the number of pictures in the whole set, None if that isn't known."""

    name: str
    title: str
    pictures: tuple[PictureAbout, ...]
    expected: int | None = None

    @property
    def partial(self) -> bool:
        """Whether pictures of the set are missing, which every page then says."""
        return self.expected is not None and len(self.pictures) < self.expected

    @property
    def notes(self) -> tuple[str, ...]:
        """What reading the pictures changed, one line for each note: how many pictures it is true of, and the first."""
        of: dict[str, list[str]] = {}
        for picture in self.pictures:
            for note in picture.notes:
                of.setdefault(note, []).append(picture.name)
        return tuple(
            f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {note}" for note, names in of.items()
        )

    @property
    def label(self) -> str:
        """What pages call the set: title and count, and that it is a subset if it is one."""
        count = len(self.pictures)
        if self.partial:
            return f"{self.title}, subset: {count} of {self.expected} pictures"
        return f"{self.title}, {count} picture{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class PublishedCurve:
    """Points that others printed for this set: drawn dotted, with their source, never in a table of measured ones.

    `ms_ssim` is linear; None if it wasn't printed.
    """

    name: str
    title: str
    source: str
    bpp: tuple[float, ...]
    psnr: tuple[float, ...]
    ms_ssim: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Failure:
    """A point that couldn't be measured, and why in one line. `picture` alone: the picture can't be read."""

    error: str
    codec: str = ""
    setting: float | None = None
    picture: str = ""


@dataclass(frozen=True)
class Results:
    """All of a report. `points` are at fixed settings; `target_points` at the rate targets (their `target_bpp`).
    `notes` are sentences about the whole report, such as what was left out."""

    created: str
    versions: Mapping[str, str]
    machine: Machine
    pictures: SetAbout
    codecs: tuple[CodecAbout, ...]
    points: tuple[Point, ...]
    target_points: tuple[Point, ...] = ()
    published: tuple[PublishedCurve, ...] = ()
    failures: tuple[Failure, ...] = field(default=())
    notes: tuple[str, ...] = ()

    def of(self, codec: str) -> list[Point]:
        """The points of a codec at fixed settings."""
        return [p for p in self.points if p.codec == codec]

    def targets(self) -> list[float]:
        """The rate targets, rising."""
        return sorted({p.target_bpp for p in self.target_points if p.target_bpp is not None})


def save(results: Results, path: Path, derived: Mapping[str, Any]) -> None:
    """Write the document, with `derived` (means, BD-rates: JSON-ready) beside the points.

    Raises FileAccessError if it can't be written; an older file is then untouched.
    """
    document = {"format": FORMAT, **asdict(results), **derived}
    document["points"] = [json.loads(p.to_json()) for p in results.points]
    document["target_points"] = [json.loads(p.to_json()) for p in results.target_points]
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    write_whole(path, lambda stream: stream.write(text.encode()))


def load(path: Path) -> Results:
    """Read what `save` wrote. Raises OSError; ValueError (one line) where it is not such a document."""
    try:
        row = json.loads(path.read_text("utf-8"))
        if row["format"] != FORMAT:
            raise ValueError(f"format {row['format']}, this version reads {FORMAT}")
        pictures = row["pictures"]
        return Results(
            created=row["created"],
            versions=row["versions"],
            machine=Machine(**row["machine"]),
            pictures=SetAbout(**{**pictures, "pictures": tuple(map(_picture, pictures["pictures"]))}),
            codecs=tuple(CodecAbout(**c) for c in row["codecs"]),
            points=_points(row["points"]),
            target_points=_points(row["target_points"]),
            published=tuple(_published(c) for c in row["published"]),
            failures=tuple(Failure(**f) for f in row["failures"]),
            notes=tuple(row.get("notes", ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name}: not the results of a report: {in_short(error)}") from error


def _picture(row: dict[str, Any]) -> PictureAbout:
    return PictureAbout(**{**row, "notes": tuple(row.get("notes", ()))})


def _points(rows: Sequence[dict[str, Any]]) -> tuple[Point, ...]:
    return tuple(Point.from_json(json.dumps(row)) for row in rows)


def _published(row: Mapping[str, Any]) -> PublishedCurve:
    names = {f.name for f in fields(PublishedCurve)}
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items() if k in names}
    return PublishedCurve(**values)
