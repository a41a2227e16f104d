"""Which parts of the network help it to learn: short trainings from random numbers, all alike but for one part each.

    python benchmarks/ablate_start.py --data TRAINING --out docs/results/ablation-start.json

The network has the widths of `fast`. Every variant has the same steps, the same patches and the seeds in turn; what is
compared is the held-out loss at the end (the mean over four qualities of (bpp + lambda MSE) / sqrt(lambda), as in every
training). Trainings of minutes rank how fast parts let a network learn, not what they are worth after days. Then
`python benchmarks/tables.py` writes the table of docs/ablations.md.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.families.hyperprior import training
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.training.loop import train

MODEL = "fast"
DEPTHWISE_BLOCKS = 3
"""This many blocks take as long, in a training step on one core of a CPU, as the residual pair that they replace."""


class DepthwiseBlock(nn.Module):
    """x + conv1(depthwise3(leaky(conv1(x)))), at constant width: DCVC's DepthConv."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.last(self.depthwise(F.leaky_relu(self.first(x), 0.1)))
        return x + branch


def as_it_is(network: HyperpriorNetwork) -> HyperpriorNetwork:
    return network


def without_shortcut(network: HyperpriorNetwork) -> HyperpriorNetwork:
    """Only the non-linear layers, which start at random."""
    for shortcut in (network.analysis.shortcut, network.synthesis.shortcut):
        for parameter in shortcut.parameters():
            nn.init.zeros_(parameter).requires_grad_(False)
    return random_shortcut(network)


def random_shortcut(network: HyperpriorNetwork) -> HyperpriorNetwork:
    """Nothing starts from principal components."""
    network.start_from_principal_components = lambda pictures: None  # type: ignore[method-assign]
    return network


def without_gdn(network: HyperpriorNetwork) -> HyperpriorNetwork:
    network.analysis.gdn = nn.LeakyReLU(0.1)  # type: ignore[assignment]
    network.synthesis.gdn = nn.LeakyReLU(0.1)  # type: ignore[assignment]
    return network


def without_strengths(network: HyperpriorNetwork) -> HyperpriorNetwork:
    """Gains act on the latents alone, not on the synthesis' features."""
    network.log_strength.requires_grad_(False)
    return network


def without_details(network: HyperpriorNetwork) -> HyperpriorNetwork:
    """All latents pass through all layers, and there are fewer of them."""
    return HyperpriorNetwork(replace(network.sizes, latents=network.sizes.main, linear_latents=0))


def with_depthwise_blocks(network: HyperpriorNetwork) -> HyperpriorNetwork:
    """Each residual pair gives way to blocks that take as much time and fewer multiplications."""
    for transform in (network.analysis, network.synthesis):
        count = DEPTHWISE_BLOCKS * len(transform.blocks)
        transform.blocks = nn.Sequential(*(DepthwiseBlock(network.sizes.width) for _ in range(count)))
    return network


Change = Callable[[HyperpriorNetwork], HyperpriorNetwork]
VARIANTS: dict[str, tuple[Change, str]] = {
    "as it is": (as_it_is, "haar"),
    "shortcut from random numbers": (random_shortcut, "haar"),
    "no shortcut": (without_shortcut, "haar"),
    "leaky ReLU for GDN": (without_gdn, "haar"),
    "gains on the latents alone": (without_strengths, "haar"),
    "pixels unshuffled for Haar": (as_it_is, "unshuffle"),
    "CDF 5/3 for Haar": (as_it_is, "cdf53"),
    "no details": (without_details, "haar"),
    "depthwise blocks": (with_depthwise_blocks, "haar"),
}


@contextmanager
def varied(variant: str) -> Iterator[None]:
    """Trainings that begin inside have that variant's network."""
    change, frontend = VARIANTS[variant]

    def made(sizes: HyperpriorSizes) -> HyperpriorNetwork:
        return change(HyperpriorNetwork(replace(sizes, frontend=frontend)))

    with patch.object(training, "HyperpriorNetwork", made):
        yield


def held_out(data: Path, variant: str, options: argparse.Namespace, seed: int) -> dict[str, float]:
    """The last held-out figures of one training."""
    with tempfile.TemporaryDirectory() as folder, varied(variant):
        out = train(
            MODEL, data, Path(folder) / "run", steps=options.steps, batch=options.batch, patch=options.patch, seed=seed,
            threads=options.threads,
        )  # fmt: skip
        entries = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    figures: dict[str, float] = [entry for entry in entries if "held_score" in entry][-1]
    return figures


def main(argv: Sequence[str] | None = None) -> None:
    """Train every variant with every seed; write the JSON after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the training pictures")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--patch", type=int, default=192)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    options = parser.parse_args(argv)
    about = {"model": MODEL, "steps": options.steps, "batch": options.batch, "patch": options.patch, "device": "cpu"}
    runs: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        for variant in options.variants:
            start = time.monotonic()
            runs.append({"variant": variant, "seed": seed, **held_out(options.data, variant, options, seed)})
            print(f"seed {seed}, {variant}: {runs[-1]['held_score']:.3f}  {time.monotonic() - start:.0f} s", flush=True)
            options.out.write_text(json.dumps({**about, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
