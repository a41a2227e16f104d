"""The WCAE family for the registry: its networks, and how they are loaded, trained and exported."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpcodec.codec.families.family import Exported, Family, Network, Objective, Option

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lpcodec.codec.families.wcae.codec import WcaeCodec


class Wcae:
    """`wcae`, `nowcae`, `wcae-wide`: the networks of the paper, one set of weights per rate."""

    networks = (
        Network("wcae", 16, "codec", 256_606, False, "wavelet autoencoder of Akyazi & Ebrahimi (CLIC 2019)"),
        Network("nowcae", 17, "codec", 76_227, False, "WCAE without the wavelet: its finest branch on the picture"),
        Network("wcae-wide", 18, "codec", 308_958, False, "WCAE with 64 outputs at the coarsest scale"),
    )
    options: Mapping[str, Option] = {
        "lmbda": Option(
            lambda text: _weight(text), "weight of the rate R in the loss D + lmbda * R, above 0; 0.0025 by default"
        ),
        "channel_prior": Option(lambda text: _truth(text), "learn a Gaussian per channel of the code: yes or no"),
    }

    def load(self, network: Network, tensors: dict[str, Tensor], card: Mapping[str, Any], device: str) -> WcaeCodec:
        from lpcodec.codec.families.wcae.codec import WcaeCodec

        return WcaeCodec.from_tensors(tensors, network.name, device)

    def objective(self, plan: Mapping[str, Any], device: str) -> Objective[Tensor]:
        from lpcodec.codec.families.wcae.training import LAMBDA, WcaeObjective

        lmbda = plan.get("lmbda")
        return WcaeObjective(plan["model"], LAMBDA if lmbda is None else lmbda, bool(plan.get("channel_prior")))

    def export(self, network: nn.Module, data: Path | None, plan: Mapping[str, Any]) -> Exported:
        from lpcodec.codec.families.wcae.codec import WcaeCodec
        from lpcodec.codec.families.wcae.network import WaveletAutoencoder

        assert isinstance(network, WaveletAutoencoder)
        if network.prior is not None:
            network.prior.export()
        return Exported(WcaeCodec(network).to_tensors())

    def macs(self, network: nn.Module) -> dict[str, float]:
        from lpcodec.codec.families.wcae.network import WaveletAutoencoder
        from lpcodec.codec.families.wcae.training import cost

        assert isinstance(network, WaveletAutoencoder)
        return cost(network)


def _weight(text: str) -> float:
    weight = float(text)
    if not 0 < weight < math.inf:
        raise ValueError("a weight is above 0 and finite")
    return weight


def _truth(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("give yes or no")
    return text == "yes"


FAMILY: Family = Wcae()
