"""A training run -> weights that the codec loads: `NAME.safetensors`, and beside it the card `NAME.json`.

The averaged weights are taken, the scale network is frozen to its integers and its bounds are proved, the tables are
built. The card says what the weights are: digest, sizes, data, steps, device, held-out figures, cost.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors.torch import save

from lpcodec.codec import atomic, models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.training.checkpoint import NAME as CHECKPOINT
from lpcodec.codec.training.checkpoint import Checkpoint
from lpcodec.codec.training.log import held_figures


def export(run: Path, name: str, out: Path, *, data: Path | None = None, order: int = 0, note: str = "") -> Path:
    """Export the averaged weights of the run in folder `run` under `name` to folder `out`; return the weights' path.

    Args:
        name: the model's name, for one of several sets with its rate: `wcae@0.15`.
        data: the training pictures; the default model's tables are then fitted to what they really hold.
        note: what people should know of the weights: the data's sources and licences, say; goes into the card.
        order: the place among the sets of weights of the same network; the first is what the plain name means.

    Raises:
        UsageError: no run there, or a name that belongs to another network.
    """
    if not (run / CHECKPOINT).exists():
        raise UsageError(f"{run}: no {CHECKPOINT}; give the folder that lpcodec train wrote")
    state = Checkpoint.load(run)
    about = models.network_named(name)
    if about.name != state.plan["model"]:
        raise UsageError(f"{run} trained {state.plan['model']}; {name!r} is a name of another network")
    family = models.family_of(about)
    network = family.objective(state.plan, "cpu").network
    state.fill(network, state.averaged, run)
    network.eval()
    kmac = family.macs(network)
    exported = family.export(network, data)
    # One key alone: safetensors writes several in an order that changes from run to run, and the digest with it.
    stored = save(exported.tensors, {"lpcodec-weights-1": state.plan["model"]})
    card = {
        "name": name, "order": order, "digest": hashlib.sha256(stored).hexdigest(), "kmac_per_pixel": kmac,
        **exported.card, "training": _training(state, run), "note": note,
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(out / f"{name}.safetensors", stored)
    atomic.write_bytes(out / f"{name}.json", (json.dumps(card, indent=2) + "\n").encode())
    return out / f"{name}.safetensors"


def _training(state: Checkpoint, run: Path) -> dict[str, Any]:
    plan = {k: v for k, v in state.plan.items() if v is not None}
    return {
        **plan, "steps": state.step, "seconds": round(state.seconds), "device": state.plan.get("device", "cpu"),
        **held_figures(run),
    }  # fmt: skip
