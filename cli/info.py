"""`lpcodec info`: what .lpc files say about themselves."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from lpcodec.cli import batch, files, jobs
from lpcodec.cli.failures import printable
from lpcodec.cli.options import Json, Recursive, examples

EXAMPLES = examples("lpcodec info photo.lpc", "lpcodec info *.lpc --json")


def info(
    inputs: Annotated[list[str], typer.Argument(metavar="FILE...", help="The .lpc files, or folders; - is stdin.")],
    recursive: Recursive = False,
    as_json: Json = False,
) -> None:
    """Show the size, model, quality and sections of a file, without decoding it. Of several files, show a line each.

    With --json, print one object per line and file.
    """
    names = jobs.inputs_of(inputs, jobs.LPC_FILES, recursive=recursive)

    def work(source: str) -> None:
        from lpcodec.codec import api

        facts = api.info(files.read_whole(source))
        if as_json:
            typer.echo(json.dumps({"file": printable(source), **facts}))
        elif len(names) > 1:
            typer.echo(f"{printable(source)}: {_line(facts)}")
        else:
            _print_table(source, facts)

    code, _ = batch.for_each(names, work, str)
    raise typer.Exit(code)


def _line(facts: Mapping[str, Any]) -> str:
    """`768 x 512 RGB, 7,095 bytes, 0.144 bpp, quality 34.2, default`."""
    model = facts.get("model")
    quality = [f"quality {facts['quality']:.1f}"] if "quality" in facts else []
    name = "lossless" if model is None else model["name"] or f"model number {model['number']}"
    missing = [] if model is None or model["installed"] else ["not installed here"]
    size = f"{facts['width']} x {facts['height']} {facts['mode']}"
    return ", ".join([size, f"{facts['bytes']:,} bytes", f"{facts['bpp']:.3f} bpp", *quality, name, *missing])


def _print_table(source: str, facts: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(printable(source)), show_header=False, title_justify="left")
    for name, value in _rows(facts):
        table.add_row(Text(name, style="bold"), Text(value))
    Console().print(table)


def _rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The facts as rows of name and text. Each entry of a list is a row; the fields of an object are one text."""
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
