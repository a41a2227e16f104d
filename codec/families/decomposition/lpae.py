"""LPAE, the Laplacian pyramid-like autoencoder (Han, Hur & Hur): a learned, affine Laplacian pyramid.

```
c0 = x --approximation, stride 2--> c1 --approximation--> c2 ...        one network at every level
  |--detail--> d1                    |--detail--> d2
c_(j-1) = d_j + prediction(c_j)
```

Each branch is a chain of four convolutions without any activation, so LPAE is an affine map; folded.py turns every
branch into one convolution. The detail is made from the picture and isn't a difference, so the picture comes back only
as well as the network was trained. Colours are RGB in 0..1.
"""

from __future__ import annotations

from torch import Tensor, nn

from lpcodec.codec.frontends.interface import Bands, Size, check_levels, merge_levels, split_levels

WIDTH = 16
"""Channels between the convolutions of a branch."""
BIAS = 0.01
"""The papers' first value of every bias."""


class LaplacianAutoencoder(nn.Module):
    """LPAE with 16,905 parameters: 5,523 of the approximation, 5,523 of the detail, 5,859 of the prediction.

    Every level uses the same weights. Any size works: an approximation has half of the sides, rounded up, and the
    prediction is cut to an odd size.
    """

    def __init__(self, levels: int = 1) -> None:
        super().__init__()
        check_levels(levels)
        self.levels = levels
        self.approximation = encoder(last_stride=2)
        self.detail = encoder(last_stride=1)
        self.prediction = decoder()
        initialise(self)

    def split(self, x: Tensor) -> Bands:
        """Picture (B, 3, H, W) -> coarse (B, 3, H/2^k, W/2^k), details (B, 3, h, w) of each level's own size."""
        return split_levels(x, self.levels, lambda x: (self.approximation(x), self.detail(x)))

    def predict(self, coarse: Tensor, size: Size) -> Tensor:
        """(B, 3, h, w) -> (B, 3, *size), `size` being twice h and w or one less."""
        finer: Tensor = self.prediction(coarse)
        return finer[..., : size[0], : size[1]]

    def merge(self, bands: Bands) -> Tensor:
        """Bands -> picture (B, 3, H, W), about 0..1 but not clamped."""
        return merge_levels(bands, self.levels, self.predict)

    def forward(self, x: Tensor) -> Tensor:
        """Picture (B, 3, H, W) -> the picture that comes back."""
        return self.merge(self.split(x))


def encoder(last_stride: int) -> nn.Sequential:
    """3 -> 16 -> 16 -> 16 -> 3 channels by convolutions 3x3, the last with `last_stride`."""
    return nn.Sequential(
        nn.Conv2d(3, WIDTH, 3, padding=1),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        nn.Conv2d(WIDTH, 3, 3, last_stride, padding=1),
    )


def decoder() -> nn.Sequential:
    """3 -> 16 -> 16 -> 16 -> 3 channels at twice the size: deconvolution 4x4, then convolutions 3x3."""
    return nn.Sequential(
        nn.ConvTranspose2d(3, WIDTH, 4, 2, padding=1),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        nn.Conv2d(WIDTH, 3, 3, padding=1),
    )


def initialise(network: nn.Module) -> None:
    """The papers' start: Xavier uniform weights, biases 0.01."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.constant_(layer.bias, BIAS)
