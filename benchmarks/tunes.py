"""Which weights `encode` should use unless told otherwise: both sets beside AVIF as people run it, at the same bytes.

    python benchmarks/tunes.py kodak=FOLDER clic2025-test=FOLDER screens=FOLDER \
        --out docs/results/tunes.json --sheet docs/images/tunes.jpg

Each of twelve pictures is coded by `default@visual` at its rate; then by `default` (tune=psnr) and by AVIF's defaults
within the same bytes. The sheet shows a square of 240 pixels of each, at its own size. Then `python
benchmarks/tables.py` writes the table of docs/results.md.
"""

import argparse
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lpcodec.codec.evaluation.live.compare import Comparison, Version
from lpcodec.codec.picture import read_rgb

SIDE, GAP, LINE = 240, 6, 16


@dataclass(frozen=True)
class Crop:
    """A picture (the name's beginning), its rate in bpp, and the crop's left and top edge in pixels."""

    name: str
    what: str
    bpp: float
    left: int
    top: int


CROPS = {
    "kodak": (
        Crop("kodim08", "houses", 0.25, 260, 130),
        Crop("kodim15", "portrait", 0.15, 250, 60),
        Crop("kodim20", "aeroplane", 0.15, 240, 180),
        Crop("kodim04", "portrait", 0.15, 130, 150),
        Crop("kodim13", "foliage", 0.25, 60, 200),
        Crop("kodim19", "fence", 0.15, 130, 480),
        Crop("kodim23", "feathers", 0.1, 330, 60),
    ),
    "clic2025-test": (
        Crop("1b4ad0", "", 0.1, 900, 500),
        Crop("50d131", "", 0.1, 900, 500),
        Crop("a2a946", "", 0.1, 900, 500),
    ),
    "screens": (
        Crop("web_docs", "text", 0.15, 100, 100),
        Crop("ui_photo", "text and photograph", 0.15, 300, 300),
    ),
}
TITLES = {"original": "original", "visual": "tune=visual", "psnr": "tune=psnr", "avif": "AVIF, defaults"}


def versions(pixels: "np.ndarray[Any, Any]", bpp: float) -> dict[str, Version]:
    """The picture by each of the three, none larger than that of `visual`."""
    visual = Comparison(pixels, tune="visual").ours(bpp, lambda: False)
    psnr = Comparison(pixels, tune="psnr").ours(8 * visual.size / (pixels.shape[0] * pixels.shape[1]), lambda: False)
    avif = Comparison(pixels).other("avif", visual.size, lambda: False)
    return {"visual": visual, "psnr": psnr, "avif": avif}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sets", nargs="+", metavar="SET=FOLDER", help=f"SET is one of {', '.join(CROPS)}")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, required=True)
    options = parser.parse_args()
    rows, bands = [], []
    for given in options.sets:
        name, _, folder = given.partition("=")
        for crop in CROPS[name]:
            path = next(p for p in sorted(Path(folder).iterdir()) if p.name.startswith(crop.name))
            pixels = read_rgb(path)
            found = versions(pixels, crop.bpp)
            shown = {"original": pixels, **{n: np.asarray(Image.open(io.BytesIO(v.png))) for n, v in found.items()}}
            bands.append(band(crop, shown, found))
            figures = {
                n: {"bytes": v.size, "psnr": v.psnr, "ms_ssim": v.ms_ssim, "ssimulacra2": v.ssimulacra2}
                for n, v in found.items()
            }
            rows.append({"set": name, "picture": path.stem, "bpp": found["visual"].bpp, "codecs": figures})
            print(json.dumps(rows[-1]), flush=True)
    options.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    sheet = Image.new("RGB", (bands[0].width, sum(band.height for band in bands)), "white")
    top = 0
    for each in bands:
        sheet.paste(each, (0, top))
        top += each.height
    sheet.save(options.sheet, quality=88)


def band(crop: Crop, shown: "dict[str, np.ndarray[Any, Any]]", found: dict[str, Version]) -> Image.Image:
    """One row of the sheet: the crop as each has it, with its figures below."""
    font = ImageFont.load_default(size=12)
    image = Image.new("RGB", (len(shown) * (SIDE + GAP) + GAP, SIDE + 2 * LINE + 2 * GAP), "white")
    draw = ImageDraw.Draw(image)
    for place, (name, pixels) in enumerate(shown.items()):
        left = GAP + place * (SIDE + GAP)
        piece = pixels[crop.top : crop.top + SIDE, crop.left : crop.left + SIDE]
        image.paste(Image.fromarray(np.ascontiguousarray(piece)), (left, GAP))
        version = found.get(name)
        words = f"{crop.name} {crop.what}" if version is None else _words(version)
        draw.text((left, SIDE + GAP + 1), TITLES[name], font=font, fill="black")
        draw.text((left, SIDE + GAP + LINE - 1), words.strip(), font=font, fill=(90, 90, 90))
    return image


def _words(version: Version) -> str:
    score = "" if version.ssimulacra2 is None else f", SSIMULACRA 2 {version.ssimulacra2:.1f}"
    return f"{version.size:,} bytes, {version.psnr:.1f} dB{score}"


if __name__ == "__main__":
    main()
