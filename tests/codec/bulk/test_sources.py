"""Which files a batch takes, and what they are called in its output."""

from pathlib import Path

import fsspec
import pytest

from lpcodec.codec.bulk import sources
from lpcodec.codec.errors import FileAccessError, UsageError

ENDINGS = frozenset({".png", ".jpg"})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.png", "b/c.JPG", "b/d.txt.bak", "b/.hidden/e.png", ".f.png", "s/x-09.tar", "s/x-10.tar"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    return tmp_path / "tree"


def _names(*places: object) -> list[str]:
    return [source.name for source in sources.find([str(place) for place in places], ENDINGS).sources]


def test_a_folder_gives_its_pictures_and_shards_with_their_paths(tree: Path) -> None:
    for name in ("manifest.jsonl", "batch.json"):  # of an earlier batch: neither taken nor counted
        (tree / name).write_text("{}")
    found = sources.find([str(tree)], ENDINGS)
    assert [s.name for s in found.sources] == ["a.png", "b/c.JPG", "s/x-09.tar", "s/x-10.tar"]
    assert [s.is_shard for s in found.sources] == [False, False, True, True]
    assert {s.size for s in found.sources} == {5}
    assert found.left_out == 1
    assert all(Path(s.url).exists() for s in found.sources)


def test_patterns_and_ranges(tree: Path) -> None:
    assert _names(tree / "**" / "*.JPG") == ["b/c.JPG"]
    assert _names(tree / "*" / "x-*.tar") == ["s/x-09.tar", "s/x-10.tar"]
    assert _names(tree / "s" / "x-{09..10}.tar") == ["x-09.tar", "x-10.tar"]
    with pytest.raises(FileAccessError, match="nothing matches"):
        _names(tree / "*.gif")


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tree: Path) -> None:
    (tree / "odd[1].png").write_bytes(b"1")
    assert _names(tree / "odd[1].png") == ["odd[1].png"]


def test_a_list_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(bytes(range(256)) * 100)
    with pytest.raises(UsageError, match=r"list\.txt: a list of pictures is text in UTF-8") as caught:
        _names(tmp_path / "list.txt")
    assert len(str(caught.value)) < len(str(tmp_path)) + 250


def test_lists_hold_paths_relative_to_them_absolute_ones_and_urls(tree: Path, tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe_file("/listed/m.png", b"123")
    listed = tmp_path / "list.txt"
    listed.write_text(f"# pictures\n\ntree/a.png\n{tree}/b/c.JPG\n./tree/../tree/.f.png\nmemory://listed/m.png\n")
    found = {source.name: source for source in sources.find([str(listed)], ENDINGS).sources}
    assert set(found) == {"tree/a.png", f"{tree}/b/c.JPG".lstrip("/"), "tree/tree/.f.png", "listed/m.png"}
    assert found["listed/m.png"].size == 3


def test_urls(tree: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/remote/p/q.png", b"1")
    found = sources.find(["memory://remote"], ENDINGS).sources
    assert [(s.name, s.url) for s in found] == [("p/q.png", "memory:///remote/p/q.png")]
    assert _names("memory://remote/*/*.png") == ["p/q.png"]


def test_what_is_not_there_is_named(tree: Path) -> None:
    with pytest.raises(FileAccessError, match="no such file or folder"):
        _names(tree / "gone.png")
    with pytest.raises(FileAccessError, match="nosuchprotocol"):
        _names("nosuchprotocol://bucket/x.png")


def test_one_file_named_twice_is_one_and_two_of_one_name_are_refused(tree: Path) -> None:
    assert _names(tree / "a.png", tree / "a.png") == ["a.png"]
    (tree / "b/a.png").write_bytes(b"1")
    with pytest.raises(UsageError, match=r"would both be a\.png"):
        _names(tree / "a.png", tree / "b/a.png")
