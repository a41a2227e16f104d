"""`lpcodec compare`: a page with one picture, coded by us and by other codecs at the same number of bytes."""

from pathlib import Path
from typing import Annotated

import typer

from lpcodec.cli import progress
from lpcodec.cli.failures import printable, say
from lpcodec.cli.jobs import check_writable
from lpcodec.cli.options import Overwrite, Quiet, complete_models, examples, names, rates
from lpcodec.codec.errors import UsageError

EXAMPLES = examples(
    "lpcodec compare photo.png",
    "lpcodec compare photo.png --codecs avif-default,jpeg,jxl --bpp 0.1,0.3,0.6",
    "lpcodec compare photo.png --out photo.html --overwrite",
)


def compare(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="A picture.")],
    codecs: Annotated[
        str, typer.Option("--codecs", metavar="LIST", help="Codecs to compare with; avif-default is Pillow's AVIF.")
    ] = "avif-default,jpeg",
    bpp: Annotated[str, typer.Option("--bpp", metavar="LIST", help="Rates in bits per pixel.")] = "0.15,0.3",
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="The model of lpcodec.", autocompletion=complete_models)
    ] = "default@visual",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The page (default: NAME-compare.html, here).")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Code a picture at some rates, and by other codecs at the same number of bytes; write a page to compare them.

    The page is one file that holds everything, so it can be sent to others.
    """
    from lpcodec.codec.atomic import write_whole
    from lpcodec.codec.evaluation.codecs import registry
    from lpcodec.codec.evaluation.report import comparison
    from lpcodec.codec.evaluation.run.originals import load_original

    page = out or Path(f"{picture.stem}-compare.html")
    if page.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out {page}: browsers show a page by its ending, so name a file that ends in .html")
    if page.exists() and not overwrite and out is None:
        raise UsageError(f"{page} is there already: --overwrite replaces it, or give another --out")
    check_writable(page)
    near = rates(bpp)
    if not near:
        raise UsageError("--bpp needs at least one rate, such as 0.15,0.3")
    wanted = names(codecs)
    for name, advice in registry.missing(wanted).items():
        say(f"lpcodec: note: {name} is left out, because it isn't installed here: {advice}.")
    ours = registry.find_codec(model)
    others = [registry.find_codec(name) for name in wanted if name not in registry.missing(wanted)]
    original = load_original(picture, picture.stem)
    for note in original.notes:
        say(f"lpcodec: note: {printable(str(picture))}: {note}")
    with progress.over_run("measuring", quiet=quiet) as show:
        results = comparison.compare(original, ours, others, near, show)
        html = comparison.comparison_page(results, original, [ours, *others], near, show)
    write_whole(page, lambda stream: stream.write(html.encode()))
    if not quiet:
        titles = {about.name: about.title for about in results.codecs}
        for point in results.target_points:
            typer.echo(f"{titles[point.codec]}: {point.bytes:,} bytes, {point.bpp:.3f} bpp, {point.psnr:.2f} dB")
        typer.echo(f"look at {printable(str(page))}")
