"""A download is whole or not there, continues if a checksum allows it, and says why it can't."""

import hashlib
from pathlib import Path

import pytest

from lpcodec.datasets.dataset import Link
from lpcodec.datasets.download import ATTEMPTS, CHUNK, DownloadError, download

DATA = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "set.zip"


def link_to(server, checksum: str = f"sha256:{SHA256}") -> Link:
    server.files.setdefault("set.zip", DATA)
    return Link(server.url("set.zip"), "a test", checksum)


def only(target: Path) -> bool:
    """Whether the target is there, whole and alone: no part is left over."""
    return target.read_bytes() == DATA and [p.name for p in target.parent.iterdir()] == [target.name]


def test_a_file_is_fetched_once(server, target: Path) -> None:
    told: list[tuple[str, float]] = []
    assert download(link_to(server), target, lambda *where: told.append(where)) == SHA256
    assert only(target)
    whole = f"{len(DATA) / 1e6:.1f}"
    assert told[-1] == (f"set.zip: {whole} of {whole} MB", 1)
    assert [part for _, part in told] == sorted(part for _, part in told)
    assert download(link_to(server), target) == SHA256
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "checksum", [f"md5:{hashlib.md5(DATA).hexdigest()}", f"sha1:{hashlib.sha1(DATA).hexdigest()}", ""]
)
def test_other_checksums_and_none(server, target: Path, checksum: str) -> None:
    assert download(link_to(server, checksum), target) == SHA256
    assert only(target)


def test_a_connection_that_breaks_is_gone_on_with(server, target: Path) -> None:
    server.cut_after = [6 * CHUNK + 9, 20 * CHUNK]
    assert download(link_to(server), target, wait=0) == SHA256
    assert only(target)
    assert [ranges for _, ranges in server.asked] == ["", f"bytes={6 * CHUNK}-", f"bytes={26 * CHUNK}-"]


def test_as_long_as_something_new_comes_it_goes_on(server, target: Path) -> None:
    server.cut_after = [2 * CHUNK] * (3 * ATTEMPTS)
    assert download(link_to(server), target, wait=0) == SHA256
    assert len(server.asked) == 3 * ATTEMPTS + 1


def test_the_next_command_goes_on_too(server, target: Path) -> None:
    server.cut_after = [3 * CHUNK] + [0] * ATTEMPTS
    with pytest.raises(DownloadError, match="the same command continues"):
        download(link_to(server), target, wait=0)
    assert not target.exists()
    server.asked.clear()
    assert download(link_to(server), target, wait=0) == SHA256
    assert only(target)
    assert server.asked == [("/set.zip", f"bytes={3 * CHUNK}-")]


def test_a_server_without_ranges_starts_again(server, target: Path) -> None:
    server.ranges, server.cut_after = False, [100_000]
    assert download(link_to(server), target, wait=0) == SHA256
    assert only(target)


def test_a_file_that_changed_meanwhile_is_not_mixed(server, target: Path) -> None:
    server.files["set.zip"], server.cut_after = bytes(len(DATA)), [100_000] + [0] * ATTEMPTS
    link = link_to(server)
    with pytest.raises(DownloadError):
        download(link, target, wait=0)
    server.files["set.zip"], server.cut_after = DATA, []
    with pytest.raises(DownloadError, match="checksum differs"):  # old bytes before new ones
        download(link, target, wait=0)
    assert list(target.parent.iterdir()) == []
    assert download(link, target, wait=0) == SHA256
    assert only(target)


def test_without_a_checksum_nothing_is_appended(server, target: Path) -> None:
    server.cut_after = [100_000]
    assert download(link_to(server, ""), target, wait=0) == SHA256
    assert [ranges for _, ranges in server.asked] == ["", ""]


def test_a_part_that_is_whole(server, target: Path) -> None:
    target.with_name("set.zip.part").write_bytes(DATA)
    assert download(link_to(server), target, wait=0) == SHA256
    assert only(target)


def test_another_file_than_promised_is_not_kept(server, target: Path) -> None:
    server.files["set.zip"] = DATA[:-1] + b"x"
    with pytest.raises(DownloadError, match=r"gives another file than a test describes \(its checksum differs\)"):
        download(link_to(server), target, wait=0)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_dead_link_is_final_and_reported(server, target: Path, status: int) -> None:
    server.statuses = [status]
    with pytest.raises(DownloadError, match=str(status)) as caught:
        download(link_to(server), target, wait=0)
    assert server.url("set.zip") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(server.asked) == 1
    assert list(target.parent.iterdir()) == []


def test_a_busy_server_is_asked_again(server, target: Path) -> None:
    server.statuses = [503, 500]
    assert download(link_to(server), target, wait=0) == SHA256
    server.statuses = [503] * ATTEMPTS
    target.unlink()
    with pytest.raises(DownloadError, match="no connection"):
        download(link_to(server), target, wait=0)


def test_no_server(server, target: Path) -> None:
    for url in ("http://127.0.0.1:9/set.zip", "nonsense://x/set.zip"):
        with pytest.raises(DownloadError) as caught:
            download(Link(url, "a test", "sha256:00"), target, wait=0)
        assert url in str(caught.value)
