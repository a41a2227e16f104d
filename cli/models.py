"""`lpcodec models`: the models that are installed here."""

import json
from typing import Any

import typer

from lpcodec.cli.options import Json, examples

EXAMPLES = examples("lpcodec models", "lpcodec models --json")


def models(as_json: Json = False) -> None:
    """List the models: name, kind, parameters, digest."""
    from lpcodec.codec import models as registry

    described = registry.describe()
    if as_json:
        typer.echo(json.dumps(described, indent=2, default=_as_hex))
    else:
        _print_table(described)


def _as_hex(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _print_table(described: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in ("model", "kind", "parameters", "digest", "weights", "what it is"):
        table.add_column(heading, justify="right" if heading == "parameters" else "left")
    for model in described:
        digest = model.get("digest")
        table.add_row(
            Text(model["name"], style="bold"),
            model.get("kind", ""),
            f"{model['parameters']:,}",
            _as_hex(digest)[:8] if digest else "",  # the part that files carry
            "installed" if model.get("weights", True) else "none",
            Text(model.get("description", "")),
        )
    Console().print(table)
