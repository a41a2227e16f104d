"""Output is whole or not there: under exceptions, signals, kill -9 and on odd targets."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from lpcodec.cli.files import read_whole, write_whole
from lpcodec.codec.atomic import PARTIAL
from lpcodec.codec.errors import FileAccessError


def put(data: bytes) -> object:
    return lambda stream: stream.write(data)


@pytest.mark.parametrize("older", [None, b"older"])
@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), SystemExit(143), OSError(28, "No space left")])
def test_a_failure_changes_nothing(tmp_path: Path, older: bytes | None, error: BaseException) -> None:
    target = tmp_path / "a.lpc"
    if older is not None:
        target.write_bytes(older)
    before = list(tmp_path.iterdir())

    def write(stream: BinaryIO) -> None:
        stream.write(b"half")
        stream.flush()
        partial = next(path for path in tmp_path.iterdir() if path != target)
        assert partial.name.startswith(f".a.lpc{PARTIAL}")
        raise error

    with pytest.raises(FileAccessError if isinstance(error, OSError) else type(error)):
        write_whole(target, write)
    assert list(tmp_path.iterdir()) == before
    assert older is None or target.read_bytes() == older


def test_the_file_keeps_its_mode_and_new_ones_follow_the_umask(tmp_path: Path) -> None:
    target = tmp_path / "a.lpc"
    mask = os.umask(0o027)
    try:
        write_whole(target, put(b"1"))
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        target.chmod(0o600)
        write_whole(target, put(b"2"))
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
    finally:
        os.umask(mask)
    assert target.read_bytes() == b"2"


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "a.lpc"
    link.symlink_to("real/b.lpc")
    write_whole(link, put(b"1"))
    assert link.is_symlink()
    assert (tmp_path / "real/b.lpc").read_bytes() == b"1"


def test_names_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    target = tmp_path / ("ö" * 125 + ".lpc")
    write_whole(target, put(b"1"))
    assert target.read_bytes() == b"1"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_devices_are_written_directly() -> None:
    write_whole(Path("/dev/null"), put(b"1"))
    with pytest.raises(FileAccessError, match="/dev/full: No space left"):
        write_whole(Path("/dev/full"), put(b"1"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folders_and_files(tmp_path: Path) -> None:
    target = tmp_path / "a.lpc"
    target.write_bytes(b"older")
    target.chmod(0o400)
    with pytest.raises(FileAccessError, match="Permission denied"):
        write_whole(target, put(b"1"))
    tmp_path.chmod(0o500)
    with pytest.raises(FileAccessError, match="Permission denied"):
        write_whole(tmp_path / "b.lpc", put(b"1"))
    tmp_path.chmod(0o700)
    assert target.read_bytes() == b"older"


def test_unreadable_sources(tmp_path: Path) -> None:
    for source in (tmp_path, tmp_path / "none"):
        with pytest.raises(FileAccessError, match=str(source)):
            read_whole(str(source))


SLOW_WRITER = """
import sys, time
from pathlib import Path
import typer
from lpcodec.cli import app, failures, files

def slow() -> None:
    def write(stream):
        stream.write(b"half")
        stream.flush()
        print("writing", flush=True)
        time.sleep(600)
    files.write_whole(Path(sys.argv[1]), write)

application = typer.Typer()
application.command()(failures.guarded(slow))
failures.end_on_signals()
application([])
"""


def heed_interrupts() -> None:
    """A shell's background job ignores SIGINT, and so would all that it starts, the tests' children too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("name", "code", "left"),
    [("SIGINT", 130, 0), ("SIGTERM", 143, 0), ("SIGHUP", 129, 0), ("SIGQUIT", 131, 0), ("SIGKILL", -9, 1)],
)
def test_signals_while_writing(tmp_path: Path, name: str, code: int, left: int) -> None:
    target = tmp_path / "a.lpc"
    target.write_bytes(b"older")
    writer = subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITER, str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"writing\n"
    writer.send_signal(signal.Signals[name])
    _, said = writer.communicate(timeout=300)
    assert writer.returncode == code
    assert b"Traceback" not in said
    assert target.read_bytes() == b"older"
    others = [path.name for path in tmp_path.iterdir() if path != target]
    assert len(others) == left
    assert all(PARTIAL in name for name in others)


def test_a_terminal_gets_no_binary(monkeypatch: pytest.MonkeyPatch) -> None:
    from lpcodec.codec.errors import UsageError

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(UsageError, match="terminal"):
        write_whole(None, put(b"1"))


def test_the_disk_is_asked_to_hold_it_before_the_name_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append("replace"), replace(a, b)))
    write_whole(tmp_path / "a.lpc", put(b"1"))
    assert order == ["fsync", "replace", "fsync"]  # the file, its new name, the folder that holds the name
