"""The options that several commands share, and the numbers that people write (20k, 1.5M, 15m)."""

import math
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from lpcodec.codec.limits import UNTRUSTED_MEMORY, UNTRUSTED_PIXELS

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:(k|m|g)(i?))?b?", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)", re.IGNORECASE)
_POWER = {"": 0, "k": 1, "m": 2, "g": 3}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def amount(text: str) -> int:
    """A number of bytes or pixels: 20000, 20k, 20KB, 1.5M by thousands; 20Ki, 1MiB by powers of 1024."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no amount: write 20000, 20k, 20KB or 1.5M")
    number, prefix, binary = match.groups(default="")
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
    """The end of a command's help: one example per line."""
    return "\n".join(("[bold]Examples[/bold]", *(line.replace("[", r"\[") for line in lines)))


def complete_models(incomplete: str) -> list[str]:
    """The names of installed codecs that begin with `incomplete`, for the shell's completion."""
    from lpcodec.codec import models

    return [name for name in models.names() if name.startswith(incomplete)]


Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="OUT", help="Write there: a file, or a folder that exists."),
]
OutDir = Annotated[
    Path | None,
    typer.Option("--out-dir", metavar="DIR", help="Write into this folder; for one input or many."),
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Search the folders in folders too; outputs keep the tree.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that are there already.")]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Keep outputs that are there, whatever made them: resumes a batch.")
]
Downscale = Annotated[
    Any,
    typer.Option(
        "--downscale",
        parser=downscale,
        metavar="auto|1|2|4",
        help="Code pictures at 1, 1/2 or 1/4 of their sides; auto, the default, tries the smaller ones at low rates.",
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        parser=amount,
        metavar="N",
        help="Refuse pictures of more pixels: 50M. The default is 268M.",
    ),
]
MaxMemory = Annotated[
    int | None,
    typer.Option("--max-memory", parser=amount, metavar="BYTES", help="Refuse what would need more memory, e.g. 2G."),
]
Untrusted = Annotated[
    bool,
    typer.Option(
        "--untrusted",
        help="For strangers' files: small limits, 40M pixels and 2G bytes, where --max-pixels or --max-memory say "
        "nothing else.",
    ),
]
Threads = Annotated[int | None, typer.Option("--threads", "-j", min=1, metavar="N", help="Threads to compute with.")]
Device = Annotated[str, typer.Option("--device", metavar="NAME", help="Where the networks run: cpu, cuda or cuda:N.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def limits(untrusted: bool, max_pixels: int | None, max_memory: int | None) -> dict[str, int | None]:
    """The limits to decode with: those that were given, then those for strangers' files, then the library's own."""
    if untrusted:
        max_pixels = UNTRUSTED_PIXELS if max_pixels is None else max_pixels
        max_memory = UNTRUSTED_MEMORY if max_memory is None else max_memory
    return {"max_pixels": max_pixels, "max_memory": max_memory}


def use_threads(count: int | None) -> None:
    """Bound the threads torch computes with; None leaves its own choice."""
    if count is not None:
        import torch

        torch.set_num_threads(count)


def check_device(device: str) -> None:
    """Raise UsageError unless networks can run on `device`."""
    from lpcodec.codec import devices

    devices.check_device(device)


def names(text: str) -> tuple[str, ...]:
    """`a,b,c`, or `none`: the names in a list, each once."""
    found = [part.strip() for part in text.split(",")]
    return tuple(dict.fromkeys(part for part in found if part and part != "none"))


def rates(text: str) -> tuple[float, ...]:
    """`0.15,0.3`, or `none`: the positive numbers in a list, rising."""
    try:
        found = sorted({float(part) for part in names(text)})
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of rates: write 0.15,0.3") from None
    if any(not 0 < rate < math.inf for rate in found):
        raise typer.BadParameter(f"{text!r}: rates are positive")
    return tuple(found)
