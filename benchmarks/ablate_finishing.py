"""What the finishing filter is worth: the same files decoded with it and without it.

    python benchmarks/ablate_finishing.py --data kodak=KODAK --data screens=SCREENS --out docs/results/finishing.json

The filter doesn't change the bits, so a gain is a gain of picture quality. Times are those of one thread's processor.
Then `python benchmarks/tables.py` writes the table of docs/ablations.md.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from lpcodec.codec import models
from lpcodec.codec.evaluation.metrics import distortion, extra_metrics
from lpcodec.codec.families.family import Frame
from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec
from lpcodec.codec.picture import read_rgb
from lpcodec.codec.quality import Quality
from lpcodec.datasets.patches import SUFFIXES

MODELS = ("default", "default@visual", "fast")
QUALITIES = (15, 30, 45, 60)
LARGEST = 1024


def decoded(codec: HyperpriorCodec, groups: list, frame: Frame) -> tuple[np.ndarray, float]:
    """The pixels, and the seconds of synthesis: the smaller of two runs."""
    seconds = []
    for _ in range(2):
        start = time.process_time()
        pixels = codec.synthesise(groups, frame)
        seconds.append(time.process_time() - start)
    return pixels, min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", action="append", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--every", type=int, default=1, help="take one picture of so many")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for model in options.models:
        codec = models.load(model).trained
        assert isinstance(codec, HyperpriorCodec)
        finishing = codec.finishing
        assert finishing is not None
        for name, folder in (text.split("=", 1) for text in options.data):
            paths = [p for p in sorted(Path(folder).iterdir()) if p.suffix.lower() in SUFFIXES][:: options.every]
            for quality in QUALITIES:
                gains = []
                for path in paths:
                    pixels = np.ascontiguousarray(read_rgb(path)[:LARGEST, :LARGEST])
                    frame = Frame(*pixels.shape[:2], Quality.of(quality))
                    groups = codec.code(codec.analyse(pixels), quality).groups
                    figures = []
                    for chosen in (None, finishing):
                        codec.finish_with(chosen)
                        out, seconds = decoded(codec, groups, frame)
                        seen = extra_metrics.ssimulacra2(pixels, out)
                        figures.append(
                            (distortion.psnr(pixels, out), seen, 1e6 * seconds / (frame.height * frame.width))
                        )
                    gains.append(np.subtract(figures[1], figures[0]))
                psnr, seen, seconds = np.mean(gains, 0)
                rows.append({
                    "model": model, "set": name, "quality": quality, "pictures": len(paths), "psnr_gain": psnr,
                    "least_psnr_gain": np.min(gains, 0)[0], "ssimulacra2_gain": seen, "seconds_per_megapixel": seconds,
                })  # fmt: skip
                print(json.dumps(rows[-1]), flush=True)
    options.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
