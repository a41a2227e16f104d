"""What every super-resolution network offers: enlarging a whole picture, or a tile of one.

```
picture (B, C, h, w) --prepare, once per picture--> input (B, K, h', w') --enlarge, tile by tile--> (B, C, s h', s w')
```
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class UpscalingNetwork(nn.Module):
    """Base of the super-resolution networks.

    Attributes:
        channels: 1 for luma, 3 for RGB; values in 0..1.
        scales: the enlargements that this network was built for, rising.
        step: the sides of the prepared input are multiples of this many pixels, and its tiles start at multiples.
        trains_from: the least side of the small pictures that it can be trained on, in pixels.
        takes_bfloat16: whether its convolutions may compute in bfloat16. Only if pictures go around them: a residual
            bears the rounding, a picture doesn't.
        choices: what catalogue.py built it from; its card holds that as `sizes`.
    """

    channels: int
    scales: tuple[int, ...]
    step: int = 1
    trains_from: int = 1
    takes_bfloat16: bool = False
    choices: dict[str, Any]

    def reach(self, scale: int) -> int:
        """How many input pixels around its own an output pixel depends on, at most."""
        raise NotImplementedError

    def kernels_for_muon(self) -> list[nn.Parameter]:
        """The kernels that Muon trains; Adam trains all other parameters."""
        return []

    def prepare(self, x: Tensor) -> Tensor:
        """Picture (B, C, h, w) -> what `enlarge` takes (B, K, h', w'): padded at the right and the bottom to multiples
        of `step`, with the network's further input channels."""
        return x

    def enlarge(self, x: Tensor, scale: int) -> Tensor:
        """Prepared input (B, K, h', w') -> (B, C, scale h', scale w'), not clamped. `scale` is one of `scales`."""
        raise NotImplementedError

    def forward(self, x: Tensor, scale: int) -> Tensor:
        """Picture (B, C, h, w) in 0..1 -> (B, C, scale h, scale w), not clamped.

        Raises:
            ValueError: the network wasn't built for `scale`.
        """
        if scale not in self.scales:
            raise ValueError(f"built for {self.scales}, not for {scale}")
        return self.enlarge(self.prepare(x), scale)[..., : scale * x.shape[2], : scale * x.shape[3]]


def levels_of(scale: int) -> int:
    """How many doublings make up `scale`.

    Raises:
        ValueError: `scale` isn't 2, 4 or 8.
    """
    if scale not in (2, 4, 8):
        raise ValueError(f"a scale of 2, 4 or 8 is needed, not {scale}")
    return scale.bit_length() - 1
