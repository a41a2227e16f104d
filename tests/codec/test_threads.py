"""Work in threads: in order, each with one torch thread, and nothing left behind."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from matplotlib.cbook import get_sample_data
from PIL import Image

import lpcodec
from lpcodec.codec.threads import MOST_AHEAD, compute_with, helper, in_threads, no_helper, settle, threads
from lpcodec.codec.tiles import grid, shares

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 3])
def allowed(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_come_in_order_from_threads_that_compute_alone(allowed: int) -> None:
    def work(number: int) -> tuple[int, int]:
        return number, torch.get_num_threads()

    with torch.inference_mode():
        found = list(in_threads(work, range(9), CPU))
    assert found == [(number, 1) for number in range(9)]
    assert threads(CPU) == torch.get_num_threads() == allowed
    assert threads(torch.device("cuda")) == 1


def test_an_error_comes_through_and_ends_the_work(allowed: int) -> None:
    done = []

    def work(number: int) -> None:
        if number == 1:
            raise ValueError("one")
        done.append(number)

    with pytest.raises(ValueError, match="one"):
        list(in_threads(work, range(2000), CPU))
    assert len(done) <= 1 + MOST_AHEAD * allowed
    assert torch.get_num_threads() == allowed


def test_threads_wait_for_a_caller_that_is_slower(allowed: int) -> None:
    """Otherwise all results of a large picture would lie in memory before the first is used."""
    begun = []
    results = in_threads(begun.append, range(200), CPU)
    for taken in range(1, 100):
        next(results)
        time.sleep(0.001)
        assert len(begun) <= taken + MOST_AHEAD * allowed
    results.close()  # type: ignore[attr-defined]
    assert len(begun) < 200


def test_a_helper_shares_the_threads(allowed: int) -> None:
    with helper(CPU) as second:
        if allowed == 1:
            assert second is None
        else:
            assert second is not None
            assert (second.submit(torch.get_num_threads).result(), torch.get_num_threads()) == (1, 2)
            assert second.submit(torch.is_inference_mode_enabled).result()
    assert torch.get_num_threads() == allowed


def in_new_thread(work: Callable[[], int]) -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_threads_that_begin_meanwhile_take_the_number_of_the_program(allowed: int) -> None:
    """torch gives a new thread the number that was set last, by any thread. The program's own threads would compute
    with one thread from then on."""
    with helper(CPU):
        assert in_new_thread(settle) == allowed
    for _ in in_threads(lambda _: None, range(9), CPU):
        assert in_new_thread(settle) == allowed
    assert in_new_thread(torch.get_num_threads) == allowed


def test_a_thread_that_was_told_its_number_keeps_it(allowed: int) -> None:
    """torch forgets a number that is set before the thread's first computation, if another thread sets one."""
    del allowed
    told, changed = threading.Event(), threading.Event()

    def work() -> int:
        compute_with(2, torch.get_num_threads())
        told.set()
        changed.wait()
        torch.ones(100_000).exp()
        return torch.get_num_threads()

    with ThreadPoolExecutor(1) as pool:
        number = pool.submit(work)
        told.wait()
        torch.set_num_threads(5)
        changed.set()
        assert number.result() == 2


def test_no_helper_if_nobody_wants_its_results(allowed: int) -> None:
    with no_helper(), helper(CPU) as second:
        assert second is None
        assert torch.get_num_threads() == allowed
    with helper(CPU) as second:
        assert (second is None) == (allowed == 1)


@pytest.mark.parametrize("model", ["default", "fast", "lpcae", "wcae"])
def test_the_number_of_threads_does_not_change_a_file(model: str) -> None:
    """Tiles of the transforms follow the number of threads; what is coded doesn't."""
    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        picture = np.asarray(image.convert("RGB").crop((90, 20, 390, 260)))
    before, files = torch.get_num_threads(), []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            files.append(lpcodec.encode(picture, model=model, downscale=1))
    finally:
        torch.set_num_threads(before)
    assert files[1:] == files[:1] * 2


@pytest.mark.parametrize("size", [(32, 48), (48, 32), (7, 5), (1, 300), (64, 64), (86, 128), (200, 130)])
@pytest.mark.parametrize("count", [1, 2, 16])
def test_shares_cover_a_picture_once_in_tiles_for_all_threads(size: tuple[int, int], count: int) -> None:
    height, width = size
    covered = torch.zeros(size, dtype=torch.int)
    tiles = shares(height, width, 64, 3, count)
    for rows, columns in tiles:
        covered[rows.core, columns.core] += 1
        assert rows.stop - rows.start <= 64
        assert columns.stop - columns.start <= 64
    assert (covered == 1).all()
    assert len(tiles) >= min(count, max(size) // 6)
    if count == 1:
        assert len(tiles) == len(list(grid(height, width, 64, 3)))


ALONE = """
import os, time, torch, numpy as np, lpcodec
from PIL import Image

def spent_by_others():
    ticks = 0
    for thread in os.listdir("/proc/self/task"):
        if int(thread) != os.getpid():
            fields = open(f"/proc/self/task/{thread}/stat").read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks

def there_and_back():
    lpcodec.decode(lpcodec.encode(picture, bpp=0.5))

torch.set_num_threads(1)
colours = np.random.default_rng(0).integers(100, 156, (160, 240, 3), np.uint8)
picture = Image.fromarray(colours.repeat(2, 0).repeat(2, 1))  # drawn, to judge by its repeated pixels
there_and_back()  # imports all that it needs
started, before = -1, 0
while before != started:  # threads that a library starts when it is imported spin until they sleep
    started = before
    time.sleep(0.3)
    before = spent_by_others()
there_and_back()
print((spent_by_others() - before) / os.sysconf("SC_CLK_TCK"))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux") or (os.cpu_count() or 1) < 2, reason="needs /proc, two cores")
def test_with_one_thread_no_library_computes_in_others() -> None:
    """numpy's matrix products would start threads of the BLAS library, which go on spinning for a while: they would
    take the cores from other workers and from torch."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ALONE], capture_output=True, text=True, check=True, env=environment
    )
    assert float(found.stdout) < 0.03
