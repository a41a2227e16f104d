"""Standard streams that are closed, full, without a reader, or in another code page."""

import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

import lpcodec as package

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
PRINTING = [
    ("--version",),
    ("--help",),
    ("datasets", "list"),
    ("info", "coded.lpc"),
]
IGNORING = """
import os, signal
from lpcodec.cli.failures import end_on_signals
signal.signal(signal.SIGHUP, signal.SIG_IGN)
end_on_signals()
os.kill(os.getpid(), signal.SIGHUP)
print("alive")
"""


@pytest.fixture(scope="module")
def coded(portrait: Image.Image) -> bytes:
    return package.encode(portrait.resize((40, 40)), quality=30)


@pytest.fixture
def files(folder: Path, coded: bytes, thumbnail: Image.Image) -> Path:
    """coded.lpc, a.png and b.png in the current folder."""
    (folder / "coded.lpc").write_bytes(coded)
    for name in "ab":
        thumbnail.save(folder / f"{name}.png")
    return folder


def shell(line: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`line` in a shell that knows the command as `lpcodec`."""
    program = f'lpcodec() {{ "{sys.executable}" -m lpcodec "$@"; }}\n{line}'
    return subprocess.run(
        ["bash", "-c", program],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
        check=False,
    )


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_a_reader_that_has_gone_is_141_and_silent(files: Path, words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [sys.executable, "-m", "lpcodec", *words], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, "")


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_stdout_that_cannot_be_written_is_one_line(files: Path, words: tuple[str, ...]) -> None:
    ran = shell(f"lpcodec {' '.join(words)} > /dev/full")
    assert (ran.returncode, ran.stderr) == (7, "lpcodec: error: standard output: No space left on device\n")


@pytest.mark.parametrize("words", ["--version", "info coded.lpc"])
def test_stdout_that_is_closed_is_one_line(files: Path, words: str) -> None:
    ran = shell(f"lpcodec {words} >&-")
    assert (ran.returncode, ran.stderr) == (7, "lpcodec: error: standard output: Bad file descriptor\n")


def test_a_picture_to_stdout_that_cannot_be_written(files: Path) -> None:
    ran = shell("lpcodec decode coded.lpc - > /dev/full")
    assert (ran.returncode, ran.stderr) == (
        7, "lpcodec: error: coded.lpc: standard output: No space left on device\n",
    )  # fmt: skip


@pytest.mark.parametrize("stderr", ["2> /dev/full", "2>&-", "2>&1 >/dev/null | true"])
def test_stderr_that_cannot_be_written_stops_nothing(files: Path, stderr: str) -> None:
    ran = shell(f"set -o pipefail; lpcodec encode a.png b.png --out-dir out -q 30 {stderr}")
    assert ran.returncode == 0
    assert {path.name for path in (files / "out").iterdir()} == {"a.lpc", "b.lpc"}


def test_an_error_that_cannot_be_told_keeps_its_code(files: Path) -> None:
    (files / "bad.lpc").write_bytes(b"junk")
    assert shell("lpcodec verify bad.lpc coded.lpc 2> /dev/full").returncode == 3


def test_closed_stdin_is_one_line(files: Path) -> None:
    ran = shell("lpcodec info - <&-")
    assert (ran.returncode, ran.stderr) == (7, "lpcodec: error: -: standard input is closed\n")


def test_no_file_takes_the_place_of_a_closed_stream(files: Path) -> None:
    """What a library writes to descriptor 2 would go into the first file that is opened."""
    program = (
        "import os, sys\nfrom lpcodec.cli import streams\nstreams.prepare()\n"
        "with open('first', 'w') as file:\n    assert file.fileno() > 2\n"
        "for descriptor in (1, 2):\n    try: os.write(descriptor, b'lost')\n    except OSError: pass\n"
    )
    (files / "script.py").write_text(program)
    assert shell(f'"{sys.executable}" script.py <&- >&- 2>&-').returncode == 0
    assert (files / "first").read_bytes() == b""


def test_names_outside_the_code_page_fail_no_file(files: Path) -> None:
    (files / "coded.lpc").rename(files / "中.lpc")
    plain = {"PYTHONIOENCODING": "cp1252"}
    ran = shell("lpcodec verify 中.lpc; lpcodec info 中.lpc", **plain)
    assert ran.stderr == ""
    assert ran.returncode == 0
    assert ran.stdout.startswith("\\u4e2d.lpc: ok\n")


def test_an_ignored_signal_stays_ignored(folder: Path) -> None:
    """As nohup has it."""
    ran = subprocess.run([sys.executable, "-c", IGNORING], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "alive\n")


def test_a_terminal_that_goes_away_stops_no_batch(files: Path) -> None:
    """The bars write to it from a thread of their own."""
    ours, theirs = pty.openpty()
    words = ["encode", "a.png", "b.png", "--out-dir", "out", "-q", "30"]
    child = subprocess.Popen([sys.executable, "-m", "lpcodec", *words], stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    threading.Thread(target=lambda: (time.sleep(1.0), os.close(ours))).start()
    assert child.wait(timeout=120) == 0
    assert {path.name for path in (files / "out").iterdir()} == {"a.lpc", "b.lpc"}
