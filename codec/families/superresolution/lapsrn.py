"""LapSRN, MS-LapSRN and CMS-LapSRN: a Laplacian pyramid of residuals, one level for each doubling of the sides.

```
luma --input conv--> features --convolutions, deconvolution x2--> features --...      feature branch
                                                          |--conv--> residual
luma --deconvolution 4x4 x2--> (+) <----------------------+                           image branch
                                |--> luma of the next level
```

- LapSRN (Lai, Huang, Ahuja & Yang, CVPR 2017): every level has its own weights.
- MS-LapSRN (the same, PAMI 2019): one block of convolutions, applied several times in each level, and all weights
  shared by all levels, so that one set enlarges 2, 4 and 8 times.
- CMS-LapSRN (Hyun, Hyon, Lee, Lee, Ha & Kim): MS-LapSRN, but the deconvolution of features shares its kernel with one
  convolution of the block.

Luma (BT.601) in 0..1. Every network also gives the pictures of the levels between, because the losses are on all
levels.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.families.superresolution.network import UpscalingNetwork, levels_of

FILTERS = 64
SLOPE = 0.2
"""Slope of the leaky ReLUs for negative values."""
INPUT_SPREAD = 0.001
"""Standard deviation of the input convolution's first weights."""
MEAN_DEPTH = 10
"""Convolutions per level of LapSRN."""
Shared = Literal[1, 3, 5]


class Pyramid(UpscalingNetwork):
    """What LapSRN and MS-LapSRN have in common: the two branches and their levels."""

    channels = 1

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scales = tuple(2**level for level in range(1, levels_of(scale) + 1))

    def features(self, x: Tensor) -> Tensor:
        """Luma (B, 1, h, w) -> features (B, F, h, w)."""
        raise NotImplementedError

    def level(self, number: int, features: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, F, h, w) and image (B, 1, h, w) of level `number` (0 is the smallest) -> those at 2h x 2w."""
        raise NotImplementedError

    def pictures(self, x: Tensor, levels: int) -> list[Tensor]:
        """Luma (B, 1, h, w) -> luma at 2, 4, ... 2**levels times the sides."""
        found = []
        features = self.features(x)
        for number in range(levels):
            features, x = self.level(number, features, x)
            found.append(x)
        return found

    def enlarge(self, x: Tensor, scale: int) -> Tensor:
        return self.pictures(x, levels_of(scale))[-1]

    def _level_reach(self) -> int:
        """How far the convolutions of a level reach, in pixels of that level's input."""
        raise NotImplementedError

    def reach(self, scale: int) -> int:
        # The input convolution, then the levels, each at twice the size. A deconvolution and the residual's
        # convolution together reach two pixels.
        inner = self._level_reach() + 2
        return 1 + math.ceil(sum(inner / (1 << number) for number in range(levels_of(scale))))


class LapSRN(Pyramid):
    """LapSRN: 812,768 weights at x4, and 1,474 biases.

    Args:
        scale: 2, 4 or 8: the largest enlargement.
        kernel: 3 as in the paper's code. 4 is the kernel of the deconvolution of features in a widely used port.
        bias: whether convolutions have biases. The port has none.
    """

    def __init__(self, scale: int, *, kernel: Literal[3, 4] = 3, bias: bool = True) -> None:
        super().__init__(scale)
        self.kernel = kernel
        self.input = nn.Conv2d(1, FILTERS, 3, padding=1, bias=bias)
        count = len(self.scales)
        self.blocks = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(FILTERS, FILTERS, 3, padding=1, bias=bias) for _ in range(MEAN_DEPTH))
            for _ in range(count)
        )
        self.spread = nn.ModuleList(
            nn.ConvTranspose2d(FILTERS, FILTERS, kernel, 2, padding=(kernel - 3), bias=bias) for _ in range(count)
        )
        self.residual = nn.ModuleList(nn.Conv2d(FILTERS, 1, 3, padding=1, bias=bias) for _ in range(count))
        self.image = nn.ModuleList(image_deconvolution() for _ in range(count))
        initialise(self, self.input)

    def features(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.input(x), SLOPE)

    def level(self, number: int, features: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        height, width = 2 * image.shape[2], 2 * image.shape[3]
        block = self.blocks[number]
        assert isinstance(block, nn.ModuleList)
        for conv in block:
            features = F.leaky_relu(conv(features), SLOPE)
        # A 3x3 kernel without padding gives one row and one column too many, at the end.
        features = F.leaky_relu(self.spread[number](features)[..., :height, :width], SLOPE)
        return features, self.image[number](image) + self.residual[number](features)

    def _level_reach(self) -> int:
        return MEAN_DEPTH


class RecursiveLapSRN(Pyramid):
    """MS-LapSRN; CMS-LapSRN if `shared` is given.

    MS-LapSRN has 222,352 weights and 449 biases, CMS-LapSRN 185,488 and 385, whatever the scale.

    Args:
        scale: 2, 4 or 8: the largest enlargement. It changes no weight.
        filters: channels of the features; 64 in the papers.
        depth: convolutions in the block (D); 5 in the papers.
        passes: how many times the block is applied per level (R); 8 in the papers.
        shared: the convolution of the block (1, 3 or 5) that shares its kernel and its bias with the deconvolution.
        transposed: whether the deconvolution takes the shared kernel with input and output channels exchanged. If not,
            it is the adjoint of that convolution with a stride of 2. The paper doesn't say which of the two it means.
    """

    def __init__(
        self,
        scale: int = 8,
        *,
        filters: int = FILTERS,
        depth: int = 5,
        passes: int = 8,
        shared: Shared | None = None,
        transposed: bool = False,
    ) -> None:
        super().__init__(scale)
        self.passes, self.shared, self.transposed = passes, shared, transposed
        self.input = nn.Conv2d(1, filters, 3, padding=1)
        self.block = nn.ModuleList(nn.Conv2d(filters, filters, 3, padding=1) for _ in range(depth))
        if shared is None:
            self.spread = nn.ConvTranspose2d(filters, filters, 3, 2)
        self.residual = nn.Conv2d(filters, 1, 3, padding=1)
        self.image = image_deconvolution()
        initialise(self, self.input)

    def features(self, x: Tensor) -> Tensor:
        features: Tensor = self.input(x)
        return features

    def level(self, number: int, features: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        height, width = 2 * image.shape[2], 2 * image.shape[3]
        source = features
        for _ in range(self.passes):
            for conv in self.block:
                features = conv(F.leaky_relu(features, SLOPE))
            features = features + source
        features = self.spread_features(F.leaky_relu(features, SLOPE))[..., :height, :width]
        return features, self.image(image) + self.residual(features)

    def spread_features(self, features: Tensor) -> Tensor:
        """(B, F, h, w) -> (B, F, 2h + 1, 2w + 1): the deconvolution 3x3 of stride 2, without padding."""
        if self.shared is None:
            spread: Tensor = self.spread(features)
            return spread
        lender = self.block[self.shared - 1]
        assert isinstance(lender, nn.Conv2d)
        weight = lender.weight.transpose(0, 1) if self.transposed else lender.weight
        return F.conv_transpose2d(features, weight, lender.bias, stride=2)

    def _level_reach(self) -> int:
        return len(self.block) * self.passes


def image_deconvolution() -> nn.ConvTranspose2d:
    """The image branch: a deconvolution 4x4 of stride 2 without bias, which starts as bilinear interpolation."""
    layer = nn.ConvTranspose2d(1, 1, 4, 2, padding=1, bias=False)
    taps = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        layer.weight.copy_(taps[:, None] * taps)
    return layer


def initialise(network: nn.Module, first: nn.Conv2d) -> None:
    """The papers' start: normal weights, with a standard deviation of 0.001 in the `first` convolution and of
    sqrt(2 / (9 filters)) in the others; biases of zero. The image branch keeps its bilinear kernel."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.weight.shape[:2] != (1, 1):
            spread = INPUT_SPREAD if layer is first else math.sqrt(2 / (9 * first.out_channels))
            nn.init.normal_(layer.weight, std=spread)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
