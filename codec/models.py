"""The registry: every network of the package and every set of weights, the one list that `lpcodec models` prints.

A network is an architecture; one that codes pictures has a number (which files carry). Its weights are
`NAME.safetensors` with a card `NAME.json`, in the package's `weights/` and in the folder that the environment variable
LPCODEC_WEIGHTS names. A file names its weights by the network's number and the first 4 bytes of their SHA-256. Where
both folders hold a name, it means the weights of the second. `wcae@0.15` is a set of weights of the network `wcae` for
one rate; a network's plain name means the first of its sets.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from lpcodec.codec.container import Header
from lpcodec.codec.errors import UnknownModelError, UsageError
from lpcodec.codec.forks import protect_children

if TYPE_CHECKING:
    from lpcodec.codec.families.decomposition.lpae import LaplacianAutoencoder
    from lpcodec.codec.families.decomposition.wae import WaveletLikeAutoencoder

WEIGHTS_VARIABLE = "LPCODEC_WEIGHTS"
_PACKAGED = Path(__file__).parent / "weights"


class Coded(Protocol):
    """A picture's symbols at one quality. `bits` is their ideal size under the integer tables; `payloads` has one entry
    a layer, coarsest first: one in all for a codec that isn't scalable."""

    @property
    def bits(self) -> float: ...
    @property
    def symbols_hash(self) -> bytes: ...
    def payloads(self) -> tuple[bytes, ...]: ...


class Codec(Protocol):
    """A trained network with its tables, ready to code.

    `analyse` runs once a picture and doesn't depend on the quality; `code` may run many times; `parse` is exact
    integer arithmetic; `synthesise` turns parsed symbols into pixels. Latents and symbols are the model's own.
    """

    name: str
    number: int
    digest: bytes

    @property
    def has_quality(self) -> bool: ...
    def analyse(self, pixels: npt.NDArray[np.uint8], progress: Any = None) -> Any: ...
    def code(self, latents: Any, quality: float) -> Coded: ...
    def parse(self, payloads: Sequence[bytes], header: Header) -> Any: ...
    def hash_of(self, symbols: Any) -> bytes: ...
    def synthesise(self, symbols: Any, header: Header, progress: Any = None) -> npt.NDArray[np.uint8]: ...


@runtime_checkable
class ScalableCodec(Codec, Protocol):
    """A codec whose files hold the picture at several resolutions, one layer for each, the coarsest first.

    A layer needs those before it and none after it: `parse` takes the first payloads of a file, as many as there are,
    up to `levels` + 1, and checks each against the hash that it holds. `synthesise` gives the picture halved `level`
    times; where the finer layers weren't parsed, it predicts what they hold.
    """

    levels: int

    def synthesise(
        self, symbols: Any, header: Header, progress: Any = None, level: int = 0
    ) -> npt.NDArray[np.uint8]: ...


@runtime_checkable
class ForeseeingCodec(Codec, Protocol):
    """A codec that can tell from a picture's latents, in a fraction of the time of `code`, about how many bits it will
    take: at rising qualities, the first 0 and the last 100."""

    def expected_bits(self, latents: Any) -> tuple[Sequence[float], Sequence[float]]: ...


@dataclass(frozen=True)
class Network:
    """An architecture: its number in files, its family (which decides how weights are read) and what it is.

    What codes pictures is of the kind "codec"; what only splits them into bands is a "network" without a number.
    """

    name: str
    number: int | None
    family: str
    parameters: int
    has_quality: bool
    description: str

    @property
    def kind(self) -> str:
        return "network" if self.number is None else "codec"


NETWORKS = (
    Network("default", 1, "hyperprior", 5_994_821, True, "wavelet fold, GDN autoencoder, hyperprior; every rate"),
    Network("fast", 2, "hyperprior", 1_987_893, True, "the same at two fifths of the cost"),
    Network("hq", 3, "hyperprior", 6_880_325, True, "the same with more layers, at one and a half times the cost"),
    Network("lpcae", 4, "lpcae", 6_197_619, True, "Laplacian pyramid, a layer for each resolution; every rate"),
    Network("wcae", 16, "wcae", 256_606, False, "wavelet autoencoder of Akyazi & Ebrahimi (CLIC 2019)"),
    Network("nowcae", 17, "wcae", 76_227, False, "WCAE without the wavelet: its finest branch on the picture"),
    Network("wcae-wide", 18, "wcae", 308_958, False, "WCAE with 64 outputs at the coarsest scale"),
    Network("lpae", None, "frontend", 16_905, False, "Laplacian pyramid-like autoencoder of Han, Hur & Hur"),
    Network("wae", None, "frontend", 17_676, False, "wavelet-like autoencoder of Chen et al. (AAAI 2018), linear"),
    Network("wae-relu", None, "frontend", 17_676, False, "WAE with the ReLUs of its paper"),
)  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """A set of trained weights: where it lies, and its card (NAME.json)."""

    path: Path
    card: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.card["name"])

    @property
    def digest(self) -> bytes:
        return bytes.fromhex(self.card["digest"])[:4]


def network_named(name: str) -> Network:
    """Return the network of a model name (`wcae` for `wcae@0.15`).

    Raises:
        UsageError: there is none.
    """
    for network in NETWORKS:
        if network.name == name.split("@")[0]:
            return network
    raise UsageError(f"no model named {name!r}; `lpcodec models` lists them")


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
            card = Weights(path.with_suffix(".safetensors"), _card(path, path.stat().st_mtime_ns))
            if len(card.digest) != 4:
                raise ValueError("its digest is too short")
            network_named(card.name)
            found.append(card)
        except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
            raise UsageError(f"{path}: not the card of a model of this version: {error!r}") from error
    place = {network.name: i for i, network in enumerate(NETWORKS)}
    return sorted(found, key=lambda w: (place[w.name.split("@")[0]], w.card.get("order", 0), w.name))


def _visible() -> list[Weights]:
    """`weights()` without the packaged sets whose name one in LPCODEC_WEIGHTS has: files still find those."""
    sets = weights()
    own = {w.name for w in sets if w.path.parent != _PACKAGED}
    return [w for w in sets if w.path.parent != _PACKAGED or w.name not in own]


def names() -> list[str]:
    """The names that `--model` takes where pictures are coded."""
    return [str(entry["name"]) for entry in describe() if entry["kind"] == "codec"]


def describe() -> list[dict[str, Any]]:
    """One JSON-ready object for each set of weights, and one for each network that has none."""
    sets = _visible()
    rows = []
    for network in NETWORKS:
        mine = [w for w in sets if w.name.split("@")[0] == network.name]
        about: dict[str, Any] = {
            "name": network.name, "network": network.name, "kind": network.kind, "number": network.number,
            "parameters": network.parameters,
            "has_quality": network.has_quality, "description": network.description,
        }  # fmt: skip
        for w in mine:
            extra = {k: w.card[k] for k in ("kmac_per_pixel", "training") if k in w.card}
            size = w.path.stat().st_size if w.path.exists() else 0
            rows.append(about | {"name": w.name, "digest": w.card["digest"], "weights": True, "bytes": size} | extra)
        if not mine:
            rows.append(about | {"digest": None, "weights": False})
    return rows


def variants(name: str) -> list[str]:
    """The sets of weights that a model name stands for: itself, or all sets of the network of that name.

    Raises:
        UsageError: no such model, no weights for it, or one that isn't a codec.
    """
    network = network_named(name)
    if network.kind != "codec":
        raise UsageError(f"{name} splits pictures into bands, it doesn't code them: choose one of {', '.join(names())}")
    return _sets_of(name, network)


def _sets_of(name: str, network: Network) -> list[str]:
    found = [w.name for w in _visible() if name in (w.name, w.name.split("@")[0])]
    if not found:
        sets = [w.name for w in _visible() if w.name.split("@")[0] == network.name]
        raise UsageError(f"no weights for {name!r} are installed" + (f"; there are: {', '.join(sets)}" if sets else ""))
    return found


def load(name: str, device: str = "cpu") -> Codec:
    """Return the codec of a model name, loaded once.

    Raises:
        UsageError: no such model, no weights for it, or one that isn't a codec.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    chosen = variants(name)[0]
    found = next(w for w in _visible() if w.name == chosen)
    return _load(found.path, found.digest, device)


def load_frontend(name: str, levels: int = 1) -> LaplacianAutoencoder | WaveletLikeAutoencoder:
    """Return the trained front-end of a name (lpae, wae), splitting into `levels` levels, on the CPU.

    Raises:
        UsageError: no such model, no weights for it, or one that isn't a front-end.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    from safetensors.torch import load as parse_tensors

    network = network_named(name)
    if network.kind != "network":
        fronts = ", ".join(n.name for n in NETWORKS if n.kind == "network")
        raise UsageError(f"{name} codes pictures, it doesn't split them into bands: choose one of {fronts}")
    chosen = _sets_of(name, network)[0]
    found = next(w for w in _visible() if w.name == chosen)
    frontend = fresh_frontend(network.name, levels)
    frontend.load_state_dict(parse_tensors(_read_checked(found.path, found.digest)))
    return frontend.eval()


def fresh_frontend(name: str, levels: int = 1) -> LaplacianAutoencoder | WaveletLikeAutoencoder:
    """Return the front-end of a network's name (lpae, wae, wae-relu) with random weights."""
    from lpcodec.codec.families.decomposition.lpae import LaplacianAutoencoder
    from lpcodec.codec.families.decomposition.wae import WaveletLikeAutoencoder

    protect_children()
    if name == "lpae":
        return LaplacianAutoencoder(levels)
    return WaveletLikeAutoencoder(levels, "relu" if name == "wae-relu" else "linear")


def load_by_identity(number: int, digest: bytes, device: str = "cpu") -> Codec:
    """Return the codec that a file names.

    Raises:
        UnknownModelError: those weights aren't installed.
    """
    for w in weights():
        if w.digest == digest and network_named(w.name).number == number:
            return _load(w.path, w.digest, device)
    network = next((n.name for n in NETWORKS if n.number == number), f"number {number}")
    raise UnknownModelError(
        f"the file was made with weights {digest.hex()} of model {network}, which aren't installed: install the "
        f"version of lpcodec that made it, or put the weights into a folder and name it in {WEIGHTS_VARIABLE}"
    )


@functools.lru_cache(maxsize=4)
def _load(path: Path, wanted: bytes, device: str) -> Codec:
    """The codec of one set of weights; `wanted`, its digest, makes weights that were replaced be read again."""
    from safetensors.torch import load as parse_tensors

    protect_children()
    card = json.loads(path.with_suffix(".json").read_text())
    data = _read_checked(path, wanted)
    network = network_named(card["name"])
    identity: dict[str, Any] = {
        "name": card["name"], "number": network.number, "digest": wanted, "device": device,
    }  # fmt: skip
    tensors = parse_tensors(data)
    if network.family == "hyperprior":
        from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec

        return HyperpriorCodec.from_tensors(tensors, card["sizes"], **identity)
    if network.family == "lpcae":
        from lpcodec.codec.families.lpcae.codec import LpcaeCodec

        return LpcaeCodec.from_tensors(tensors, card["sizes"], **identity)
    from lpcodec.codec.families.wcae.codec import WcaeCodec

    return WcaeCodec.from_tensors(tensors, network.name, **identity)


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
