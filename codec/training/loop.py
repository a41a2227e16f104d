"""The training loop, for every model of the package, on a CPU or a GPU.

```
pictures --patches--> batch --objective--> loss --Muon or Adam, clip, EMA--> weights        log.jsonl, TensorBoard
                                            every few minutes: validation, checkpoint.pt; at the end: curve.png
```

One schedule for the steps or the time that is given: a short warm-up, then the objective's fall. A run stops cleanly
on SIGINT, SIGTERM, SIGHUP or SIGQUIT. It goes on with `resume=True`, on another machine or device too. Started by
torchrun, several processes train together (parallel.py). TensorBoard and matplotlib are used if they are installed.
"""

import contextlib
import copy
import ctypes
import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from lpcodec.codec import models
from lpcodec.codec.errors import DivergedError, FileAccessError, UsageError
from lpcodec.codec.families.family import Objective
from lpcodec.codec.progress import Progress, clock
from lpcodec.codec.training.checkpoint import NAME, Checkpoint
from lpcodec.codec.training.log import RunLog, draw_curve
from lpcodec.codec.training.muon import Muon
from lpcodec.codec.training.parallel import Workers
from lpcodec.codec.training.source import origin, read_source
from lpcodec.datasets.guard import EvaluationPictureError
from lpcodec.datasets.patches import NoPicturesError

WARM_UP_STEPS = 300
CLIP = 1.0
"""The largest norm of a step's gradient."""
EMA_DECAY = 0.999
LOG_EVERY = 50
CHECKPOINT_SECONDS = 240.0
DEFAULT_STEPS = 20_000
SEEDS_APART = 1_000_003
"""Between the seeds of processes that train together."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""
STOPPING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
NOT_FINITE = 10
"""A run ends when this many steps in a row had no finite gradient; each such step changes no weight."""


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
    seed: int | None = None,
    options: Mapping[str, str] | None = None,
    learning_rate: float | None = None,
    source: str | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Path:
    """Train `model` on the pictures below `data`; write log, checkpoints and the curve to `out`; return `out`.

    Give `steps` or `time_limit` (seconds, the earlier parts of a resumed run counted in), or neither for 20,000 steps.
    A resumed run keeps the plan it was started with, but may be given more steps or time.
    What is left out of `batch`, `patch` and `learning_rate` is the model's choice; `seed` is 0.
    `source` starts a new run from the weights of another (its folder) or from installed ones (a model's name).
    `options` are the family's own, by name (`models.family_of(...).options`), their values as text.

    `note` is given what is worth saying at the start, a line at a time.

    Raises:
        UsageError: an unknown model, both limits, nothing to resume, a run of another model or with other values, a
            folder that already holds a run, weights to start from that don't fit, or a picture of an evaluation set
            in `data`.
        FileAccessError: `data` has no usable pictures, or the run can't be written.
        DamagedFileError: the checkpoint of the run, or of `source`, isn't whole.
        DivergedError: the loss or the weights are no longer finite; the last checkpoint is kept.
    """
    if steps is not None and time_limit is not None:
        raise UsageError("give a number of steps or a time limit, not both")
    if threads:
        torch.set_num_threads(threads)
    keep_freed_memory()
    chosen = {"batch": batch, "patch": patch, "seed": seed, "learning_rate": learning_rate}
    options = _options(model, options or {})
    found = _find_run(out, resume, device)
    if found is None:
        plan = {
            "model": model, "steps": steps, "time_limit": time_limit, "from": source,
            **chosen, "seed": seed or 0, **options,
        }  # fmt: skip
        if source is not None:
            plan["origin"] = origin(source)
    else:
        _check_resumed(found, out, model, {**chosen, "from": source}, options)
        new_end = {"steps": steps, "time_limit": time_limit} if steps is not None or time_limit is not None else {}
        plan = {**found.plan, **new_end}
    workers = Workers(device)
    device = workers.device
    plan |= {"device": device, "processes": workers.count}
    if plan["steps"] is None and plan["time_limit"] is None:
        plan["steps"] = DEFAULT_STEPS
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
    if note and workers.first and plan["data"].get("too_small"):
        note(f"{plan['data']['too_small']} pictures are left out: a side is shorter than the patches")
    _make_folder(out)
    return _Run(objective, plan, out, workers, found).go(progress if workers.first else None)


def _check_resumed(
    found: Checkpoint, out: Path, model: str, chosen: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    """A resumed run keeps what it was started with; asking for something else is an error.

    Raises:
        UsageError: another model, or a value in `chosen` (None: not asked for) or `options` that the run doesn't have.
    """
    if found.plan["model"] != model:
        raise UsageError(f"{out} holds a run of {found.plan['model']}, not of {model}")
    asked = {name: value for name, value in chosen.items() if value is not None} | dict(options)
    for name, value in asked.items():
        had = found.plan.get(name)
        if value != had:
            words = f"with {name.replace('_', ' ')} {had}" if had is not None else f"without {name.replace('_', ' ')}"
            raise UsageError(
                f"{out}: the run was started {words}, and continues so; for {value}, start a new run from its weights"
            )


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


def keep_freed_memory() -> None:
    """Have the C library keep the memory of freed tensors, which saves a tenth of a step on Linux: by default it gives
    large blocks back to the system, and every new tensor then costs page faults. Large tensors are on huge pages if
    torch has not allocated memory yet, which saves another 4 %. Other systems are left alone."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        library.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileAccessError(f"{out}: {error.strerror or error}") from error


def progress_words(step: int, steps: int | None, seconds_left: float | None, figures: Mapping[str, float]) -> str:
    """`step 200 of 5,000, 0:12:30 left, loss 0.5312, bpp 0.31`."""
    words = [f"step {step:,}" + (f" of {steps:,}" if steps else "")]
    if seconds_left is not None:
        words.append(f"{clock(seconds_left)} left")
    return ", ".join([*words, *(f"{name} {value:.4g}" for name, value in figures.items())])


def _stopping_signals() -> list[signal.Signals]:
    """The signals that ask for an end; one that is ignored (SIGHUP under nohup) stays ignored."""
    known = [signal.Signals[name] for name in STOPPING if hasattr(signal, name)]
    return [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]


def _find_run(out: Path, resume: bool, device: str) -> Checkpoint | None:
    """The run in `out` that is resumed; None for a new run.

    Raises:
        UsageError: there is none to resume, or there is one and it isn't to be resumed.
    """
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
        self.optimisers = optimisers_of(objective, plan["learning_rate"])
        self.step, self.seconds, self.best, self.stopped = 0, 0.0, math.inf, False
        if found is not None:
            found.fill(network, found.weights, out)
            found.fill_optimisers(self.optimisers, out)
            if found.generator.numel() == self.generator.get_state().numel():
                self.generator.set_state(found.generator.cpu())
            else:  # the state of another device's generator
                self.generator.manual_seed(seed + found.step)
            self.step, self.seconds, self.best = found.step, found.seconds, found.best
            torch.manual_seed(seed + found.step)
        self.loss = workers.loss(objective)
        self.averaged = copy.deepcopy(network)
        if found is not None:
            found.fill(self.averaged, found.averaged, out)
        if not workers.first:  # other patches and noise than the first process
            own_seed = seed + self.step + SEEDS_APART * workers.rank
            self.generator.manual_seed(own_seed)
            torch.manual_seed(own_seed)
        self.not_finite = 0
        self.log = RunLog(out, self.step) if workers.first else None

    def go(self, progress: Progress | None) -> Path:
        before = {number: signal.signal(number, self._stop) for number in _stopping_signals()}
        try:
            self._train(progress)
            if self.log is not None:
                self._checkpoint(self.log)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            if self.log is not None:
                self.log.close()
        if self.log is not None:
            draw_curve(self.out)
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
            if self.step % LOG_EVERY == 0 and self.log is not None:
                speed = LOG_EVERY * self.plan["batch"] * self.workers.count / max(self.seconds - logged, 1e-9)
                figures = {**{name: float(value) for name, value in values.items()}, "patches_per_second": speed}
                self.log.add(self.step, self.seconds, figures)
                logged = self.seconds
            if progress:
                part = self._part()
                left = self.seconds * (1 - part) / part if part else None
                progress(progress_words(self.step, self.plan["steps"], left, figures), min(1.0, part))
            if now - saved > CHECKPOINT_SECONDS and self.log is not None:
                self._checkpoint(self.log)
                saved = time.monotonic()

    def _take_step(self) -> dict[str, Tensor]:
        warm = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        rate = self.plan["learning_rate"] * warm * self.objective.rate_at(min(1.0, self._part()))
        for group in (g for optimiser in self.optimisers for g in optimiser.param_groups):
            group["lr"] = rate * group["lr_scale"]
        batch = self.objective.sample(self.plan["batch"], self.generator)
        self.objective.network.zero_grad(set_to_none=True)
        loss, figures = self.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.objective.network.parameters(), CLIP)
        if math.isfinite(float(norm)):
            self.not_finite = 0
            for optimiser in self.optimisers:
                optimiser.step()
        else:
            self.not_finite += 1
            if self.not_finite == NOT_FINITE:
                raise self._diverged(f"the last {NOT_FINITE} steps had no finite gradient")
        self.step += 1
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.objective.network.parameters()), 1 - decay)
        return {"loss": loss.detach(), "gradient": norm, "rate": torch.tensor(rate), **figures}

    def _diverged(self, what: str) -> DivergedError:
        kept = (self.out / NAME).exists()
        words = "its last checkpoint is kept" if kept else "it has no checkpoint yet"
        return DivergedError(f"{self.out}: the run diverged at step {self.step}: {what}; {words}; use a lower rate")

    def _checkpoint(self, log: RunLog) -> None:
        states = (self.objective.network.state_dict(), self.averaged.state_dict())
        if not all(value.isfinite().all() for state in states for value in state.values()):
            raise self._diverged("its weights aren't finite")
        # The same noise every time. The generators of the training aren't moved on, neither the CPU's nor the GPU's.
        device = torch.device(self.workers.device)
        with torch.random.fork_rng([] if device.type == "cpu" else [device], device_type=device.type):
            torch.manual_seed(1)
            held = self.objective.validate(self.averaged)
        if math.isfinite(held["score"]):
            self.best = min(self.best, held["score"])
        log.add(self.step, self.seconds, {f"held_{name}": value for name, value in held.items()})
        Checkpoint(
            self.plan, self.step, self.seconds, *states,
            [optimiser.state_dict() for optimiser in self.optimisers], self.generator.get_state(), self.best,
        ).save(self.out)  # fmt: skip


def optimisers_of(objective: Objective[Any], rate: float) -> list[torch.optim.Optimizer]:
    """Muon and Adam, each with its groups of parameters; those that have none left out."""
    groups = list(objective.parameter_groups())
    found: list[torch.optim.Optimizer] = []
    if muon := [g for g in groups if g["muon"]]:
        found.append(Muon(muon, rate))
    if adam := [g for g in groups if not g["muon"]]:
        found.append(torch.optim.Adam(adam, rate, fused=True))
    return found
