"""LPN, the ladder pyramid network (Mo, He, Li & Cheng): features at four resolutions, merged by three pathways.

```
RGB --head--> stage 1 --> stage 2, 1/2 --> stage 3, 1/4 --> stage 4, 1/8
                |            |                |                |
 alpha:        (+) <- x2 -- (+) <--- x2 ---- (+) <--- x2 ---- 1x1      1x1 convolutions to 64 channels
 beta:         (+) <- x2 -- (+) <--- x2 ---- block                     blocks on what alpha gives
 gamma:        (+) <- x2 -- block                                      blocks on what beta gives
stage 1, alpha, beta, gamma --fusion--> (+ head) --pixel shuffle--> tail --> RGB
```

All blocks are inverted residuals without batch normalisation. LPN-alpha and LPN-beta leave out the later pathways.
Where the paper leaves a choice, this follows EDSR: the mean colour is subtracted, a skip leads from the head to the
pixel shuffle, x2 between resolutions is bilinear. Pictures are padded by reflection to multiples of 8.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.families.superresolution.network import UpscalingNetwork

Module = Literal["a", "b", "c"]
"""The block's activations: two ReLU6 (a), two ReLU (b), one ReLU after the depthwise convolution (c, the paper's)."""
Pathway = Literal["alpha", "beta", "gamma"]
PATHWAYS: tuple[Pathway, ...] = ("alpha", "beta", "gamma")
CHANNELS = (64, 96, 128, 160)
DEPTHS = (4, 4, 3, 3)
EXPANSION, FIRST_EXPANSION, LADDER_EXPANSION = 4, 12, 6
MEAN_RGB = (0.4488, 0.4371, 0.4040)
"""Mean colour of DIV2K's training pictures, as in EDSR."""


class Block(nn.Module):
    """Convolution 1x1, depthwise k x k, convolution 1x1; an identity skip if neither the size nor the channels change.

    (B, i, h, w) -> (B, o, h / stride, w / stride), sides rounded up.
    """

    def __init__(self, i: int, o: int, *, expansion: int, kernel: int, stride: int = 1, module: Module = "c") -> None:
        super().__init__()
        inner = expansion * i
        self.expand = nn.Conv2d(i, inner, 1)
        self.depthwise = nn.Conv2d(inner, inner, kernel, stride, padding=kernel // 2, groups=inner)
        self.project = nn.Conv2d(inner, o, 1)
        self.module, self.skip = module, i == o and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        inner = self.expand(x)
        if self.module != "c":
            inner = self._activation(inner)
        out: Tensor = self.project(self._activation(self.depthwise(inner)))
        return x + out if self.skip else out

    def _activation(self, x: Tensor) -> Tensor:
        return F.relu6(x) if self.module == "a" else F.relu(x)


class Stage(nn.Module):
    """Blocks 5x5 of one resolution; the output of the second is added to that of the last."""

    def __init__(self, i: int, o: int, depth: int, stride: int, module: Module) -> None:
        super().__init__()
        first = Block(i, o, expansion=FIRST_EXPANSION, kernel=5, stride=stride, module=module)
        rest = (Block(o, o, expansion=EXPANSION, kernel=5, module=module) for _ in range(depth - 1))
        self.blocks = nn.ModuleList([first, *rest])

    def forward(self, x: Tensor) -> Tensor:
        second = x
        for place, block in enumerate(self.blocks):
            x = block(x)
            if place == 1:
                second = x
        return x + second


class LPN(UpscalingNetwork):
    """LPN: 2,643,171 parameters at x2, 2,827,811 at x3, 2,790,883 at x4.

    Args:
        scale: 2, 3 or 4.
        last: the last pathway: "gamma" is the whole network, "beta" and "alpha" are its smaller variants.
        width: factor of all numbers of channels; the paper has 0.5, 0.75 and 1.
        module: the block's activations.
    """

    channels = 3
    step = 8

    def __init__(self, scale: int, *, last: Pathway = "gamma", width: float = 1.0, module: Module = "c") -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise ValueError(f"a scale of 2, 3 or 4 is needed, not {scale}")
        self.scales = (scale,)
        count = PATHWAYS.index(last) + 1
        c = [round(width * channels) for channels in CHANNELS]
        f = c[0]
        self.head = nn.Conv2d(3, f, 3, padding=1)
        self.stages = nn.ModuleList(
            Stage(i, o, depth, stride, module)
            for i, o, depth, stride in zip([f, *c[:-1]], c, DEPTHS, (1, 2, 2, 2), strict=True)
        )
        self.alpha = nn.ModuleList(nn.Conv2d(i, f, 1) for i in c)
        ladder = {"expansion": LADDER_EXPANSION, "kernel": 3}
        self.further = nn.ModuleList(
            nn.ModuleList(Block(f, f, **ladder, module=module) for _ in range(rungs)) for rungs in (3, 2)[: count - 1]
        )
        self.fusion = nn.Sequential(nn.Conv2d((1 + count) * f, f, 1), nn.Conv2d(f, f, 3, padding=1))
        steps = (2, 2) if scale == 4 else (scale,)
        self.upsampler = nn.Sequential(
            *(layer for step in steps for layer in (nn.Conv2d(f, step**2 * f, 3, padding=1), nn.PixelShuffle(step)))
        )
        self.tail = nn.Conv2d(f, 3, 3, padding=1)
        self.register_buffer("mean", torch.tensor(MEAN_RGB).reshape(1, 3, 1, 1), persistent=False)
        self.mean: Tensor

    def prepare(self, x: Tensor) -> Tensor:
        padding = (0, -x.shape[3] % self.step, 0, -x.shape[2] % self.step)
        # A picture can't be reflected by more than its size.
        small = padding[1] >= x.shape[3] or padding[3] >= x.shape[2]
        return F.pad(x, padding, mode="replicate" if small else "reflect")

    def enlarge(self, x: Tensor, scale: int) -> Tensor:
        head = self.head(x - self.mean)
        stages, features = [], head
        for stage in self.stages:
            features = stage(features)
            stages.append(features)
        rungs = ladder([lateral(found) for lateral, found in zip(self.alpha, stages, strict=True)])
        ends = [rungs[0]]
        for blocks in self.further:
            assert isinstance(blocks, nn.ModuleList)
            rungs = ladder([block(rung) for block, rung in zip(blocks, rungs, strict=False)])
            ends.append(rungs[0])
        fused = self.fusion(torch.cat([stages[0], *ends], 1)) + head
        enlarged: Tensor = self.tail(self.upsampler(fused)) + self.mean
        return enlarged

    def reach(self, scale: int) -> int:
        # Backbone: 5x5 depthwise convolutions at each resolution. Pathways: bilinear x2 reaches one coarse pixel, each
        # block one of its own. Head, fusion, up-sampler and tail: one each, the tail's at the enlarged size.
        backbone = sum((2 * depth) << place for place, depth in enumerate(DEPTHS))
        pathways = sum(1 << place for place in (1, 2, 3)) + sum(1 << place for place in (0, 1, 2, 1, 2, 0, 1, 1))
        return math.ceil((backbone + pathways + 5) / self.step) * self.step


def ladder(rungs: list[Tensor]) -> list[Tensor]:
    """Maps of falling resolution -> the same, each plus all coarser ones, which are enlarged step by step."""
    found = [rungs[-1]]
    for rung in reversed(rungs[:-1]):
        found.append(rung + F.interpolate(found[-1], scale_factor=2, mode="bilinear", align_corners=False))
    return found[::-1]
