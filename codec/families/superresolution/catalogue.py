"""The super-resolution networks by name: how each is built, and what may be chosen of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.superresolution.folded import FoldedNetwork
from lpcodec.codec.families.superresolution.lapsrn import LapSRN, RecursiveLapSRN
from lpcodec.codec.families.superresolution.light import LightNetwork
from lpcodec.codec.families.superresolution.lpn import LPN, Pathway
from lpcodec.codec.families.superresolution.network import UpscalingNetwork
from lpcodec.codec.families.superresolution.wavelet import LPSR, WSR, WaveSR

NARROW = 1 / 8
"""Width of the embedding of `lpsr-narrow`."""
STAGE_FILTERS, STAGE_PAIRS = 48, 1
DOUBLINGS = (2, 4, 8)
LIGHT_SCALES = (2, 4)
CHOICES = ("scale", "shared", "width", "module")
"""The choices that a network may have. `tune` isn't one: it changes the training of `stage`, not its shape."""


@dataclass(frozen=True)
class Entry:
    """A network: the scales that it can be built for, and the function that builds it from its choices.

    `default` is the scale if none is chosen; None for a network that is then built for all its scales. `choices` are
    what may be chosen beside the scale.
    """

    scales: tuple[int, ...]
    build: Callable[[Mapping[str, Any]], UpscalingNetwork]
    default: int | None = 4
    choices: tuple[str, ...] = ()


def _light(choices: Mapping[str, Any]) -> UpscalingNetwork:
    return LightNetwork(LIGHT_SCALES if choices["scale"] is None else (choices["scale"],))


def _stage(choices: Mapping[str, Any]) -> UpscalingNetwork:
    return FoldedNetwork(choices["scale"], filters=STAGE_FILTERS, pairs=STAGE_PAIRS)


def _lpn(last: Pathway) -> Entry:
    def build(choices: Mapping[str, Any]) -> UpscalingNetwork:
        width, module = choices.get("width", 1.0), choices.get("module", "c")
        return LPN(choices["scale"], last=last, width=width, module=module)

    return Entry((2, 3, 4), build, default=2, choices=("width", "module"))


CATALOGUE = {
    "light": Entry(LIGHT_SCALES, _light, default=None),
    "stage": Entry((2,), _stage, default=2),
    "lapsrn": Entry(DOUBLINGS, lambda choices: LapSRN(choices["scale"])),
    "ms-lapsrn": Entry(DOUBLINGS, lambda choices: RecursiveLapSRN(choices["scale"])),
    "cms-lapsrn": Entry(
        DOUBLINGS,
        lambda choices: RecursiveLapSRN(choices["scale"], shared=choices.get("shared", 3)),
        choices=("shared",),
    ),
    "lpn": _lpn("gamma"),
    "lpn-alpha": _lpn("alpha"),
    "lpn-beta": _lpn("beta"),
    "wavesr": Entry(DOUBLINGS, lambda choices: WaveSR(choices["scale"])),
    "wsr": Entry(DOUBLINGS, lambda choices: WSR(choices["scale"])),
    "lpsr": Entry(DOUBLINGS, lambda choices: LPSR(choices["scale"])),
    "lpsr-narrow": Entry(DOUBLINGS, lambda choices: LPSR(choices["scale"], NARROW)),
}


def chosen(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The choices that make a network, JSON-ready: those of CHOICES that `options`, a training's plan, has.

    Raises:
        UsageError: a choice that this network doesn't have.
    """
    entry = CATALOGUE[name]
    found = {key: options[key] for key in CHOICES if options.get(key) is not None}
    scale = found.setdefault("scale", entry.default)
    if scale is not None and scale not in entry.scales:
        raise UsageError(f"{name} enlarges {', '.join(map(str, entry.scales))} times, not {scale} times")
    if other := found.keys() - {"scale", *entry.choices}:
        raise UsageError(f"{name} has no choice of {', '.join(sorted(other))}")
    return found


def build(name: str, choices: Mapping[str, Any]) -> UpscalingNetwork:
    """The network of a name with random weights, from what `chosen` gave; it keeps them as `choices`."""
    network = CATALOGUE[name].build(choices)
    network.choices = dict(choices)
    return network
