"""Measuring codecs on pictures: ours and the peers in one way; peers only once."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec.evaluation import peers
from lpcodec.codec.evaluation.measures import bpp, psnr
from lpcodec.codec.evaluation.peers import Peer
from lpcodec.codec.evaluation.points import Original, Ours, PeerCache, load_originals, measure, measure_at_bpp


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
    return load_originals(folder)[0]


def test_originals_come_as_rgb_in_order_of_name(folder: Path) -> None:
    originals = load_originals(folder)
    assert [o.name for o in originals] == ["a", "b", "c"]
    assert all(o.pixels.shape == (48, 64, 3) and o.pixels.dtype == np.uint8 for o in originals)
    assert len({o.digest for o in originals}) == 3
    assert load_originals(folder, 1)[0].digest == originals[0].digest
    empty = folder / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="no pictures"):
        load_originals(empty)


def test_a_point_at_a_setting(original: Original) -> None:
    jpeg = peers.jpeg()
    point = measure(jpeg, 60, original)
    data = jpeg.encode(original.pixels, 60)
    assert (point.codec, point.setting, point.image) == ("jpeg", 60, "a")
    assert (point.bytes, point.pixels, point.bpp) == (len(data), 48 * 64, bpp(len(data), 48 * 64))
    assert point.psnr == psnr(original.pixels, jpeg.decode(data))
    assert point.encode_seconds > 0 < point.decode_seconds


def test_a_point_at_a_rate_or_the_nearest(original: Original) -> None:
    point = measure_at_bpp(peers.jpeg(), 3.0, original)
    assert 2.0 < point.bpp <= 3.0
    assert measure_at_bpp(peers.jpeg(), 0.01, original).setting == peers.jpeg().coarsest


def test_a_peer_is_measured_once(original: Original, tmp_path: Path) -> None:
    calls: list[float] = []

    def counted(setting: float) -> dict[str, Any]:
        calls.append(setting)
        return {"quality": int(setting)}

    peer: Peer = replace(peers.jpeg(), arguments=counted)
    path = tmp_path / "new" / "cache.jsonl"
    first = PeerCache(path, threads=1).get(peer, original, 50)
    at_rate = PeerCache(path, threads=1).get(peer, original, 5, target=True)
    assert calls
    calls.clear()
    again = PeerCache(path, threads=1)
    assert len(again) == 2
    assert again.get(peer, original, 50) == first
    assert again.get(peer, original, 5, target=True) == at_rate
    assert not calls
    again.get(peer, original, 5)  # a quality of 5 is not a rate of 5 bpp
    again.get(replace(peer, options="others"), original, 50)
    again.get(peer, replace(original, digest="0"), 50)
    PeerCache(path, threads=2).get(peer, original, 50)
    assert len(path.read_text().splitlines()) == 6


def test_a_cache_that_was_cut_off_goes_on(original: Original, tmp_path: Path) -> None:
    path = tmp_path / "cache.jsonl"
    cache = PeerCache(path, threads=1)
    kept = cache.get(peers.jpeg(), original, 50)
    cache.get(peers.jpeg(), original, 60)
    path.write_text(path.read_text()[:-40])
    cut = PeerCache(path, threads=1)
    assert len(cut) == 1
    lost = cut.get(peers.jpeg(), original, 60)
    whole = PeerCache(path, threads=1)
    assert len(whole) == 2
    assert whole.get(peers.jpeg(), original, 50) == kept
    assert whole.get(peers.jpeg(), original, 60) == lost
    for line in (path.read_text().splitlines()[0], path.read_text().splitlines()[-1]):
        assert set(json.loads(line)) == {"key", "point"}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Stands in for the codec, with PNG for a file, and notes what it is asked for."""
    asked: list[dict[str, Any]] = []
    png = replace(peers.jpeg(), name="png", format="PNG", arguments=lambda _: {})

    def encode(image: Image.Image, **options: Any) -> bytes:
        asked.append(options)
        return png.encode(np.asarray(image), 1)

    def encode_report(image: Image.Image, **options: Any) -> SimpleNamespace:
        return SimpleNamespace(data=encode(image, **options), quality=None if options["model"] == "plain" else 37.5)

    def decode(data: bytes) -> Image.Image:
        return Image.fromarray(png.decode(data))

    module = ModuleType("lpcodec.codec.api")
    module.__dict__.update(encode=encode, encode_report=encode_report, decode=decode)
    monkeypatch.setitem(sys.modules, "lpcodec.codec.api", module)
    return asked


def test_our_model_at_a_quality_and_at_a_rate(original: Original, api: list[dict[str, Any]]) -> None:
    point = measure(Ours("default"), 40, original)
    assert (point.codec, point.setting, point.mse) == ("default", 40, 0)
    assert api[-1] == {"model": "default", "quality": 40}
    at_rate = measure_at_bpp(Ours("default"), 0.3, original)
    assert at_rate.setting == 37.5  # the quality that the search came to
    assert api[-1] == {"model": "default", "bpp": 0.3, "best_effort": True}


def test_a_model_without_a_dial_is_not_given_a_quality(original: Original, api: list[dict[str, Any]]) -> None:
    assert measure(Ours("plain", has_quality=False), 0, original).setting == 0
    assert api[-1] == {"model": "plain", "quality": None}
    assert measure_at_bpp(Ours("plain", has_quality=False), 0.3, original).setting == 0
