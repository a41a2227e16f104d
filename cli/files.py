"""Files in and out: `-` for the standard streams, and output that is whole or not there at all.

A file is written under a temporary name in its own folder, `.NAME.lpcodec-partial-XXXX`, brought to the disk
and only then renamed. Whatever goes wrong on the way (a full disk, Ctrl-C, SIGTERM), the old file under the
final name is untouched and the temporary is removed; `kill -9` leaves at most that temporary.
"""

import errno
import io
import os
import secrets
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from lpcodec.codec.errors import FileAccessError, UsageError

PARTIAL = ".lpcodec-partial-"
_LONGEST_STEM = 200  # bytes; file systems stop at 255 and the temporary's name adds 34


def read_whole(source: str) -> bytes:
    """The bytes of the file `source`, or of stdin for `-`. FileAccessError if it can't be read."""
    if source == "-" and sys.stdin is None:
        raise FileAccessError("standard input is closed")
    try:
        return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        name = "standard input" if source == "-" else source
        raise FileAccessError(f"{name}: {error.strerror or error}") from error


def write_whole(target: Path | None, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill `target` (stdout for None), which changes only once everything is on the disk.

    `write` gets a binary stream that can seek. Devices and named pipes are written directly.
    FileAccessError if the file can't be written; UsageError for binary output on a terminal.
    """
    if target is None:
        try:
            _write_stdout(write)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise FileAccessError(f"standard output: {error.strerror or error}") from error
        return
    final = Path(os.path.realpath(target))  # a symbolic link stays one; what it points to is replaced
    try:
        if final.exists() and not final.is_file():
            _write_device(final, write)
        else:
            _write_then_rename(final, write)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileAccessError(f"{target}: {error.strerror or error}") from error


def _write_then_rename(final: Path, write: Callable[[BinaryIO], object]) -> None:
    replaces = final.exists()
    if replaces and not os.access(final, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(final))
    partial = final.with_name(f".{_short(final.name)}{PARTIAL}{secrets.token_hex(8)}")
    try:
        with open(partial, "xb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        if replaces:
            shutil.copymode(final, partial)
        os.replace(partial, final)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def _write_device(device: Path, write: Callable[[BinaryIO], object]) -> None:
    buffer = io.BytesIO()
    write(buffer)
    with open(device, "wb") as stream:  # a folder raises IsADirectoryError here
        stream.write(buffer.getbuffer())


def _write_stdout(write: Callable[[BinaryIO], object]) -> None:
    if sys.stdout.isatty():
        raise UsageError("not writing a picture to the terminal: name a file, or redirect the output")
    buffer = io.BytesIO()
    write(buffer)
    sys.stdout.buffer.write(buffer.getbuffer())
    sys.stdout.buffer.flush()


def _short(name: str) -> str:
    while len(os.fsencode(name)) > _LONGEST_STEM:
        name = name[:-1]
    return name
