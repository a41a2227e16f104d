"""`lpcodec info`: what an .lpc file says about itself."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from lpcodec.cli import batch, files
from lpcodec.cli.failures import printable
from lpcodec.cli.options import Json, examples

EXAMPLES = examples("lpcodec info photo.lpc", "lpcodec info *.lpc --json")


def info(
    inputs: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The .lpc files; - is stdin.")],
    as_json: Json = False,
) -> None:
    """Show size, model, quality and sections of files, without decoding them. As JSON: one object a line."""

    def work(source: str) -> None:
        from lpcodec.codec import api

        facts = api.info(files.read_whole(source))
        if as_json:
            typer.echo(json.dumps({"file": printable(source), **facts}))
        else:
            _print_table(source, facts)

    code, _ = batch.for_each([str(path) for path in inputs], work, str)
    raise typer.Exit(code)


def _print_table(source: str, facts: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(printable(source)), show_header=False, title_justify="left")
    for name, value in _rows(facts):
        table.add_row(Text(name, style="bold"), Text(value))
    Console().print(table)


def _rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The facts in words: a list gets a row an entry, what lies in an object is told behind its name."""
    for key, value in facts.items():
        name = key.replace("_", " ")
        if key == "levels":
            for entry in value:
                yield f"level {entry['level']}", _level_words(entry)
        elif isinstance(value, list):
            for entry in value:
                yield name.removesuffix("s"), _words(entry)
        else:
            yield name, _words(value)


def _level_words(level: Mapping[str, Any]) -> str:
    """`384 x 256 pixels, from the first 4,321 bytes (23.4 %), of which 3,210 are its own`."""
    share = f"the first {level['bytes_to_here']:,} bytes ({100 * level['part']:.3g} %)"
    return f"{level['width']} x {level['height']} pixels, from {share}, of which {level['bytes']:,} are its own"


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{str(key).replace('_', ' ')} {_words(entry)}" for key, entry in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value is None else str(value)
