"""How close files come to the rate that was asked for, over whole sets of pictures (G6 of docs/reliability.md).

    python benchmarks/targets.py --data kodak=FOLDER --data set14=FOLDER --out docs/results/targets.json

Every picture is encoded at every target, which ends in one of these ways:

near            97 to 100 % of the target, or all but 8 bytes: the promise
stored          losslessly, because that fits the target
room_to_spare   below 97 %, at the finest quality: the picture can't use more, and lossless doesn't fit
short           below 97 % at another quality: the promise is broken
above           over the target: the promise is broken
out_of_reach    exit 6: the target is smaller than the smallest file, which is coded to see that this is true
refused         exit 6, although a file that fits is possible: the promise is broken

The steps of a search are the times that the model is asked to code.
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from PIL import Image
from rich.console import Console
from rich.progress import track

import lpcodec
from lpcodec.codec import models, rate
from lpcodec.codec.errors import TargetError
from lpcodec.codec.families.family import Coded
from lpcodec.codec.picture import load_rgb

TARGETS = (0.1, 0.15, 0.3, 0.6, 1.0, 1.5)
ENDS = ("near", "stored", "room_to_spare", "short", "above", "out_of_reach", "refused")
BROKEN = ("short", "above", "refused")
SUFFIXES = {".png", ".webp", ".ppm", ".bmp"}


class Counted:
    """A codec that counts how often it was asked to code."""

    def __init__(self, codec: models.Codec) -> None:
        self.codec, self.times = codec, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.codec, name)

    def code(self, latents: Any, quality: float) -> Coded:
        self.times += 1
        return self.codec.code(latents, quality)


def measured(path: Path, target: float, codec: Counted) -> dict[str, Any]:
    """One picture at one target: how it ended, which part of the target was used, and in how many steps."""
    picture = Image.fromarray(load_rgb(path).pixels)
    limit = target * picture.width * picture.height / 8
    row = {"picture": path.stem, "target": target}
    codec.times = 0
    try:
        result = lpcodec.encode_report(picture, bpp=target)
    except TargetError:
        row["steps"] = codec.times
        smallest = min(len(lpcodec.encode(picture, quality=0)), len(lpcodec.encode(picture, lossless=True)))
        return row | {"end": "refused" if smallest <= limit else "out_of_reach"}
    used = round(len(result.data) / limit, 4)
    return row | {"end": end_of(result, limit), "used": used, "steps": codec.times}


def end_of(result: lpcodec.EncodeResult, limit: float) -> str:
    """How an encoding that gave a file ended, for a target of `limit` bytes."""
    size = len(result.data)
    if size > limit:
        return "above"
    if result.model == "stored":
        return "stored"
    if size >= rate.FLOOR * limit or size >= math.floor(limit) - rate.SLACK_BYTES:
        return "near"
    return "room_to_spare" if result.quality == 100 else "short"


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts over the rows of one set; `judged` are those that the promise of 97 to 100 % is about."""
    ends = Counter(row["end"] for row in rows)
    judged = [row for row in rows if row["end"] in ("near", "short", "above")]
    return {
        "files": len(rows),
        **{end: ends[end] for end in ENDS},
        "judged": len(judged),
        "steps": {str(steps): count for steps, count in sorted(Counter(row["steps"] for row in judged).items())},
        "farthest": sorted(judged, key=lambda row: row["used"])[:5],
        "broken": [row for row in rows if row["end"] in BROKEN],
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every set, print a line for each, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", action="append", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    model = models.load("default")
    codec = Counted(model.trained)
    counted = replace(model, trained=codec)
    sets = {}
    with mock.patch.object(models, "load", return_value=counted):
        for name, folder in (text.split("=", 1) for text in options.data):
            paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)
            jobs = [(path, target) for path in paths for target in TARGETS]
            bar = track(jobs, description=name, console=Console(stderr=True))
            sets[name] = summary([measured(path, target, codec) for path, target in bar])
            counts = {key: value for key, value in sets[name].items() if key not in ("farthest", "broken")}
            print(name, counts, flush=True)
    document = {"weights": model.digest.hex(), "targets": TARGETS, "sets": sets}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
