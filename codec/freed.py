"""Freed memory that the C library keeps for itself, because it lies between blocks that are in use."""

import contextlib
import ctypes


def give_back() -> None:
    """Give freed memory back to the system. Without effect where the C library isn't glibc.

    Taking memory again costs page faults, so call this only after a stage that used a lot of it.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
