"""Worker processes: order, deaths, bounds, endings. Jobs are expressions, so that one function does anything."""

import multiprocessing
import time
from collections.abc import Iterator
from typing import Any

from lpcodec.codec.bulk.processes import Died, Item, in_order

DIE = "__import__('os')._exit(3)"
KILLED = "__import__('os').kill(__import__('os').getpid(), 9)"


def _results(jobs: list[str | None], workers: int = 2) -> list[Any]:
    items = [Item(number, job) for number, job in enumerate(jobs)]
    pairs = list(in_order(items, eval, workers=workers, prepare=time.time))
    assert [number for number, _ in pairs] == list(range(len(jobs)))
    return [result for _, result in pairs]


def test_results_come_in_order_whatever_takes_longest() -> None:
    slow = "__import__('time').sleep(0.5) or 'slow'"
    assert _results([slow, "1", None, "2", "3"]) == ["slow", 1, None, 2, 3]


def test_a_worker_that_dies_costs_its_own_job_alone() -> None:
    assert _results(["1", DIE, "2", KILLED, "3"]) == [1, Died("exit code 3"), 2, Died("Killed"), 3]


def test_nothing_but_deaths_comes_to_an_end() -> None:
    assert _results([DIE] * 4) == [Died("exit code 3")] * 4


def test_no_items_start_no_process() -> None:
    assert _results([]) == []
    assert not multiprocessing.active_children()


def test_items_are_drawn_no_further_ahead_than_promised() -> None:
    drawn = 0

    def items(held: int) -> Iterator[Item[int, str]]:
        nonlocal drawn
        for number in range(1000):
            drawn += 1
            yield Item(number, "__import__('time').sleep(0.3)" if number == 0 else "0", held)

    for held, most in ((0, 64 + 1), (16 << 20, 4 + 1)):
        drawn = 0
        results = in_order(items(held), eval, workers=1, prepare=time.time)
        next(results)
        assert drawn <= most
        results.close()


def test_closing_ends_the_workers_at_once() -> None:
    items = [Item(0, "1"), Item(1, "__import__('time').sleep(600)"), Item(2, "__import__('time').sleep(600)")]
    results = in_order(items, eval, workers=2, prepare=time.time)
    next(results)
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 300
    assert not multiprocessing.active_children()


def test_a_preparation_that_fails_leaves_the_worker_alive() -> None:
    assert [r for _, r in in_order([Item(0, "7")], eval, workers=1, prepare=_missing)] == [7]


_missing = __import__("functools").partial(open, "/nowhere/at/all")
