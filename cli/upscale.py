"""`lpcodec upscale`: pictures enlarged by a super-resolution network."""

from pathlib import Path
from typing import Annotated

import typer

from lpcodec.cli import batch, files, jobs, progress
from lpcodec.cli.decode import check_device, picture_format
from lpcodec.cli.failures import say
from lpcodec.cli.options import (
    Device,
    MaxPixels,
    OutDir,
    Output,
    Overwrite,
    Quiet,
    Recursive,
    SkipExisting,
    Threads,
    examples,
    use_threads,
)

EXAMPLES = examples(
    "lpcodec upscale photo.png",
    "lpcodec upscale photo.jpg large.jpg --scale 4",
    "lpcodec upscale *.png --out-dir large --skip-existing",
    "lpcodec upscale photo.png plain.png --model bicubic",
    "lpcodec upscale photo.png smooth.png --model db2",
    "lpcodec upscale - - < photo.png > large.png",
)


def upscale(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="IN... [OUT]",
            help="A picture or a folder, and the larger picture (default: IN-x2.png beside it). - is stdin, stdout.",
        ),
    ],
    scale: Annotated[
        int,
        typer.Option("--scale", "-s", min=2, max=8, metavar="N", help="How many times as wide and as high: 2 or 4."),
    ] = 2,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="A network, a front-end (lpae, haar, db2, ...), or bicubic.")
    ] = "light",
    output: Output = None,
    out_dir: OutDir = None,
    recursive: Recursive = False,
    skip_existing: SkipExisting = False,
    overwrite: Overwrite = False,
    max_pixels: MaxPixels = None,
    threads: Threads = None,
    device: Device = "cpu",
    quiet: Quiet = False,
) -> None:
    """Enlarge pictures; the ending of OUT gives the format. Alpha and metadata are kept."""
    planned, notes = jobs.plan(
        inputs, jobs.PICTURES, f"-x{scale}.png", output=output, out_dir=out_dir, recursive=recursive
    )
    todo = jobs.missing(planned, skip_existing=skip_existing, overwrite=overwrite)
    formats = {job: picture_format(job.target) for job in todo}
    if todo:
        use_threads(threads)
        check_device(device)
        jobs.prepare_outputs(todo)
    if not quiet:
        for note in notes:
            say(f"lpcodec: note: {note}")

    with progress.over_files(len(todo), quiet=quiet) as bars:

        def work(job: jobs.Job) -> None:
            from lpcodec.codec import api, picture

            bars.begin(job.source)
            try:
                result = api.upscale_report(
                    files.read_whole("-") if job.source == "-" else Path(job.source),
                    scale,
                    model=model,
                    max_pixels=max_pixels,
                    device=device,
                    progress=bars.stage,
                )
                lost: list[str] = []
                files.write_whole(
                    job.target, lambda stream: lost.extend(picture.save(result.image, stream, formats[job]))
                )
            finally:
                bars.end()
            if not quiet:
                for note in (*result.notes, *lost):
                    say(f"lpcodec: note: {job.source}: {note}")
                say(f"{job.words}: {result.image.width} x {result.image.height} pixels")

        code, failures = batch.for_each(todo, work, lambda job: job.source)
    batch.summarise(len(planned), len(todo), failures, quiet=quiet)
    raise typer.Exit(code)
