"""`lpcodec upscale`: enlarge pictures by a super-resolution network."""

from pathlib import Path
from typing import Annotated

import typer

from lpcodec.cli import batch, files, jobs
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
from lpcodec.cli.pictures import picture_format, write_picture
from lpcodec.codec.progress import Progress

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
            help="A picture or a folder, and where to write (default: IN-x2.png beside it). - is stdin, stdout.",
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
    """Enlarge pictures. The ending of OUT gives the format. Alpha and metadata are kept."""
    planned, notes = jobs.plan(
        inputs, jobs.PICTURES, f"-x{scale}.png", output=output, out_dir=out_dir, recursive=recursive
    )
    todo = jobs.missing(planned, skip_existing=skip_existing, overwrite=overwrite)
    formats = {job: picture_format(job.target) for job in todo}
    if todo:
        use_threads(threads)
        _check(scale, model, device)

    def work(job: jobs.Job, progress: Progress) -> None:
        from lpcodec.codec import api

        result = api.upscale_report(
            files.read_whole("-") if job.source == "-" else Path(job.source),
            scale,
            model=model,
            max_pixels=max_pixels,
            device=device,
            progress=progress,
        )
        lost = write_picture(job.target, result.image, formats[job])
        if not quiet:
            for note in (*result.notes, *lost):
                say(f"lpcodec: note: {job.source}: {note}")
            say(f"{job.words}: {result.image.width} x {result.image.height} pixels")

    batch.run(planned, todo, notes, work, quiet=quiet)


def _check(scale: int, model: str, device: str) -> None:
    """Raise what `api.upscale` would raise for these options, before the first picture is read."""
    from lpcodec.codec import api

    api.check_upscale(scale, model=model, device=device)
