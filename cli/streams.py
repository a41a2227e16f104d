"""The standard streams of the command: what happens if one is closed or can't be written.

```
stdin   closed             -> reading it is an error of its own (files.py)
stdout  reader has gone    -> exit 141, silently       cannot be written -> one line, exit 7
        another code page  -> characters that it lacks become escapes (\\xe9)
stderr  cannot be written  -> messages are lost, the work continues
```
If a standard descriptor is closed, the next file that is opened gets its number, and every library takes that file for
stdin, stdout or stderr. So `prepare` opens the null device in its place, in a mode that gives an error if it is used.
"""

import io
import os
import sys
from contextlib import suppress
from typing import Any, NoReturn, TextIO

from lpcodec.cli.failures import PIPE_CLOSED, forget_stdout, say
from lpcodec.codec.errors import ExitCode


class Output(io.TextIOWrapper):
    """stdout: if it can't be written, the command ends, whoever wrote; rich and typer would handle it in other ways."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._end(error)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._end(error)

    def _end(self, error: OSError) -> NoReturn:
        forget_stdout()
        if isinstance(error, BrokenPipeError):
            raise SystemExit(PIPE_CLOSED) from None
        say(f"lpcodec: error: standard output: {error.strerror or error}")
        raise SystemExit(ExitCode.FILE_ACCESS) from None


class Messages(io.TextIOWrapper):
    """stderr: if a message can't be written, only the message is lost."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def prepare() -> None:
    """Replace stdout and stderr by `Output` and `Messages`, and open the null device for closed descriptors."""
    _fill_closed_descriptors()
    sys.stdout = Output(**_settings(sys.stdout, 1))
    sys.stderr = Messages(**_settings(sys.stderr, 2))


def settle() -> None:
    """At exit, flush stdout. What couldn't be written was reported already, and isn't tried again."""
    try:
        sys.stdout.buffer.flush()
    except OSError:
        forget_stdout()


def watched() -> bool:
    """Whether stderr is a terminal, so that a person may look at it."""
    return sys.stderr is not None and sys.stderr.isatty()


def _fill_closed_descriptors() -> None:
    for descriptor, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest free number, which is this one


def _settings(stream: TextIO | None, descriptor: int) -> dict[str, Any]:
    """The arguments of the `TextIOWrapper` that replaces `stream`; None: a descriptor that was closed."""
    if stream is None:
        return {"buffer": open(descriptor, "wb", closefd=False), "encoding": "utf-8", "errors": "backslashreplace"}
    return {
        "buffer": stream.buffer,
        "encoding": stream.encoding,
        "errors": "backslashreplace",
        "line_buffering": stream.line_buffering,
    }
