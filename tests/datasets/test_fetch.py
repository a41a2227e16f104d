"""A set from a server to its folder: whole, checked, resumed, and otherwise a line that says what to do."""

import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec.picture import read_rgb
from lpcodec.datasets import record
from lpcodec.datasets.dataset import DataSet, Download, Link
from lpcodec.datasets.download import ATTEMPTS
from lpcodec.datasets.fetch import FetchError, fetch
from lpcodec.datasets.pictures import pixel_digest, read_digest


def png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def zipped(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as whole:
        for stem, data in files.items():
            whole.writestr(f"valid/{stem}.png", data)
    return stream.getvalue()


@pytest.fixture
def pictures(noise) -> dict[str, Image.Image]:
    return {stem: next(noise) for stem in "abc"}


@pytest.fixture
def some(server, pictures) -> DataSet:
    """A set of three pictures in one archive."""
    data = zipped(**{stem: png(picture) for stem, picture in pictures.items()})
    server.files["some.zip"] = data
    link = Link(server.url("some.zip"), "a test", f"sha256:{hashlib.sha256(data).hexdigest()}")
    return DataSet("some", "Some", 3, "test", "free", "http://home", (Download((link,)),))


def without_checksum(dataset: DataSet) -> DataSet:
    (wanted,) = dataset.downloads
    return replace(dataset, downloads=(Download((replace(wanted.links[0], checksum=""),)),))


def test_an_archive_becomes_a_folder_of_pictures(some, pictures, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    fetched = fetch(some, read_rgb, tmp_path, lambda *call: told.append(call))
    folder = tmp_path / "some"
    assert sorted(p.name for p in folder.iterdir()) == [record.NAME, "a.png", "b.png", "c.png"]
    assert [read_digest(folder / f"{s}.png", read_rgb) for s in "abc"] == [
        pixel_digest(np.asarray(p)) for p in pictures.values()
    ]
    assert fetched.report.complete
    assert fetched.report.of("fetched") == ["a.png", "b.png", "c.png"]
    assert fetched.notes == ()
    assert list((tmp_path / ".downloads").iterdir()) == []
    assert told[0][0].startswith("some.zip: ")
    assert told[-4][1] == 1
    assert told[-3:] == [("1 of 3 pictures", 1 / 3), ("2 of 3 pictures", 2 / 3), ("3 of 3 pictures", 1)]


def test_what_is_here_is_not_fetched_again(some, server, tmp_path: Path) -> None:
    fetch(some, read_rgb, tmp_path)
    again = fetch(some, read_rgb, tmp_path)
    assert again.report.complete
    assert "already" in again.notes[0]
    assert len(server.asked) == 1
    (tmp_path / "some" / "b.png").unlink()
    assert fetch(some, read_rgb, tmp_path).report.complete
    assert len(server.asked) == 2


def test_without_a_checksum_it_says_what_came_and_remembers_it(some, server, tmp_path: Path) -> None:
    fetched = fetch(without_checksum(some), read_rgb, tmp_path)
    sha256 = hashlib.sha256(server.files["some.zip"]).hexdigest()
    (note,) = fetched.notes
    assert note == f"{server.url('some.zip')}: no checksum is known; its SHA-256 is {sha256}"
    kept = record.load(tmp_path / "some")
    assert kept is not None
    assert kept.files == (record.FetchedFile(server.url("some.zip"), sha256, False),)


def test_pictures_that_are_known_by_their_pixels_need_no_checksum(some, pictures, tmp_path: Path) -> None:
    digests = {stem: pixel_digest(np.asarray(picture)) for stem, picture in pictures.items()}
    fetched = fetch(replace(without_checksum(some), digests=digests), read_rgb, tmp_path)
    assert fetched.notes == ()
    assert fetched.report.of("exact") == ["a.png", "b.png", "c.png"]


def test_other_pixels_than_known_are_said(some, pictures, tmp_path: Path) -> None:
    digests = {stem: pixel_digest(np.asarray(picture)) for stem, picture in pictures.items()} | {"b": "0" * 16}
    fetched = fetch(replace(some, digests=digests), read_rgb, tmp_path)
    assert fetched.notes == ("1 of 3 pictures have other pixels than the copy known here: b.png, ...",)


def test_pictures_one_by_one(server, pictures, tmp_path: Path) -> None:
    for stem, picture in pictures.items():
        server.files[f"{stem}.png"] = png(picture)
    downloads = tuple(Download((Link(server.url(f"{stem}.png"), "a test"),)) for stem in pictures)
    dataset = DataSet("some", "Some", 3, "test", "free", "http://home", downloads)
    server.cut_after = [1 << 20] + [10] * (ATTEMPTS + 1)  # the second one breaks off, until it is given up
    with pytest.raises(FetchError, match="no connection"):
        fetch(dataset, read_rgb, tmp_path, wait=0)
    assert not (tmp_path / "some").exists()
    server.asked.clear()
    server.cut_after = []
    assert fetch(dataset, read_rgb, tmp_path, wait=0).report.complete
    assert [path for path, _ in server.asked] == ["/b.png", "/c.png"]


def test_the_second_link_stands_in_for_a_dead_one(some, server, tmp_path: Path) -> None:
    (wanted,) = some.downloads
    dead = Link(server.url("gone.zip"), "an old page")
    dataset = replace(some, downloads=(Download((dead, *wanted.links)),))
    fetched = fetch(dataset, read_rgb, tmp_path, wait=0)
    assert fetched.report.complete
    assert [path for path, _ in server.asked] == ["/gone.zip", "/some.zip"]


def test_a_dead_link_says_how_to_do_without(some, server, tmp_path: Path) -> None:
    del server.files["some.zip"]
    with pytest.raises(FetchError) as caught:
        fetch(some, read_rgb, tmp_path, wait=0)
    text = str(caught.value)
    assert "404" in text
    assert "http://home" in text
    assert str(tmp_path / "some") in text
    assert "any folder" in text
    assert "\n" not in text
    assert not (tmp_path / "some").exists()


def test_a_wrong_checksum_leaves_nothing_behind(some, server, tmp_path: Path) -> None:
    server.files["some.zip"] += b"x"
    with pytest.raises(FetchError, match="checksum differs"):
        fetch(some, read_rgb, tmp_path, wait=0)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_set_without_a_link_says_how_to_get_it(some, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"Some has no direct link: it is given on application\. To get it by hand"):
        fetch(replace(some, downloads=(), access="it is given on application"), read_rgb, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "words"), [(b"PK\3\4 no archive", "neither an archive nor a picture"), (zipped(), "no pictures")]
)
def test_a_broken_archive_is_not_taken_for_the_set(some, server, data: bytes, words: str, tmp_path: Path) -> None:
    whole, server.files["some.zip"] = server.files["some.zip"], data
    with pytest.raises(FetchError, match=words):
        fetch(without_checksum(some), read_rgb, tmp_path, wait=0)
    assert not (tmp_path / "some").exists()
    server.files["some.zip"] = whole
    assert fetch(without_checksum(some), read_rgb, tmp_path, wait=0).report.complete


def test_two_archives_with_one_name(some, server, pictures, tmp_path: Path) -> None:
    server.files["more.zip"] = zipped(a=png(pictures["b"]))
    twice = replace(some, downloads=(*some.downloads, Download((Link(server.url("more.zip"), "a test"),))))
    with pytest.raises(FetchError, match=r"two archives of Some hold a\.png"):
        fetch(twice, read_rgb, tmp_path, wait=0)
    assert not (tmp_path / "some").exists()
