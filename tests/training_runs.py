"""A training of seconds, of a small network."""

import json
from pathlib import Path
from typing import Any

from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.training.loop import train

SMALL = HyperpriorSizes(width=16, latents=32, hyper_width=16, hyper_latents=8, context_width=16)


def run(model: str, data: Path, out: Path, **given: Any) -> Path:
    return train(model, data, out, **{"steps": 10, "patch": 64, "batch": 2, **given})


def entries(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
