"""A run's log, `log.jsonl`, and its picture, `curve.png`.

A line is one JSON object: `step`, `seconds`, and figures by name; a figure that isn't a finite number is null. A line
has the figures of a batch, or those of the held-out pictures, with names that begin with `held_`.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lpcodec.codec import atomic
from lpcodec.codec.errors import FileAccessError

NAME = "log.jsonl"
SMOOTHED = 24
"""The curve's running mean is over this many logged batches."""


class RunLog:
    """The log of the run in a folder, and TensorBoard's if that is installed."""

    def __init__(self, folder: Path, step: int) -> None:
        """Go on after `step`: lines that an earlier process logged after its last checkpoint are removed. A new run
        (`step` 0) removes all lines: a run that was killed before its first checkpoint left them.

        Raises:
            FileAccessError: the log can't be read or written.
        """
        self._path = folder / NAME
        kept = [line for line in _lines(self._path) if 0 < line["step"] <= step]
        atomic.write_bytes(self._path, "".join(json.dumps(line) + "\n" for line in kept).encode())
        self._board = _board(folder, step)

    def add(self, step: int, seconds: float, figures: Mapping[str, float]) -> None:
        """Write one line.

        Raises:
            FileAccessError: it can't be written.
        """
        line: dict[str, float | None] = {"step": step, "seconds": round(seconds, 1)}
        line |= {name: round(value, 6) if math.isfinite(value) else None for name, value in figures.items()}
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, allow_nan=False) + "\n")
        except OSError as error:
            raise FileAccessError(f"{self._path}: {error.strerror or error}") from error
        if self._board is not None:
            for name, value in figures.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        if self._board is not None:
            self._board.close()


def held_figures(folder: Path) -> dict[str, float | None]:
    """The latest figures of the held-out pictures, empty if there are none."""
    found: dict[str, float | None] = {}
    for line in _lines(folder / NAME):
        found = {name: value for name, value in line.items() if name.startswith("held_")} or found
    return found


def draw_curve(folder: Path) -> None:
    """Draw `curve.png` from the log, if matplotlib is installed: the loss of single batches with their running mean,
    and below, on an axis of its own, the held-out score.

    Raises:
        FileAccessError: it can't be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    lines = _lines(folder / NAME)
    figure = Figure(figsize=(7, 5.5), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True)
    steps, losses = _series(lines, "loss")
    running = [sum(losses[max(0, i - SMOOTHED) : i + 1]) / min(i + 1, SMOOTHED + 1) for i in range(len(losses))]
    axes.plot(steps, losses, color="C0", linewidth=0.5, alpha=0.35, label="training, single batches")
    settled = min(SMOOTHED, len(running) // 2)  # a mean of a few batches is too noisy
    axes.plot(steps[settled:], running[settled:], color="C0", linewidth=1.6, label="training, running mean")
    held = _series(lines, "held_score")
    marker = "o" if len(held[0]) < 3 else ""  # a line through a single point can't be seen
    below.plot(*held, color="C1", linewidth=2, marker=marker, label="held out")
    axes.set(ylabel="loss", title=folder.name)
    below.set(xlabel="step", ylabel="loss")
    for part in (axes, below):
        part.grid(alpha=0.3)
        part.legend()
    atomic.write_whole(folder / "curve.png", lambda stream: figure.savefig(stream, format="png", dpi=120))


def _series(lines: list[dict[str, Any]], name: str) -> tuple[list[int], list[float]]:
    """The steps at which a figure was logged, and its values."""
    found = [line for line in lines if line.get(name) is not None]
    return [line["step"] for line in found], [line[name] for line in found]


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log. A process that was killed may have left half of one; it is left out."""
    try:
        texts = path.read_text("utf-8", errors="replace").splitlines() if path.exists() else []
    except OSError as error:
        raise FileAccessError(f"{path}: {error.strerror or error}") from error
    found = []
    for text in texts:
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            found.append(line)
    return found


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder / "tensorboard", purge_step=step)  # type: ignore[no-untyped-call, unused-ignore]
