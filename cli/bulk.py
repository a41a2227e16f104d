"""`lpcodec batch`: very many pictures, from folders, lists, tar shards or object stores."""

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lpcodec.cli.failures import guarded, plural, say
from lpcodec.cli.options import (
    BestEffort,
    Bpp,
    Device,
    Downscale,
    Effort,
    FixedQuality,
    Lossless,
    MaxMemory,
    MaxPixels,
    Psnr,
    Quiet,
    Size,
    Strip,
    Tune,
    complete_models,
    examples,
)
from lpcodec.cli.progress import SECONDS_BETWEEN_LINES
from lpcodec.codec.errors import UsageError
from lpcodec.codec.progress import clock

if TYPE_CHECKING:
    from lpcodec.codec.bulk.run import Engine, Summary
    from lpcodec.codec.bulk.unit import Row, Settings

ENCODE_EXAMPLES = examples(
    "lpcodec batch encode photos --to coded --quality 60",
    "lpcodec batch encode 'photos/**/*.jpg' more.txt --to coded --bpp 0.3 --measure",
    "lpcodec batch encode 'shards/train-{000..099}.tar' --to s3://bucket/coded -j 16",
    "lpcodec batch encode s3://bucket/photos --to s3://bucket/coded --engine ray --address auto",
)
DECODE_EXAMPLES = examples(
    "lpcodec batch decode coded --to pictures",
    "lpcodec batch decode coded --to previews --format webp --level 2",
    "lpcodec batch decode 'coded/train-{000..099}.tar' --to shards -j 16",
)
EXAMPLES = examples(
    "lpcodec batch encode photos --to coded --quality 60", "lpcodec batch decode coded --to pictures --format webp"
)
PICTURE_ENDINGS = frozenset(
    [
        ".avif",
        ".bmp",
        ".gif",
        ".heic",
        ".heif",
        ".hif",
        ".j2k",
        ".jfif",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".jpx",
        ".jxl",
        ".pbm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".qoi",
        ".tga",
        ".tif",
        ".tiff",
        ".webp",
    ]
)
"""The files that are taken from folders and shards. A file that is named itself is taken whatever its ending."""

app = typer.Typer(no_args_is_help=True, help="Encode or decode very many pictures; a stopped batch can be continued.")

Sources = Annotated[
    list[str],
    typer.Argument(metavar="SOURCE...", help="Folders, patterns, lists (.txt), tar shards or files; paths or URLs."),
]
To = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="DEST",
        help="The folder or URL to write to: a new or empty one, or that of the batch to continue.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", "-j", min=1, metavar="N", help="Processes, one thread each; by default one per core."),
]
EngineName = Annotated[
    Literal["local", "ray"], typer.Option("--engine", help="This machine, or Ray (pip install 'lpcodec\\[ray]').")
]
Address = Annotated[
    str | None,
    typer.Option("--address", metavar="ADDRESS", help="The Ray cluster, e.g. auto; by default Ray is started here."),
]


def encode(
    sources: Sources,
    to: To,
    bpp: Bpp = None,
    size: Size = None,
    psnr: Psnr = None,
    quality: FixedQuality = None,
    lossless: Lossless = False,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="NAME",
            autocompletion=complete_models,
            help="The model: see lpcodec models.",
        ),
    ] = "default",
    tune: Tune = None,
    effort: Effort = 1,
    downscale: Downscale = "auto",
    strip: Strip = False,
    best_effort: BestEffort = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Decode each coded picture and note its PSNR in the manifest; slower.")
    ] = False,
    workers: Workers = None,
    engine: EngineName = "local",
    address: Address = None,
    max_pixels: MaxPixels = None,
    device: Device = "cpu",
    quiet: Quiet = False,
) -> None:
    """Encode pictures to .lpc files, or tar shards of pictures to tar shards of .lpc files.

    DEST/manifest.jsonl gets a line for each picture. Give the same command again to continue a batch that was stopped.
    """
    from lpcodec.codec import api
    from lpcodec.codec.bulk.unit import Settings

    # Without the device: on a cluster it is that of the workers.
    api.check_encode(
        model=model, tune=tune, quality=quality, bpp=bpp, size=size, psnr=psnr, lossless=lossless, effort=effort,
        downscale=downscale,
    )  # fmt: skip
    options = {
        "quality": quality, "bpp": bpp, "size": size, "psnr": psnr, "lossless": lossless or None, "model": model,
        "tune": tune, "effort": effort, "downscale": downscale, "strip": strip, "best_effort": best_effort,
        "max_pixels": max_pixels, "device": device,
    }  # fmt: skip
    given = {name: value for name, value in options.items() if value is not None}
    settings = Settings("encode", given, measure=measure)
    _run(sources, settings, to, PICTURE_ENDINGS, _engine(engine, workers, address), quiet)


def decode(
    sources: Sources,
    to: To,
    format: Annotated[str, typer.Option("--format", metavar="ENDING", help="png, webp, jpg, ...")] = "png",
    level: Annotated[
        int, typer.Option("--level", min=0, max=8, metavar="0..8", help="Halve the sides this many times.")
    ] = 0,
    workers: Workers = None,
    engine: EngineName = "local",
    address: Address = None,
    max_pixels: MaxPixels = None,
    max_memory: MaxMemory = None,
    device: Device = "cpu",
    quiet: Quiet = False,
) -> None:
    """Decode .lpc files to pictures, or tar shards of .lpc files to tar shards of pictures."""
    from PIL import Image

    from lpcodec.codec.bulk.unit import ENCODED, Settings

    ending = f".{format.lower().removeprefix('.')}"
    if Image.registered_extensions().get(ending) not in Image.SAVE:
        raise UsageError(f"--format {format}: Pillow writes no pictures that end in {ending}; use png")
    options = {"level": level, "max_pixels": max_pixels, "max_memory": max_memory, "device": device}
    settings = Settings("decode", {name: value for name, value in options.items() if value is not None}, ending)
    _run(sources, settings, to, frozenset({ENCODED}), _engine(engine, workers, address), quiet)


def _engine(name: str, workers: int | None, address: str | None) -> "Engine":
    if name == "ray":
        from lpcodec.codec.bulk import cluster

        return partial(cluster.run, workers=workers, address=address)
    if address is not None:
        raise UsageError("--address is for --engine ray")
    from lpcodec.codec.bulk import local

    return partial(local.run, workers=workers or _processors())


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(
    places: list[str], settings: "Settings", to: str, endings: frozenset[str], engine: "Engine", quiet: bool
) -> None:
    from lpcodec.codec.bulk import run, sources

    found = sources.find(places, endings)
    if found.left_out and not quiet:
        kind = "pictures" if settings.task == "encode" else ".lpc files"
        say(f"lpcodec: note: left out {plural(found.left_out, 'file')}: only {kind} are {settings.task}d")
    if not found.sources:
        raise UsageError(f"nothing to {settings.task} there")
    with_line = _line(quiet)
    try:
        summary = run.run(found, settings, to, endings, engine, with_line)
    finally:
        with_line(None, None)
    if not quiet or summary.failed:
        done = summary.pictures - summary.failed
        counts = (
            f"{plural(done, 'picture')} done, {plural(summary.before, 'file')} done before, {summary.failed:,} failed"
        )
        if summary.failed_before:
            counts += f" and {summary.failed_before:,} before (the manifest says why)"
        say(f"{counts}; {_sizes(summary)}")
    raise typer.Exit(summary.code)


def _line(quiet: bool) -> "Callable[[Summary | None, Row | None], None]":
    """What shows progress: on a terminal one line that is overwritten, elsewhere a new line from time to time."""
    terminal, last, shown = sys.stderr.isatty(), -SECONDS_BETWEEN_LINES, 0

    def tell(summary: "Summary | None", row: "Row | None") -> None:
        nonlocal last, shown
        if summary is None or (row is not None and row.error is not None):
            if shown:
                sys.stderr.write("\r" + " " * shown + "\r")
                shown = 0
            if row is not None:
                say(f"lpcodec: error: {row.name}: {row.error}")
            return
        now = time.monotonic()
        if quiet or now - last < (0.2 if terminal else SECONDS_BETWEEN_LINES):
            return
        last, words = now, progress_words(summary)
        if terminal:
            sys.stderr.write("\r" + words.ljust(shown))
            sys.stderr.flush()
            shown = len(words)
        else:
            say(words)

    return tell


def progress_words(summary: "Summary") -> str:
    """`1,234 pictures, 12.3 %, 5.1 pictures/s, 12.3 MB -> 1.2 MB (90 % saved), 0:12:30 left, 2 failed`."""
    words = [f"{plural(summary.pictures, 'picture')}, {100 * summary.part:.1f} %"]
    if summary.seconds > 0:
        words.append(f"{summary.pictures / summary.seconds:.1f} pictures/s")
    words.append(_sizes(summary))
    if summary.seconds_left is not None:
        words.append(f"{clock(summary.seconds_left)} left")
    if summary.failed:
        words.append(f"{summary.failed:,} failed")
    return ", ".join(words)


def _sizes(summary: "Summary") -> str:
    text = f"{_bytes(summary.bytes_in)} -> {_bytes(summary.bytes_out)}"
    saved = 100 * (1 - summary.bytes_out / summary.bytes_in) if summary.bytes_in else 0.0
    return f"{text} ({saved:.0f} % saved)" if saved > 0 else text


def _bytes(count: int) -> str:
    value, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"


app.command(epilog=ENCODE_EXAMPLES)(guarded(encode))
app.command(epilog=DECODE_EXAMPLES)(guarded(decode))
