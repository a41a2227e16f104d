"""From a training run to weights that the codec loads: `NAME.safetensors`, and beside it the card `NAME.json`.

The averaged weights are exported. The family decides what is stored of them: the hyperprior, for example, freezes its
scale network to integers and builds tables. The card says what the weights are: digest, network, sizes, data, steps,
device, held-out figures, cost.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from safetensors.torch import save

from lpcodec.codec import atomic, models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.storage import make_folder
from lpcodec.codec.training.checkpoint import NAME as CHECKPOINT
from lpcodec.codec.training.checkpoint import Checkpoint
from lpcodec.codec.training.log import held_figures

_NAME = re.compile(r"[A-Za-z0-9][\w-]*(@(\d+(\.\d+)?|visual))?", re.ASCII)
_RESERVED = frozenset({"lpcodec", "stored"})
"""What reports call the default model, and what results call a picture that no model coded."""


def export(
    run: Path,
    name: str,
    out: Path,
    *,
    data: Path | None = None,
    order: int = 0,
    note: str = "",
    overwrite: bool = False,
) -> Path:
    """Export the averaged weights of the run in folder `run` under `name` to folder `out`; return the weights' path.

    Args:
        name: the model's name: that of its network, or any other. One of several sets has its rate: `wcae@0.15`.
        data: the training pictures, if the tables of a hyperprior codec should be fitted to them.
        order: the place among the sets of weights of the same model; the plain name means the first.
        note: for the card: what people should know of the weights, such as the data's sources and licences.
        overwrite: replace weights of that name; files that were coded with them can't be decoded any more.

    Raises:
        UsageError: no run there, a name that isn't allowed or belongs to another network, or weights of that name are
            there already.
        FileAccessError: they can't be written.
    """
    if not (run / CHECKPOINT).exists():
        raise UsageError(f"{run}: no {CHECKPOINT}; give the folder that lpcodec train wrote")
    state = Checkpoint.load(run)
    about = models.network_named(state.plan["model"])
    _check_name(name, about.name, run)
    paths = [out / f"{name}{ending}" for ending in (".safetensors", ".json")]
    for path in paths:
        if path.exists() and not overwrite:
            raise UsageError(f"{path} is there already: files coded with it need it", keyword="overwrite")
    family = models.family_of(about)
    network = family.objective(state.plan, "cpu").network
    state.fill(network, state.averaged, run)
    network.eval()
    kmac = family.macs(network)
    exported = family.export(network, data, state.plan)
    # Only one key: safetensors writes several keys in an order that changes from run to run, which changes the digest.
    stored = save(exported.tensors, {"lpcodec-weights-1": state.plan["model"]})
    card = {
        "name": name, "network": about.name, "order": order,
        "digest": hashlib.sha256(stored).hexdigest(), "kmac_per_pixel": kmac,
        **exported.card, "training": _training(state, run), "note": note,
    }  # fmt: skip
    make_folder(out)
    atomic.write_bytes(paths[0], stored)
    atomic.write_bytes(paths[1], (json.dumps(card, indent=2) + "\n").encode())
    return paths[0]


def _check_name(name: str, network: str, run: Path) -> None:
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise UsageError(
            f"{name!r} can't be a model's name: take letters, digits, - and _, and @RATE or @visual for one of several"
        )
    model = name.split("@")[0]
    if model != network and model in {n.name for n in models.networks()}:
        raise UsageError(f"{run} trained {network}; {name!r} is the name of another network")


def _training(state: Checkpoint, run: Path) -> dict[str, Any]:
    plan = {k: v for k, v in state.plan.items() if v is not None}
    if "from" in plan:  # only the folder's name: its path is private
        plan["from"] = Path(plan["from"]).name
    return {
        **plan, "steps": state.step, "seconds": round(state.seconds), "device": state.plan.get("device", "cpu"),
        **held_figures(run),
    }  # fmt: skip
