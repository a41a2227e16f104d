"""`lpcodec encode`: pictures to .lpc files."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lpcodec.cli import batch, files, jobs
from lpcodec.cli.failures import printable, say
from lpcodec.cli.options import (
    BestEffort,
    Bpp,
    Device,
    Downscale,
    Effort,
    FixedQuality,
    Lossless,
    MaxPixels,
    OutDir,
    Output,
    Overwrite,
    Psnr,
    Quiet,
    Recursive,
    Size,
    SkipExisting,
    Strip,
    Threads,
    Tune,
    complete_models,
    examples,
    use_threads,
)
from lpcodec.codec.errors import UsageError
from lpcodec.codec.progress import Progress

if TYPE_CHECKING:
    from lpcodec.codec.encoding import EncodeResult

ENDING = ".lpc"
EXAMPLES = examples(
    "lpcodec encode photo.png --bpp 0.15",
    "lpcodec encode photo.png small.lpc --size 20k",
    "lpcodec encode *.jpg --out-dir coded --psnr 34 --skip-existing",
    "lpcodec encode photos coded --recursive -q 60",
    "lpcodec encode scan.png --lossless",
    "lpcodec encode logo.png --background white",
    "lpcodec encode photo.png --bpp 0.15 --effort 4",
    "lpcodec encode photo.png whole.lpc --bpp 0.05 --downscale 1",
    "lpcodec encode - - -q 50 < photo.png > photo.lpc",
)


def encode(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="IN [OUT]",
            help="A picture (.png, .jpg, .webp, .avif, .heic, .jxl, .tif and more) or a folder of them, and where to "
            "write (default: beside it). - is stdin, stdout.",
        ),
    ],
    bpp: Bpp = None,
    size: Size = None,
    psnr: Psnr = None,
    quality: FixedQuality = None,
    lossless: Lossless = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            autocompletion=complete_models,
            help="The model to code with: see lpcodec models.",
        ),
    ] = None,
    tune: Tune = None,
    effort: Effort = 1,
    downscale: Downscale = "auto",
    strip: Strip = False,
    background: Annotated[
        str | None,
        typer.Option(
            "--background", metavar="COLOR", help="Put the picture on this colour (white, #rrggbb); no alpha is coded."
        ),
    ] = None,
    alpha_quality: Annotated[
        float | None,
        typer.Option(
            "--alpha-quality",
            min=0.0,
            max=100.0,
            metavar="0..100",
            help="100 codes alpha without loss; 90, the default, with an error of at most 2 of 255 levels.",
        ),
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Keep the colours of transparent pixels.")] = False,
    best_effort: BestEffort = False,
    output: Output = None,
    out_dir: OutDir = None,
    recursive: Recursive = False,
    overwrite: Overwrite = False,
    skip_existing: SkipExisting = False,
    max_pixels: MaxPixels = None,
    threads: Threads = None,
    device: Device = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Report each file on stdout as one line of JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Encode pictures to .lpc files. Give at most one target: --bpp, --size, --psnr, --quality or --lossless."""
    if sum(target is not None for target in (bpp, size, psnr, quality)) + lossless > 1:
        raise UsageError("give one target at most: --bpp, --size, --psnr, --quality or --lossless")
    planned, notes = jobs.plan(inputs, jobs.PICTURES, ENDING, output=output, out_dir=out_dir, recursive=recursive)
    for job in planned:
        # If --out-dir was forgotten, two pictures look like IN OUT, and the second would be replaced.
        if job.named and job.target is not None and jobs.is_picture(job.target):
            raise UsageError(
                f"{job.target} looks like a second picture: name an OUT that doesn't, or give --out-dir DIR"
            )
        if as_json and job.target is None:
            raise UsageError("--json and the file can't both go to standard output: name an OUT")
    todo = jobs.missing(planned, skip_existing=skip_existing, overwrite=overwrite)
    options: dict[str, Any] = {
        "model": model or "default",
        "tune": tune,
        "quality": quality,
        "bpp": bpp,
        "size": size,
        "psnr": psnr,
        "lossless": lossless,
        "effort": effort,
        "downscale": downscale,
        "background": background,
        "alpha_quality": alpha_quality,
        "device": device,
    }
    if todo:
        use_threads(threads)
        _check(options)

    def work(job: jobs.Job, progress: Progress) -> None:
        from lpcodec.codec import api

        started = time.perf_counter()
        data = files.read_whole("-") if job.source == "-" else None
        result = api.encode_report(
            Path(job.source) if data is None else data,
            strip=strip,
            exact=exact,
            best_effort=best_effort,
            max_pixels=max_pixels,
            progress=progress,
            **options,
        )
        files.write_whole(job.target, lambda stream: stream.write(result.data))
        size_before = Path(job.source).stat().st_size if data is None else len(data)
        facts = _facts(job, result, size_before, time.perf_counter() - started)
        if as_json:
            typer.echo(json.dumps(facts))
        elif not quiet:
            for note in result.notes:
                say(f"lpcodec: note: {job.source}: {note}")
            say(f"{job.words}: {_summary(facts)}")

    batch.run(planned, todo, notes, work, quiet=quiet)


def _check(options: Mapping[str, Any]) -> None:
    """Raise what `api.encode` would raise for these options, before the first picture is read."""
    from lpcodec.codec import api

    api.check_encode(**options)


def _facts(job: jobs.Job, result: "EncodeResult", size_before: int, seconds: float) -> dict[str, Any]:
    """What `--json` prints: sizes in bytes, PSNR in dB. The PSNR is null unless it was the target and is finite."""
    finite = result.psnr is not None and math.isfinite(result.psnr)
    return {
        "file": printable(job.source),
        "output": "-" if job.target is None else printable(str(job.target)),
        "input_bytes": size_before,
        "bytes": len(result.data),
        "bpp": result.bpp,
        "quality": result.quality,
        "psnr": result.psnr if finite else None,
        "lossless": result.lossless,
        "model": result.model,
        "downscale": result.downscale,
        "width": result.width,
        "height": result.height,
        "seconds": round(seconds, 3),
        "notes": list(result.notes),
    }


def _summary(facts: Mapping[str, Any]) -> str:
    """`12,345 bytes, 97.1 % smaller than 430,102, 0.150 bpp, quality 34.2, 34.05 dB, default, 2.1 s`."""
    parts = [f"{facts['bytes']:,} bytes"]
    if facts["input_bytes"]:
        saved = 1 - facts["bytes"] / facts["input_bytes"]
        parts.append(f"{abs(100 * saved):.1f} % {'smaller' if saved >= 0 else 'larger'} than {facts['input_bytes']:,}")
    parts.append(f"{facts['bpp']:.3f} bpp")
    if facts["quality"] is not None:
        parts.append(f"quality {facts['quality']:.1f}")
    if facts["psnr"] is not None:
        parts.append(f"{facts['psnr']:.2f} dB")
    if facts["downscale"] > 1:
        parts.append(f"coded at 1/{facts['downscale']} of its sides")
    parts += ["lossless" if facts["lossless"] else facts["model"], f"{facts['seconds']:.1f} s"]
    return ", ".join(parts)
