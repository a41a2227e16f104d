"""The package's error family and the command's exit codes: one table, used by the library and the command alike.

Every error that a user can meet is a `LpcodecError` whose text is one line that says what is wrong and what to do.
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


class LpcodecError(Exception):
    """The root of the family. `exit_code` is what the command exits with."""

    exit_code = ExitCode.BUG


class UsageError(LpcodecError):
    """An option or argument that can't be: a negative rate, two targets at once, an unknown model name."""

    exit_code = ExitCode.USAGE


class DamagedFileError(LpcodecError):
    """Not an lpcodec file, or one that was changed, cut, lengthened or spliced."""

    exit_code = ExitCode.DAMAGED


class UnknownModelError(LpcodecError):
    """A file made by a newer version, or with a model (or model weights) that isn't installed here."""

    exit_code = ExitCode.TOO_NEW


class LimitError(LpcodecError):
    """Decoding or encoding would exceed --max-pixels or --max-memory; raised before anything is allocated."""

    exit_code = ExitCode.OVER_LIMIT


class TargetError(LpcodecError):
    """A rate, size or PSNR target that can't be reached; the text names the nearest one that can."""

    exit_code = ExitCode.OUT_OF_REACH


class FileAccessError(LpcodecError):
    """A file that can't be read or written, or a picture that Pillow can't open."""

    exit_code = ExitCode.FILE_ACCESS


class DifferenceError(LpcodecError):
    """Measured again, a report's points aren't those of its document; the text counts them."""

    exit_code = ExitCode.DIFFERENT
