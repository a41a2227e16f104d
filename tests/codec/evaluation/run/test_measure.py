"""Measuring codecs on pictures: ours and the peers in one way."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec.errors import FileAccessError
from lpcodec.codec.evaluation.codecs import pillow
from lpcodec.codec.evaluation.codecs.ours import OurFamily, Ours
from lpcodec.codec.evaluation.metrics.distortion import bpp, psnr
from lpcodec.codec.evaluation.run.measure import measure, measure_at_bpp
from lpcodec.codec.evaluation.run.originals import Original, choose


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("b", "a"):
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 48)).save(tmp_path / f"{name}.png")
    Image.new("L", (64, 48), 77).save(tmp_path / "c.webp", lossless=True)
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


@pytest.fixture
def original(folder: Path) -> Original:
    return choose(folder)["a"]


def test_originals_come_as_rgb_in_order_of_name(folder: Path) -> None:
    originals = list(choose(folder).values())
    assert [o.name for o in originals] == ["a", "b", "c"]
    assert all(o.pixels.shape == (48, 64, 3) and o.pixels.dtype == np.uint8 for o in originals)
    assert len({o.digest for o in originals}) == 3
    assert choose(folder, limit=1)["a"].digest == originals[0].digest
    empty = folder / "empty"
    empty.mkdir()
    with pytest.raises(FileAccessError, match="no pictures"):
        choose(empty)


def test_pictures_are_read_as_encode_reads_them_with_its_notes(tmp_path: Path) -> None:
    """A 16-bit twin has the pixels and the digest of its 8-bit one; a phone's picture is upright."""
    grey = np.random.default_rng(1).integers(0, 256, (40, 60), np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "b.png")
    lying = Image.fromarray(np.rot90(grey).copy())
    exif = Image.Exif()
    exif[274] = 6
    lying.save(tmp_path / "c.png", exif=exif)
    Image.merge("LA", (Image.fromarray(grey), Image.new("L", (60, 40), 0))).save(tmp_path / "d.png")
    plain, deep, turned, hidden = choose(tmp_path).values()
    assert plain.digest == deep.digest == turned.digest
    assert np.array_equal(plain.pixels, np.repeat(grey[..., None], 3, axis=2))
    assert (plain.notes, turned.notes) == ((), ())
    assert deep.notes == ("16-bit input reduced to 8 bit",)
    assert (hidden.pixels == 255).all()
    assert hidden.notes == ("transparent picture laid on white",)


def test_a_point_at_a_setting(original: Original) -> None:
    jpeg = pillow.jpeg()
    point = measure(jpeg, 60, original)
    data = jpeg.encode(original.pixels, 60)
    assert (point.codec, point.setting, point.image) == ("jpeg", 60, "a")
    assert (point.bytes, point.pixels, point.bpp) == (len(data), 48 * 64, bpp(len(data), 48 * 64))
    assert point.psnr == psnr(original.pixels, jpeg.decode(data))
    assert point.encode_seconds > 0 < point.decode_seconds


def test_a_point_at_a_rate_or_the_nearest(original: Original) -> None:
    found = measure_at_bpp(pillow.jpeg(), 3.0, original)
    assert found.above is not None
    assert 2.0 < found.point.bpp <= 3.0 < found.above.bpp
    assert (found.above.setting, found.above.target_bpp, found.above.above) == (found.point.setting + 1, 3.0, True)
    assert found.above.encode_seconds > 0
    coarsest = measure_at_bpp(pillow.jpeg(), 0.01, original)
    assert (coarsest.point.setting, coarsest.above) == (pillow.jpeg().coarsest, None)
    finest = measure_at_bpp(pillow.jpeg(), 60, original)
    assert (finest.point.setting, finest.above) == (pillow.jpeg().finest, None)
    assert measure_at_bpp(pillow.jpeg2000(), 3.0, original).above is None


def test_a_search_starts_from_the_sizes_that_are_known(original: Original) -> None:
    jpeg = pillow.jpeg()
    known = {s: measure(jpeg, s, original).bytes for s in (20.0, 60.0, 90.0)}
    calls: list[float] = []

    def counted(setting: float) -> dict[str, Any]:
        calls.append(setting)
        return dict(jpeg.arguments(setting))

    cold = measure_at_bpp(jpeg, 3.0, original).point
    warm = measure_at_bpp(replace(jpeg, arguments=counted), 3.0, original, known=known).point
    assert (warm.setting, warm.bytes, warm.target_bpp) == (cold.setting, cold.bytes, 3.0)
    assert len(calls) <= 6


def test_extra_metrics_are_taken_if_the_picture_is_large_enough(original: Original) -> None:
    point = measure(pillow.jpeg(), 60, original, ("psnr-y", "ssim", "psnr-y"))
    assert set(point.others) == {"psnr-y", "ssim"}
    small = Original("small", original.pixels[:9, :9].copy(), "0")
    assert set(measure(pillow.jpeg(), 60, small, ("psnr-y", "ssim")).others) == {"psnr-y"}


def test_a_codec_that_changes_the_size_or_has_no_dial_is_told_off(original: Original) -> None:
    class Cutting:
        name = "cutting"

        def encode(self, pixels: Any, setting: float) -> bytes:
            return b"x"

        def decode(self, data: bytes) -> Any:
            return original.pixels[:-1]

    with pytest.raises(ValueError, match="cutting decoded to 64x47x3, the picture is 64x48x3"):
        measure(Cutting(), 1, original)
    with pytest.raises(TypeError, match="no setting"):
        measure_at_bpp(Cutting(), 1, original)


def test_pictures_of_one_stem_keep_their_endings_and_jpegs_come_last(tmp_path: Path) -> None:
    for name in ("a.png", "a.webp", "b.png", "c.jpg", ".hidden.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    assert list(choose(tmp_path)) == ["a.png", "a.webp", "b"]
    for path in (*tmp_path.glob("*.png"), *tmp_path.glob("*.webp"), tmp_path / ".hidden.png"):
        path.unlink(missing_ok=True)
    assert list(choose(tmp_path)) == ["c"]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Stands in for the codec, with PNG for a file, and notes what it is asked for."""
    asked: list[dict[str, Any]] = []
    png = replace(pillow.jpeg(), name="png", format="PNG", arguments=lambda _: {})

    def encode_report(image: Image.Image, **options: Any) -> SimpleNamespace:
        asked.append(options)
        return SimpleNamespace(
            data=png.encode(np.asarray(image), 1), quality=None if options["model"] == "plain" else 37.5
        )

    def decode_report(data: bytes) -> SimpleNamespace:
        return SimpleNamespace(image=Image.fromarray(png.decode(data)))

    module = ModuleType("lpcodec.codec.api")
    module.__dict__.update(encode_report=encode_report, decode_report=decode_report)
    monkeypatch.setitem(sys.modules, "lpcodec.codec.api", module)
    return asked


def test_our_model_at_a_quality_and_at_a_rate(original: Original, api: list[dict[str, Any]]) -> None:
    point = measure(Ours("default"), 40, original)
    assert (point.codec, point.setting, point.mse) == ("default", 40, 0)
    assert api[-1] == {"model": "default", "tune": "psnr", "quality": 40}
    at_rate = measure_at_bpp(Ours("default"), 0.3, original).point
    assert at_rate.setting == 37.5  # the quality that the search came to
    assert api[-1] == {"model": "default", "tune": "psnr", "bpp": 0.3, "best_effort": True}
    assert at_rate.target_bpp == 0.3
    assert measure(Ours("default", label="lpcodec"), 40, original).codec == "lpcodec"


def test_a_model_without_a_dial_is_not_given_a_quality(original: Original, api: list[dict[str, Any]]) -> None:
    assert measure(Ours("plain", has_quality=False), 0, original).setting == 0
    assert api[-1] == {"model": "plain", "tune": "psnr", "quality": None}
    assert measure_at_bpp(Ours("plain", has_quality=False), 0.3, original).point.setting == 0


def test_sets_of_weights_are_the_settings_of_their_family(original: Original, api: list[dict[str, Any]]) -> None:
    family = OurFamily("wcae", {0.1: "wcae@0.10", 0.2: "wcae@0.20"})
    assert measure(family, 0.2, original).codec == "wcae"
    assert api[-1] == {"model": "wcae@0.20", "tune": "psnr", "quality": None}
    with pytest.raises(ValueError, match=r"settings 0.1, 0.2, not 0.3"):
        family.encode(original.pixels, 0.3)
    with pytest.raises(TypeError, match="no setting"):
        measure_at_bpp(family, 0.2, original)
