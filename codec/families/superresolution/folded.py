"""`stage`, the network that ends the decoding of pictures that were coded at half their sides. It computes on blocks of
2 x 2 pixels of the small picture: a processor is faster with many channels at few places.

```
picture --blocks as channels--> --conv--> features --residual pairs of convolutions--> features --1x1--> residual
   |--blocks as channels--> --fixed convolution: bicubic-----------------------------------------------> (+) --> larger
```

Computing on pixels folded into channels is the method of FFDNet (Zhang et al., TIP 2018); the residual at the large
size by a pixel shuffle is that of `light` (light.py).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.families.superresolution.bicubic import enlarged
from lpcodec.codec.families.superresolution.light import MIDDLE, SLOPE, convolution
from lpcodec.codec.families.superresolution.network import UpscalingNetwork
from lpcodec.entropy.convolution import convolved

FOLD = 2
"""The sides of a block, in pixels of the small picture."""


class FoldedNetwork(UpscalingNetwork):
    """The network. RGB in 0..1.

    Args:
        scale: the enlargement.
        filters: channels of the features.
        pairs: residual pairs of convolutions.
    """

    channels = 3
    step = FOLD
    takes_bfloat16 = True
    bicubic: Tensor

    def __init__(self, scale: int, *, filters: int, pairs: int) -> None:
        super().__init__()
        self.scales = (scale,)
        self.first = convolution(self.channels * FOLD**2, filters, 1.0)
        gains = (1.0, 1 / pairs) * pairs  # as those of `light`
        self.trunk = nn.ModuleList(convolution(filters, filters, gain) for gain in gains)
        # A head of zeros: training starts from bicubic.
        self.head = convolution(filters, self.channels * (FOLD * scale) ** 2, 0.0, side=1)
        self.register_buffer("bicubic", _bicubic_kernel(self.channels, scale), persistent=False)

    def kernels_for_muon(self) -> list[nn.Parameter]:
        return [p for p in self.trunk.parameters() if p.ndim == 4]

    def prepare(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, -x.shape[3] % FOLD, 0, -x.shape[2] % FOLD), mode="replicate")

    def enlarge(self, x: Tensor, scale: int) -> Tensor:
        features = F.leaky_relu(self.first(_blocks(x - MIDDLE, FOLD)), SLOPE)
        for first, second in zip(self.trunk[::2], self.trunk[1::2], strict=True):
            features = features + second(F.leaky_relu(first(features), SLOPE))
        return _pixels(self._bicubic(x).add_(self.head(features)), FOLD * scale)

    def reach(self, scale: int) -> int:
        return FOLD * (len(self.trunk) + 2) - 1

    def _bicubic(self, x: Tensor) -> Tensor:
        """The picture enlarged, with the pixels of a block as channels. Beyond the border, the last pixels are
        repeated."""
        blocks = _blocks(F.pad(x, (FOLD,) * 4, mode="replicate").float(), FOLD)
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 is too coarse for a picture
            return convolved(blocks, self.bicubic, None)


def _blocks(x: Tensor, side: int) -> Tensor:
    """Pictures (B, C, H, W) -> (B, side**2 C, H / side, W / side), the pixels of a block as channels: row by row, the
    colours of a pixel together. In memory channels come last; so ordered they are copied several times as fast as by
    `F.pixel_unshuffle`, which keeps the pixels of a colour together."""
    batch, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(batch, height // side, side, width // side, side * channels)
    blocks = rows.transpose(2, 3).reshape(batch, height // side, width // side, side**2 * channels)
    return blocks.permute(0, 3, 1, 2)


def _pixels(blocks: Tensor, side: int) -> Tensor:
    """Inverse of `_blocks`."""
    batch, channels, height, width = blocks.shape
    rows = blocks.permute(0, 2, 3, 1).reshape(batch, height, width, side, channels // side)
    pixels = rows.transpose(2, 3).reshape(batch, height * side, width * side, channels // side**2)
    return pixels.permute(0, 3, 1, 2)


def _bicubic_kernel(channels: int, scale: int) -> Tensor:
    """The kernel ((FOLD scale)**2 channels, FOLD**2 channels, 3, 3) that enlarges `_blocks` as `enlarged` does."""
    side = 3 * FOLD
    seen = enlarged(torch.eye(side**2).view(-1, 1, side, side), scale)  # what each pixel of 3 x 3 blocks becomes
    middle = slice(FOLD * scale, 2 * FOLD * scale)
    weights = seen[:, 0, middle, middle].reshape(3, FOLD, 3, FOLD, -1)  # (row, in block, column, in block, shown)
    kernel = torch.einsum("cd,ipjqo->ocpqdij", torch.eye(channels), weights)
    return kernel.reshape(-1, FOLD**2 * channels, 3, 3).contiguous(memory_format=torch.channels_last)
