"""Progress on stderr: bars on a terminal, elsewhere nothing or a line from time to time.

The bars are those of rich, which is imported only if one is shown.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lpcodec.cli.failures import say
from lpcodec.cli.streams import watched
from lpcodec.codec.progress import Progress, silent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars

SECONDS_BETWEEN_LINES = 15.0


class Silent:
    """Progress over files that nobody sees; `FileBars` shows it."""

    def begin(self, name: str) -> None:
        """Begin the file `name`."""

    def stage(self, name: str, fraction: float) -> None:
        """A part `fraction` (0..1) of the stage `name` of the current file is done."""

    def end(self) -> None:
        """End the current file, whether it succeeded or not."""


class FileBars(Silent):
    """A bar for the stage of the current file; above it one for all files, if there are several."""

    def __init__(self, bars: "Bars", files: int) -> None:
        self._bars = bars
        self._files = files
        self._name = ""
        self._ended = 0
        self._overall = bars.add_task("files", total=files, visible=files > 1, note=f"0 of {files}")
        self._stage = bars.add_task("", total=1.0, note="")

    def begin(self, name: str) -> None:
        self._name = name
        self._bars.update(self._stage, description=name, completed=0.0, note="")

    def stage(self, name: str, fraction: float) -> None:
        self._bars.update(self._stage, description=self._name, completed=fraction, note=name)

    def end(self) -> None:
        self._ended += 1
        self._bars.update(self._overall, completed=self._ended, note=f"{self._ended} of {self._files}")


@contextmanager
def over_files(files: int, *, quiet: bool, console: "Console | None" = None) -> Iterator[Silent]:
    """Progress over this many files: bars on `console`, by default stderr; nothing if `quiet` or not on a terminal."""
    if quiet or not files or (console is None and not watched()):
        yield Silent()
        return
    with _bars(console) as bars:
        yield FileBars(bars, files)


@contextmanager
def over_run(title: str, *, quiet: bool, console: "Console | None" = None) -> Iterator[Progress]:
    """The `Progress` of one long run: a bar with `title` and the latest words, or a line from time to time."""
    if quiet:
        yield silent
        return
    if console is None and not watched():
        yield _lines()
        return
    with _bars(console) as bars:
        task = bars.add_task(title, total=1.0, note="")

        def advance(words: str, part: float) -> None:
            bars.update(task, completed=part, note=words)

        yield advance


def _lines() -> Progress:
    last = -SECONDS_BETWEEN_LINES

    def show(words: str, part: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES or part == 1:
            last = now
            say(words)

    return show


def _bars(console: "Console | None") -> "Bars":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
        console=console or Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    )
