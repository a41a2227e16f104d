"""The registry: every network of the package and every set of weights, the list that `lpcodec models` prints.

A network is an architecture; one that codes pictures has a number (which files carry). Its weights are
`NAME.safetensors` with a card `NAME.json`, in the package's `weights/` and in the folder that the environment variable
LPCODEC_WEIGHTS names. If both folders hold a name, it means the weights of the second. A file names its weights by the
network's number and the first 4 bytes of their SHA-256, and so finds them in either folder.

A set of weights has the name of its network, or one of its own; then its card says which `network` it is. `wcae@0.15`
is the set of the model `wcae` for one rate; a model's plain name means the first of its sets.

The registry knows families by the names of their modules alone (`FAMILIES`), and no class of theirs.
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

from lpcodec.codec.errors import DamagedFileError, UnknownModelError, UsageError
from lpcodec.codec.families.family import (
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

__all__ = ["Codec", "Network", "RateEstimator", "RotatingCodec", "ScalableCodec", "WeighingCodec"]

FAMILIES = [
    "lpcodec.codec.families.hyperprior.family",
    "lpcodec.codec.families.lpcae.family",
    "lpcodec.codec.families.wcae.family",
    "lpcodec.codec.families.decomposition.family",
    "lpcodec.codec.families.superresolution.family",
]
"""Modules with a `FAMILY`, in the order in which their networks are listed; a family is imported when it is needed."""
WEIGHTS_VARIABLE = "LPCODEC_WEIGHTS"
TUNES = ("psnr", "visual")
"""The measures that weights are trained for."""
DEFAULT_TUNE = "visual"
"""What encoding takes if none is asked for and the model has weights for it, unless squared error is what counts."""
_PACKAGED = Path(__file__).parent / "weights"
_DOES = {
    "codec": "codes pictures", "front-end": "splits pictures into bands", "upscaling": "enlarges pictures",
    "classification": "labels pictures",
}  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True)
class Model(Generic[T]):
    """A set of weights, loaded: its identity in files (name, number, first 4 bytes of the digest), and `trained`, what
    the family made of it: a `Codec`, say. `number` is 0 for a network that files don't name."""

    name: str
    number: int
    digest: bytes
    trained: T


@dataclass(frozen=True)
class Weights:
    """A set of trained weights: its file, and its card (NAME.json)."""

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
    def network(self) -> Network:
        """The architecture. Raises UsageError if this version has none of its name."""
        return network_named(str(self.card.get("network", self.model)))

    @property
    def digest(self) -> bytes:
        return bytes.fromhex(self.card["digest"])[:4]


def _families() -> list[Family]:
    return [importlib.import_module(module).FAMILY for module in FAMILIES]


def networks() -> tuple[Network, ...]:
    """All networks, family by family."""
    return tuple(network for family in _families() for network in family.networks)


def family_of(network: Network) -> Family:
    """The family that a network belongs to."""
    return next(family for family in _families() if network in family.networks)


def network_named(name: str) -> Network:
    """Return the architecture of a name.

    Raises:
        UsageError: there is none.
    """
    for network in networks():
        if network.name == name:
            return network
    raise UsageError(f"no model named {name!r}; there are: {', '.join(n.name for n in networks())}")


def network_of(name: str) -> Network:
    """Return the network of a model's name (`wcae` for `wcae@0.15`), or of weights with a name of their own.

    Raises:
        UsageError: no such model.
    """
    model = name.split("@")[0]
    found = [w.network for w in _visible() if w.model == model]
    found += [network for network in networks() if network.name == model]
    if not found:
        raise UsageError(f"no model named {name!r}; there are: {', '.join(w.name for w in _visible())}")
    return found[0]


def network_numbered(number: int) -> Network | None:
    """The network that files call by a number; None if there is none."""
    return next((network for network in networks() if network.number == number), None)


def _folders() -> list[Path]:
    extra = os.environ.get(WEIGHTS_VARIABLE)
    return [*([Path(extra)] if extra else []), _PACKAGED]


@functools.lru_cache(maxsize=64)
def _card(path: Path, changed: int) -> Any:
    """The JSON in a file, read again when it has changed: cards are asked for with every picture."""
    return json.loads(path.read_text())


def weights() -> list[Weights]:
    """All sets of weights that are installed, in the registry's order, then by their cards' `order`.

    Raises:
        UsageError: a card in the folder of LPCODEC_WEIGHTS isn't one.
    """
    found = []
    for path in (path for folder in _folders() for path in sorted(folder.glob("*.json"))):
        try:
            one = Weights(path.with_suffix(".safetensors"), _card(path, path.stat().st_mtime_ns))
            if len(one.digest) != 4:
                raise ValueError("its digest is too short")
            found.append((one.network.name, one))
        except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
            raise UsageError(f"{path}: not the card of a model of this version: {error!r}") from error
    place = {network.name: i for i, network in enumerate(networks())}
    found.sort(key=lambda pair: (place[pair[0]], pair[1].model != pair[0], pair[1].card.get("order", 0), pair[1].name))
    return [one for _, one in found]


def weights_by_identity(number: int, digest: bytes) -> Weights | None:
    """The weights that a file names by their network's number and 4 bytes of their digest; None if they aren't
    installed."""
    return next((w for w in weights() if (w.network.number, w.digest) == (number, digest)), None)


def _visible() -> list[Weights]:
    """`weights()` without the packaged sets whose name one in LPCODEC_WEIGHTS has: files still find those."""
    sets = weights()
    own = {w.name for w in sets if w.path.parent != _PACKAGED}
    return [w for w in sets if w.path.parent != _PACKAGED or w.name not in own]


def names(task: Task = "codec") -> list[str]:
    """The names of the installed weights for a task, by default of those that code pictures."""
    return [w.name for w in _visible() if w.network.task == task]


def describe() -> list[dict[str, Any]]:
    """One JSON-ready object for each set of weights, and one for each network that has none."""
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
    """The sets of weights that a model name stands for: itself, or all sets of the network of that name.

    Raises:
        UsageError: no such model, no weights for it, or one for another task.
    """
    network = network_of(name)
    if network.task != task:
        known = ", ".join(names() if task == "codec" else (n.name for n in networks() if n.task == task))
        raise UsageError(f"{name} {_DOES[network.task]}; a model that {_DOES[task]} is needed: choose one of {known}")
    found = [w.name for w in _visible() if name in (w.name, w.model)]
    if network.has_quality and name in found:  # one set serves every rate; others of its name are tuned differently
        found = [name]
    if not found:
        sets = [w.name for w in _visible() if w.network == network]
        raise UsageError(f"no weights for {name!r} are installed" + (f"; there are: {', '.join(sets)}" if sets else ""))
    return found


def tuned(model: str, tune: str | None, *, squared_error: bool = False) -> str:
    """The name of a model's weights that were trained for a measure: "psnr" is its plain set, "visual" the set
    MODEL@visual, trained on SSIMULACRA 2. None: DEFAULT_TUNE if the model has such a set, else the plain one; that too
    if `squared_error` is what the file is judged by: for a target of PSNR, and with effort, which refines it.

    Raises:
        UsageError: no such measure, or the model has no weights for it.
    """
    if tune not in (None, *TUNES):
        raise UsageError(f"tune {tune!r}: it is one of {', '.join(TUNES)}")
    visual = f"{model}@visual"
    there = visual in names()
    if tune == "visual" and not there:
        having = [name.split("@")[0] for name in names() if name.endswith("@visual")]
        raise UsageError(f"{model} has no weights tuned for the eye; these have: {', '.join(having) or 'none'}")
    wanted = tune or ("psnr" if squared_error else DEFAULT_TUNE)
    return visual if there and wanted == "visual" else model


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
    """Return the model of a name that codes pictures, loaded once.

    Raises:
        UsageError: no such model, no weights for it, or one that isn't a codec.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    return load_for("codec", name, device)


def load_for(task: Task, name: str, device: str = "cpu") -> Model[Any]:
    """Return the model of a name for a task, loaded once; what `trained` is, its family says.

    Raises:
        UsageError: no such model, no weights for it, or one for another task.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    chosen = variants(name, task)[0]
    found = next(w for w in _visible() if w.name == chosen)
    return _load(found.path, found.digest, device)


def load_frontend(name: str, levels: int = 1) -> FrontEnd:
    """Return the trained front-end of a name (lpae, wae), splitting into `levels` levels, on the CPU.

    Raises:
        UsageError: no such model, no weights for it, or one that isn't a front-end.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    frontend: FrontEnd = load_for("front-end", name).trained.at_levels(levels)
    return frontend


def load_by_identity(number: int, digest: bytes, device: str = "cpu", task: Task = "codec") -> Model[Any]:
    """Return the model that a file names for a task; what `trained` is, its family says: a `Codec`, for the first.

    Raises:
        UnknownModelError: those weights aren't installed.
        DamagedFileError: they are for another task.
    """
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


def installed(name: str) -> tuple[int, bytes] | None:
    """The identity that files carry, number and digest, of a network's first set of weights; None if it has none."""
    network = network_named(name)
    found = next((w for w in _visible() if w.network == network), None)
    return None if found is None or network.number is None else (network.number, found.digest)


def tensors_of(name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the installed tensors of a model name, as its family stored them, and their card.

    Raises:
        UsageError: no such model, or no weights for it.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    from safetensors.torch import load as parse_tensors

    chosen = variants(name, network_of(name).task)[0]
    found = next(w for w in _visible() if w.name == chosen)
    return parse_tensors(_read_checked(found.path, found.digest)), found.card


@functools.lru_cache(maxsize=4)
def _load(path: Path, wanted: bytes, device: str) -> Model[Any]:
    """The model of one set of weights; `wanted`, its digest, makes weights that were replaced be read again."""
    from safetensors.torch import load as parse_tensors

    protect_children()
    card = json.loads(path.with_suffix(".json").read_text())
    tensors = parse_tensors(_read_checked(path, wanted))
    network = Weights(path, card).network
    trained = family_of(network).load(network, tensors, card, device)
    return Model(card["name"], network.number or 0, wanted, trained)


def _read_checked(path: Path, wanted: bytes) -> bytes:
    """The weights' bytes, if they have the digest of their card, which begins with `wanted`."""
    card = json.loads(path.with_suffix(".json").read_text())
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnknownModelError(f"{path.name}: the weights can't be read: {error.strerror}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != card["digest"] or bytes.fromhex(digest)[:4] != wanted:
        raise UnknownModelError(f"{path.name}: these aren't the weights that their card names; install lpcodec again")
    return data
