"""LPCAE: a Laplacian pyramid whose levels are coded one after the other, each by a network of its own.

```
picture c0 --half--> c1 --half--> c2                                            (bicubic, antialiased; any number)
c2                      --coder 2--> ^c2                                         level 2, a quarter of the size
c1 - prediction(^c2)    --coder 1, knows the latents of 2--> + prediction --> ^c1        level 1, half
c0 - prediction(^c1)    --coder 0, knows the latents of 1--> + prediction --> ^c0        level 0, the picture
```

The prediction is LPAE's decoder (Han, Hur & Hur), one for all levels. The loop is closed: a detail is the difference
from what the decoder will have, with its errors and its rounding to 8 bits. Each coder is a hyperprior network with
widths of its own; on all levels but the coarsest it codes differences. All are trained together, each on its own rate
and distortion: no gradient goes from a level back to the coarser ones. With such a gradient the coarse levels would
take far more bits than a thumbnail is worth, because low frequencies of the fine picture cost least in the coarsest
level.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.families.decomposition.folded import prediction_response
from lpcodec.codec.families.decomposition.lpae import decoder
from lpcodec.codec.families.hyperprior.network import MIDDLE, CoarserContext, ForwardOutput, HyperpriorNetwork
from lpcodec.codec.families.hyperprior.sizes import PROFILES, HyperpriorSizes
from lpcodec.codec.frontends.pyramid import BICUBIC, LaplacianPyramid
from lpcodec.entropy.convolution import convolved

ANCHORS = 8
_WIDTHS = replace(PROFILES["fast"], latents=192, linear_latents=0, dc_latents=0, anchors=ANCHORS)
SIZES = (
    replace(_WIDTHS, latents=256),
    replace(_WIDTHS, coarser_latents=256),
    replace(_WIDTHS, coarser_latents=192),
)
"""Three levels, coarsest first, as wide as `fast`; no linear-only latents."""
_START_STEPS, _START_RATE, _START_BATCH = 400, 2e-3, 8
_START_NOISE = 0.02
"""Standard deviation, for pictures in 0..1, of the noise that imitates the coarser level's error at the start."""
REACH = 2
"""How many places of the coarser level, on each side, a prediction depends on."""


class Prediction(nn.Module):
    """LPAE's decoder, folded: (B, 3, h, w) -> (B, 3, 2h, 2w). Beyond the border the last row and column are repeated;
    LPAE's own chain has zeros there."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = decoder()

    def forward(self, coarse: Tensor) -> Tensor:
        return self.inside(F.pad(coarse, (REACH,) * 4, mode="replicate"))

    def inside(self, extended: Tensor) -> Tensor:
        """(B, 3, h + 4, w + 4), with the two places around -> (B, 3, 2h, 2w)."""
        weight, bias = prediction_response(self.chain)
        return F.pixel_shuffle(convolved(extended, weight, bias), 2)


def halve(x: Tensor) -> Tensor:
    """The next coarser level of pictures (B, 3, H, W): bicubic, antialiased, sides rounded up."""
    return LaplacianPyramid(1, BICUBIC).reduce(x)


class LpcaeNetwork(nn.Module):
    """The coders of all levels, coarsest first, and the prediction between them."""

    def __init__(self, sizes: Sequence[HyperpriorSizes] = SIZES) -> None:
        super().__init__()
        self.coders = nn.ModuleList(HyperpriorNetwork(s) for s in sizes)
        self.anchors = ANCHORS
        self.prediction = Prediction()

    @property
    def networks(self) -> list[HyperpriorNetwork]:
        """The coders, coarsest first."""
        return cast(list[HyperpriorNetwork], list(self.coders))

    @property
    def levels(self) -> int:
        """How often the picture is halved."""
        return len(self.coders) - 1

    def pyramid(self, pictures: Tensor) -> list[Tensor]:
        """Pictures (B, 3, H, W) in 0..1 -> the levels that are coded, coarsest first."""
        levels = [pictures]
        for _ in range(self.levels):
            levels.append(halve(levels[-1]))
        return levels[::-1]

    def forward(self, pictures: Tensor, quality: Tensor, amp: bool = False) -> Iterator[tuple[Tensor, ForwardOutput]]:
        """The training pass: yields for each level, coarsest first, the originals and the output with decoded pictures.

        Args:
            pictures: (B, 3, H, W) in 0..1, H and W multiples of 64 at the coarsest level too.
            quality: (B,) 16-bit qualities, the same at all levels.
            amp: run the transforms in bfloat16.
        """
        coarser: CoarserContext | None = None
        expected: Tensor | float = MIDDLE
        decoded: Tensor | None = None
        for network, original in zip(self.networks, self.pyramid(pictures), strict=True):
            if decoded is not None:
                expected = self.prediction((decoded.detach().clamp(0, 1) * 255).round() / 255)
            passed: ForwardOutput = network(original - expected + MIDDLE, quality, amp, coarser)
            decoded = passed.pictures + expected - MIDDLE
            yield original, passed._replace(pictures=decoded)
            coarser = CoarserContext(*(part.detach() for part in passed.context))

    def start_from(self, prediction: dict[str, Tensor], pictures: Tensor) -> None:
        """Start with an LPAE's `prediction` (state of its chain), fitted to this pyramid, and with coders made of the
        principal components of their levels' differences.

        Args:
            pictures: (B, 3, H, W) in 0..1, some millions of pixels, sides multiples of 16 at the coarsest level.
        """
        self.prediction.chain.load_state_dict(prediction)
        levels = self.pyramid(pictures)
        self._fit_prediction(levels)
        first, *others = self.networks
        first.start_from_principal_components(levels[0])
        for network, (coarse, original) in zip(others, pairwise(levels), strict=True):
            with torch.no_grad():
                expected = self.prediction(coarse + _START_NOISE * torch.randn_like(coarse))
            network.start_from_principal_components(original - expected + MIDDLE)

    def _fit_prediction(self, levels: list[Tensor]) -> None:
        """Train the prediction for the least squared error, from undistorted levels."""
        optimiser = torch.optim.Adam(self.prediction.parameters(), _START_RATE)
        for step in range(_START_STEPS):
            optimiser.param_groups[0]["lr"] = _START_RATE * (1 - step / _START_STEPS)
            loss = torch.zeros(())
            for coarse, original in pairwise(levels):
                first = step * _START_BATCH % len(coarse)
                some = slice(first, first + _START_BATCH)
                loss = loss + (self.prediction(coarse[some]) - original[some]).square().mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
