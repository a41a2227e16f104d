"""The learned front-ends for the registry: their networks, and how they are loaded, trained and exported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpcodec.codec.families.family import Exported, Family, Network, Objective, Option

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lpcodec.codec.families.decomposition.folded import FoldedLaplacianAutoencoder
    from lpcodec.codec.families.decomposition.wae import WaveletLikeAutoencoder


class Decompositions:
    """`lpae`, `wae`, `wae-relu`: networks that split a picture into bands and merge them again."""

    networks = (
        Network("lpae", None, "front-end", 16_905, False, "Laplacian pyramid-like autoencoder of Han, Hur & Hur"),
        Network("wae", None, "front-end", 17_676, False, "wavelet-like autoencoder of Chen et al. (AAAI 2018), linear"),
        Network("wae-relu", None, "front-end", 17_676, False, "WAE with the ReLUs of its paper"),
    )
    options: Mapping[str, Option] = {}

    def load(
        self, network: Network, tensors: dict[str, Tensor], card: Mapping[str, Any], device: str
    ) -> FoldedLaplacianAutoencoder | WaveletLikeAutoencoder:
        """A front-end of one level, for inference; `at_levels` gives it more. LPAE comes folded, for speed."""
        from lpcodec.codec.families.decomposition.folded import FoldedLaplacianAutoencoder
        from lpcodec.codec.families.decomposition.lpae import LaplacianAutoencoder
        from lpcodec.codec.families.decomposition.training import fresh

        frontend = fresh(network.name)
        frontend.load_state_dict(tensors)
        frontend = frontend.eval().to(device)
        return FoldedLaplacianAutoencoder(frontend) if isinstance(frontend, LaplacianAutoencoder) else frontend

    def objective(self, plan: Mapping[str, Any], device: str) -> Objective[Tensor]:
        from lpcodec.codec.families.decomposition.training import DecompositionObjective, fresh

        return DecompositionObjective(fresh(plan["model"]))

    def export(self, network: nn.Module, data: Path | None, plan: Mapping[str, Any]) -> Exported:
        # Full precision: half would be seen at the 50 dB that these reach, and they are small.
        return Exported({key: value.contiguous() for key, value in network.state_dict().items()})

    def macs(self, network: nn.Module) -> dict[str, float]:
        from lpcodec.codec.families.decomposition.lpae import LaplacianAutoencoder
        from lpcodec.codec.families.decomposition.training import cost
        from lpcodec.codec.families.decomposition.wae import WaveletLikeAutoencoder

        assert isinstance(network, LaplacianAutoencoder | WaveletLikeAutoencoder)
        return cost(network)


FAMILY: Family = Decompositions()
