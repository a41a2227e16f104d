"""Failures and messages: every exception becomes one line on stderr and an exit code, never a traceback.

```
LpcodecError        -> its own text           its own code (codec/errors.py)
MemoryError, torch  -> "not enough memory"    5, as any other limit
OSError             -> the file and reason    7 (disk full, no permission, no such folder)
anything else       -> "this is a bug"        1
Ctrl-C 130, SIGTERM 143, SIGHUP 129, SIGQUIT 131, reader of a pipe gone 141: as the shell counts signals
```
With LPCODEC_DEBUG=1 in the environment the traceback follows the line.
"""

import functools
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn, ParamSpec

import typer

from lpcodec.codec.errors import ExitCode, LpcodecError

INTERRUPTED = 130
PIPE_CLOSED = 141
ENDING_SIGNALS = ("SIGTERM", "SIGHUP", "SIGQUIT")

HINTS = {
    "max_pixels": "--max-pixels raises the limit",
    "max_memory": "--max-memory raises the limit",
    "allow_partial": "--allow-partial writes what can be shown",
    "alpha_quality": "--alpha-quality codes alpha more coarsely, --background leaves it out",
    "strip": "--strip leaves the metadata out",
    "best_effort": "--best-effort writes it",
    "overwrite": "--overwrite replaces it",
}
"""The option of each `LpcodecError.keyword`. The library's texts name no options."""

P = ParamSpec("P")


def printable(text: str) -> str:
    """`text` on one line: runs of white space become one space, and unprintable characters become escapes."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in line)


def plural(number: int, noun: str) -> str:
    """`1 picture`, `1,234 pictures`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def say(text: str) -> None:
    """Write one line to stderr. If that fails, only the line is lost."""
    with suppress(OSError, AttributeError):  # stderr is None if it was closed
        sys.stderr.write(f"{printable(text)}\n")
        sys.stderr.flush()


def explain(error: Exception) -> tuple[int, str]:
    """The exit code for an error, and the text of its line."""
    text = str(error)
    if isinstance(error, LpcodecError) and error.exit_code != ExitCode.BUG:
        hint = HINTS.get(error.keyword or "")
        return error.exit_code, (text or type(error).__name__) + (f" ({hint})" if hint else "")
    if isinstance(error, MemoryError) or _torch_ran_out(error):
        return (
            ExitCode.OVER_LIMIT,
            "not enough memory for this picture (--max-pixels refuses large pictures)",
        )
    if isinstance(error, OSError):
        reason = error.strerror or text or type(error).__name__
        return ExitCode.FILE_ACCESS, f"{os.fsdecode(error.filename)}: {reason}" if error.filename else reason
    return (
        ExitCode.BUG,
        f"this is a bug, please report it: {type(error).__name__}: {text} (LPCODEC_DEBUG=1 shows where)",
    )


def complain(error: Exception, about: str | None = None) -> int:
    """Write the line for an error, and return the exit code. `about` is the file that the line begins with."""
    code, text = explain(error)
    if about is not None and not text.startswith(f"{about}:"):
        text = f"{about}: {text}"
    say(f"lpcodec: error: {text}")
    if os.environ.get("LPCODEC_DEBUG") == "1":
        with suppress(OSError):
            traceback.print_exception(error, file=sys.stderr)
    return code


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """`command`, with every exception turned into a line and an exit code. Those of typer pass through: it has its own
    way of showing them."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except KeyboardInterrupt:
            say("lpcodec: interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            forget_stdout()
            raise typer.Exit(PIPE_CLOSED) from None
        except Exception as error:
            raise typer.Exit(complain(error)) from None

    return run


def end_on_signals() -> None:
    """Let the signals that end a program raise SystemExit, so that unfinished files are removed.

    A signal that is ignored already stays ignored, such as SIGHUP under nohup.
    """
    for name in ENDING_SIGNALS:
        number = getattr(signal, name, None)  # Windows has SIGTERM alone
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _torch_ran_out(error: Exception) -> bool:
    """Whether torch failed to allocate memory; on the CPU that is a RuntimeError without a class of its own."""
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError"
        or "not enough memory" in str(error)
        or "can't allocate memory" in str(error)
    )


def forget_stdout() -> None:
    """Send stdout to the null device, because the interpreter's last flush would report that it can't be written."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
