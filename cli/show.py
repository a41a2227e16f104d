"""`lpcodec show`: what front-ends and upscalers do to pictures, as pictures and as figures."""

import dataclasses
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpcodec.cli import enlargement, files, progress
from lpcodec.cli.failures import guarded, printable, say
from lpcodec.cli.options import Json, MaxPixels, Overwrite, Quiet, Threads, examples, use_threads
from lpcodec.codec.errors import UsageError
from lpcodec.codec.storage import make_folder

if TYPE_CHECKING:
    from lpcodec.codec.evaluation.reconstruction import Row

DECOMPOSE_EXAMPLES = examples(
    "lpcodec show decompose photo.png",
    "lpcodec show decompose photo.png --model db2 --levels 3 --out bands",
    "lpcodec show decompose photo.png --model pyramid -k 3",
)
RECONSTRUCTION_EXAMPLES = examples(
    "lpcodec show reconstruction kodak", "lpcodec show reconstruction set5 photos --json"
)
EXAMPLES = examples("lpcodec show decompose photo.png", "lpcodec show reconstruction kodak")

FRONT_ENDS = "lpae, wae, wae-relu, pyramid, haar, cdf53, or a discrete wavelet of PyWavelets (db2)"

app = typer.Typer(
    help="Show what front-ends (LPAE, WAE, the Laplacian pyramid, wavelets) and upscalers do to pictures.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def decompose(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="A picture.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The folder to write to (default: NAME-bands, here).")
    ] = None,
    model: Annotated[
        str,
        typer.Option("--model", metavar="NAME", help=f"The front-end: {FRONT_ENDS}."),
    ] = "lpae",
    levels: Annotated[int, typer.Option("--levels", "-k", min=1, max=12, metavar="K", help="Number of levels.")] = 1,
    overwrite: Overwrite = False,
    max_pixels: MaxPixels = None,
    threads: Threads = None,
) -> None:
    """Write a picture's approximation, its details and its reconstruction as PNG.

    Details are shown amplified, and mid-grey where they are zero. A wavelet has three details per level: lh (rows), hl
    (columns) and hh (diagonals).
    """
    use_threads(threads)
    folder = out or Path(f"{picture.stem}-bands")
    if out is None and folder.exists() and not overwrite:
        raise UsageError(f"{folder} is there already: --overwrite replaces its pictures, or give --out")
    from PIL import Image

    from lpcodec.codec import picture as pictures
    from lpcodec.codec.api import DEFAULT_MAX_PIXELS
    from lpcodec.codec.evaluation import reconstruction

    source = pictures.load_rgb(picture, max_pixels=max_pixels or DEFAULT_MAX_PIXELS)
    for note in source.notes:
        say(f"lpcodec: note: {picture}: {note}")
    shown = reconstruction.decompose(source.pixels, model, levels)
    make_folder(folder)
    named = {"approximation": shown.approximation, "reconstruction": shown.reconstruction}
    named |= {f"detail-{detail.name}": detail.pixels for detail in shown.details}
    for name, pixels in named.items():
        path = folder / f"{name}.png"
        files.write_whole(path, functools.partial(Image.fromarray(pixels).save, format="PNG"))
    for detail in shown.details:
        typer.echo(printable(f"{folder / f'detail-{detail.name}.png'}: {detail.gain:.3g} times as strong"))
    typer.echo(printable(f"{folder / 'reconstruction.png'}: {shown.psnr:.2f} dB (of the floats, before rounding)"))


def reconstruction(
    data: Annotated[
        list[str], typer.Argument(metavar="NAME_OR_FOLDER...", help="Sets (lpcodec datasets list), or folders.")
    ],
    as_json: Json = False,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Print the PSNR in dB of pictures that were split and merged, beside Table 1 of the LPAE paper (DIV2K)."""
    use_threads(threads)
    from lpcodec.codec.evaluation import reconstruction as measuring

    with progress.over_run("measuring", quiet=quiet) as show:
        rows = measuring.table(data, show)
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
