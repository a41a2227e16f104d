"""`lpcodec export`: a training run to weights that the codec loads."""

from pathlib import Path
from typing import Annotated

import typer

from lpcodec.cli.failures import printable
from lpcodec.cli.options import examples

EXAMPLES = examples(
    "lpcodec export runs/default --name default --data photos --out weights",
    "LPCODEC_WEIGHTS=weights lpcodec encode photo.png --bpp 0.15",
)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The folder that lpcodec train wrote.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The model's name.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where weights and card go.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="The training pictures: fits the default model's tables to them."),
    ] = None,
    order: Annotated[
        int, typer.Option("--order", metavar="N", help="Place among several weights of a network; 0 is its default.")
    ] = 0,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="For the card: where the data came from, say.")
    ] = "",
) -> None:
    """Export a run: weights in half precision, integer tables, digest and card.

    With --data the tables are fitted to what the model codes, which saves some percent and takes minutes.
    """
    from lpcodec.codec.training import export as exporting

    typer.echo(printable(str(exporting.export(run=run, name=name, out=out, data=data, order=order, note=note))))
