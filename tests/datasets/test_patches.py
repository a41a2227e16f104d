"""Patches are true crops, and every picture is found, in folders and in shards."""

import io
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lpcodec.codec.picture import read_rgb
from lpcodec.datasets.patches import HELD_OUT_EVERY, NoPicturesError, PictureStore, load_stores, read_pictures


def coordinates(height: int, width: int, number: int = 0) -> np.ndarray:
    """A picture whose pixels say where they are: (row, column, number of the picture)."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.full_like(rows, number)], 2).astype(np.uint8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def way_of(patch: np.ndarray, size: int) -> tuple[bool, bool, bool]:
    """The flips and the transposition of a patch (size, size, 3) of coordinates; fails unless it is a true crop."""
    rows, columns = patch[..., 0].astype(int), patch[..., 1].astype(int)
    transposed = rows[0, 0] == rows[-1, 0]
    if transposed:
        rows, columns = rows.T, columns.T
    down, right = np.sign(rows[-1, 0] - rows[0, 0]), np.sign(columns[0, -1] - columns[0, 0])
    steps = np.arange(size)
    assert np.array_equal(rows, np.repeat((rows[0, 0] + down * steps)[:, None], size, 1))
    assert np.array_equal(columns, np.repeat((columns[0, 0] + right * steps)[None], size, 0))
    return bool(transposed), bool(down < 0), bool(right < 0)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(5, 60), st.integers(5, 60)), min_size=1, max_size=5), st.integers(2, 5),
    st.integers(0, 99),
)  # fmt: skip
def test_every_patch_is_a_crop_flipped_and_turned(sides: list[tuple[int, int]], size: int, seed: int) -> None:
    store = PictureStore([coordinates(h, w, number) for number, (h, w) in enumerate(sides)])
    assert len(store) == len(sides)
    batch = store.batch(16, size, generator(seed))
    assert (batch.shape, batch.dtype) == ((16, 3, size, size), torch.float32)
    pixels = (batch * 255).round().permute(0, 2, 3, 1).numpy().astype(np.uint8)
    for patch in pixels:
        way_of(patch, size)
        number = patch[0, 0, 2]
        assert (patch[..., 2] == number).all()
        height, width = sides[number]
        assert patch[..., 0].max() < height
        assert patch[..., 1].max() < width


def test_all_ways_and_all_places_occur_alike() -> None:
    store = PictureStore([coordinates(7, 6)])
    pixels = (store.batch(6000, 4, generator()) * 255).round().permute(0, 2, 3, 1).numpy().astype(np.uint8)
    ways = Counter(way_of(patch, 4) for patch in pixels)
    assert len(ways) == 8
    assert min(ways.values()) > 600
    corners = Counter((patch[..., 0].min(), patch[..., 1].min()) for patch in pixels)
    assert sorted(corners) == [(row, column) for row in range(4) for column in range(3)]
    assert min(corners.values()) > 350


def test_pictures_are_drawn_by_their_area() -> None:
    store = PictureStore([coordinates(10, 10, 0), coordinates(30, 30, 1)])
    numbers = (store.batch(4000, 2, generator())[:, 2, 0, 0] * 255).round()
    assert 0.07 < float((numbers == 0).double().mean()) < 0.13


def test_the_same_seed_gives_the_same_patches() -> None:
    store = PictureStore([coordinates(40, 50)])
    assert torch.equal(store.batch(8, 9, generator(3)), store.batch(8, 9, generator(3)))
    assert not torch.equal(store.batch(8, 9, generator(3)), store.batch(8, 9, generator(4)))


def test_patches_of_the_whole_picture_and_not_larger() -> None:
    store = PictureStore([coordinates(40, 50), coordinates(9, 90)])
    assert store.smallest == 9
    assert store.batch(2, 9, generator()).shape == (2, 3, 9, 9)
    with pytest.raises(ValueError, match="patches of 10 don't fit the smallest picture"):
        store.batch(2, 10, generator())


def test_no_pictures() -> None:
    with pytest.raises(NoPicturesError):
        PictureStore([])


def save(path: Path, number: int, height: int = 24, width: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coordinates(height, width, number)).save(path)


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def png(number: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(coordinates(24, 20, number)).save(stream, "PNG")
    return stream.getvalue()


def test_folders_and_shards_are_read_in_a_stable_order(tmp_path: Path) -> None:
    save(tmp_path / "b.png", 1)
    save(tmp_path / "sub/c.BMP", 2)
    (tmp_path / "notes.txt").write_text("no picture")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        add(tar, "two.png", png(4))
        add(tar, "deep/one.png", png(3))
        add(tar, "notes.json", b"{}")
        folder = tarfile.TarInfo("folder.png")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    found = [(name, np.asarray(picture)) for name, picture in read_pictures(tmp_path, read_rgb)]
    assert [name for name, _ in found] == ["a.tar/two.png", "a.tar/deep/one.png", "b.png", str(Path("sub/c.BMP"))]
    for (_, pixels), number in zip(found, (4, 3, 1, 2), strict=True):
        assert np.array_equal(pixels, coordinates(24, 20, number))


def test_a_file_may_be_the_root(tmp_path: Path) -> None:
    save(tmp_path / "x.png", 5)
    assert [name for name, _ in read_pictures(tmp_path / "x.png", read_rgb)] == ["x.png"]
    with tarfile.open(tmp_path / "y.tar", "w") as tar:
        add(tar, "z.png", png(6))
    assert [name for name, _ in read_pictures(tmp_path / "y.tar", read_rgb)] == ["y.tar/z.png"]


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    Image.new(mode, (20, 24)).save(path)
    ((_, picture),) = read_pictures(tmp_path, read_rgb)
    assert (picture.dtype, picture.shape) == (np.uint8, (24, 20, 3))


def test_every_48th_large_enough_picture_is_held_out(tmp_path: Path) -> None:
    for number in range(100):
        save(tmp_path / f"{number:03}.png", number)
    save(tmp_path / "000-small.png", 200, height=9)
    train, held, too_small = load_stores(tmp_path, 20, read_rgb)
    assert too_small == 1
    numbers = {name: set(store.pixels[:, 2].tolist()) for name, store in (("train", train), ("held", held))}
    assert numbers["held"] == {0, HELD_OUT_EVERY, 2 * HELD_OUT_EVERY}
    assert numbers["train"] == set(range(100)) - numbers["held"]
    again, held_again, _ = load_stores(tmp_path, 20, read_rgb)
    assert torch.equal(train.pixels, again.pixels)
    assert torch.equal(held.pixels, held_again.pixels)


def test_too_few_pictures(tmp_path: Path) -> None:
    with pytest.raises(NoPicturesError, match="fewer than two pictures of at least 20 pixels"):
        load_stores(tmp_path, 20, read_rgb)
    with pytest.raises(FileNotFoundError, match="missing: no such file or folder"):
        load_stores(tmp_path / "missing", 20, read_rgb)
    save(tmp_path / "a.png", 0)
    save(tmp_path / "b.png", 0, height=19)
    with pytest.raises(NoPicturesError, match="fewer than two"):
        load_stores(tmp_path, 20, read_rgb)
    save(tmp_path / "c.png", 0)
    assert [len(store) for store in load_stores(tmp_path, 20, read_rgb)[:2]] == [1, 1]


def test_what_is_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(png(1)[:60])
    with pytest.raises(OSError, match=r"broken\.png: not a whole picture"):
        list(read_pictures(tmp_path, read_rgb))
    (tmp_path / "broken.png").unlink()
    (tmp_path / "shard.tar").write_bytes(b"no shard" * 200)
    with pytest.raises(OSError, match=r"shard\.tar: not a whole tar file"):
        list(read_pictures(tmp_path, read_rgb))
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        add(tar, "in/side.png", b"no picture")
    with pytest.raises(OSError, match=r"shard\.tar/in/side\.png: not a whole picture"):
        list(read_pictures(tmp_path, read_rgb))


def test_all_that_is_broken_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(png(1)[:60])
    (tmp_path / "shard.tar").write_bytes(b"no shard" * 200)
    (tmp_path / "empty.jpg").touch()
    save(tmp_path / "sound.png", 0)
    with pytest.raises(OSError, match=r"^3 files can't be read: cut\.png: .*; empty\.jpg: .*; shard\.tar: ") as caught:
        load_stores(tmp_path, 20, read_rgb)
    assert "BytesIO" not in str(caught.value)
    for number in range(60):
        (tmp_path / f"{number:02}.png").touch()
    with pytest.raises(OSError, match=r"^63 files can't be read: 00\.png: .*; and 13 more$"):
        load_stores(tmp_path, 20, read_rgb)


def test_names_with_a_dot_in_front_are_left_out(tmp_path: Path) -> None:
    """macOS writes ._NAME beside every file of a foreign disk, and into tar files."""
    (tmp_path / ".trash").mkdir()
    for name in ("._a.png", ".trash/b.png"):
        (tmp_path / name).write_bytes(b"no picture")
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        add(tar, "./._c.png", b"no picture")
        add(tar, "./d.png", png(1))
    assert [name for name, _ in read_pictures(tmp_path, read_rgb)] == ["shard.tar/./d.png"]
