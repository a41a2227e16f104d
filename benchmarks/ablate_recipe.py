"""What is best at equal time: the optimiser, the side of the patches, the share of high qualities, a larger analysis.

    pip install pytorch-optimizer==4.1.0
    python benchmarks/ablate_recipe.py --data TRAINING --out docs/results/ablation-recipe.json

Trainings of the network `fast` from random numbers, all alike but for one thing, each with a whole cosine schedule over
the same processor seconds of its steps on one thread. A slow optimiser thus takes fewer steps. What is compared is the
held-out loss at the end, as in ablate_start.py; per quality too, because the share of high qualities shifts it. Patches
have at most 256 pixels a side: with larger ones, other pictures are held out. SOAP is that of the package
pytorch-optimizer. Then `python benchmarks/tables.py` writes the table of docs/ablations.md.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch

from lpcodec.codec.families.hyperprior import qualities, training
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.sizes import PROFILES
from lpcodec.codec.training import loop, trainer

MODEL = "fast"
PATCH, BATCH, RATE = 192, 4, 6e-4
PLACES_OF_ALL = PROFILES["default"].anchors
"""The anchors of `default`: `fast` has no qualities above 70."""
HIGH_SHARE = 0.65
"""What "all qualities, more high ones" leaves for those up to 70; 0.85 is the default."""


@dataclass(frozen=True)
class Variant:
    """What differs: the optimiser of the kernels, patches and batch, the rate, the network, its qualities."""

    optimiser: str = "muon"
    patch: int = PATCH
    batch: int = BATCH
    rate: float = RATE
    more_pairs: int = 0
    anchors: int | None = None
    common_share: float = qualities.COMMON_SHARE
    one_quality: bool = False


VARIANTS = {
    "as it is": Variant(),
    "three times the rate": Variant(rate=3 * RATE),
    "SOAP for Muon": Variant(optimiser="soap"),
    "SOAP for Muon, three times the rate": Variant(optimiser="soap", rate=3 * RATE),
    "Adam for Muon": Variant(optimiser="adam"),
    "Adam for Muon, three times the rate": Variant(optimiser="adam", rate=3 * RATE),
    "9 patches of 128": Variant(patch=128, batch=9),
    "2 patches of 256": Variant(patch=256, batch=2),
    "one quality for each step": Variant(one_quality=True),
    "one more pair in the analysis": Variant(more_pairs=1),
    "all qualities": Variant(anchors=PLACES_OF_ALL),
    "all qualities, more high ones": Variant(anchors=PLACES_OF_ALL, common_share=HIGH_SHARE),
}
Made = Callable[..., list[torch.optim.Optimizer]]


def optimisers_of(kind: str) -> Made:
    """A function like trainer.optimisers_of, with another optimiser for what Muon has there."""

    def made(objective: Any, rate: float) -> list[torch.optim.Optimizer]:
        groups = list(objective.parameter_groups())
        kernels = [g for g in groups if g["muon"]]
        rest = torch.optim.Adam([g for g in groups if not g["muon"]], rate, fused=True)
        if kind == "adam":
            return [torch.optim.Adam(kernels, rate, fused=True), rest]
        from pytorch_optimizer import SOAP  # type: ignore[import-not-found]

        plain = [{key: value for key, value in g.items() if key in ("params", "lr_scale")} for g in kernels]
        return [SOAP(plain, lr=rate, weight_decay=0.0, merge_dims=True, max_precondition_dim=256), rest]

    return made


@contextmanager
def varied(variant: Variant) -> Iterator[None]:
    """Trainings that begin inside are that variant's, and count processor time."""

    def network(sizes: Any) -> HyperpriorNetwork:
        pairs = sizes.analysis_pairs + variant.more_pairs
        return HyperpriorNetwork(replace(sizes, analysis_pairs=pairs, anchors=variant.anchors or sizes.anchors))

    with ExitStack() as stack:
        stack.enter_context(patch.object(training, "HyperpriorNetwork", network))
        stack.enter_context(patch.object(qualities, "COMMON_SHARE", variant.common_share))
        stack.enter_context(patch.object(loop, "time", SimpleNamespace(monotonic=time.process_time)))
        if variant.one_quality:
            stack.enter_context(patch.object(training, "random_parts", lambda batch: torch.rand(1).expand(len(batch))))
        if variant.optimiser != "muon":
            stack.enter_context(patch.object(trainer, "optimisers_of", optimisers_of(variant.optimiser)))
        yield


def held_out(data: Path, variant: Variant, minutes: float, seed: int) -> dict[str, float]:
    """The last held-out figures of one training, and its steps."""
    with tempfile.TemporaryDirectory() as folder, varied(variant):
        out = loop.train(
            MODEL, data, Path(folder) / "run", time_limit=60 * minutes, batch=variant.batch, patch=variant.patch,
            seed=seed, learning_rate=variant.rate, threads=1,
        )  # fmt: skip
        entries = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    found = [entry for entry in entries if "held_score" in entry][-1]
    return {key: value for key, value in found.items() if key == "step" or key.startswith("held_")}


def main(argv: Sequence[str] | None = None) -> None:
    """Train every variant with every seed that OUT doesn't have yet; write the JSON after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the training pictures")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=4, help="processor minutes of each training")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    options = parser.parse_args(argv)
    about = {"model": MODEL, "minutes": options.minutes, "device": "cpu"}
    earlier = json.loads(options.out.read_text()) if options.out.exists() else {"runs": []}
    found: list[dict[str, Any]] = earlier.pop("runs")
    runs = found if earlier == about else []
    for seed in range(options.seeds):
        for name in options.variants:
            if any(run["variant"] == name and run["seed"] == seed for run in runs):
                continue
            figures = held_out(options.data, VARIANTS[name], options.minutes, seed)
            runs.append({"variant": name, "seed": seed, **figures})
            print(f"seed {seed}, {name}: {figures['held_score']:.3f} after {figures['step']} steps", flush=True)
            options.out.write_text(json.dumps({**about, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
