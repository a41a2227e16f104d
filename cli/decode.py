"""`lpcodec decode`: .lpc files to pictures."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lpcodec.cli import batch, files, jobs, progress
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
from lpcodec.codec.errors import ExitCode, UsageError

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
            "--level", min=0, max=8, metavar="0..8", help="Halve the sides N times; faster for files in layers."
        ),
    ] = 0,
    scale: Annotated[
        int, typer.Option("--scale", min=1, max=8, metavar="N", help="Enlarge 2 or 4 times, by a network.")
    ] = 1,
    region: Annotated[
        Any,
        typer.Option(
            "--region",
            parser=box,
            metavar="X,Y,W,H",
            help="Decode this part alone, in pixels from the top left; reads only the bytes that it needs.",
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
            help="Of a .jpg, .webp, .avif, .heic or .jxl; by default WebP and JPEG XL are lossless, the others fine.",
        ),
    ] = None,
    allow_partial: Annotated[
        bool,
        typer.Option(
            "--allow-partial", help="Write what is left of a damaged file in layers; the exit code is 8 then."
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
    """Decode files to pictures; the ending of OUT gives the format."""
    planned, notes = jobs.plan(inputs, jobs.LPC_FILES, ENDING, output=output, out_dir=out_dir, recursive=recursive)
    todo = jobs.missing(planned, skip_existing=skip_existing, overwrite=overwrite)
    formats = {job: picture_format(job.target, quality) for job in todo}
    if todo:
        use_threads(threads)
        check_device(device)
        jobs.prepare_outputs(todo)
    if not quiet:
        for note in notes:
            say(f"lpcodec: note: {note}")

    with progress.over_files(len(todo), quiet=quiet) as bars:

        def work(job: jobs.Job) -> ExitCode:
            from lpcodec.codec import api, picture

            bars.begin(job.source)
            try:
                in_part = region is not None and job.source != "-"
                result = api.decode_report(
                    job.source if in_part else files.read_whole(job.source),
                    level=level,
                    scale=scale,
                    region=region,
                    allow_partial=allow_partial,
                    **limits(untrusted, max_pixels, max_memory),
                    device=device,
                    progress=bars.stage,
                )
                lost: list[str] = []
                files.write_whole(
                    job.target, lambda stream: lost.extend(picture.save(result.image, stream, formats[job], quality))
                )
            finally:
                bars.end()
            if result.partial or not quiet:
                for note in (*result.notes, *lost):
                    say(f"lpcodec: note: {job.source}: {note}")
            if not quiet:
                say(f"{job.words}: {result.image.width} x {result.image.height} pixels")
            return ExitCode.PARTIAL if result.partial else ExitCode.OK

        code, failures = batch.for_each(todo, work, lambda job: job.source)
    batch.summarise(len(planned), len(todo), failures, quiet=quiet)
    raise typer.Exit(code)


def check_device(device: str) -> None:
    """Raise UsageError unless networks can run on `device`."""
    from lpcodec.codec import devices

    devices.check_device(device)


def picture_format(target: Path | None, quality: int | None = None) -> str:
    """Pillow's name for the format that `target`'s ending asks for; PNG without a name or an ending."""
    from PIL import Image

    from lpcodec.codec.picturefiles.plugins import advice_to_write
    from lpcodec.codec.picturefiles.saving import LOSSY_FORMATS

    name = "PNG"
    if target is not None and target.suffix:
        ending = target.suffix.lower()
        if advice := advice_to_write(ending):
            raise UsageError(f"{target}: {advice}")
        name = Image.registered_extensions().get(ending, "")
        if ending == ".lpc" or name not in Image.SAVE:
            raise UsageError(f"{target}: no picture format of Pillow's ends in {target.suffix}; use .png")
    if quality is not None and name not in LOSSY_FORMATS:
        raise UsageError(f"{name} has no quality: --quality is for .jpg, .webp, .avif, .heic and .jxl")
    return name
