"""A trained super-resolution network at work: 8-bit pictures of any size, tile by tile.

```
pixels --bicubic-----------------------------------------------> RGB (+) --> pixels
   |--luma--network--> luma - luma of the bicubic picture --------^            luma networks
   |--network--------------------------------------------------> RGB --------> pixels   RGB networks
```

A luma network changes the luma of the bicubic picture and leaves its chroma: the difference is added equally to red,
green and blue. Tiles overlap by the network's reach, so they leave no seam.
"""

from __future__ import annotations

from types import EllipsisType

import numpy as np
import torch
from torch import Tensor

from lpcodec.codec.arrays import Pixels, ceil_div
from lpcodec.codec.devices import bfloat16_pays
from lpcodec.codec.families.superresolution.bicubic import enlarged
from lpcodec.codec.families.superresolution.luma import RANGE, luma
from lpcodec.codec.families.superresolution.network import UpscalingNetwork
from lpcodec.codec.progress import Progress
from lpcodec.codec.tiles import grid

TILE = 256
"""Side of a tile's core, in pixels of the small picture: a multiple of every network's step."""
BICUBIC_REACH = 3


class Upscaler:
    """A network ready to enlarge pictures on a device. `scales` are what it was trained for."""

    def __init__(self, network: UpscalingNetwork, device: str = "cpu", tile: int = TILE) -> None:
        self.network = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device, self.tile = torch.device(device), tile
        self.scales = network.scales
        self.amp = network.takes_bfloat16 and bfloat16_pays(self.device.type)

    @torch.inference_mode()
    def enlarge(self, pixels: Pixels, scale: int, progress: Progress | None = None) -> Pixels:
        """Enlarge a picture, uint8 (H, W, 1 or 3), `scale` times -> uint8 (scale H, scale W, the same channels).

        Raises:
            ValueError: the network wasn't trained for `scale`.
        """
        if scale not in self.scales:
            raise ValueError(f"trained for {self.scales}, not for {scale}")
        height, width, channels = pixels.shape
        out = np.empty((scale * height, scale * width, channels), np.uint8)
        picture = torch.from_numpy(np.array(pixels.transpose(2, 0, 1)[None])).to(self.device)
        prepared = self.network.prepare(self._input(picture.float() / 255))
        reach = self.reach(scale)
        tiles = list(grid(height, width, self.tile, reach))
        for done, (rows, columns) in enumerate(tiles, 1):
            # The prepared input may be larger than the picture: the last tiles take all of it.
            last = [ceil_div(span.outer_stop, self.network.step) * self.network.step for span in (rows, columns)]
            tile = prepared[..., rows.outer_start : last[0], columns.outer_start : last[1]]
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp):
                large = self.network.enlarge(tile.contiguous(memory_format=torch.channels_last), scale).float()
            inner = (..., rows.scaled(scale).inner, columns.scaled(scale).inner)
            shown = self._output(picture[..., rows.outer, columns.outer], large, scale, inner)
            levels = (shown * 255).round_().clamp_(0, 255).byte()[0].permute(1, 2, 0)
            out[rows.scaled(scale).core, columns.scaled(scale).core] = levels.cpu().numpy()
            if progress is not None:
                progress("upscale", done / len(tiles))
        return out

    def reach(self, scale: int) -> int:
        """How many pixels of the small picture around its own a pixel of the larger one depends on, at most; rounded up
        to a multiple of the network's step."""
        step: int = self.network.step
        return ceil_div(max(self.network.reach(scale), BICUBIC_REACH), step) * step

    def _input(self, picture: Tensor) -> Tensor:
        """Picture (1, 1 or 3, H, W) in 0..1 -> luma or RGB, as the network wants it."""
        rgb = picture.expand(-1, 3, -1, -1)
        return luma(rgb) if self.network.channels == 1 else rgb

    def _output(self, small: Tensor, large: Tensor, scale: int, inner: tuple[EllipsisType, slice, slice]) -> Tensor:
        """The small picture's tile, uint8 (1, 1 or 3, h, w), and the network's output for it -> the tile's core,
        enlarged, about 0..1."""
        large = large[inner]
        if self.network.channels == 3:
            return large if small.shape[1] == 3 else large.mean(1, keepdim=True)
        plain = enlarged(small.float() / 255, scale)[inner]
        return plain + (large - luma(plain.expand(-1, 3, -1, -1))) * (255 / RANGE)
