"""A batch as a whole, with the local engine: outputs, manifest, resuming, damage, shards, other file systems."""

import gzip
import io
import json
import tarfile
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image

import lpcodec
from lpcodec.codec.bulk import local, run, shards, sources, unit
from lpcodec.codec.bulk.local import Event
from lpcodec.codec.bulk.run import Summary
from lpcodec.codec.bulk.sources import Source
from lpcodec.codec.bulk.unit import Settings
from lpcodec.codec.errors import FileAccessError, UsageError

ENDINGS = frozenset({".png", ".jpg"})
Q20 = Settings("encode", {"quality": 20.0})


def in_this_process(
    found: Sequence[Source], settings: Settings, to: str, endings: frozenset[str]
) -> Generator[Event, None, None]:
    """An engine without processes: what a test doesn't ask of them is quicker so."""

    def in_order(items: Any, work: Any, **_: Any) -> Any:
        return ((item.context, None if item.job is None else work(item.job)) for item in items)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "in_order", in_order)
        yield from local.run(found, settings, to, endings, 1)


def batch(
    place: object,
    to: object,
    settings: Settings = Q20,
    engine: Any = in_this_process,
    endings: frozenset[str] = ENDINGS,
) -> Summary:
    return run.run(sources.find([str(place)], endings), settings, str(to), endings, engine, lambda summary, row: None)


def rows(to: Path) -> dict[str, dict[str, Any]]:
    lines = (to / "manifest.jsonl").read_text("utf-8").splitlines()
    return {row["name"]: row for row in map(json.loads, lines)}


@pytest.fixture
def folder(thumbnail: Image.Image, tmp_path: Path) -> Path:
    """Three pictures, one in a folder of its own, and one that is broken."""
    place = tmp_path / "in"
    (place / "sub").mkdir(parents=True)
    thumbnail.save(place / "a.png")
    thumbnail.rotate(90, expand=True).save(place / "sub/b.png")
    thumbnail.convert("L").save(place / "c.png")
    (place / "broken.png").write_bytes(b"not a picture")
    return place


def _shard(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1234567
            tar.addfile(info, io.BytesIO(data))


def _members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]


class TestFolders:
    def test_worker_processes_give_the_bytes_of_encode_and_a_broken_picture_costs_nothing_else(
        self, folder: Path, tmp_path: Path
    ) -> None:
        to = tmp_path / "out"
        summary = batch(folder, to, engine=partial(local.run, workers=2))
        for name in ("a", "sub/b", "c"):
            assert (to / f"{name}.lpc").read_bytes() == lpcodec.encode(folder / f"{name}.png", quality=20)
        assert (summary.pictures, summary.failed, summary.code) == (4, 1, 7)
        assert not (to / "broken.lpc").exists()
        assert rows(to)["broken.png"]["error"] == "not a picture in a format that Pillow reads"

    def test_the_manifest_says_what_was_made(self, folder: Path, tmp_path: Path) -> None:
        batch(folder, tmp_path / "out", Settings("encode", {"bpp": 3.0}, measure=True))
        row = rows(tmp_path / "out")["a.png"]
        coded = (tmp_path / "out/a.lpc").read_bytes()
        difference = np.asarray(lpcodec.decode(coded), float) - np.asarray(Image.open(folder / "a.png"), float)
        assert (row["output"], row["bytes"], row["width"], row["height"]) == ("a.lpc", len(coded), 44, 52)
        assert row["bytes_in"] == (folder / "a.png").stat().st_size
        assert row["bpp"] == pytest.approx(8 * len(coded) / (44 * 52), abs=1e-4)
        assert row["psnr"] == pytest.approx(10 * np.log10(255**2 / np.mean(difference**2)), abs=1e-3)
        assert row["seconds"] > 0
        assert 0 < row["quality"] <= 100

    def test_the_psnr_is_that_of_the_pixels_that_can_be_seen(self, thumbnail: Image.Image, tmp_path: Path) -> None:
        """Behind alpha 0 the encoder puts colours of its own."""
        picture = thumbnail.copy()
        picture.putalpha(Image.fromarray(np.where(np.arange(44) < 20, 0, 255).astype(np.uint8)[None].repeat(52, 0)))
        (tmp_path / "in").mkdir()
        picture.save(tmp_path / "in/a.png")
        batch(tmp_path / "in", tmp_path / "out", Settings("encode", {"quality": 60.0}, measure=True))
        decoded = np.asarray(lpcodec.decode((tmp_path / "out/a.lpc").read_bytes()), float)
        difference = (decoded - np.asarray(picture, float))[:, 20:, :3]
        wanted = 10 * np.log10(255**2 / np.mean(difference**2))
        assert rows(tmp_path / "out")["a.png"]["psnr"] == pytest.approx(wanted, abs=1e-3)

    def test_and_back_again(self, folder: Path, tmp_path: Path) -> None:
        batch(folder, tmp_path / "out")
        coded = frozenset({".lpc"})
        summary = batch(tmp_path / "out", tmp_path / "back", Settings("decode", ending=".webp"), endings=coded)
        assert (summary.pictures, summary.failed) == (3, 0)
        for name in ("a", "sub/b", "c"):
            wanted = lpcodec.decode((tmp_path / f"out/{name}.lpc").read_bytes())
            found = Image.open(tmp_path / f"back/{name}.webp")
            assert np.array_equal(np.asarray(found.convert("RGB")), np.asarray(wanted.convert("RGB")))

    def test_two_sources_of_one_output_are_refused_before_anything_is_written(
        self, folder: Path, tmp_path: Path
    ) -> None:
        (folder / "a.jpg").write_bytes(b"x")
        with pytest.raises(UsageError, match=r"would both become a\.lpc: rename one, or"):
            batch(folder, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_a_file_in_the_place_of_the_folder_is_named(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"file")
        with pytest.raises(UsageError, match="file: a folder is needed, and this is a file"):
            batch(folder, tmp_path / "file")
        with pytest.raises(FileAccessError, match=r"deep: a folder is needed, and .*file is a file"):
            batch(folder, tmp_path / "file/deep")


class TestResuming:
    def test_only_what_is_missing_or_failed_is_done_again(self, folder: Path, tmp_path: Path) -> None:
        to = tmp_path / "out"
        batch(folder, to)
        (to / "c.lpc").unlink()
        before = (to / "a.lpc").stat().st_mtime_ns
        summary = batch(folder, to)
        assert (summary.before, summary.pictures, summary.failed, summary.code) == (2, 2, 1, 7)
        assert summary.failed_before == 0
        assert (to / "a.lpc").stat().st_mtime_ns == before
        assert (to / "c.lpc").exists()

    def test_a_picture_that_was_mended_or_removed_no_longer_counts_as_failed(
        self, folder: Path, tmp_path: Path
    ) -> None:
        batch(folder, tmp_path / "out")
        (folder / "broken.png").unlink()
        assert batch(folder, tmp_path / "out").code == 0

    def test_a_line_that_a_crash_cut_off_is_no_row(self, folder: Path, tmp_path: Path) -> None:
        to = tmp_path / "out"
        batch(folder, to)
        lines = (to / "manifest.jsonl").read_bytes().splitlines(keepends=True)
        (to / "manifest.jsonl").write_bytes(b"".join(lines[:-1]) + lines[-1][:-10])
        assert batch(folder, to).pictures == 2  # the broken one, and the one whose line was cut off
        assert all(json.loads(line) for line in (to / "manifest.jsonl").read_text().splitlines())

    def test_a_stopped_batch_goes_on(self, folder: Path, tmp_path: Path) -> None:
        to, seen = tmp_path / "out", 0

        def stop(summary: Summary, row: object) -> None:
            nonlocal seen
            seen += 1
            if seen == 2:
                raise KeyboardInterrupt

        found = sources.find([str(folder)], ENDINGS)
        with pytest.raises(KeyboardInterrupt):
            run.run(found, Q20, str(to), ENDINGS, partial(local.run, workers=1), stop)
        assert batch(folder, to).before >= 1
        assert {path.name for path in to.rglob("*.lpc")} == {"a.lpc", "b.lpc", "c.lpc"}
        assert not [path for path in to.rglob(".*") if path.is_file()]

    @pytest.mark.parametrize(
        "other", [Settings("encode", {"quality": 21.0}), Settings("encode", {"quality": 20.0, "model": "fast"})]
    )
    def test_other_settings_or_weights_are_refused(self, folder: Path, tmp_path: Path, other: Settings) -> None:
        batch(folder, tmp_path / "out")
        with pytest.raises(UsageError, match="other settings"):
            batch(folder, tmp_path / "out", other)

    def test_a_folder_with_other_files_is_refused_and_left_as_it_was(self, folder: Path) -> None:
        before = sorted(folder.rglob("*"))
        with pytest.raises(UsageError, match="isn't empty"):
            batch(folder, folder)
        assert sorted(folder.rglob("*")) == before


class TestShards:
    def test_pictures_are_recoded_and_the_rest_is_kept_in_its_order(
        self, thumbnail: Image.Image, tmp_path: Path
    ) -> None:
        stream = io.BytesIO()
        thumbnail.save(stream, "PNG")
        png = stream.getvalue()
        members = {
            "x/1.png": png,
            "x/1.json": b"{}",
            "x/2.png": b"bad",
            "x/2.json": b"[]",
            "x/3.cls": b"7",
            "x/3.png": png,
        }
        (tmp_path / "in").mkdir()
        for name in ("s-0.tar", "s-1.tar.gz"):
            _shard(tmp_path / "in" / name, members)
        summary = batch(tmp_path / "in", tmp_path / "out")
        coded = lpcodec.encode(thumbnail, quality=20)
        wanted = {"x/1.lpc": coded, "x/1.json": b"{}", "x/2.json": b"[]", "x/3.cls": b"7", "x/3.lpc": coded}
        for name in ("s-0.tar", "s-1.tar"):
            found = _members((tmp_path / "out" / name).read_bytes())
            assert list(found.items()) == list(wanted.items())
        assert (tmp_path / "out/s-0.tar").read_bytes() == (tmp_path / "out/s-1.tar").read_bytes()
        assert (summary.pictures, summary.failed, summary.code) == (6, 2, 7)
        again = batch(tmp_path / "in", tmp_path / "out")
        assert (again.before, again.pictures, again.failed_before, again.code) == (2, 0, 2, 7)
        assert rows(tmp_path / "out")["s-0.tar/x/2.png"]["code"] == 7

    def test_a_cut_shard_costs_nothing_else_and_leaves_nothing(self, thumbnail: Image.Image, tmp_path: Path) -> None:
        stream = io.BytesIO()
        thumbnail.save(stream, "PNG")
        (tmp_path / "in").mkdir()
        for name in ("a.tar", "b.tar"):
            _shard(tmp_path / "in" / name, {"1.png": stream.getvalue(), "2.png": stream.getvalue()})
        whole = (tmp_path / "in/a.tar").read_bytes()
        (tmp_path / "in/a.tar").write_bytes(whole[: len(whole) // 4])
        summary = batch(tmp_path / "in", tmp_path / "out")
        assert summary.code != 0
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["b.tar", "batch.json", "manifest.jsonl"]
        assert rows(tmp_path / "out")["a.tar"]["error"]

    @pytest.mark.parametrize("ending", [".tar", ".tar.gz"])
    def test_no_damage_of_a_shard_is_taken_for_its_end(self, tmp_path: Path, ending: str) -> None:
        path = tmp_path / f"a{ending}"
        _shard(path, {"1.txt": b"one", "2.txt": b"two", "3.txt": b"three"})
        whole = path.read_bytes()
        plain = gzip.decompress(whole) if ending == ".tar.gz" else whole
        flipped = bytearray(plain)
        flipped[1024 + 100] ^= 1  # in the second member's header
        for damaged in (plain[:1024], plain[:2048], plain[: 2048 + 100], plain[: 3 * 1024], bytes(flipped)):
            path.write_bytes(gzip.compress(damaged) if ending == ".tar.gz" else damaged)
            with pytest.raises(tarfile.TarError):
                list(shards.members(Source(path.name, str(path), 1), ENDINGS))
        if ending == ".tar.gz":
            path.write_bytes(whole[: len(whole) // 2])
            with pytest.raises((tarfile.TarError, EOFError)):
                list(shards.members(Source(path.name, str(path), 1), ENDINGS))
        path.write_bytes(whole)
        assert len(list(shards.members(Source(path.name, str(path), 1), ENDINGS))) == 3

    def test_two_pictures_of_one_sample_are_not_written_over_each_other(
        self, thumbnail: Image.Image, tmp_path: Path
    ) -> None:
        stream = io.BytesIO()
        thumbnail.save(stream, "PNG")
        (tmp_path / "in").mkdir()
        _shard(tmp_path / "in/a.tar", {"1.png": stream.getvalue(), "1.jpg": stream.getvalue()})
        assert batch(tmp_path / "in", tmp_path / "out").failed == 1
        assert rows(tmp_path / "out")["a.tar/1.jpg"]["error"] == "1.lpc is in the shard already"

    def test_reading_a_shard_keeps_no_list_of_its_members(self, tmp_path: Path) -> None:
        _shard(tmp_path / "a.tar", {f"{i}.txt": b"x" for i in range(50)})
        source = Source("a.tar", str(tmp_path / "a.tar"), 1)
        assert sum(1 for _ in shards.members(source, ENDINGS)) == 50


class TestOtherFileSystems:
    def test_urls_in_and_out_with_a_manifest_in_parts(self, folder: Path, tmp_path: Path) -> None:
        memory = fsspec.filesystem("memory")
        memory.put(str(folder), "/bucket/in", recursive=True)
        stream = io.BytesIO()
        Image.open(folder / "a.png").save(stream, "PNG")
        _shard(tmp_path / "s.tar", {"1.png": stream.getvalue()})
        memory.put_file(str(tmp_path / "s.tar"), "/bucket/in/s.tar")
        summary = batch("memory://bucket/in", "memory://bucket/out")
        assert (summary.pictures, summary.failed) == (5, 1)
        coded = lpcodec.encode(folder / "a.png", quality=20)
        assert memory.cat_file("/bucket/out/a.lpc") == coded
        assert _members(memory.cat_file("/bucket/out/s.tar")) == {"1.lpc": coded}
        assert batch("memory://bucket/in", "memory://bucket/out").before == 4
        assert len(memory.glob("/bucket/out/manifest-*.jsonl")) == 2


class TestTheUnit:
    def test_it_is_pure_and_reports_every_failure(self, thumbnail: Image.Image) -> None:
        stream = io.BytesIO()
        thumbnail.save(stream, "PNG")
        first, again = (unit.recode(stream.getvalue(), Q20) for _ in range(2))
        assert first.data == again.data == lpcodec.encode(stream.getvalue(), quality=20)
        for data, settings, code in (
            (b"", Q20, 7),
            (stream.getvalue(), Settings("encode", {"size": 20}), 6),
            (stream.getvalue(), Settings("encode", {"max_pixels": 10}), 5),
            (b"\xb1LP", Settings("decode", ending=".png"), 3),
            (stream.getvalue(), Settings("encode", {"nonsense": 1}), 1),
        ):
            failed = unit.recode(data, settings)
            assert (failed.data, failed.row.code) == (None, code)
            assert failed.row.error
            assert "\n" not in failed.row.error
