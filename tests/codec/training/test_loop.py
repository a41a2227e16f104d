"""Training, small: a run, its stop and its resumption, what it writes and what it refuses."""

import json
import math
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lpcodec.codec import models
from lpcodec.codec.errors import DivergedError, FileAccessError, UsageError
from lpcodec.codec.families.hyperprior.training import HyperpriorObjective
from lpcodec.codec.families.wcae.training import WcaeObjective
from lpcodec.codec.progress import Progress
from lpcodec.codec.training import log, loop
from lpcodec.codec.training.checkpoint import Checkpoint
from lpcodec.codec.training.export import export
from lpcodec.codec.training.loop import train
from lpcodec.codec.training.parallel import Workers
from tests.full_disk import files_of_at_most
from tests.training_runs import entries, run

pytestmark = pytest.mark.usefixtures("small")


def objective_for(plan: dict[str, Any]) -> Any:
    return models.family_of(models.network_named(plan["model"])).objective(plan, "cpu")


def stop_after(steps: int, number: signal.Signals = signal.SIGTERM) -> Progress:
    def progress(words: str, part: float) -> None:
        if words.startswith(f"step {steps} "):
            os.kill(os.getpid(), number)

    return progress


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_a_run_writes_its_log_its_state_and_its_curve(data: Path, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    out = run("default", data, tmp_path / "run", progress=lambda *call: told.append(call))
    assert out == tmp_path / "run"
    assert [words.partition(",")[0] for words, _ in told] == [f"step {step} of 10" for step in range(1, 11)]
    assert [part for _, part in told] == [step / 10 for step in range(1, 11)]
    assert ", 0:00:00 left, loss " in told[-1][0]
    log = entries(out)
    assert [e["step"] for e in log] == [5, 10, 10]
    assert {"loss", "gradient", "rate", "bpp", "z_bpp", "psnr"} <= log[0].keys()
    assert {"held_score", "held_bpp@10", "held_psnr@90"} <= log[-1].keys()
    assert all(math.isfinite(value) for e in log for value in e.values())
    with Image.open(out / "curve.png") as curve:
        assert curve.format == "PNG"
    assert sorted(p.name for p in out.iterdir()) == ["checkpoint.pt", "curve.png", "log.jsonl"]
    state = Checkpoint.load(out)
    assert (state.step, state.plan["model"], state.plan["patch"], state.plan["device"]) == (10, "default", 64, "cpu")
    assert state.plan["data"] == {"pictures": 5, "held_out": 1, "too_small": 0, "megapixels": 0.2}
    assert state.best == pytest.approx(log[-1]["held_score"], rel=1e-4)
    assert not same(state.weights, state.averaged)
    json.dumps(state.plan)


@pytest.mark.parametrize(("model", "steps", "rate"), [("default", 150, None), ("nowcae", 25, 1e-3)])
def test_the_loss_falls(model: str, steps: int, rate: float | None, data: Path, tmp_path: Path) -> None:
    first = entries(run(model, data, tmp_path / "short", steps=1))[-1]["held_score"]
    last = entries(run(model, data, tmp_path / "run", steps=steps, learning_rate=rate))[-1]["held_score"]
    assert last < 0.9 * first


def test_the_same_seed_gives_the_same_weights(data: Path, tmp_path: Path) -> None:
    states = [Checkpoint.load(run("nowcae", data, tmp_path / str(i), steps=3, seed=s)) for i, s in enumerate((4, 4, 5))]
    assert same(states[0].weights, states[1].weights)
    assert not same(states[0].weights, states[2].weights)


def test_the_rate_warms_up_and_falls(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    log = entries(run("nowcae", data, tmp_path / "run", steps=20, learning_rate=0.01))
    rates = [e["rate"] for e in log if "rate" in e]
    assert rates[0] == pytest.approx(0.01 / 3, rel=0.01)
    assert np.argmax(rates) == 2
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] < 0.0003


def test_progress_in_words() -> None:
    assert loop.progress_words(200, 5000, 750, {"loss": 0.53125}) == "step 200 of 5,000, 0:12:30 left, loss 0.5312"
    assert loop.progress_words(1, None, None, {}) == "step 1"


def test_a_signal_while_processes_agree_is_not_forgotten(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they agree on was said before the signal, and must not forget it."""
    calls = 0

    def agree(self: Workers, seconds: float, stopped: bool) -> tuple[float, bool]:
        nonlocal calls
        calls += 1
        if calls == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return seconds, stopped

    monkeypatch.setattr(Workers, "agree", agree)
    out = run("default", data, tmp_path / "run")
    assert Checkpoint.load(out).step == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_stopped_run_goes_on_where_it_was(number: signal.Signals, data: Path, tmp_path: Path) -> None:
    before = signal.getsignal(number)

    out = run("default", data, tmp_path / "run", seed=3, progress=stop_after(4, number))
    assert signal.getsignal(number) is before
    stopped = Checkpoint.load(out)
    assert stopped.step == 4
    assert (out / "curve.png").exists()
    train("default", data, out, resume=True)
    resumed = Checkpoint.load(out)
    assert resumed.step == 10
    assert resumed.plan == stopped.plan
    assert resumed.plan["seed"] == 3
    assert resumed.seconds > stopped.seconds
    assert resumed.best <= stopped.best
    assert [e["step"] for e in entries(out)] == [4, 5, 10, 10]
    assert not same(resumed.weights, stopped.weights)


def test_resuming_keeps_the_state_to_the_last_bit(data: Path, tmp_path: Path) -> None:
    out = run("nowcae", data, tmp_path / "run", progress=stop_after(4))
    stopped = Checkpoint.load(out)
    train("nowcae", data, out, resume=True, steps=4)  # nothing is left to do
    again = Checkpoint.load(out)
    assert (again.step, again.plan["steps"]) == (4, 4)
    assert same(again.weights, stopped.weights)
    assert same(again.averaged, stopped.averaged)
    assert torch.equal(again.generator, stopped.generator)
    for key, state in stopped.optimisers[0]["state"].items():
        assert same(again.optimisers[0]["state"][key], state)


def test_a_run_may_be_given_more(data: Path, tmp_path: Path) -> None:
    out = run("nowcae", data, tmp_path / "run", steps=2)
    train("nowcae", data, out, resume=True, steps=5)
    assert Checkpoint.load(out).step == 5
    train("nowcae", data, out, resume=True, time_limit=Checkpoint.load(out).seconds + 0.2)
    state = Checkpoint.load(out)
    assert state.step > 5, "the time takes the place of the steps"
    assert state.plan["steps"] is None


def test_a_time_limit_ends_a_run(data: Path, tmp_path: Path) -> None:
    state = Checkpoint.load(run("nowcae", data, tmp_path / "run", steps=None, time_limit=0.3))
    assert state.seconds >= 0.3
    assert state.step >= 1
    assert state.plan["steps"] is None


def test_a_generator_of_another_device_is_seeded_again(data: Path, tmp_path: Path) -> None:
    out = run("nowcae", data, tmp_path / "run", steps=2)
    state = Checkpoint.load(out)
    state.generator = torch.zeros(16, dtype=torch.uint8)  # what a CUDA generator's looks like
    state.save(out)
    train("nowcae", data, out, resume=True, steps=3)
    assert Checkpoint.load(out).step == 3


def test_checkpoints_take_no_random_numbers(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Checkpoint.load(run("default", data, tmp_path / "a", steps=4))
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    out = run("default", data, tmp_path / "b", steps=4)
    assert [e["step"] for e in entries(out) if "held_score" in e] == [1, 2, 3, 4, 4]
    assert same(Checkpoint.load(out).weights, plain.weights)


def test_a_step_without_a_finite_gradient_is_skipped(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = WcaeObjective.loss
    steps = iter(range(100))

    def broken(self: WcaeObjective, batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
        value, figures = loss(self, batch)
        return (value * math.nan if next(steps) == 1 else value), figures

    monkeypatch.setattr(WcaeObjective, "loss", broken)
    state = Checkpoint.load(run("nowcae", data, tmp_path / "run", steps=4))
    assert all(torch.isfinite(v).all() for v in state.weights.values())
    assert state.step == 4
    assert {float(s["step"]) for s in state.optimisers[0]["state"].values()} == {3.0}


def test_a_run_without_finite_gradients_ends_and_keeps_its_last_checkpoint(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = run("nowcae", data, tmp_path / "run", steps=5)
    loss = WcaeObjective.loss
    steps = iter(range(100))

    def broken(self: WcaeObjective, batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        value, figures = loss(self, batch)
        return (value * math.nan if next(steps) >= 2 else value), {**figures, "psnr": torch.tensor(math.nan)}

    monkeypatch.setattr(WcaeObjective, "loss", broken)
    with pytest.raises(DivergedError, match=r"diverged at step 16: the last 10 steps .* its last checkpoint is kept"):
        train("nowcae", data, out, resume=True, steps=50)
    assert Checkpoint.load(out).step == 5
    assert [e["step"] for e in entries(out)] == [5, 5, 10, 15]
    assert entries(out)[-1]["psnr"] is None
    assert "NaN" not in (out / "log.jsonl").read_text()
    with pytest.raises(DivergedError, match="it has no checkpoint yet"):
        run("nowcae", data, tmp_path / "other", steps=50)


def test_weights_that_are_not_finite_replace_no_checkpoint(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = run("nowcae", data, tmp_path / "run", steps=2)
    step = torch.optim.Adam.step

    def broken(self: torch.optim.Adam, *given: Any) -> None:
        step(self, *given)
        with torch.no_grad():
            self.param_groups[0]["params"][0].mul_(math.inf)

    monkeypatch.setattr(torch.optim.Adam, "step", broken)
    with pytest.raises(DivergedError, match="its weights aren't finite; its last checkpoint is kept"):
        train("nowcae", data, out, resume=True, steps=50, progress=stop_after(4))
    assert Checkpoint.load(out).step == 2


def test_a_log_without_checkpoint_and_lines_beyond_it_are_not_gone_on_with(data: Path, tmp_path: Path) -> None:
    killed = [{"step": n, "seconds": n, "loss": 9.0} for n in (5, 10, 15)]
    out = tmp_path / "run"
    out.mkdir()
    (out / "log.jsonl").write_text("".join(json.dumps(e) + "\n" for e in killed))
    run("nowcae", data, out, steps=10)
    assert [e["step"] for e in entries(out)] == [5, 10, 10]
    assert all(e.get("loss") != 9.0 for e in entries(out))
    with (out / "log.jsonl").open("a") as file:
        file.write(json.dumps(killed[2]) + "\n" + '{"step": 2')
    train("nowcae", data, out, resume=True, steps=15)
    assert [e["step"] for e in entries(out)] == [5, 10, 10, 15, 15]


def test_a_resumed_run_keeps_its_values_or_says_so(data: Path, tmp_path: Path) -> None:
    out = run("wcae", data, tmp_path / "run", steps=1, options={"lmbda": "0.01"})
    for given, words in (
        ({"batch": 3}, "started with batch 2, and continues so; for 3,"),
        ({"patch": 96}, "with patch 64"),
        ({"seed": 1}, "with seed 0"),
        ({"learning_rate": 1.0}, "with learning rate"),
        ({"options": {"lmbda": "0.02"}}, "with lmbda 0.01"),
        ({"options": {"channel_prior": "yes"}}, "without channel prior"),
    ):
        with pytest.raises(UsageError, match=words):
            train("wcae", data, out, resume=True, steps=3, **given)
    same = {"batch": 2, "patch": 64, "seed": 0, "options": {"lmbda": "0.01"}}
    train("wcae", data, out, resume=True, steps=2, **same)
    assert Checkpoint.load(out).step == 2


def test_what_is_left_out_is_said(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    shutil.copytree(data, folder)
    Image.new("RGB", (30, 300)).save(folder / "narrow.png")
    (folder / ".hidden.png").write_bytes(b"no picture")
    notes: list[str] = []
    out = run("nowcae", folder, tmp_path / "run", steps=1, note=notes.append)
    assert notes == ["1 pictures are left out: a side is shorter than the patches"]
    assert Checkpoint.load(out).plan["data"]["too_small"] == 1


def test_a_run_on_a_full_disk_is_one_line_and_keeps_its_checkpoint(data: Path, tmp_path: Path) -> None:
    out = run("nowcae", data, tmp_path / "run", steps=1)
    with files_of_at_most(20_000), pytest.raises(FileAccessError, match=r"checkpoint\.pt: File too large"):
        train("nowcae", data, out, resume=True, steps=2)
    assert Checkpoint.load(out).step == 1
    assert not [path.name for path in out.iterdir() if path.name.startswith(".")]
    with files_of_at_most(10_000), pytest.raises(FileAccessError, match=r"nowcae\.safetensors: File too large"):
        export(out, "nowcae", tmp_path / "weights")
    assert list((tmp_path / "weights").iterdir()) == []


def test_the_averaged_weights_follow(data: Path, tmp_path: Path) -> None:
    first = Checkpoint.load(run("nowcae", data, tmp_path / "one", steps=1))
    torch.manual_seed(0)
    start = objective_for(first.plan).network.state_dict()
    decay = 2 / 11
    for name, value in first.averaged.items():
        assert torch.allclose(value, decay * start[name] + (1 - decay) * first.weights[name], atol=1e-6), name


def test_a_checkpoint_is_replaced_whole(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = run("nowcae", data, tmp_path / "run", steps=1)
    state = Checkpoint.load(out)
    state.step = 99

    def fail(*given: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        state.save(out)
    assert Checkpoint.load(out).step == 1


def test_usage_errors(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not both"):
        run("default", data, tmp_path / "x", steps=5, time_limit=5.0)
    with pytest.raises(UsageError, match=r"no checkpoint\.pt to resume from"):
        run("default", data, tmp_path / "x", resume=True)
    with pytest.raises(UsageError, match="no model named 'jpeg'"):
        run("jpeg", data, tmp_path / "x")
    with pytest.raises(UsageError, match="default has no training option 'lmbda'"):
        run("default", data, tmp_path / "x", options={"lmbda": "0.01"})
    with pytest.raises(UsageError, match="wcae has no training option 'depth': it has lmbda, channel_prior"):
        run("wcae", data, tmp_path / "x", options={"depth": "3"})
    for name, text in (("lmbda", "much"), ("channel_prior", "1")):
        with pytest.raises(UsageError, match=f"training option {name} of wcae: '{text}'"):
            run("wcae", data, tmp_path / "x", options={name: text})
    assert not (tmp_path / "x").exists()
    out = run("nowcae", data, tmp_path / "run", steps=1)
    with pytest.raises(UsageError, match="already holds a run: resume it"):
        run("nowcae", data, out)
    with pytest.raises(UsageError, match="holds a run of nowcae, not of wcae"):
        run("wcae", data, out, resume=True)


def test_folders_without_usable_pictures(data: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileAccessError, match=r"training pictures: .*empty: fewer than two .* of at least 64 pixels"):
        run("default", empty, tmp_path / "run")
    with pytest.raises(FileAccessError, match=r"training pictures: .*missing: no such file or folder"):
        run("default", tmp_path / "missing", tmp_path / "run")
    with pytest.raises(FileAccessError, match=r"at least 208 pixels a side \(6 are smaller\)"):
        run("default", data, tmp_path / "run", patch=208)
    for name in ("broken.jpg", "cut.png"):
        (empty / name).write_bytes(b"no picture")
    with pytest.raises(FileAccessError, match=r"2 files can't be read: broken\.jpg: not .*; cut\.png: not a whole"):
        run("default", empty, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_models_choose_their_own_patch_and_rate() -> None:
    plan: dict[str, Any] = {"model": "wcae"}
    wcae = objective_for(plan)
    assert isinstance(wcae, WcaeObjective)
    assert (wcae.lmbda, wcae.patch, wcae.learning_rate) == (0.0025, 256, 1e-4)
    default = objective_for({"model": "default"})
    assert isinstance(default, HyperpriorObjective)
    assert (default.patch, default.learning_rate) == (192, 6e-4)
    groups = list(default.parameter_groups())
    counted = [id(p) for group in groups for p in group["params"]]  # type: ignore[attr-defined]
    assert sorted(counted) == sorted(id(p) for p in default.network.parameters())
    assert [(group["lr_scale"], group["muon"]) for group in groups] == [(1.0, True), (1.0, False), (0.2, False)]


def test_a_run_leaves_no_threads(data: Path, tmp_path: Path) -> None:
    before = set(threading.enumerate())  # those of other tests may end meanwhile
    run("nowcae", data, tmp_path / "run", steps=1)
    assert set(threading.enumerate()) <= before


def test_tensorboard_is_used_where_it_is_installed(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    class Board:
        def add_scalar(self, *given: Any) -> None:
            calls.append(given)

        def close(self) -> None:
            calls.append(("closed",))

    monkeypatch.setattr(log, "_board", lambda folder, step: Board())
    run("nowcae", data, tmp_path / "run", steps=5)
    assert calls[-1] == ("closed",)
    assert {name for name, *_ in calls} >= {"loss", "held_score"}
    assert all(step == 5 for _, _, step in calls[:-1])
