"""`lpcodec report`: words to a request, a report from it, and the comparison with an old one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from lpcodec.codec.evaluation.codecs import pillow
from lpcodec.codec.evaluation.metrics import extra_metrics
from lpcodec.codec.evaluation.run import results, runner
from lpcodec.codec.evaluation.run.machine import Machine
from lpcodec.codec.evaluation.run.results import PictureAbout, Results, SetAbout

Run = Callable[..., Result]


@pytest.fixture
def pictures(folder: Path) -> Path:
    data = folder / "waves"
    data.mkdir()
    y, x = np.mgrid[:48, :64]
    for i in range(2):
        waves = 128 + 60 * np.sin(x / 7 + i)[..., None] * np.cos(y[..., None] / (9 + np.arange(3)))
        Image.fromarray(np.clip(waves, 0, 255).astype(np.uint8)).save(data / f"{i}.png")
    return data


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[runner.Request]:
    """What the command asks to be measured, which isn't."""
    requests: list[runner.Request] = []

    def run(request: runner.Request, progress: Any) -> Results:
        requests.append(request)
        request.out.mkdir(parents=True, exist_ok=True)
        about = SetAbout("waves", "waves", (PictureAbout("0", "d", 64, 48),))
        return Results("2026-01-01", {}, Machine("cpu", 1, 1, False), about, (), ())

    monkeypatch.setattr(runner, "run", run)
    return requests


def test_its_words_become_a_request(lpcodec: Run, pictures: Path, asked: list[runner.Request]) -> None:
    ran = lpcodec(
        "report", "--data", str(pictures), "--codecs", "jpeg, webp", "--codec", "mine=c {in} {out} {q}", "--out", "r",
        "--targets", "0.3,0.15", "--metrics", "psnr-y", "--pictures", "none", "--limit", "1", "-j", "2",
        "--published", "none",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    request = asked[0]
    assert request.folder == pictures
    assert request.codecs == ("jpeg", "webp", "mine")
    assert [c.name for c in request.commands] == ["mine"]
    assert (request.targets, request.extra_metrics, request.limit) == ((0.15, 0.3), ("psnr-y",), 1)
    assert (request.workers, request.threads, request.published, request.out) == (2, 1, "none", Path("r"))
    assert "waves, 1 picture: 0 points, 0 failures; look at r" in ran.output


def test_the_default_is_ours_beside_the_peers(lpcodec: Run, pictures: Path, asked: list[runner.Request]) -> None:
    assert lpcodec("report", "--data", str(pictures), "--pictures", "none").exit_code == 0
    assert asked[0].codecs[:7] == ("lpcodec", "default@visual", "jpeg", "jpeg2000", "webp", "avif", "avif-default")
    assert asked[0].targets == runner.TARGETS
    assert asked[0].extra_metrics == extra_metrics.installed()


def test_peers_that_are_not_installed_are_named_and_left_out(
    lpcodec: Run, pictures: Path, asked: list[runner.Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = pillow.available()
    monkeypatch.setattr(pillow, "available", lambda threads=1: {n: p for n, p in installed.items() if n != "jxl"})
    ran = lpcodec("report", "--data", str(pictures), "--codecs", "jpeg,jxl,webp", "--pictures", "none")
    assert ran.exit_code == 0, ran.output
    assert "jxl is left out, because it isn't installed here: pip install pillow-jxl-plugin" in ran.output
    assert asked[0].codecs == ("jpeg", "webp")
    assert asked[0].notes[0].startswith("jxl is left out")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--data", "kodac"], "kodak"),
        (["--data", "waves/0.png"], "lpcodec compare takes one picture"),
        (["--codec", "mine"], "write 'NAME=COMMAND"),
        (["--codecs", "gif"], "no codec named 'gif'"),
        (["--metrics", "vmaf"], "no metric named 'vmaf'"),
        (["--targets", "fast"], "no list of rates"),
        (["--targets", "0,1"], "rates are positive"),
        (["-j", "2", "--threads", "2"], "not for both"),
        (["--check", "waves/0.png"], "0.png"),
    ],
)
def test_words_that_cannot_be(lpcodec: Run, pictures: Path, words: list[str], why: str) -> None:
    data = [] if "--data" in words else ["--data", str(pictures)]
    ran = lpcodec("report", *data, *words)
    assert ran.exit_code == 2, ran.output
    assert why in " ".join(ran.output.split())
    assert len(ran.output) < 500, "a file that isn't text is not printed"
    assert not Path("report").exists()


def test_a_report_is_made_and_checked(lpcodec: Run, pictures: Path) -> None:
    words = ["report", "--data", str(pictures), "--codecs", "jpeg,webp", "--targets", "1", "--out", "r"]
    ran = lpcodec(*words, "--pictures", "0.5")
    assert ran.exit_code == 0, ran.output
    out = Path("r")
    for name in ("index.html", "results.json", "points.csv", "tables.md", "compressai/jpeg.json"):
        assert (out / name).stat().st_size > 100, name
    assert len(list(out.glob("pictures/*/*.webp"))) == 2 * (2 + 2)  # original, thumbnail, two codecs
    document = results.load(out / "results.json")
    assert {p.codec for p in document.target_points} == {"jpeg", "webp"}

    small = json.loads((out / "results.json").read_text())
    small["points"] = [p for p in small["points"] if p["setting"] in (35, 50)]
    (out / "small.json").write_text(json.dumps(small))
    ran = lpcodec("report", "--data", str(pictures), "--check", "r/small.json")
    assert ran.exit_code == 0, ran.output
    assert "measured again, none differs" in ran.output
    small["points"][0]["bytes"] += 1
    (out / "small.json").write_text(json.dumps(small))
    ran = lpcodec("report", "--data", str(pictures), "--check", "r/small.json")
    assert ran.exit_code == 9
    assert "(-1)" in ran.output
    assert "1 of " in ran.output
    assert not (out / "small.json.part").exists()


def test_failures_are_notes_and_the_report_is_made(lpcodec: Run, pictures: Path) -> None:
    (pictures / "broken.png").write_bytes(b"no picture")
    ran = lpcodec(
        "report", "--data", str(pictures), "--codecs", "jpeg", "--codec", "absent=no-such-program {in} {out}",
        "--targets", "none", "--pictures", "none", "--out", "r",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    assert "note: broken: the picture can't be read" in ran.output
    assert "note: absent on 0 at setting 0: no-such-program can't be run" in ran.output
    assert "3 failures" in ran.output
    assert Path("r/index.html").exists()
