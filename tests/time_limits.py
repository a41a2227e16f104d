"""Limits of time that hold on machines that are slow, busy, or have many cores."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def takes_at_most(seconds: float) -> Iterator[None]:
    """Fail if the block takes longer both by the clock and in processor time.

    By the clock alone other work on the machine would count, in processor time alone the waiting of many threads.
    """
    clock, processor = time.perf_counter(), time.process_time()
    yield
    taken = min(time.perf_counter() - clock, time.process_time() - processor)
    assert taken < seconds, f"it took {taken:.2f} seconds"
