"""Worker processes that measure: jobs in, points and failures out, even if a worker dies.

    parent --Job over a pipe--> worker: load picture, warm codec, measure --Outcome--> parent --> run
      a worker that dies: its present point is a failure, the rest of its job goes to a fresh worker

A job is a codec on a picture with what is missing there: its sweep first, then its rate targets, whose search starts
from the sweep's sizes. Workers are spawned, so they share nothing, and a codec that crashes takes nothing else with it.
They ignore Ctrl-C, which is for the parent: it ends them and keeps what they had sent. (pebble and loky offer pools of
processes that may die, but neither says which part of a job was done, nor keeps a codec warm between jobs.)
"""

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpcodec.codec.evaluation.codecs.command import Command
    from lpcodec.codec.evaluation.codecs.registry import CodecEntry
    from lpcodec.codec.evaluation.metrics.point import Point
    from lpcodec.codec.evaluation.run.originals import Original

WARM_SIDE = 256
SECONDS_TO_END = 2.0


@dataclass(frozen=True)
class Setup:
    """What every worker needs to know: the command templates, threads for each codec, extra metrics by name."""

    commands: "tuple[Command, ...]" = ()
    threads: int = 1
    extra_metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """A codec on a picture: its fixed settings, then its rate targets; `known` are bytes by setting measured before."""

    codec: str
    picture: str
    path: Path
    settings: tuple[float, ...]
    targets: tuple[float, ...]
    known: Mapping[float, int] = field(default_factory=dict)

    def without(self, setting: float | None, target: float | None, size: int | None) -> "Job":
        """The job with one thing less to do; `size` is that of the file, if it was measured at a setting."""
        if setting is None:
            return replace(self, targets=tuple(t for t in self.targets if t != target))
        known = {**self.known, setting: size} if size is not None else self.known
        return replace(self, settings=tuple(s for s in self.settings if s != setting), known=known)


@dataclass(frozen=True)
class Outcome:
    """The result of one setting of a job, or of one target if the setting is None: its points, or the error as a line.

    At a target there may be two points: the file below it, and the one just above it.
    """

    codec: str
    picture: str
    setting: float | None
    target: float | None
    points: "tuple[Point, ...]"
    error: str = ""


def run_jobs(jobs: Sequence[Job], setup: Setup, workers: int) -> Generator[Outcome, None, None]:
    """The outcomes of the jobs in no order, from `workers` processes. Closing the iterator ends them at once."""
    waiting = deque(jobs)
    team: list[_Worker] = []
    try:
        while waiting or team:
            while waiting and len(team) < workers:
                team.append(_Worker(setup, waiting.popleft()))
            ready = wait([worker.pipe for worker in team])
            for worker in [w for w in team if w.pipe in ready]:
                yield from _hear(worker, waiting)
            team = [worker for worker in team if worker.job is not None]
    finally:
        for worker in team:
            worker.end()


def _hear(worker: "_Worker", waiting: deque[Job]) -> Iterator[Outcome]:
    """Take one message of a worker; give it the next job when it is idle. Its `job` is None when it has ended."""
    assert worker.job is not None
    try:
        message: Outcome | None = worker.pipe.recv()
    except (EOFError, OSError):
        died, rest = worker.culprit()
        worker.job = None
        if rest.settings or rest.targets:
            waiting.appendleft(rest)
        yield died
        return
    if message is not None:
        size = message.points[0].bytes if message.points else None
        worker.job = worker.job.without(message.setting, message.target, size)
        yield message
    elif waiting:
        worker.give(waiting.popleft())
    else:
        worker.job = None
        worker.end()


class _Worker:
    """A process, the pipe to it, and what is left of its job."""

    def __init__(self, setup: Setup, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_serve, args=(theirs, setup), daemon=True)
        self._process.start()
        theirs.close()  # so that its end of the pipe closes with it
        self.job: Job | None = None
        self.give(job)

    def give(self, job: Job) -> None:
        self.job = job
        with suppress(OSError):  # it has died; the next recv says so
            self.pipe.send(job)

    def culprit(self) -> tuple[Outcome, Job]:
        """The point at which it died, as a failure, and the job without it."""
        assert self.job is not None
        self._process.join(SECONDS_TO_END)
        self.end()
        code = self._process.exitcode
        how = signal.strsignal(-code) if code is not None and code < 0 else f"exit code {code}"
        setting = self.job.settings[0] if self.job.settings else None
        target = None if self.job.settings or not self.job.targets else self.job.targets[0]
        died = Outcome(self.job.codec, self.job.picture, setting, target, (), f"the process died: {how}")
        return died, self.job.without(setting, target, None)

    def end(self) -> None:
        self.pipe.close()
        self._process.join(0.05)
        for stop in (self._process.terminate, self._process.kill):
            if self._process.is_alive():
                stop()
                self._process.join(SECONDS_TO_END)


def _serve(pipe: Connection, setup: Setup) -> None:
    """A worker: receive jobs, send outcomes, and None when a job is done. It ends when the pipe is closed."""
    become_worker(setup.threads)
    from lpcodec.codec.evaluation.codecs.registry import CodecEntry, find_codec
    from lpcodec.codec.evaluation.run.originals import load_original

    warm: dict[str, CodecEntry] = {}
    try:
        while True:
            job: Job = pipe.recv()
            try:
                original = load_original(job.path, job.picture)
                if job.codec not in warm:
                    warm[job.codec] = find_codec(job.codec, setup.commands, setup.threads)
                    _warm(warm[job.codec], original)
            except Exception as error:
                for setting, target in _wanted(job):
                    pipe.send(Outcome(job.codec, job.picture, setting, target, (), one_line(error)))
            else:
                for outcome in _measure(job, warm[job.codec], original, setup.extra_metrics):
                    pipe.send(outcome)
            pipe.send(None)
    except (EOFError, OSError):
        return
    finally:
        end_quietly()


def _measure(job: Job, entry: "CodecEntry", original: "Original", extra_metrics: Sequence[str]) -> Iterator[Outcome]:
    from lpcodec.codec.evaluation.run.measure import measure, measure_at_bpp

    known = dict(job.known)
    for setting, target in _wanted(job):
        points: tuple[Point, ...] = ()
        said = ""
        try:
            if setting is not None:
                points = (measure(entry.codec, setting, original, extra_metrics),)
                known[setting] = points[0].bytes
            elif target is not None:
                found = measure_at_bpp(entry.codec, target, original, extra_metrics, known)
                points = (found.point,) if found.above is None else (found.point, found.above)
        except Exception as error:
            said = one_line(error)
        yield Outcome(job.codec, job.picture, setting, target, points, said)


def _wanted(job: Job) -> list[tuple[float | None, float | None]]:
    """The points of a job: (setting, None), then (None, target)."""
    return [*((setting, None) for setting in job.settings), *((None, target) for target in job.targets)]


def _warm(entry: "CodecEntry", original: "Original") -> None:
    """Code a small piece once, so that imports, weights and plans made at first use are not timed. A command has none
    of these. A codec that fails here fails again when it is measured, and is reported then."""
    if entry.about.kind == "command":
        return
    piece = original.pixels[:WARM_SIDE, :WARM_SIDE]
    try:
        entry.codec.decode(entry.codec.encode(piece, entry.settings[len(entry.settings) // 2]))
    except Exception:
        return


def become_worker(threads: int) -> None:
    """In a worker: leave Ctrl-C to the parent, unwind on SIGTERM (so that a command is stopped too), bound threads."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # obeyed by a torch that is imported from now on
    if "torch" in sys.modules:  # by what started this process
        import torch

        torch.set_num_threads(threads)


def end_quietly() -> None:
    """In a worker that is done: let SIGTERM end the interpreter's own cleaning up silently."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def one_line(error: Exception) -> str:
    """An error's text on one line, after its class if the error is not one of ours."""
    from lpcodec.codec.errors import LpcodecError
    from lpcodec.codec.evaluation.codecs.command import CommandError

    text = " ".join(str(error).split())
    return text if isinstance(error, LpcodecError | CommandError) else f"{type(error).__name__}: {text}"
