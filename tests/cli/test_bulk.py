"""The command `lpcodec batch`: its options, its line of progress, its exit codes, signals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from lpcodec.cli import bulk
from lpcodec.cli.app import app
from lpcodec.codec.bulk.run import Summary


def lpcodec(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "lpcodec", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["batch", *map(str, arguments)])
    assert result.exit_code == 2
    return " ".join(result.output.split())


@pytest.fixture
def folder(thumbnail: Image.Image, tmp_path: Path) -> Path:
    place = tmp_path / "in"
    place.mkdir()
    thumbnail.save(place / "a.png")
    (place / "broken.png").write_bytes(b"not a picture")
    (place / "notes.md").write_text("not for us")
    return place


def test_a_folder_there_and_back(folder: Path, tmp_path: Path) -> None:
    coded = lpcodec("batch", "encode", folder, "--to", tmp_path / "coded", "-q", 20, "-j", 1)
    assert coded.returncode == 7
    assert "note: left out 1 file: only pictures are encoded" in coded.stderr
    assert "error: broken.png: not a picture in a format that Pillow reads" in coded.stderr
    assert "1 picture done, 0 files done before, 1 failed" in coded.stderr
    assert coded.stdout == ""
    (folder / "broken.png").unlink()
    again = lpcodec("batch", "encode", folder, "--to", tmp_path / "coded", "-q", 20, "-j", 1)
    assert (again.returncode, "0 pictures done, 1 file done before, 0 failed" in again.stderr) == (0, True)
    back = lpcodec(
        "batch", "decode", tmp_path / "coded", "--to", tmp_path / "back", "--format", "jpg", "-j", 1, "--quiet"
    )
    assert (back.returncode, back.stderr) == (0, "")
    assert Image.open(tmp_path / "back/a.jpg").size == (44, 52)


def test_wrong_options_are_found_before_anything_is_written(folder: Path, tmp_path: Path) -> None:
    to = tmp_path / "out"
    assert "one target" in refused("encode", folder, "--to", to, "-q", 20, "--bpp", 1)
    assert "no model named 'none'" in refused("encode", folder, "--to", to, "--model", "none")
    assert "writes no pictures that end in .nothing" in refused("decode", folder, "--to", to, "--format", "nothing")
    assert "nothing to decode there" in refused("decode", folder, "--to", to)
    assert "--address is for --engine ray" in refused("encode", folder, "--to", to, "--address", "auto")
    assert "lpcae codes pictures at their own size" in refused(
        "encode", folder, "--to", to, "--model", "lpcae", "--downscale", 2
    )
    assert "leave the model and the tune out" in refused("encode", folder, "--to", to, "--lossless", "--model", "fast")
    assert "isn't empty" in refused("encode", folder, "--to", folder)
    assert not to.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_it_goes_on(folder: Path, tmp_path: Path, number: int, portrait: Image.Image) -> None:
    for copy in range(30):
        portrait.save(folder / f"p{copy:02}.png")
    to = tmp_path / "out"
    command = [sys.executable, "-m", "lpcodec", "batch", "encode", folder, "--to", to, "-q", "20", "-j", "1"]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, start_new_session=True, text=True)
    deadline = time.monotonic() + 200
    while not (to / "manifest.jsonl").exists() or b"p0" not in (to / "manifest.jsonl").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else 143)
    assert "Traceback" not in said
    done = [json.loads(line) for line in (to / "manifest.jsonl").read_text().splitlines()]
    assert 0 < len(done) < 32
    assert not list(to.rglob(".*"))


def test_the_line_of_progress() -> None:
    summary = Summary(10, 2, 1234, 2, 12_345_678, 1_234_567, 12_400_000, part=0.125, seconds=100.0)
    assert bulk.progress_words(summary) == (
        "1,234 pictures, 12.5 %, 12.3 pictures/s, 12.3 MB -> 1.2 MB (90 % saved), 0:11:40 left, 2 failed"
    )
    assert bulk.progress_words(Summary()) == "0 pictures, 0.0 %, 0 bytes -> 0 bytes"
