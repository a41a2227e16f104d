"""`lpcodec demo`: one photograph coded and decoded, beside AVIF and JPEG at the same number of bytes."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpcodec.cli import files
from lpcodec.cli.failures import printable
from lpcodec.cli.options import examples
from lpcodec.codec.storage import make_folder

if TYPE_CHECKING:
    from lpcodec.cli.sidebyside import Panel
    from lpcodec.codec.arrays import Pixels

EXAMPLES = examples("lpcodec demo", "lpcodec demo --out-dir elsewhere --bpp 0.3")
PHOTOGRAPH = "grace_hopper.jpg"  # a public-domain portrait that matplotlib carries
BESIDE = ("avif-default", "jpeg")


def demo(
    out_dir: Annotated[Path, typer.Option("--out-dir", metavar="DIR", help="Where the results go.")] = Path("demo"),
    bpp: Annotated[float, typer.Option("--bpp", metavar="B", help="At most B bits per pixel.")] = 0.15,
) -> None:
    """Encode and decode a photograph, measure it, and show it beside AVIF and JPEG at the same number of bytes."""
    started = time.perf_counter()
    import numpy as np
    from matplotlib import cbook
    from PIL import Image

    from lpcodec.cli.sidebyside import Panel, side_by_side
    from lpcodec.codec import api, models
    from lpcodec.codec.picture import load_rgb

    models.load(models.tuned("default", None))
    ready = time.perf_counter()
    source = Path(cbook.get_sample_data(PHOTOGRAPH, asfileobj=False))
    result = api.encode_report(source, bpp=bpp)
    encoded = time.perf_counter()
    decoded = api.decode(result.data)
    finished = time.perf_counter()

    pixels = load_rgb(source).pixels
    original = Image.fromarray(pixels)
    ours = _panel("lpcodec", pixels, np.asarray(decoded.convert("RGB")), len(result.data))
    others = _others(pixels, len(result.data))
    first = Panel(original, "original", f"{PHOTOGRAPH}, {source.stat().st_size:,} bytes")
    sheet = side_by_side([first, ours, *others])
    make_folder(out_dir)
    coded, picture, comparison = (
        out_dir / name for name in ("grace_hopper.lpc", "grace_hopper.png", "side-by-side.png")
    )
    files.write_whole(coded, lambda stream: stream.write(result.data))
    files.write_whole(picture, lambda stream: decoded.save(stream, "PNG"))
    files.write_whole(comparison, lambda stream: sheet.save(stream, "PNG"))

    _print_table(
        [
            ("picture", f"{PHOTOGRAPH}, {original.width} x {original.height} pixels"),
            ("rate", f"{result.bpp:.4f} bpp (asked for: at most {bpp:g})"),
            *((panel.title, panel.detail) for panel in (ours, *others)),
            ("start-up", f"{ready - started:.2f} s (torch, weights)"),
            ("encode", f"{encoded - ready:.2f} s"),
            ("decode", f"{finished - encoded:.2f} s"),
            *((label, str(path)) for label, path in (("coded", coded), ("decoded", picture), ("look at", comparison))),
            ("next", "lpcodec compare YOUR-PHOTO.jpg makes a page like this picture, with a slider and zoom"),
            ("", "lpcodec encode YOUR-PHOTO.jpg --bpp 0.15 writes YOUR-PHOTO.lpc; lpcodec decode brings it back"),
        ]
    )


def _others(pixels: "Pixels", size: int) -> "list[Panel]":
    """Panels of AVIF and JPEG at the size nearest to `size` bytes, as far as this Pillow can write them."""
    from lpcodec.codec.evaluation.codecs import pillow
    from lpcodec.codec.evaluation.codecs.rate_search import encode_near_size

    panels = []
    for name in BESIDE:
        if (peer := pillow.available().get(name)) is not None:
            data, _ = encode_near_size(peer, pixels, size)
            panels.append(_panel(peer.title, pixels, peer.decode(data), len(data)))
    return panels


def _panel(title: str, original: "Pixels", decoded: "Pixels", size: int) -> "Panel":
    from PIL import Image

    from lpcodec.cli.sidebyside import Panel
    from lpcodec.codec.evaluation.metrics.distortion import ms_ssim, psnr

    detail = f"{size:,} bytes, PSNR {psnr(original, decoded):.2f} dB, MS-SSIM {ms_ssim(original, decoded):.4f}"
    return Panel(Image.fromarray(decoded), title, detail)


def _print_table(rows: list[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in rows:
        table.add_row(Text(name, style="bold"), Text(printable(value), overflow="fold"))
    Console().print(table)
