"""How fast this build encodes and decodes, against an older one: both in turn on the same pictures, in one run.

    python benchmarks/speed.py --against CHECKOUT --data kodak=FOLDER --threads 2 --out docs/results/speed.json

CHECKOUT is a checkout of the older build in which `python hatch_build.py` was run. Each build runs in a process of its
own, with its own weights. Every round times both builds on every task, one straight after the other, the first of them
in turn; a figure is the median over the rounds. With `--busy 1` a process that only computes runs beside them. Then
`python benchmarks/tables.py` writes the table of docs/reliability.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RATES = (0.15, 0.6)
SUFFIXES = {".png", ".webp", ".ppm"}
WORKER = """
import json, os, sys, time
import torch
from PIL import Image
import lpcodec
threads = int(sys.argv[1])
torch.set_num_threads(threads)
kept = {}
for line in sys.stdin:
    task, path, bpp = json.loads(line)
    if task == "encode":
        picture = Image.open(path).convert("RGB")
        start, used = time.perf_counter(), time.process_time()
        data = kept[path, bpp] = lpcodec.encode(picture, bpp=bpp)
    else:
        data = kept[path, bpp]
        start, used = time.perf_counter(), time.process_time()
        picture = lpcodec.decode(data)
    found = {"seconds": time.perf_counter() - start, "processor": time.process_time() - used}
    found |= {"megapixels": picture.width * picture.height / 1e6, "bytes": len(data)}
    print("RESULT", json.dumps(found), flush=True)
"""
BUSY = "while True: pass"


class Build:
    """A build in a process of its own."""

    def __init__(self, checkout: Path, threads: int) -> None:
        environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", WORKER, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True,
        )  # fmt: skip

    def run(self, task: str, path: Path, bpp: float) -> dict[str, float]:
        """Encode a picture at a rate, or decode what was encoded last of it: seconds, megapixels and bytes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps((task, str(path), bpp)), file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            if line.startswith("RESULT"):
                found: dict[str, float] = json.loads(line[len("RESULT") :])
                return found
        raise SystemExit(f"{task} {path.name} at {bpp} bpp: the process ended")

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def measured(
    builds: dict[str, Build], pictures: Sequence[Path], rates: Sequence[float], rounds: int, clock: str
) -> list[dict[str, Any]]:
    """Medians of the seconds per megapixel of every task, build by build; the first round only warms up."""
    times: dict[tuple[str, float, str], dict[str, list[float]]] = {}
    for number in range(rounds + 1):
        for path in pictures:
            for rate in rates:
                for task in ("encode", "decode"):
                    order = list(builds) if number % 2 else list(builds)[::-1]
                    for name in order:
                        found = builds[name].run(task, path, rate)
                        if number:
                            cell = times.setdefault((task, rate, path.stem), {}).setdefault(name, [])
                            cell.append(found[clock] / found["megapixels"])
    rows = []
    for task in ("encode", "decode"):
        for rate in rates:
            medians = {
                name: [statistics.median(times[task, rate, path.stem][name]) for path in pictures] for name in builds
            }
            ratios = [old / new for old, new in zip(medians["before"], medians["now"], strict=True)]
            before, now = (statistics.mean(medians[name]) for name in ("before", "now"))
            row = {
                "task": task, "bpp": rate, "pictures": len(pictures), "ratio": before / now,
                "ratios": [round(ratio, 3) for ratio in ratios],
                "before": before, "now": now,
            }  # fmt: skip
            print(json.dumps(row), flush=True)
            rows.append(row)
    return rows


def main() -> None:
    """Measure, print a line for each task, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, required=True, metavar="CHECKOUT", help="the older build")
    parser.add_argument("--data", action="append", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--pictures", type=int, default=6, help="of each folder, evenly apart")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, metavar="BPP")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--busy", type=int, nargs="+", default=[0], help="processes that compute beside them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--clock", choices=("seconds", "processor"), default="seconds",
        help="wall clock, or the process's own time where a machine is shared",
    )  # fmt: skip
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    runs = []
    for threads in options.threads:
        builds = {"before": Build(options.against.resolve(), threads), "now": Build(here, threads)}
        for busy in options.busy:
            beside = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(busy)]
            for name, folder in (text.split("=", 1) for text in options.data):
                found = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)
                count = min(options.pictures, len(found))
                chosen = [found[number * len(found) // count] for number in range(count)]
                print(name, f"{threads} threads, {busy} busy", flush=True)
                rows = measured(builds, chosen, options.rates, options.rounds, options.clock)
                runs.append({"set": name, "threads": threads, "busy": busy, "rows": rows})
            for process in beside:
                process.kill()
                process.wait()
        for build in builds.values():
            build.close()
    if options.out:
        options.out.write_text(json.dumps({"clock": options.clock, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
