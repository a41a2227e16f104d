"""The hyperprior network: a front-end, a GDN autoencoder with a linear shortcut, one set of weights for every rate.

```
picture -> front-end (Haar, 3 scales), maps at 1/8 -> conv, residual pairs, GDN -> conv /2 -> y at 1/16  [+ linear]
y * gain(q) -> hyper-analysis -> z at 1/64, rounded
z, q -> integer scale network -> scale index of each latent         z, q -> float mean network -> mean of each latent
r = y * gain - mean, rounded with a dead zone that widens where a step costs more bits. Latents are decoded in several
    steps (steps.py). A step's scale indexes come from z and the |r| of earlier steps, in integers (scales.py), its
    means from z and the values r + mean of earlier steps, in floats (means.py)
(r + mean) / gain'(q) -> conv x2 -> IGDN, residual pairs (x strengths(q)), conv -> maps -> front-end's inverse
    -> picture [+ linear]
```

Only integers decide a table (the scale network), so files decode anywhere; means only move the reconstruction.
[+ linear] is a shortcut of one convolution past the non-linear layers. The quality is one number; per-channel gains are
interpolated between anchors over it, and log lambda is linear in it. A network that codes a finer level of a pyramid
(lpcae/network.py) also knows the next coarser level's latents: |r| in the scale network, values in the mean network.
The hyperprior is Balle et al. 2018, means Minnen et al. 2018, the steps follow He et al. 2021 (checkerboard) and
Wang et al. 2023 (EVC), the simplified GDN is Johnston et al. 2019.
"""

import copy
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.families.gdn import SimpleGDN
from lpcodec.codec.families.hyperprior.layers import Z_MAX, asinh, conv3
from lpcodec.codec.families.hyperprior.means import MeanNetwork
from lpcodec.codec.families.hyperprior.qualities import (
    GROWTH,
    LAMBDA_MIN,
    level_of_quality,
    place_of_quality,
    row_of_quality,
)
from lpcodec.codec.families.hyperprior.scales import ScaleNetwork
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.families.hyperprior.steps import (
    Cuts,
    Prediction,
    Step,
    combined,
    context_channels,
    dead_zones,
    schedule,
    walk,
)
from lpcodec.codec.families.hyperprior.stored import current_name
from lpcodec.codec.frontends.folds import FOLDS, Fold, shuffle, unshuffle
from lpcodec.entropy.convolution import Convolution, convolved
from lpcodec.entropy.integer import clamp_returning
from lpcodec.entropy.likelihood import SCALES, coded_bits, round_straight_through

MIDDLE = 0.5
"""What is subtracted from a picture in 0..1 first. A difference of pictures is coded with this value added."""
LATENT_SCALE = 8.0
"""y is this many times an orthonormal transform coefficient of the picture in 0..1."""


class ResidualPair(nn.Module):
    """x + conv(leaky(conv(x))), 3x3, at constant width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = conv3(width, width), conv3(width, width)

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.second(F.leaky_relu(self.first(x), 0.1))
        return x + branch


class Analysis(nn.Module):
    """Maps of the front-end (B, `maps`, H/8, W/8) -> y (B, M, H/16, W/16)."""

    def __init__(self, sizes: HyperpriorSizes, maps: int) -> None:
        super().__init__()
        self.head = conv3(maps, sizes.width)
        self.blocks = nn.Sequential(*(ResidualPair(sizes.width) for _ in range(sizes.analysis_pairs)))
        self.gdn = SimpleGDN(sizes.width)
        self.tail = conv3(sizes.width, sizes.latents, stride=2)
        self.shortcut = Convolution(maps, sizes.latents, 2, stride=2)

    def forward(self, folded: Tensor) -> Tensor:
        nonlinear: Tensor = self.tail(self.gdn(self.blocks(self.head(folded.to(self.head.weight.dtype)))))
        linear: Tensor = self.shortcut(folded)
        return nonlinear + LATENT_SCALE * linear


class Synthesis(nn.Module):
    """y (B, M, H/16, W/16) -> maps of the front-end (B, `maps`, H/8, W/8).

    `strengths` (B, 2 * width, 1, 1), or (B, 2 * width, H/8, W/8), multiply the features before and after the residual
    pairs: how much of the picture the non-linear layers make depends on the quality.
    """

    def __init__(self, sizes: HyperpriorSizes, maps: int) -> None:
        super().__init__()
        self.main = sizes.main
        self.head = conv3(sizes.main, 4 * sizes.width)
        self.gdn = SimpleGDN(sizes.width, inverse=True)
        self.blocks = nn.Sequential(*(ResidualPair(sizes.width) for _ in range(sizes.synthesis_pairs)))
        self.tail = conv3(sizes.width, maps)
        self.shortcut = Convolution(sizes.latents, 4 * maps, 1)

    def forward(self, y: Tensor, strengths: Tensor) -> Tensor:
        dtype = self.head.weight.dtype
        before, after = strengths.to(dtype).chunk(2, 1)
        features = self.gdn(F.pixel_shuffle(self.head(y[:, : self.main].to(dtype)), 2))
        nonlinear: Tensor = self.tail(self.blocks(features * before) * after)
        return nonlinear + F.pixel_shuffle(self._linear(y / LATENT_SCALE), 2)

    def _linear(self, y: Tensor) -> Tensor:
        """The shortcut of y, without the linear-only latents that are zero everywhere: at low rates most are."""
        if torch.is_grad_enabled() or self.main == y.shape[1]:
            return self.shortcut(y)  # type: ignore[no-any-return]
        used = (y[:, self.main :].abs().amax((0, 2, 3)) > 0).nonzero()[:, 0] + self.main
        channels = torch.cat([torch.arange(self.main, device=y.device), used])
        by_place = y.permute(0, 2, 3, 1)
        rows = by_place.reshape(-1, y.shape[1]).index_select(1, channels)
        chosen = rows.view(*by_place.shape[:3], -1).permute(0, 3, 1, 2)
        return convolved(chosen, self.shortcut.weight.index_select(1, channels), self.shortcut.bias)


class HyperAnalysis(nn.Module):
    """y * gain (B, M, h, w) -> z (B, Z, ceil(h/4), ceil(w/4)), not yet rounded. Runs in the encoder alone."""

    def __init__(self, sizes: HyperpriorSizes) -> None:
        super().__init__()
        n = sizes.hyper_width
        self.main = sizes.main
        self.layers = nn.Sequential(
            conv3(sizes.main, n),
            nn.LeakyReLU(0.1),
            conv3(n, n, stride=2),
            nn.LeakyReLU(0.1),
            conv3(n, sizes.hyper_latents, stride=2),
        )

    def forward(self, scaled: Tensor) -> Tensor:
        first, *others = self.layers
        assert isinstance(first, nn.Conv2d)
        z: Tensor = first(asinh(scaled[:, : self.main]).to(first.weight.dtype)).to(scaled.dtype)
        for layer in others:
            z = layer(z)
        return z.clamp(-Z_MAX, Z_MAX)

    def quicken(self, dtype: torch.dtype) -> None:
        """Compute the first layer, nearly all of the cost, in `dtype`. The strided ones stay in float32: with one
        column to give, oneDNN computes them from unset memory in bfloat16 on processors with AMX (torch 2.13)."""
        self.layers[0].to(dtype)


class CoarserContext(NamedTuple):
    """A level's decoded latents, as context for the next finer level of a pyramid.

    `symbols` (B, M, h, w) are the integers r; `values` (B, M, h, w) are r + mean, still multiplied by the gain.
    """

    symbols: Tensor
    values: Tensor


class ForwardOutput(NamedTuple):
    """The training pass: pictures (B, 3, H, W), bits of the latents and of the hyper-latents (B,), and the latents."""

    pictures: Tensor
    bits: Tensor
    z_bits: Tensor
    context: CoarserContext


class HyperpriorNetwork(nn.Module):
    """The whole network; `steps` is the order in which latents are decoded, by default that of `schedule`."""

    def __init__(self, sizes: HyperpriorSizes | None = None, steps: Sequence[Step] | None = None) -> None:
        super().__init__()
        self.sizes = sizes or HyperpriorSizes()
        self.frontend: Fold = FOLDS[self.sizes.frontend]
        self.analysis = Analysis(self.sizes, self.frontend.channels)
        self.synthesis = Synthesis(self.sizes, self.frontend.channels)
        self.hyper_analysis = HyperAnalysis(self.sizes)
        self.steps = schedule(self.sizes) if steps is None else tuple(steps)
        self.scales = ScaleNetwork(self.sizes, self.steps)
        self.means = MeanNetwork(self.sizes, self.steps)
        anchors = self.sizes.anchors
        start = (torch.arange(anchors) * math.log(GROWTH) + math.log(LAMBDA_MIN / 4e-4)) / 2
        gains = (start - math.log(LATENT_SCALE))[:, None].repeat(1, self.sizes.latents)
        self.log_gain = nn.Parameter(gains)
        self.log_inverse_gain = nn.Parameter(-gains.clone())
        self.log_strength = nn.Parameter(torch.zeros(anchors, 2 * self.sizes.width))
        self.z_index = nn.Parameter(torch.full((anchors, self.sizes.hyper_latents), 2.5))
        self.split, self.merge = self.frontend.split, self.frontend.merge
        self._product = self.frontend.as_product()
        self.register_load_state_dict_pre_hook(_rename)  # type: ignore[no-untyped-call]

    def _at_anchors(self, table: Tensor, quality: Tensor) -> Tensor:
        place = place_of_quality(quality.to(table.dtype), len(table))
        low = place.floor().clamp(max=len(table) - 2)
        part = (place - low)[:, None]
        index = low.long()
        return (table[index] * (1 - part) + table[index + 1] * part)[:, :, None, None]

    @torch.no_grad()
    def for_coding(self, dtype: torch.dtype) -> "HyperpriorNetwork":
        """A twin that codes faster, to the same values within rounding: a front-end that works block by block is
        part of the outermost convolutions, and the transforms' non-linear branches and the hyper-analysis's first layer
        compute in `dtype`. The shortcuts, which carry most of the picture, stay in float32; scale and mean networks and
        gains are shared."""
        twin = copy.copy(self)
        twin._modules = dict(self._modules)  # or the copy's assignments would be this network's too
        for name in ("analysis", "synthesis", "hyper_analysis"):
            setattr(twin, name, copy.deepcopy(getattr(self, name)))
        pixels = self.frontend.as_matrix()
        if pixels is not None:
            for layer in (twin.analysis.head, twin.analysis.shortcut):
                layer.weight.copy_(torch.einsum("oikl,ji->ojkl", layer.weight, pixels))
            for layer in (twin.synthesis.tail, twin.synthesis.shortcut):
                for parameter in (layer.weight, layer.bias):
                    assert parameter is not None
                    parameter.copy_((pixels @ parameter.reshape(len(pixels), -1)).view_as(parameter))
            twin.split, twin.merge = unshuffle, shuffle
        twin.hyper_analysis.quicken(dtype)
        for transform in (twin.analysis, twin.synthesis):
            for name, part in transform.named_children():
                if name != "shortcut":
                    part.to(dtype)
        return twin

    @property
    def analysis_halo(self) -> int:
        """How many latents around a tile have pixels that the tile's own latents depend on."""
        return ceil_div(2 + 2 * self.sizes.analysis_pairs + self.frontend.reach, 2)

    @property
    def synthesis_halo(self) -> int:
        """How many latents around a tile its pixels depend on."""
        return 1 + ceil_div(1 + 2 * self.sizes.synthesis_pairs + self.frontend.reach, 2)

    def gain(self, quality: Tensor) -> Tensor:
        """16-bit qualities (B,) -> gains (B, M, 1, 1)."""
        return self._at_anchors(self.log_gain, quality).exp()

    def inverse_gain(self, quality: Tensor) -> Tensor:
        """16-bit qualities (B,) -> what values r + mean are multiplied by (B, M, 1, 1)."""
        return self._at_anchors(self.log_inverse_gain, quality).exp()

    def analyse(self, pictures: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in 0..1, H and W multiples of 16 -> y (B, M, H/16, W/16)."""
        y: Tensor = self.analysis(self.split(pictures - MIDDLE))
        return y

    def synthesise(self, y: Tensor, quality: Tensor) -> Tensor:
        """y (after the inverse gain), 16-bit qualities (B,), or (B, h, w) of all places -> pictures (B, 3, H, W), about
        0..1, not clamped."""
        return self.merge(self.synthesis(y, self._strengths(quality))) + MIDDLE

    def _strengths(self, quality: Tensor) -> Tensor:
        if quality.dim() == 1:
            return self._at_anchors(self.log_strength, quality).exp()
        own, numbers = torch.unique(quality, return_inverse=True)  # few: computed once, not at every place
        numbers = numbers.repeat_interleave(2, 1).repeat_interleave(2, 2)  # the features have twice as many
        return self._strengths(own)[:, :, 0, 0][numbers].permute(0, 3, 1, 2)

    def hyper_scale_indexes(self, quality: Tensor) -> Tensor:
        """16-bit qualities (B,) -> scale indexes (B, Z) of z: integers, with straight-through gradients."""
        index = clamp_returning(self.z_index[row_of_quality(quality, self.sizes.anchors).long()] * 8, 0, SCALES - 1)
        return round_straight_through(index)

    def predict(
        self, scaled: Tensor, z: Tensor, quality: Tensor, coarser: CoarserContext | None = None
    ) -> tuple[Tensor, Tensor]:
        """Means and scale indexes (B, M, h, w) of the latents y * gain, as a decoder of the rounded latents has them,
        step by step; with straight-through gradients."""
        level, size = level_of_quality(quality, self.sizes.anchors), (scaled.shape[2], scaled.shape[3])
        symbols, values = coarser or (None, None)
        parts = Cuts(scaled, self.steps)

        def rounding(prediction: Prediction, channels: int) -> Tensor:
            assert prediction.mean is not None
            assert prediction.index is not None
            if not channels:
                return scaled[:, :0]
            centred = parts.read(prediction.step.channels)[:, :channels] - prediction.mean[:, :channels]
            index = prediction.index[:, :channels]
            whole = round_straight_through(centred, index, prediction.step.dead_zone)
            return whole * prediction.places()[:, :channels]

        scales, means = self.scales.begin(z, level, *size, symbols), self.means.begin(z, level, *size, values)
        predictions = walk(self.steps, rounding, scales, means, context_channels(self.steps, self.scales))
        return (
            combined((p.step, p.mean) for p in predictions if p.mean is not None),
            combined((p.step, p.index) for p in predictions if p.index is not None),
        )

    def forward(
        self, pictures: Tensor, quality: Tensor, amp: bool = False, coarser: CoarserContext | None = None
    ) -> ForwardOutput:
        """The training pass.

        Args:
            pictures: (B, 3, H, W) in 0..1, H and W multiples of 64.
            quality: (B,) 16-bit qualities, int64.
            amp: run the transforms in bfloat16. Never the entropy model: its integers and large means need float32.
            coarser: the next coarser level's latents, for a network that knows of one.
        """
        device, frontend = pictures.device.type, self._product
        maps = frontend.split(pictures - MIDDLE)
        with torch.autocast(device, torch.bfloat16, enabled=amp):
            y: Tensor = self.analysis(maps)
        y = y.float()
        scaled = y * self.gain(quality)
        with torch.autocast(device, torch.bfloat16, enabled=amp):
            z = self.hyper_analysis(scaled)
        z = z.float()
        whole = round_straight_through(z)
        z_bits = coded_bits(z, whole, self.hyper_scale_indexes(quality)[:, :, None, None])
        mean, index = self.predict(scaled, whole, quality, coarser)
        centred = scaled - mean
        symbols = round_straight_through(centred, index, dead_zones(self.steps, centred))
        bits = coded_bits(centred, symbols, index)
        values = symbols + mean
        with torch.autocast(device, torch.bfloat16, enabled=amp):
            maps = self.synthesis(values * self.inverse_gain(quality), self._strengths(quality))
        result = frontend.merge(maps.float()) + MIDDLE
        return ForwardOutput(result, bits.sum((1, 2, 3)), z_bits.sum((1, 2, 3)), CoarserContext(symbols, values))

    @torch.no_grad()
    def start_from_principal_components(self, pictures: Tensor) -> None:
        """Start as a transform codec: the shortcuts become the principal components of 16x16 colour blocks in the
        front-end's maps, and the non-linear branches' last layers zero.

        Args:
            pictures: (B, 3, H, W) in 0..1, some millions of pixels, H and W multiples of 16.
        """
        maps = self.frontend.channels
        places = F.pixel_unshuffle(self.split(pictures - MIDDLE), 2)
        blocks = places.permute(0, 2, 3, 1).reshape(-1, 4 * maps).double()
        values, vectors = torch.linalg.eigh(blocks.T @ blocks / len(blocks))
        basis = vectors[:, values.argsort(descending=True)[: self.sizes.latents]].T
        weight = basis.reshape(-1, maps, 2, 2)
        self.analysis.shortcut.weight.copy_(weight)
        self.synthesis.shortcut.weight.copy_(basis.T[:, :, None, None])
        for layer in (self.analysis.shortcut, self.synthesis.shortcut, self.analysis.tail, self.synthesis.tail):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        for layer in (self.analysis.tail, self.synthesis.tail):
            nn.init.zeros_(layer.weight)


def _rename(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    """Let `load_state_dict` take the parameters' earlier names."""
    for name in [name for name in state if name.startswith(prefix)]:
        state[current_name(name)] = state.pop(name)
