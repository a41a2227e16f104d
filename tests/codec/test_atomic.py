"""Files that are whole or not there: with a full disk, a failing writer, a link, a long name."""

import os
from pathlib import Path
from typing import Any

import pytest

from lpcodec.codec.atomic import PARTIAL, write_bytes, write_whole
from lpcodec.codec.errors import FileAccessError
from tests.full_disk import files_of_at_most


@pytest.fixture
def older(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"older")
    path.chmod(0o640)
    return path


def test_the_new_file_keeps_the_permissions_of_the_old(older: Path) -> None:
    write_bytes(older, b"newer")
    assert older.read_bytes() == b"newer"
    assert older.stat().st_mode & 0o777 == 0o640
    assert os.listdir(older.parent) == ["file"]


def test_without_room_the_old_file_stays_and_no_partial(older: Path) -> None:
    with files_of_at_most(100), pytest.raises(FileAccessError, match=rf"^{older}: File too large$"):
        write_bytes(older, bytes(1000))
    assert older.read_bytes() == b"older"
    assert os.listdir(older.parent) == ["file"]


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), SystemExit(143), MemoryError()])
def test_whatever_ends_the_writing_leaves_the_old_file_and_no_partial(older: Path, error: BaseException) -> None:
    def write(stream: Any) -> None:
        stream.write(b"half")
        (partial,) = (name for name in os.listdir(older.parent) if name != "file")
        assert PARTIAL in partial
        raise error

    with pytest.raises(type(error)):
        write_whole(older, write)
    assert older.read_bytes() == b"older"
    assert os.listdir(older.parent) == ["file"]


def test_a_link_stays_one(older: Path) -> None:
    link = older.with_name("link")
    link.symlink_to(older.name)
    write_bytes(link, b"newer")
    assert link.is_symlink()
    assert older.read_bytes() == b"newer"


def test_the_longest_name_that_a_file_system_takes(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 127)
    write_bytes(path, b"whole")
    assert path.read_bytes() == b"whole"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_device_is_written_itself() -> None:
    write_bytes(Path("/dev/null"), b"lost")
    with pytest.raises(FileAccessError, match=r"^/dev/full: No space left on device$"):
        write_bytes(Path("/dev/full"), b"lost")


@pytest.mark.parametrize("place", ["none/file", "."])
def test_places_that_cannot_be_written_are_named(tmp_path: Path, place: str) -> None:
    target = tmp_path / place
    with pytest.raises(FileAccessError, match=f"^{target}: "):
        write_bytes(target, b"lost")
