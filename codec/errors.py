"""The package's errors and the command's exit codes: one table for the library and the command.

Every error that a user can meet is a `LpcodecError`. Its text is one line that says what is wrong and what to do. The
text doesn't name options of the command. If a keyword argument would help, `keyword` is its name, and the command adds
the option.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the `lpcodec` command exits with; documented in docs/errors.md."""

    OK = 0
    BUG = 1
    USAGE = 2
    DAMAGED = 3
    TOO_NEW = 4
    OVER_LIMIT = 5
    OUT_OF_REACH = 6
    FILE_ACCESS = 7
    PARTIAL = 8
    DIFFERENT = 9
    DIVERGED = 10


class LpcodecError(Exception):
    """The base class. `exit_code` is the command's; `keyword` is an argument of encode or decode that would help."""

    exit_code = ExitCode.BUG

    def __init__(self, text: str = "", *, keyword: str | None = None) -> None:
        super().__init__(text)
        self.keyword = keyword


class UsageError(LpcodecError):
    """An invalid argument: a negative rate, two targets at once, an unknown model name."""

    exit_code = ExitCode.USAGE


class DamagedFileError(LpcodecError):
    """Not an lpcodec file, or a file that was changed, cut, lengthened or spliced."""

    exit_code = ExitCode.DAMAGED


class UnknownModelError(LpcodecError):
    """A file made by a newer version, or with a model or weights that aren't installed here."""

    exit_code = ExitCode.TOO_NEW


class LimitError(LpcodecError):
    """Decoding or encoding would exceed `max_pixels` or `max_memory`; raised before anything is allocated."""

    exit_code = ExitCode.OVER_LIMIT


class TargetError(LpcodecError):
    """A rate or size that is too small for the picture; the text gives the smallest size that it can have."""

    exit_code = ExitCode.OUT_OF_REACH


class FileAccessError(LpcodecError):
    """A file that can't be read or written, or a picture that Pillow can't open."""

    exit_code = ExitCode.FILE_ACCESS


class DifferenceError(LpcodecError):
    """A report's points, measured again, differ from those of its document; the text counts them."""

    exit_code = ExitCode.DIFFERENT


class DivergedError(LpcodecError):
    """The losses or weights of a training aren't finite any more; its last finite checkpoint is kept."""

    exit_code = ExitCode.DIVERGED


_LONGEST_REASON = 160


def in_short(error: Exception) -> str:
    """An exception's class and text as a part of one line. A repr would hold all that was read, if it wasn't text."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"


class PictureWarning(UserWarning):
    """Warns a caller of `encode`, `decode` or `upscale`: something was lost, or isn't as asked for."""
