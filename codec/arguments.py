"""The types of arguments: what Python callers may give, who have no command line that checks it for them.

value --whole, limit, switch, ...--> the value as it is used, or a UsageError that names the argument
"""

import math
from numbers import Real

import numpy as np

from lpcodec.codec.errors import UsageError


def is_whole(value: object) -> bool:
    """Whether a value is a whole number, of Python or numpy. True and False are none, nor is 2.0."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def whole(name: str, value: object) -> int:
    """A whole number as an int. Raises UsageError for anything else."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise UsageError(f"{name} {value!r}: give a whole number")
    return int(value)


def limit(name: str, value: object) -> int | None:
    """A limit: a whole number of at least 1, or None. Raises UsageError for anything else."""
    if value is None:
        return None
    found = whole(name, value)
    if found < 1:
        raise UsageError(f"{name} {found}: give at least 1, or None for the default")
    return found


def number(name: str, value: object) -> float:
    """A number as a float. Raises UsageError for anything else, and for NaN."""
    if not isinstance(value, Real) or isinstance(value, bool) or math.isnan(value):
        raise UsageError(f"{name} {value!r}: give a number")
    return float(value)


def switch(name: str, value: object) -> None:
    """Raise UsageError unless a value is True or False, or 1 or 0."""
    if not isinstance(value, (int, np.bool_)) or value not in (0, 1):
        raise UsageError(f"{name} {value!r}: give True or False")


def text(name: str, value: object) -> None:
    """Raise UsageError unless a value is a str."""
    if not isinstance(value, str):
        raise UsageError(f"{name} {value!r}: give a name")


def progress(value: object) -> None:
    """Raise UsageError unless a value can be called, or is None."""
    if value is not None and not callable(value):
        raise UsageError(f"progress {value!r}: give a function, or None")
