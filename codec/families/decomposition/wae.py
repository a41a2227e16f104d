"""WAE, the wavelet-like autoencoder (Chen, Lin, Zuo, Luo & Zhang, AAAI 2018): two half-size channels of a picture.

```
x --three shared convolutions--> features --low, stride 2--> I_L --low decoder---+
                                          --high, stride 2-> I_H --high decoder--+--> about x
```

The low channel is a small picture; training leaves the details for the high channel. With several levels the low
channel is split again by the same weights. There are two variants: "relu", as in the paper, has a ReLU after each
shared convolution; "linear", as the authors of LPAE trained it, has none. The paper's batch normalisation, between the
channels and a classifier, isn't part of the transform. Colours are RGB in 0..1.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from lpcodec.codec.families.decomposition.lpae import WIDTH, decoder, initialise
from lpcodec.codec.frontends.interface import (
    AnyLevels,
    Bands,
    Size,
    check_details,
    check_levels,
    level_sizes,
    split_levels,
)

Variant = Literal["linear", "relu"]


class WaveletLikeAutoencoder(AnyLevels, nn.Module):
    """WAE with 17,676 parameters: 5,958 of the encoder, 5,859 of each decoder. Any size works."""

    def __init__(self, levels: int = 1, variant: Variant = "linear") -> None:
        super().__init__()
        check_levels(levels)
        self.levels = levels
        self.variant = variant
        layers: list[nn.Module] = []
        for channels in (3, WIDTH, WIDTH):
            layers.append(nn.Conv2d(channels, WIDTH, 3, padding=1))
            if variant == "relu":
                layers.append(nn.ReLU())
        self.shared = nn.Sequential(*layers)
        self.low = nn.Conv2d(WIDTH, 3, 3, 2, padding=1)
        self.high = nn.Conv2d(WIDTH, 3, 3, 2, padding=1)
        self.low_decoder = decoder()
        self.high_decoder = decoder()
        initialise(self)

    def split(self, x: Tensor) -> Bands:
        """Picture (B, 3, H, W) -> coarse I_L (B, 3, H/2^k, W/2^k), details I_H (B, 3, h, w) as small as each I_L."""

        def split_once(x: Tensor) -> tuple[Tensor, Tensor]:
            features = self.shared(x)
            return self.low(features), self.high(features)

        return split_levels(x, self.levels, split_once)

    def predict(self, coarse: Tensor, size: Size) -> Tensor:
        """I_L (B, 3, h, w) -> its part of the finer level (B, 3, *size), `size` being twice h and w or one less."""
        return _cut(self.low_decoder(coarse), size)

    def merge(self, bands: Bands) -> Tensor:
        """Bands -> picture (B, 3, H, W), about 0..1 but not clamped."""
        check_details(bands, self.levels)
        x = bands.coarse
        for high, size in zip(bands.details, reversed(level_sizes(bands.size, self.levels)[:-1]), strict=True):
            x = self.predict(x, size) + _cut(self.high_decoder(high), size)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Picture (B, 3, H, W) -> the picture that comes back."""
        return self.merge(self.split(x))


def _cut(x: Tensor, size: Size) -> Tensor:
    return x[..., : size[0], : size[1]]
