"""The registry: every network of the package and every set of weights. `lpcodec models` prints it.

A network is an architecture. If files can name it, it has a number. A set of weights is `NAME.safetensors` with a card
`NAME.json`. The sets are in the package's `weights/` and in the folder that the environment variable LPCODEC_WEIGHTS
names. If both folders have a name, the name means the set in the second. A file names its weights by the number of the
network and the first 4 bytes of their SHA-256, and so finds them in either folder.

A set of weights is named after its network, or has a name of its own and a card that says which `network` it is. A
network may have several sets, such as `wcae@0.09` and `wcae@0.13` for two rates. The plain name, `wcae`, means the
first of them.

The registry knows families only by the names of their modules (`FAMILIES`), and none of their classes.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lpcodec.codec.errors import DamagedFileError, UnknownModelError, UsageError, in_short
from lpcodec.codec.families.family import (
    TUNES,
    AllocatingCodec,
    Codec,
    Family,
    Network,
    RateEstimator,
    RotatingCodec,
    ScalableCodec,
    Task,
    WeighingCodec,
)
from lpcodec.codec.forks import protect_children

if TYPE_CHECKING:
    from torch import Tensor

    from lpcodec.codec.frontends.interface import FrontEnd

__all__ = [
    "AllocatingCodec", "Codec", "Network", "RateEstimator", "RotatingCodec", "ScalableCodec", "WeighingCodec",
]  # fmt: skip

FAMILIES = [
    "lpcodec.codec.families.hyperprior.family",
    "lpcodec.codec.families.lpcae.family",
    "lpcodec.codec.families.wcae.family",
    "lpcodec.codec.families.decomposition.family",
    "lpcodec.codec.families.superresolution.family",
]
"""Modules that have a `FAMILY`, in the order in which their networks are listed. They are imported on demand."""
WEIGHTS_VARIABLE = "LPCODEC_WEIGHTS"
DEFAULT_TUNE = "visual"
"""The default of encoding, if the model has such weights, unless the target is a PSNR."""
_VISUAL = "@visual"
"""How the names of weights for the eye end."""
_PACKAGED = Path(__file__).parent / "weights"
_DOES = {
    "codec": "codes pictures", "front-end": "splits pictures into bands", "upscaling": "enlarges pictures",
    "classification": "labels pictures",
}  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True)
class Model(Generic[T]):
    """A set of weights, loaded. `trained` is what its family made of it: a `Codec` for the task "codec".

    Files name it by `number`, that of its network, and `digest`, the first 4 bytes of the weights' SHA-256. `number` is
    0 for a network that files can't name.
    """

    name: str
    number: int
    digest: bytes
    trained: T
    tune: str = "psnr"
    """What it was trained for, one of TUNES."""


@dataclass(frozen=True)
class Weights:
    """An installed set of weights: its file, and its card (NAME.json)."""

    path: Path
    card: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.card["name"])

    @property
    def model(self) -> str:
        """The name without the rate: `wcae` of `wcae@0.15`."""
        return self.name.split("@")[0]

    @property
    def tune(self) -> str:
        """What they were trained for, one of TUNES."""
        return str(self.card.get("training", {}).get("tune") or tune_of(self.name))

    @property
    def network(self) -> Network:
        """The network that the weights are for. Raises UsageError if this version doesn't have it."""
        return network_named(str(self.card.get("network", self.model)))

    @property
    def digest(self) -> bytes:
        """The first 4 bytes of the weights' SHA-256, as the card gives it."""
        return bytes.fromhex(self.card["digest"])[:4]


@functools.cache
def _families_in(modules: tuple[str, ...]) -> tuple[Family, ...]:
    return tuple(importlib.import_module(module).FAMILY for module in modules)


def _families() -> tuple[Family, ...]:
    return _families_in(tuple(FAMILIES))


def networks() -> tuple[Network, ...]:
    """All networks, family by family."""
    return tuple(network for family in _families() for network in family.networks)


def family_of(network: Network) -> Family:
    """The family that a network belongs to."""
    return next(family for family in _families() if network in family.networks)


def network_named(name: str) -> Network:
    """Return the network of a name.

    Raises:
        UsageError: there is none.
    """
    for network in networks():
        if network.name == name:
            return network
    raise UsageError(f"no model named {name!r}; there are: {', '.join(n.name for n in networks())}")


def network_of(name: str, task: Task | None = None) -> Network:
    """Return the network of a model's name, that is of a network or of a set of weights (`wcae` for `wcae@0.13`).

    Raises:
        UsageError: no such model. The text lists those for the task, or all that are installed.
    """
    model = name.split("@")[0]
    found = [w.network for w in _visible() if w.model == model]
    found += [network for network in networks() if network.name == model]
    if not found:
        known = _choice(task) if task else [w.name for w in _visible()]
        raise UsageError(f"no model named {name!r}; there are: {', '.join(known)}")
    return found[0]


def _choice(task: Task) -> list[str]:
    """The names from which a user chooses a model for a task: those installed, or else the networks to be trained."""
    return names(task) or [network.name for network in networks() if network.task == task]


def network_numbered(number: int) -> Network | None:
    """The network with this number; None if there is none."""
    return next((network for network in networks() if network.number == number), None)


def _folders() -> list[Path]:
    extra = os.environ.get(WEIGHTS_VARIABLE)
    return [*([Path(extra)] if extra else []), _PACKAGED]


@functools.lru_cache(maxsize=64)
def _card(path: Path, changed: int) -> Any:
    """The JSON in a file, cached until the file changes: every picture asks for the cards."""
    return json.loads(path.read_text())


def weights() -> list[Weights]:
    """All installed sets of weights, in the order of their networks, and then of `order` in their cards.

    Raises:
        UsageError: a JSON file in the folder of LPCODEC_WEIGHTS isn't a card.
    """
    found = []
    for path in (path for folder in _folders() for path in sorted(folder.glob("*.json"))):
        try:
            one = Weights(path.with_suffix(".safetensors"), _card(path, path.stat().st_mtime_ns))
            if len(one.digest) != 4:
                raise ValueError("its digest is too short")
            found.append((one.network.name, one))
        except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
            raise UsageError(f"{path}: not the card of a model of this version: {in_short(error)}") from error
    place = {network.name: i for i, network in enumerate(networks())}
    found.sort(key=lambda pair: (place[pair[0]], pair[1].model != pair[0], pair[1].card.get("order", 0), pair[1].name))
    return [one for _, one in found]


def weights_by_identity(number: int, digest: bytes) -> Weights | None:
    """The weights with this network number and the first 4 bytes of their digest; None if they aren't installed."""
    return next((w for w in weights() if (w.network.number, w.digest) == (number, digest)), None)


def _visible() -> list[Weights]:
    """The sets that names mean: `weights()` without packaged sets of a name that LPCODEC_WEIGHTS has too. Files still
    find those by their digest."""
    sets = weights()
    own = {w.name for w in sets if w.path.parent != _PACKAGED}
    return [w for w in sets if w.path.parent != _PACKAGED or w.name not in own]


def names(task: Task = "codec") -> list[str]:
    """The names of the installed weights for a task; by default those that code pictures."""
    return [w.name for w in _visible() if w.network.task == task]


def describe() -> list[dict[str, Any]]:
    """An object, ready for JSON, for each set of weights and for each network that has none."""
    sets = _visible()
    rows = []
    for network in networks():
        mine = [w for w in sets if w.network == network]
        about: dict[str, Any] = {
            "name": network.name, "network": network.name, "task": network.task, "number": network.number,
            "parameters": network.parameters,
            "has_quality": network.has_quality, "description": network.description,
        }  # fmt: skip
        for w in mine:
            extra = {k: w.card[k] for k in ("kmac_per_pixel", "training", "parameters", "scales") if k in w.card}
            size = w.path.stat().st_size if w.path.exists() else 0
            rows.append(about | {"name": w.name, "digest": w.card["digest"], "weights": True, "bytes": size} | extra)
        if not mine:
            rows.append(about | {"digest": None, "weights": False})
    return rows


def variants(name: str, task: Task = "codec") -> list[str]:
    """The names of the sets of weights that a model's name means: one set, or all sets of a network without a quality.

    Raises:
        UsageError: no such model, no weights for it, or one for another task.
    """
    network = network_of(name, task)
    if network.task != task:
        known = ", ".join(_choice(task))
        raise UsageError(f"{name} {_DOES[network.task]}; a model that {_DOES[task]} is needed: choose one of {known}")
    found = [w.name for w in _visible() if name in (w.name, w.model)]
    if network.has_quality and name in found:  # one set has all rates; NAME@visual, say, is tuned otherwise
        found = [name]
    if not found:
        there = [w.name for w in _visible() if w.network == network] or names(task)
        choice = f"choose one of {', '.join(there)}, or " if there else ""
        train = f"train and export them, and name their folder in {WEIGHTS_VARIABLE}"
        raise UsageError(f"no weights for {name!r} are installed: {choice}{train}")
    return found


def tuned(model: str, tune: str | None, *, squared_error: bool = False) -> str:
    """The name of a model's weights for a tune: MODEL for "psnr", and MODEL@visual for "visual".

    Without a tune it is the default one, "visual", if the model has such weights. It is "psnr" if `squared_error` is
    what counts: for a target of PSNR.

    Raises:
        UsageError: there is no such tune, or the model has no weights for it.
    """
    if tune not in (None, *TUNES):
        raise UsageError(f"tune {tune!r}: it is one of {', '.join(TUNES)}")
    visual = model + _VISUAL
    there = visual in names()
    if tune == "visual" and not there:
        having = [name.removesuffix(_VISUAL) for name in names() if tune_of(name) == "visual"]
        raise UsageError(f"{model} has no weights tuned for the eye; these have: {', '.join(having) or 'none'}")
    wanted = tune or ("psnr" if squared_error else DEFAULT_TUNE)
    return visual if there and wanted == "visual" else model


def tune_of(name: str) -> str:
    """The tune that the name of a set of weights stands for, one of TUNES."""
    return "visual" if name.endswith(_VISUAL) else "psnr"


def card_of(name: str) -> dict[str, Any]:
    """The card of an installed set of weights.

    Raises:
        UsageError: no such set is installed.
    """
    for w in _visible():
        if w.name == name:
            return w.card
    raise UsageError(f"no weights {name!r} are installed")


def load(name: str, device: str = "cpu") -> Model[Codec]:
    """Return the model of a name, one that codes pictures. It is loaded once and cached.

    Raises:
        UsageError: no such model, no weights for it, or one that isn't a codec.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    return load_for("codec", name, device)


def load_for(task: Task, name: str, device: str = "cpu") -> Model[Any]:
    """Return the model of a name for a task. It is loaded once and cached. `Family.load` says what `trained` is.

    Raises:
        UsageError: no such model, no weights for it, or one for another task.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    _settle_threads()
    chosen = variants(name, task)[0]
    found = next(w for w in _visible() if w.name == chosen)
    return _load(found.path, found.digest, device)


def load_frontend(name: str, levels: int = 1) -> FrontEnd:
    """Return a trained front-end (lpae, wae) that splits pictures into `levels` levels, on the CPU.

    Raises:
        UsageError: no such model, no weights for it, or one that isn't a front-end.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    frontend: FrontEnd = load_for("front-end", name).trained.at_levels(levels)
    return frontend


def load_by_identity(number: int, digest: bytes, device: str = "cpu", task: Task = "codec") -> Model[Any]:
    """Return the model that a file names by number and digest, for a task. `Family.load` says what `trained` is.

    Raises:
        UnknownModelError: those weights aren't installed.
        DamagedFileError: they are for another task.
    """
    _settle_threads()
    if (found := weights_by_identity(number, digest)) is not None:
        if found.network.task != task:
            wrong = f"the file names {found.name}, which {_DOES[found.network.task]}"
            raise DamagedFileError(f"{wrong}, in place of a model that {_DOES[task]}")
        return _load(found.path, found.digest, device)
    network = network_numbered(number)
    name = f"number {number}" if network is None else network.name
    raise UnknownModelError(
        f"the file was made with weights {digest.hex()} of model {name}, which aren't installed: install the "
        f"version of lpcodec that made it, or put the weights into a folder and name it in {WEIGHTS_VARIABLE}"
    )


def installed(name: str, tune: str = "psnr") -> tuple[int, bytes] | None:
    """Number and digest of a network's weights for a tune, or else of its first ones, as files name them; None if none
    are installed."""
    network = network_named(name)
    sets = [w for w in _visible() if w.network == network]
    if not sets or network.number is None:
        return None
    return network.number, next((w for w in sets if w.tune == tune), sets[0]).digest


def tensors_of(name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a model's name, as its family stored them, and their card.

    Raises:
        UsageError: no such model, or no weights for it.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    from safetensors.torch import load as parse_tensors

    chosen = variants(name, network_of(name).task)[0]
    found = next(w for w in _visible() if w.name == chosen)
    return parse_tensors(_read_checked(found.path, found.digest)), found.card


def _settle_threads() -> None:
    """Before a thread computes for the first time, see threads.py. Everything that computes asks for a model first."""
    from lpcodec.codec.threads import settle

    settle()


@functools.lru_cache(maxsize=4)
def _load(path: Path, wanted: bytes, device: str) -> Model[Any]:
    """The model of one set of weights. `wanted` is its digest, so that weights that were replaced are loaded again.

    Raises:
        UnknownModelError: the weights don't have the digest that their card gives, or are of another version's network.
    """
    from safetensors.torch import load as parse_tensors

    protect_children()
    card = json.loads(path.with_suffix(".json").read_text())
    tensors = parse_tensors(_read_checked(path, wanted))
    weights = Weights(path, card)
    network = weights.network
    try:
        trained = family_of(network).load(network, tensors, card, device)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "state_dict" not in str(error):  # such as a device without memory
            raise
        raise UnknownModelError(
            f"{path.name}: these weights don't fit this version's {network.name}; export or train them again"
        ) from error
    return Model(weights.name, network.number or 0, wanted, trained, weights.tune)


def _read_checked(path: Path, wanted: bytes) -> bytes:
    """The bytes of the weights. Raises UnknownModelError unless their digest is that of the card and begins with
    `wanted`."""
    card = json.loads(path.with_suffix(".json").read_text())
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnknownModelError(f"{path.name}: the weights can't be read: {error.strerror}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != card["digest"] or bytes.fromhex(digest)[:4] != wanted:
        raise UnknownModelError(f"{path.name}: these aren't the weights that their card names; install lpcodec again")
    return data
