"""What it brings that squares of a picture have qualities of their own. For docs/ablations.md.

    python benchmarks/ablate_squares.py --pictures KODAK CLIC --out docs/results/ablation-squares.json

Each picture at each quality, at its own size, as files: with one quality for the whole picture, and with what the
encoder chooses for each square. BD-rates are over all rates that were measured. Times are those of encoding.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import lpcodec
from lpcodec.codec import container, models
from lpcodec.codec.container import SectionType
from lpcodec.codec.evaluation.codecs.codec import Pixels
from lpcodec.codec.evaluation.metrics.curves import bd_rate, mean_curve
from lpcodec.codec.evaluation.run.measure import measure
from lpcodec.codec.evaluation.run.originals import choose

MODEL = "default@visual"
QUALITIES = (8.0, 16.0, 24.0, 32.0, 40.0, 48.0, 56.0, 64.0, 72.0)
METRICS = ("ssimulacra2", "ms_ssim", "psnr")
ALL_RATES = (0.001, 20.0)


@dataclass
class AtEffort:
    """The weights for the eye at an effort: 0 is one quality, 1 has qualities of squares. `shares` are the parts of the
    files, in the order of encoding, that say what they are."""

    effort: int
    shares: list[float]

    @property
    def name(self) -> str:
        return f"effort {self.effort}"

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        image = Image.fromarray(pixels)
        data = lpcodec.encode(image, quality=quality, effort=self.effort, downscale=1)
        self.shares.append(len(container.read(data).payload(SectionType.QUALITIES) or b"") / len(data))
        return data

    def decode(self, data: bytes) -> Pixels:
        return np.asarray(lpcodec.decode(data).convert("RGB"))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, and write the JSON after each picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", type=Path, nargs="+", required=True, help="folders or pictures")
    parser.add_argument("--qualities", type=float, nargs="+", default=list(QUALITIES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    rows: list[dict[str, object]] = []
    for folder in options.pictures:
        for original in choose(folder).values():
            plain, squares = AtEffort(0, []), AtEffort(1, [])
            curves = [
                mean_curve([measure(codec, q, original, ["ssimulacra2"]) for q in options.qualities], codec.name)
                for codec in (plain, squares)
            ]
            changes = {name: round(bd_rate(*curves, name, *ALL_RATES).percent, 2) for name in METRICS}
            seconds = [sum(1 / m.encode_mps for m in curve.means) for curve in curves]
            rows.append({
                "set": folder.name if folder.is_dir() else folder.parent.name, "picture": original.name,
                "change": changes, "files_with_squares": sum(share > 0 for share in squares.shares),
                "largest_share": round(max(squares.shares), 4), "times_as_long": round(seconds[1] / seconds[0], 2),
            })  # fmt: skip
            print(original.name[:12], rows[-1]["change"], rows[-1]["times_as_long"], flush=True)
            about = {"weights": models.load(MODEL).digest.hex(), "qualities": options.qualities}
            options.out.write_text(json.dumps({**about, "threads": options.threads, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
