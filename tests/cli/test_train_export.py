"""train and export: what they hand to the loop, and how they tell of its progress."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lpcodec.cli import progress


@pytest.fixture
def loop(replace_module: Any) -> list[dict[str, Any]]:
    """The training loop, replaced by one that remembers its arguments and takes two steps."""
    calls: list[dict[str, Any]] = []

    def train(**given: Any) -> Path:
        calls.append(given)
        for step in (1, 2):
            given["progress"](f"step {step} of 2, 1:02:05 left, loss 0.5312, bpp 0.3", step / 2)
        return Path(given["out"])

    replace_module("lpcodec.codec.training.loop", train=train)
    return calls


BASE = ("train", "wcae", "--data", "photos", "--out", "run")


def test_options_left_out_are_the_loop_s_choice(lpcodec: Any, loop: list[dict[str, Any]]) -> None:
    assert lpcodec(*BASE).exit_code == 0
    del loop[0]["progress"], loop[0]["note"]
    assert loop[0] == {
        "model": "wcae", "data": Path("photos"), "out": Path("run"), "steps": None, "time_limit": None,
        "resume": False, "device": "cpu", "options": {},
    }  # fmt: skip


def test_a_device_that_is_not_there_is_named(lpcodec: Any, loop: list[dict[str, Any]]) -> None:
    ran = lpcodec(*BASE, "--device", "abacus")
    assert ran.exit_code == 2
    assert "device 'abacus' isn't available here; choose one of: cpu" in ran.stderr
    assert loop == []


def test_options_given_reach_the_loop(lpcodec: Any, loop: list[dict[str, Any]], replace_module: Any) -> None:
    replace_module("lpcodec.codec.devices", check_device=lambda name: None)
    how = ["--time-limit", "15m", "--resume", "--device", "cuda", "--batch", "4", "--patch", "128"]
    fine = ["--seed", "7", "--set", "lmbda=0.01", "--set", "channel_prior=yes", "--learning-rate", "1e-4", "-j", "2"]
    assert lpcodec(*BASE, *how, *fine).exit_code == 0
    expected = {
        "time_limit": 900.0, "resume": True, "device": "cuda", "batch": 4, "patch": 128, "seed": 7,
        "options": {"lmbda": "0.01", "channel_prior": "yes"}, "learning_rate": 1e-4, "threads": 2,
    }  # fmt: skip
    assert {name: loop[0][name] for name in expected} == expected


def test_steps_or_time_but_not_both(lpcodec: Any, loop: list[dict[str, Any]]) -> None:
    assert lpcodec(*BASE, "--steps", "5", "--time-limit", "5").exit_code == 2
    assert loop == []


def test_no_more_threads_than_torch_can_start(lpcodec: Any, loop: list[dict[str, Any]]) -> None:
    ran = lpcodec(*BASE, "--threads", "100000")
    assert ran.exit_code == 2
    assert "--threads 100000: give at most 1024" in ran.stderr
    assert loop == []


def test_off_a_terminal_progress_is_plain_lines(lpcodec: Any, loop: list[dict[str, Any]]) -> None:
    lines = lpcodec(*BASE).stderr.splitlines()
    assert lines[:2] == [
        "step 1 of 2, 1:02:05 left, loss 0.5312, bpp 0.3",
        "step 2 of 2, 1:02:05 left, loss 0.5312, bpp 0.3",
    ]
    assert lines[2].startswith("the run is in run;")


def test_lines_come_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.over_run("training", quiet=False) as show:
        for step in range(1, 101):
            show(f"step {step}", step / 100)
    assert capsys.readouterr().err == "step 1\nstep 100\n"


def test_a_run_is_a_line_now_and_then_or_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.over_run("measuring", quiet=False) as show:
        show("1 of 3, a.png", 1 / 3)
        show("2 of 3, b.png", 2 / 3)
    with progress.over_run("measuring", quiet=True) as show:
        show("1 of 3, a.png", 1 / 3)
    assert capsys.readouterr().err == "1 of 3, a.png\n"
    screen = io.StringIO()
    with progress.over_run(
        "measuring", quiet=False, console=Console(file=screen, force_terminal=True, width=100)
    ) as show:
        show("2 of 3, b.png", 2 / 3)
    assert all(words in screen.getvalue() for words in ("measuring", "2 of 3, b.png"))


def test_bars_over_files() -> None:
    screen = io.StringIO()
    with progress.over_files(2, quiet=False, console=Console(file=screen, force_terminal=True, width=100)) as bars:
        for name in ("c.png", "a[b].png"):
            bars.begin(name)
            bars.stage("analysis", 0.5)
            bars.end()
    assert all(words in screen.getvalue() for words in ("a[b].png", "analysis", "2 of 2"))


@pytest.mark.parametrize("quiet", [True, False])
def test_no_bars_where_nobody_looks(quiet: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.over_files(2, quiet=quiet) as bars:
        bars.begin("a.png")
        bars.stage("analysis", 0.5)
        bars.end()
    assert capsys.readouterr().err == ""


def test_export(lpcodec: Any, replace_module: Any, tmp_path: Path) -> None:
    calls: list[dict[str, Any]] = []
    made = tmp_path / "wcae.safetensors"
    made.with_suffix(".json").write_text('{"network": "wcae"}')

    def export(**given: Any) -> Path:
        calls.append(given)
        return made

    replace_module("lpcodec.codec.training.export", export=export)
    base = ("export", "run", "--name", "wcae@0.15", "--out", "weights")
    ran = lpcodec(*base)
    assert ran.stdout == f"{made}\n"
    assert ran.stderr == "LPCODEC_WEIGHTS=weights lpcodec encode photo.png --model wcae@0.15 codes with it\n"
    lpcodec(*base, "--data", "photos", "--order", "2", "--note", "CC0", "--overwrite")
    always = {"run": Path("run"), "name": "wcae@0.15", "out": Path("weights")}
    assert calls == [
        {**always, "data": None, "order": 0, "note": "", "overwrite": False},
        {**always, "data": Path("photos"), "order": 2, "note": "CC0", "overwrite": True},
    ]


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"network": "light", "scales": [2, 4]}, "upscale photo.png --model mine enlarges with it"),
        ({"network": "lpn", "scales": [4]}, "upscale photo.png --model mine --scale 4 enlarges with it"),
        ({"network": "wae"}, "show decompose photo.png --model mine splits with it"),
    ],
)
def test_export_says_how_weights_are_used(
    lpcodec: Any, replace_module: Any, tmp_path: Path, card: dict[str, object], words: str
) -> None:
    made = tmp_path / "mine.safetensors"
    made.with_suffix(".json").write_text(json.dumps(card))
    replace_module("lpcodec.codec.training.export", export=lambda **_: made)
    assert words in lpcodec("export", "run", "--name", "mine", "--out", "weights").stderr
