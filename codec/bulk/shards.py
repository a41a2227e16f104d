"""Tar shards in webdataset's layout: pictures are recoded, everything else is copied, the order stays.

```
shard --members--> Member, Member, ...      (Member, its Recoded) --ShardWriter--> shard of the same name
```
`0001.jpg`, `0001.json` become `0001.lpc`, `0001.json`. A picture that can't be recoded is left out; the other files of
its example are kept. The new shard gets its name when it is complete.
"""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from lpcodec.codec import storage
from lpcodec.codec.bulk.sources import SHARD_ENDINGS, Source
from lpcodec.codec.bulk.unit import Recoded, Row, Settings, failure
from lpcodec.codec.errors import ExitCode


@dataclass(frozen=True)
class Member:
    """A file in a shard. `is_picture`: it is to be recoded, not copied."""

    info: tarfile.TarInfo
    data: bytes
    is_picture: bool


class _Header(tarfile.TarInfo):
    """The header of a member. For tarfile a damaged or missing one is the end of the archive; here it is an error."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> "_Header":
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"the archive is damaged or was cut short: {error}") from error


def members(source: Source, endings: frozenset[str]) -> Iterator[Member]:
    """The files of a shard, one after the other, read as a stream. Raises tarfile.TarError or OSError for a damaged
    one."""
    with storage.open_read(source.url) as stream, tarfile.open(fileobj=stream, mode="r|*", tarinfo=_Header) as tar:
        for info in tar:
            tar.members = []  # type: ignore[attr-defined]  # or tarfile would keep all of them
            content = tar.extractfile(info) if info.isfile() else None
            if content is not None:
                yield Member(info, content.read(), PurePosixPath(info.name).suffix.lower() in endings)


def output_name(name: str) -> str:
    """The name of the new shard: always a plain .tar."""
    ending = next(e for e in SHARD_ENDINGS if name.lower().endswith(e))
    return f"{name[: -len(ending)]}.tar"


class ShardWriter:
    """Writes one shard. `finish` gives it its name; `discard` removes an unfinished one."""

    def __init__(self, source: Source, to: str, settings: Settings) -> None:
        self._source, self._settings = source, settings
        self.output = output_name(source.name)
        self._file = storage.PendingFile(storage.join(to, self.output))
        self._tar = tarfile.open(fileobj=self._file.stream, mode="w")  # noqa: SIM115 (`finish` closes it)
        self._names: set[str] = set()
        self._rows: list[Row] = []

    def member_names(self, member: Member) -> tuple[str, str]:
        """The names of a picture and of its output in the manifest."""
        return f"{self._source.name}/{member.info.name}", f"{self.output}/{self._new_name(member)}"

    def add(self, member: Member, coded: Recoded | None = None) -> Row | None:
        """Append a member: as it is, or as it was recoded, if it was. Return the row of a picture, else None."""
        name = self._new_name(member)
        row, data = (None, member.data) if coded is None else (coded.row, coded.data)
        if row is not None and data is not None and name in self._names:
            row = failure(row.name, row.output, f"{name} is in the shard already", row.bytes_in)
            row = replace(row, code=int(ExitCode.USAGE))
        elif data is not None:
            self._append(member.info, name, data)
        if row is not None:
            self._rows.append(row)
        return row

    def finish(self) -> tuple[Row, ...]:
        """Close the shard and give it its name. Return the rows of its pictures, and last that of the shard itself."""
        self._tar.close()
        size = self._file.stream.tell()
        self._file.finish()
        return (*self._rows, Row(self._source.name, self.output, bytes_in=self._source.size, bytes=size))

    def discard(self) -> None:
        """Remove an unfinished shard; after `finish` this does nothing."""
        self._file.discard()

    def _new_name(self, member: Member) -> str:
        return self._settings.output_name(member.info.name) if member.is_picture else member.info.name

    def _append(self, old: tarfile.TarInfo, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = len(data), old.mtime, old.mode
        info.uid, info.gid, info.uname, info.gname = old.uid, old.gid, old.uname, old.gname
        self._names.add(name)
        self._tar.addfile(info, io.BytesIO(data))
