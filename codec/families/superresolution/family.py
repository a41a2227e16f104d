"""The super-resolution networks for the registry: what they are, and how they are loaded, trained and exported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpcodec.codec.families.family import Exported, Family, Network, Objective, Option

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lpcodec.codec.families.superresolution.upscaler import Upscaler

COUNTED_SIDE = 96
"""Multiply-accumulates are counted on a picture of this side: a multiple of what every network needs."""


def _network(name: str, parameters: int, description: str) -> Network:
    return Network(name, None, "upscaling", parameters, False, description)


def _scale(text: str) -> int:
    if text not in ("2", "3", "4", "8"):
        raise ValueError("a scale is 2, 3, 4 or 8")
    return int(text)


def _shared(text: str) -> int:
    if text not in ("1", "3", "5"):
        raise ValueError("the shared convolution is the 1st, 3rd or 5th")
    return int(text)


def _width(text: str) -> float:
    width = float(text)
    if not 0.1 <= width <= 2:
        raise ValueError("a width is between 0.1 and 2")
    return width


def _module(text: str) -> str:
    if text not in ("a", "b", "c"):
        raise ValueError("a module is a, b or c")
    return text


class SuperResolution:
    """Networks that enlarge pictures; `parameters` are those of the default scale."""

    networks = (
        _network("light", 98_580, "small and quick: residual on bicubic; 2 and 4 times with one set of weights"),
        Network("stage", 32, "upscaling", 34_524, False, "ends the decoding of pictures coded at half their sides"),
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
        "width": Option(_width, "lpn: what the channels are multiplied with; 1 by default"),
        "module": Option(_module, "lpn: activations of a block, a, b or c (default)"),
    }

    def load(self, network: Network, tensors: dict[str, Tensor], card: Mapping[str, Any], device: str) -> Upscaler:
        from lpcodec.codec.families.superresolution.catalogue import build
        from lpcodec.codec.families.superresolution.upscaler import Upscaler

        built = build(network.name, card["sizes"])
        built.load_state_dict({key: value.float() for key, value in tensors.items()})
        return Upscaler(built, device)

    def objective(self, plan: Mapping[str, Any], device: str) -> Objective[Tensor]:
        from lpcodec.codec.families.hyperprior.network import bfloat16_pays
        from lpcodec.codec.families.superresolution.stage import StageObjective
        from lpcodec.codec.families.superresolution.training import UpscalingObjective

        kind = StageObjective if plan["model"] == "stage" else UpscalingObjective
        return kind(plan, amp=bfloat16_pays(device))

    def export(self, network: nn.Module, data: Path | None) -> Exported:
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
