"""Every script in examples/ runs as its first lines say, and its result is what it says."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lpcodec
from lpcodec.codec.training import log, objective, trainer

EXAMPLES = Path(__file__).parents[1] / "examples"


class Example:
    """Runs a script in a folder of its own, with the photograph photo.png in it."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys, self.monkeypatch = capsys, monkeypatch

    def run(self, script: str, *arguments: str) -> str:
        self.monkeypatch.setattr(sys, "argv", [script, *arguments])
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        return self.capsys.readouterr().out


@pytest.fixture
def example(
    tmp_path: Path, face: Image.Image, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Example:
    monkeypatch.chdir(tmp_path)
    face.resize((128, 112)).save("photo.png")
    return Example(capsys, monkeypatch)


def test_encode_and_decode(example: Example) -> None:
    assert "128 x 112 pixels, model default" in example.run("encode_decode.py", "photo.png")
    with Image.open("photo-decoded.png") as shown:
        assert shown.size == (128, 112)


def test_targets(example: Example) -> None:
    lines = example.run("targets.py", "photo.png").splitlines()
    sizes = [int(line.split("}: ")[1].split(" bytes")[0].replace(",", "")) for line in lines[:4]]
    assert sizes[0] * 8 <= 0.5 * 128 * 112
    assert sizes[1] <= 20_000
    assert sizes[2] < sizes[3]
    assert lines[4].startswith("too small: 40 bytes ")
    assert lines[5].startswith("the smallest file has ")


def test_arrays(example: Example) -> None:
    line = example.run("arrays.py")
    assert line.startswith("(96, 128, 3) uint8, 36,864 bytes -> ")
    assert float(line.split(", ")[-1].removesuffix(" dB\n")) > 28


def test_pillow_plugin(example: Example) -> None:
    assert example.run("pillow_plugin.py", "photo.png") == "LPC (128, 112) RGB\n"
    with Image.open("thumbnail.png") as small:
        assert small.size == (64, 56)


def test_region(example: Example) -> None:
    Path("photo.lpc").write_bytes(lpcodec.encode("photo.png"))
    assert example.run("region.py", "photo.lpc", "16", "8", "64", "48") == "part.png: 64 x 48 pixels\n"
    whole = np.asarray(lpcodec.decode("photo.lpc"), np.int16)
    with Image.open("part.png") as part:
        assert abs(np.asarray(part, np.int16) - whole[8:56, 16:80]).max() <= 1


def test_folder(example: Example) -> None:
    Path("photos/more").mkdir(parents=True)  # folders are left out
    Path("photo.png").rename("photos/a.png")
    Path("photos/b.png").write_bytes(b"no picture")
    assert example.run("folder.py", "photos", "coded").endswith("1 failed\n")
    assert [path.name for path in Path("coded").iterdir()] == ["a.lpc"]


def test_upscale(example: Example) -> None:
    assert example.run("upscale.py", "photo.png") == "light: 256 x 224\nbicubic: 256 x 224\n"
    with Image.open("photo-light.png") as network, Image.open("photo-bicubic.png") as bicubic:
        assert network.tobytes() != bicubic.tobytes()


def test_own_model(example: Example, face: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LPCODEC_WEIGHTS", "")  # the script sets it: put it back afterwards
    monkeypatch.setattr(objective, "VALIDATION_SIZE", 64)
    monkeypatch.setattr(objective, "VALIDATION_PATCHES", 2)
    monkeypatch.setattr(trainer, "WARM_UP_STEPS", 2)
    monkeypatch.setattr(log, "_board", lambda folder, step: None)
    Path("photos").mkdir()
    for place in range(4):
        face.crop((24 * place, 0, 24 * place + 150, 150)).save(f"photos/{place}.png")
    out = example.run("own_model.py", "photos", "runs", "photo.png", "3")
    assert out.endswith("bytes with mine\n")
    with Image.open("runs/decoded.png") as decoded:
        assert decoded.size == (128, 112)


def test_compare_codecs(example: Example) -> None:
    lines = example.run("compare_codecs.py", "photo.png", "1").splitlines()
    assert [line.split(":")[0] for line in lines] == ["lpcodec", "jpeg", "webp", "avif"]


def test_every_example_is_tested_listed_and_short() -> None:
    scripts = {path.name: path.read_text() for path in EXAMPLES.glob("*.py")}
    tested, listed = Path(__file__).read_text(), (EXAMPLES / "README.md").read_text()
    for name, text in scripts.items():
        assert f'example.run("{name}"' in tested
        assert f"[{name}]({name})" in listed
        assert 10 <= len(text.splitlines()) <= 40, name
