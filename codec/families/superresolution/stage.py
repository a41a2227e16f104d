"""Training `stage`, the network that ends the decoding of a picture that was coded at half its sides.

```
patch --bicubic--> half size --codec at a random low quality--> decoded --stage--> against the patch
```
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.families.family import Source
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.warmstart import sizes_of, weights_of
from lpcodec.codec.families.superresolution.bicubic import eight_bit
from lpcodec.codec.families.superresolution.training import UpscalingObjective
from lpcodec.codec.training.objective import random_parts
from lpcodec.codec.training.source import read_source

CODEC = "default"
"""The model whose decoded pictures it is trained on."""
QUALITIES = 0.05, 0.5
"""The lowest and the highest quality of the small pictures, as parts of the scale: between them coding at half of the
sides is worth it."""
CODED_MULTIPLE = 64
"""What the codec's training pass needs sides to be multiples of."""


class StageObjective(UpscalingObjective):
    """The last stage of decoding: it learns to enlarge small pictures that the codec `default` has decoded at random
    low qualities, and so to remove some of the coding artefacts."""

    def __init__(self, plan: Mapping[str, Any], amp: bool) -> None:
        super().__init__(plan, amp)
        self._codec: HyperpriorNetwork | None = None

    def start(self, generator: torch.Generator, source: Source | None) -> None:
        super().start(generator, source)
        self._loaded_codec()

    def _loaded_codec(self) -> HyperpriorNetwork:
        """The codec, loaded at the first call: at the start of a run, or in the first step of a resumed one."""
        if self._codec is None:
            weights = weights_of(read_source(CODEC))
            codec = HyperpriorNetwork(sizes_of(weights))
            codec.load_state_dict(weights)
            self._codec = codec.to(self.store.device).eval().requires_grad_(False)
        return self._codec

    @torch.no_grad()
    def small(self, pictures: Tensor, scale: int) -> Tensor:
        codec = self._loaded_codec()
        plain = super().small(pictures, scale)
        lowest, highest = QUALITIES
        quality = ((lowest + (highest - lowest) * random_parts(plain)) * 65535).long()
        sides = [ceil_div(side, CODED_MULTIPLE) * CODED_MULTIPLE for side in plain.shape[2:]]
        padded = F.pad(plain, (0, sides[1] - plain.shape[3], 0, sides[0] - plain.shape[2]), mode="replicate")
        decoded = codec(padded, quality, self.amp).pictures[..., : plain.shape[2], : plain.shape[3]]
        return eight_bit(decoded.float())
