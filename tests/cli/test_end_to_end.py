"""The command with the real codec: there and back, through pipes, damaged, stopped, and the demo."""

import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

WIDTH, HEIGHT = 200, 136


def _missing_model() -> str | None:
    try:
        from lpcodec.codec import models

        models.load("default")
    except Exception as error:
        return f"the default model can't be loaded: {error}"
    return None


MISSING = _missing_model()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def process(*words: str, stdin: bytes | None = None) -> "subprocess.CompletedProcess[bytes]":
    """The command as a person starts it; each one takes a second or more to load torch."""
    return subprocess.run(
        [sys.executable, "-m", "lpcodec", *words], input=stdin, capture_output=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def original() -> Image.Image:
    """Noise with the spectrum of a photograph: fine grain on soft shapes."""
    random = np.random.default_rng(5)
    layers = []
    for blur, weight in ((16, 400.0), (4, 100.0), (1, 60.0)):
        noise = Image.fromarray(random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
        layers.append(weight * (np.asarray(noise.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 127.5 - 1))
    return Image.fromarray(np.clip(128 + sum(layers), 0, 255).astype(np.uint8))


@pytest.fixture
def photo(folder: Path, original: Image.Image) -> Path:
    """The picture as photo.png in an otherwise empty current folder."""
    original.save(folder / "photo.png")
    return folder / "photo.png"


def test_there_and_back(photo: Path, original: Image.Image, lpcodec: Any) -> None:
    encoded = process("encode", "photo.png", "--bpp", "0.5")
    assert (encoded.returncode, encoded.stdout) == (0, b"")
    assert b"photo.png -> photo.lpc" in encoded.stderr
    size = Path("photo.lpc").stat().st_size
    assert size * 8 / (WIDTH * HEIGHT) <= 0.5

    assert lpcodec("verify", "photo.lpc").stdout == "photo.lpc: ok\n"
    facts = json.loads(lpcodec("info", "photo.lpc", "--json").stdout)
    assert (facts["width"], facts["height"], facts["bytes"]) == (WIDTH, HEIGHT, size)

    decoded = process("decode", "-", stdin=Path("photo.lpc").read_bytes())
    with Image.open(io.BytesIO(decoded.stdout)) as back:
        error = np.asarray(back, np.float64) - np.asarray(original, np.float64)
    assert 10 * math.log10(255**2 / np.mean(error**2)) > 20
    assert names(photo.parent) == {"photo.png", "photo.lpc"}


def test_pipes_and_files_give_the_same(photo: Path, lpcodec: Any) -> None:
    assert lpcodec("encode", "photo.png", "-q", "30").exit_code == 0
    coded = lpcodec("encode", "-", "-q", "30", stdin=photo.read_bytes()).stdout_bytes
    assert coded == Path("photo.lpc").read_bytes()
    assert lpcodec("decode", "photo.lpc", "back.png").exit_code == 0
    assert lpcodec("decode", "-", stdin=coded).stdout_bytes == Path("back.png").read_bytes()


def test_errors_are_one_line_with_their_code_and_no_output(photo: Path, lpcodec: Any) -> None:
    Path("bad.png").write_bytes(b"junk")
    assert lpcodec("encode", "photo.png", "-q", "30").exit_code == 0
    whole = Path("photo.lpc").read_bytes()
    Path("cut.lpc").write_bytes(whole[:-3])
    before = names(photo.parent)
    for code, *words in (
        (3, "decode", "cut.lpc"),
        (3, "verify", "bad.png"),
        (5, "decode", "photo.lpc", "x.png", "--max-pixels", "1000"),
        (5, "decode", "photo.lpc", "x.png", "--max-memory", "1M"),
        (5, "encode", "photo.png", "x.lpc", "--max-pixels", "1000"),
        (6, "encode", "photo.png", "x.lpc", "--size", "40"),
        (7, "encode", "bad.png"),
        (2, "encode", "photo.png", "--model", "nonsense"),
    ):
        ran = lpcodec(*words)
        assert ran.exit_code == code, (words, ran.stderr)
        assert ran.stderr.startswith("lpcodec: error: ")
        assert ran.stderr.count("\n") == 1
    assert names(photo.parent) == before
    assert Path("photo.lpc").read_bytes() == whole


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("decode {} out/ --scale 3", "light enlarges 2 or 4 times, not 3 times"),
        ("decode {} out/ --region 0,0,9,9 --level 1", "leave out level, or the region"),
        ("upscale {} out/ --scale 3", "light enlarges 2 or 4 times, not 3 times"),
        ("upscale {} out/ --model nonesuch", "no model named 'nonesuch'"),
        ("encode {} out/ --model lpcae --downscale 2", "lpcae codes pictures at their own size"),
        ("encode {} out/ --lossless --model fast", "leave the model and the tune out"),
    ],
)
def test_options_that_do_not_go_together_are_found_before_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lpcodec: Any, words: str, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = lpcodec(*words.format("one two").split())
    assert ran.exit_code == 2
    assert ran.stderr.startswith("lpcodec: error: ")
    assert ran.stderr.count("\n") == 1
    assert line in ran.stderr
    assert names(tmp_path) == set()


def test_best_effort_writes_the_nearest(photo: Path, lpcodec: Any) -> None:
    assert lpcodec("encode", "photo.png", "--size", "40", "--best-effort").exit_code == 0
    assert Path("photo.lpc").stat().st_size > 40


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_batch_leaves_whole_files_and_goes_on(
    folder: Path, original: Image.Image, lpcodec: Any, number: int
) -> None:
    pictures = [f"{i}.png" for i in range(12)]
    for name in pictures:
        original.save(name)
    words = ["encode", *pictures, "--out-dir", "o", "-q", "30", "--skip-existing"]
    first = subprocess.Popen([sys.executable, "-m", "lpcodec", *words], stderr=subprocess.DEVNULL)
    for _ in range(6000):
        if list(folder.glob("o/*.lpc")):
            break
        time.sleep(0.01)
    os.kill(first.pid, number)
    assert first.wait(timeout=60) in (128 + number, -number, 0)
    done = {path.name: path.read_bytes() for path in folder.glob("o/*.lpc")}
    assert done
    assert lpcodec(*words).exit_code == 0
    after = {path.name: path.read_bytes() for path in folder.glob("o/*.lpc")}
    assert after.keys() == {f"{i}.lpc" for i in range(12)}
    assert set(after.values()) == {next(iter(done.values()))}


def test_the_demo(folder: Path, lpcodec: Any) -> None:
    ran = lpcodec("demo", "--out-dir", "shown")
    assert ran.exit_code == 0, ran.stderr
    assert all(word in ran.stdout for word in ("bpp", "PSNR", "MS-SSIM", "start-up", "decode"))
    assert names(folder / "shown") == {"grace_hopper.lpc", "grace_hopper.png", "side-by-side.png"}
    with Image.open("shown/grace_hopper.png") as decoded, Image.open("shown/side-by-side.png") as sheet:
        assert decoded.size == (512, 600)
        assert sheet.width > 2 * decoded.width
    assert Path("shown/grace_hopper.lpc").stat().st_size * 8 <= 0.15 * 512 * 600
