"""Faults of the machine lose nothing (G9): a full disk, a folder that can't be written, and `kill -9` in the middle.

Each test runs the real command in a process of its own. The full disk is a small tmpfs in a mount namespace, which
Linux gives to every user. `pytest -m slow tests/test_faults.py` runs all; they take some minutes.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import lpcodec
from lpcodec.codec.atomic import PARTIAL

TRAIN = "lpcodec train nowcae --data pictures --patch 64 --batch 1 --threads 1"
WRITING = (
    "lpcodec encode pictures/0.png closed/a.lpc",
    "lpcodec encode pictures/*.png --out-dir closed",
    "lpcodec batch encode pictures --to closed",
    "lpcodec batch encode pictures --to closed/batch",
    f"{TRAIN} --out closed/run --steps 1",
    "lpcodec report --data pictures --codecs jpeg --out closed/report",
)
"""Commands that write to a folder `closed`."""
COMMAND = f'"{sys.executable}" -m lpcodec'
WAIT = 300


def shell(line: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    words = ["bash", "-c", f'lpcodec() {{ {COMMAND} "$@"; }}; {line}']
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=WAIT, check=False)


def on_small_disk(size: str, line: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run `line` in `folder`, with `disk` in it being a disk of `size`; then list what is there, hidden files too."""
    listed = "find disk -type f -printf '%P %s\\n' > listing"
    inside = f"mount -t tmpfs -o size={size} none disk && {line}; code=$?; {listed}; exit $code"
    (folder / "disk").mkdir(exist_ok=True)
    return subprocess.run(
        ["unshare", "--map-root-user", "--mount", "bash", "-c", f'lpcodec() {{ {COMMAND} "$@"; }}; {inside}'],
        cwd=folder, capture_output=True, text=True, timeout=WAIT, check=False,
    )  # fmt: skip


def listing(folder: Path) -> dict[str, int]:
    rows = (row.rsplit(" ", 1) for row in (folder / "listing").read_text().splitlines())
    return {name: int(size) for name, size in rows}


def _can_mount() -> bool:
    words = ["unshare", "--map-root-user", "--mount", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(words, capture_output=True, check=False).returncode == 0


full_disk = pytest.mark.skipif(not _can_mount(), reason="no mount namespaces here")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")]


@pytest.fixture
def pictures(tmp_path: Path, portrait: Image.Image) -> Path:
    """Six different pictures in a folder `pictures`, of some 9 kB each when coded at quality 90."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(6):
        portrait.crop((20 * number, 30 * number, 20 * number + 272, 30 * number + 288)).save(folder / f"{number}.png")
    return tmp_path


@full_disk
def test_encode_and_decode_on_a_full_disk(pictures: Path) -> None:
    ran = on_small_disk("32k", "lpcodec encode pictures/*.png --out-dir disk -q 90 --quiet", pictures)
    assert ran.returncode == 7
    there = listing(pictures)
    assert there
    assert all(name.endswith(".lpc") for name in there)
    lines = ran.stderr.splitlines()
    assert len(lines) == 6 - len(there) + 1  # one for each that failed, and the summary
    assert all("No space left on device" in line for line in lines[:-1])
    shell("lpcodec encode pictures/0.png one.lpc -q 90 --quiet", pictures)
    ran = on_small_disk("64k", "cp one.lpc disk/older.png; lpcodec decode one.lpc disk/older.png --overwrite", pictures)
    assert ran.returncode == 7
    assert ran.stderr.endswith("older.png: No space left on device\n")
    assert ran.stderr.count("\n") == 1
    assert listing(pictures) == {"older.png": (pictures / "one.lpc").stat().st_size}


@full_disk
def test_train_export_and_report_on_a_full_disk(pictures: Path) -> None:
    ran = on_small_disk("500k", f"{TRAIN} --out disk/run --steps 2", pictures)
    assert ran.returncode == 7
    assert ran.stderr.splitlines()[-1] == "lpcodec: error: disk/run/checkpoint.pt: No space left on device"
    assert set(listing(pictures)) <= {"run/log.jsonl"} | {
        n for n in listing(pictures) if n.startswith("run/tensorboard")
    }
    assert shell(f"{TRAIN} --out run --steps 2", pictures).returncode == 0
    ran = on_small_disk("64k", "lpcodec export run --name nowcae --out disk/weights", pictures)
    assert ran.returncode == 7
    assert ran.stderr == "lpcodec: error: disk/weights/nowcae.safetensors: No space left on device\n"
    assert listing(pictures) == {}
    words = "lpcodec report --data pictures --codecs jpeg --out disk/report --no-memory --quiet"
    words = (
        words if "--no-memory" in shell("lpcodec report --help", pictures).stdout else words.replace(" --no-memory", "")
    )
    ran = on_small_disk("48k", words, pictures)
    assert ran.returncode == 7
    assert "No space left on device" in ran.stderr.splitlines()[-1]
    assert not [name for name in listing(pictures) if PARTIAL in name]


BOUND = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
"""Runs a command of root's without the right to write where the permissions forbid it."""


def test_a_folder_that_cannot_be_written(pictures: Path) -> None:
    bound = BOUND if os.geteuid() == 0 else []
    if bound and not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and there is no setpriv")
    closed = pictures / "closed"
    closed.mkdir(mode=0o500)
    for line in WRITING:
        words = [*bound, "bash", "-c", f'lpcodec() {{ {COMMAND} "$@"; }}; {line}']
        ran = subprocess.run(words, cwd=pictures, capture_output=True, text=True, timeout=WAIT, check=False)
        assert ran.returncode == 7, f"{line}: {ran.stderr}"
        assert re.search("Permission denied|can't be written", ran.stderr), f"{line}: {ran.stderr}"
        assert "Traceback" not in ran.stderr
    assert list(closed.iterdir()) == []


@full_disk
def test_a_file_system_that_is_read_only(pictures: Path) -> None:
    (pictures / "closed").mkdir()
    for line in WRITING:
        inside = f"mount -t tmpfs -o ro none closed && {line}"
        words = ["unshare", "--map-root-user", "--mount", "bash", "-c", f'lpcodec() {{ {COMMAND} "$@"; }}; {inside}']
        ran = subprocess.run(words, cwd=pictures, capture_output=True, text=True, timeout=WAIT, check=False)
        assert ran.returncode == 7, f"{line}: {ran.stderr}"
        assert re.search("Read-only file system|can't be written", ran.stderr), f"{line}: {ran.stderr}"
        assert "Traceback" not in ran.stderr


def killed(line: str, folder: Path, when: Callable[[], bool]) -> None:
    """Start `line` and kill its whole process group as soon as `when` holds; fail if it ends before."""
    words = ["bash", "-c", f'lpcodec() {{ {COMMAND} "$@"; }}; {line}']
    child = subprocess.Popen(
        words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    end = time.monotonic() + WAIT
    while not when() and child.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    os.killpg(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "it had ended before"


def digests(folder: Path, pattern: str = "*") -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob(pattern) if path.is_file()}


def test_kill_9_in_the_middle_of_a_batch_of_encode_and_decode(pictures: Path) -> None:
    out = pictures / "out"
    encode = "lpcodec encode pictures/*.png --out-dir out -q 60"
    killed(encode, pictures, lambda: len(list(out.glob("*.lpc"))) >= 2)
    before = digests(out, "*.lpc")
    for path in out.glob("*.lpc"):
        lpcodec.verify(path.read_bytes())
    assert 2 <= len(before) < 6
    assert len([path for path in out.iterdir() if path.suffix != ".lpc"]) <= 1  # one temporary at most
    assert shell(f"{encode} --skip-existing", pictures).returncode == 0
    after = digests(out, "*.lpc")
    assert after.keys() == {f"{number}.lpc" for number in range(6)}
    assert before.items() <= after.items()
    decode = "lpcodec decode out/*.lpc --out-dir back"
    killed(decode, pictures, lambda: len(list((pictures / "back").glob("*.png"))) >= 2)
    assert shell(f"{decode} --skip-existing", pictures).returncode == 0
    for path in (pictures / "back").glob("*.png"):
        with Image.open(path) as image:
            image.load()
            assert image.size == (272, 288)
    assert len(list((pictures / "back").glob("*.png"))) == 6


def test_kill_9_in_the_middle_of_training_and_export(pictures: Path) -> None:
    run = pictures / "run"
    killed(f"{TRAIN} --out run --steps 100000", pictures, lambda: (run / "log.jsonl").exists() and _lines(run) >= 2)
    assert not (run / "checkpoint.pt").exists()
    assert shell(f"{TRAIN} --out run --steps 50", pictures).returncode == 0
    steps = [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert steps == [50, 50]
    before = digests(run, "checkpoint.pt")
    killed(f"{TRAIN} --out run --steps 100000 --resume", pictures, lambda: _lines(run) >= 4)
    assert digests(run, "checkpoint.pt") == before
    assert shell(f"{TRAIN} --out run --steps 100 --resume", pictures).returncode == 0
    steps = [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert steps == [50, 50, 100, 100]
    weights = pictures / "weights"
    export = "lpcodec export run --name nowcae --out weights"
    killed(export, pictures, lambda: weights.exists())
    assert shell(f"{export} --overwrite", pictures).returncode == 0
    card = json.loads((weights / "nowcae.json").read_text())
    assert card["digest"] == digests(weights)["nowcae.safetensors"]


def _lines(run: Path) -> int:
    return (run / "log.jsonl").read_bytes().count(b"\n")


def test_kill_9_in_the_middle_of_a_report(pictures: Path) -> None:
    cache = pictures / "report" / "points-cache.jsonl"
    report = "lpcodec report --data pictures --codecs jpeg,webp --out report --quiet"
    killed(report, pictures, lambda: cache.exists() and cache.read_bytes().count(b"\n") >= 5)
    known = cache.read_bytes().splitlines()[:4]
    ran = shell(report, pictures)
    assert ran.returncode == 0, ran.stderr
    lines = cache.read_bytes().splitlines()
    assert lines[:4] == known
    keys = [json.loads(line)["key"] for line in lines if line]
    assert len(keys) == len(set(keys)), "a point was measured twice"
    assert json.loads((pictures / "report" / "results.json").read_text())["points"]
