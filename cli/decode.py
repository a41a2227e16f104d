"""`lpcodec decode`: .lpc files to pictures."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from lpcodec.cli import batch, files, jobs
from lpcodec.cli.failures import say
from lpcodec.cli.options import (
    Device,
    MaxMemory,
    MaxPixels,
    OutDir,
    Output,
    Overwrite,
    Quiet,
    Recursive,
    SkipExisting,
    Threads,
    Untrusted,
    box,
    examples,
    limits,
    use_threads,
)
from lpcodec.cli.pictures import picture_format, write_picture
from lpcodec.codec.errors import ExitCode
from lpcodec.codec.progress import Progress

ENDING = ".png"
EXAMPLES = examples(
    "lpcodec decode photo.lpc",
    "lpcodec decode photo.lpc photo.webp",
    "lpcodec decode photo.lpc photo.avif --quality 60",
    "lpcodec decode photo.lpc half.png --level 1",
    "lpcodec decode photo.lpc part.png --region 2000,1000,512,512",
    "lpcodec decode photo.lpc large.png --scale 2",
    "lpcodec decode cut.lpc rest.png --allow-partial",
    "lpcodec decode *.lpc --out-dir decoded --skip-existing",
    "lpcodec decode coded pictures --recursive",
    "lpcodec decode uploads --out-dir pictures --untrusted",
    "lpcodec decode - - < photo.lpc > photo.png",
)


def decode(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="IN [OUT]",
            help="An .lpc file or a folder of them, and where to write (default: a PNG beside it). - is stdin, stdout.",
        ),
    ],
    level: Annotated[
        int,
        typer.Option(
            "--level", min=0, max=8, metavar="0..8", help="Halve the sides this many times; faster for files in layers."
        ),
    ] = 0,
    scale: Annotated[
        int, typer.Option("--scale", min=1, max=8, metavar="N", help="Enlarge the picture 2 or 4 times, by a network.")
    ] = 1,
    region: Annotated[
        Any,
        typer.Option(
            "--region",
            parser=box,
            metavar="X,Y,W,H",
            help="Decode this part alone: left, top, width and height in pixels. Only the bytes it needs are read.",
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            "--quality",
            "-q",
            min=0,
            max=100,
            metavar="0..100",
            help="Of a .jpg, .webp, .avif, .heic or .jxl. Default: lossless for WebP and JPEG XL, 95 for the others.",
        ),
    ] = None,
    allow_partial: Annotated[
        bool,
        typer.Option(
            "--allow-partial", help="Write what is left of a damaged file in layers; the exit code is then 8."
        ),
    ] = False,
    output: Output = None,
    out_dir: OutDir = None,
    recursive: Recursive = False,
    overwrite: Overwrite = False,
    skip_existing: SkipExisting = False,
    max_pixels: MaxPixels = None,
    max_memory: MaxMemory = None,
    untrusted: Untrusted = False,
    threads: Threads = None,
    device: Device = "cpu",
    quiet: Quiet = False,
) -> None:
    """Decode .lpc files to pictures. The ending of OUT gives the format."""
    planned, notes = jobs.plan(
        inputs,
        jobs.LPC_FILES,
        ENDING,
        output=output,
        out_dir=out_dir,
        recursive=recursive,
        urls=region is not None,
    )
    todo = jobs.missing(planned, skip_existing=skip_existing, overwrite=overwrite)
    formats = {job: picture_format(job.target, quality) for job in todo}
    asked: dict[str, Any] = {
        "level": level,
        "scale": scale,
        "region": region,
        "allow_partial": allow_partial,
        "device": device,
    }
    options: dict[str, Any] = {**asked, **limits(untrusted, max_pixels, max_memory)}
    if todo:
        use_threads(threads)
        _check(asked)

    def work(job: jobs.Job, progress: Progress) -> ExitCode:
        from lpcodec.codec import api

        in_part = region is not None and job.source != "-"
        result = api.decode_report(
            job.source if in_part else files.read_whole(job.source),
            **options,
            progress=progress,
        )
        lost = write_picture(job.target, result.image, formats[job], quality)
        if result.partial or not quiet:
            for note in (*result.notes, *lost):
                say(f"lpcodec: note: {job.source}: {note}")
        if not quiet:
            say(f"{job.words}: {result.image.width} x {result.image.height} pixels")
        return ExitCode.PARTIAL if result.partial else ExitCode.OK

    batch.run(planned, todo, notes, work, quiet=quiet)


def _check(options: Mapping[str, Any]) -> None:
    """Raise what `api.decode` would raise for these options, before the first file is read."""
    from lpcodec.codec import api

    api.check_decode(**options)
