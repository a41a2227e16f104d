"""`lpcodec verify`: whether files are whole."""

from pathlib import Path
from typing import Annotated

import typer

from lpcodec.cli import batch, files
from lpcodec.cli.failures import printable
from lpcodec.cli.options import MaxPixels, Quiet, examples

EXAMPLES = examples("lpcodec verify photo.lpc", "lpcodec verify archive/*.lpc --quiet || echo damaged")


def verify(
    inputs: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The .lpc files; - is stdin.")],
    max_pixels: MaxPixels = None,
    quiet: Quiet = False,
) -> None:
    """Check files to the last symbol: checksums, digest, and every coded number. No picture is made."""

    def work(source: str) -> None:
        from lpcodec.codec import api

        api.verify(files.read_whole(source), max_pixels=max_pixels)
        if not quiet:
            typer.echo(f"{printable(source)}: ok")

    code, _ = batch.for_each([str(path) for path in inputs], work, str)
    raise typer.Exit(code)
