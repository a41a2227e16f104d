"""How fast training sees pixels, against an older build, and what its steps spend their time on.

    python benchmarks/training.py --data TRAINING --against CHECKOUT --out docs/results/training-loop.json

CHECKOUT is a checkout of the older build in which `python hatch_build.py` was run; --build names another newer build,
for one whose network is still that of the older one. Both builds train `default` from the weights that they ship, on
the same pictures with whole cosine schedules over the same gigapixels, in turn, on one thread, one run per seed, each
with the batch and rate it is meant for. Colours are left as they are, as the older build leaves them. Gigapixels per
hour count the processor time of the steps alone, without loading, validation and checkpoints. Then
`python benchmarks/tables.py` writes the tables of docs/training.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

PATCH = 256
OLD, NEW = {"batch": 6, "learning_rate": 5e-4}, {"batch": 16, "learning_rate": 8e-4}
"""The batch and the rate that each build is meant for."""
PROFILED_STEPS = 4
DRIVER = """
import json, sys, time
from pathlib import Path
import torch
from lpcodec.codec.training import loop
plan = json.loads(sys.argv[1])
torch.set_num_threads(1)
try:
    from lpcodec.codec.families.hyperprior import training
    training.with_rotated_colours = lambda batch: batch
except ImportError:
    pass
clock = []
def tell(*said):
    clock.append(time.process_time())
loop.train(data=Path(plan.pop("data")), out=Path(plan.pop("out")), progress=tell, **plan)
steps, seconds = len(clock) - 5, clock[-1] - clock[4]
print("RESULT", json.dumps({"steps": steps, "seconds": seconds}))
"""
"""Trains, and prints the processor time of all steps but the first few. Checkpoints are rare enough to be left in."""


def run(checkout: Path, data: Path, seed: int, gigapixels: float, recipe: dict[str, Any]) -> dict[str, Any]:
    """One training with one build."""
    steps = max(10, round(gigapixels * 1e9 / (recipe["batch"] * PATCH**2)))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        plan = {
            "model": "default", "source": "default", "data": str(data), "out": str(out), "patch": PATCH, "seed": seed,
            "steps": steps, **recipe,
        }  # fmt: skip
        environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, json.dumps(plan)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        measured = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))[7:])
        log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    held = [entry["held_score"] for entry in log if "held_score" in entry]
    pixels = measured["steps"] * recipe["batch"] * PATCH**2
    return {
        "seed": seed, "steps": steps, "gigapixels": steps * recipe["batch"] * PATCH**2 / 1e9,
        "gigapixels_per_hour": pixels / 1e9 / (measured["seconds"] / 3600), "held_score": held[-1], **recipe,
    }  # fmt: skip


def profile(data: Path) -> dict[str, float]:
    """Milliseconds per step of this build by kind of work, for a batch of its own size."""
    import torch
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    from lpcodec.codec import models
    from lpcodec.codec.training.memory import keep_freed_memory
    from lpcodec.codec.training.trainer import optimisers_of

    torch.set_num_threads(1)
    keep_freed_memory()
    objective = models.family_of(models.network_named("default")).objective({"model": "default"}, "cpu")
    objective.open(data, PATCH, "cpu")
    generator = torch.Generator().manual_seed(0)
    network = objective.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimisers = optimisers_of(objective, NEW["learning_rate"])

    def step() -> None:
        network.zero_grad(set_to_none=True)
        loss, _ = objective.loss(objective.sample(int(NEW["batch"]), generator))
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()

    step()
    with profiler(activities=[ProfilerActivity.CPU]) as found:
        for _ in range(PROFILED_STEPS):
            step()
    kinds: dict[str, float] = defaultdict(float)
    for event in found.key_averages():
        name = event.key
        if "convolution_backward" in name or "conv2d_backward" in name:
            kind = "convolutions, backward"
        elif "convolution" in name or "conv2d" in name:
            kind = "convolutions, forward"
        elif "bmm" in name or "Optimizer" in name or name in ("aten::mm", "aten::addmm", "aten::_fused_adam_"):
            kind = "optimiser"
        else:
            kind = "element-wise work and the rest"
        kinds[kind] += event.self_cpu_time_total / 1e3 / PROFILED_STEPS
    return {kind: round(value, 1) for kind, value in sorted(kinds.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--against", type=Path, required=True, metavar="CHECKOUT", help="the older build")
    parser.add_argument("--build", type=Path, metavar="CHECKOUT", help="the newer build; by default this one")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--gigapixels", type=float, default=0.1)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args()
    here = options.build.resolve() if options.build else Path(__file__).resolve().parents[1]
    rows = []
    for seed in options.seeds:
        for build, checkout, recipe in (("before", options.against.resolve(), OLD), ("now", here, NEW)):
            rows.append({"build": build, **run(checkout, options.data, seed, options.gigapixels, recipe)})
            print(json.dumps(rows[-1]), flush=True)
    document = {"rows": rows, "milliseconds_per_step": profile(options.data), "batch": NEW["batch"]}
    options.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
