"""Files that are complete or absent. Every writer of this package uses this module.

A file is written in its folder under a temporary name, `.NAME.lpcodec-partial-XXXX`, synchronised with the disk, and
only then renamed. If anything goes wrong before (a full disk, Ctrl-C, a signal), an older file of that name isn't
changed and the temporary file is removed. `kill -9` or a power cut may leave the temporary file.
"""

import errno
import io
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from lpcodec.codec.errors import FileAccessError

PARTIAL = ".lpcodec-partial-"
_LONGEST_STEM = 200
"""The temporary name has at most this many bytes of the final name, and 34 more. Most file systems allow 255."""


def write_whole(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file by `write`, which gets a binary stream that can seek. `target` changes only if all of it is written.

    A symbolic link stays, and the file that it points to is replaced. The permissions of an older file are kept.
    Devices and named pipes are written directly.

    Raises:
        FileAccessError: the file can't be written; the text names it.
        BrokenPipeError: `target` is a pipe that nobody reads any more.
    """
    try:
        if target.exists() and not target.is_file():
            _write_device(target, write)  # not by its real path: /dev/stdout may be a link to something without a name
        else:
            _write_then_rename(target, write)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileAccessError(f"{target}: {error.strerror or error}") from error


def write_bytes(target: Path, data: bytes) -> None:
    """Write bytes as a file, as `write_whole` does."""
    write_whole(target, lambda stream: stream.write(data))


class PendingFile:
    """A file that is written piece by piece: write to `stream`, then call `finish`, or `discard` if anything failed.

    `stream` is binary and can seek. The constructor and `finish` raise OSError.
    """

    def __init__(self, target: Path) -> None:
        self._final = Path(os.path.realpath(target))
        self._replaces = self._final.exists()
        if self._replaces and not os.access(self._final, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self._final))
        name = f".{_short(self._final.name)}{PARTIAL}{secrets.token_hex(8)}"
        self._partial = self._final.with_name(name)
        self.stream: BinaryIO = open(self._partial, "xb")  # noqa: SIM115 (`finish` or `discard` closes it)

    def finish(self) -> None:
        """Synchronise the file with the disk and give it its name."""
        self.stream.flush()
        os.fsync(self.stream.fileno())
        self.stream.close()
        if self._replaces:
            shutil.copymode(self._final, self._partial)
        os.replace(self._partial, self._final)
        _settle(self._final.parent)

    def discard(self) -> None:
        """Leave nothing behind of a file that isn't finished; after `finish` this does nothing."""
        with suppress(OSError):
            self.stream.close()
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)


def _write_then_rename(target: Path, write: Callable[[BinaryIO], object]) -> None:
    pending = PendingFile(target)
    try:
        write(pending.stream)
        pending.finish()
    except BaseException:
        pending.discard()
        raise


def _settle(folder: Path) -> None:
    """Synchronise a folder's list of names with the disk. Systems where folders can't be opened do that themselves."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_device(device: Path, write: Callable[[BinaryIO], object]) -> None:
    buffer = io.BytesIO()
    write(buffer)
    with open(device, "wb") as stream:  # a folder raises IsADirectoryError here
        stream.write(buffer.getbuffer())


def _short(name: str) -> str:
    while len(os.fsencode(name)) > _LONGEST_STEM:
        name = name[:-1]
    return name
