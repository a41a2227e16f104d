"""Children of a process that has computed: they code the same bytes within seconds, forked or spawned (G10).

GNU OpenMP's threads don't survive a fork, so everything here runs in a process of its own with two threads.
"""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

LIMIT = 240  # seconds, on a machine that is busy; a hang never ends
PROGRAM = """
import multiprocessing, sys
import numpy as np
import torch
from PIL import Image
import lpcodec

def work(image):
    coded = lpcodec.encode(image, quality=40)
    lpcodec.verify(coded)
    return coded, np.asarray(lpcodec.decode(coded)).astype(int), torch.get_num_threads()

def children(method, image, count):
    with multiprocessing.get_context(method).Pool(count) as pool:
        return [one.get(100) for one in [pool.apply_async(work, (image,)) for _ in range(count)]]

if __name__ == "__main__":
    method, picture, count = sys.argv[1:]
    torch.set_num_threads(2)
    image = Image.open(picture).convert("RGB")
    expected = lpcodec.encode(image, quality=40)
    calls = {
        "encode": lambda: None,
        "decode": lambda: lpcodec.decode(expected),
        "verify": lambda: lpcodec.verify(expected),
        "refine": lambda: lpcodec.encode(image, quality=40, effort=2),
        "target": lambda: lpcodec.encode(image, bpp=0.5),
        "wcae": lambda: lpcodec.decode(lpcodec.encode(image, model="wcae")),
    }
    results = {}
    for name, call in calls.items() if method == "fork" else [("encode", calls["encode"])]:
        call()
        results[name] = children(method, image, int(count))
    pixels = np.asarray(lpcodec.decode(expected)).astype(int)
    for name, (coded, decoded, threads) in ((name, one) for name, many in results.items() for one in many):
        assert coded == expected, name
        assert abs(pixels - decoded).max() <= 1, name  # how floats are summed depends on the threads (G1)
        assert method != "fork" or threads == 1, (name, threads)
    assert torch.get_num_threads() == 2  # the parent keeps its own
    print("the same")
"""
WHILE_A_PICTURE_IS_OPEN = """
import os, sys, threading
from PIL import Image
import lpcodec
from lpcodec.codec.picture import pixel_ceiling

image = Image.open(sys.argv[1]).convert("RGB")
own = Image.MAX_IMAGE_PIXELS
opened, done = threading.Event(), threading.Event()

def hold():
    with pixel_ceiling(10**9):
        opened.set()
        done.wait()

thread = threading.Thread(target=hold)
thread.start()
opened.wait()
child = os.fork()
if child == 0:
    os._exit(0 if Image.MAX_IMAGE_PIXELS == own and lpcodec.encode(image, quality=10) else 1)
done.set()
thread.join()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory, portrait: Image.Image) -> str:
    path = tmp_path_factory.mktemp("forks") / "picture.png"
    portrait.resize((96, 120)).save(path)
    return str(path)


def run(folder: Path, program: str, *words: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"  # a spawned child imports its main module from a file
    script.write_text(program, "utf-8")
    environment = os.environ | {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
    return subprocess.run(
        [sys.executable, str(script), *words],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env=environment,
        check=False,
    )


@forking
def test_forked_children_code_the_same_bytes_whatever_the_parent_called(picture: str, tmp_path: Path) -> None:
    ran = run(tmp_path, PROGRAM, "fork", picture, "1")
    assert ran.stdout == "the same\n", ran.stderr


def test_a_spawned_child_codes_the_same_bytes(picture: str, tmp_path: Path) -> None:
    ran = run(tmp_path, PROGRAM, "spawn", picture, "1")
    assert ran.stdout == "the same\n", ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_four_processes_at_once_code_the_same_bytes(picture: str, tmp_path: Path, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    ran = run(tmp_path, PROGRAM, method, picture, "4")
    assert ran.stdout == "the same\n", ran.stderr


@forking
def test_a_picture_open_in_another_thread_is_not_open_in_the_child(picture: str, tmp_path: Path) -> None:
    """Pillow's pixel limit is a global that is changed while a picture is open, under a lock."""
    ran = run(tmp_path, WHILE_A_PICTURE_IS_OPEN, picture)
    assert ran.returncode == 0, ran.stderr
