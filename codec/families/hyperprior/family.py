"""The hyperprior family for the registry: its networks, and how they are loaded, trained and exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpcodec.codec.families.family import Exported, Family, Network, Objective, Option, parse_tune

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec


class Hyperprior:
    """`default`, `fast`, `hq`: one network class for every rate, in three sizes."""

    networks = (
        Network("default", 1, "codec", 7_237_893, True, "wavelet fold, GDN autoencoder, hyperprior; every rate"),
        Network("fast", 2, "codec", 1_987_893, True, "the same at two fifths of the cost"),
        Network("hq", 3, "codec", 8_123_397, True, "the same with more layers, at one and a half times the cost"),
    )
    options: Mapping[str, Option] = {
        "frontend": Option(
            lambda text: _front_end(text),
            "what splits pictures: haar (the default), unshuffle, cdf53 or pyramid",
        ),
        "tune": Option(parse_tune, "what distortion is: psnr (squared error, the default) or visual"),
    }

    def load(
        self, network: Network, tensors: dict[str, Tensor], card: Mapping[str, Any], device: str
    ) -> HyperpriorCodec:
        from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec

        return HyperpriorCodec.from_tensors(tensors, card["sizes"], device)

    def objective(self, plan: Mapping[str, Any], device: str) -> Objective[Tensor]:
        from lpcodec.codec.devices import bfloat16_pays
        from lpcodec.codec.families.hyperprior.sizes import PROFILES
        from lpcodec.codec.families.hyperprior.training import HyperpriorObjective

        sizes = replace(PROFILES[plan["model"]], frontend=plan.get("frontend") or "haar")
        return HyperpriorObjective(sizes, bfloat16_pays(device), plan.get("tune") or "psnr")

    def export(self, network: nn.Module, data: Path | None, plan: Mapping[str, Any]) -> Exported:
        from lpcodec.codec.families.hyperprior.calibration import calibrate, fit_finishing
        from lpcodec.codec.families.hyperprior.export import frozen_codec
        from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork

        assert isinstance(network, HyperpriorNetwork)
        codec = frozen_codec(network)
        card: dict[str, Any] = {"sizes": vars(network.sizes)}
        if data is not None:
            card["calibration"] = calibrate((codec,), codec.layers_of, data)
            card["finishing"] = fit_finishing(codec, data, plan.get("tune") or "psnr")
        return Exported(codec.to_tensors(), card)

    def macs(self, network: nn.Module) -> dict[str, float]:
        from lpcodec.codec.families.hyperprior.export import cost
        from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork

        assert isinstance(network, HyperpriorNetwork)
        return cost(network)


def _front_end(text: str) -> str:
    from lpcodec.codec.frontends.folds import FOLDS

    if text not in FOLDS:
        raise ValueError(f"one of {', '.join(FOLDS)}")
    return text


FAMILY: Family = Hyperprior()
