"""Tiles and groups in threads, each with one torch thread.

torch's own threads divide every layer among them and wait for each other after it. If another process takes a core, all
of them wait for the thread that lost it. Threads that work on whole tiles wait only once, at the end.

Each thread has its own number of torch threads. It takes it when it first asks torch for it or computes: the number
that was set last, by any thread. So if a thread sets its own number, threads that begin at that moment get it too: here
and in the program that calls us. `compute_with` restores the number at once, and our own threads wait for that.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")

MOST_AHEAD = 3
"""How many items per thread are begun, at most, before the caller takes the first one's result. Results that wait take
memory."""
_HELPERS = ContextVar("_HELPERS", default=True)
_CHANGING = threading.Lock()
"""Held while the number that new threads take isn't the program's."""
if hasattr(os, "register_at_fork"):  # a child that is forked while it is held would wait for it forever
    os.register_at_fork(before=_CHANGING.acquire, after_in_parent=_CHANGING.release, after_in_child=_CHANGING.release)


def settle() -> int:
    """The number of torch threads of this thread, which from now on changes only if this thread sets another."""
    with _CHANGING:
        return torch.get_num_threads()


def compute_with(count: int) -> None:
    """Let this thread use `count` torch threads. Threads that begin later take the number that they would have taken.

    That number can only be read and set by threads that don't compute, because setting it sets the thread's own too.
    """
    if settle() == count:
        return
    with _CHANGING, ThreadPoolExecutor(1) as other:
        number = other.submit(torch.get_num_threads).result()
        torch.set_num_threads(count)
        other.submit(torch.set_num_threads, number).result()


def threads(device: torch.device) -> int:
    """How many items `in_threads` works on at a time."""
    return settle() if device.type == "cpu" else 1


def in_threads(work: Callable[[T], R], items: Iterable[T], device: torch.device) -> Iterator[R]:
    """The results of `work`, in the order of the items.

    As many items are worked on at a time as torch may use threads, each with one torch thread and in inference mode.
    On a GPU, and with one thread or one item, the work is done here, one item after the other.
    """
    items = list(items)
    count = min(threads(device), len(items))
    if count <= 1:
        yield from map(work, items)
        return

    @torch.inference_mode()
    def alone(item: T) -> R:
        return work(item)

    pool = ThreadPoolExecutor(count, initializer=lambda: compute_with(1))
    begun: deque[Future[R]] = deque()
    try:
        for item in items:
            if len(begun) == MOST_AHEAD * count:
                yield begun.popleft().result()
            begun.append(pool.submit(alone, item))
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class Helper:
    """A second thread, for work that can be divided in two."""

    def __init__(self, torch_threads: int) -> None:
        self._pool = ThreadPoolExecutor(1, initializer=lambda: compute_with(torch_threads))

    def submit(self, work: Callable[P, R], /, *arguments: P.args, **named: P.kwargs) -> Future[R]:
        """Let that thread do `work`, in inference mode, after all that was submitted before."""
        return self._pool.submit(torch.inference_mode()(work), *arguments, **named)

    def close(self) -> None:
        """Wait until all of it is done."""
        self._pool.shutdown()


@contextmanager
def no_helper() -> Iterator[None]:
    """Within it this thread gets no helpers: for a caller that doesn't need what they would compute."""
    before = _HELPERS.set(False)
    try:
        yield
    finally:
        _HELPERS.reset(before)


@contextmanager
def helper(device: torch.device) -> Iterator[Helper | None]:
    """A helper that has half of torch's threads, while the caller has the others.

    None on a GPU, if torch may use only one thread, and inside `no_helper`.
    """
    allowed = threads(device)
    if allowed == 1 or not _HELPERS.get():
        yield None
        return
    found = Helper(allowed // 2)
    try:
        compute_with(allowed - allowed // 2)
        yield found
    finally:
        found.close()
        compute_with(allowed)
