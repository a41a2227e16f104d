"""Training `stage`, the network that ends the decoding of a picture that was coded at half its sides.

```
patch --bicubic--> half size --codec at a random low quality--> decoded   } pair, kept for a while
  |----------------------------------------------------------------------> }   --> many batches --stage--> loss
```

Decoding takes longer than a step of so small a network. So pairs are kept and used several times, each time turned at
random.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lpcodec.codec import visual
from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.families.family import PatchSides, Source
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.warmstart import sizes_of, weights_of
from lpcodec.codec.families.superresolution.bicubic import eight_bit
from lpcodec.codec.families.superresolution.network import UpscalingNetwork
from lpcodec.codec.families.superresolution.training import Pair, UpscalingObjective
from lpcodec.codec.training.objective import random_parts
from lpcodec.codec.training.source import read_source

CODECS = {"psnr": "default", "visual": "default@visual"}
"""By tune: the model whose decoded pictures it is trained on."""
QUALITIES = 0.05, 0.5
"""The lowest and the highest quality of the small pictures, as parts of the scale: between them coding at half of the
sides is worth it."""
CODED_MULTIPLE = 64
"""What the codec's training pass needs sides to be multiples of."""
BLOCK = 16
"""Pairs that are made at a time. On one thread torch computes smaller batches more slowly."""
FIRST_BLOCKS, MOST_BLOCKS = 8, 64
"""Blocks of pairs that are made before the first step, and how many are kept. 64 of 256-pixel patches take 250 MB."""
USES = 8
"""How often a pair is used, on average."""
SMALLEST_ERROR = 1e-6
"""Added below the root of a loss."""


class StageObjective(UpscalingObjective):
    """The last stage of decoding: it learns to enlarge small pictures that the codec has decoded at random low
    qualities, and so to remove some of the coding artefacts.

    With `tune="visual"` in the plan the codec is the one for the eye, and the loss is the root of each picture's
    `visual.distortion` instead of its squared error.
    """

    def __init__(self, plan: Mapping[str, Any], amp: bool) -> None:
        super().__init__(plan, amp)
        self.tune: str = plan.get("tune") or "psnr"
        if self.tune == "visual":
            self.loss_of = root_of_visual_distortion
            self.sides = PatchSides(visual.SIDE_STEP, visual.LEAST_SIDE)
        self._codec: HyperpriorNetwork | None = None
        self._blocks: deque[tuple[Tensor, Tensor]] = deque(maxlen=MOST_BLOCKS)
        self._drawn = 0

    def start(self, generator: torch.Generator, source: Source | None) -> None:
        super().start(generator, source)
        self._loaded_codec()

    def _loaded_codec(self) -> HyperpriorNetwork:
        """The codec, loaded at the first call: at the start of a run, or in the first step of a resumed one."""
        if self._codec is None:
            weights = weights_of(read_source(CODECS[self.tune]))
            codec = HyperpriorNetwork(sizes_of(weights))
            codec.load_state_dict(weights)
            self._codec = codec.to(self.store.device, memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]
        return self._codec

    def sample(self, count: int, generator: torch.Generator) -> list[Pair]:
        """Return one pair of `count` patches, drawn from those that are kept; make new ones when it is time."""
        while len(self._blocks) < FIRST_BLOCKS or self._drawn >= USES * BLOCK:
            if len(self._blocks) >= FIRST_BLOCKS:
                self._drawn -= USES * BLOCK
            self._blocks.append(self._new_block(generator))
        self._drawn += count
        places = torch.randint(len(self._blocks) * BLOCK, (count,), generator=generator, device=generator.device)
        drawn = [(block[place % BLOCK] for block in self._blocks[place // BLOCK]) for place in places.tolist()]
        small, large = (torch.stack(column).float() / 255 for column in zip(*drawn, strict=True))
        mirrored, flipped, transposed = torch.randint(2, (3,), generator=generator, device=generator.device).tolist()
        turned = []
        for pictures in (small, large):
            axes = [axis for axis, wanted in ((2, flipped), (3, mirrored)) if wanted]
            other = pictures.flip(axes).transpose(2, 3) if transposed else pictures.flip(axes)
            turned.append(other.contiguous(memory_format=torch.channels_last))
        return [Pair(turned[0], turned[1], 2)]

    def _new_block(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return BLOCK small decoded pictures and their patches, uint8."""
        patches = self.patches(BLOCK, generator)
        return tuple((pictures * 255).round().byte() for pictures in (self.small(patches, 2), patches))  # type: ignore[return-value]

    def error_of(self, out: Tensor, wanted: Tensor) -> Tensor:
        if self.tune == "visual":
            return visual.distortion(out.clamp(0, 1), wanted)
        return super().error_of(out, wanted)

    @torch.no_grad()
    def small(self, pictures: Tensor, scale: int) -> Tensor:
        codec = self._loaded_codec()
        plain = super().small(pictures, scale)
        lowest, highest = QUALITIES
        quality = ((lowest + (highest - lowest) * random_parts(plain)) * 65535).long()
        sides = [ceil_div(side, CODED_MULTIPLE) * CODED_MULTIPLE for side in plain.shape[2:]]
        padded = F.pad(plain, (0, sides[1] - plain.shape[3], 0, sides[0] - plain.shape[2]), mode="replicate")
        padded = padded.contiguous(memory_format=torch.channels_last)
        decoded = codec(padded, quality, self.amp).pictures[..., : plain.shape[2], : plain.shape[3]]
        return eight_bit(decoded.float())


def root_of_visual_distortion(
    network: UpscalingNetwork, small: Tensor, pictures: Tensor, scale: int
) -> tuple[Tensor, Tensor]:
    """The mean over the pictures of the root of each one's `visual.distortion`, in 0..1: the loss of `stage@visual`."""
    out = network(small, scale)
    with torch.autocast(out.device.type, enabled=False):
        lost = visual.distortion(out.float(), pictures) / 255**2
    return (lost + SMALLEST_ERROR).sqrt().mean(), out
