"""What a batch works on: folders, patterns, lists and tar shards become names, places and sizes.

| source        | what is taken                                       | its name in the output                |
|---------------|-----------------------------------------------------|---------------------------------------|
| a folder      | pictures and shards below it, hidden ones left out  | the path from the folder              |
| a pattern     | what matches: `photos/**/*.jpg`, `s-{000..099}.tar` | the path from the last fixed folder   |
| a list, x.txt | one path or URL per line; # begins a comment        | the path in the line, without root    |
| a file        | that file                                           | its name                              |

Paths in a list are relative to the list's folder. All paths may be URLs that fsspec knows.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from lpcodec.codec import storage
from lpcodec.codec.bulk import manifest
from lpcodec.codec.errors import FileAccessError, UsageError, in_short

SHARD_ENDINGS = (".tar", ".tar.gz", ".tgz")
_LIST = ".txt"
_PATTERN = re.compile(r"[*?\[]")
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True)
class Source:
    """One file to work on. `name` is its path with / between folders, unique in a batch; `size` in bytes."""

    name: str
    url: str
    size: int

    @property
    def is_shard(self) -> bool:
        """Whether it is a tar file of pictures."""
        return self.name.lower().endswith(SHARD_ENDINGS)


@dataclass(frozen=True)
class Found:
    """The sources of a batch, sorted by name, and how many files in folders were left out: those that are neither
    pictures nor shards. What an earlier batch wrote of itself isn't counted."""

    sources: tuple[Source, ...]
    left_out: int


def find(places: Sequence[str], endings: frozenset[str]) -> Found:
    """All sources of `places`. `endings` (".png", ...) are those of files that folders are searched for, as
    well as for shards.

    Raises:
        FileAccessError: a place doesn't exist.
        UsageError: two sources would have one name, or a list isn't text.
    """
    found: dict[str, Source] = {}
    left_out = 0
    for place in places:
        for source, wanted in _of_place(place, endings):
            if not wanted:
                left_out += 1
            elif found.setdefault(source.name, source).url != source.url:
                raise UsageError(
                    f"{found[source.name].url} and {source.url} would both be {source.name} in the output: "
                    "give a folder above both, or run them apart"
                )
    return Found(tuple(found[name] for name in sorted(found)), left_out)


def _of_place(place: str, endings: frozenset[str]) -> Iterator[tuple[Source, bool]]:
    """The files of a place, and whether each is a source of the batch: in folders, only those with the right ending."""
    for each in _ranges(place):
        system, path = storage.file_system(each)
        try:
            if each.lower().endswith(_LIST) and system.isfile(path):
                yield from ((source, True) for source in _listed(each))
            elif system.isdir(path):
                for file, about in sorted(system.find(path, detail=True).items()):
                    source = _source(each, file, about, path)
                    hidden = any(part.startswith(".") for part in PurePosixPath(source.name).parts)
                    if not hidden and source.name not in (manifest.SETTINGS, manifest.ROWS):
                        yield source, source.is_shard or PurePosixPath(source.name).suffix.lower() in endings
            elif (pattern := _PATTERN.search(path)) and not system.exists(path):
                matches = {file: about for file, about in system.glob(path, detail=True).items() if _is_file(about)}
                if not matches:
                    raise FileAccessError(f"{each}: nothing matches")
                base = path[: pattern.start()].rpartition("/")[0]
                yield from ((_source(each, file, about, base), True) for file, about in sorted(matches.items()))
            else:
                yield _file(each), True
        except FileNotFoundError as error:
            raise FileAccessError(f"{each}: no such file or folder") from error
        except OSError as error:
            raise FileAccessError(f"{each}: {error.strerror or error}") from error


def _ranges(place: str) -> Iterator[str]:
    """`s-{08..10}.tar` as s-08.tar, s-09.tar and s-10.tar, as webdataset writes them."""
    match = _RANGE.search(place)
    if match is None:
        yield place
        return
    first, last = match[1], match[2]
    for number in range(int(first), int(last) + 1):
        yield from _ranges(f"{place[: match.start()]}{number:0{len(first)}}{place[match.end() :]}")


def _listed(place: str) -> Iterator[Source]:
    folder = place.replace("\\", "/").rpartition("/")[0]
    try:
        text = storage.read(place).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{place}: a list of pictures is text in UTF-8, and this isn't: {in_short(error)}") from error
    for line in text.splitlines():
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        relative = storage.is_local(entry) and not entry.startswith(("/", "file://")) and entry[1:3] != ":\\"
        yield _file(storage.join(folder, entry) if relative and folder else entry, _safe(entry))


def _safe(entry: str) -> str:
    """The path of an entry without protocol, root, `.` and `..`, so that it stays below the folder of the output."""
    path = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*:(//)?", "", entry.replace("\\", "/"))
    return "/".join(part for part in path.split("/") if part not in ("", ".", ".."))


def _file(url: str, name: str | None = None) -> Source:
    system, path = storage.file_system(url)
    about = system.info(path)
    if not _is_file(about):
        raise FileAccessError(f"{url}: not a file")
    return Source(name or PurePosixPath(path).name, url, int(about.get("size") or 0))


def _source(place: str, file: str, about: dict[str, object], base: str) -> Source:
    url = file if storage.is_local(place) else storage.file_system(place)[0].unstrip_protocol(file)
    return Source(file.removeprefix(base).lstrip("/"), str(url), int(str(about.get("size") or 0)))


def _is_file(about: dict[str, object]) -> bool:
    return about.get("type") != "directory"
