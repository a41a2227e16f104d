"""The options that several commands share, and how their values are read (20k, 1.5M, 15m, 0.15,0.3)."""

import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lpcodec.codec.errors import UsageError
from lpcodec.codec.limits import MOST_THREADS, UNTRUSTED_MEMORY, UNTRUSTED_PIXELS

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:(k|m|g)(i?))?b?", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)", re.IGNORECASE)
_POWER = {"": 0, "k": 1, "m": 2, "g": 3}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def amount(text: str) -> int:
    """A number of bytes or pixels: 20000, 20k, 20KB, 1.5M (powers of 1000), or 20Ki, 1MiB (powers of 1024)."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no amount: write 20000, 20k, 20KB or 1.5M")
    number, prefix, binary = match.groups(default="")
    if not prefix and not float(number).is_integer():
        raise typer.BadParameter(f"{text!r}: give a whole number, or one with k, M or G")
    whole = int(float(number) * (1024 if binary else 1000) ** _POWER[prefix.lower()])
    if whole < 1:
        raise typer.BadParameter(f"{text!r}: give at least 1")
    return whole


def box(text: str) -> tuple[int, int, int, int]:
    """A part of a picture, `2000,1000,512,512`: left, top, width and height in pixels."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(part.isdecimal() for part in parts) or 0 in map(int, parts[2:]):
        raise typer.BadParameter(f"{text!r} is no region: write LEFT,TOP,WIDTH,HEIGHT in pixels, as 2000,1000,512,512")
    left, top, width, height = map(int, parts)
    return left, top, width, height


def duration(text: str) -> float:
    """A number of seconds: 90, 90s, 15m, 2h."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no duration: write 90, 90s, 15m or 2h")
    number, unit = match.groups()
    return float(number) * _SECONDS[unit.lower()]


def downscale(text: str) -> int | str:
    """What `lpcodec.encode` takes as downscale: `auto`, 1, 2 or 4."""
    if text not in ("auto", "1", "2", "4"):
        raise typer.BadParameter(f"{text!r}: it is auto, 1, 2 or 4")
    return int(text) if text.isdecimal() else text


def examples(*lines: str) -> str:
    """The examples at the end of a command's help, one per line."""
    return "\n".join(("[bold]Examples[/bold]", *(line.replace("[", r"\[") for line in lines)))


def complete_models(incomplete: str) -> list[str]:
    """The names of installed codecs that begin with `incomplete`, for the shell's completion."""
    from lpcodec.codec import models

    return [name for name in models.names() if name.startswith(incomplete)]


Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="OUT", help="The file to write, or an existing folder to write into."),
]
OutDir = Annotated[
    Path | None,
    typer.Option("--out-dir", metavar="DIR", help="The folder to write into; it is made if it isn't there."),
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Take the files in subfolders too; outputs keep the tree.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Do only the inputs without an output: continues a stopped run.")
]
Bpp = Annotated[
    float | None,
    typer.Option(
        "--bpp", metavar="B", help="At most B bits per pixel; at least 97 % of that if the picture can use it."
    ),
]
Size = Annotated[
    int | None,
    typer.Option("--size", parser=amount, metavar="BYTES", help="The same in bytes: 20000, 20k, 1.5M."),
]
Psnr = Annotated[
    float | None,
    typer.Option("--psnr", metavar="DB", help="At least this PSNR in dB; lossless if no quality reaches it."),
]
FixedQuality = Annotated[
    float | None,
    typer.Option(
        "--quality",
        "-q",
        min=0.0,
        max=100.0,
        metavar="0..100",
        help="A fixed quality; 100 is the finest, 40 the default.",
    ),
]
Lossless = Annotated[bool, typer.Option("--lossless", help="Store the picture without loss.")]
Tune = Annotated[
    Literal["psnr", "visual"] | None,
    typer.Option(
        "--tune",
        help="Weights trained on what people see (visual, the default) or on squared error (psnr, the default with "
        "--psnr).",
    ),
]
Effort = Annotated[
    int,
    typer.Option(
        "--effort",
        min=0,
        max=9,
        metavar="0..9",
        help="Search longer for a smaller file that looks the same, or has the same PSNR with --tune psnr; 9 is far "
        "slower than 1, 0 twice as fast.",
    ),
]
Strip = Annotated[bool, typer.Option("--strip", help="Leave out ICC, EXIF and XMP.")]
BestEffort = Annotated[
    bool,
    typer.Option("--best-effort", help="If no file fits --bpp or --size, write the smallest one instead of failing."),
]
Downscale = Annotated[
    Any,
    typer.Option(
        "--downscale",
        parser=downscale,
        metavar="auto|1|2|4",
        help="Code pictures with their sides divided by 1, 2 or 4; auto, the default, takes the best at low rates.",
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        parser=amount,
        metavar="N",
        help="Refuse pictures of more than N pixels, e.g. 50M. The default is 268M.",
    ),
]
MaxMemory = Annotated[
    int | None,
    typer.Option(
        "--max-memory", parser=amount, metavar="BYTES", help="Refuse files that may take more memory, e.g. 2G."
    ),
]
Untrusted = Annotated[
    bool,
    typer.Option(
        "--untrusted",
        help="For strangers' files: at most 40M pixels and 2G bytes of memory, unless --max-pixels or --max-memory "
        "give other limits.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", "-j", min=1, max=MOST_THREADS, metavar="N", help="Threads to compute with."),
]
Device = Annotated[str, typer.Option("--device", metavar="NAME", help="Where the networks run: cpu, cuda or cuda:N.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def limits(untrusted: bool, max_pixels: int | None, max_memory: int | None) -> dict[str, int | None]:
    """The limits to decode with: those that are given; else, if `untrusted`, those for strangers' files; else None,
    which means the library's own."""
    if untrusted:
        max_pixels = UNTRUSTED_PIXELS if max_pixels is None else max_pixels
        max_memory = UNTRUSTED_MEMORY if max_memory is None else max_memory
    return {"max_pixels": max_pixels, "max_memory": max_memory}


def use_threads(count: int | None) -> None:
    """Set the number of threads that torch computes with; None leaves torch's own choice."""
    if count is not None:
        import torch

        torch.set_num_threads(count)


def check_device(device: str) -> None:
    """Raise UsageError unless networks can run on `device`."""
    from lpcodec.codec import devices

    devices.check_device(device)


def names(text: str) -> tuple[str, ...]:
    """The names in a list such as `a,b,c`, each once; none for `none`."""
    found = [part.strip() for part in text.split(",")]
    return tuple(dict.fromkeys(part for part in found if part and part != "none"))


def rates(text: str, option: str = "--bpp") -> tuple[float, ...]:
    """The rates in a list such as `0.15,0.3`, positive and sorted; none for `none`. `option` gave the list.

    Raises UsageError for anything else.
    """
    try:
        found = sorted({float(part) for part in names(text)})
    except ValueError:
        raise UsageError(f"{option} {text}: no list of rates; write 0.15,0.3") from None
    if any(not 0 < rate < math.inf for rate in found):
        raise UsageError(f"{option} {text}: rates are positive")
    return tuple(found)
