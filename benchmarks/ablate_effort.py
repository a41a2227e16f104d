"""What each part of the search behind `--effort` saves: BD-rate against level 0 with the part and without it.

    python benchmarks/ablate_effort.py --data KODAK --out docs/results/ablation-effort.json

The middle of each of PICTURES is encoded at the qualities of benchmarks/effort.py, as a file, and decoded. The parts
were tuned on these pictures; those of docs/results/effort-psnr.json are others. Then `python benchmarks/tables.py`
writes the table of docs/effort.md.
"""

import argparse
import json
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from effort import ALL_RATES, QUALITIES, AtEffort, curve, middle

from lpcodec.codec import models
from lpcodec.codec.effort import ITERATIONS
from lpcodec.codec.evaluation.metrics.curves import bd_rate
from lpcodec.codec.evaluation.run.originals import choose
from lpcodec.codec.families.hyperprior import codec, refinement

PICTURES = ("kodim02", "kodim04", "kodim06", "kodim10", "kodim14", "kodim16", "kodim20", "kodim22")
SIDE = 160
"""Of the middle, in pixels."""
LEVELS = (2, 7)


def constant(name: str, value: float) -> AbstractContextManager[object]:
    return patch.object(refinement, name, value)


def unfiltered() -> AbstractContextManager[object]:
    """The search doesn't know of the finishing filter; the files are decoded with it."""

    def refine(transforms: Any, entropy: Any, finishing: Any, *rest: Any) -> refinement.Refined:
        return refinement.refine(transforms, entropy, None, *rest)

    return patch.object(codec, "refine", refine)


PARTS = {
    "targets near the values": lambda: constant("FURTHEST", math.inf),
    "raised curvatures": lambda: constant("MOST_RAISED", 1.0),
    "the finishing filter": unfiltered,
}


def variants() -> dict[str, list[str]]:
    """The name of each variant, and the parts that it lacks."""
    return {"all": [], **{f"without {part}": [part] for part in PARTS}, "without any of them": list(PARTS)}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every variant at every level, print a line for each, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    pictures = [middle(o, SIDE) for name, o in choose(options.data).items() if name in PICTURES]
    if len(pictures) != len(PICTURES):
        parser.error(f"{options.data} has {len(pictures)} of the pictures {', '.join(PICTURES)}")
    plain = curve(AtEffort("default", "psnr", 0), pictures, QUALITIES)
    rows = []
    for name, missing in variants().items():
        for level in LEVELS:
            with ExitStack() as stack:
                for part in missing:
                    stack.enter_context(PARTS[part]())
                found = curve(AtEffort("default", "psnr", level), pictures, QUALITIES)
            percent = bd_rate(plain, found, "psnr", *ALL_RATES).percent
            rows.append({"variant": name, "iterations": ITERATIONS[level], "bd_rate_percent": percent})
            print(rows[-1], flush=True)
    weights = models.load("default").digest.hex()
    document = {"weights": weights, "pictures": PICTURES, "side": SIDE, "qualities": QUALITIES, "rows": rows}
    options.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
