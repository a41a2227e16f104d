"""Reading and writing files: `-` means a standard stream, and an output is complete or absent (codec/atomic.py)."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from lpcodec.codec import atomic
from lpcodec.codec.errors import FileAccessError, UsageError


def read_whole(source: str) -> bytes:
    """The bytes of a file, or of stdin for `-`. Raises FileAccessError if it can't be read."""
    if source == "-" and sys.stdin is None:
        raise FileAccessError("standard input is closed")
    try:
        return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        name = "standard input" if source == "-" else source
        raise FileAccessError(f"{name}: {error.strerror or error}") from error


def write_whole(target: Path | None, write: Callable[[BinaryIO], object]) -> None:
    """Write a file, or stdout for None. A file appears under its name only when all of it is on the disk.

    `write` gets a binary stream that can seek. Devices and named pipes are written directly.

    Raises:
        FileAccessError: the file can't be written.
        UsageError: stdout is a terminal.
    """
    if target is None:
        try:
            _write_stdout(write)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise FileAccessError(f"standard output: {error.strerror or error}") from error
        return
    atomic.write_whole(target, write)


def _write_stdout(write: Callable[[BinaryIO], object]) -> None:
    if sys.stdout.isatty():
        raise UsageError("not writing a picture to the terminal: name a file, or redirect the output")
    buffer = io.BytesIO()
    write(buffer)
    sys.stdout.buffer.write(buffer.getbuffer())
    sys.stdout.buffer.flush()
