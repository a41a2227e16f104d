"""How long `upscale` takes: twice the sides of a photograph of one megapixel.

    python benchmarks/enlarging.py --photo PHOTO --threads 1 2 --out docs/results/enlarging.json

The photograph's middle, 1152 x 868 pixels, or the whole photograph resized to that if it is smaller. Every round
times every method once, in turn: in this process (pixels to pixels, after a first run that loads the weights), and the
command from its start to the PNG that it wrote. Figures are medians over the rounds, of the wall clock and of the
processor time of all threads. Then `python benchmarks/tables.py` writes the table of docs/upscaling.md.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

import lpcodec

WIDTH, HEIGHT = 1152, 868
METHODS = ("light", "bicubic", "lpae", "haar")
COMMAND = "light, the command"


def photograph(path: Path) -> Image.Image:
    """RGB, WIDTH x HEIGHT."""
    with Image.open(path) as image:
        picture = image.convert("RGB")
    left, top = (picture.width - WIDTH) // 2, (picture.height - HEIGHT) // 2
    if min(left, top) < 0:
        return picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    return picture.crop((left, top, left + WIDTH, top + HEIGHT))


def used() -> float:
    """Processor seconds of this process and of those that it waited for."""
    return sum(
        about.ru_utime + about.ru_stime
        for about in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the wall clock and of the processor."""
    begun, before = time.perf_counter(), used()
    run()
    return time.perf_counter() - begun, used() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    picture = photograph(given.photo)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "photo.png"), Path(folder, "large.png")
        picture.save(source)
        for threads in given.threads:
            torch.set_num_threads(threads)
            command = [sys.executable, "-m", "lpcodec", "upscale", source, target, "--overwrite", "--quiet"]
            runs: dict[str, Callable[[], object]] = {
                name: lambda name=name: lpcodec.upscale(picture, 2, model=name)  # type: ignore[misc]
                for name in METHODS
            }
            runs[COMMAND] = lambda words=[*command, "-j", str(threads)]: subprocess.run(words, check=True)  # type: ignore[misc]
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
            for number in range(given.rounds + 1):
                for name, run in runs.items():
                    times = timed(run)
                    if number:
                        found[name].append(times)
            for name, each in found.items():
                wall, processor = (statistics.median(column) for column in zip(*each, strict=True))
                rows.append({"method": name, "threads": threads, "seconds": wall, "processor_seconds": processor})
                print(json.dumps(rows[-1]), flush=True)
    if given.out:
        document = {"width": WIDTH, "height": HEIGHT, "scale": 2, "rounds": given.rounds, "rows": rows}
        given.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
