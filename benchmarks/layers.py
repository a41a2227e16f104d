"""What layers give and take: bytes and time of each level of a large picture, and what predicted detail is worth.

    python benchmarks/layers.py --data KODAK --mosaic CLIC2025 --out docs/results/layers.json

There are two large pictures: a mosaic of the middles of twelve photographs, as sharp as they are; and that of
benchmarks/large.py, which is enlarged and so has nothing but noise at its finest level. Times are those of
`lpcodec.decode` in this process, warm, the least of three. For the pictures in --data, each file is decoded whole;
without its finest layer, its detail predicted; and without it, the half-size picture doubled by Pillow's bicubic
instead. Then `python benchmarks/tables.py` writes the tables of docs/layers.md.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from large import make_picture
from PIL import Image
from rich.console import Console
from rich.progress import track

import lpcodec
from lpcodec.codec import models
from lpcodec.codec.evaluation.codecs.codec import Pixels
from lpcodec.codec.evaluation.run.originals import Original, choose
from lpcodec.codec.families.family import Frame
from lpcodec.codec.quality import Quality

LARGE_QUALITIES = (30.0, 50.0, 70.0)
QUALITIES = (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0)
REPEATS = 3
PIECE, COLUMNS, ROWS = 1000, 4, 3


def quickest(data: bytes, level: int) -> float:
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        lpcodec.decode(data, level=level)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def mosaic(folder: Path) -> Image.Image:
    """12 megapixels: the middles of the folder's pictures, in turn."""
    pictures = list(choose(folder).values())
    whole = Image.new("RGB", (COLUMNS * PIECE, ROWS * PIECE))
    for place in range(COLUMNS * ROWS):
        pixels = pictures[place % len(pictures)].pixels
        top, left = ((side - PIECE) // 2 for side in pixels.shape[:2])
        row, column = divmod(place, COLUMNS)
        piece = np.ascontiguousarray(pixels[top : top + PIECE, left : left + PIECE])
        whole.paste(Image.fromarray(piece), (column * PIECE, row * PIECE))
    return whole


def large(model: str, name: str, picture: Image.Image | Path) -> list[dict[str, Any]]:
    """A row for each quality and level of a large picture."""
    rows = []
    for quality in LARGE_QUALITIES:
        data = lpcodec.encode(picture, model=model, quality=quality)
        about = lpcodec.info(data)
        lpcodec.decode(data)
        whole = quickest(data, 0)
        for row in about["levels"]:
            seconds = whole if row["level"] == 0 else quickest(data, row["level"])
            times = {"seconds": seconds, "times_as_fast": whole / seconds}
            rows.append({"picture": name, "quality": quality, "bpp": about["bpp"], **row, **times})
            print(rows[-1], flush=True)
    return rows


def psnr(original: Pixels, decoded: Pixels) -> float:
    error = np.square(original.astype(np.float64) - decoded).mean()
    return float(10 * np.log10(255**2 / error))


def without_finest(codec: Any, original: Original, quality: float) -> dict[str, float]:
    """Rates and PSNR of one picture: whole, its finest detail predicted, and doubled by bicubic instead."""
    height, width = original.pixels.shape[:2]
    frame = Frame(height, width, Quality.of(quality))
    payloads = codec.code(codec.analyse(original.pixels), quality).payloads()
    symbols = codec.parse(payloads, frame)
    half = Image.fromarray(codec.synthesise(symbols, frame, level=1))
    # Of an odd side the half has one place more than the picture needs.
    doubled = half.resize((2 * half.width, 2 * half.height), Image.Resampling.BICUBIC).crop((0, 0, width, height))
    pixels = height * width
    return {
        "bpp": 8 * sum(map(len, payloads)) / pixels,
        "bpp_without": 8 * sum(map(len, payloads[:-1])) / pixels,
        "psnr": psnr(original.pixels, codec.synthesise(symbols, frame)),
        "psnr_predicted": psnr(original.pixels, codec.synthesise(symbols[: codec.levels], frame)),
        "psnr_bicubic": psnr(original.pixels, np.asarray(doubled)),
    }


def predicted(model: str, data: Path) -> list[dict[str, Any]]:
    """A row for each quality: the means over the pictures."""
    codec, pictures = models.load(model).trained, list(choose(data).values())
    rows = []
    for quality in track(QUALITIES, description="predicted detail", console=Console(stderr=True)):
        found = [without_finest(codec, original, quality) for original in pictures]
        rows.append({"quality": quality, **{key: float(np.mean([f[key] for f in found])) for key in found[0]}})
        print(rows[-1], flush=True)
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Measure both, print a line for each row, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="lpcae")
    parser.add_argument("--mosaic", type=Path, required=True, help="pictures of 1,000 pixels a side and more")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    rows = large(options.model, "sharp", mosaic(options.mosaic))
    with tempfile.TemporaryDirectory() as folder:
        soft = Path(folder) / "large.ppm"
        make_picture(soft, COLUMNS * ROWS * PIECE**2 / 1e6)
        rows += large(options.model, "soft", soft)
    document = {
        "model": options.model, "weights": models.load(options.model).digest.hex(), "threads": options.threads,
        "large": rows, "data": options.data.name, "predicted": predicted(options.model, options.data),
    }  # fmt: skip
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
