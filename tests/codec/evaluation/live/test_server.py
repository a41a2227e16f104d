"""What the server answers: comparisons, limits, cancelling, and nothing to strangers."""

import gc
import io
import json
import re
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

import lpcodec
from lpcodec.codec.evaluation.live import compare
from lpcodec.codec.evaluation.live.clients import MOST_CLIENTS, MOST_RATES, Client, Clients
from lpcodec.codec.evaluation.live.compare import CancelledError, Comparison, Version

OURS = {"x-lpcodec": "1"}


def _client(server: str) -> str:
    page = requests.get(f"{server}/", timeout=60)
    assert page.status_code == 200
    return f"{server}/c/{_config(page.text)['client']}"


def _config(page: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(re.findall(r'id="config">(.*?)</script>', page)[0])
    return found


def _put(client: str, data: bytes, **headers: str) -> requests.Response:
    return requests.put(f"{client}/picture", data=data, headers={**OURS, **headers}, timeout=60)


def _compare(client: str, rate: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{client}/at/{rate}", timeout=300)
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def _image(url: str) -> np.ndarray[Any, Any]:
    answer = requests.get(url, timeout=60)
    assert answer.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_a_comparison_is_what_the_codecs_give(server: str, served_folder: Path) -> None:
    client, data = _client(server), (served_folder / "face.png").read_bytes()
    about = _put(client, data, **{"x-name": "my%20face.png"}).json()
    assert (about["name"], about["width"], about["height"]) == ("my face.png", 320, 260)
    versions = {version["codec"]: version for version in _compare(client, "0.400")}
    assert list(versions) == about["codecs"]
    assert {"lpcodec", "avif", "webp", "jpeg"} <= set(versions)
    original = np.asarray(Image.open(io.BytesIO(data)))
    assert np.array_equal(_image(f"{client}/original.png"), original)
    file = requests.get(f"{client}/at/0.400/file.lpc", timeout=60)
    assert file.headers["content-disposition"] == "attachment; filename*=UTF-8''my%20face.lpc"
    assert file.content == lpcodec.encode(Image.fromarray(original), bpp=0.4)
    assert np.array_equal(_image(f"{client}/at/0.400/lpcodec.png"), np.asarray(lpcodec.decode(file.content)))
    for name, version in versions.items():
        shown = _image(f"{client}/at/0.400/{name}.png")
        mse = np.mean((shown.astype(float) - original) ** 2)
        assert version["psnr"] == pytest.approx(10 * np.log10(255**2 / mse), abs=1e-3)
        assert version["bpp"] == pytest.approx(8 * version["size"] / (320 * 260))
        assert version["size"] <= versions["lpcodec"]["size"] or version["note"]
        assert 0 < version["ms_ssim"] < 1
    assert _compare(client, "0.400") == list(versions.values())


def test_pictures_of_the_folder(server: str) -> None:
    page = requests.get(f"{server}/", timeout=60)
    config = _config(page.text)
    assert config["folder"] == ["broken.png", "face.png", "small <b>.jpg"]
    assert "<b>.jpg" not in page.text
    client = f"{server}/c/{config['client']}"
    thumbnail = requests.get(f"{server}/folder/1.jpg", timeout=60)
    assert max(Image.open(io.BytesIO(thumbnail.content)).size) == 160
    assert requests.put(f"{client}/folder/1", headers=OURS, timeout=60).json()["width"] == 320
    assert requests.put(f"{client}/folder/0", headers=OURS, timeout=60).status_code == 415
    assert requests.put(f"{client}/folder/3", headers=OURS, timeout=60).status_code == 404


def test_limits(server: str, portrait: Image.Image) -> None:
    client, stream = _client(server), io.BytesIO()
    assert _put(client, b"x" * 2_000_001).status_code == 413
    portrait.resize((1001, 1000)).save(stream, "JPEG")
    large = _put(client, stream.getvalue())
    assert (large.status_code, "1000000" in large.json()["error"].replace(",", "")) == (413, True)
    broken = _put(client, b"not a picture")
    assert (broken.status_code, broken.json()["error"]) == (415, "not a picture in a format that Pillow reads")


def test_strangers_get_nothing(server: str, served_folder: Path) -> None:
    client, data = _client(server), (served_folder / "face.png").read_bytes()
    assert requests.get(f"{server}/", headers={"host": "evil.example"}, timeout=60).status_code == 400
    assert requests.put(f"{client}/picture", data=data, timeout=60).status_code == 403
    assert _put(f"{server}/c/guessed", data).status_code == 410
    for path in ("original.png", "at/0.3", "at/0.3/lpcodec.png", "at/0.3/file.lpc"):
        assert requests.get(f"{client}/{path}", timeout=60).status_code == 404
    assert _put(client, data).ok
    for rate in ("0.001", "7", "nan", "1e-1", "0.3x"):
        assert requests.get(f"{client}/at/{rate}", timeout=60).status_code == 400
    policy = requests.get(f"{server}/", timeout=60).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


class TestCancelling:
    """With a comparison that takes as long as the test wants."""

    @pytest.fixture
    def slow(self, monkeypatch: pytest.MonkeyPatch) -> "dict[str, threading.Event]":
        seen = {"begun": threading.Event(), "cancelled": threading.Event()}

        def ours(self: Comparison, bpp: float, is_cancelled: Any) -> Version:
            if bpp != 0.5:
                return Version("lpcodec", "lpcodec", 10, 0.1, 1.0, 1.0, 1.0, None)
            seen["begun"].set()
            deadline = time.monotonic() + 60
            while not is_cancelled():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            seen["cancelled"].set()
            raise CancelledError

        monkeypatch.setattr(Comparison, "ours", ours)
        monkeypatch.setattr(Comparison, "names", lambda self: ["lpcodec"])
        return seen

    def test_a_client_that_leaves(
        self, server: str, served_folder: Path, slow: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = _client(server)
        _put(client, (served_folder / "face.png").read_bytes())
        answer = requests.get(f"{client}/at/0.5", stream=True, timeout=60)
        assert slow["begun"].wait(30)
        answer.close()
        assert slow["cancelled"].wait(30)
        assert len(_compare(client, "0.3")) == 1  # the thread is free again
        gc.collect()
        assert caplog.text == ""  # nothing for the server's user to worry about

    def test_a_new_comparison_of_the_same_client(self, server: str, served_folder: Path, slow: Any) -> None:
        client = _client(server)
        _put(client, (served_folder / "face.png").read_bytes())
        old = requests.get(f"{client}/at/0.5", stream=True, timeout=60)
        assert slow["begun"].wait(30)
        assert len(_compare(client, "0.3")) == 1
        assert slow["cancelled"].is_set()
        old.close()


class TestComparison:
    def test_the_search_ends_when_nobody_waits(self, face: Image.Image) -> None:
        comparison, calls = Comparison(np.asarray(face)), 0

        def is_cancelled() -> bool:
            nonlocal calls
            calls += 1
            return calls > 2

        with pytest.raises(CancelledError):
            comparison.other("webp", 4000, is_cancelled)
        with pytest.raises(CancelledError):
            comparison.ours(0.3, lambda: True)

    def test_a_codec_that_cannot_go_so_low_says_so(self, face: Image.Image) -> None:
        version = Comparison(np.asarray(face)).other("jpeg", 200, lambda: False)
        assert version.size > 200
        assert version.note == "this is its smallest file"

    def test_small_pictures_have_no_ms_ssim(self, thumbnail: Image.Image) -> None:
        version = Comparison(np.asarray(thumbnail)).other("webp", 2000, lambda: False)
        assert version.ms_ssim is None
        assert json.dumps(version.facts())


class TestClients:
    def test_keys_are_their_own_and_the_number_is_bounded(self) -> None:
        clients = Clients()
        keys = [clients.add() for _ in range(MOST_CLIENTS)]
        assert len({*keys}) == MOST_CLIENTS
        first = clients.find(keys[0])
        assert first is not None
        second = clients.find(keys[1])
        assert second is not None
        clients.find(keys[0])
        clients.add()
        assert clients.find(keys[0]) is first
        assert clients.find(keys[2]) is None

    def test_only_the_last_rates_are_kept(self) -> None:
        client = Client()
        for rate in range(MOST_RATES + 3):
            client.keep(str(rate), Version("lpcodec", "", 1, 1.0, None, None, None, None))
        assert list(client.rates) == [str(rate) for rate in range(3, MOST_RATES + 3)]


def test_avif_is_as_people_run_it() -> None:
    assert compare.others()["avif"].options.startswith("Pillow's defaults")
