"""What a process that computes owes to the children it forks.

The threads of a process don't survive `fork()`: the child has only the thread that forked. GNU OpenMP, with which
torch computes, doesn't know that. Its first parallel loop in the child hands work to threads that are gone, and waits
for ever. So a forked child computes with one thread. Spawned processes start afresh and need nothing.
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
