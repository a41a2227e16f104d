"""`lpcodec datasets`: what it prints, and the codes it ends with."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lpcodec.datasets import download, registry, verify
from lpcodec.datasets.dataset import DataSet, Download, Link
from lpcodec.datasets.pictures import pixel_digest


@pytest.fixture
def pictures() -> dict[str, Image.Image]:
    rng = np.random.default_rng(1)
    return {stem: Image.fromarray(rng.integers(0, 256, (5, 6, 3), np.uint8)) for stem in ("one", "two")}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(registry.ROOT_VARIABLE, str(tmp_path / "root"))
    return tmp_path / "root"


@pytest.fixture
def tiny(pictures: dict[str, Image.Image], root: Path, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """A set of two pictures, the only one that is known; it lies in the root."""
    digests = {stem: pixel_digest(np.asarray(picture)) for stem, picture in pictures.items()}
    dataset = DataSet("tiny", "Tiny", 2, "test", "free", "http://home", digests=digests, access="by post", note="small")
    for module in (registry, verify):
        monkeypatch.setattr(module, "sets", lambda: (dataset,))
    (root / "tiny").mkdir(parents=True)
    for stem, picture in pictures.items():
        picture.save(root / "tiny" / f"{stem}.png")
    return dataset


@pytest.mark.parametrize("command", ["list", "fetch", "verify"])
def test_every_help_ends_with_examples(lpcodec: Any, command: str) -> None:
    ran = lpcodec("datasets", command, "--help")
    assert ran.exit_code == 0
    assert f"lpcodec datasets {command}" in ran.stdout[ran.stdout.rindex("Examples") :]


def test_the_list_names_every_set_whole(lpcodec: Any, root: Path) -> None:
    ran = lpcodec("datasets", "list")
    assert ran.exit_code == 0
    words = ran.stdout.split()
    assert all(dataset.name in words for dataset in registry.sets())


def test_the_list_says_which_links_were_never_tried(lpcodec: Any, root: Path) -> None:
    rows = json.loads(lpcodec("datasets", "list", "--json").stdout)
    tried = {row["name"]: [link["tried"] for wanted in row["links"] for link in wanted] for row in rows}
    for dataset in registry.sets():
        assert dataset.link == (
            "none" if not tried[dataset.name] else "tried" if all(tried[dataset.name]) else "not tried"
        )
    assert "not tried" in lpcodec("datasets", "list").stdout


def test_the_list_says_what_is_here(lpcodec: Any, tiny: DataSet, root: Path) -> None:
    assert "2 pictures" in lpcodec("datasets", "list").stdout
    (row,) = json.loads(lpcodec("datasets", "list", "--json").stdout)
    assert (row["name"], row["pictures"], row["split"], row["digests_known"]) == ("tiny", 2, "test", 2)
    assert row["here"] == str(root / "tiny")
    (row,) = json.loads(lpcodec("datasets", "list", "--json", "--root", "elsewhere").stdout)
    assert row["here"] is None


def test_a_whole_set_is_verified(lpcodec: Any, tiny: DataSet, root: Path) -> None:
    for what in ("tiny", str(root / "tiny")):
        ran = lpcodec("datasets", "verify", what)
        assert ran.exit_code == 0
        assert ran.stdout == f"Tiny in {root / 'tiny'}: 2 of 2 pictures; 2 with the pixels known here; note: small\n"


def test_a_partial_set_is_named_as_one(lpcodec: Any, tiny: DataSet, root: Path) -> None:
    (root / "tiny" / "two.png").unlink()
    ran = lpcodec("datasets", "verify", "tiny", "--json")
    assert ran.exit_code == 7
    assert ran.stderr == f"lpcodec: error: {root / 'tiny'}: 1 picture of Tiny missing: two\n"
    report = json.loads(ran.stdout)
    assert (report["set"], report["expected"], report["present"], report["complete"]) == ("tiny", 2, 1, False)
    assert report["missing"] == ["two"]


def test_a_changed_picture_is_an_error(lpcodec: Any, tiny: DataSet, root: Path) -> None:
    Image.new("RGB", (5, 5)).save(root / "tiny" / "two.png")
    ran = lpcodec("datasets", "verify", "tiny")
    assert ran.exit_code == 3
    assert "1 changed or broken: two.png" in ran.stderr
    assert "1 changed" in ran.stdout


def test_a_folder_of_no_set_is_no_error(lpcodec: Any, tiny: DataSet, tmp_path: Path) -> None:
    Image.new("RGB", (5, 5)).save(tmp_path / "mine.png")
    ran = lpcodec("datasets", "verify", str(tmp_path))
    assert ran.exit_code == 0
    assert "not the pictures of a known set" in ran.stdout
    assert json.loads(lpcodec("datasets", "verify", str(tmp_path), "--json").stdout)["set"] is None


@pytest.mark.parametrize("command", ["fetch", "verify"])
def test_an_unknown_name_is_wrong_usage(lpcodec: Any, tiny: DataSet, command: str) -> None:
    ran = lpcodec("datasets", command, "tinny")
    assert ran.exit_code == 2
    assert "near are tiny" in ran.stderr


def test_a_set_that_is_here_is_not_fetched(lpcodec: Any, tiny: DataSet) -> None:
    ran = lpcodec("datasets", "fetch", "tiny")
    assert ran.exit_code == 0
    assert "already" in ran.stderr
    assert ran.stdout.startswith("Tiny in ")


def test_a_fetch_that_fails_says_what_to_do(lpcodec: Any, tiny: DataSet, tmp_path: Path, monkeypatch: Any) -> None:
    ran = lpcodec("datasets", "fetch", "tiny", "--root", str(tmp_path / "new"))
    assert ran.exit_code == 7
    assert "Tiny has no direct link: by post. To get it by hand" in ran.stderr
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    dead = replace(tiny, downloads=(Download((Link("http://127.0.0.1:9/x.zip", "a test"),)),))
    monkeypatch.setattr(registry, "sets", lambda: (dead,))
    ran = lpcodec("datasets", "fetch", "tiny", "--root", str(tmp_path / "new"))
    assert ran.exit_code == 7
    assert "http://127.0.0.1:9/x.zip: no connection" in ran.stderr
    assert ran.stderr.count("\n") == 1
