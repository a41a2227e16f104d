"""`lpcodec report`: measure codecs on a set of pictures, and write a report."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpcodec.cli import progress
from lpcodec.cli.failures import say
from lpcodec.cli.options import Quiet, examples, names, rates
from lpcodec.codec.errors import DifferenceError, UsageError
from lpcodec.codec.limits import MOST_THREADS

if TYPE_CHECKING:
    from lpcodec.codec.evaluation.codecs.command import Command
    from lpcodec.codec.evaluation.run.results import Failure, Results
    from lpcodec.codec.evaluation.run.runner import Request
    from lpcodec.datasets.registry import DataSet

EXAMPLES = examples(
    "lpcodec report --data photos",
    "lpcodec report --data kodak --codecs lpcodec,wcae,jpeg,jpeg2000,webp,avif,avif-default,jxl --out report -j 2",
    "lpcodec report --data kodak --metrics psnr-y,ssim,ssimulacra2 --pictures 0.15,0.3",
    "lpcodec report --data photos --codec 'cjpeg[30,60,90]=cjpeg -quality {q} -outfile {out} {in}.ppm'",
    "lpcodec report --data kodak --check report/results.json",
)


def report(
    data: Annotated[
        str, typer.Option("--data", metavar="NAME_OR_FOLDER", help="A set (lpcodec datasets list), or any folder.")
    ],
    codecs: Annotated[
        str, typer.Option("--codecs", metavar="LIST", help="Codecs by name (default: lpcodec and the usual peers).")
    ] = "",
    commands: Annotated[
        list[str] | None,
        typer.Option(
            "--codec",
            metavar="NAME=COMMAND",
            help="Another codec, by a command: 'NAME[10,50,90]=COMMAND {in} {out} {q}'.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder of the report and of what was measured.")
    ] = Path("report"),
    targets: Annotated[
        str, typer.Option("--targets", metavar="LIST", help="Rate targets in bpp, or none.")
    ] = "0.075,0.15,0.3,0.6",
    metrics: Annotated[
        str,
        typer.Option(
            "--metrics",
            metavar="LIST",
            help="Besides PSNR and MS-SSIM: psnr-y, ssim, lpips, ssimulacra2, butteraugli, or none "
            "(default: ssimulacra2 if it is installed).",
        ),
    ] = "",
    published: Annotated[
        str | None,
        typer.Option(
            "--published", metavar="PATH", help="More published curves: JSON or a folder; none for no curves."
        ),
    ] = None,
    pictures: Annotated[
        str, typer.Option("--pictures", metavar="LIST", help="Rates of the decoded pictures to look at, or none.")
    ] = "0.15,0.3",
    single_file: Annotated[
        bool, typer.Option("--single-file", help="Also write report.html: one file with all pictures in it.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="Measure only the first N pictures.")
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Number of processes that measure.")
    ] = 1,
    threads: Annotated[
        int, typer.Option("--threads", min=1, max=MOST_THREADS, metavar="N", help="Number of threads per codec.")
    ] = 1,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Measure the points of a results.json again, and compare."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Measure codecs on pictures, and write a folder with a page, plots, tables, and all figures as JSON.

    Give the same command again to continue a run that was stopped: the folder keeps what was measured.
    """
    from lpcodec.codec.evaluation.codecs import registry
    from lpcodec.codec.evaluation.codecs.command import parse
    from lpcodec.codec.evaluation.metrics import extra_metrics
    from lpcodec.codec.evaluation.run import runner

    near, goals = rates(pictures, "--pictures"), rates(targets, "--targets")
    templates = tuple(parse(text) for text in commands or ())
    folder, dataset = _locate(data)
    if check is not None:
        _check(check, folder, dataset, templates, jobs, quiet=quiet)
        return
    wanted = names(codecs) or registry.usual()
    missing = registry.missing(wanted)
    notes = tuple(f"{name} is left out, because it isn't installed here: {advice}." for name, advice in missing.items())
    for note in notes:
        say(f"lpcodec: note: {note}")
    request = runner.Request(
        folder=folder,
        out=out,
        codecs=(*(name for name in wanted if name not in missing), *(command.name for command in templates)),
        notes=notes,
        dataset=dataset,
        commands=templates,
        targets=goals,
        extra_metrics=names(metrics) if metrics else extra_metrics.installed(),
        workers=jobs,
        threads=threads,
        limit=limit,
        published=published,
    )
    with progress.over_run("measuring", quiet=quiet) as show:
        results = runner.run(request, show)
    written = _write(results, request, near, single_file=single_file, quiet=quiet)
    for note in results.notes[len(notes) :]:
        say(f"lpcodec: note: {note}")
    for failure in results.failures:
        say(f"lpcodec: note: {_about(failure)}: {failure.error}")
    if not quiet:
        count = len(results.points) + len(results.target_points)
        say(f"{results.pictures.label}: {count:,} points, {len(results.failures)} failures; look at {written}")


def _write(results: "Results", request: "Request", near: tuple[float, ...], *, single_file: bool, quiet: bool) -> Path:
    """Write the folder of the report. Returns the path of its page."""
    from lpcodec.codec.evaluation.codecs import registry
    from lpcodec.codec.evaluation.report import folder, pictures
    from lpcodec.codec.evaluation.run import runner

    shown: list[pictures.Shown] = []
    if near:
        chosen = {name: registry.find_codec(name, request.commands, request.threads) for name in request.codecs}
        codecs = {name: entry.codec for name, entry in chosen.items()}
        with progress.over_run("measuring", quiet=quiet) as show:
            shown = pictures.save_pictures(results, runner.originals(request), codecs, request.out, near, show)
    folder.write(results, request.out, shown, single_file=single_file)
    return request.out / ("report.html" if single_file else "index.html")


def _check(
    path: Path,
    folder: Path,
    dataset: "DataSet | None",
    commands: tuple["Command", ...],
    jobs: int,
    *,
    quiet: bool,
) -> None:
    """Measure the points of a results.json again, in another folder. Raises DifferenceError if any differs."""
    from lpcodec.codec.evaluation.run import recheck, results, runner

    try:
        old = results.load(path)
    except ValueError as error:
        raise UsageError(str(error)) from error
    with tempfile.TemporaryDirectory() as out:
        request, left_out = recheck.request_for(old, folder, Path(out), dataset, commands, jobs)
        for name in left_out:
            say(f"lpcodec: note: {name} is left out: commands of a document are not run, give it again with --codec")
        with progress.over_run("measuring", quiet=quiet) as show:
            new = runner.run(request, show)
    found = recheck.differences(old, new, left_out)
    for difference in found:
        say(str(difference))
    total = sum(p.codec not in left_out for p in (*old.points, *old.target_points))
    if found:
        raise DifferenceError(f"{path}: {len(found)} of {total:,} points differ")
    if not quiet:
        say(f"{path}: {total:,} points measured again, none differs")


def _locate(name_or_folder: str) -> "tuple[Path, DataSet | None]":
    from lpcodec.codec.picture import read_rgb
    from lpcodec.datasets import registry

    if Path(name_or_folder).is_file():
        raise UsageError(f"{name_or_folder} is a file: a report needs a folder; lpcodec compare takes one picture")
    try:
        located = registry.locate(name_or_folder, read_rgb)
    except ValueError as error:  # datasets knows nothing of our errors
        raise UsageError(str(error)) from error
    return located.folder, located.dataset


def _about(failure: "Failure") -> str:
    setting = "" if failure.setting is None else f" at setting {failure.setting:g}"
    return f"{failure.codec} on {failure.picture}{setting}" if failure.codec else failure.picture
