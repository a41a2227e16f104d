"""The WCAE networks (Akyazi & Ebrahimi, CLIC 2019): wavelet autoencoders with one branch per Haar scale.

```
picture in [-1, 1] --Haar pyramid--> bands --an analysis each--> maps at 1/32, concatenated: the code
code --split--> a synthesis each --> bands --inverse Haar--> picture
```

WCAE has three branches of 32 maps, WCAE-wide 64 maps in the coarsest, NoWCAE a single branch on the picture itself
(structure.py). The rate is that of one Gaussian with the code's own mean and deviation, or of a learned Gaussian per
channel (gaussian.py). codec.py codes with these networks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.gdn import GDN
from lpcodec.codec.families.wcae.gaussian import ChannelPrior, rate
from lpcodec.codec.families.wcae.structure import STRUCTURES, Branch, Structure
from lpcodec.codec.frontends.wavelet import HaarPyramid
from lpcodec.entropy.likelihood import uniform_noise

_CODE_GAIN = 4.0
"""Starts the code at a few units; of 1, 4 and 8 this had the lowest loss after 250 steps."""


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
