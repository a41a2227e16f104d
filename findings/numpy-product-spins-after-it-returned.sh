#!/bin/sh
# A small matrix product of numpy's keeps the other cores busy long after it has returned.
#
# Versions: numpy 2.4.6 from PyPI, with its bundled OpenBLAS, on Linux with two or more cores.
# Input: a float32 product of 4096 x 3 and 3 x 256, 3 million multiplications, once; then the process sleeps.
# Expected: with so few multiplications one thread, or more threads that go to sleep when the product is done.
# Seen: on two idle cores it returns after 0.3 ms and takes 100 ms of processor time. OpenBLAS starts a thread per core, and
#   they wait for more work by spinning. So a worker that is meant to use one core takes others from its neighbours:
#   of two such workers on two cores each was a quarter slower. torch.set_num_threads(1) doesn't reach these threads,
#   and OMP_NUM_THREADS does only if it is set before numpy is imported. The same sums as three outer products take
#   2 ms in all.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6
env -u OMP_NUM_THREADS -u OPENBLAS_NUM_THREADS "$folder/venv/bin/python" - <<'PYTHON'
import time

import numpy

print("numpy", numpy.__version__, numpy.__config__.CONFIG["Build Dependencies"]["blas"]["name"])
generator = numpy.random.default_rng(0)
left = generator.random((4096, 3), numpy.float32)
right = generator.random((3, 256), numpy.float32)


def product():
    return left @ right


def outer_products():
    return sum(numpy.multiply.outer(left[:, k], right[k]) for k in range(3))


def spent(work):
    """Seconds until `work` returns, and of processor time from its start until half a second after its end."""
    work()
    time.sleep(0.5)
    start, used = time.perf_counter(), time.process_time()
    work()
    seconds = time.perf_counter() - start
    time.sleep(0.5)
    return seconds, time.process_time() - used


found = {
    work.__name__: min((spent(work) for _ in range(5)), key=lambda pair: pair[1])
    for work in (outer_products, product)
}
for name, (seconds, used) in found.items():
    print(f"{name}: returns after {1000 * seconds:.1f} ms, takes {1000 * used:.1f} ms of processor time")
spins = found["product"][1] > 5 * found["outer_products"][1] and found["outer_products"][1] < 2 * found["outer_products"][0]
raise SystemExit(0 if spins else 1)
PYTHON
