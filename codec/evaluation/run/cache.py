"""The points that were measured before: a JSON-lines file in the report's folder, one line per setting or target.

    key (picture, codec, its options and versions, setting or target) --get--> Points, or None
                                                                   <--put-- Points, when they were measured

A run that was stopped, or one with one more codec, measures only what is missing. A line that can't be read (the last
one of a run that was killed) is skipped; its points are measured again.
"""

import errno
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lpcodec.codec.errors import FileAccessError
from lpcodec.codec.evaluation.metrics.point import Point

Memory = tuple[float | None, float | None]
RULES = "rules=2"  # changes when a metric or the search for a target changes, so that old points are measured again


@dataclass(frozen=True)
class Key:
    """What decides a point: the picture's digest, the codec's name, and all that decides its files and times. `made_by`
    is its options, the versions of what runs it, and the number of threads."""

    digest: str
    codec: str
    made_by: str

    def at(self, setting: float | None, target: float | None) -> str:
        """The key of the point at a fixed setting or, if that is None, at a rate target in bpp."""
        what = f"setting={setting!r}" if setting is not None else f"bpp={target!r}"
        return "|".join((self.digest, self.codec, self.made_by, RULES, what))

    @property
    def memory(self) -> str:
        return "|".join((self.digest, self.codec, self.made_by, "memory"))


class PointCache:
    """Points by key. `contended` says whether other work ran while a point was timed."""

    def __init__(self, path: Path) -> None:
        """Reads the file if there is one. OSError if it can't be read."""
        self._path = path
        self._rows: dict[str, Any] = {}
        text = path.read_text("utf-8", errors="replace") if path.exists() else ""
        self._torn = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            try:
                row = json.loads(line)
                for point in row.get("points", ()):
                    Point.from_json(json.dumps(point))
                self._rows[row["key"]] = row
            except (ValueError, KeyError, TypeError):
                continue

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str, image: str, extra_metrics: Sequence[str] = ()) -> tuple[Point, ...] | None:
        """The points of `key` with these extra metrics, for the picture now named `image`: one, or at a rate target up
        to two. None if it wasn't measured, or without one of the metrics."""
        row = self._rows.get(key)
        if row is None or "points" not in row or not set(extra_metrics) <= set(row["extra_metrics"]):
            return None
        points = (Point.from_json(json.dumps(each)) for each in row["points"])
        return tuple(
            replace(p, image=image, others={m: p.others[m] for m in extra_metrics if m in p.others}) for p in points
        )

    def contended(self, key: str) -> bool:
        """Whether the time of points that are there was taken beside other work."""
        return bool(self._rows[key]["contended"])

    def put(self, key: str, points: Sequence[Point], extra_metrics: Sequence[str], *, contended: bool) -> None:
        """Adds points that were measured with these extra metrics (one that a small picture lacks counts)."""
        rows = [json.loads(point.to_json()) for point in points]
        row = {"points": rows, "extra_metrics": list(extra_metrics), "contended": contended}
        self._append({"key": key, **row})

    def memory(self, key: str) -> Memory | None:
        """Peak memory in MB to encode and decode, as `put_memory` added it."""
        row = self._rows.get(key)
        return None if row is None or "memory" not in row else (row["memory"][0], row["memory"][1])

    def put_memory(self, key: str, memory: Memory) -> None:
        """Adds the peak memory of a codec."""
        self._append({"key": key, "memory": list(memory)})

    def _append(self, row: dict[str, Any]) -> None:
        self._rows[row["key"]] = row
        line = json.dumps(row, allow_nan=False) + "\n"
        data = ("\n" + line if self._torn else line).encode()
        self._torn = True  # until the whole line is written
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # One system call, so that lines of two reports in one folder stay whole.
            with self._path.open("ab", buffering=0) as file:
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise FileAccessError(f"{self._path}: {error.strerror or error}") from error
        self._torn = False
