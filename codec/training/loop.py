"""The training loop, for every model of the package, on a CPU or a GPU.

```
pictures --patches--> batch --objective--> loss --Muon or Adam, clip, EMA--> weights        log.jsonl, TensorBoard
                                            every few minutes: validation, checkpoint.pt; at the end: curve.png
```

One schedule for the steps or the time that is given: a short warm-up, then the objective's fall. A run stops cleanly
on SIGINT, SIGTERM, SIGHUP or SIGQUIT. It goes on with `resume=True`, on another machine or device too. Started by
torchrun, several processes train together (parallel.py). Needs torch, numpy and Pillow; TensorBoard and matplotlib are
used if they are installed.
"""

import contextlib
import copy
import ctypes
import json
import math
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from lpcodec.codec import models
from lpcodec.codec.errors import FileAccessError, UsageError
from lpcodec.codec.families.family import Objective
from lpcodec.codec.training.checkpoint import NAME, Checkpoint
from lpcodec.codec.training.muon import Muon
from lpcodec.codec.training.parallel import Workers
from lpcodec.codec.training.source import origin, read_source
from lpcodec.datasets.guard import EvaluationPictureError
from lpcodec.datasets.patches import NoPicturesError

Progress = Callable[[int, int | None, float | None, dict[str, float]], None]
"""(step, steps if known, seconds left if known, latest figures)."""

WARM_UP_STEPS = 300
CLIP = 1.0
EMA_DECAY = 0.999
LOG_EVERY = 50
CHECKPOINT_SECONDS = 240.0
SEEDS_APART = 1_000_003
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
STOPPING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
SMOOTHED = 24
"""The curve's running mean goes over so many logged batches."""


def train(
    model: str,
    data: Path,
    out: Path,
    *,
    steps: int | None = None,
    time_limit: float | None = None,
    resume: bool = False,
    device: str = "cpu",
    batch: int | None = None,
    patch: int | None = None,
    seed: int = 0,
    options: Mapping[str, str] | None = None,
    learning_rate: float | None = None,
    source: str | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Train `model` on the pictures below `data`; write log, checkpoints and the curve to `out`; return `out`.

    Give `steps` or `time_limit` (seconds, the earlier parts of a resumed run counted in), or neither for the model's
    default of 20,000 steps. A resumed run keeps the plan it was started with, but may be given more steps or time.
    `source` starts a new run from the weights of another (its folder) or from installed ones (a model's name).
    `options` are the family's own, by name (`models.family_of(...).options`), their values as text.

    Raises:
        UsageError: an unknown model, both limits, nothing to resume, a run of another model, a folder that already
            holds a run, weights to start from that don't fit, or a picture of an evaluation set in `data`.
        FileAccessError: `data` has no usable pictures.
    """
    if steps is not None and time_limit is not None:
        raise UsageError("give a number of steps or a time limit, not both")
    if threads:
        torch.set_num_threads(threads)
    _keep_freed_memory()
    plan: dict[str, Any] = {
        "model": model, "steps": steps, "time_limit": time_limit, "batch": batch, "patch": patch, "seed": seed,
        "learning_rate": learning_rate, "from": source, **_options(model, options or {}),
    }  # fmt: skip
    found = _find_run(out, resume, device)
    if found is not None:
        if found.plan["model"] != model:
            raise UsageError(f"{out} holds a run of {found.plan['model']}, not of {model}")
        new_end = {"steps": steps, "time_limit": time_limit} if steps is not None or time_limit is not None else {}
        plan = {**found.plan, **new_end}
    elif source is not None:
        plan["origin"] = origin(source)
    workers = Workers(device)
    device = workers.device
    plan |= {"device": device, "processes": workers.count}
    if plan["steps"] is None and plan["time_limit"] is None:
        plan["steps"] = 20_000
    torch.manual_seed(plan["seed"])
    objective = models.family_of(models.network_named(model)).objective(plan, device)
    plan["patch"] = plan["patch"] or objective.patch
    plan["batch"] = plan["batch"] or objective.batch
    plan["learning_rate"] = plan["learning_rate"] or objective.learning_rate
    try:
        plan["data"] = objective.open(data, plan["patch"], device)
    except EvaluationPictureError as error:
        raise UsageError(f"training pictures: {error}") from error
    except (NoPicturesError, OSError) as error:
        raise FileAccessError(f"training pictures: {error}") from error
    out.mkdir(parents=True, exist_ok=True)
    return _Run(objective, plan, out, workers, found).go(progress if workers.first else None)


def _options(model: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The values of a family's own options.

    Raises:
        UsageError: the family has no such option, or the text isn't a value of it.
    """
    known = models.family_of(models.network_named(model)).options
    values = {}
    for name, text in given.items():
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise UsageError(f"{model} has no training option {name!r}: {has}")
        try:
            values[name] = known[name].parse(text)
        except ValueError as error:
            raise UsageError(f"training option {name} of {model}: {text!r}: {error}") from error
    return values


def _keep_freed_memory() -> None:
    """Have the C library keep the memory of freed tensors, which saves a tenth of a step on Linux: by default it gives
    large blocks back to the system, and every new tensor then costs page faults. Other systems are left alone."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        library.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def _stopping_signals() -> list[signal.Signals]:
    """The signals that ask for an end; one that is ignored (SIGHUP under nohup) stays ignored."""
    known = [signal.Signals[name] for name in STOPPING if hasattr(signal, name)]
    return [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]


def _find_run(out: Path, resume: bool, device: str) -> Checkpoint | None:
    exists = (out / NAME).exists()
    if resume and not exists:
        raise UsageError(f"{out}: no {NAME} to resume from")
    if exists and not resume:
        raise UsageError(f"{out} already holds a run: resume it, or choose another folder")
    return Checkpoint.load(out, device) if resume else None


class _Run:
    """The state of a run while it runs."""

    def __init__(
        self, objective: Objective[Any], plan: dict[str, Any], out: Path, workers: Workers, found: Checkpoint | None
    ) -> None:
        self.objective, self.plan, self.out, self.workers = objective, plan, out, workers
        device, seed = workers.device, plan["seed"]
        self.generator = torch.Generator(device=device).manual_seed(seed)
        network = objective.network.to(device)
        if found is None:
            source = plan.get("from")
            objective.start(self.generator, None if source is None else read_source(source))
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimisers = _optimisers(objective, plan["learning_rate"])
        self.step, self.seconds, self.best, self.stopped = 0, 0.0, math.inf, False
        if found is not None:
            network.load_state_dict(found.weights)
            for optimiser, state in zip(self.optimisers, found.optimisers, strict=True):
                optimiser.load_state_dict(state)
            if found.generator.numel() == self.generator.get_state().numel():
                self.generator.set_state(found.generator.cpu())
            else:  # the state of another device's generator
                self.generator.manual_seed(seed + found.step)
            self.step, self.seconds, self.best = found.step, found.seconds, found.best
            torch.manual_seed(seed + found.step)
        workers.share(network)
        self.averaged = copy.deepcopy(network)
        if found is not None:
            self.averaged.load_state_dict(found.averaged)
        if not workers.first:  # patches and noise of its own
            own = seed + self.step + SEEDS_APART * workers.rank
            self.generator.manual_seed(own)
            torch.manual_seed(own)
        self.board = _board(out) if workers.first else None

    def go(self, progress: Progress | None) -> Path:
        before = {number: signal.signal(number, self._stop) for number in _stopping_signals()}
        try:
            self._train(progress)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self.workers.first:
            self._checkpoint()
            draw_curve(self.out)
        if self.board is not None:
            self.board.close()
        self.workers.end()
        return self.out

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True

    def _part(self) -> float:
        """How much of the plan is done, 0..1."""
        steps, limit = self.plan["steps"], self.plan["time_limit"]
        return max(self.step / steps if steps else 0.0, self.seconds / limit if limit else 0.0)

    def _train(self, progress: Progress | None) -> None:
        figures: dict[str, float] = {}
        clock = saved = time.monotonic()
        logged = self.seconds
        while not self.stopped and self._part() < 1:
            values = self._take_step()
            now = time.monotonic()
            self.seconds, self.stopped = self.workers.agree(self.seconds + now - clock, self.stopped)
            clock = now
            if self.step % LOG_EVERY == 0 and self.workers.first:
                speed = LOG_EVERY * self.plan["batch"] * self.workers.count / max(self.seconds - logged, 1e-9)
                figures = {**{name: float(value) for name, value in values.items()}, "patches_per_second": speed}
                self._log({"step": self.step, "seconds": round(self.seconds, 1), **figures})
                logged = self.seconds
            if progress:
                part = self._part()
                progress(self.step, self.plan["steps"], self.seconds * (1 - part) / part if part else None, figures)
            if now - saved > CHECKPOINT_SECONDS and self.workers.first:
                self._checkpoint()
                saved = time.monotonic()

    def _take_step(self) -> dict[str, Tensor]:
        warm = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        rate = self.plan["learning_rate"] * warm * self.objective.rate_at(min(1.0, self._part()))
        for group in (g for optimiser in self.optimisers for g in optimiser.param_groups):
            group["lr"] = rate * group["lr_scale"]
        batch = self.objective.sample(self.plan["batch"], self.generator)
        self.objective.network.zero_grad(set_to_none=True)
        loss, figures = self.objective.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self.workers.average(self.objective.network.parameters())
        norm = nn.utils.clip_grad_norm_(self.objective.network.parameters(), CLIP)
        if math.isfinite(float(norm)):
            for optimiser in self.optimisers:
                optimiser.step()
        self.step += 1
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.objective.network.parameters()), 1 - decay)
        return {"loss": loss.detach(), "gradient": norm, "rate": torch.tensor(rate), **figures}

    def _checkpoint(self) -> None:
        # The same noise every time, and none taken from the training's, on a GPU neither.
        device = torch.device(self.workers.device)
        with torch.random.fork_rng([] if device.type == "cpu" else [device], device_type=device.type):
            torch.manual_seed(1)
            held = self.objective.validate(self.averaged)
        self.best = min(self.best, held["score"])
        self._log({"step": self.step, "seconds": round(self.seconds, 1), **{f"held_{k}": v for k, v in held.items()}})
        Checkpoint(
            self.plan, self.step, self.seconds, self.objective.network.state_dict(), self.averaged.state_dict(),
            [optimiser.state_dict() for optimiser in self.optimisers], self.generator.get_state(), self.best,
        ).save(self.out)  # fmt: skip

    def _log(self, entry: dict[str, float]) -> None:
        with (self.out / "log.jsonl").open("a") as file:
            file.write(json.dumps({k: round(v, 6) for k, v in entry.items()}) + "\n")
        if self.board is not None:
            for name, value in entry.items():
                if name not in ("step", "seconds"):
                    self.board.add_scalar(name, value, entry["step"])


def _optimisers(objective: Objective[Any], rate: float) -> list[torch.optim.Optimizer]:
    """Muon and Adam, each with its groups of parameters; those that have none left out."""
    groups = list(objective.parameter_groups())
    found: list[torch.optim.Optimizer] = []
    if muon := [g for g in groups if g["muon"]]:
        found.append(Muon(muon, rate))
    if adam := [g for g in groups if not g["muon"]]:
        found.append(torch.optim.Adam(adam, rate, fused=True))
    return found


def _board(out: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(out / "tensorboard")  # type: ignore[no-untyped-call, unused-ignore]


def draw_curve(out: Path) -> None:
    """Draw `curve.png` from `log.jsonl`, where matplotlib is installed: the loss of single batches with their running
    mean, and below, on an axis of its own, the held-out score."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    entries = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    figure = Figure(figsize=(7, 5.5), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True)
    steps, losses = ([e[key] for e in entries if "loss" in e] for key in ("step", "loss"))
    running = [sum(losses[max(0, i - SMOOTHED) : i + 1]) / min(i + 1, SMOOTHED + 1) for i in range(len(losses))]
    held = [(e["step"], e["held_score"]) for e in entries if "held_score" in e]
    axes.plot(steps, losses, color="C0", linewidth=0.5, alpha=0.35, label="training, single batches")
    settled = min(SMOOTHED, len(running) // 2)  # a mean of a few batches says nothing
    axes.plot(steps[settled:], running[settled:], color="C0", linewidth=1.6, label="training, running mean")
    below.plot(*zip(*held, strict=True), color="C1", linewidth=2, label="held out")
    axes.set(ylabel="loss", title=out.name)
    below.set(xlabel="step", ylabel="loss")
    for part in (axes, below):
        part.grid(alpha=0.3)
        part.legend()
    figure.savefig(out / "curve.png", dpi=120)
