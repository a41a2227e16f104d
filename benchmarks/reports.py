"""Measures the sets of docs/results.md and writes its tables: `python benchmarks/reports.py kodak=FOLDER ...`.

    kodak=FOLDER clic2025-test=FOLDER screens=FOLDER --lpcodec report, one set after the other--> WORK/SET
    WORK/SET --results.json, curves-psnr.png--> docs/results/SET --tables.py--> README.md, docs/*.md

Run it on a machine that does nothing else: speeds are measured too. A run that was stopped continues with the same
command. A set that isn't given keeps its results.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODELS = "lpcodec,default@visual"
PEERS = "jpeg,jpeg2000,webp,avif,avif-default"
SETS = {
    "kodak": (f"{MODELS},fast,lpcae,wcae,nowcae,wcae-wide,{PEERS},jxl,heic", "0.15,0.3,0.6"),
    "kodak-speed2": ("lpcodec,avif-speed2", "none"),
    "clic2025-test": (f"{MODELS},{PEERS}", "none"),
    "screens": (f"{MODELS},{PEERS}", "none"),
}
"""Codecs and rate targets of each set. AVIF at speed 2 takes longer than all others together, so it has its own set."""
KEPT = ("results.json", "curves-psnr.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sets", nargs="+", metavar="SET=FOLDER", help=f"SET is one of {', '.join(SETS)}")
    parser.add_argument("--work", type=Path, default=Path("build/reports"), help="where the reports are made")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=1, help="processes that measure; more than one disturbs speeds")
    parser.add_argument("--metrics", default="none", help="extra metrics, as `lpcodec report --metrics` takes them")
    options = parser.parse_args()
    given = dict(each.partition("=")[::2] for each in options.sets)
    if unknown := set(given) - set(SETS):
        parser.error(f"no set {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
    for name, folder in given.items():
        codecs, targets = SETS[name]
        out = options.work / name
        words = ["--data", folder, "--codecs", codecs, "--targets", targets, "--metrics", options.metrics]
        words += ["--threads", str(options.threads), "--jobs", str(options.jobs), "--out", str(out)]
        subprocess.run([sys.executable, "-m", "lpcodec", "report", *words], check=True)
        kept = ROOT / "docs" / "results" / name
        kept.mkdir(parents=True, exist_ok=True)
        for file in KEPT:
            shutil.copyfile(out / file, kept / file)
    subprocess.run([sys.executable, ROOT / "benchmarks" / "tables.py"], check=True)


if __name__ == "__main__":
    main()
