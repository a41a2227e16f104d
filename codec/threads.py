"""Tiles and groups in threads, each with one torch thread.

torch's own threads divide every layer among them and wait for each other after it. If another process takes a core, all
of them wait for the thread that lost it. Threads that work on whole tiles wait only once, at the end.

The workers are kept: on a busy machine a new thread waits some milliseconds before it runs for the first time.

Each thread has its own number of torch threads. It takes it when it first asks torch for it or computes: the number
that was set last, by any thread. So if a thread sets its own number, threads that begin at that moment get it too: here
and in the program that calls us. `compute_with` restores the number at once, and our own threads wait for that.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, ParamSpec, TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")

MOST_AHEAD = 3
"""How many items per thread are begun, at most, before the caller takes the first one's result. Results that wait take
memory."""
_MOST_WORKERS = 1024
"""More than anyone asks for: a worker that had to wait for another one to end might wait forever."""
_HELPERS = ContextVar("_HELPERS", default=True)
_CHANGING = threading.Lock()
"""Held while the number that new threads take isn't the program's."""
_workers, _keeper = ThreadPoolExecutor(_MOST_WORKERS, "lpcodec"), ThreadPoolExecutor(1, "lpcodec-keeper")
"""Those that compute, and one that only sets the number that new threads take. An executor begins a thread if all that
it has are busy, and keeps it."""


def _begin_again() -> None:
    """A forked child has none of its parent's threads."""
    global _workers, _keeper
    _workers, _keeper = ThreadPoolExecutor(_MOST_WORKERS, "lpcodec"), ThreadPoolExecutor(1, "lpcodec-keeper")
    _CHANGING.release()


if hasattr(os, "register_at_fork"):  # a child that is forked while it is held would wait for it forever
    os.register_at_fork(before=_CHANGING.acquire, after_in_parent=_CHANGING.release, after_in_child=_begin_again)


def settle() -> int:
    """The number of torch threads of this thread, which from now on changes only if this thread sets another."""
    with _CHANGING:
        return torch.get_num_threads()


def compute_with(count: int, others: int) -> None:
    """Let this thread use `count` torch threads, and threads that begin later `others`.

    That number is set by a thread that doesn't compute, because setting it sets the thread's own too.
    """
    if settle() == count:
        return
    with _CHANGING:
        torch.set_num_threads(count)
        if others != count:
            _keeper.submit(torch.set_num_threads, others).result()


def threads(device: torch.device) -> int:
    """How many items `in_threads` works on at a time."""
    return settle() if device.type == "cpu" else 1


def in_threads(work: Callable[[T], R], items: Iterable[T], device: torch.device) -> Iterator[R]:
    """The results of `work`, in the order of the items.

    As many items are worked on at a time as torch may use threads, each with one torch thread and in inference mode.
    On a GPU, and with one thread or one item, the work is done here, one item after the other.
    """
    items, allowed = list(items), threads(device)
    count = min(allowed, len(items))
    if count <= 1:
        yield from map(work, items)
        return
    crew = Crew(count, 1, allowed)
    begun: deque[Future[R]] = deque()
    try:
        for item in items:
            if len(begun) == MOST_AHEAD * count:
                yield begun.popleft().result()
            begun.append(crew.submit(work, item))
        while begun:
            yield begun.popleft().result()
    finally:
        crew.drop()
        crew.close()


_Call = tuple[Future[Any], Callable[[], Any]]


class Crew:
    """Some of the kept workers, as an executor: they do in inference mode what is submitted, in that order. A worker
    that finds nothing to do is free at once, and never waits for its crew.

    Args:
        count: of workers, at most.
        torch_threads: of each worker.
        others: torch threads of the caller, and of threads that begin later.
    """

    def __init__(self, count: int, torch_threads: int, others: int) -> None:
        self._count, self._numbers = count, (torch_threads, others)
        self._calls = deque[_Call]()
        self._working = set[Future[None]]()
        self._lock = threading.Lock()
        self._busy = 0

    def submit(self, work: Callable[P, R], /, *arguments: P.args, **named: P.kwargs) -> Future[R]:
        """Let a worker do `work` after all that was submitted before."""
        future: Future[R] = Future()
        with self._lock:
            self._calls.append((future, partial(work, *arguments, **named)))
            if self._busy < self._count:
                self._working = {one for one in self._working if not one.done()} | {_workers.submit(self._work)}
                self._busy += 1
        return future

    def drop(self) -> None:
        """Forget what is submitted and not begun."""
        with self._lock:
            self._calls.clear()

    def close(self) -> None:
        """Wait until all that is submitted is done."""
        wait(self._working)

    @torch.inference_mode()
    def _work(self) -> None:
        with suppress(RuntimeError):  # the keeper can't be begun: the work can be done with any number
            compute_with(*self._numbers)
        while (call := self._next()) is not None:
            future, work = call
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
            del call, future, work  # they may hold much memory

    def _next(self) -> _Call | None:
        with self._lock:
            if self._calls:
                return self._calls.popleft()
            self._busy -= 1
            return None


@contextmanager
def no_helper() -> Iterator[None]:
    """Within it this thread gets no helpers: for a caller that doesn't need what they would compute."""
    before = _HELPERS.set(False)
    try:
        yield
    finally:
        _HELPERS.reset(before)


@contextmanager
def helper(device: torch.device) -> Iterator[Crew | None]:
    """A crew of one, for work that can be divided in two: it has half of torch's threads, the caller the others.

    None on a GPU, if torch may use only one thread, and inside `no_helper`.
    """
    allowed = threads(device)
    if allowed == 1 or not _HELPERS.get():
        yield None
        return
    found = Crew(1, allowed // 2, allowed)
    try:
        compute_with(allowed - allowed // 2, allowed)
        yield found
    finally:
        found.close()
        compute_with(allowed, allowed)
