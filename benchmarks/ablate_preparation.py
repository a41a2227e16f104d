"""What stored cells and rotated colours bring, picture by picture. For docs/ablations.md.

    python benchmarks/ablate_preparation.py --pictures SCREENS --part cells --out docs/results/ablation-cells.json
    python benchmarks/ablate_preparation.py --pictures KODAK --part colours --out docs/results/ablation-colours.json

Each picture is encoded at its own size at seven qualities, with the weights for PSNR, with the part and without it, and
decoded: the BD-rate in PSNR is over all that the two curves share. Lossless storage of whole pictures is left aside, so
that both sides are of the model. With --avif the curve with the part is also compared with AVIF (4:4:4, tune=psnr,
speed 6) over its own 0.1 to 1.2 bpp; there the file is what `encode` would write, losslessly stored ones too. Earlier
pictures in OUT that were measured with the same weights are kept.
"""

import argparse
import json
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from unittest.mock import patch

import bjontegaard  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from PIL import Image

from lpcodec.codec import api, colour, container, models
from lpcodec.codec.colour import PLAIN
from lpcodec.codec.container import SectionType
from lpcodec.codec.evaluation.codecs.pillow import avif
from lpcodec.codec.evaluation.metrics.curves import Curve, bd_rate
from lpcodec.codec.evaluation.metrics.point import Means
from lpcodec.codec.preparation import Preparation, Prepared

MODEL = "default"
QUALITIES = (5.0, 12.0, 20.0, 30.0, 40.0, 55.0, 70.0)
AVIF_QUALITIES = (8, 16, 25, 35, 45, 55, 65, 75, 84, 90)
Pixels = npt.NDArray[np.uint8]
Row = dict[str, float]


def squared_error(one: Pixels, other: Pixels) -> float:
    return float(np.square(one.astype(np.int32) - other).mean())


def without(part: str) -> AbstractContextManager[object]:
    """A patch that leaves a part out."""
    if part == "cells":

        def at(self: Preparation, quality: float) -> Prepared:
            return self.plain()

        return patch.object(Preparation, "at", at)
    return patch.object(colour, "choose", lambda *_: PLAIN)


def curve(pixels: Pixels) -> list[Row]:
    """Rate and error at each quality: of the file with the model's latents, even where storing it all is smaller."""
    rows = []
    image = Image.fromarray(pixels)
    with patch("lpcodec.codec.encoding.lossless.QuickSize.at_most", lambda *_: False):
        for quality in QUALITIES:
            data = api.encode(image, model=MODEL, quality=quality, tune="psnr", downscale=1)
            decoded = np.asarray(api.decode(data))
            stored = container.read(data).payload(SectionType.CELLS)
            rows.append({
                "quality": quality, "bpp": round(8 * len(data) / (image.width * image.height), 5),
                "mse": round(squared_error(pixels, decoded), 4), "cells_bytes": len(stored or b""),
            })  # fmt: skip
    return rows


def avif_curve(pixels: Pixels) -> list[Row]:
    peer, rows = avif(), []
    for quality in AVIF_QUALITIES:
        data = peer.encode(pixels, quality)
        mse = squared_error(pixels, peer.decode(data))
        rows.append({"quality": quality, "bpp": 8 * len(data) / (pixels.size // 3), "mse": mse})
    return rows


def decibels(row: Row) -> float:
    return 10 * math.log10(255**2 / row["mse"])


def rising(rows: Sequence[Row]) -> list[Row]:
    """The rows of finite error whose rate and quality both rise."""
    kept: list[Row] = []
    for row in sorted((row for row in rows if row["mse"] > 0), key=lambda row: row["bpp"]):
        if not kept or (row["bpp"] > kept[-1]["bpp"] and row["mse"] < kept[-1]["mse"]):
            kept.append(row)
    return kept


def change(before: Sequence[Row], after: Sequence[Row]) -> float:
    """The BD-rate of one curve against another, in percent, over the quality that they share."""
    columns = [
        column
        for rows in (rising(before), rising(after))
        for column in ([row["bpp"] for row in rows], [decibels(row) for row in rows])
    ]
    return float(bjontegaard.bd_rate(*columns, method="pchip", require_matching_points=False))


def against_avif(peer: Sequence[Row], ours: Sequence[Row]) -> float | str:
    """The BD-rate as a report has it, in percent; why there is none, otherwise."""

    def as_curve(name: str, rows: Sequence[Row]) -> Curve:
        return Curve(
            name,
            tuple(Means(name, r["quality"], 1, r["bpp"], decibels(r), None, r["bpp"], 0, 0, 0) for r in rising(rows)),
        )

    try:
        return round(bd_rate(as_curve("avif", peer), as_curve("lpcodec", ours)).percent, 2)
    except ValueError as error:
        return str(error)


def measured(path: Path, part: str, with_avif: bool) -> dict[str, object]:
    """One picture's row."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    found = curve(pixels)
    with without(part):
        plain = curve(pixels)
    same = all(a["bpp"] == b["bpp"] and a["mse"] == b["mse"] for a, b in zip(found, plain, strict=True))
    row: dict[str, object] = {
        "picture": path.stem, "with": found, "without": plain,
        "change": 0.0 if same else round(change(plain, found), 3),
    }  # fmt: skip
    if with_avif:
        peer = avif_curve(pixels)
        row |= {"avif": against_avif(peer, found), "avif_without": against_avif(peer, plain)}
    return row


def main(argv: Sequence[str] | None = None, measure: Callable[[Path, str, bool], dict[str, object]] = measured) -> None:
    """Measure each picture that OUT doesn't have yet, print, write the JSON after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", type=Path, nargs="+", required=True, help="folders or pictures")
    parser.add_argument("--part", choices=("cells", "colours"), required=True)
    parser.add_argument("--avif", action="store_true", help="compare with AVIF as well")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    paths = [p for given in options.pictures for p in (sorted(given.iterdir()) if given.is_dir() else [given])]
    about = {"part": options.part, "weights": models.load(MODEL).digest.hex(), "qualities": list(QUALITIES)}
    earlier = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
    rows = earlier["rows"] if earlier.get("weights") == about["weights"] else []
    for path in paths:
        if any(row["picture"] == path.stem for row in rows):
            continue
        rows.append({"set": path.parent.name} | measure(path, options.part, options.avif))
        print({key: value for key, value in rows[-1].items() if key not in ("with", "without")}, flush=True)
        options.out.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
