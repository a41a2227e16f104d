"""The super-resolution networks for the registry: what they are, and how they are loaded, trained and exported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.family import Exported, Family, Network, Objective, Option, parse_tune

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lpcodec.codec.families.superresolution.training import Pair
    from lpcodec.codec.families.superresolution.upscaler import Upscaler

T = TypeVar("T")
COUNTED_SIDE = 96
"""The side of the picture on which multiply-accumulates are counted: a multiple of every network's step."""


def _network(name: str, parameters: int, description: str) -> Network:
    return Network(name, None, "upscaling", parameters, False, description)


def _scale(text: str) -> int:
    from lpcodec.codec.families.superresolution.catalogue import CATALOGUE

    scales = {scale for entry in CATALOGUE.values() for scale in entry.scales}
    return _one_of(scales, text)


def _shared(text: str) -> int:
    from lpcodec.codec.families.superresolution.lapsrn import Shared

    shared: tuple[int, ...] = get_args(Shared)
    return _one_of(shared, text)


def _width(text: str) -> float:
    width = float(text)
    if not 0.1 <= width <= 2:
        raise ValueError("a width is between 0.1 and 2")
    return width


def _module(text: str) -> str:
    from lpcodec.codec.families.superresolution.lpn import Module

    modules: tuple[str, ...] = get_args(Module)
    return _one_of(modules, text)


def _one_of(values: Iterable[T], text: str) -> T:
    """The value that is written as `text`. ValueError if there is none."""
    known = {str(value): value for value in values}
    if text not in known:
        raise ValueError(f"one of {', '.join(sorted(known))}")
    return known[text]


class SuperResolution:
    """Networks that enlarge pictures; `parameters` are those of the default scale."""

    networks = (
        _network("light", 98_580, "small and quick: residual on bicubic; 2 and 4 times with one set of weights"),
        Network("stage", 32, "upscaling", 49_152, False, "ends the decoding of pictures coded at half their sides"),
        _network("lapsrn", 814_242, "LapSRN of Lai et al. (CVPR 2017): 2, 4 or 8 times"),
        _network("ms-lapsrn", 222_801, "MS-LapSRN of Lai et al. (PAMI 2019): all doublings share their weights"),
        _network("cms-lapsrn", 185_873, "MS-LapSRN with a shared deconvolution, of Hyun et al."),
        _network("lpn", 2_643_171, "ladder pyramid network of Mo et al.: 2, 3 or 4 times"),
        _network("lpn-alpha", 2_367_779, "LPN with its first pathway only"),
        _network("lpn-beta", 2_532_195, "LPN with two of its three pathways"),
        _network("wavesr", 51_015_728, "WaveletSRNet of Huang et al., as Han, Hur & Hur build it: 2, 4 or 8 times"),
        _network("wsr", 45_836_649, "super-resolution in the bands of WAE, of Han, Hur & Hur: 2, 4 or 8 times"),
        _network("lpsr", 45_841_833, "super-resolution in the bands of LPAE, of Han, Hur & Hur: 2, 4 or 8 times"),
        _network("lpsr-narrow", 1_034_553, "LPSR with an eighth of the channels in its embedding"),
    )
    options: Mapping[str, Option] = {
        "scale": Option(_scale, "the enlargement: 2, 4 or 8; 2, 3 or 4 for lpn"),
        "shared": Option(_shared, "cms-lapsrn: the convolution that shares its kernel, 1, 3 (default) or 5"),
        "width": Option(_width, "lpn: factor of the channels, 0.1 to 2; 1 by default"),
        "module": Option(_module, "lpn: activations of a block, a, b or c (default)"),
        "tune": Option(parse_tune, "stage: whose pictures it enlarges, and its loss: psnr (the default) or visual"),
    }

    def load(self, network: Network, tensors: dict[str, Tensor], card: Mapping[str, Any], device: str) -> Upscaler:
        from lpcodec.codec.families.superresolution.catalogue import build
        from lpcodec.codec.families.superresolution.upscaler import Upscaler

        built = build(network.name, card["sizes"])
        built.load_state_dict({key: value.float() for key, value in tensors.items()})
        return Upscaler(built, device)

    def objective(self, plan: Mapping[str, Any], device: str) -> Objective[list[Pair]]:
        from lpcodec.codec.devices import bfloat16_pays
        from lpcodec.codec.families.superresolution.stage import StageObjective
        from lpcodec.codec.families.superresolution.training import UpscalingObjective

        amp = bfloat16_pays(device)
        if plan["model"] == "stage":
            return StageObjective(plan, amp)
        if plan.get("tune") is not None:
            raise UsageError(f"{plan['model']} has no choice of tune")
        return UpscalingObjective(plan, amp)

    def export(self, network: nn.Module, data: Path | None, plan: Mapping[str, Any]) -> Exported:
        import torch

        from lpcodec.codec.families.superresolution.network import UpscalingNetwork

        assert isinstance(network, UpscalingNetwork)
        # Half precision changes a result by less than a hundredth of an 8-bit level.
        tensors = {
            key: (value.half() if value.dtype == torch.float32 else value).contiguous()
            for key, value in network.state_dict().items()
        }
        parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
        card = {"sizes": network.choices, "scales": list(network.scales), "parameters": parameters}
        return Exported(tensors, card)

    def macs(self, network: nn.Module) -> dict[str, float]:
        import torch

        from lpcodec.codec.families.superresolution.network import UpscalingNetwork
        from lpcodec.codec.training.cost import kmac_per_pixel

        assert isinstance(network, UpscalingNetwork)
        counted = {}
        for scale in network.scales:
            x = torch.rand(1, network.channels, COUNTED_SIDE, COUNTED_SIDE)
            pixels = (scale * COUNTED_SIDE) ** 2
            counted[f"x{scale}"] = round(kmac_per_pixel(lambda x=x, s=scale: network(x, s), pixels), 3)  # type: ignore[misc]
        return counted


FAMILY: Family = SuperResolution()
