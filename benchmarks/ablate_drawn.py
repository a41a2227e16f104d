"""What it brings that weights for the eye store drawn cells only where that looks better. For docs/ablations.md.

    python benchmarks/ablate_drawn.py --pictures SCREENS --rates 0.15 0.35 --out docs/results/ablation-drawn.json

Each picture at each rate, at its own size, three times: with drawn cells wherever squared error says so, without any,
and as encode chooses. Pictures whose first file has no drawn cells are left out.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from lpcodec.codec import decoding, models, picture
from lpcodec.codec.coding import CodedFile, Original
from lpcodec.codec.evaluation.metrics import distortion, extra_metrics
from lpcodec.codec.rate import Target
from lpcodec.codec.search import FileSearch

MODEL = "default@visual"


def judged(file: CodedFile, original: Original) -> dict[str, float]:
    """The figures of one file."""
    pixels = original.source.pixels
    shown = decoding.pixels(decoding.open_file(file.data), decoding.codec_of(file.header, "cpu"))
    return {
        "bpp": round(8 * len(file.data) / original.pixel_count, 5),
        "ssimulacra2": round(extra_metrics.ssimulacra2(pixels, shown), 2),
        "ms_ssim": round(distortion.ms_ssim(pixels, shown), 5),
        "drawn": file.has_drawn_cells,
    }


def measured(path: Path, rate: float) -> dict[str, dict[str, float]] | None:
    """The three files of one picture at one rate in bits per pixel; None if the first has no drawn cells."""
    with Image.open(path) as image:
        original = Original.of(picture.load(image.convert("RGB"), max_pixels=None), strip=True, alpha_error=0)
    search = FileSearch.at_scale(original, 0, (models.load(MODEL),), 1, None)
    target = Target(bpp=rate)
    always = search.without_comparing(target)
    if not always.value.has_drawn_cells:
        return None
    found = {
        "always": always,
        "never": replace(search, drawn=False).without_comparing(target),
        "chosen": search.nearest(target),
    }
    return {name: judged(each.value, original) for name, each in found.items() if each.reached}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, and write the JSON after each picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", type=Path, nargs="+", required=True, help="folders or pictures")
    parser.add_argument("--rates", type=float, nargs="+", required=True, help="bits per pixel")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    paths = [p for given in options.pictures for p in (sorted(given.iterdir()) if given.is_dir() else [given])]
    rows: list[dict[str, object]] = []
    for path in paths:
        for rate in options.rates:
            found = measured(path, rate)
            if found is None or len(found) < 3:
                continue
            rows.append({"set": path.parent.name, "picture": path.stem, "rate": rate, **found})
            scores = {name: found[name]["ssimulacra2"] for name in found}
            print(path.stem[:12], rate, scores, flush=True)
        about = {"weights": models.load(MODEL).digest.hex(), "rates": options.rates}
        options.out.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
