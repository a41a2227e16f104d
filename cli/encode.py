"""`lpcodec encode`: pictures to .lpc files."""

from pathlib import Path
from typing import Annotated

import typer

from lpcodec.cli import batch, files, progress
from lpcodec.cli.failures import say
from lpcodec.cli.options import (
    Device,
    MaxPixels,
    OutDir,
    Quiet,
    SkipExisting,
    Threads,
    amount,
    examples,
    use_threads,
)
from lpcodec.codec.errors import UsageError

ENDING = ".lpc"
EXAMPLES = examples(
    "lpcodec encode photo.png --bpp 0.15",
    "lpcodec encode photo.png small.lpc --size 20k",
    "lpcodec encode *.jpg --out-dir coded --psnr 34 --skip-existing",
    "lpcodec encode photo.png --bpp 0.15 --effort 6",
    "lpcodec encode - - -q 50 < photo.png > photo.lpc",
)


def encode(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN [OUT]", help="A picture, and its .lpc file (default: beside it). - is stdin, stdout."
        ),
    ],
    bpp: Annotated[float | None, typer.Option("--bpp", metavar="B", help="At most B bits a pixel.")] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", parser=amount, metavar="BYTES", help="At most so many bytes: 20000, 20k, 1.5M."),
    ] = None,
    psnr: Annotated[float | None, typer.Option("--psnr", metavar="DB", help="At least so many decibels.")] = None,
    quality: Annotated[
        float | None,
        typer.Option("--quality", "-q", min=0.0, max=100.0, metavar="0..100", help="Fixed quality; 100 is the finest."),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="The model to code with; see lpcodec models.")
    ] = "default",
    effort: Annotated[
        int,
        typer.Option(
            "--effort", min=0, max=9, metavar="0..9", help="More for a smaller file of the same quality, slower by far."
        ),
    ] = 0,
    strip: Annotated[bool, typer.Option("--strip", help="Leave out ICC, EXIF and XMP.")] = False,
    best_effort: Annotated[
        bool,
        typer.Option("--best-effort", help="If the target is out of reach, write the nearest that isn't."),
    ] = False,
    out_dir: OutDir = None,
    skip_existing: SkipExisting = False,
    max_pixels: MaxPixels = None,
    threads: Threads = None,
    device: Device = "cpu",
    quiet: Quiet = False,
) -> None:
    """Encode pictures: one target at most, by rate, size, PSNR or quality."""
    if sum(target is not None for target in (bpp, size, psnr, quality)) > 1:
        raise UsageError("give one target at most: --bpp, --size, --psnr or --quality")
    jobs = batch.plan([str(path) for path in inputs], out_dir, ENDING)
    for job in jobs:
        # Two pictures and a forgotten --out-dir look like IN OUT: the second would be lost.
        if job.target is not None and job.target.suffix.lower() not in ("", ENDING):
            raise UsageError(f"{job.target}: OUT should end in {ENDING}; several inputs need --out-dir DIR")
    todo = batch.missing(jobs, skip_existing=skip_existing)
    batch.make_folder(out_dir)
    use_threads(threads)

    with progress.over_files(len(todo), quiet=quiet) as bars:

        def work(job: batch.Job) -> None:
            from lpcodec.codec import api

            bars.begin(job.source)
            try:
                result = api.encode_report(
                    files.read_whole("-") if job.source == "-" else Path(job.source),
                    model=model,
                    quality=quality,
                    bpp=bpp,
                    size=size,
                    psnr=psnr,
                    strip=strip,
                    best_effort=best_effort,
                    effort=effort,
                    max_pixels=max_pixels,
                    device=device,
                    progress=bars.stage,
                )
                files.write_whole(job.target, lambda stream: stream.write(result.data))
            finally:
                bars.end()
            if not quiet:
                for note in result.notes:
                    say(f"lpcodec: note: {job.source}: {note}")
                dial = "" if result.quality is None else f"quality {result.quality:.1f}, "
                say(f"{job.words}: {len(result.data):,} bytes, {result.bpp:.3f} bpp, {dial}{result.model}")

        code, failures = batch.for_each(todo, work, lambda job: job.source)
    batch.summarise(len(jobs), len(todo), failures, quiet=quiet)
    raise typer.Exit(code)
