"""The analysis of 8-bit pixels, for CPUs that have bfloat16 in hardware.

```
pixels (h, w, 3) uint8 --blocks of 8 x 8--> maps (192, h/8, w/8), p - 128 --analysis--> y
```

It gives what `HyperpriorNetwork.analyse` gives, within rounding, in three quarters of the time. All convolutions are in
bfloat16, the linear shortcut too: p - 128 is exact in it, and its weights and outputs are rounded by at most one part
in 512. DC latents can be hundreds of steps large, so their shortcut is computed in float32. The other latents get a
root-mean-square error of 0.04 steps at quality 100, which adds 2 % to the squared error there, and less at coarser
steps. No decoder depends on it.
"""

import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lpcodec.codec.families.hyperprior.network import LATENT_SCALE, Analysis
from lpcodec.codec.frontends.wavelet import FOLD

_CENTRE = 128
"""Subtracted from pixels, so that they are exact in bfloat16 and near zero."""
_CHANNELS = 3


class PixelAnalysis:
    """The analysis of pictures of 8 bits, on the CPU.

    Args:
        analysis: in float32, of blocks of pixels minus one half: that of `HyperpriorNetwork.for_coding`.
        dc_latents: for how many latents, the first ones, the shortcut is computed in float32.
    """

    @torch.no_grad()
    def __init__(self, analysis: Analysis, dc_latents: int) -> None:
        self._dc = dc_latents
        self._head = _of_bytes(analysis.head).bfloat16()
        self._tail: nn.Conv2d = copy.deepcopy(analysis.tail).bfloat16()
        self._middle = copy.deepcopy(nn.Sequential(analysis.blocks, analysis.gdn)).bfloat16()
        shortcut = _of_bytes(analysis.shortcut)
        shortcut.weight *= LATENT_SCALE
        assert shortcut.bias is not None
        shortcut.bias *= LATENT_SCALE
        self._exact = _outputs(shortcut, 0, dc_latents) if dc_latents else None
        self._rest = _outputs(shortcut, dc_latents, None).bfloat16()

    @torch.inference_mode()
    def __call__(self, pixels: npt.NDArray[np.uint8]) -> Tensor:
        """Pixels (h, w, 3) uint8, both sides multiples of 16 -> y (1, M, h/16, w/16) float32."""
        maps = _blocks(pixels).bfloat16().sub_(_CENTRE)
        y: Tensor = self._tail(self._middle(self._head(maps))).float()
        if self._exact is not None:
            y[:, : self._dc] += self._exact(maps.float())
        y[:, self._dc :] += self._rest(maps)
        return y


def _blocks(pixels: npt.NDArray[np.uint8]) -> Tensor:
    """Pixels (h, w, 3) as maps (1, 192, h/8, w/8) uint8 in the order of `pixel_unshuffle`, channels last."""
    h, w = pixels.shape[0] // FOLD, pixels.shape[1] // FOLD
    by_block = torch.from_numpy(pixels).view(h, FOLD, w, FOLD, _CHANNELS).permute(0, 2, 4, 1, 3)
    return by_block.reshape(1, h, w, -1).permute(0, 3, 1, 2)


def _of_bytes(layer: nn.Conv2d) -> nn.Conv2d:
    """A layer that takes p - 128 where `layer` takes p / 255 - 1/2. Padding is 0 for both, which is level 128 here and
    level 127.5 there."""
    found = copy.deepcopy(layer)
    assert found.bias is not None
    found.bias += found.weight.sum((1, 2, 3)) * (_CENTRE / 255 - 0.5)
    found.weight /= 255
    return found


def _outputs(layer: nn.Conv2d, start: int, stop: int | None) -> nn.Conv2d:
    """The layer with only its outputs `start` to `stop` - 1."""
    found = copy.deepcopy(layer)
    assert layer.bias is not None
    found.weight = nn.Parameter(layer.weight[start:stop].clone(memory_format=torch.channels_last))
    found.bias = nn.Parameter(layer.bias[start:stop].clone())
    found.out_channels = len(found.weight)
    return found
