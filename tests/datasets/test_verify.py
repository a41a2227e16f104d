"""What a folder holds of a set, told exactly: there, missing, changed, broken, not of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpcodec.codec.picture import read_rgb
from lpcodec.datasets import record, verify
from lpcodec.datasets.pictures import pixel_digest, read_digest
from lpcodec.datasets.record import FetchedFile, Record
from lpcodec.datasets.registry import named
from lpcodec.datasets.verify import compare, likely

D = {name: f"{number:016x}" for number, name in enumerate("abcdefgh")}
BASE = replace(named("set5"), name="some", title="Some", downloads=(), access="by post", note="")
KNOWN = replace(BASE, count=3, digests={stem: D[stem] for stem in "abc"})
NAMED = replace(BASE, count=3, digests={}, names=("a", "b", "c"))
PART = replace(BASE, count=3, digests={"a": D["a"]})
COUNTED = replace(BASE, count=3, digests={})
UNKNOWN = replace(BASE, count=None, digests={})
HERE = Path("here")


def files(**stems: str) -> dict[str, str | None]:
    """`a="b"`: the file a.png has the pixels of b; "" for one that can't be read."""
    return {f"{stem}.png": D[digest] if digest else None for stem, digest in stems.items()}


@pytest.mark.parametrize(
    ("dataset", "found", "states", "missing", "unnamed", "complete"),
    [
        (KNOWN, files(a="a", b="b", c="c"), "exact exact exact", "", 0, True),
        (KNOWN, files(x="a", y="b", z="c"), "exact exact exact", "", 0, True),
        (KNOWN, files(a="a", c="c"), "exact exact", "b", 0, False),
        (KNOWN, files(x="a", c="c"), "exact exact", "b", 0, False),
        (KNOWN, files(a="a", b="h", c="c"), "exact changed exact", "", 0, False),
        (KNOWN, files(a="a", b="", c="c"), "exact unreadable exact", "", 0, False),
        (KNOWN, files(a="a", b="b", c="c", d="d"), "exact exact exact extra", "", 0, True),
        (KNOWN, files(a="a", b="b", d="d"), "exact exact extra", "c", 0, False),
        (KNOWN, files(a="a", a2="a", b="b"), "exact extra exact", "c", 0, False),  # one picture twice
        (KNOWN, {}, "", "a b c", 0, False),
        (NAMED, files(a="e", b="f", c="g"), "named named named", "", 0, True),
        (NAMED, files(a="e", d="f"), "named extra", "b c", 0, False),
        (PART, files(a="a"), "exact", "", 2, False),
        (PART, files(a="a", x="e", y="f"), "exact named named", "", 0, True),
        (PART, files(x="e"), "named", "a", 1, False),
        (PART, files(a="h", x="e", y="f"), "changed named named", "", 0, False),
        (COUNTED, files(x="e", y="f"), "named named", "", 1, False),
        (COUNTED, files(x="e", y="f", z="g"), "named named named", "", 0, True),
        (UNKNOWN, files(x="e"), "named", "", 0, True),
        (UNKNOWN, {}, "", "", 0, False),
    ],
)
def test_a_folder_against_a_set(dataset, found, states, missing, unnamed, complete) -> None:
    report = compare(dataset, HERE, found)
    assert list(report.states.values()) == states.split()
    assert report.missing == tuple(missing.split())
    assert report.missing_unnamed == unnamed
    assert report.complete is complete


def fetched(**stems: str) -> Record:
    return Record("some", (), {f"{stem}.png": D[digest] for stem, digest in stems.items()})


@pytest.mark.parametrize(
    ("found", "states", "missing", "complete"),
    [
        (files(x="e", y="f", z="g"), "fetched fetched fetched", "", True),
        (files(x="e", y="h", z="g"), "fetched changed fetched", "", False),
        (files(x="e", z="g"), "fetched fetched", "y", False),
        (files(x="e", y="f", z="g", mine="h"), "fetched fetched fetched extra", "", True),
    ],
)
def test_what_changed_since_it_was_fetched_is_noticed(found, states, missing, complete) -> None:
    report = compare(COUNTED, HERE, found, fetched(x="e", y="f", z="g"))
    assert list(report.states.values()) == states.split()
    assert (report.missing, report.complete) == (tuple(missing.split()), complete)


def test_a_fetched_copy_with_other_pixels_is_as_it_was_fetched() -> None:
    """Copies of a set differ: the names known here may be missing then, but no picture is."""
    report = compare(KNOWN, HERE, files(x="e", y="f", z="g"), fetched(x="e", y="f", z="g"))
    assert list(report.states.values()) == ["fetched"] * 3
    assert report.complete


def test_the_record_of_another_set_says_nothing() -> None:
    other = replace(fetched(a="h"), dataset="other")
    assert list(compare(KNOWN, HERE, files(a="h"), other).states.values()) == ["changed"]


@given(
    st.sampled_from([KNOWN, NAMED, PART, COUNTED, UNKNOWN]),
    st.dictionaries(st.sampled_from("abcdefxyz"), st.sampled_from(["", *"abcdefgh"]), max_size=6),
)
def test_the_report_adds_up(dataset, stems: dict[str, str]) -> None:
    report = compare(dataset, HERE, files(**stems))
    assert report.states.keys() == {f"{stem}.png" for stem in stems}
    places = report.present + len(report.damaged)
    assert places + len(report.of("extra")) == len(stems)
    if dataset.count is not None:
        assert max(dataset.count - places, 0) == len(report.missing) + report.missing_unnamed
    if report.complete:
        assert report.present >= (dataset.count or 1)
        assert not report.damaged


def test_the_set_of_a_folder_is_that_of_most_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(KNOWN, name="other", digests={stem: D[stem] for stem in "fgh"})
    monkeypatch.setattr(verify, "sets", lambda: (KNOWN, other))
    assert likely(files(x="a", y="g", z="h")) is other
    assert likely(files(x="a", y="b", z="h")) is KNOWN
    assert likely(files(x="d", y="")) is None


def test_a_real_folder(tmp_path: Path, noise, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = {stem: next(noise) for stem in "abc"}
    known = replace(KNOWN, digests={stem: pixel_digest(np.asarray(picture)) for stem, picture in pictures.items()})
    monkeypatch.setattr(verify, "sets", lambda: (known,))
    pictures["a"].save(tmp_path / "a.png")
    pictures["b"].save(tmp_path / "renamed.bmp")
    (tmp_path / "c.png").write_bytes((tmp_path / "a.png").read_bytes()[:50])
    told: list[tuple[str, float]] = []
    report = verify.verify(tmp_path, None, read_rgb, lambda *call: told.append(call))
    assert report is not None
    assert report.dataset is known
    assert report.states == {"a.png": "exact", "c.png": "unreadable", "renamed.bmp": "exact"}
    assert told == [("1 of 3 pictures", 1 / 3), ("2 of 3 pictures", 2 / 3), ("3 of 3 pictures", 1)]
    monkeypatch.setattr(verify, "likely", lambda pixels: None)
    assert verify.verify(tmp_path, None, read_rgb) is None


def test_the_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    whole = Record("some", (FetchedFile("http://x/y.zip", "ab", True),), {"a.png": D["a"]})
    record.save(whole, tmp_path)
    assert record.load(tmp_path) == whole
    assert [p.name for p in tmp_path.iterdir()] == [record.NAME]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"dataset": 1}', '{"dataset": "x", "files": [{}], "pictures": {}}', "\0"]
)
def test_a_record_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / record.NAME).write_text(text)
    assert record.load(tmp_path) is None
    assert record.load(tmp_path / "none") is None


def test_a_picture_reads_the_same_twice(tmp_path: Path, noise) -> None:
    next(noise).save(tmp_path / "a.png")
    assert read_digest(tmp_path / "a.png", read_rgb) == read_digest(tmp_path / "a.png", read_rgb)
