"""`lpcodec demo`: one photograph there and back, with the figures and a picture to look at."""

import time
from pathlib import Path
from typing import Annotated

import typer

from lpcodec.cli import files
from lpcodec.cli.failures import printable
from lpcodec.cli.options import examples

EXAMPLES = examples("lpcodec demo", "lpcodec demo --out-dir elsewhere --bpp 0.3")
PHOTOGRAPH = "grace_hopper.jpg"  # a public-domain portrait that matplotlib carries


def demo(
    out_dir: Annotated[Path, typer.Option("--out-dir", metavar="DIR", help="Where the results go.")] = Path("demo"),
    bpp: Annotated[float, typer.Option("--bpp", metavar="B", help="At most B bits a pixel.")] = 0.15,
) -> None:
    """Encode and decode a photograph, measure it, and draw original and decoded side by side."""
    started = time.perf_counter()
    import numpy as np
    from matplotlib import cbook
    from PIL import Image

    from lpcodec.cli.sidebyside import Panel, side_by_side
    from lpcodec.codec import api, models
    from lpcodec.codec.evaluation.metrics.distortion import ms_ssim, psnr
    from lpcodec.codec.picture import load_rgb

    models.load("default")
    ready = time.perf_counter()
    source = Path(cbook.get_sample_data(PHOTOGRAPH, asfileobj=False))
    result = api.encode_report(source, bpp=bpp)
    encoded = time.perf_counter()
    decoded = api.decode(result.data)
    finished = time.perf_counter()

    original = Image.fromarray(load_rgb(source).pixels)
    pair = np.asarray(original), np.asarray(decoded.convert("RGB"))
    decibels, similarity = psnr(*pair), ms_ssim(*pair)
    sheet = side_by_side(
        [
            Panel(original, "original", f"{PHOTOGRAPH}, {source.stat().st_size:,} bytes"),
            Panel(
                decoded,
                f"lpcodec, {result.bpp:.3f} bpp",
                f"{len(result.data):,} bytes, PSNR {decibels:.2f} dB, MS-SSIM {similarity:.4f}",
            ),
        ]
    )
    files.make_folder(out_dir)
    coded, picture, comparison = (
        out_dir / name for name in ("grace_hopper.lpc", "grace_hopper.png", "side-by-side.png")
    )
    files.write_whole(coded, lambda stream: stream.write(result.data))
    files.write_whole(picture, lambda stream: decoded.save(stream, "PNG"))
    files.write_whole(comparison, lambda stream: sheet.save(stream, "PNG"))

    _print_table(
        [
            ("picture", f"{PHOTOGRAPH}, {original.width} x {original.height} pixels"),
            ("bytes", f"{len(result.data):,}"),
            ("rate", f"{result.bpp:.4f} bpp (asked for: at most {bpp:g})"),
            ("PSNR", f"{decibels:.2f} dB"),
            ("MS-SSIM", f"{similarity:.4f}"),
            ("start-up", f"{ready - started:.2f} s (torch, weights)"),
            ("encode", f"{encoded - ready:.2f} s"),
            ("decode", f"{finished - encoded:.2f} s"),
            *((label, str(path)) for label, path in (("coded", coded), ("decoded", picture), ("look at", comparison))),
        ]
    )


def _print_table(rows: list[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in rows:
        table.add_row(Text(name, style="bold"), Text(printable(value), overflow="fold"))
    Console().print(table)
