"""How near files come to the rate that was asked for, over whole sets of pictures (G6 of docs/reliability.md).

    python benchmarks/targets.py --data kodak=FOLDER --data set14=FOLDER --out docs/results/targets.json

Every picture is encoded at every target. A file above its target is a failure; one below 97 % of it is a miss.
Targets that the picture can't reach (the command says so, exit 6) and pictures that are stored losslessly are counted
apart. The steps of a search are the times that the model is asked to code.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import track

import lpcodec
from lpcodec.codec import encoding, models
from lpcodec.codec.errors import TargetError
from lpcodec.codec.families.family import Coded
from lpcodec.codec.picture import load_rgb

TARGETS = (0.1, 0.15, 0.3, 0.6, 1.0, 1.5)
NEAR = 0.97
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
    """One picture at one target: what part of it was used, and in how many steps."""
    picture = Image.fromarray(load_rgb(path).pixels)
    limit = target * picture.width * picture.height / 8
    codec.times = 0
    try:
        data = lpcodec.encode(picture, bpp=target)
    except TargetError:
        return {"picture": path.stem, "target": target, "reached": False, "steps": codec.times}
    kind = lpcodec.info(data)["kind"]
    used = round(len(data) / limit, 4)
    return {"picture": path.stem, "target": target, "reached": True, "used": used, "kind": kind, "steps": codec.times}


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts over the rows of one set."""
    judged = [row for row in rows if row["reached"] and row["kind"] != "stored"]
    return {
        "files": len(rows),
        "out_of_reach": sum(not row["reached"] for row in rows),
        "stored": sum(row.get("kind") == "stored" for row in rows),
        "above": sum(row["used"] > 1 for row in judged),
        "near": sum(NEAR <= row["used"] <= 1 for row in judged),
        "judged": len(judged),
        "steps": {str(steps): count for steps, count in sorted(Counter(row["steps"] for row in judged).items())},
        "farthest": sorted(judged, key=lambda row: row["used"])[:5],
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
    load, encoding.models.load = encoding.models.load, lambda name, device="cpu": counted  # type: ignore[assignment]
    sets = {}
    for name, folder in (text.split("=", 1) for text in options.data):
        paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)
        jobs = [(path, target) for path in paths for target in TARGETS]
        bar = track(jobs, description=name, console=Console(stderr=True))
        sets[name] = summary([measured(path, target, codec) for path, target in bar])
        print(name, {key: value for key, value in sets[name].items() if key != "farthest"}, flush=True)
    encoding.models.load = load
    document = {"weights": model.digest.hex(), "targets": TARGETS, "sets": sets}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
