"""The LPCAE family for the registry: its network, and how it is loaded, trained and exported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpcodec.codec.families.family import Exported, Family, Network, Objective, Option

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lpcodec.codec.families.lpcae.codec import LpcaeCodec


class Lpcae:
    """`lpcae`: a Laplacian pyramid whose levels are coded one after the other."""

    networks = (
        Network("lpcae", 4, "codec", 6_197_619, True, "Laplacian pyramid, a layer for each resolution; every rate"),
    )
    options: Mapping[str, Option] = {}

    def load(self, network: Network, tensors: dict[str, Tensor], card: Mapping[str, Any], device: str) -> LpcaeCodec:
        from lpcodec.codec.families.lpcae.codec import LpcaeCodec

        return LpcaeCodec.from_tensors(tensors, card["sizes"], device)

    def objective(self, plan: Mapping[str, Any], device: str) -> Objective[Tensor]:
        from lpcodec.codec.devices import bfloat16_pays
        from lpcodec.codec.families.lpcae.network import SIZES, LpcaeNetwork
        from lpcodec.codec.families.lpcae.training import LpcaeObjective

        return LpcaeObjective(LpcaeNetwork(SIZES), amp=bfloat16_pays(device))

    def export(self, network: nn.Module, data: Path | None, plan: Mapping[str, Any]) -> Exported:
        from lpcodec.codec.families.hyperprior.calibration import calibrate
        from lpcodec.codec.families.hyperprior.export import frozen_codec
        from lpcodec.codec.families.lpcae.codec import LpcaeCodec
        from lpcodec.codec.families.lpcae.network import LpcaeNetwork

        assert isinstance(network, LpcaeNetwork)
        codec = LpcaeCodec([frozen_codec(own) for own in network.networks], network.prediction)
        card: dict[str, Any] = {"sizes": {"levels": [vars(own.sizes) for own in network.networks]}}
        if data is not None:
            card["calibration"] = calibrate(codec.coders, codec.layers_of, data)
        return Exported(codec.to_tensors(), card)

    def macs(self, network: nn.Module) -> dict[str, float]:
        from lpcodec.codec.families.lpcae.network import LpcaeNetwork
        from lpcodec.codec.families.lpcae.training import cost

        assert isinstance(network, LpcaeNetwork)
        return cost(network)


FAMILY: Family = Lpcae()
