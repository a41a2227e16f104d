"""The codecs of a report, by the names that people give them.

name --find_codec--> CodecEntry: the codec, its sweep, and what the report says of it
  lpcodec                        the default model's weights for PSNR; default@visual: those that encoding takes
  default, wcae, wcae@0.13, ...  a model, or all sets of weights of a network without a quality as one codec
  jpeg, jpeg2000, webp, avif, avif-speed2, avif-default, jxl, heic               pillow.py
  mbt2018-mean, ...              CompressAI's models (compressai_models.py), if its weights are installed
  any other                      a command template of that name (command.py)
"""

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import PIL

import lpcodec
from lpcodec.codec import models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.evaluation.codecs import compressai_models, pillow
from lpcodec.codec.evaluation.codecs.codec import CodecAbout, MeasuredCodec
from lpcodec.codec.evaluation.codecs.command import Command
from lpcodec.codec.evaluation.codecs.ours import OurFamily, Ours

DEFAULT = "lpcodec"
DEFAULT_MODEL = "default"
VISUAL = "default@visual"
TITLES = {VISUAL: "lpcodec", DEFAULT: "lpcodec, tune=psnr"}
"""What reports call the default model's two sets of weights; `lpcodec` alone is what encoding takes."""
QUALITIES = (5.0, 12.0, 19.0, 25.0, 31.0, 38.0, 46.0, 54.0, 62.0)
"""Our sweep: about 0.05 to 1.2 bpp on photographs, most of it where peers are compared with us."""
USUAL_PEERS = ("jpeg", "jpeg2000", "webp", "avif", "avif-default", "jxl", "heic")


@dataclass(frozen=True)
class CodecEntry:
    """A codec of the report. `settings` are its sweep; `made_by` is all that decides its files and times apart from its
    options: versions of what runs it, and threads; `has_rates`: rate targets can be asked of it."""

    about: CodecAbout
    codec: MeasuredCodec
    settings: tuple[float, ...]
    made_by: str
    has_rates: bool


def usual() -> tuple[str, ...]:
    """The codecs of a report that names none: ours, and the peers that are installed."""
    installed = pillow.available()
    return (DEFAULT, VISUAL, *(name for name in USUAL_PEERS if name in installed))


def missing(names: Sequence[str]) -> dict[str, str]:
    """The peers among `names` that aren't installed here, with what would install each."""
    installed = pillow.available()
    return {
        name: f"pip install {pillow.PLUGINS[name]}" if name in pillow.PLUGINS else "a Pillow that is built with it"
        for name in names
        if name in pillow.MAKERS and name not in installed
    }


def find_codec(name: str, commands: Sequence[Command] = (), threads: int = 1) -> CodecEntry:
    """The codec of that name; `threads` is for those that have such an option. UsageError if there is none here."""
    if found := next((command for command in commands if command.name == name), None):
        about = CodecAbout(name, name, "command", found.options, has_dial=len(found.settings) > 1)
        return CodecEntry(about, found, found.settings, platform.platform(), about.has_dial)
    if name in pillow.MAKERS:
        return _peer(name, threads)
    if name == DEFAULT or name in {network.name for network in models.networks()} or _is_ours(name):
        return _ours(name, threads)
    if compressai_models.known(name):
        return _compressai(name, threads)
    known = ", ".join((DEFAULT, *models.names(), *pillow.MAKERS, *compressai_models.NAMES, *(c.name for c in commands)))
    raise UsageError(f"no codec named {name!r}; there are: {known}; others come with --codec 'NAME=COMMAND ...'")


def versions() -> dict[str, str]:
    """What the figures depend on: versions by name, JSON-ready."""
    found = {"lpcodec": lpcodec.__version__, "python": platform.python_version(), "pillow": PIL.__version__}
    for package in ("torch", "numpy", "constriction", "pytorch-msssim", "bjontegaard", *pillow.PLUGINS.values()):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    from PIL import features

    libraries = {"libjpeg-turbo": "libjpeg_turbo", "openjpeg": "jpg_2000", "libwebp": "webp", "libavif": "avif"}
    return found | {name: str(features.version(key)) for name, key in libraries.items() if features.version(key)}


def _peer(name: str, threads: int) -> CodecEntry:
    if advice := missing([name]).get(name):
        raise UsageError(f"{name} isn't installed here: it needs {advice}")
    peer = pillow.available(threads)[name]
    about = CodecAbout(name, peer.title, "peer", peer.options)
    relevant = {k: v for k, v in versions().items() if k == "pillow" or k.startswith(("lib", "openjpeg", "pillow-"))}
    return CodecEntry(about, peer, peer.settings, f"{_words(relevant)} threads={threads}", has_rates=True)


def _is_ours(name: str) -> bool:
    """Whether a set of weights, or a group of sets, has that name."""
    return any(name in (each, each.split("@")[0]) for each in models.names())


def _ours(name: str, threads: int) -> CodecEntry:
    model = DEFAULT_MODEL if name == DEFAULT else name
    sets = models.variants(model)
    rows = {row["name"]: row for row in models.describe()}
    row = rows[sets[0]]
    digests = [models.load(each).digest.hex() for each in sets]
    weights = ", ".join(f"{each} ({digest})" for each, digest in zip(sets, digests, strict=True))
    codec: MeasuredCodec
    settings: tuple[float, ...]
    if row["has_quality"]:
        codec, settings = Ours(sets[0], True, name), QUALITIES
    else:
        numbered = _numbered(sets)
        codec, settings = OurFamily(name, numbered), tuple(numbered)
    about = CodecAbout(
        name=name,
        title=TITLES.get(name, f"lpcodec {name}"),
        kind="model",
        options=f"lpcodec {lpcodec.__version__}, weights {weights}",
        has_dial=bool(row["has_quality"]),
        parameters=row["parameters"],
        kmac_per_pixel=row.get("kmac_per_pixel"),
    )
    made_by = f"code={_code_digest()} torch={importlib.metadata.version('torch')} threads={threads}"
    return CodecEntry(about, codec, settings, made_by, about.has_dial)


def _numbered(sets: Sequence[str]) -> Mapping[float, str]:
    """Sets of weights by a number, rising: that in their names (`wcae@0.13`), or their place if one has none."""
    try:
        numbers = [float(name.partition("@")[2]) for name in sets]
    except ValueError:
        numbers = [float(place) for place in range(1, len(sets) + 1)]
    return dict(sorted(zip(numbers, sets, strict=True)))


def _compressai(name: str, threads: int) -> CodecEntry:
    model = compressai_models.find_model(name)
    about = CodecAbout(name, f"CompressAI {name}", "compressai", model.options, has_dial=len(model.settings) > 1)
    packages: dict[str, Any] = {package: importlib.metadata.version(package) for package in ("compressai", "torch")}
    return CodecEntry(about, model, model.settings, f"{_words(packages)} threads={threads}", has_rates=False)


def _words(pairs: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in pairs.items())


@cache
def _code_digest() -> str:
    """A digest of the source that codes pictures: points measured with other code aren't taken from a cache."""
    package = Path(lpcodec.__file__).parent
    digest = hashlib.sha256()
    for room in ("codec", "entropy"):
        for path in sorted((package / room).rglob("*.py")):
            parts = path.relative_to(package).parts
            if parts[:2] not in (("codec", "evaluation"), ("codec", "training")):
                digest.update("/".join(parts).encode() + path.read_bytes())
    return digest.hexdigest()[:8]
