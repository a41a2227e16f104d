"""The super-resolution networks by name, and what may be chosen of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.superresolution.lapsrn import LapSRN, RecursiveLapSRN, Shared
from lpcodec.codec.families.superresolution.light import LightNetwork
from lpcodec.codec.families.superresolution.lpn import LPN, Module, Pathway
from lpcodec.codec.families.superresolution.network import UpscalingNetwork
from lpcodec.codec.families.superresolution.wavelet import LPSR, WSR, WaveSR

NARROW = 1 / 8
"""Width of the embedding of `lpsr-narrow`."""
STAGE_FILTERS, STAGE_PAIRS = 24, 3
DOUBLINGS = (2, 4, 8)
SCALES: dict[str, tuple[int, ...]] = {
    "light": (2, 4), "stage": (2,), "lapsrn": DOUBLINGS, "ms-lapsrn": DOUBLINGS, "cms-lapsrn": DOUBLINGS,
    "lpn": (2, 3, 4), "lpn-alpha": (2, 3, 4), "lpn-beta": (2, 3, 4),
    "wavesr": DOUBLINGS, "wsr": DOUBLINGS, "lpsr": DOUBLINGS, "lpsr-narrow": DOUBLINGS,
}  # fmt: skip
"""The scales that each network can be built for. `light` is built for both unless one is chosen."""
DEFAULT_SCALE = {"light": None, "stage": 2, "lpn": 2, "lpn-alpha": 2, "lpn-beta": 2}
"""The scale if none is chosen: 4, apart from these."""


def chosen(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The choices that make a network, JSON-ready, from `options` (others of a training's plan are left out):
    `scale`; for `cms-lapsrn` also `shared` (1, 3 or 5); for the LPN also `width` and `module`.

    Raises:
        UsageError: a choice that this network doesn't have.
    """
    found = {key: options[key] for key in ("scale", "shared", "width", "module") if options.get(key) is not None}
    scale = found.setdefault("scale", DEFAULT_SCALE.get(name, 4))
    if scale is not None and scale not in SCALES[name]:
        raise UsageError(f"{name} enlarges {', '.join(map(str, SCALES[name]))} times, not {scale} times")
    own = {"scale"} | ({"shared"} if name == "cms-lapsrn" else set())
    own |= {"width", "module"} if name.startswith("lpn") else set()
    if other := found.keys() - own:
        raise UsageError(f"{name} has no choice of {', '.join(sorted(other))}")
    return found


def build(name: str, choices: Mapping[str, Any]) -> UpscalingNetwork:
    """The network of a name with random weights, from what `chosen` gave; it remembers that as `choices`."""
    network = _built(name, choices)
    network.choices = dict(choices)
    return network


def _built(name: str, choices: Mapping[str, Any]) -> UpscalingNetwork:
    scale = choices["scale"]
    if name == "light":
        return LightNetwork(SCALES[name] if scale is None else (scale,))
    if name == "stage":
        return LightNetwork((scale,), channels=3, filters=STAGE_FILTERS, pairs=STAGE_PAIRS)
    if name == "lapsrn":
        return LapSRN(scale)
    if name == "ms-lapsrn":
        return RecursiveLapSRN(scale)
    if name == "cms-lapsrn":
        return RecursiveLapSRN(scale, shared=cast(Shared, choices.get("shared", 3)))
    if name.startswith("lpn"):
        last = cast(Pathway, name.partition("-")[2] or "gamma")
        module = cast(Module, choices.get("module", "c"))
        return LPN(scale, last=last, width=choices.get("width", 1.0), module=module)
    if name == "wavesr":
        return WaveSR(scale)
    if name == "wsr":
        return WSR(scale)
    return LPSR(scale, NARROW if name == "lpsr-narrow" else 1.0)
