"""Time and memory of encoding and decoding one large photo-like picture, each in a process of its own.

    python benchmarks/large.py --megapixels 12 50 100 --threads 1 --limit-mb 2000 --out docs/results/large.json

The picture is the same for a number of megapixels on every machine: matplotlib's sample photograph, enlarged four
times, tiled with its mirror images (no tile has an edge) and grained with mild seeded noise (no tile is cheap). Peak
memory is the process's largest resident set, the interpreter and the weights among it; "above" is what it took above
`import lpcodec` and the loaded weights. Exits with 1 if a process took more than --limit-mb. `python
benchmarks/tables.py` then fills the table of docs/reliability.md.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# What needs numpy, Pillow or torch is imported where it is used: a child's peak counts what its parent held when it
# was started, so the process that starts the others has to be small.

ENLARGED = 4
NOISE = 3.0
ROWS = 256
STEPS = ("make", "encode", "decode")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; see --help."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[12.0], help="one picture for each")
    parser.add_argument("--bpp", type=float, default=0.3)
    parser.add_argument("--model", default="default")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit-mb", type=int, default=3000, help="peak memory allowed")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the rows as JSON as well")
    parser.add_argument("--folder", type=Path, help="where pictures are kept (default: a temporary folder)")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.step:
        print(json.dumps(_step(options)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        return _table(options, folder)


def _table(options: argparse.Namespace, folder: Path) -> int:
    print("| megapixels | step | seconds | MP/s | peak MB | above MB | bpp |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    load, rows = os.getloadavg()[0], list[dict[str, Any]]()
    for megapixels in options.megapixels:
        _child(options, folder, megapixels, "make")
        for step in ("encode", "decode"):
            row = _child(options, folder, megapixels, step)
            rows.append({"step": step} | row)
            print(
                f"| {row['pixels'] / 1e6:.1f} | {step} | {row['seconds']:.1f} | "
                f"{row['pixels'] / 1e6 / row['seconds']:.2f} | {row['peak']:.0f} | {row['above']:.0f} | "
                f"{row['bpp']:.4f} |",
                flush=True,
            )
    if options.out:
        document = {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(), "load_before": load,
            "threads": options.threads, "target_bpp": options.bpp, "rows": rows,
        }  # fmt: skip
        options.out.write_text(json.dumps(document, indent=1) + "\n")
    highest = max(row["peak"] for row in rows)
    if highest > options.limit_mb:
        print(f"{highest:.0f} MB: more than {options.limit_mb} MB", file=sys.stderr)
    return int(highest > options.limit_mb)


def _child(options: argparse.Namespace, folder: Path, megapixels: float, step: str) -> dict[str, Any]:
    words = [sys.executable, __file__, "--step", step, "--folder", str(folder), "--megapixels", str(megapixels)]
    words += ["--bpp", str(options.bpp), "--model", options.model, "--threads", str(options.threads)]
    environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
    ran = subprocess.run(words, stdout=subprocess.PIPE, check=True, env=environment)
    row: dict[str, Any] = json.loads(ran.stdout)
    return row


def _step(options: argparse.Namespace) -> dict[str, Any]:
    megapixels = options.megapixels[0]
    picture = options.folder / f"{megapixels:g}.ppm"
    coded = options.folder / f"{megapixels:g}.lpc"
    if options.step == "make":
        make_picture(picture, megapixels)
        return {}
    import torch

    from lpcodec.codec import api, models

    torch.set_num_threads(options.threads)
    models.load(models.tuned(options.model, None, squared_error=False))  # those that encoding takes
    before, start = peak_mb(), time.perf_counter()
    if options.step == "encode":
        coded.write_bytes(api.encode(picture, model=options.model, bpp=options.bpp))
    else:
        api.decode(coded.read_bytes())
    seconds, about = time.perf_counter() - start, api.info(coded.read_bytes())
    return {
        "pixels": about["width"] * about["height"],
        "seconds": seconds,
        "peak": peak_mb(),
        "above": peak_mb() - before,
        "bpp": about["bpp"],
    }


def make_picture(path: Path, megapixels: float) -> None:
    """Write a photo-like 4:3 picture of about this many megapixels as PPM, band by band in little memory."""
    import numpy as np
    from matplotlib.cbook import get_sample_data
    from PIL import Image

    photo = Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB")
    photo = photo.resize((photo.width * ENLARGED, photo.height * ENLARGED), Image.Resampling.BICUBIC)
    tile = np.asarray(photo)
    tile = np.concatenate([tile, tile[:, ::-1]], 1)
    tile = np.concatenate([tile, tile[::-1]], 0)
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(megapixels * 1e6 / height)
    columns = np.arange(width) % tile.shape[1]
    with path.open("wb") as file:
        file.write(b"P6 %d %d 255\n" % (width, height))
        for top in range(0, height, ROWS):
            rows = np.arange(top, min(top + ROWS, height)) % tile.shape[0]
            noise = np.random.default_rng(top).normal(0, NOISE, (len(rows), width, 3))
            file.write(np.clip(np.rint(tile[rows][:, columns] + noise), 0, 255).astype(np.uint8).tobytes())


def peak_mb() -> float:
    """The largest resident set of this process so far."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    sys.exit(main())
