"""Whole runs: resumed after a kill, the same from one worker and two, and costing nothing where something fails."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec.errors import FileAccessError, UsageError
from lpcodec.codec.evaluation.codecs.command import Command, parse
from lpcodec.codec.evaluation.metrics.point import Point
from lpcodec.codec.evaluation.run import results, runner
from lpcodec.codec.evaluation.run.machine import cores_at_work
from lpcodec.codec.evaluation.run.measure import ENOUGH_SECONDS
from lpcodec.codec.evaluation.run.runner import CACHE_NAME, Request
from lpcodec.codec.evaluation.run.time_left import Clock

SAVE = "import sys; from PIL import Image; Image.open(sys.argv[1]).save(sys.argv[2], 'JPEG', quality=int(sys.argv[3]))"


def command(name: str, before: str = "pass", settings: str = "20,50,80") -> Command:
    """A real codec of one command; `before` is what it does first, `q` being its setting."""
    program = f"import os, sys, time; q = int(sys.argv[3]); {before}; {SAVE}"
    return parse(f'{name}[{settings}]={sys.executable} -c "{program}" {{in}} {{out}} {{q}}')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "waves"
    data.mkdir()
    y, x = np.mgrid[:48, :64]
    for i, name in enumerate(("b", "a")):
        grain = np.random.default_rng(i).normal(0, 8, (48, 64, 3))
        waves = 128 + 60 * np.sin(x / 7 + i)[..., None] * np.cos(y / 9)[..., None] + grain
        Image.fromarray(np.clip(waves, 0, 255).astype(np.uint8)).save(data / f"{name}.png")
    return data


@pytest.fixture
def request_for(folder: Path, tmp_path: Path) -> Callable[..., Request]:
    def make(codecs: Sequence[str] = ("jpeg",), **changes: object) -> Request:
        made = Request(folder, tmp_path / "out", tuple(codecs), targets=(1.5,), memory=False)
        return replace(made, **changes)  # type: ignore[arg-type]

    return make


def untimed(points: Sequence[Point]) -> list[Point]:
    return [replace(p, encode_seconds=0.0, decode_seconds=0.0) for p in points]


def test_a_run_measures_every_codec_on_every_picture(request_for: Callable[..., Request]) -> None:
    told: list[tuple[str, float]] = []
    request = request_for(("jpeg", "webp"), extra_metrics=("psnr-y",), settings={"webp": (5.0, 60.0)}, memory=True)
    found = runner.run(request, lambda *words: told.append(words))
    assert [c.name for c in found.codecs] == ["jpeg", "webp"]
    assert [(p.setting, p.image) for p in found.of("webp")] == [(5, "a"), (5, "b"), (60, "a"), (60, "b")]
    assert len(found.of("jpeg")) == 2 * 11
    assert [(p.codec, p.image, p.target_bpp, p.above) for p in found.target_points] == [
        (codec, image, 1.5, above) for codec in ("jpeg", "webp") for image in ("a", "b") for above in (False, True)
    ]
    assert all((p.bpp > 1.5) == p.above for p in found.target_points)
    assert all(set(p.others) == {"psnr-y"} for p in (*found.points, *found.target_points))
    assert (found.pictures.name, found.pictures.label) == ("waves", "waves, 2 pictures")
    assert {p.name: (p.width, p.height) for p in found.pictures.pictures} == {"a": (64, 48), "b": (64, 48)}
    assert found.failures == ()
    assert told[0] == ("0 of 30, starting", 0)
    words, part = [call for call in told if not call[0].startswith("memory")][-1]
    assert words.startswith("30 of 30, 0:00:00 left, ")
    assert part == 1
    if sys.platform == "linux":
        assert all((c.encode_memory_mb or 0) >= 0 for c in found.codecs)
        assert all(c.decode_memory_mb is not None for c in found.codecs)

    before = (request.out / CACHE_NAME).read_text()
    told.clear()
    again = runner.run(request, lambda *words: told.append(words))
    assert told == []  # everything was there
    assert (again.points, again.target_points, again.codecs) == (found.points, found.target_points, found.codecs)
    assert (request.out / CACHE_NAME).read_text() == before

    path = request.out / "results.json"
    results.save(found, path, {})
    assert results.load(path).points == found.points


def test_two_workers_measure_what_one_does(request_for: Callable[..., Request], tmp_path: Path) -> None:
    one = runner.run(request_for(("jpeg", "avif"), settings={"avif": (30.0, 60.0)}))
    two = runner.run(request_for(("jpeg", "avif"), settings={"avif": (30.0, 60.0)}, workers=2, out=tmp_path / "two"))
    assert untimed(two.points) == untimed(one.points)
    assert untimed(two.target_points) == untimed(one.target_points)
    assert two.machine.contended
    assert two.machine.workers == 2


def test_failures_are_reported_and_cost_nothing_else(request_for: Callable[..., Request], folder: Path) -> None:
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (folder / "empty.png").write_bytes(b"")
    fails = command("fails", "sys.exit('out of luck') if q == 50 else None")
    kills = command("kills", "os.kill(os.getppid(), 9) if q == 50 else None")
    request = request_for(("fails", "kills", "jpeg"), commands=(fails, kills), targets=(), settings={"jpeg": (50.0,)})
    found = runner.run(request)
    assert [p.setting for p in found.of("fails")] == [p.setting for p in found.of("kills")] == [20, 20, 80, 80]
    assert len(found.of("jpeg")) == 2
    broken = [f for f in found.failures if not f.codec]
    assert [f.picture for f in broken] == ["broken", "empty"]
    assert all("can't be read" in f.error and "\n" not in f.error for f in broken)
    assert sorted((f.codec, f.setting, f.picture) for f in found.failures if f.codec) == [
        (codec, 50, picture) for codec in ("fails", "kills") for picture in ("a", "b")
    ]
    errors = {f.codec: f.error for f in found.failures}
    assert "ended with 1: out of luck" in errors["fails"]
    assert "the process died" in errors["kills"]
    assert [p.name for p in found.pictures.pictures] == ["a", "b"]


def test_what_a_cache_has_is_decided_by_all_that_matters(request_for: Callable[..., Request], tmp_path: Path) -> None:
    log = tmp_path / "log"

    def measured(name: str, mark: str = "x", **changes: object) -> int:
        slowly = f"open({str(log)!r}, 'a').write('{mark}'); time.sleep({ENOUGH_SECONDS})"  # so that it runs once
        made = command(name, slowly, "50,80")
        log.write_text("")
        runner.run(request_for((name,), commands=(made,), targets=(), **changes))
        return len(log.read_text())

    assert measured("mine") == 4
    assert measured("mine") == 0
    assert measured("other") == 4
    assert measured("mine", mark="y") == 4  # other options
    assert measured("mine", extra_metrics=("psnr-y",)) == 4
    assert measured("mine", settings={"mine": (50.0, 60.0)}, extra_metrics=("psnr-y",)) == 2


def test_a_run_that_was_killed_goes_on_where_it_was(request_for: Callable[..., Request], tmp_path: Path) -> None:
    log = tmp_path / "log"
    slow = command("slow", f"open({str(log)!r}, 'a').write(f'{{q}} '); time.sleep(0.2)", "20,35,50,65,80")
    request = request_for(("slow",), commands=(slow,), targets=())
    program = (
        "import sys, pickle; from lpcodec.codec.evaluation.run import runner\n"
        "if __name__ == '__main__': runner.run(pickle.loads(bytes.fromhex(sys.argv[1])))"
    )
    script = tmp_path / "script.py"
    script.write_text(program)
    cache = request.out / CACHE_NAME
    words = [sys.executable, str(script), pickle.dumps(request).hex()]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not (cache.exists() and len(cache.read_text().splitlines()) >= 3):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
        process.communicate(timeout=60)  # its worker has the pipe too, and ends when it notices that it is alone
    kept = [json.loads(line)["key"] for line in cache.read_text().splitlines() if line.endswith("}")]
    log.write_text("")
    found = runner.run(request)
    assert len(found.of("slow")) == 10
    assert len(log.read_text().split()) == 10 - len(kept)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_quickly_and_keeps_what_was_done(request_for: Callable[..., Request]) -> None:
    endless = command("endless", "time.sleep(600) if q == 80 else None", "20,80")
    request = request_for(("endless",), commands=(endless,), targets=())
    parent = os.getpid()

    def interrupt(words: str, part: float) -> None:
        if words.startswith("1 of "):
            os.kill(parent, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    start = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            runner.run(request, interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - start < 300
    assert len((request.out / CACHE_NAME).read_text().splitlines()) == 1


def test_a_renamed_picture_is_known_again(request_for: Callable[..., Request], folder: Path) -> None:
    request = request_for(settings={"jpeg": (50.0,)}, targets=())
    first = runner.run(request)
    (folder / "a.png").rename(folder / "c.png")
    second = runner.run(request)
    assert [p.image for p in second.points] == ["b", "c"]
    assert second.points[1] == replace(first.points[0], image="c")


def test_requests_that_cannot_be_are_refused_before_anything(
    request_for: Callable[..., Request], tmp_path: Path
) -> None:
    for changes, why in (
        ({"codecs": ("gif",)}, "no codec named 'gif'"),
        ({"codecs": ()}, "no codecs"),
        ({"codecs": ("jpeg", "jpeg")}, "given twice"),
        ({"extra_metrics": ("vmaf",)}, "no metric named"),
        ({"targets": (0.0,)}, "between 0 and 64"),
        ({"workers": 2, "threads": 2}, "not for both"),
    ):
        with pytest.raises(UsageError, match=why):
            runner.run(request_for(**changes))
    (tmp_path / "void").mkdir()
    for changes in ({"folder": tmp_path / "void"}, {"published": str(tmp_path / "no.json")}):
        with pytest.raises(FileAccessError):
            runner.run(request_for(**changes))
    assert not (tmp_path / "out").exists()


def test_pictures_can_be_limited_or_chosen(request_for: Callable[..., Request]) -> None:
    small = {"settings": {"jpeg": (50.0,)}, "targets": ()}
    assert [p.image for p in runner.run(request_for(limit=1, **small)).points] == ["a"]
    assert [p.image for p in runner.run(request_for(only=frozenset({"b"}), **small)).points] == ["b"]
    assert list(runner.originals(request_for(limit=1))) == ["a"]
    assert runner.originals(request_for())["b"].pixels.shape == (48, 64, 3)


def test_pictures_that_are_too_small_for_a_metric_are_noted(request_for: Callable[..., Request], folder: Path) -> None:
    assert not runner.run(request_for(extra_metrics=("ssim",))).notes
    with Image.open(folder / "a.png") as picture:
        picture.crop((0, 0, 10, 40)).save(folder / "small.png")
    found = runner.run(request_for(extra_metrics=("ssim", "psnr-y")))
    assert found.notes == ("SSIM needs sides of 11 pixels or more; small is smaller, so no mean has it.",)
    assert {p.image for p in found.points if "ssim" not in p.others} == {"small"}
    assert all("psnr-y" in p.others for p in found.points)


def test_the_time_left_follows_each_codecs_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    told: list[str] = []
    clock = Clock([("fast", 3), ("slow", 3)], 1, lambda words, part: told.append(words))
    for codec, seconds in (("fast", 1.0), ("slow", 10.0), ("fast", 1.0)):
        now[0] += seconds
        clock.tick(codec, codec)
    assert told == [
        "0 of 6, starting", "1 of 6, 0:00:05 left, fast", "2 of 6, 0:00:22 left, slow", "3 of 6, 0:00:21 left, fast",
    ]  # fmt: skip


def test_other_work_on_the_machine_is_noticed() -> None:
    spinning = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    try:
        assert spinning.stdout is not None
        spinning.stdout.readline()
        assert runner.BUSY < cores_at_work() <= (os.cpu_count() or 1)
    finally:
        spinning.kill()
        spinning.communicate()
