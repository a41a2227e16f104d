"""Archives give their pictures and nothing else, whatever they say their members are called."""

import contextlib
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.datasets import unpack as module
from lpcodec.datasets.unpack import ArchiveError, is_archive, take_picture, unpack

KINDS = ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz")


def archive(path: Path, *members: tuple[str, bytes]) -> Path:
    """An archive of the kind that the name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as whole:
            for name, data in members:
                whole.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    else:
        mode = {"tar": "w"}.get(path.suffix[1:], f"w:{path.suffix[1:]}")
        with tarfile.open(path, mode) as tar:
            for name, data in members:
                add(tar, name, data)
    return path


def add(tar: tarfile.TarFile, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = len(data), kind, link
    tar.addfile(member, io.BytesIO(data))


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into" / "deep"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_taken_and_nothing_else(kind: str, tmp_path: Path, into: Path) -> None:
    path = archive(
        tmp_path / f"x.{kind}",
        ("valid/a.png", b"one"),
        ("valid/B.JPG", b"two"),
        ("__MACOSX/valid/._a.png", b"no"),
        ("__MACOSX/valid/c.png", b"no"),
        ("valid/.hidden.png", b"no"),
        ("LICENSE", b"no"),
        ("run.sh", b"no"),
    )
    assert is_archive(path)
    assert {p.name: p.read_bytes() for p in unpack(path, into)} == {"a.png": b"one", "B.JPG": b"two"}
    assert sorted(p.name for p in into.iterdir()) == ["B.JPG", "a.png"]


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_lies_in_the_folder_that_is_asked_for(kind: str, tmp_path: Path, into: Path) -> None:
    path = archive(tmp_path / f"x.{kind}", ("T/RGB_12/a.png", b"one"), ("T/RGB_06/a.png", b"two"))
    assert [p.read_bytes() for p in unpack(path, into, "RGB_12/")] == [b"one"]
    with pytest.raises(ArchiveError, match="no pictures below RGB_24"):
        unpack(path, into, "RGB_24/")


HOSTILE = ["/etc/x.png", "../x.png", "../../x.png", "a/../../../x.png", "C:\\x.png", "..\\..\\x.png", "\\\\host\\x.png"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leads_out_of_the_folder(kind: str, name: str, tmp_path: Path, into: Path) -> None:
    path = archive(tmp_path / f"x.{kind}", (name, b"one"))
    assert [p.parent for p in unpack(path, into)] == [into]
    assert [p.name for p in into.iterdir()] == ["x.png"]
    assert {p.name for p in tmp_path.iterdir()} == {path.name, "into"}
    assert list(into.parent.iterdir()) == [into]


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("ab./\\:*\0\n é"), max_size=12))
def test_any_name_stays_inside_or_is_left_out(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    (into := folder / "in").mkdir()
    path = folder / "x.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, f"{name}.png", b"one")
        add(tar, "good.png", b"two")
    found = unpack(path, into)
    assert "good.png" in {p.name for p in found}
    assert all(p.parent == into for p in found)
    assert {p.name for p in folder.iterdir()} == {"in", "x.tar"}


def test_links_and_devices_are_left_inside(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        add(tar, "s.png", kind=tarfile.SYMTYPE, link="/etc/passwd")
        add(tar, "h.png", kind=tarfile.LNKTYPE, link="good.png")
        add(tar, "f.png", kind=tarfile.FIFOTYPE)
        add(tar, "d.png", kind=tarfile.DIRTYPE)
        add(tar, "good.png", b"one")
    assert [p.name for p in unpack(path, into)] == ["good.png"]
    link = zipfile.ZipInfo("s.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as whole:
        whole.writestr(link, "/etc/passwd")
    (into / "good.png").unlink()
    (found,) = unpack(tmp_path / "x.zip", into)
    assert not found.is_symlink()  # its text became a file, which no picture is


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_stopped(kind: str, tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALWAYS_ALLOWED", 1 << 20)
    path = archive(tmp_path / f"x.{kind}", ("a.png", bytes(8 << 20)))
    with pytest.raises(ArchiveError, match="unpacks to far more"):
        unpack(path, into)
    assert sum(p.stat().st_size for p in into.iterdir()) <= (1 << 20) + module.MOST_GROWTH * path.stat().st_size


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_too_many_members(kind: str, tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MEMBERS", 3)
    path = archive(tmp_path / f"x.{kind}", *((f"{n}.txt", b"") for n in range(4)))
    with pytest.raises(ArchiveError, match="more than 3 files"):
        unpack(path, into)


@pytest.mark.parametrize("kind", KINDS)
def test_two_pictures_of_one_name(kind: str, tmp_path: Path, into: Path) -> None:
    path = archive(tmp_path / f"x.{kind}", ("a/x.png", b"one"), ("b/X.png", b"two"))
    with pytest.raises(ArchiveError, match=r"two pictures called X\.png"):
        unpack(path, into)


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_archive_is_one_line(kind: str, tmp_path: Path, into: Path) -> None:
    noise = bytes(n * n * 31 % 251 for n in range(40_000))
    path = archive(tmp_path / f"x.{kind}", ("a.png", noise))
    cut = tmp_path / f"cut.{kind}"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ArchiveError) as caught:
        unpack(cut, into)
    assert "\n" not in str(caught.value)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10**6), st.binary(min_size=1, max_size=40))
def test_damage_is_an_archive_error_or_harmless(tmp_path_factory: pytest.TempPathFactory, kind, place, junk) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    (into := folder / "in").mkdir()
    path = archive(folder / f"x.{kind}", ("a.png", bytes(range(256)) * 8), ("b.png", b"two"))
    data = path.read_bytes()
    place %= len(data)
    path.write_bytes(data[:place] + junk + data[place + len(junk) :])
    with contextlib.suppress(ArchiveError):
        unpack(path, into)
    assert {p.name for p in folder.iterdir()} == {"in", path.name}


def test_what_can_not_be_written_is_no_fault_of_the_archive(tmp_path: Path, into: Path) -> None:
    path = archive(tmp_path / "x.zip", ("a.png", b"one"))
    (into / "a.png").mkdir()
    with pytest.raises(FileExistsError):
        unpack(path, into)


def test_a_file_with_a_password(tmp_path: Path, into: Path) -> None:
    path = archive(tmp_path / "x.zip", ("a.png", b"one"))
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match=r"a\.png"):
        unpack(path, into)


def test_an_archive_without_pictures(tmp_path: Path, into: Path) -> None:
    with pytest.raises(ArchiveError, match="no pictures"):
        unpack(archive(tmp_path / "x.zip", ("readme.txt", b"")), into)


def test_a_picture_is_taken_as_it_is(tmp_path: Path, into: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    assert [p.read_bytes() for p in take_picture(tmp_path / "a.png", into)] == [b"one"]
    (tmp_path / "a.html").write_bytes(b"<html>")
    with pytest.raises(ArchiveError, match="neither an archive nor a picture"):
        take_picture(tmp_path / "a.html", into)
