"""Every peer codes and decodes with the options it prints, and reaches a rate from below."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from lpcodec.codec.errors import TargetError
from lpcodec.codec.evaluation import measures, peers
from lpcodec.codec.evaluation.peers import Peer, available, encode_to_bpp

PEERS = available()


def texture(height: int = 96, width: int = 128) -> NDArray[np.uint8]:
    """Waves, an edge, and noise that falls off from left to right."""
    y, x = np.mgrid[:height, :width]
    planes = [110 + 70 * np.sin(x / (5 + c)) * np.cos(y / 11) + 40 * (x > y) for c in range(3)]
    noise = np.random.default_rng(3).normal(0, 1, (height, width, 3)) * np.linspace(30, 0, width)[:, None]
    return np.clip(np.stack(planes, 2) + noise, 0, 255).astype(np.uint8)


PIXELS = texture()


def rate(data: bytes) -> float:
    return measures.bpp(len(data), PIXELS.shape[0] * PIXELS.shape[1])


def test_the_four_that_come_with_pillow_are_there() -> None:
    assert {"jpeg", "jpeg2000", "webp", "avif", "avif-speed2"} <= set(PEERS)
    assert all(name == peer.name for name, peer in PEERS.items())


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_codes_and_finer_settings_are_larger_and_better(name: str) -> None:
    peer = PEERS[name]
    coarse, fine = (peer.encode(PIXELS, setting) for setting in (peer.settings[1], peer.settings[-2]))
    assert len(coarse) < len(fine)
    decoded = [peer.decode(data) for data in (coarse, fine)]
    assert all(d.shape == PIXELS.shape and d.dtype == np.uint8 for d in decoded)
    assert measures.psnr(PIXELS, decoded[0]) < measures.psnr(PIXELS, decoded[1])
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
    jpeg = peers.jpeg()

    def subsampling(quality: float) -> int:
        return JpegImagePlugin.get_sampling(Image.open(io.BytesIO(jpeg.encode(PIXELS, quality))))

    assert (subsampling(79), subsampling(80)) == (2, 0)  # Pillow's numbers for 4:2:0 and 4:4:4
    assert Image.open(io.BytesIO(jpeg.encode(PIXELS, 50))).info["progressive"]


def test_avif_prints_what_it_was_told() -> None:
    assert peers.avif(2, 4).options == "speed 2, 4:4:4, tune=psnr, max_threads=4"
    assert peers.avif(2).arguments(30)["advanced"] == {"tune": "psnr"}


def test_pixels_and_settings_that_cannot_be_are_refused() -> None:
    jpeg = peers.jpeg()
    for pixels in (PIXELS[..., :1], PIXELS.astype(np.float32)):
        with pytest.raises(ValueError, match="uint8 pixels"):
            jpeg.encode(pixels, 50)
    with pytest.raises(ValueError, match="settings from 1 to 95"):
        jpeg.encode(PIXELS, 96)
    with pytest.raises(ValueError, match="positive"):
        encode_to_bpp(jpeg, PIXELS, 0)


@given(target=st.floats(1.0, 6.0))
@settings(max_examples=15, deadline=None)
def test_an_integer_dial_is_searched_to_the_last_step(target: float) -> None:
    jpeg = peers.jpeg()
    data, setting = encode_to_bpp(jpeg, PIXELS, target)
    assert rate(data) <= target
    assert data == jpeg.encode(PIXELS, setting)
    assert setting == jpeg.finest or rate(jpeg.encode(PIXELS, setting + 1)) > target


@pytest.mark.parametrize("target", [0.4, 1.0, 3.0])
def test_a_continuous_dial_comes_close(target: float) -> None:
    data, _ = encode_to_bpp(peers.jpeg2000(), PIXELS, target)
    assert 0.95 * target < rate(data) <= target


def test_a_rate_above_the_finest_gives_the_finest() -> None:
    jpeg = peers.jpeg()
    assert encode_to_bpp(jpeg, PIXELS, 100) == (jpeg.encode(PIXELS, 95), 95)


def test_a_rate_below_the_coarsest_is_refused_with_the_nearest() -> None:
    nearest = rate(peers.jpeg().encode(PIXELS, 1))
    with pytest.raises(TargetError, match=f"{nearest:.3f} bpp"):
        encode_to_bpp(peers.jpeg(), PIXELS, 0.05)


def test_decoding_takes_nothing_but_the_peers_own_format() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        peers.webp().decode(peers.jpeg().encode(PIXELS, 50))


def test_a_peer_that_pillow_cannot_write_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> Peer:
        raise ImportError

    monkeypatch.setattr(peers, "jpeg_xl", absent)
    monkeypatch.setattr(peers, "webp", lambda: replace(PEERS["webp"], format="NONE"))
    assert not {"jxl", "webp"} & set(available())
