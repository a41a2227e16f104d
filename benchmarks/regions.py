"""Seconds to decode a region of a large picture, warm, and how much of the file is read.

    python benchmarks/regions.py --megapixels 50 --side 512 --out docs/results/regions.json

The picture is that of benchmarks/large.py, encoded once. Regions are placed so that they touch one, two and four groups
of 1024 x 1024 pixels, and at random. Each is decoded after one that warms up. Run it on an idle machine: the file notes
the load before. `python benchmarks/tables.py` then fills the table of docs/command-line.md.
"""

import argparse
import datetime
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import large  # benchmarks/large.py; the folder of a script is on its path

GROUP, RANDOM, REPEATS = 1024, 12, 3


class _Counting:
    """A file that counts the bytes that are read of it."""

    def __init__(self, path: Path) -> None:
        self._stream = open(path, "rb")  # noqa: SIM115 (open for as long as the benchmark runs)
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.count += len(data)
        return data


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; see --help."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=50.0)
    parser.add_argument("--side", type=int, default=512, help="of the region, in pixels; at most 768")
    parser.add_argument("--bpp", type=float, default=0.3)
    parser.add_argument("--model", default="default")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(argv)
    load = os.getloadavg()[0]
    import torch

    import lpcodec

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        picture, path = Path(folder, "picture.ppm"), Path(folder, "picture.lpc")
        large.make_picture(picture, options.megapixels)
        path.write_bytes(lpcodec.encode(picture, model=options.model, bpp=options.bpp))
        about = lpcodec.info(path)
        width, height, side = about["width"], about["height"], options.side
        if min(width, height) < 2 * GROUP + side:
            parser.error(f"{width} x {height} pixels have too few groups: take more megapixels, 8 for instance")
        inside, edge = (GROUP - side) // 2 + GROUP, 2 * GROUP - side // 2
        places = {"1 group": [(inside, inside)], "2 groups": [(edge, inside)], "4 groups": [(edge, edge)]}
        generator = random.Random(0)
        places["random"] = [
            (generator.randrange(width - side), generator.randrange(height - side)) for _ in range(RANDOM)
        ]
        print(f"{width} x {height} pixels, {path.stat().st_size} bytes, {options.threads} threads")
        print("| region | seconds | read, part of the file |")
        print("|---|---:|---:|")
        rows = []
        for name, corners in places.items():
            measured = [_measured(path, (*corner, side, side)) for corner in corners]
            seconds, part = (statistics.mean(values) for values in zip(*measured, strict=True))
            rows.append({"region": name, "seconds": round(seconds, 4), "part": round(part, 5)})
            print(f"| {side} x {side}, {name} | {seconds:.3f} | {part:.4f} |", flush=True)
        document = {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(), "load_before": load, "width": width,
            "height": height, "bytes": path.stat().st_size, "side": side, "threads": options.threads, "rows": rows,
        }  # fmt: skip
    if options.out:
        options.out.write_text(json.dumps(document, indent=1) + "\n")
    return 0


def _measured(path: Path, region: tuple[int, int, int, int]) -> tuple[float, float]:
    """The median time of a few decodings, and which part of the file one of them reads."""
    import lpcodec

    lpcodec.decode(path, region=region)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        lpcodec.decode(path, region=region)
        times.append(time.perf_counter() - start)
    counting = _Counting(path)
    lpcodec.decode(counting, region=region)  # type: ignore[arg-type]
    return statistics.median(times), counting.count / path.stat().st_size


if __name__ == "__main__":
    sys.exit(main())
