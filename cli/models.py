"""`lpcodec models`: the models that are installed here."""

import json
from typing import Any

import typer

from lpcodec.cli.options import Json, examples

EXAMPLES = examples("lpcodec models", "lpcodec models --json")


def models(as_json: Json = False) -> None:
    """List the models: name, parameters, cost (synthesis + entropy side), digest of the weights. Codecs first, then
    what only splits pictures."""
    from lpcodec.codec import models as registry

    described = registry.describe()
    if as_json:
        typer.echo(json.dumps(described, indent=2, default=_as_hex))
    else:
        _print_table(described)


def _as_hex(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _cost(kmac: dict[str, float] | None) -> str:
    """Thousands of multiply-accumulates per pixel: synthesis + entropy side if a model has one, or each scale of a
    network that enlarges."""
    if kmac is None:
        return ""
    if "synthesis" not in kmac:
        return ", ".join(f"{value:.1f} ({name})" for name, value in kmac.items())
    return f"{kmac['synthesis']:.1f}" + (f" + {kmac['entropy']:.1f}" if "entropy" in kmac else "")


def _print_table(described: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in ("model", "parameters", "decode kMAC/px", "weights"):
        number = heading in ("parameters", "decode kMAC/px")
        table.add_column(heading, justify="right" if number else "left", no_wrap=heading != "decode kMAC/px")
    table.add_column("what it is")
    for model, following in zip(described, [*described[1:], None], strict=True):
        digest = model.get("digest")
        table.add_row(
            Text(model["name"], style="bold"),
            f"{model['parameters']:,}",
            _cost(model.get("kmac_per_pixel")),
            _as_hex(digest)[:8] if digest else "none",  # the part that files carry
            Text(model.get("description", "")),
            end_section=following is not None and following.get("task") != model.get("task"),
        )
    Console().print(table)
