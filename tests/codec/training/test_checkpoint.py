"""A run's state on disk: cut, changed, of another version, and on a full disk."""

import io
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lpcodec.codec.errors import DamagedFileError, DivergedError, FileAccessError
from lpcodec.codec.training.checkpoint import NAME, Checkpoint
from lpcodec.codec.training.export import export
from lpcodec.codec.training.loop import train
from lpcodec.codec.training.source import origin, read_source
from tests.full_disk import files_of_at_most

PLAN: dict[str, Any] = {
    "model": "nowcae", "steps": 5, "time_limit": None, "batch": 2, "patch": 64, "seed": 0, "learning_rate": 1e-3,
}  # fmt: skip


def checkpoint(step: int = 5, value: float = 1.0) -> Checkpoint:
    state = {"weight": torch.full((200, 300), value), "bias": torch.zeros(200)}
    return Checkpoint(PLAN, step, 1.5, state, dict(state), [{}], torch.Generator().get_state(), 0.5)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with a whole checkpoint of step 5."""
    checkpoint().save(tmp_path)
    return tmp_path


READERS = {
    "load": Checkpoint.load,
    "export": lambda run: export(run, "nowcae", run / "weights"),
    "from": lambda run: read_source(str(run)),
    "origin": lambda run: origin(str(run)),
    "resume": lambda run: train("nowcae", run, run, resume=True),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_checkpoint_is_named_whoever_reads_it(run: Path, reader: str) -> None:
    whole = (run / NAME).read_bytes()
    lengths = [0, 1, 100, len(whole) // 2, len(whole) - 1] if reader == "load" else [0, len(whole) // 2]
    for length in lengths:
        (run / NAME).write_bytes(whole[:length])
        with pytest.raises(DamagedFileError, match=r"checkpoint\.pt: not a whole checkpoint"):
            READERS[reader](run)


def test_what_torch_reads_but_is_no_checkpoint_is_damaged(run: Path) -> None:
    fields = vars(checkpoint())
    for changed in (
        5,
        {},
        {**fields, "plan": {"model": "nowcae"}},
        {**fields, "step": "five"},
        {**fields, "weights": {"weight": 3}},
        {**fields, "more": 1},
    ):
        stream = io.BytesIO()
        torch.save(changed, stream)
        (run / NAME).write_bytes(stream.getvalue())
        with pytest.raises(DamagedFileError, match=r"checkpoint\.pt: not a whole checkpoint"):
            Checkpoint.load(run)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_refused(run: Path, reader: str, value: float) -> None:
    checkpoint(value=value).save(run)
    with pytest.raises(DivergedError, match="diverged"):
        READERS[reader](run)
    assert not (run / "weights").exists()


def test_weights_of_another_version_are_named(run: Path) -> None:
    state = Checkpoint.load(run)
    for network in (nn.Linear(300, 100), nn.Linear(300, 200, bias=False)):
        with pytest.raises(DamagedFileError, match="weights don't fit nowcae"):
            state.fill(network, state.weights, run)
    with pytest.raises(DamagedFileError, match="weights don't fit nowcae"):
        export(run, "nowcae", run / "weights")


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileAccessError, match=r"checkpoint\.pt: No such file"):
        Checkpoint.load(tmp_path)


def test_on_a_full_disk_the_old_one_stays(run: Path) -> None:
    with files_of_at_most(1000), pytest.raises(FileAccessError, match=r"checkpoint\.pt: File too large"):
        checkpoint(step=6).save(run)
    assert Checkpoint.load(run).step == 5
    assert [path.name for path in run.iterdir()] == [NAME]
