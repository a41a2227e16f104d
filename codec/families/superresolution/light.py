"""`light`, the small network that `upscale` uses by default. All convolutions are at the small size, and there is one
head per scale.

```
picture --conv--> features --residual pairs of convolutions--> features --head conv, pixel shuffle--> residual
   |--bicubic--------------------------------------------------------------------------------------> (+) --> larger
```

It is a cheap level of LapSRN. LapSRN enlarges features by deconvolutions and adds its residual at the large size; here
a head gives all pixels of the residual at once (pixel shuffle: Shi et al., CVPR 2016), and one trunk serves all scales
(as in MDSR: Lim et al., CVPRW 2017).
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.families.superresolution.bicubic import enlarged
from lpcodec.codec.families.superresolution.network import UpscalingNetwork
from lpcodec.entropy.convolution import Convolution

SLOPE = 0.1
MIDDLE = 0.5
"""Subtracted from the input, so that features start near zero."""


class LightNetwork(UpscalingNetwork):
    """The network. Luma (BT.601) or RGB in 0..1.

    Args:
        scales: the enlargements, one head each.
        channels: 1 for luma, 3 for RGB.
        filters: channels of the features.
        pairs: residual pairs of convolutions.
    """

    takes_bfloat16 = True

    def __init__(
        self, scales: tuple[int, ...] = (2, 4), *, channels: int = 1, filters: int = 32, pairs: int = 5
    ) -> None:
        super().__init__()
        self.channels = channels
        self.scales = tuple(sorted(scales))
        self.first = convolution(channels, filters, 1.0)
        # The pairs add up: the sum of their second halves should not grow with their number.
        gains = (1.0, 1 / pairs) * pairs
        self.trunk = nn.ModuleList(convolution(filters, filters, gain) for gain in gains)
        # Heads of zeros: training starts from bicubic.
        self.heads = nn.ModuleDict(
            {str(scale): convolution(filters, channels * scale**2, 0.0) for scale in self.scales}
        )

    def kernels_for_muon(self) -> list[nn.Parameter]:
        return [p for p in self.trunk.parameters() if p.ndim == 4]

    def enlarge(self, x: Tensor, scale: int) -> Tensor:
        features = F.leaky_relu(self.first(x - MIDDLE), SLOPE)
        for first, second in zip(self.trunk[::2], self.trunk[1::2], strict=True):
            features = features + second(F.leaky_relu(first(features), SLOPE))
        return enlarged(x, scale) + F.pixel_shuffle(self.heads[str(scale)](features), scale)

    def reach(self, scale: int) -> int:
        return 2 + len(self.trunk)


def convolution(i: int, o: int, gain: float, *, side: int = 3) -> Convolution:
    """A convolution of `side` x `side` with He's initial weights (for leaky ReLU) times `gain`, and biases of zero."""
    layer = Convolution(i, o, side, padding=side // 2)
    nn.init.normal_(layer.weight, std=gain * math.sqrt(2 / (1 + SLOPE**2) / (side**2 * i)))
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
