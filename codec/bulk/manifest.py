"""What a batch has done, one JSON object per line, so that a batch that was stopped can be continued.

```
TO/batch.json       the settings; a batch can only be continued with the same ones
TO/manifest.jsonl   one Row per picture and per shard, in the order in which they were finished
```
Object stores can't append, so a remote folder has parts: manifest-00000.jsonl and so on, with at most 1000 rows each.
If a name has several rows, the last one counts. A line that a crash cut off is ignored.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from lpcodec.codec import storage
from lpcodec.codec.bulk.unit import Row, Settings
from lpcodec.codec.errors import UsageError

SETTINGS, ROWS = "batch.json", "manifest.jsonl"
_ROWS_PER_PART = 1000


class Manifest:
    """The manifest in the folder or URL `to`. `codes` has the exit code of the last row of each name."""

    def __init__(self, to: str, settings: Settings) -> None:
        """Begin a manifest, or continue the one in the folder.

        Raises:
            UsageError: `to` is a file, or it has files but no manifest, or the manifest of a batch with other settings.
        """
        self._to, self._local = to, storage.is_local(to)
        self.codes: dict[str, int] = {}
        self._parts, self._pending = 0, list[str]()
        self._begin(describe(settings))
        for line in self._lines():
            try:
                row = json.loads(line)
                self.codes[row["name"]] = int(row["code"])
            except (ValueError, KeyError, TypeError):
                continue
        self._file = self._open() if self._local else None

    def has(self, name: str, output: str) -> bool:
        """Whether `name` is done, and its output still exists. The latter is checked only for local files."""
        done = self.codes.get(name) == 0
        return done and (not self._local or storage.local_path(storage.join(self._to, output)).exists())

    def add(self, row: Row) -> None:
        """Write one row. A local file is flushed; remote rows wait until a part is full."""
        self.codes[row.name] = row.code
        line = json.dumps(asdict(row), ensure_ascii=False, allow_nan=False) + "\n"
        if self._file is not None:
            self._file.write(line.encode("utf-8", "surrogatepass"))
            self._file.flush()
            return
        self._pending.append(line)
        if len(self._pending) >= _ROWS_PER_PART:
            self._write_part()

    def close(self) -> None:
        """Write the rows that wait."""
        if self._file is not None:
            self._file.close()
        elif self._pending:
            self._write_part()

    def _begin(self, wanted: dict[str, Any]) -> None:
        system, folder = storage.file_system(self._to)
        place = storage.join(self._to, SETTINGS)
        if system.exists(storage.file_system(place)[1]):
            try:
                found = json.loads(storage.read(place))
            except ValueError:
                found = None
            if found != wanted:
                raise UsageError(
                    f"{self._to}: this folder has a batch with other settings or weights; name another folder"
                )
            return
        if system.isfile(folder):
            raise UsageError(f"{self._to}: a folder is needed, and this is a file; name another")
        if system.exists(folder) and system.ls(folder, detail=False):
            raise UsageError(
                f"{self._to}: the folder isn't empty and has no {SETTINGS} of a batch; name another folder"
            )
        storage.write(place, (json.dumps(wanted, indent=1, sort_keys=True) + "\n").encode())

    def _lines(self) -> Iterator[bytes]:
        system, folder = storage.file_system(self._to)
        parts = sorted(str(path) for path in system.glob(f"{folder.rstrip('/')}/manifest*.jsonl"))
        self._parts = len(parts)
        for path in parts:
            with system.open(path, "rb") as stream:
                yield from stream

    def _open(self) -> Any:
        path = storage.local_path(self._to) / ROWS
        with open(path, "ab+") as stream:  # cut off a line that a crash left unfinished
            stream.seek(0)
            whole = sum(len(line) for line in stream if line.endswith(b"\n"))
            stream.truncate(whole)
        return open(path, "ab")

    def _write_part(self) -> None:
        name = f"manifest-{self._parts:05}.jsonl"
        storage.write(storage.join(self._to, name), "".join(self._pending).encode("utf-8", "surrogatepass"))
        self._parts += 1
        self._pending = []


def describe(settings: Settings) -> dict[str, Any]:
    """What the outputs of a batch depend on, ready for JSON: the settings, and the digests of the weights."""
    about = json.loads(json.dumps(asdict(settings)))
    if names := settings.models():
        from lpcodec.codec import models

        about["weights"] = {w.name: w.digest.hex() for w in models.weights() if w.name in names}
    return dict(about)
