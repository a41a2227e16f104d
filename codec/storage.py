"""Reading and writing files by path, or by any URL that fsspec knows (s3://, gs://, http://, memory://, ...).

A local file is complete or absent (atomic.py). So are the objects of object stores.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from lpcodec.codec import atomic
from lpcodec.codec.errors import FileAccessError


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


def open_read(url: str, read_ahead: int | None = None) -> Any:
    """A binary stream that can seek. Raises OSError if it can't be opened.

    `read_ahead`: how many bytes of a remote file are read ahead; by default what its file system chooses (megabytes).
    """
    if is_local(url):
        return open(local_path(url), "rb")
    system, path = file_system(url)
    return system.open(path, "rb", **({} if read_ahead is None else {"block_size": read_ahead}))


def read(url: str) -> bytes:
    """The bytes of a file. Raises OSError if it can't be read."""
    with open_read(url) as stream:
        data: bytes = stream.read()
    return data


def write(url: str, data: bytes) -> None:
    """Write a file, and the folders that it needs. Raises OSError or FileAccessError if it can't be written."""
    if is_local(url):
        target = local_path(url)
        target.parent.mkdir(parents=True, exist_ok=True)
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
            target.parent.mkdir(parents=True, exist_ok=True)
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
