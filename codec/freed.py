"""Memory that was freed, of which the C library keeps much: what lies between blocks that are in use."""

import contextlib
import ctypes


def give_back() -> None:
    """Give freed memory back to the system. Without effect where the C library isn't glibc.

    Memory that is taken again costs page faults, so this is for the end of a stage that took much.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
