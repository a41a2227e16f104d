#!/bin/sh
# torch.set_num_threads in a new thread is undone by another thread's call, and decides for threads not yet begun.
#
# Version: torch 2.13.0 for CPUs, Linux.
# Input: a worker thread whose first call to torch is set_num_threads(1); meanwhile the main thread, which has asked
#   for its number before, calls set_num_threads(4); then the worker computes.
# Expected: either the number belongs to each thread (the worker keeps 1) or to the process (all have 4).
# Seen: both. The worker's number is 4 when it computes. If the worker asked torch for anything before it set the
#   number, it keeps 1. And a third thread, begun after a worker set 1, computes with 1 for as long as it lives, while
#   the main thread keeps its own 4: a new thread takes the number that was set last, by any thread.
# So a pool whose initialiser sets 1 may compute with more threads, and slows down threads that
#   the program starts in the meantime. As some results depend on the number of threads, they then change from run to run.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import threading
from concurrent.futures import ThreadPoolExecutor

import torch

print("torch", torch.__version__, "with", torch.get_num_threads(), "threads")


def worker_s_number(asks_first):
    told, changed = threading.Event(), threading.Event()

    def work():
        if asks_first:
            torch.get_num_threads()
        torch.set_num_threads(1)
        told.set()
        changed.wait()
        torch.ones(100_000).exp()
        return torch.get_num_threads()

    with ThreadPoolExecutor(1) as pool:
        number = pool.submit(work)
        told.wait()
        torch.set_num_threads(4)
        changed.set()
        return number.result()


def new_thread_s_number():
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


plain, asked = worker_s_number(False), worker_s_number(True)
print("the worker set 1, then the main thread set 4: the worker computes with", plain)
print("the same, but the worker asked torch for its number before: it computes with", asked)
torch.set_num_threads(4)
with ThreadPoolExecutor(1) as pool:
    pool.submit(torch.get_num_threads).result()
    pool.submit(torch.set_num_threads, 1).result()
main, new = torch.get_num_threads(), new_thread_s_number()
print("another thread set 1: the main thread has", main, "and a new thread has", new)
raise SystemExit(0 if (plain, asked, main, new) == (4, 1, 4, 1) else 1)
PYTHON
