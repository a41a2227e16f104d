"""`lpcodec show enlargement`: upscalers measured as in super-resolution papers, beside the figures of papers."""

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from lpcodec.cli import progress
from lpcodec.cli.failures import printable
from lpcodec.cli.options import Json, Quiet, Threads, examples, use_threads

if TYPE_CHECKING:
    from lpcodec.codec.evaluation.enlargement import Published, Row

EXAMPLES = examples(
    "lpcodec show enlargement set5 set14 bsd100",
    "lpcodec show enlargement set5 --scale 4 --model light --model bicubic",
    "lpcodec show enlargement photos --json",
)


def enlargement(
    data: Annotated[
        list[str], typer.Argument(metavar="NAME_OR_FOLDER...", help="Sets (lpcodec datasets list), or folders.")
    ],
    scales: Annotated[
        list[int] | None,
        typer.Option(
            "--scale", "-s", min=2, max=8, metavar="N", help="2, 3, 4 or 8; may be repeated. Default: 2 and 4."
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="bicubic or a network; may be repeated. Default: all installed."),
    ] = None,
    as_json: Json = False,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Reduce pictures, enlarge them again, and print the PSNR and SSIM of luma beside published figures."""
    use_threads(threads)
    from lpcodec.codec.evaluation import enlargement as measuring

    wanted = scales or [2, 4]
    with progress.over_run("measuring", quiet=quiet) as show:
        rows = measuring.table(data, wanted, models, show)
    papers = [row for scale in wanted for row in measuring.published(scale)]
    if as_json:
        measured = [dataclasses.asdict(row) for row in rows]
        typer.echo(json.dumps({"measured": measured, "published": [dataclasses.asdict(p) for p in papers]}, indent=2))
    else:
        _print_table(rows, papers)


def _print_table(rows: "list[Row]", papers: "list[Published]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    data = list(dict.fromkeys(row.data for row in rows))
    table = Table(caption="PSNR in dB / SSIM of luma. Published figures are of other programs and copies of the sets.")
    for heading in ("scale", "method", "", *data):
        table.add_column(Text(printable(heading)), justify="left" if heading in ("method", "") else "right")
    lines: dict[tuple[int, str, str], dict[str, str]] = {}
    for row in rows:
        lines.setdefault((row.scale, row.method, "measured"), {})[row.data] = f"{row.psnr:.2f} / {row.ssim:.4f}"
    for paper in papers:
        known = {name: f"{psnr:.2f} / {ssim:.4f}" for name, (psnr, ssim) in paper.results.items() if name in data}
        if known:
            lines[paper.scale, paper.method, f"published: {paper.source.split(',')[0]}"] = known
    for (scale, method, kind), figures in sorted(
        lines.items(), key=lambda item: (item[0][0], item[0][2] != "measured")
    ):
        table.add_row(f"x{scale}", Text(method), kind, *(figures.get(name, "") for name in data))
    Console().print(table)
