"""Every peer codes and decodes with the options it prints."""

import io
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile, JpegImagePlugin

from lpcodec.codec.evaluation.codecs import pillow
from lpcodec.codec.evaluation.codecs.pillow import Peer, available
from lpcodec.codec.evaluation.metrics import distortion

PEERS = available()


def texture(height: int = 96, width: int = 128) -> NDArray[np.uint8]:
    """Waves, an edge, and noise that falls off from left to right."""
    y, x = np.mgrid[:height, :width]
    planes = [110 + 70 * np.sin(x / (5 + c)) * np.cos(y / 11) + 40 * (x > y) for c in range(3)]
    noise = np.random.default_rng(3).normal(0, 1, (height, width, 3)) * np.linspace(30, 0, width)[:, None]
    return np.clip(np.stack(planes, 2) + noise, 0, 255).astype(np.uint8)


PIXELS = texture()


def test_those_that_come_with_pillow_are_there() -> None:
    assert {"jpeg", "jpeg2000", "webp", "avif", "avif-speed2", "avif-default"} <= set(PEERS)
    assert all(name == peer.name for name, peer in PEERS.items())


@pytest.mark.parametrize("name", pillow.PLUGINS)
def test_a_plugin_that_is_installed_is_offered(name: str) -> None:
    module = {"jxl": "pillow_jxl", "heic": "pillow_heif"}[name]
    pytest.importorskip(module, reason=f"{pillow.PLUGINS[name]} isn't installed")
    assert name in PEERS


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_codes_and_finer_settings_are_larger_and_better(name: str) -> None:
    peer = PEERS[name]
    coarse, fine = (peer.encode(PIXELS, setting) for setting in (peer.settings[1], peer.settings[-2]))
    assert len(coarse) < len(fine)
    decoded = [peer.decode(data) for data in (coarse, fine)]
    assert all(d.shape == PIXELS.shape and d.dtype == np.uint8 for d in decoded)
    assert distortion.psnr(PIXELS, decoded[0]) < distortion.psnr(PIXELS, decoded[1])
    assert peer.encode(PIXELS, peer.settings[1]) == coarse  # the same again


@pytest.mark.parametrize("name", PEERS)
def test_a_peers_sweep_lies_within_its_dial(name: str) -> None:
    peer = PEERS[name]
    low, high = sorted((peer.coarsest, peer.finest))
    rising = sorted(peer.settings, reverse=peer.finest < peer.coarsest)
    assert list(peer.settings) == rising
    assert low <= min(peer.settings)
    assert max(peer.settings) <= high


def test_jpeg_keeps_its_chroma_from_quality_80() -> None:
    jpeg = pillow.jpeg()

    def subsampling(quality: float) -> int:
        return JpegImagePlugin.get_sampling(Image.open(io.BytesIO(jpeg.encode(PIXELS, quality))))

    assert (subsampling(79), subsampling(80)) == (2, 0)  # Pillow's numbers for 4:2:0 and 4:4:4
    assert Image.open(io.BytesIO(jpeg.encode(PIXELS, 50))).info["progressive"]


def test_avif_prints_what_it_was_told() -> None:
    assert pillow.avif(2, threads=4).options == "speed 2, 4:4:4, tune=psnr, one tile, max_threads=4"
    assert pillow.avif(2).arguments(30)["advanced"] == {"tune": "psnr"}
    assert [PEERS[name].title for name in ("avif", "avif-speed2", "avif-default")] == [
        "AVIF tuned for PSNR", "AVIF tuned for PSNR, speed 2", "AVIF",
    ]  # fmt: skip


def test_avif_variants_are_what_they_are_called() -> None:
    tuned, default = (PEERS[name].encode(PIXELS, 60) for name in ("avif", "avif-default"))
    profiles = [data[data.index(b"av1C") + 5] >> 5 for data in (tuned, default)]
    assert profiles == [1, 0]  # High codes colours whole, Main halves them
    plain = io.BytesIO()
    Image.fromarray(PIXELS).save(plain, "AVIF", quality=60, max_threads=1)
    assert default == plain.getvalue()


def test_avif_has_no_tiles() -> None:
    """Pillow makes tiles of this size by default, and nothing is predicted across their borders."""
    assert not any(PEERS[name].arguments(60)["autotiling"] for name in ("avif", "avif-speed2", "avif-default"))
    stripes = np.tile(np.random.default_rng(1).integers(0, 256, (512, 4, 3), np.uint8), (1, 192, 1))
    tiles = io.BytesIO()
    Image.fromarray(stripes).save(tiles, "AVIF", quality=60, max_threads=1)
    assert len(PEERS["avif-default"].encode(stripes, 60)) < len(tiles.getvalue())


@pytest.mark.parametrize("quality", [88, 93])
def test_jpeg_of_noise_fits_into_pillows_buffer(quality: int) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (400, 500, 3), dtype=np.uint8)
    before = ImageFile.MAXBLOCK
    data = PEERS["jpeg"].encode(noise, quality)
    assert len(data) > noise.size / 3 > before
    assert PEERS["jpeg"].decode(data).shape == noise.shape
    assert before == ImageFile.MAXBLOCK


@pytest.mark.parametrize("name", sorted({"avif", "jxl", "heic"} & set(PEERS)))
def test_threads_change_no_pixel_of_a_decoder(name: str) -> None:
    data = PEERS[name].encode(PIXELS, PEERS[name].settings[3])
    many = available(threads=3)[name]
    assert many.threads == 3
    np.testing.assert_array_equal(many.decode(data), PEERS[name].decode(data))


def test_pixels_and_settings_that_cannot_be_are_refused() -> None:
    jpeg = pillow.jpeg()
    for pixels in (PIXELS[..., :1], PIXELS.astype(np.float32)):
        with pytest.raises(ValueError, match="uint8 pixels"):
            jpeg.encode(pixels, 50)
    with pytest.raises(ValueError, match="settings from 1 to 95"):
        jpeg.encode(PIXELS, 96)


def test_decoding_takes_nothing_but_the_peers_own_format() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        pillow.webp().decode(pillow.jpeg().encode(PIXELS, 50))


def test_a_peer_that_pillow_cannot_write_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(threads: int) -> Peer:
        raise ImportError

    monkeypatch.setattr(pillow, "jpeg_xl", absent)
    monkeypatch.setattr(pillow, "webp", lambda: replace(PEERS["webp"], format="NONE"))
    assert not {"jxl", "webp"} & set(available())
