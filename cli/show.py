"""`lpcodec show`: what front-ends and upscalers make of pictures, to look at and in figures."""

import dataclasses
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpcodec.cli import enlargement, files, progress
from lpcodec.cli.failures import guarded, printable, say
from lpcodec.cli.options import Json, MaxPixels, Quiet, Threads, examples, use_threads

if TYPE_CHECKING:
    from lpcodec.codec.evaluation.reconstruction import Row

DECOMPOSE_EXAMPLES = examples(
    "lpcodec show decompose photo.png --out bands", "lpcodec show decompose photo.png --out bands --model pyramid -k 3"
)
RECONSTRUCTION_EXAMPLES = examples(
    "lpcodec show reconstruction kodak", "lpcodec show reconstruction set5 photos --json"
)
EXAMPLES = examples("lpcodec show decompose photo.png --out bands", "lpcodec show reconstruction kodak")

FRONT_ENDS = "lpae, wae, wae-relu, pyramid, haar, cdf53, or a discrete wavelet of PyWavelets (db2)"

app = typer.Typer(
    help="What front-ends and upscalers make of pictures.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def decompose(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="A picture.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the pictures go.")],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="NAME",
            help=f"The front-end: {FRONT_ENDS}.",
        ),
    ] = "lpae",
    levels: Annotated[int, typer.Option("--levels", "-k", min=1, max=12, metavar="K", help="Levels.")] = 1,
    max_pixels: MaxPixels = None,
    threads: Threads = None,
) -> None:
    """Write a picture's approximation, its details and what comes back of them, as PNG.

    Details are mid-grey where they are zero, and strengthened to be seen.
    """
    use_threads(threads)
    from PIL import Image

    from lpcodec.codec import picture as pictures
    from lpcodec.codec.api import DEFAULT_MAX_PIXELS
    from lpcodec.codec.evaluation import reconstruction

    source = pictures.load_rgb(picture, max_pixels=max_pixels or DEFAULT_MAX_PIXELS)
    for note in source.notes:
        say(f"lpcodec: note: {picture}: {note}")
    shown = reconstruction.decompose(source.pixels, model, levels)
    files.make_folder(out)
    named = {"approximation.png": shown.approximation, "reconstruction.png": shown.reconstruction}
    named |= {f"detail-{level}.png": detail for level, detail in enumerate(shown.details, 1)}
    for name, pixels in named.items():
        files.write_whole(out / name, functools.partial(Image.fromarray(pixels).save, format="PNG"))
    for level, gain in enumerate(shown.gains, 1):
        typer.echo(printable(f"{out / f'detail-{level}.png'}: {gain:.3g} times as strong"))
    typer.echo(printable(f"{out / 'reconstruction.png'}: {shown.psnr:.2f} dB (of the floats, before rounding)"))


def reconstruction(
    data: Annotated[
        list[str], typer.Argument(metavar="NAME_OR_FOLDER...", help="Sets (lpcodec datasets list), or folders.")
    ],
    as_json: Json = False,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Print how much comes back of pictures, PSNR in dB, beside Table 1 of the LPAE paper (DIV2K)."""
    use_threads(threads)
    from lpcodec.codec.evaluation import reconstruction as measuring

    with progress.over_report(quiet=quiet) as tell:
        rows = measuring.table(data, lambda done, whole, name: tell(done, whole, None, name))
    if as_json:
        found = {"printed": measuring.PRINTED, "rows": [dataclasses.asdict(row) for row in rows]}
        typer.echo(json.dumps(found, indent=2))
    else:
        _print_table(rows, measuring.PRINTED)


def _print_table(rows: "list[Row]", printed: dict[str, float]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    methods = list(rows[0].psnr)
    table = Table()
    table.add_column("data")
    for heading in ("pictures", *methods):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(Text(printable(row.data)), str(row.pictures), *(f"{row.psnr[method]:.2f}" for method in methods))
    table.add_row("printed: DIV2K", "", *(f"{printed[m]:.2f}" if m in printed else "" for m in methods))
    Console().print(table)


app.command(epilog=DECOMPOSE_EXAMPLES)(guarded(decompose))
app.command(epilog=RECONSTRUCTION_EXAMPLES)(guarded(reconstruction))
app.command(epilog=enlargement.EXAMPLES)(guarded(enlargement.enlargement))
