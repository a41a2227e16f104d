"""The WCAE family (Akyazi & Ebrahimi, CLIC 2019): wavelet autoencoders with one branch per Haar scale, and their loss.

```
picture in [-1, 1] --Haar pyramid--> bands --an analysis each--> maps at 1/32, concatenated: the code
code --split--> a synthesis each --> bands --inverse Haar--> picture
```

WCAE has three branches of 32 maps, WCAE-wide 64 maps in the coarsest, NoWCAE a single branch on the picture itself. The
rate is that of one Gaussian with the code's own mean and deviation, or of a learned Gaussian per channel
(`ChannelPrior`). codec.py codes with these networks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.gdn import GDN
from lpcodec.codec.frontends.wavelet import HaarPyramid
from lpcodec.entropy.likelihood import LIKELIHOOD_FLOOR, uniform_noise
from lpcodec.entropy.tables import TableSet, gaussian_frequencies

LAMBDA = 0.0025
"""The paper's weight of the rate."""
UNITS = 256
"""Means and scales are integers in units of 2^-8."""
SYMBOL_MAX = 32767
SCALE_MAX = 65535
RADIUS_MAX = 1024
"""Symbols further from a table's centre are escapes."""

_MSE_8BIT = 127.5**2
"""A mean squared error in 8-bit units, divided by the same on [-1, 1]."""
_TABLE_UNITS = (1 << 16) // UNITS
_CODE_GAIN = 4.0
"""Starts the code at a few units; of 1, 4 and 8 this had the lowest loss after 250 steps."""


@dataclass(frozen=True)
class Branch:
    """Layers of one branch: `inputs` maps, then a 3x3 convolution for each of `outputs` and `strides`.

    The synthesis mirrors it: the same outputs and strides in reverse, with `inputs` maps at the end.
    """

    inputs: int
    outputs: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.outputs) != len(self.strides):
            raise ValueError("a branch needs as many strides as outputs")

    @property
    def synthesis_outputs(self) -> tuple[int, ...]:
        return (*self.outputs[:0:-1], self.inputs)

    @property
    def downsampling(self) -> int:
        return int(np.prod(self.strides))

    @property
    def analysis_reach(self) -> int:
        """How many places of the branch's input, on each side, a place of the code can depend on."""
        return sum(int(np.prod(self.strides[:layer])) for layer in range(len(self.strides)))

    @property
    def synthesis_reach(self) -> int:
        """How many places of the code, on each side, a place of the branch's output can depend on."""
        # A 3x3 deconvolution reaches one place of its input on each side, which is 1 / jump places of the code.
        jumps = [int(np.prod(self.strides[::-1][:layer])) for layer in range(len(self.strides))]
        return int(np.ceil(sum(1 / jump for jump in jumps)))


@dataclass(frozen=True)
class Structure:
    """A network of the family: Haar scales (0: none) and one branch per band, coarsest first."""

    scales: int
    branches: tuple[Branch, ...]

    def __post_init__(self) -> None:
        if len(self.branches) != max(1, self.scales):
            raise ValueError("one branch for each Haar scale, or a single one without")
        if len({self._band_step(i) * b.downsampling for i, b in enumerate(self.branches)}) != 1:
            raise ValueError("all branches must end at the same resolution")

    def _band_step(self, branch: int) -> int:
        return int(2 ** (self.scales - branch))

    @property
    def multiple(self) -> int:
        """The sides of the network's input are multiples of this; a square of this side is one place of the code."""
        return self._band_step(0) * self.branches[0].downsampling

    @property
    def code_channels(self) -> tuple[int, ...]:
        return tuple(branch.outputs[-1] for branch in self.branches)

    @property
    def elements_per_pixel(self) -> float:
        return sum(self.code_channels) / self.multiple**2

    @property
    def analysis_halo(self) -> int:
        """How many places of the code around a tile have pixels that the tile's code depends on."""
        reach = max(self._band_step(i) * branch.analysis_reach for i, branch in enumerate(self.branches))
        return ceil_div(reach, self.multiple)

    @property
    def synthesis_halo(self) -> int:
        """How many places of the code around a tile its pixels depend on."""
        return max(branch.synthesis_reach for branch in self.branches)


_COARSEST = Branch(12, (32, 32, 32, 32, 32), (1, 2, 2, 1, 1))
_SECOND = Branch(9, (16, 16, 32, 32, 32, 32), (1, 2, 2, 2, 1, 1))
_FINEST = Branch(9, (16, 16, 16, 16, 32, 32, 32), (1, 2, 2, 2, 2, 1, 1))

STRUCTURES = {
    "wcae": Structure(3, (_COARSEST, _SECOND, _FINEST)),
    "nowcae": Structure(0, (replace(_FINEST, inputs=3),)),
    "wcae-wide": Structure(3, (replace(_COARSEST, outputs=(32, 32, 32, 32, 64)), _SECOND, _FINEST)),
}


class WaveletAutoencoder(nn.Module):
    """The network of a `Structure`; with `channel_prior` it also learns a Gaussian per channel of the code."""

    def __init__(self, structure: Structure, channel_prior: bool = False) -> None:
        super().__init__()
        self.structure = structure
        self.analysis_branches = nn.ModuleList(_analysis(branch) for branch in structure.branches)
        self.synthesis_branches = nn.ModuleList(_synthesis(branch) for branch in structure.branches)
        self.prior = ChannelPrior(sum(structure.code_channels)) if channel_prior else None
        self._pyramid = HaarPyramid(structure.scales) if structure.scales else None

    def analysis(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1], sides multiples of m = `structure.multiple` -> code (B, C, H/m, W/m)."""
        bands = self._pyramid.split(x) if self._pyramid else (x,)
        return torch.cat([run(band) for run, band in zip(self.analysis_branches, bands, strict=True)], dim=1)

    def synthesis(self, code: Tensor) -> Tensor:
        """Code (B, C, h, w) -> picture (B, 3, m*h, m*w), about [-1, 1] but not clamped."""
        parts = torch.split(code, list(self.structure.code_channels), dim=1)
        bands = [run(part) for run, part in zip(self.synthesis_branches, parts, strict=True)]
        return self._pyramid.merge(bands) if self._pyramid else bands[0]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Picture in [-1, 1] -> (reconstruction, code); in training mode noise replaces rounding."""
        code = self.analysis(x)
        code = code + uniform_noise(code) if self.training else code.round()
        return self.synthesis(code), code

    def rate(self, code: Tensor) -> Tensor:
        """Mean bits per element of a noisy or rounded code (B, C, h, w), by the prior or the code's own Gaussian."""
        return rate(code) if self.prior is None else self.prior.rate(code)


def load_network(name: str, channel_prior: bool = False) -> WaveletAutoencoder:
    """The network of a name in STRUCTURES with random weights. Raises UsageError for another name."""
    if name not in STRUCTURES:
        raise UsageError(f"unknown network '{name}'; one of {', '.join(STRUCTURES)}")
    return WaveletAutoencoder(STRUCTURES[name], channel_prior)


def _analysis(branch: Branch) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = branch.inputs
    for outputs, stride in zip(branch.outputs, branch.strides, strict=True):
        convolution = nn.Conv2d(channels, outputs, 3, stride, padding=1)
        last = len(layers) == 2 * len(branch.outputs) - 2
        _initialise(convolution, 9 * channels, _CODE_GAIN if last else 1.0)
        layers += [convolution, GDN(outputs)]
        channels = outputs
    return nn.Sequential(*layers)


def _synthesis(branch: Branch) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = branch.outputs[-1]
    for outputs, stride in zip(branch.synthesis_outputs, reversed(branch.strides), strict=True):
        if layers:
            layers.append(GDN(channels, inverse=True))
        deconvolution = nn.ConvTranspose2d(channels, outputs, 3, stride, padding=1, output_padding=stride - 1)
        _initialise(deconvolution, 9 * channels / stride**2, 1.0 if layers else 1 / _CODE_GAIN)
        layers.append(deconvolution)
        channels = outputs
    return nn.Sequential(*layers)


def _initialise(layer: nn.Conv2d | nn.ConvTranspose2d, terms: float, gain: float) -> None:
    # The paper has no rule. This one keeps the variance: a code much smaller than 1 would be lost in the noise.
    nn.init.normal_(layer.weight, std=gain * terms**-0.5)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)


def rate(code: Tensor) -> Tensor:
    """Mean bits per element under one Gaussian with the mean and standard deviation of `code` itself.

    `code` is noisy or rounded, of any shape. A whole batch shares mean and deviation; gradients flow through them too.
    """
    code = code.float()
    return _gaussian_bits(code, code.mean(), code.std(correction=0).clamp_min(1 / UNITS)).mean()


def _gaussian_bits(value: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    distance = (value - mean).abs()  # only in the lower tail float32 keeps small differences
    upper = torch.special.ndtr((0.5 - distance) / sigma)
    lower = torch.special.ndtr((-0.5 - distance) / sigma)
    return -torch.log2((upper - lower).clamp_min(LIKELIHOOD_FLOOR))


class ChannelPrior(nn.Module):
    """A learned Gaussian for each channel of the code (2C parameters) instead of a mean and scale per file.

    Call `export` when training is over: it writes the integers that files are coded with into the buffer `units`,
    (2, C) int32, means and scales in units of 2^-8. The buffer is stored with the weights.
    """

    units: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("units", torch.zeros(2, channels, dtype=torch.int32))

    def rate(self, code: Tensor) -> Tensor:
        """Mean bits per element of `code` (B, C, h, w), noisy or rounded; differentiable."""
        mean, sigma = self.mean[:, None, None], self.log_scale.exp()[:, None, None].clamp_min(1 / UNITS)
        return _gaussian_bits(code.float(), mean, sigma).mean()

    @torch.no_grad()
    def export(self) -> None:
        """Fix the integers of the tables."""
        self.units[0] = (self.mean * UNITS).round().clamp(-SYMBOL_MAX, SYMBOL_MAX)
        self.units[1] = (self.log_scale.exp() * UNITS).round().clamp(1, SCALE_MAX)

    def tables(self) -> TableSet:
        """One table per channel, from `units` only. Raises ValueError before `export`."""
        means, scales = self.units.tolist()
        if min(scales) < 1:
            raise ValueError("the channel prior was never exported")
        radii = [
            min(RADIUS_MAX, (abs(mean) + 8 * scale) // UNITS + 1) for mean, scale in zip(means, scales, strict=True)
        ]
        return gaussian_table_set(list(zip(means, scales, radii, strict=True)))


def loss(network: WaveletAutoencoder, batch: Tensor, lmbda: float = LAMBDA) -> dict[str, Tensor]:
    """J = D + lambda R of a batch (B, 3, H, W) in [0, 1].

    D is the mean squared error per sample on [-1, 1], R the mean bits per element of the code. Returns scalars: `loss`
    (the only one with a gradient), `bpp_estimate`, and `mse` in 8-bit units.
    """
    x = batch * 2 - 1
    reconstruction, code = network(x)
    distortion = (reconstruction.float() - x).square().mean()
    bits = network.rate(code)
    return {
        "loss": distortion + lmbda * bits,
        "bpp_estimate": bits.detach() * network.structure.elements_per_pixel,
        "mse": distortion.detach() * _MSE_8BIT,
    }


def equivalent_lambda(lmbda: float, structure: Structure) -> float:
    """The lambda' for which bpp + lambda' * MSE (8-bit) has the minimum of D + lambda R; this is its own inverse."""
    return structure.elements_per_pixel / (_MSE_8BIT * lmbda)


def gaussian_table_set(gaussians: list[tuple[int, int, int]]) -> TableSet:
    """Tables of (mean, scale, radius), mean and scale in units of 2^-8."""
    frequencies = tuple(
        np.asarray(gaussian_frequencies(mean * _TABLE_UNITS, scale * _TABLE_UNITS, -radius, radius), np.int32)
        for mean, scale, radius in gaussians
    )
    return TableSet(np.array([radius for _, _, radius in gaussians], np.int16), frequencies)
