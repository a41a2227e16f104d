"""Tiles and groups in threads, each with one torch thread.

torch's own threads divide every layer and wait for each other behind it, computing nothing but the waiting. If another
process takes a core, all wait for the one that lost it. Threads that take whole tiles wait once, at the end.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


def threads(device: torch.device) -> int:
    """How many items `in_threads` works on at a time."""
    return torch.get_num_threads() if device.type == "cpu" else 1


def in_threads(work: Callable[[T], R], items: Iterable[T], device: torch.device) -> Iterator[R]:
    """The results of `work`, in order: as many items at a time as torch may use threads, each in one thread, in
    inference mode. One after the other if that is one thread or one item; on a GPU it is."""
    items = list(items)
    count = min(threads(device), len(items))
    if count <= 1:
        yield from map(work, items)
        return
    allowed = torch.get_num_threads()

    @torch.inference_mode()
    def alone(item: T) -> R:
        return work(item)

    pool = ThreadPoolExecutor(count, initializer=lambda: torch.set_num_threads(1))
    try:
        yield from pool.map(alone, items)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(allowed)  # what threads that are started from now on begin with


class Helper:
    """A second thread, for work that has two halves."""

    def __init__(self, torch_threads: int) -> None:
        self._pool = ThreadPoolExecutor(1, initializer=lambda: torch.set_num_threads(torch_threads))

    def submit(self, work: Callable[P, R], /, *arguments: P.args, **named: P.kwargs) -> Future[R]:
        """Begin `work` in that thread, in inference mode, after all that was begun before."""
        return self._pool.submit(torch.inference_mode()(work), *arguments, **named)

    def close(self) -> None:
        """Wait until all is done."""
        self._pool.shutdown()


@contextmanager
def helper(device: torch.device) -> Iterator[Helper | None]:
    """A helper that has half of torch's threads, while the caller has the others; None if there is one thread alone, or
    if the work is on a GPU."""
    allowed = threads(device)
    if allowed == 1:
        yield None
        return
    found = Helper(allowed // 2)
    torch.set_num_threads(allowed - allowed // 2)
    try:
        yield found
    finally:
        found.close()
        torch.set_num_threads(allowed)
