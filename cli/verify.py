"""`lpcodec verify`: check that files are whole."""

from typing import Annotated

import typer

from lpcodec.cli import batch, files, jobs
from lpcodec.cli.failures import printable
from lpcodec.cli.options import MaxPixels, Quiet, Recursive, Untrusted, examples, limits

EXAMPLES = examples("lpcodec verify photo.lpc", "lpcodec verify archive --recursive --quiet || echo damaged")


def verify(
    inputs: Annotated[list[str], typer.Argument(metavar="FILE...", help="The .lpc files, or folders; - is stdin.")],
    recursive: Recursive = False,
    max_pixels: MaxPixels = None,
    untrusted: Untrusted = False,
    quiet: Quiet = False,
) -> None:
    """Check files to the last symbol: checksums, digest, and every coded symbol. No picture is made."""
    names = jobs.inputs_of(inputs, jobs.LPC_FILES, recursive=recursive)

    def work(source: str) -> None:
        from lpcodec.codec import api

        api.verify(files.read_whole(source), max_pixels=limits(untrusted, max_pixels, None)["max_pixels"])
        if not quiet:
            typer.echo(f"{printable(source)}: ok")

    code, _ = batch.for_each(names, work, str)
    raise typer.Exit(code)
