"""Worker processes: jobs in, results out in the same order, even if a worker dies.

```
items --jobs over pipes--> worker: work(job) --> results, in the items' order
    a worker that dies: its job's result is Died, a fresh worker goes on with the next
```
A job is what a worker is given: the argument of `work`, of any type.

Workers are spawned, not forked, because torch hangs in forked processes; they compute with one thread each. They ignore
Ctrl-C, which the parent handles, and end when their pipe is closed, even if the parent was killed.
"""

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

Context = TypeVar("Context")
Input = TypeVar("Input")
Output = TypeVar("Output")

SECONDS_TO_END = 5.0
_ITEMS_AHEAD = 64
_BYTES_AHEAD = 64 << 20


@dataclass(frozen=True)
class Item(Generic[Context, Input]):
    """A place in the order of results: a `context`, which is returned with the result, and a job, if there is one.

    `held` is the number of bytes that it keeps in memory until it is returned.
    """

    context: Context
    job: Input | None = None
    held: int = 0


@dataclass(frozen=True)
class Died:
    """The result of a job if its worker process ended during it. `how` names the signal or the exit code."""

    how: str


class _Slot(Generic[Context, Input, Output]):
    """An item that isn't returned yet. It is `done` when its result is there, or at once if it has no job."""

    def __init__(self, item: Item[Context, Input]) -> None:
        self.item = item
        self.done = item.job is None
        self.result: Output | Died | None = None


def in_order(
    items: Iterable[Item[Context, Input]], work: Callable[[Input], Output], *, workers: int, prepare: Callable[[], None]
) -> Generator[tuple[Context, Output | Died | None], None, None]:
    """Yield the context and the result of each item, in order; the result is None for an item without a job.

    At most 64 items, or 64 MiB that they hold, are drawn ahead per worker. `prepare` is called once in each worker.
    `work` and `prepare` must be functions that pickle can name. Closing the iterator ends the workers.
    """
    source, drawn_all, held = iter(items), False, 0
    slots: deque[_Slot[Context, Input, Output]] = deque()
    team = _Team[Context, Input, Output](work, prepare, workers)
    try:
        while slots or not drawn_all:
            has_room = not drawn_all and len(slots) < _ITEMS_AHEAD * workers and held < _BYTES_AHEAD * workers
            if has_room and (item := next(source, None)) is not None:
                held += item.held
                slots.append(_Slot(item))
                team.put(slots[-1])
            elif has_room:
                drawn_all = True
            team.collect(block=not has_room and not slots[0].done)
            while slots and slots[0].done:
                slot = slots.popleft()
                held -= slot.item.held
                yield slot.item.context, slot.result
    finally:
        team.end()


class _Team(Generic[Context, Input, Output]):
    """Up to `workers` processes, and the items that wait for one."""

    def __init__(self, work: Callable[[Input], Output], prepare: Callable[[], None], workers: int) -> None:
        self._work, self._prepare, self._workers = work, prepare, workers
        self._waiting: deque[_Slot[Context, Input, Output]] = deque()
        self._busy: list[_Worker[Context, Input, Output]] = []
        self._idle: list[_Worker[Context, Input, Output]] = []

    def put(self, slot: _Slot[Context, Input, Output]) -> None:
        """Queue an item, if it has a job."""
        if not slot.done:
            self._waiting.append(slot)
        self._give()

    def collect(self, *, block: bool) -> None:
        """Take the results that are ready; if `block`, wait for one."""
        ready = wait([worker.pipe for worker in self._busy], timeout=None if block else 0) if self._busy else []
        for worker in [w for w in self._busy if w.pipe in ready]:
            self._busy.remove(worker)
            if worker.take():
                self._idle.append(worker)
        self._give()

    def _give(self) -> None:
        while self._waiting and len(self._busy) < self._workers:
            worker = self._idle.pop() if self._idle else _Worker(self._work, self._prepare)
            worker.give(self._waiting.popleft())
            self._busy.append(worker)

    def end(self) -> None:
        """End all workers, even those that are busy."""
        for worker in (*self._busy, *self._idle):
            worker.hang_up()
        for worker in (*self._busy, *self._idle):
            worker.end()


class _Worker(Generic[Context, Input, Output]):
    """A worker process and the pipe to it. It does one job at a time."""

    def __init__(self, work: Callable[[Input], Output], prepare: Callable[[], None]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_serve, args=(theirs, work, prepare), daemon=True)
        self._process.start()
        theirs.close()  # so that its end of the pipe closes with it
        self._slot: _Slot[Context, Input, Output] | None = None

    def give(self, slot: _Slot[Context, Input, Output]) -> None:
        self._slot = slot
        with suppress(OSError):  # it has died; `take` finds out
            self.pipe.send(slot.item.job)

    def take(self) -> bool:
        """Take the result of the current job. Returns False if the worker died."""
        assert self._slot is not None
        slot, self._slot = self._slot, None
        slot.done = True
        try:
            slot.result = self.pipe.recv()
            return True
        except (EOFError, OSError):
            self._process.join(SECONDS_TO_END)
            code = self._process.exitcode
            how = signal.strsignal(-code) if code is not None and code < 0 else None
            slot.result = Died(how or f"exit code {code}")
            self.end()
            return False

    def hang_up(self) -> None:
        """Tell the worker to end: an idle one does when its pipe is closed, a busy one is terminated."""
        self.pipe.close()
        if self._slot is not None and self._process.is_alive():
            self._process.terminate()

    def end(self) -> None:
        self.pipe.close()
        self._process.join(SECONDS_TO_END)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(SECONDS_TO_END)


def _serve(pipe: Connection, work: Callable[[Input], Output], prepare: Callable[[], None]) -> None:
    """The main function of a worker process: jobs from the pipe, results into it, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    use_one_thread()
    with suppress(Exception):  # each job will fail for the same reason and report it
        prepare()
    try:
        while True:
            pipe.send(work(pipe.recv()))
    except (EOFError, OSError):
        return
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def use_one_thread() -> None:
    """Let this process compute with one thread, so that several processes don't compete for the cores."""
    os.environ["OMP_NUM_THREADS"] = "1"  # for a torch that isn't imported yet
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(0)
