"""One file or many: which file becomes which, and a run that tries them all.

```
IN                  -> beside IN, with the new ending        - -> standard output
IN OUT              -> OUT                                   (either may be -)
IN... --out-dir DIR -> DIR/stem + ending, every name different
```
A run goes on after a failure and ends with the largest exit code that any file gave. What was written in part counts as
done, and gives its own code.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lpcodec.cli.failures import complain, say
from lpcodec.codec.errors import ExitCode, FileAccessError, UsageError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Job:
    """One input and where it goes: `source` is a path or `-`, `target` is None for standard output."""

    source: str
    target: Path | None

    @property
    def words(self) -> str:
        """`photo.png -> photo.lpc`, for the line that reports the job."""
        return f"{self.source} -> {'-' if self.target is None else self.target}"


def plan(files: Sequence[str], out_dir: Path | None, ending: str) -> list[Job]:
    """The jobs that the arguments ask for; `ending` (".lpc") is given to every output that has no name.

    UsageError for several inputs without a folder, two inputs with one output name, or an output that is its
    input.
    """
    jobs = [_single(files, ending)] if out_dir is None else _into_folder(files, out_dir, ending)
    for job in jobs:
        if job.target is not None and _same_file(job.source, job.target):
            raise UsageError(f"{job.source}: the output would replace its own input; name another OUT")
    return jobs


def make_folder(folder: Path | None) -> None:
    """Make the folder for a batch's output where it isn't there. FileAccessError if that fails."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileAccessError(f"{folder}: {error.strerror or error}") from error


def missing(jobs: Sequence[Job], *, skip_existing: bool) -> list[Job]:
    """The jobs whose output isn't there yet; all of them unless `skip_existing`."""
    return [job for job in jobs if not (skip_existing and job.target is not None and job.target.exists())]


def for_each(
    items: Sequence[Item], work: Callable[[Item], ExitCode | None], name: Callable[[Item], str]
) -> tuple[int, int]:
    """Do `work` for every item, whatever the others did; (largest exit code, number of failures).

    `work` may return a code of its own for what was done, but not wholly. A failure is one line on stderr, led by the
    item's name. Ctrl-C and a closed pipe end the run.
    """
    code, failures = int(ExitCode.OK), 0
    for item in items:
        try:
            code = max(code, work(item) or ExitCode.OK)
        except BrokenPipeError:
            raise
        except Exception as error:
            code = max(code, complain(error, about=name(item)))
            failures += 1
    return code, failures


def summarise(planned: int, tried: int, failures: int, *, quiet: bool) -> None:
    """The last line of a batch on stderr; with `quiet` only when something failed."""
    if planned > 1 and (failures or not quiet):
        say(f"{planned} files: {tried - failures} done, {planned - tried} there already, {failures} failed")
    elif planned == 1 and tried == 0 and not quiet:
        say("nothing to do: the output is there already")


def _single(files: Sequence[str], ending: str) -> Job:
    if len(files) > 2:
        raise UsageError(f"{len(files)} files: several inputs need --out-dir DIR")
    source = files[0]
    if len(files) == 2:
        return Job(source, None if files[1] == "-" else Path(files[1]))
    return Job(source, None if source == "-" else Path(source).parent / (Path(source).stem + ending))


def _into_folder(files: Sequence[str], folder: Path, ending: str) -> list[Job]:
    sources: dict[str, str] = {}
    for source in files:
        if source == "-":
            raise UsageError("standard input has no name to give to a file in --out-dir")
        name = os.path.normcase(Path(source).stem + ending)
        if name in sources:
            raise UsageError(f"{sources[name]} and {source} would both become {folder / name}")
        sources[name] = source
    return [Job(source, folder / (Path(source).stem + ending)) for source in files]


def _same_file(source: str, target: Path) -> bool:
    try:
        return source != "-" and target.is_file() and os.path.samefile(source, target)
    except OSError:
        return False
