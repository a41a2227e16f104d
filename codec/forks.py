"""Protects forked processes from waiting forever.

A process that is made by `fork()` has only the thread that forked, none of the others. GNU OpenMP, which torch computes
with, doesn't notice: its first parallel loop in the child gives work to threads that don't exist, and waits for them.
So a forked child computes with one thread. Spawned processes aren't affected.
"""

import functools
import os
import sys


@functools.cache
def protect_children() -> None:
    """Let every process that is forked from now on compute with one thread. Call it before the first computation."""
    if hasattr(os, "register_at_fork"):  # not on Windows, which can't fork
        os.register_at_fork(after_in_child=_one_thread)


def _one_thread() -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
