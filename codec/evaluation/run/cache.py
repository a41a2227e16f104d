"""What was measured before: a JSON-lines file in the report's folder that grows by a line a point.

    key (picture, codec, its options and versions, setting or target) --get--> Point, or None
                                                                   <--put-- Point, when it was measured

A run that was stopped, or one with a codec more, measures only what is missing. A line that can't be read (the last
of a run that was killed) is passed over; its point is measured again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lpcodec.codec.evaluation.metrics.point import Point

Memory = tuple[float | None, float | None]


@dataclass(frozen=True)
class Key:
    """What decides a point: the picture's digest, the codec's name, and all that decides its files and times:
    `made_by` is its options, the versions of what runs it, and the number of threads."""

    digest: str
    codec: str
    made_by: str

    def at(self, setting: float | None, target: float | None) -> str:
        """The key of the point at a fixed setting or, where that is None, at a rate target in bpp."""
        what = f"setting={setting!r}" if setting is not None else f"bpp={target!r}"
        return "|".join((self.digest, self.codec, self.made_by, what))

    @property
    def memory(self) -> str:
        return "|".join((self.digest, self.codec, self.made_by, "memory"))


class PointCache:
    """Points by key. `contended` tells of a point whether other work ran beside it when it was timed."""

    def __init__(self, path: Path) -> None:
        """Reads the file where there is one. OSError where it can't be read."""
        self._path = path
        self._rows: dict[str, Any] = {}
        text = path.read_text("utf-8", errors="replace") if path.exists() else ""
        self._torn = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            try:
                row = json.loads(line)
                if "point" in row:
                    Point.from_json(json.dumps(row["point"]))
                self._rows[row["key"]] = row
            except (ValueError, KeyError, TypeError):
                continue

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str, image: str, measures: Sequence[str] = ()) -> Point | None:
        """The point of `key` with these further measures, for the picture now named `image`; None where it wasn't
        measured, or without one of them."""
        row = self._rows.get(key)
        if row is None or "point" not in row or not set(measures) <= set(row["measures"]):
            return None
        point = Point.from_json(json.dumps(row["point"]))
        return replace(point, image=image, others={m: point.others[m] for m in measures if m in point.others})

    def contended(self, key: str) -> bool:
        """Whether the time of a point that is there was taken beside other work."""
        return bool(self._rows[key]["contended"])

    def put(self, key: str, point: Point, measures: Sequence[str], *, contended: bool) -> None:
        """Adds a point that was measured with these further measures (one that a small picture lacks counts)."""
        row = {"point": json.loads(point.to_json()), "measures": list(measures), "contended": contended}
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
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" + line if self._torn else line)
        self._torn = False
