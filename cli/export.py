"""`lpcodec export`: from a training run to weights that the codec loads."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lpcodec.cli.failures import printable, say
from lpcodec.cli.options import Overwrite, examples

EXAMPLES = examples(
    "lpcodec export runs/default --name mine --data photos --out weights",
    "LPCODEC_WEIGHTS=weights lpcodec encode photo.png --bpp 0.15 --model mine",
    "LPCODEC_WEIGHTS=weights lpcodec report --data kodak --codecs lpcodec,mine",
)

_USES = {
    "codec": "encode photo.png --model {} codes with it",
    "upscaling": "upscale photo.png --model {} enlarges with it",
    "front-end": "show decompose photo.png --model {} splits with it",
}
"""By task: the command that uses new weights, and what it does with them."""


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The folder that lpcodec train wrote.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The model's name, yours to choose.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for weights and card.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="The training pictures, to fit the tables of hyperprior models to."),
    ] = None,
    order: Annotated[
        int,
        typer.Option(
            "--order", metavar="N", help="Place among the sets of weights of a model; the first is its default."
        ),
    ] = 0,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="Text for the card, such as where the data came from.")
    ] = "",
    overwrite: Overwrite = False,
) -> None:
    """Export a training run as weights in half precision with integer tables, and a card that describes them.

    With --data the tables are fitted to what the model codes. That takes minutes and saves some percent of the bits.
    """
    from lpcodec.codec import models
    from lpcodec.codec.training import export as exporting

    path = exporting.export(run=run, name=name, out=out, data=data, order=order, note=note, overwrite=overwrite)
    typer.echo(printable(str(path)))
    card = json.loads(path.with_suffix(".json").read_text("utf-8"))
    network = models.network_named(card["network"])
    if network.task in _USES:
        scales = card.get("scales", [2])
        chosen = name if 2 in scales else f"{name} --scale {scales[0]}"
        say(f"LPCODEC_WEIGHTS={out} lpcodec {_USES[network.task].format(chosen)}")
