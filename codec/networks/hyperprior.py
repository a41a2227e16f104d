"""The hyperprior network: wavelet fold, GDN autoencoder with a linear shortcut, one set of weights for every rate.

```
picture -> Haar, 3 scales, folded to 1/8 (192 maps) -> conv, residual pairs, GDN -> conv /2 -> y at 1/16  [+ linear]
y * gain(q) -> hyper-analysis -> z at 1/64, rounded
z, q -> integer scale network -> scale index of each latent         z, q -> float mean network -> mean of each latent
r = round(y * gain - mean), in two steps (a checkerboard over places and channels); the second step's scale indexes
    come from z and the |r| of the first, in integers; its means from z and the first step's values, in floats
(r + mean) / gain'(q) -> conv x2 -> IGDN, residual pairs (x strengths(q)), conv -> 192 maps -> unfold, inverse Haar
    -> picture [+ linear]
```

Only integers decide a table (the scale network), so files decode anywhere; means only move the reconstruction.
[+ linear] is a shortcut of one convolution past the non-linear layers. The quality is one number; per-channel gains are
interpolated between anchors over it, and log lambda is linear in it. A network that codes a finer level of a pyramid
(lpcae.py) also knows the next coarser level's latents: |r| in the scale network, values in the mean network.
The hyperprior is Balle et al. 2018, means Minnen et al. 2018, the two steps after He et al. 2021 (checkerboard) and
Wang et al. 2023 (EVC), the simplified GDN Johnston et al. 2019.
"""

import copy
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.frontends.wavelet import FOLD, fold, unfold
from lpcodec.codec.networks.gdn import SimpleGDN
from lpcodec.entropy.integer import (
    ACCUMULATOR_LIMIT,
    ACTIVATION_BITS,
    ACTIVATION_MAX,
    WEIGHT_BITS,
    IntegerConv,
    clamp_returning,
    log_magnitude,
    log_magnitude_table,
    requantise,
)
from lpcodec.entropy.likelihood import SCALES, gaussian_bits, round_straight_through, uniform_noise

STRIDE = 16
"""Pixels a latent spans, each way."""
FOLDED = 192
"""Maps of the folded wavelet transform at 1/8."""
MIDDLE = 0.5
"""What is taken off a picture in 0..1 first; where differences are coded, a difference of 0 stands at it."""
LATENT_SCALE = 8.0
"""y is this many times an orthonormal transform coefficient of the picture in 0..1."""
ANCHORS = 8
LAMBDA_MIN, LAMBDA_MAX = 1.5e-4, 0.15
"""lambda of R[bpp] + lambda * 255**2 * MSE[0..1] at quality 0 and 100."""
LEVELS = 64
Z_MAX = 23
"""Hyper-latents are clamped to -23..23, which the proof of the accumulators' bounds needs."""
_FEATURE_SHIFT = WEIGHT_BITS
_INDEX_SHIFT = WEIGHT_BITS + ACTIVATION_BITS - 3
"""A unit of the last layer is 8 scale indexes, about a factor e of sigma."""


@dataclass(frozen=True)
class HyperpriorSizes:
    """The widths that tell the models of this class apart."""

    width: int = 128
    latents: int = 320
    analysis_pairs: int = 1
    synthesis_pairs: int = 1
    hyper_width: int = 96
    hyper_latents: int = 64
    context_width: int = 64
    details: int = 0
    """So many of the latents, the last, are known to the shortcuts, the analysis and the heads of the scale network
    alone; their means are zero. High rates need them, and there they cost little."""
    coarser_latents: int = 0
    """Latents of the next coarser level of a pyramid; 0 for a network that knows of none."""

    @property
    def main(self) -> int:
        """The other latents, the first, which all layers work with."""
        return self.latents - self.details


PROFILES = {
    "fast": HyperpriorSizes(width=72, latents=232, details=40, hyper_width=40, hyper_latents=40, context_width=32),
    "default": HyperpriorSizes(latents=512, details=192),
    "hq": HyperpriorSizes(latents=512, details=192, analysis_pairs=2, synthesis_pairs=3),
}
"""The models of this class. `hq` is `default` with more residual pairs, so that it can start from its weights."""


def conv3(cin: int, cout: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(cin, cout, 3, stride=stride, padding=1)


class ResidualPair(nn.Module):
    """x + conv(leaky(conv(x))), 3x3, at constant width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = conv3(width, width), conv3(width, width)

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.second(F.leaky_relu(self.first(x), 0.1))
        return x + branch


class Analysis(nn.Module):
    """Folded picture (B, 192, H/8, W/8) -> y (B, M, H/16, W/16)."""

    def __init__(self, sizes: HyperpriorSizes) -> None:
        super().__init__()
        self.head = conv3(FOLDED, sizes.width)
        self.blocks = nn.Sequential(*(ResidualPair(sizes.width) for _ in range(sizes.analysis_pairs)))
        self.gdn = SimpleGDN(sizes.width)
        self.tail = conv3(sizes.width, sizes.latents, stride=2)
        self.shortcut = nn.Conv2d(FOLDED, sizes.latents, 2, stride=2)

    def forward(self, folded: Tensor) -> Tensor:
        nonlinear: Tensor = self.tail(self.gdn(self.blocks(self.head(folded.to(self.head.weight.dtype)))))
        linear: Tensor = self.shortcut(folded)
        return nonlinear + LATENT_SCALE * linear


class Synthesis(nn.Module):
    """y (B, M, H/16, W/16) -> folded picture (B, 192, H/8, W/8).

    `strengths` (B, 2 * width, 1, 1) multiply the features before and after the residual pairs: how much of the picture
    the non-linear layers make depends on the quality.
    """

    def __init__(self, sizes: HyperpriorSizes) -> None:
        super().__init__()
        self.main = sizes.main
        self.head = conv3(sizes.main, 4 * sizes.width)
        self.gdn = SimpleGDN(sizes.width, inverse=True)
        self.blocks = nn.Sequential(*(ResidualPair(sizes.width) for _ in range(sizes.synthesis_pairs)))
        self.tail = conv3(sizes.width, FOLDED)
        self.shortcut = nn.Conv2d(sizes.latents, 4 * FOLDED, 1)

    def forward(self, y: Tensor, strengths: Tensor) -> Tensor:
        dtype = self.head.weight.dtype
        before, after = strengths.to(dtype).chunk(2, 1)
        features = self.gdn(F.pixel_shuffle(self.head(y[:, : self.main].to(dtype)), 2))
        nonlinear: Tensor = self.tail(self.blocks(features * before) * after)
        return nonlinear + F.pixel_shuffle(self.shortcut(y / LATENT_SCALE), 2)


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

    def forward(self, gained: Tensor) -> Tensor:
        first = self.layers[0]
        assert isinstance(first, nn.Conv2d)
        z: Tensor = self.layers(torch.asinh(gained[:, : self.main]).to(first.weight.dtype)).to(gained.dtype)
        return z.clamp(-Z_MAX, Z_MAX)


def with_level(z: Tensor, level: Tensor) -> Tensor:
    """Append the quality level (B,), integers 0..63, to z as one more constant map."""
    plane = level.to(z.dtype).view(-1, 1, 1, 1).expand(-1, 1, *z.shape[2:])
    return torch.cat([z * 2**ACTIVATION_BITS, plane], 1)


class Known(NamedTuple):
    """What a level's latents are once they are decoded, as context for the next finer level.

    `symbols` (B, M, h, w) are the integers r; `values` (B, M, h, w) r + mean, which the gain hasn't been taken from.
    """

    symbols: Tensor
    values: Tensor


class Passed(NamedTuple):
    """The training pass: pictures (B, 3, H, W), bits of the latents and of the hyper-latents (B,), and the latents."""

    pictures: Tensor
    bits: Tensor
    z_bits: Tensor
    known: Known


def _widened(x: Tensor, details: int) -> Tensor:
    """x (B, C, h, w) with `details` more maps of zeros."""
    return F.pad(x, (0, 0, 0, 0, 0, details)) if details else x


def _enlarged(x: Tensor, size: torch.Size) -> Tensor:
    """x (B, C, h, w) with zeros at the right and bottom, as large as `size`'s last two."""
    return F.pad(x, (0, size[-1] - x.shape[3], 0, size[-2] - x.shape[2]))


class ScaleNetwork(nn.Module):
    """Integers in (z, level, |r| of the first step and of the coarser level), scale indexes 0..63 out, in exact integer
    arithmetic."""

    log_magnitudes: Tensor

    def __init__(self, sizes: HyperpriorSizes) -> None:
        super().__init__()
        n, c = sizes.hyper_width, sizes.context_width
        self.coarse = IntegerConv(sizes.hyper_latents + 1, 4 * n, 3)
        self.middle = IntegerConv(n, 4 * c, 3)
        self.first = IntegerConv(c, sizes.latents, 1, gain=0.5)
        self.main = sizes.main
        self.neighbours = IntegerConv(sizes.main, c, 3, gain=0.5)
        self.mixed = IntegerConv(c, c, 1)
        self.second = IntegerConv(2 * c, sizes.latents, 1, gain=0.5)
        coarser = sizes.coarser_latents
        self.coarser = IntegerConv(coarser, 4 * c, 1, gain=0.2) if coarser else None
        for head in (self.first, self.second):
            nn.init.constant_(head.bias, 2.0)
        self.register_buffer("log_magnitudes", torch.from_numpy(log_magnitude_table()).float(), persistent=False)

    def features(
        self, z: Tensor, level: Tensor, height: int, width: int, coarser_symbols: Tensor | None = None
    ) -> Tensor:
        """z (B, Z, h/4, w/4) integers, level (B,), symbols of the coarser level (B, M', h/2, w/2) where the network
        knows of one -> features (B, C, height, width), integers 0..255."""
        x = requantise(self.coarse(with_level(z, level)), _FEATURE_SHIFT, 0, ACTIVATION_MAX)
        acc = self.middle(F.pixel_shuffle(x, 2))
        if self.coarser is not None:
            assert coarser_symbols is not None
            known = log_magnitude(coarser_symbols, self.log_magnitudes).to(acc.dtype)
            acc = acc + self.coarser(_enlarged(known, acc.shape))
        x = requantise(acc, _FEATURE_SHIFT, 0, ACTIVATION_MAX)
        return F.pixel_shuffle(x, 2)[:, :, :height, :width]

    def first_indexes(self, features: Tensor) -> Tensor:
        """Scale indexes (B, M, h, w) of the first step's latents (those of the second are to be ignored)."""
        return requantise(self.first(features), _INDEX_SHIFT, 0, SCALES - 1, returning=True)

    def second_indexes(self, features: Tensor, symbols: Tensor) -> Tensor:
        """Scale indexes of the second step's latents, from the first step's symbols (zero elsewhere)."""
        known = log_magnitude(symbols[:, : self.main], self.log_magnitudes).to(features.dtype)
        acc = self.neighbours(known) + self.mixed(features)
        context = requantise(acc, _FEATURE_SHIFT, 0, ACTIVATION_MAX)
        return requantise(self.second(torch.cat([features, context], 1)), _INDEX_SHIFT, 0, SCALES - 1, returning=True)

    def freeze(self) -> None:
        """Make all layers exact (float64 integers) and prove that no accumulator can reach 2**24.

        Raises:
            ValueError: a bound is exceeded; the network can't be shipped.
        """
        for conv in self.children():
            if isinstance(conv, IntegerConv):
                conv.freeze()
        self.mark_frozen()

    def mark_frozen(self) -> None:
        """Take the parameters as the integers that they are (read from a file, say), and prove the bounds again."""
        for conv in self.children():
            if isinstance(conv, IntegerConv):
                conv.mark_frozen()
        self.log_magnitudes = self.log_magnitudes.double()
        for name, worst in self.bounds().items():
            if worst >= ACCUMULATOR_LIMIT:
                raise ValueError(f"scale network, {name}: accumulators reach {worst}, over {ACCUMULATOR_LIMIT}")

    def bounds(self) -> dict[str, int]:
        """The largest |accumulator| of each layer, from the weights' L1 norms and the inputs' ranges."""
        largest_z = torch.full((self.coarse.weight.shape[1],), float(Z_MAX * 2**ACTIVATION_BITS))
        largest_z[-1] = LEVELS - 1
        largest_known = int(self.log_magnitudes.max())
        from_coarser = self.coarser.bound(largest_known) if self.coarser is not None else 0
        return {
            "coarse": self.coarse.bound(largest_z),
            "middle": self.middle.bound(ACTIVATION_MAX) + from_coarser,
            "first": self.first.bound(ACTIVATION_MAX),
            "neighbours + mixed": self.neighbours.bound(largest_known) + self.mixed.bound(ACTIVATION_MAX),
            "second": self.second.bound(ACTIVATION_MAX),
        }


class MeanNetwork(nn.Module):
    """Means of the latents, float; those of details are zero. From z, the level and the coarser level's values, refined
    in the second step by the first step's values."""

    def __init__(self, sizes: HyperpriorSizes) -> None:
        super().__init__()
        n, c = sizes.hyper_width, sizes.context_width
        self.coarse = conv3(sizes.hyper_latents + 1, 4 * n)
        self.middle = conv3(n, 4 * c)
        self.main, self.details = sizes.main, sizes.details
        self.first = nn.Conv2d(c, sizes.main, 1)
        self.neighbours = conv3(sizes.main, 2 * c)
        self.mixed = nn.Conv2d(3 * c, c, 1)
        self.second = nn.Conv2d(3 * c, sizes.main, 1)
        coarser = sizes.coarser_latents
        self.coarser = nn.Conv2d(coarser, 4 * c, 1) if coarser else None
        for head in (self.first, self.second):
            nn.init.normal_(head.weight, std=1e-3)
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]

    def features(
        self, z: Tensor, level: Tensor, height: int, width: int, coarser_values: Tensor | None = None
    ) -> Tensor:
        """As `ScaleNetwork.features`, in floats; `coarser_values` (B, M', h/2, w/2)."""
        x = F.leaky_relu(self.coarse(with_level(z, level) / 2**ACTIVATION_BITS), 0.1)
        x = self.middle(F.pixel_shuffle(x, 2))
        if self.coarser is not None:
            assert coarser_values is not None
            x = x + self.coarser(_enlarged(torch.asinh(coarser_values), x.shape))
        x = F.leaky_relu(x, 0.1)
        return F.pixel_shuffle(x, 2)[:, :, :height, :width]

    def first_means(self, features: Tensor) -> Tensor:
        means: Tensor = self.first(features)
        return _widened(means, self.details)

    def second_means(self, features: Tensor, values: Tensor) -> Tensor:
        """`values`: the first step's r + mean, zero at the second step's places. The path from them is partly linear,
        so that it works at every gain."""
        near = self.neighbours(values[:, : self.main])
        mixed = F.leaky_relu(self.mixed(torch.cat([features, torch.asinh(near)], 1)), 0.1)
        means: Tensor = self.second(torch.cat([mixed, near], 1))
        return _widened(means, self.details)


def bfloat16_pays(device: str) -> bool:
    """Whether transforms are faster in bfloat16: on GPUs, and on CPUs that have it in hardware."""
    if device != "cpu":
        return True
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


@functools.lru_cache(maxsize=4)
def first_step_mask(channels: int, height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the (1, channels, height, width) bool mask of the latents of the first step: those with even i + j + c."""
    with torch.inference_mode(False):  # it is kept, and may meet gradients later
        c = torch.arange(channels, device=device).view(1, -1, 1, 1)
        i = torch.arange(height, device=device).view(1, 1, -1, 1)
        j = torch.arange(width, device=device).view(1, 1, 1, -1)
        return (c + i + j) % 2 == 0


def level_of_quality(quality: Tensor) -> Tensor:
    """16-bit quality (integers 0..65535) -> level 0..63."""
    return torch.div(quality * LEVELS, 65536, rounding_mode="floor")


def anchor_of_quality(quality: Tensor) -> Tensor:
    """16-bit quality -> the hyper-latents' table row 0..7."""
    return torch.div(quality * ANCHORS, 65536, rounding_mode="floor")


def lambda_of_quality(quality: Tensor) -> Tensor:
    """16-bit quality -> lambda, log-linear from LAMBDA_MIN to LAMBDA_MAX."""
    return LAMBDA_MIN * torch.exp(quality / 65535.0 * math.log(LAMBDA_MAX / LAMBDA_MIN))


def unshuffled(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 192, H/8, W/8): what `fold` is when another layer has the wavelets."""
    return F.pixel_unshuffle(pictures, FOLD)


def shuffled(places: Tensor) -> Tensor:
    return F.pixel_shuffle(places, FOLD)


class HyperpriorNetwork(nn.Module):
    """The whole network. Its methods are the steps that coding and training share."""

    def __init__(self, sizes: HyperpriorSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes or HyperpriorSizes()
        self.analysis = Analysis(self.sizes)
        self.synthesis = Synthesis(self.sizes)
        self.hyper_analysis = HyperAnalysis(self.sizes)
        self.scales = ScaleNetwork(self.sizes)
        self.means = MeanNetwork(self.sizes)
        start = torch.linspace(0, math.log(LAMBDA_MAX / LAMBDA_MIN), ANCHORS) / 2 + 0.5 * math.log(LAMBDA_MIN / 4e-4)
        gains = (start - math.log(LATENT_SCALE))[:, None].repeat(1, self.sizes.latents)
        self.log_gain = nn.Parameter(gains)
        self.log_inverse_gain = nn.Parameter(-gains.clone())
        self.log_strength = nn.Parameter(torch.zeros(ANCHORS, 2 * self.sizes.width))
        self.z_index = nn.Parameter(torch.full((ANCHORS, self.sizes.hyper_latents), 2.5))
        self.split: Callable[[Tensor], Tensor] = fold
        self.merge: Callable[[Tensor], Tensor] = unfold

    def _at_anchors(self, table: Tensor, quality: Tensor) -> Tensor:
        place = quality.to(table.dtype) / 65535.0 * (ANCHORS - 1)
        low = place.floor().clamp(max=ANCHORS - 2)
        part = (place - low)[:, None]
        index = low.long()
        return (table[index] * (1 - part) + table[index + 1] * part)[:, :, None, None]

    @torch.no_grad()
    def for_coding(self, dtype: torch.dtype) -> "HyperpriorNetwork":
        """A twin that codes faster, and to the same values but for rounding: the wavelet transform is part of the
        outermost convolutions, and the hyper-analysis and the transforms' non-linear branches compute in `dtype`. The
        shortcuts, which carry most of the picture, stay in float32; scale and mean networks and gains are shared."""
        twin = copy.copy(self)
        twin._modules = dict(self._modules)  # or the copy's assignments would be this network's too
        for name in ("analysis", "synthesis", "hyper_analysis"):
            setattr(twin, name, copy.deepcopy(getattr(self, name)))
        places = unshuffled(unfold(torch.eye(FOLDED)[:, :, None, None]))[:, :, 0, 0].T  # from folded ones
        for layer in (twin.analysis.head, twin.analysis.shortcut):
            layer.weight.copy_(torch.einsum("oikl,ji->ojkl", layer.weight, places))
        for layer in (twin.synthesis.tail, twin.synthesis.shortcut):
            for parameter in (layer.weight, layer.bias):
                assert parameter is not None
                parameter.copy_((places @ parameter.reshape(FOLDED, -1)).view_as(parameter))
        twin.split, twin.merge = unshuffled, shuffled
        twin.hyper_analysis.to(dtype)
        for transform in (twin.analysis, twin.synthesis):
            for name, part in transform.named_children():
                if name != "shortcut":
                    part.to(dtype)
        return twin

    def gain(self, quality: Tensor) -> Tensor:
        """16-bit qualities (B,) -> gains (B, M, 1, 1)."""
        return self._at_anchors(self.log_gain, quality).exp()

    def inverse_gain(self, quality: Tensor) -> Tensor:
        return self._at_anchors(self.log_inverse_gain, quality).exp()

    def analyse(self, pictures: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in 0..1, H and W multiples of 16 -> y (B, M, H/16, W/16)."""
        y: Tensor = self.analysis(self.split(pictures - MIDDLE))
        return y

    def synthesise(self, y: Tensor, quality: Tensor) -> Tensor:
        """y (after the inverse gain), 16-bit qualities (B,) -> pictures (B, 3, H, W), about 0..1, not clamped."""
        strengths = self._at_anchors(self.log_strength, quality).exp()
        return self.merge(self.synthesis(y, strengths)) + MIDDLE

    def hyper_scale_indexes(self, quality: Tensor) -> Tensor:
        """16-bit qualities (B,) -> scale indexes (B, Z) of z: integers, with straight-through gradients."""
        index = clamp_returning(self.z_index[anchor_of_quality(quality).long()] * 8, 0, SCALES - 1)
        return round_straight_through(index)

    def predict(
        self, gained: Tensor, z: Tensor, quality: Tensor, coarser: Known | None = None
    ) -> tuple[Tensor, Tensor]:
        """Means and scale indexes (B, M, h, w) of the latents y * gain, in both steps, as a decoder of the rounded
        first step will have them; with straight-through gradients."""
        level, size = level_of_quality(quality), (gained.shape[2], gained.shape[3])
        symbols, values = coarser or (None, None)
        first = first_step_mask(gained.shape[1], *size, device=gained.device)
        features = self.scales.features(z, level, *size, symbols)
        index_a = self.scales.first_indexes(features)
        mean_features = self.means.features(z, level, *size, values)
        mean_a = self.means.first_means(mean_features)
        symbols_a = round_straight_through(gained - mean_a, index_a) * first
        index_b = self.scales.second_indexes(features, symbols_a)
        mean_b = self.means.second_means(mean_features, (symbols_a + mean_a) * first)
        return torch.where(first, mean_a, mean_b), torch.where(first, index_a, index_b)

    def forward(self, pictures: Tensor, quality: Tensor, amp: bool = False, coarser: Known | None = None) -> Passed:
        """The training pass.

        Args:
            pictures: (B, 3, H, W) in 0..1, H and W multiples of 64.
            quality: (B,) 16-bit qualities, int64.
            amp: run the transforms in bfloat16. Never the entropy model: its integers and large means need float32.
            coarser: the next coarser level's latents, for a network that knows of one.
        """
        device = pictures.device.type
        with torch.autocast(device, torch.bfloat16, enabled=amp):
            y = self.analyse(pictures)
        y = y.float()
        gained = y * self.gain(quality)
        with torch.autocast(device, torch.bfloat16, enabled=amp):
            z = self.hyper_analysis(gained)
        z = z.float()
        z_bits = gaussian_bits(z + uniform_noise(z), self.hyper_scale_indexes(quality)[:, :, None, None])
        mean, index = self.predict(gained, round_straight_through(z), quality, coarser)
        centred = gained - mean
        bits = gaussian_bits(centred + uniform_noise(centred), index)
        symbols = round_straight_through(centred, index)
        values = symbols + mean
        with torch.autocast(device, torch.bfloat16, enabled=amp):
            result = self.synthesise(values * self.inverse_gain(quality), quality)
        return Passed(result.float(), bits.sum((1, 2, 3)), z_bits.sum((1, 2, 3)), Known(symbols, values))

    @torch.no_grad()
    def start_from_principal_components(self, pictures: Tensor) -> None:
        """Start as a transform codec: the shortcuts become the principal components of 16x16 colour blocks in the
        folded domain, and the non-linear branches' last layers zero.

        Args:
            pictures: (B, 3, H, W) in 0..1, some millions of pixels, H and W multiples of 16.
        """
        blocks = F.pixel_unshuffle(fold(pictures - MIDDLE), 2).permute(0, 2, 3, 1).reshape(-1, 4 * FOLDED).double()
        values, vectors = torch.linalg.eigh(blocks.T @ blocks / len(blocks))
        basis = vectors[:, values.argsort(descending=True)[: self.sizes.latents]].T
        weight = basis.reshape(-1, FOLDED, 2, 2)
        self.analysis.shortcut.weight.copy_(weight)
        self.synthesis.shortcut.weight.copy_(basis.T[:, :, None, None])
        for layer in (self.analysis.shortcut, self.synthesis.shortcut, self.analysis.tail, self.synthesis.tail):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        for layer in (self.analysis.tail, self.synthesis.tail):
            nn.init.zeros_(layer.weight)
