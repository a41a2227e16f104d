"""The facts of every set are sane, names are found, folders are recognised for what they are."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lpcodec.codec.evaluation.run.originals import choose
from lpcodec.codec.picture import read_rgb
from lpcodec.datasets import registry
from lpcodec.datasets.dataset import DataSet
from lpcodec.datasets.pictures import SUFFIXES, picture_files, pixel_digest, read_digest
from lpcodec.datasets.registry import Located, SetMissingError, UnknownSetError, locate, named, recognise, sets

CHECKSUM_LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64}


@pytest.mark.parametrize("dataset", sets(), ids=lambda s: s.name)
def test_the_facts_of_a_set_are_sane(dataset: DataSet) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", dataset.name)
    assert dataset.title
    assert dataset.licence
    assert dataset.home.startswith("http")
    assert dataset.split in ("train", "valid", "test")
    assert dataset.evaluates == (dataset.split != "train")
    assert dataset.downloads or dataset.access, "a person must learn how to get it"
    if dataset.count is not None:
        assert 0 < len(dataset.stems) <= dataset.count or not dataset.stems
    assert not dataset.names or len(dataset.stems) == dataset.count, "names are those of the whole set"
    assert len(set(dataset.digests.values())) == len(dataset.digests)
    assert all(re.fullmatch(r"[0-9a-f]{16}", digest) for digest in dataset.digests.values())


@pytest.mark.parametrize("dataset", [s for s in sets() if s.downloads], ids=lambda s: s.name)
def test_every_link_names_its_source_and_an_honest_checksum(dataset: DataSet) -> None:
    for link in (link for wanted in dataset.downloads for link in wanted.links):
        assert re.match(r"https?://[^/]+/.+\.(zip|tar\.gz|png)(\?|$)", link.url)
        assert link.source
        if link.checksum:
            kind, digits = link.checksum.split(":")
            assert re.fullmatch(rf"[0-9a-f]{{{CHECKSUM_LENGTHS[kind]}}}", digits)


def test_sets_have_names_titles_and_checksums_of_their_own() -> None:
    for values in (
        [s.name for s in sets()],
        [s.title for s in sets()],
        [link.url for s in sets() for wanted in s.downloads for link in wanted.links],
        [link.checksum for s in sets() for wanted in s.downloads for link in wanted.links if link.checksum],
        [digest for s in sets() for digest in s.digests.values()],
    ):
        assert len(values) == len(set(values))


def test_the_sets_that_papers_use_have_their_counts() -> None:
    counts = {"kodak": 24, "clic2020-professional-valid": 41, "tecnick": 100, "clic2025-test": 30, "div2k-valid": 100}
    assert {name: named(name).count for name in counts} == counts
    assert {name: len(named(name).digests) for name in ("kodak", "set5", "set14", "bsd100", "clic2025-test")} == {
        "kodak": 24, "set5": 5, "set14": 14, "bsd100": 100, "clic2025-test": 11,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("kodack", "kodak"),
        ("Kodak", "kodak"),
        ("clic2020-pro-valid", "clic2020-professional-valid"),
        ("clic2020_professional_valid", "clic2020-professional-valid"),
        ("div2k", "div2k-valid"),
    ],
)
def test_a_wrong_name_is_answered_with_near_ones(wrong: str, meant: str) -> None:
    with pytest.raises(UnknownSetError, match=meant) as caught:
        named(wrong)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=20))
def test_any_text_is_a_name_or_one_line(text: str) -> None:
    if text in {dataset.name for dataset in sets()}:
        assert named(text).name == text
    else:
        with pytest.raises(UnknownSetError, match="no data set is called") as caught:
            named(text)
        assert len(str(caught.value)) < 500
        assert "\n" not in str(caught.value)


def test_a_name_far_from_all_says_where_they_are_listed() -> None:
    with pytest.raises(UnknownSetError, match="lpcodec datasets list"):
        named("qqqqqqq")


@given(st.integers(1, 9), st.integers(1, 9), st.randoms(use_true_random=False))
def test_the_digest_is_that_of_the_measured_points(tmp_path_factory: pytest.TempPathFactory, h, w, random) -> None:
    folder = tmp_path_factory.mktemp("one")
    pixels = np.frombuffer(random.randbytes(h * w * 3), np.uint8).reshape(h, w, 3)
    Image.fromarray(pixels).save(folder / "a.png")
    (original,) = choose(folder).values()
    assert read_digest(folder / "a.png", read_rgb) == pixel_digest(pixels) == original.digest
    assert pixel_digest(np.asfortranarray(pixels)) == original.digest
    if h != w:
        assert pixel_digest(pixels.reshape(w, h, 3)) != original.digest


def test_a_digest_is_of_what_is_seen_not_of_the_file(tmp_path: Path, noise) -> None:
    picture = next(noise)
    for name in ("a.png", "a.bmp", "a.webp", "a.tif"):
        picture.save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    assert len({read_digest(path, read_rgb) for path in picture_files(tmp_path)}) == 1
    (tmp_path / "b.png").write_bytes(b"no picture")
    assert read_digest(tmp_path / "b.png", read_rgb) is None
    assert read_digest(tmp_path / "none.png", read_rgb) is None


def test_jpeg_files_count_where_there_are_no_others(tmp_path: Path, noise) -> None:
    assert picture_files(tmp_path / "none") == []
    next(noise).save(tmp_path / "a.jpg")
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no picture")
    assert [p.name for p in picture_files(tmp_path)] == ["a.jpg"]
    next(noise).save(tmp_path / "b.PNG")
    assert [p.name for p in picture_files(tmp_path)] == ["b.PNG"]
    assert {".png", ".jpg"} <= SUFFIXES


class TestFolders:
    """Three small sets in the place of the real ones: known are the pixels of one, of half of one, names of one."""

    @pytest.fixture(autouse=True)
    def small_sets(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, noise) -> None:
        self.pictures = {name: next(noise) for name in ("a", "b", "c", "d")}
        digests = {name: pixel_digest(np.asarray(picture)) for name, picture in self.pictures.items()}
        base = replace(named("set5"), downloads=(), access="by post", note="")
        self.whole = replace(base, name="whole", title="Whole", count=2, digests={k: digests[k] for k in "ab"})
        self.part = replace(base, name="part", title="Part", count=2, digests={"c": digests["c"]})
        self.names = replace(base, name="names", title="Names", count=2, digests={}, names=("x", "y"))
        monkeypatch.setattr(registry, "sets", lambda: (self.whole, self.part, self.names))
        self.root = tmp_path / "root"
        monkeypatch.setenv(registry.ROOT_VARIABLE, str(self.root))

    def fill(self, folder: Path, **files: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for stem, picture in files.items():
            self.pictures[picture].save(folder / f"{stem}.png")
        return folder

    @pytest.mark.parametrize(
        ("files", "found"),
        [
            ({"a": "a", "b": "b"}, "whole"),
            ({"b": "b"}, "whole"),  # a part of it, and nothing else
            ({"1": "a", "2": "b"}, "whole"),  # under other names
            ({"a": "a", "b": "b", "z": "d"}, None),  # and one of the user's own
            ({"a": "a", "b": "c"}, None),  # of two sets
            ({"a": "d", "b": "b"}, None),  # right names, one of them other pixels
            ({"c": "c"}, "part"),
            ({"c": "c", "new": "d"}, "part"),  # as many as the set has, all that are known among them
            ({"c": "c", "1": "d", "2": "d"}, None),  # more than the set has
            ({"x": "d", "y": "d"}, "names"),
            ({"x": "d"}, None),  # a single right name proves nothing
            ({"q": "d"}, None),
        ],
    )
    def test_a_folder_is_recognised_for_what_it_is(self, files, found, tmp_path: Path) -> None:
        dataset = recognise(self.fill(tmp_path / "f", **files), read_rgb)
        assert (dataset.name if dataset else None) == found

    def test_an_empty_folder_is_of_no_set(self, tmp_path: Path) -> None:
        assert recognise(tmp_path, read_rgb) is None

    def test_a_fetched_set_is_found_by_its_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(
            SetMissingError, match=r"Whole isn't here: lpcodec datasets fetch whole brings it to .*root"
        ):
            locate("whole", read_rgb)
        fetched = self.fill(self.root / "whole", a="a")
        assert locate("whole", read_rgb) == Located(fetched, self.whole)
        monkeypatch.chdir(tmp_path)
        local = self.fill(tmp_path / "whole", c="c")
        assert locate("whole", read_rgb).folder == fetched
        assert locate("./whole", read_rgb) == Located(Path("whole"), self.part)
        assert locate(str(local), read_rgb) == Located(local, self.part)

    def test_a_local_folder_stands_in_for_a_set_that_is_not_here(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.chdir(tmp_path)
        self.fill(tmp_path / "whole", x="d", y="d")
        assert locate("whole", read_rgb) == Located(Path("whole"), self.names)

    def test_what_is_neither_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(SetMissingError, match="no pictures are in this folder"):
            locate(str(tmp_path), read_rgb)
        with pytest.raises(SetMissingError, match=r"no folder whale, and no data set .* near are whole"):
            locate("whale", read_rgb)


def test_the_data_root_is_the_variable_or_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(registry.ROOT_VARIABLE, str(tmp_path))
    assert registry.data_root() == tmp_path
    monkeypatch.delenv(registry.ROOT_VARIABLE)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / name)
    assert registry.data_root() == tmp_path / "lpcodec" / "datasets"
