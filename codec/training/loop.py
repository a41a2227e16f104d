"""The training loop, for every model of the package, on a CPU or a GPU.

```
plan.py     what is asked --> plan                        checkpoint.py   checkpoint.pt, every few minutes
trainer.py  plan, batches --> steps, held-out figures     log.py          log.jsonl, TensorBoard; at the end curve.png
```

A run ends when its steps or its time are over, and cleanly on SIGINT, SIGTERM, SIGHUP or SIGQUIT. It goes on with
`resume=True`, on another machine or device too. Started by torchrun, several processes train together (parallel.py).
TensorBoard and matplotlib are used if they are installed.
"""

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from lpcodec.codec import models
from lpcodec.codec.errors import FileAccessError, UsageError
from lpcodec.codec.families.family import Objective
from lpcodec.codec.progress import Progress, clock
from lpcodec.codec.storage import make_folder
from lpcodec.codec.training.checkpoint import Checkpoint, find_run
from lpcodec.codec.training.log import RunLog, draw_curve
from lpcodec.codec.training.memory import keep_freed_memory
from lpcodec.codec.training.parallel import Workers
from lpcodec.codec.training.plan import check_numbers, fill_in, new_plan, parsed_options, part_done, resumed_plan
from lpcodec.codec.training.trainer import Trainer
from lpcodec.datasets.guard import EvaluationPictureError
from lpcodec.datasets.patches import NoPicturesError

LOG_EVERY = 50
"""Steps between two lines of the log."""
CHECKPOINT_SECONDS = 240.0
"""The time between two checkpoints."""
STOPPING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
"""The signals that ask a run to end."""


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

    Args:
        steps, time_limit: when the run ends: after this many steps, or after this many seconds; 20,000 steps if neither
            is given. The earlier parts of a resumed run count.
        resume: go on with the run in `out`, by its own plan; it may be given more steps or time.
        device: "cpu" or "cuda"; several processes take a GPU each.
        batch, patch, learning_rate: by default the model's choice: examples per step, their side in pixels, peak rate.
        seed: of the weights and the patches, 0 by default.
        options: the family's own, by name (`models.family_of(...).options`), their values as text.
        source: the weights that a new run starts from: the folder of a run, or the name of a model.
        threads: of torch, by default torch's choice.
        progress: is given a line on the run and the part of it that is done, after every step.
        note: is given remarks for people at the start, a line at a time.

    Raises:
        UsageError: an unknown model, both limits, a number out of its range, patches that the model can't be trained
            on, nothing to resume, a run of another model or with other values, a folder that already holds a run,
            weights to start from that don't fit, or a picture of an evaluation set in `data`.
        FileAccessError: `data` has no usable pictures, or the run can't be written.
        DamagedFileError: the checkpoint of the run, or of `source`, isn't whole.
        DivergedError: the loss or the weights are no longer finite; the last checkpoint is kept.
    """
    if steps is not None and time_limit is not None:
        raise UsageError("give a number of steps or a time limit, not both")
    end = {"steps": steps, "time_limit": time_limit}
    asked = {"from": source, "batch": batch, "patch": patch, "seed": seed, "learning_rate": learning_rate}
    check_numbers({**end, **asked, "threads": threads})
    if threads is not None:
        torch.set_num_threads(threads)
    keep_freed_memory()
    own = parsed_options(model, options or {})
    found = find_run(out, resume, device)
    plan = new_plan(model, end, asked, own) if found is None else resumed_plan(found, out, model, end, asked, own)
    workers = Workers(device)
    plan |= {"device": workers.device, "processes": workers.count}
    objective = _opened(plan, data)
    if note and workers.first and plan["data"].get("too_small"):
        note(f"{plan['data']['too_small']} pictures are left out: a side is shorter than the patches")
    make_folder(out)
    return _Run(objective, plan, out, workers, found).go(progress if workers.first else None)


def _opened(plan: dict[str, Any], data: Path) -> Objective[Any]:
    """The plan's objective, with the pictures below `data` loaded. Completes `plan`: the model's choices, and `data`.

    Raises:
        UsageError: the plan's options, patches or batch don't fit, or an evaluation picture is there.
        FileAccessError: there are no usable pictures.
    """
    torch.manual_seed(plan["seed"])
    objective = models.family_of(models.network_named(plan["model"])).objective(plan, plan["device"])
    fill_in(plan, objective)
    try:
        plan["data"] = objective.open(data, plan["patch"], plan["device"])
    except EvaluationPictureError as error:
        raise UsageError(f"training pictures: {error}") from error
    except (NoPicturesError, OSError) as error:
        raise FileAccessError(f"training pictures: {error}") from error
    return objective


class _Run:
    """A run while it runs: when it ends, what it logs, when it is saved.

    `seconds` are those of training, earlier parts of the run included. `best` is the lowest score so far. `stopped`:
    the run was asked to end. `log` is None in all processes but the first, which alone writes.
    """

    def __init__(
        self, objective: Objective[Any], plan: dict[str, Any], out: Path, workers: Workers, found: Checkpoint | None
    ) -> None:
        self.plan, self.out, self.workers = plan, out, workers
        self.trainer = Trainer(objective, plan, out, workers, found)
        self.seconds, self.best = (0.0, math.inf) if found is None else (found.seconds, found.best)
        self.stopped = self._asked_to_stop = False
        self.log = RunLog(out, self.trainer.step) if workers.first else None

    def go(self, progress: Progress | None) -> Path:
        """Train to the end of the plan, or until a signal asks for an end; return the run's folder."""
        try:
            with _stopping_signals_to(self._stop):
                self._train(progress)
                if self.log is not None:
                    self._checkpoint(self.log)
        finally:
            if self.log is not None:
                self.log.close()
        if self.log is not None:
            draw_curve(self.out)
        self.workers.end()
        return self.out

    def _stop(self) -> None:
        self._asked_to_stop = True

    def _is_to_stop(self) -> bool:
        """Several processes stop after the step at which they agreed to; one alone, after its own."""
        return self.stopped or (self._asked_to_stop and self.workers.count == 1)

    def _part_done(self) -> float:
        return part_done(self.plan, self.trainer.step, self.seconds)

    def _train(self, progress: Progress | None) -> None:
        """Take steps until the run ends; log, save and report progress on the way. `go` saves the last checkpoint."""
        figures: dict[str, float] = {}
        last_step = last_saved = time.monotonic()
        last_logged, logged_step = self.seconds, self.trainer.step
        while not self._is_to_stop() and self._part_done() < 1:
            values = self.trainer.take_step(self._part_done())
            now = time.monotonic()
            self.seconds, self.stopped = self.workers.agree(self.seconds + now - last_step, self._asked_to_stop)
            last_step = now
            if self.log is not None and self.trainer.step % LOG_EVERY == 0:
                figures = self._figures(values, self.trainer.step - logged_step, self.seconds - last_logged)
                self.log.add(self.trainer.step, self.seconds, figures)
                last_logged, logged_step = self.seconds, self.trainer.step
            if progress:
                part = self._part_done()
                left = self.seconds * (1 - part) / part if part else None
                progress(progress_words(self.trainer.step, self.plan["steps"], left, figures), min(1.0, part))
            if self.log is not None and now - last_saved > CHECKPOINT_SECONDS:
                self._checkpoint(self.log)
                last_saved = time.monotonic()

    def _figures(self, values: Mapping[str, Tensor], steps: int, seconds: float) -> dict[str, float]:
        """What is logged: the figures of a step, and the speed if the last `steps` steps took `seconds`."""
        speed = steps * self.plan["batch"] * self.workers.count / max(seconds, 1e-9)
        return {**{name: float(value) for name, value in values.items()}, "patches_per_second": speed}

    def _checkpoint(self, log: RunLog) -> None:
        """Validate the averaged weights, log the figures, save the state of the run."""
        held = self.trainer.validate()
        if math.isfinite(held["score"]):
            self.best = min(self.best, held["score"])
        log.add(self.trainer.step, self.seconds, {f"held_{name}": value for name, value in held.items()})
        self.trainer.checkpoint(self.seconds, self.best).save(self.out)


@contextmanager
def _stopping_signals_to(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on the signals that ask for an end. One that is ignored (SIGHUP under nohup) stays ignored."""

    def handle(number: int, frame: FrameType | None) -> None:
        stop()

    known = [signal.Signals[name] for name in STOPPING if hasattr(signal, name)]
    heard = [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def progress_words(step: int, steps: int | None, seconds_left: float | None, figures: Mapping[str, float]) -> str:
    """The line for people, as `step 200 of 5,000, 0:12:30 left, loss 0.5312, bpp 0.31`."""
    words = [f"step {step:,}" + (f" of {steps:,}" if steps else "")]
    if seconds_left is not None:
        words.append(f"{clock(seconds_left)} left")
    return ", ".join([*words, *(f"{name} {value:.4g}" for name, value in figures.items())])
