"""WaveSR, WSR and LPSR: the bands of a picture are predicted from the small picture, then merged by a fixed transform.

```
RGB (and RGB + noise) --embedding: conv, 8 residual blocks--> features --one head per band--> bands --merge--> RGB
```

| network | transform | bands at x2, x4, x8 |
|---|---|---|
| WaveSR (Huang, He, Sun & Tan, ICCV 2017) | Haar wavelet packet | 4, 16, 64, all as small as the input |
| WSR (Han, Hur & Hur) | trained WAE, applied to its low channel again | approximation, 1 to 3 details |
| LPSR (Han, Hur & Hur) | trained LPAE, applied to its approximation again | approximation, 1 to 3 details |

All three have the embedding that the authors of LPSR use. WSR and LPSR also take a copy of the picture with Gaussian
noise. Except in training the noise comes from a fixed seed, so that a picture is always enlarged to the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.families.decomposition.lpae import LaplacianAutoencoder
from lpcodec.codec.families.decomposition.wae import WaveletLikeAutoencoder
from lpcodec.codec.families.superresolution.network import UpscalingNetwork, levels_of
from lpcodec.codec.frontends.interface import Bands

BLOCKS = (128, 128, 256, 256, 512, 512, 1024, 1024)
"""Output channels of the embedding's residual blocks."""
HEAD = (32, 64)
NOISE = 0.1
"""Standard deviation of the noise on the second copy of the picture, which is in 0..1."""


class ResidualBlock(nn.Module):
    """ReLU(conv(ReLU(conv(x))) + x), with a convolution 1x1 on the skip if the channels differ.

    With `normalised`, batch normalisation follows both convolutions and the addition.
    """

    def __init__(self, i: int, o: int, normalised: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(i, o, 3, padding=1)
        self.second = nn.Conv2d(o, o, 3, padding=1)
        self.skip = nn.Identity() if i == o else nn.Conv2d(i, o, 1)
        self.norms = nn.ModuleList(_norm(o, normalised) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.norms[0](self.first(x)))
        return F.relu(self.norms[2](self.norms[1](self.second(inner)) + self.skip(x)))


def _norm(channels: int, normalised: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if normalised else nn.Identity()


class Embedding(nn.Sequential):
    """(B, K, h, w) -> features (B, 1024 width, h, w): a convolution, ReLU, eight residual blocks."""

    def __init__(self, inputs: int, normalised: bool, width: float = 1.0) -> None:
        widths = [round(width * channels) for channels in BLOCKS]
        pairs = zip([widths[0], *widths[:-1]], widths, strict=True)
        super().__init__(
            nn.Conv2d(inputs, widths[0], 3, padding=1),
            _norm(widths[0], normalised),
            nn.ReLU(),
            *(ResidualBlock(i, o, normalised) for i, o in pairs),
        )
        self.outputs = widths[-1]


class BandNetwork(UpscalingNetwork):
    """What the three networks have in common: embedding, heads, transform.

    Args:
        scale: 2, 4 or 8.
        width: factor of the channels of the embedding; 1 in the papers.
    """

    channels = 3
    noisy = True
    heads: nn.ModuleList
    """One for each band."""

    def __init__(self, scale: int, width: float, normalised: bool) -> None:
        super().__init__()
        self.scales = (scale,)
        self.normalised = normalised
        self.embedding = Embedding(6 if self.noisy else 3, normalised, width)

    def head(self, *last: nn.Module) -> nn.Sequential:
        """The layers of one band: two residual blocks (32 and 64 channels), then `last`."""
        first = ResidualBlock(self.embedding.outputs, HEAD[0], self.normalised)
        return nn.Sequential(first, ResidualBlock(*HEAD, self.normalised), *last)

    def prepare(self, x: Tensor) -> Tensor:
        if not self.noisy:
            return x
        if self.training:
            noise = torch.randn_like(x)
        else:
            generator = torch.Generator().manual_seed(0)
            noise = torch.randn(x.shape, generator=generator).to(x)
        return torch.cat([x, x + NOISE * noise], 1)

    def bands(self, x: Tensor) -> list[Tensor]:
        """Prepared input (B, K, h, w) -> the bands, approximation first, then details from coarse to fine."""
        features = self.embedding(x)
        return [head(features) for head in self.heads]

    def split(self, pictures: Tensor) -> list[Tensor]:
        """Large pictures (B, 3, H, W), sides multiples of the scale -> the bands that `bands` should predict."""
        raise NotImplementedError

    def merge(self, bands: list[Tensor]) -> Tensor:
        """The inverse of `split`."""
        raise NotImplementedError

    def enlarge(self, x: Tensor, scale: int) -> Tensor:
        return self.merge(self.bands(x))

    def reach(self, scale: int) -> int:
        # 1 + 16 convolutions in the embedding, 4 in a head; its last layers and the transform reach at most 8 more.
        return 1 + 2 * len(BLOCKS) + 4 + 8


class WaveSR(BandNetwork):
    """WaveSR: 46,253,708 parameters at x2, 51,015,728 at x4, 70,063,808 at x8."""

    noisy = False
    trains_from = 2  # batch normalisation takes no statistics of a single value

    def __init__(self, scale: int, width: float = 1.0) -> None:
        super().__init__(scale, width, normalised=True)
        self.levels = levels_of(scale)
        self.heads = nn.ModuleList(self.head(nn.Conv2d(HEAD[1], 3, 3, padding=1)) for _ in range(scale**2))

    def split(self, pictures: Tensor) -> list[Tensor]:
        bands = [pictures]
        for _ in range(self.levels):
            bands = [part for band in bands for part in haar(F.pixel_unshuffle(band, 2)).unbind(2)]
        return bands

    def merge(self, bands: list[Tensor]) -> Tensor:
        for _ in range(self.levels):
            fours = [torch.stack(bands[place : place + 4], 2).flatten(1, 2) for place in range(0, len(bands), 4)]
            bands = [F.pixel_shuffle(haar(four).flatten(1, 2), 2) for four in fours]
        return bands[0]


def haar(quarters: Tensor) -> Tensor:
    """The orthonormal Haar transform of 2 x 2 pixels, which is its own inverse: (B, 4 C, h, w) -> (B, C, 4, h, w), the
    low band first, then horizontal, vertical and diagonal details."""
    signs = [[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]
    matrix = torch.tensor(signs, dtype=quarters.dtype, device=quarters.device) / 2
    return torch.einsum("st,bcthw->bcshw", matrix, quarters.reshape(len(quarters), -1, 4, *quarters.shape[2:]))


class AutoencoderSR(BandNetwork):
    """WSR and LPSR: the bands of a trained, frozen front-end, the installed `transform_name`."""

    transform_name: str

    def __init__(
        self,
        scale: int,
        width: float,
        transform: LaplacianAutoencoder | WaveletLikeAutoencoder,
        ends: Sequence[nn.Module],
    ) -> None:
        super().__init__(scale, width, normalised=False)
        self.transform = transform.requires_grad_(False)
        self.heads = nn.ModuleList(
            self.head(end) for end in [nn.Conv2d(HEAD[1], 3, 3, padding=1), *ends[: transform.levels]]
        )

    def split(self, pictures: Tensor) -> list[Tensor]:
        bands = self.transform.split(pictures)
        return [bands.coarse, *bands.details]

    def merge(self, bands: list[Tensor]) -> Tensor:
        size = (self.scales[0] * bands[0].shape[2], self.scales[0] * bands[0].shape[3])
        return self.transform.merge(Bands(size, bands[0], tuple(bands[1:])))


class WSR(AutoencoderSR):
    """WSR: 45,439,046 parameters at x2, 45,836,649 at x4, 46,238,092 at x8, without the frozen WAE."""

    transform_name = "wae"

    def __init__(self, scale: int, width: float = 1.0) -> None:
        ends = [nn.Conv2d(HEAD[1], 3, 3, padding=1), _doubling(3), _fourfold(3)]
        super().__init__(scale, width, WaveletLikeAutoencoder(levels_of(scale)), ends)


class LPSR(AutoencoderSR):
    """LPSR: 45,440,390 parameters at x2, 45,841,833 at x4, 46,386,956 at x8, without the frozen LPAE."""

    transform_name = "lpae"

    def __init__(self, scale: int, width: float = 1.0) -> None:
        eightfold = nn.Sequential(_fourfold(HEAD[1]), nn.ReLU(), _doubling(3))
        super().__init__(scale, width, LaplacianAutoencoder(levels_of(scale)), [_doubling(3), _fourfold(3), eightfold])


def _doubling(channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(HEAD[1], channels, 4, 2, padding=1)


def _fourfold(channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(HEAD[1], channels, 6, 4, padding=1)
