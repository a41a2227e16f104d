"""`lpcodec models`: the models that are installed here."""

import json
from typing import Any

import typer

from lpcodec.cli.options import Json, examples

EXAMPLES = examples("lpcodec models", "lpcodec models --json")


def models(as_json: Json = False) -> None:
    """List the installed models: name, number of parameters, cost, digest of the weights, and a description.

    The cost is that of decoding, synthesis + entropy coding, in thousands of multiply-accumulates per pixel. The models
    that code pictures come first, then the front-ends, which split pictures into bands, and the networks that enlarge.
    """
    from lpcodec.codec import models as registry

    described = registry.describe()
    if as_json:
        typer.echo(json.dumps(described, indent=2, default=_as_hex))
    else:
        _print_table(described)


def _as_hex(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _cost(kmac: dict[str, float] | None) -> str:
    """Thousands of multiply-accumulates per pixel: synthesis + entropy coding, or by scale if the network enlarges."""
    if kmac is None:
        return ""
    if "synthesis" in kmac:
        return f"{kmac['synthesis']:.1f}" + (f" + {kmac['entropy']:.1f}" if "entropy" in kmac else "")
    return ", ".join(f"{cost:.1f} ({part})" for part, cost in kmac.items())


def _print_table(described: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in ("model", "parameters", "decode kMAC/px", "weights"):
        number = heading in ("parameters", "decode kMAC/px")
        table.add_column(heading, justify="right" if number else "left", no_wrap=heading != "decode kMAC/px")
    table.add_column("what it is")
    usable = [model for model in described if model.get("digest")]
    for model, following in zip(usable, [*usable[1:], None], strict=True):
        table.add_row(
            Text(model["name"], style="bold"),
            f"{model['parameters']:,}",
            _cost(model.get("kmac_per_pixel")),
            _as_hex(model["digest"])[:8],  # the part that files carry
            Text(model.get("description", "")),
            end_section=following is not None and following.get("task") != model.get("task"),
        )
    console = Console()
    console.print(table)
    console.print("encode uses the model default unless --model names another.", highlight=False)
    if untrained := [model["name"] for model in described if not model.get("digest")]:
        console.print(f"Without weights; lpcodec train makes some: {', '.join(untrained)}.", highlight=False)
