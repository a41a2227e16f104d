"""`lpcodec export`: a training run to weights that the codec loads."""

from pathlib import Path
from typing import Annotated

import typer

from lpcodec.cli.failures import printable
from lpcodec.cli.options import examples

EXAMPLES = examples("lpcodec export runs/default --name default --out weights")


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The folder that lpcodec train wrote.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The model's name.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where weights and card go.")],
) -> None:
    """Export a run: weights in half precision, integer tables, digest and card."""
    from lpcodec.codec.training import export as exporting

    typer.echo(printable(str(exporting.export(run=run, name=name, out=out))))
