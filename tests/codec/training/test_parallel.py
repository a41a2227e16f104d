"""Training in several processes: what torchrun starts, here two of them with gloo on the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec.training.checkpoint import Checkpoint
from lpcodec.codec.training.parallel import Workers

PROGRAM = """
import os
import sys
import torch
from pathlib import Path
from lpcodec.codec.families.hyperprior import sizes, training
from lpcodec.codec.training import loop, objective
from lpcodec.codec.training.parallel import Workers

sizes.PROFILES = {"default": sizes.HyperpriorSizes(16, 32, hyper_width=16, hyper_latents=8, context_width=16)}
training.START_PATCHES, training.START_SIZE, objective.VALIDATION_SIZE, objective.VALIDATION_PATCHES = 8, 64, 64, 2
loop.LOG_EVERY, loop.CHECKPOINT_SECONDS = 2, 0.0
torch.set_num_threads(1)
own = {}


def note(network):
    # each parameter's gradient as this process has it, before it is averaged
    for name, parameter in network.named_parameters():
        parameter.register_hook(lambda gradient, name=name: own.__setitem__(name, gradient.detach().clone()))


def clip(parameters, limit):
    network = watched[0]
    local = torch.cat([own[name].flatten() for name, _ in network.named_parameters()])
    mean = torch.cat([p.grad.flatten() for p in network.parameters()])
    gathered = [torch.empty_like(local) for _ in range(2)]
    torch.distributed.all_gather(gathered, local)
    assert not torch.equal(gathered[0], gathered[1]), "the processes saw the same patches"
    torch.testing.assert_close(mean, sum(gathered) / 2)
    checked.append(True)
    return whole(parameters, limit)


watched, checked = [], []
whole, torch.nn.utils.clip_grad_norm_ = torch.nn.utils.clip_grad_norm_, clip
loss = Workers.loss


def loss_of(self, objective):
    found = loss(self, objective)
    watched.append(objective.network)
    note(objective.network)
    first = torch.cat([p.detach().flatten() for p in objective.network.parameters()])
    gathered = [torch.empty_like(first) for _ in range(2)]
    torch.distributed.all_gather(gathered, first)
    assert torch.equal(gathered[0], gathered[1]), "all begin with the first one's parameters"
    return found


Workers.loss = loss_of
steps = []
out = loop.train("default", Path(sys.argv[1]), Path(sys.argv[2]), steps=6, batch=2, patch=64,
                 progress=lambda words, part: steps.append(words))
assert len(checked) == 6
os.write(1, f"{len(steps)}\\n".encode())  # in one piece: both write to one pipe
"""


def test_alone_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    workers = Workers("cpu")
    assert (workers.count, workers.first, workers.device) == (1, True, "cpu")
    assert workers.agree(3.5, True) == (3.5, True)
    objective = SimpleNamespace(loss=lambda batch: batch)
    assert workers.loss(objective) is objective.loss
    workers.end()


def test_two_processes_train_one_network(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8))
        coarse.resize((96, 96), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
        str(program), str(folder), str(tmp_path / "run"),
    ]  # fmt: skip
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert sorted(ran.stdout.split()) == ["0", "6"], "the first process alone reports"
    state = Checkpoint.load(tmp_path / "run")
    assert (state.step, state.plan["processes"]) == (6, 2)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [e["step"] for e in log if "loss" in e] == [2, 4, 6]
    assert all(e["patches_per_second"] > 0 for e in log if "loss" in e)
