"""The pictures of an archive, taken out safely: zip, and tar with gzip, bzip2 or xz.

Members become files in one folder, named by the last part of their path: no path of the archive is followed, so none
can lead out of the folder. Links, devices and all that isn't a picture are skipped. The unpacked size is bounded.
"""

import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar

from lpcodec.datasets.pictures import SUFFIXES

MOST_MEMBERS = 50_000
MOST_GROWTH = 8
"""An archive may unpack to this many times its size: pictures are compressed already."""
ALWAYS_ALLOWED = 256 << 20
"""Bytes that any archive may unpack to, in addition."""
_CHUNK = 1 << 20
T = TypeVar("T")
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)


class ArchiveError(ValueError):
    """An archive that is broken, or that can't be one of pictures."""


def is_archive(path: Path) -> bool:
    """Whether the file looks like a zip or tar archive. Raises OSError."""
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def unpack(archive: Path, into: Path, inside: str = "") -> list[Path]:
    """Write the pictures of `archive` with `inside` in their path into the folder `into`; return their files.

    Raises:
        ArchiveError: it is broken or too large, has no pictures, or has two of the same name.
        OSError: a file can't be read or written.
    """
    allowed = ALWAYS_ALLOWED + MOST_GROWTH * archive.stat().st_size
    written: dict[str, Path] = {}
    for name, stream in _members(archive, inside):
        if name.casefold() in written:
            raise ArchiveError(f"{archive.name} holds two pictures called {name}")
        written[name.casefold()] = into / name
        with stream, open(into / name, "xb") as file:
            allowed -= _copy(stream, file, allowed, archive)
    if not written:
        raise ArchiveError(f"{archive.name} holds no pictures" + (f" below {inside}" if inside else ""))
    return list(written.values())


def take_picture(path: Path, into: Path) -> list[Path]:
    """Copy a downloaded picture into the folder `into`. Raises ArchiveError if its name isn't a picture's."""
    if _picture_name(path.name, "") is None:
        raise ArchiveError(f"{path.name} is neither an archive nor a picture")
    shutil.copyfile(path, into / path.name)
    return [into / path.name]


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Turn all errors of reading an archive into an ArchiveError."""
    try:
        yield
    except ArchiveError:
        raise
    except (*_BROKEN, OSError, ValueError) as error:  # damaged places and sizes end in OSError and ValueError
        words = str(error).partition("\n")[0].rstrip(":") or type(error).__name__
        raise ArchiveError(f"{archive.name} isn't a whole archive: {words}") from error


def _members(archive: Path, inside: str) -> Iterator[tuple[str, IO[bytes]]]:
    """The pictures among the members: (file name, stream)."""
    with _reading(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as whole:
                for info in _bounded(iter(whole.infolist()), archive.name):
                    name = _picture_name(info.filename, inside)
                    if name is not None and not info.is_dir():
                        yield name, whole.open(info)
        else:
            with tarfile.open(archive) as tar:
                for member in _bounded(iter(tar), archive.name):
                    name = _picture_name(member.name, inside)
                    if name is not None and member.isreg() and (stream := tar.extractfile(member)) is not None:
                        yield name, stream


def _bounded(members: Iterator[T], archive: str) -> Iterator[T]:
    for number, member in enumerate(members):
        if number >= MOST_MEMBERS:
            raise ArchiveError(f"{archive} holds more than {MOST_MEMBERS:,} files")
        yield member


def _picture_name(member: str, inside: str) -> str | None:
    """The file name for a member that is a picture; None for any other."""
    path = PurePosixPath(member.replace("\\", "/"))
    name = path.name
    if path.suffix.lower() not in SUFFIXES or name.startswith(".") or "__MACOSX" in path.parts:
        return None
    if not name.isprintable() or any(character in '<>:"|?*' for character in name):
        return None
    return name if inside in str(path) else None


def _copy(stream: IO[bytes], file: IO[bytes], allowed: int, archive: Path) -> int:
    copied = 0
    while True:
        with _reading(archive):
            chunk = stream.read(_CHUNK)
        if not chunk:
            return copied
        copied += len(chunk)
        if copied > allowed:
            raise ArchiveError(f"{archive.name} unpacks to far more than an archive of pictures does")
        file.write(chunk)
