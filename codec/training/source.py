"""The weights that a training starts from: those of an earlier run, or installed ones."""

from pathlib import Path
from typing import Any

from lpcodec.codec import models
from lpcodec.codec.families.family import Source
from lpcodec.codec.training.checkpoint import NAME as CHECKPOINT
from lpcodec.codec.training.checkpoint import Checkpoint


def read_source(name: str) -> Source:
    """Return the averaged weights of the run in folder `name`, or the installed weights of the model `name`.

    Raises:
        UsageError: there is neither.
        DamagedFileError, DivergedError: as `Checkpoint.load`.
    """
    if (Path(name) / CHECKPOINT).exists():
        run = Checkpoint.load(Path(name))
        return Source(name, run.plan["model"], state=run.averaged, card=run.plan)
    tensors, card = models.tensors_of(name)
    return Source(name, models.network_of(name).name, tensors=tensors, card=card)


def origin(name: str) -> dict[str, Any]:
    """The history of the weights that `read_source(name)` gives: their name, how many steps and seconds they were
    trained in all, and the digest of installed ones.

    Raises:
        UsageError: there are no such weights.
    """
    if (Path(name) / CHECKPOINT).exists():
        run = Checkpoint.load(Path(name))
        about = {"name": Path(name).name}
        training: dict[str, Any] = {**run.plan, "steps": run.step, "seconds": round(run.seconds)}
    else:
        _, card = models.tensors_of(name)
        about = {"name": card["name"], "digest": card["digest"][:8]}
        training = card["training"]
    before = training.get("origin", {})
    return about | {key: training[key] + before.get(key, 0) for key in ("steps", "seconds")}
