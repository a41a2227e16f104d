"""Reading and writing files by path, or by any URL that fsspec knows (s3://, gs://, http://, memory://, ...).

A local file is complete or absent (atomic.py). So are the objects of object stores.
"""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from lpcodec.codec import atomic
from lpcodec.codec.errors import FileAccessError, LpcodecError


def file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a path or URL, and the path in it. Raises FileAccessError if a package is missing."""
    import fsspec.core  # type: ignore[import-untyped]

    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise FileAccessError(f"{url}: {' '.join(str(error).split())}") from error
    return system, str(path)


def is_local(url: str) -> bool:
    """Whether a path or URL is that of a file on this machine."""
    return "://" not in url or url.startswith("file://")


def local_path(url: str) -> Path:
    """A local path or file:// URL as a path."""
    return Path(url.removeprefix("file://"))


def join(folder: str, name: str) -> str:
    """The path or URL of the file `name`, with / between folders, in a folder."""
    return f"{folder.rstrip('/')}/{name}" if not is_local(folder) else str(local_path(folder) / name)


def make_folder(folder: Path) -> None:
    """Make a folder if it isn't there. Raises FileAccessError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next(path for path in (folder, *folder.parents) if path.exists() or path.is_symlink())
        raise FileAccessError(f"{folder}: a folder is needed, and {file} is a file; name another") from error
    except OSError as error:
        raise FileAccessError(f"{folder}: {error.strerror or error}") from error


def open_read(url: str, read_ahead: int | None = None) -> Any:
    """A binary stream that can seek. Raises OSError if it can't be opened.

    `read_ahead`: how many bytes of a remote file are read ahead; by default what its file system chooses (megabytes).
    """
    if is_local(url):
        return open(local_path(url), "rb")
    system, path = file_system(url)
    return system.open(path, "rb", **({} if read_ahead is None else {"block_size": read_ahead}))


@contextmanager
def opened_for_parts(url: str, read_ahead: int) -> Iterator[BinaryIO]:
    """A binary stream that can seek, of a file of which only parts are read; `read_ahead` is that of `open_read`.

    Raises:
        FileAccessError: the file can't be opened, or later, a part of it can't be read.
    """
    with _named(url):
        stream = open_read(url, read_ahead)
    with stream:
        yield cast(BinaryIO, _Parts(url, stream))


class _Parts(io.RawIOBase):
    """A stream that names its file if a part can't be read: errors come at any time, and each file system has its own
    classes of them."""

    def __init__(self, url: str, stream: Any) -> None:
        self._url, self._stream = url, stream

    def read(self, size: int = -1, /) -> bytes:
        with _named(self._url):
            return bytes(self._stream.read(size))

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        with _named(self._url):
            return int(self._stream.seek(offset, whence))

    def tell(self) -> int:
        return int(self._stream.tell())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


@contextmanager
def _named(url: str) -> Iterator[None]:
    """Any error of a file system as a FileAccessError with the file's name and what to do."""
    try:
        yield
    except (LpcodecError, MemoryError):
        raise
    except Exception as error:
        raise FileAccessError(f"{url}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text, cause = str(error), error.__cause__
    if "range requests" in text:
        return "the server doesn't send parts of files; download the file, then decode it"
    if isinstance(error, FileNotFoundError):  # its text is the address, and its cause may be a server that isn't there
        status = getattr(cause, "status", None)
        text = "not found" if cause is None or status == 404 else str(getattr(cause, "message", "") or cause)
    return " ".join(text.split()) or type(error).__name__


def read(url: str) -> bytes:
    """The bytes of a file. Raises OSError if it can't be read."""
    with open_read(url) as stream:
        data: bytes = stream.read()
    return data


def write(url: str, data: bytes) -> None:
    """Write a file, and the folders that it needs. Raises OSError or FileAccessError if it can't be written."""
    if is_local(url):
        target = local_path(url)
        make_folder(target.parent)
        atomic.write_bytes(target, data)
        return
    system, path = file_system(url)
    system.pipe_file(path, data)


class PendingFile:
    """A file by path or URL that is written piece by piece. Write to `stream`, then call `finish`, or `discard`.

    A local file is written in its folder, which is made if necessary; a remote one in the folder for temporary files,
    and `finish` uploads it. Raises OSError or FileAccessError if it can't be written.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._local: atomic.PendingFile | None = None
        if is_local(url):
            target = local_path(url)
            make_folder(target.parent)
            self._local = atomic.PendingFile(target)
            self.stream = self._local.stream
        else:
            handle, name = tempfile.mkstemp()
            self._temporary = Path(name)
            self.stream = os.fdopen(handle, "wb")

    def finish(self) -> None:
        """Give the file its name."""
        if self._local is not None:
            self._local.finish()
            return
        self.stream.close()
        system, path = file_system(self._url)
        system.put_file(str(self._temporary), path)
        self.discard()

    def discard(self) -> None:
        """Leave nothing behind of a file that isn't finished; after `finish` this does nothing."""
        if self._local is not None:
            self._local.discard()
            return
        with suppress(OSError):
            self.stream.close()
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)
