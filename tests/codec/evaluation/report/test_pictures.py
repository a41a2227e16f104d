"""The slider's pictures: the nearest point, coded again, kept, not made twice, never another than was measured."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec.evaluation.codecs.codec import CodecAbout, Pixels
from lpcodec.codec.evaluation.metrics.point import Point, measured_point
from lpcodec.codec.evaluation.report.pictures import Shown, nearest, save_pictures
from lpcodec.codec.evaluation.run.originals import Original
from lpcodec.codec.evaluation.run.results import PictureAbout, Results


@dataclass
class Halving:
    """A codec whose setting is the number of grey levels that are lost; the file's size follows from it."""

    name: str = "half"
    encoded: list[float] = field(default_factory=list)

    def encode(self, pixels: Pixels, setting: float) -> bytes:
        self.encoded.append(setting)
        return bytes([int(setting)]) + bytes(int(1000 / setting)) + pixels.tobytes()[:0]

    def decode(self, data: bytes) -> Pixels:
        return (PIXELS // data[0] * data[0]).astype(np.uint8)


PIXELS = np.random.default_rng(5).integers(0, 256, (40, 50, 3), dtype=np.uint8)
ORIGINAL = Original("a/b", PIXELS, "0123456789abcdef")


def measured(setting: float, target: float | None = None) -> Point:
    codec = Halving()
    data = codec.encode(PIXELS, setting)
    return replace(
        measured_point("half", setting, "a/b", PIXELS, codec.decode(data), len(data), (1.0, 1.0)), target_bpp=target
    )


@pytest.fixture
def document(results: Results) -> Results:
    return replace(
        results,
        pictures=replace(results.pictures, pictures=(PictureAbout("a/b", ORIGINAL.digest, 50, 40),)),
        codecs=(CodecAbout("half", "Half", "peer", "none"),),
        points=tuple(measured(s) for s in (2.0, 10.0, 50.0)),
        target_points=(measured(4.0, 1.0),),
    )


class Watched(Mapping[str, Original]):
    """One original, and how often it was asked for."""

    def __init__(self) -> None:
        self.reads = 0

    def __getitem__(self, name: str) -> Original:
        self.reads += 1
        return {"a/b": ORIGINAL}[name]

    def __iter__(self) -> Iterator[str]:
        return iter(("a/b",))

    def __len__(self) -> int:
        return 1


def save(document: Results, codec: Halving, out: Path, originals: Mapping[str, Original] | None = None) -> list[Shown]:
    calls: list[tuple[str, float]] = []
    near = (0.4, 1.0, 9.0)
    shown = save_pictures(
        document, originals or {"a/b": ORIGINAL}, {"half": codec}, out, near, lambda *c: calls.append(c)
    )
    assert calls == [("1 of 1, pictures to look at", 1)]
    return shown


def test_nearest_takes_fixed_settings_and_targets(document: Results) -> None:
    points = [*document.points, *document.target_points]
    assert nearest(points, 1.0).setting == 4
    assert nearest(points, 0.0).setting == 50
    assert nearest(points, 99.0).setting == 2
    with pytest.raises(ValueError, match="empty"):
        nearest([], 1.0)


def test_pictures_are_what_was_measured(document: Results, tmp_path: Path) -> None:
    codec = Halving()
    original, *coded = save(document, codec, tmp_path)
    assert codec.encoded == [10, 4, 2]
    assert (original.codec, original.psnr) == ("", math.inf)
    assert [(s.near_bpp, s.bpp) for s in coded] == [
        (near, nearest([*document.points, *document.target_points], near).bpp) for near in (0.4, 1.0, 9.0)
    ]
    for shown, setting in zip((original, *coded), (1, 10, 4, 2), strict=True):
        assert (tmp_path / shown.path).resolve().is_relative_to(tmp_path.resolve() / "pictures")
        with Image.open(tmp_path / shown.path) as image:
            assert np.array_equal(np.asarray(image), PIXELS // setting * setting)


def test_a_second_run_makes_only_what_is_missing(document: Results, tmp_path: Path) -> None:
    first = save(document, Halving(), tmp_path)
    (tmp_path / first[2].path).unlink()
    codec, originals = Halving(), Watched()
    assert save(document, codec, tmp_path, originals) == first
    assert codec.encoded == [4]
    assert originals.reads == 1
    save(document, codec, tmp_path, originals)
    assert originals.reads == 1
    assert not list(tmp_path.rglob("*.part"))


def test_other_options_make_other_pictures(document: Results, tmp_path: Path) -> None:
    first = save(document, Halving(), tmp_path)
    others = replace(document, codecs=(replace(document.codecs[0], options="others"),))
    second = save(others, Halving(), tmp_path)
    assert first[0] == second[0]
    assert not {s.path for s in first[1:]} & {s.path for s in second[1:]}


def test_a_codec_that_no_longer_does_what_it_did_is_left_out(document: Results, tmp_path: Path) -> None:
    class Failing(Halving):
        def encode(self, pixels: Pixels, setting: float) -> bytes:
            if setting == 4:
                raise OSError("gone")
            return super().encode(pixels, setting) + (b"more" if setting == 2 else b"")

    assert [s.near_bpp for s in save(document, Failing(), tmp_path)] == [0.0, 0.4]


def test_one_point_near_two_rates_is_one_file(document: Results, tmp_path: Path) -> None:
    codec = Halving()
    single = replace(document, points=document.points[:1], target_points=())
    shown = save(single, codec, tmp_path)
    assert codec.encoded == [2]
    assert len({s.path for s in shown[1:]}) == 1


def test_what_is_too_long_for_webp_is_png(document: Results, tmp_path: Path) -> None:
    long = replace(document, pictures=replace(document.pictures, pictures=(PictureAbout("a/b", "ff" * 8, 20000, 1),)))
    assert {Path(s.path).suffix for s in save(long, Halving(), tmp_path)} == {".png"}
