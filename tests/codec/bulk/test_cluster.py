"""The engine on Ray, with a real Ray that is started here: its outputs are those of the local engine."""

import io
import os
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lpcodec.codec.bulk import cluster, local, run, sources
from lpcodec.codec.bulk.run import Summary
from lpcodec.codec.bulk.unit import Settings

ray = pytest.importorskip("ray", reason="Ray isn't installed: pip install 'lpcodec[ray]'")
pytest.importorskip("ray.data", reason="Ray Data isn't installed: pip install 'lpcodec[ray]'")

ENDINGS = frozenset({".png"})
NICENESS = "RAY_worker_niceness"
Q20 = Settings("encode", {"quality": 20.0})


@pytest.fixture(scope="module", autouse=True)
def _ray() -> Iterator[None]:
    before = os.environ.get(NICENESS)
    os.environ[NICENESS] = "0"  # by default Ray's workers give way to everything else on the machine
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR", object_store_memory=100 << 20
    )
    yield
    ray.shutdown()
    os.environ.pop(NICENESS)
    if before is not None:
        os.environ[NICENESS] = before


@pytest.fixture
def folder(thumbnail: Image.Image, tmp_path: Path) -> Path:
    place = tmp_path / "in"
    (place / "sub").mkdir(parents=True)
    thumbnail.save(place / "a.png")
    thumbnail.rotate(90, expand=True).save(place / "sub/b.png")
    (place / "broken.png").write_bytes(b"not a picture")
    with tarfile.open(place / "s.tar", "w") as tar:
        for name, data in (("1.png", (place / "a.png").read_bytes()), ("1.cls", b"7"), ("2.png", b"bad")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return place


def _batch(folder: Path, to: Path, engine: Any) -> Summary:
    return run.run(sources.find([str(folder)], ENDINGS), Q20, str(to), ENDINGS, engine, lambda summary, row: None)


def _files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.suffix in (".lpc", ".tar")}


def test_outputs_are_those_of_the_local_engine_byte_for_byte(folder: Path, tmp_path: Path) -> None:
    here = _batch(folder, tmp_path / "local", partial(local.run, workers=1))
    there = _batch(folder, tmp_path / "ray", partial(cluster.run, workers=2))
    assert set(_files(tmp_path / "ray")) == {"a.lpc", "sub/b.lpc", "s.tar"}
    assert _files(tmp_path / "ray") == _files(tmp_path / "local")
    assert (there.pictures, there.failed, there.code) == (here.pictures, here.failed, here.code) == (5, 2, 7)
    again = _batch(folder, tmp_path / "ray", partial(cluster.run, workers=1))
    assert (again.before, again.pictures) == (3, 1)


def test_a_picture_that_kills_its_process_costs_no_other(folder: Path, tmp_path: Path, thumbnail: Image.Image) -> None:
    def deadly(stage: str, part: float) -> None:
        if part < 1:  # which only a picture of several tiles reports
            os._exit(1)

    thumbnail.resize((1100, 16)).save(folder / "deadly.png")
    found = [source for source in sources.find([str(folder)], ENDINGS).sources if not source.is_shard]
    settings = Settings("encode", {"quality": 20.0, "progress": deadly})
    events = list(cluster.run(found, settings, str(tmp_path / "out"), ENDINGS, workers=1))
    errors = {row.name: row.error for event in events for row in event.settled}
    assert errors == {
        "a.png": None, "sub/b.png": None, "broken.png": "not a picture in a format that Pillow reads",
        "deadly.png": "the process died over this file",
    }  # fmt: skip
    assert set(_files(tmp_path / "out")) == {"a.lpc", "sub/b.lpc"}
