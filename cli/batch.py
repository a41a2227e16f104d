"""A run over many files: it tries all of them, even if some fail, and ends with the largest exit code of any file.

A picture that was decoded in part counts as done, but has an exit code of its own.
"""

from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

import typer

from lpcodec.cli import jobs
from lpcodec.cli.failures import complain, say
from lpcodec.cli.progress import over_files
from lpcodec.codec.errors import ExitCode
from lpcodec.codec.progress import Progress

Item = TypeVar("Item")


def run(
    planned: Sequence[jobs.Job],
    todo: Sequence[jobs.Job],
    notes: Sequence[str],
    work: Callable[[jobs.Job, Progress], ExitCode | None],
    *,
    quiet: bool,
) -> NoReturn:
    """Do `work` for each job in `todo`, and exit. Prints `notes` before and a summary after.

    The jobs that are in `planned` alone have their outputs already.

    Raises:
        FileAccessError: an output can't be written. Then no job was done.
        typer.Exit: at the end, with the exit code.
    """
    jobs.prepare_outputs(todo)
    if not quiet:
        for note in notes:
            say(f"lpcodec: note: {note}")
    with over_files(len(todo), quiet=quiet) as bars:

        def one(job: jobs.Job) -> ExitCode | None:
            bars.begin(job.source)
            try:
                return work(job, bars.stage)
            finally:
                bars.end()

        code, failures = for_each(todo, one, lambda job: job.source)
    summarise(len(planned), len(todo), failures, quiet=quiet)
    raise typer.Exit(code)


def for_each(
    items: Sequence[Item], work: Callable[[Item], ExitCode | None], name: Callable[[Item], str]
) -> tuple[int, int]:
    """Do `work` for every item, even if others fail; return the largest exit code and the number of failures.

    `work` may return an exit code for an item that was done in part. A failure is one line on stderr that begins with
    the item's name. Ctrl-C and a closed pipe end the run.
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
    """The last line of a batch on stderr; with `quiet` only if something failed."""
    if planned > 1 and (failures or not quiet):
        say(f"{planned} files: {tried - failures} done, {planned - tried} there already, {failures} failed")
    elif planned == 1 and tried == 0 and not quiet:
        say("nothing to do: the output is there already")
