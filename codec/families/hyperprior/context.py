"""What the hyperprior network knows of a latent before it is decoded: its scale, in integers, and its mean, in floats.

```
z, level, |r| decoded so far   --ScaleNetwork-->  scale index 0..63 of each latent, exact: it decides the table
z, level, values decoded so far --MeanNetwork-->  mean of each latent, float: it only moves the reconstruction
```

Both work in two steps, a checkerboard over places and channels: the second sees what the first gave. Averages of
colours have steps of their own within the first (averages.py). The networks of a pyramid's finer levels see the next
coarser level's latents too, from the first step on.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.families.hyperprior.averages import AverageScales, lattices, mean_steps, scale_steps
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.entropy.integer import (
    ACCUMULATOR_LIMIT,
    ACTIVATION_BITS,
    ACTIVATION_MAX,
    WEIGHT_BITS,
    IntegerConv,
    log_magnitude,
    log_magnitude_table,
    requantise,
)
from lpcodec.entropy.likelihood import SCALES, round_straight_through

LEVELS = 64
Z_MAX = 23
"""Hyper-latents are clamped to -23..23, which the proof of the accumulators' bounds needs."""
_FEATURE_SHIFT = WEIGHT_BITS
_INDEX_SHIFT = WEIGHT_BITS + ACTIVATION_BITS - 3
"""A unit of the last layer is 8 scale indexes, about a factor e of sigma."""


def conv3(cin: int, cout: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(cin, cout, 3, stride=stride, padding=1)


def asinh(x: Tensor) -> Tensor:
    """`torch.asinh` of float32 or float64 within 1e-6 (up to 1e18), in a third of its time on a CPU; where gradients
    are asked for it is torch's own."""
    if x.requires_grad:
        return torch.asinh(x)
    magnitude = x.abs().clamp_(max=1e18)  # its square stays finite
    return magnitude.square().add_(1).sqrt_().add_(magnitude).log_().copysign_(x)


def with_level(z: Tensor, level: Tensor) -> Tensor:
    """Append the quality level (B,), integers 0..63, to z as one more constant map."""
    plane = level.to(z.dtype).view(-1, 1, 1, 1).expand(-1, 1, *z.shape[2:])
    return torch.cat([z * 2**ACTIVATION_BITS, plane], 1)


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
        self.averages, self.average_steps = sizes.averages, scale_steps(sizes)
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
        z = z.to(self.coarse.weight.dtype)
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

    def average_indexes(self, step: int, features: Tensor, symbols: Tensor) -> Tensor:
        """Scale indexes (B, K, h, w) of the averages in the own step 1, 2 or 3, from the symbols (B, K, h, w) of the
        steps before it (zero elsewhere)."""
        known = log_magnitude(symbols, self.log_magnitudes).to(features.dtype)
        acc = self.first(features, outputs=symbols.shape[1]) + self.average_steps[step - 1](features, known)
        return requantise(acc, _INDEX_SHIFT, 0, SCALES - 1, returning=True)

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
        for conv in self.modules():
            if isinstance(conv, IntegerConv):
                conv.freeze()
        self.mark_frozen()

    def mark_frozen(self) -> None:
        """Take the parameters as the integers that they are (read from a file, say), and prove the bounds again."""
        for conv in self.modules():
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
        bounds = {
            "coarse": self.coarse.bound(largest_z),
            "middle": self.middle.bound(ACTIVATION_MAX) + from_coarser,
            "first": self.first.bound(ACTIVATION_MAX),
            "neighbours + mixed": self.neighbours.bound(largest_known) + self.mixed.bound(ACTIVATION_MAX),
            "second": self.second.bound(ACTIVATION_MAX),
        }
        for number, step in enumerate(self.average_steps, 1):
            assert isinstance(step, AverageScales)
            context, change = step.bounds(largest_known)
            bounds |= {f"averages {number}, context": context, f"averages {number}": bounds["first"] + change}
        return bounds


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
        self.average_steps = mean_steps(sizes)
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
            x = x + self.coarser(_enlarged(asinh(coarser_values), x.shape))
        x = F.leaky_relu(x, 0.1)
        return F.pixel_shuffle(x, 2)[:, :, :height, :width]

    def first_means(self, features: Tensor) -> Tensor:
        means: Tensor = self.first(features)
        return _widened(means, self.details)

    def average_means(self, step: int, features: Tensor, first: Tensor, values: Tensor, before: Tensor) -> Tensor:
        """Means (B, K, h, w) of the averages in the own step 1, 2 or 3: the `first` means, moved by how far the values
        of the steps before it (the places `before`) lay from theirs."""
        change: Tensor = self.average_steps[step - 1](features, (values - first) * before)
        return first + change

    def second_means(self, features: Tensor, values: Tensor) -> Tensor:
        """`values`: the first step's r + mean, zero at the second step's places. The path from them is partly linear,
        so that it works at every gain."""
        near = self.neighbours(values[:, : self.main])
        mixed = F.leaky_relu(self.mixed(torch.cat([features, asinh(near)], 1)), 0.1)
        means: Tensor = self.second(torch.cat([mixed, near], 1))
        return _widened(means, self.details)


@functools.lru_cache(maxsize=4)
def first_step_mask(channels: int, height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the (1, channels, height, width) bool mask of the latents of the first step: those with even i + j + c."""
    with torch.inference_mode(False):  # it is kept, and may meet gradients later
        c = torch.arange(channels, device=device).view(1, -1, 1, 1)
        i = torch.arange(height, device=device).view(1, 1, -1, 1)
        j = torch.arange(width, device=device).view(1, 1, 1, -1)
        return (c + i + j) % 2 == 0


def averages_in_steps(
    scales: ScaleNetwork, means: MeanNetwork, gained: Tensor, features: Tensor, mean_features: Tensor,
    index: Tensor, mean: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The first step's scale indexes and means (B, M, h, w), those of averages as their own steps have them when a
    decoder reads the latents `gained` rounded; with straight-through gradients."""
    if not scales.averages:
        return index, mean
    k = scales.averages
    steps = lattices(k, *gained.shape[2:], gained.device)
    own, first, before = index[:, :k], mean[:, :k], steps[0]
    now = first
    for step, places in enumerate(steps[1:], 1):
        symbols = round_straight_through(gained[:, :k] - now, own) * before
        own = torch.where(places, scales.average_indexes(step, features, symbols), own)
        moved = means.average_means(step, mean_features, first, symbols + now, before)
        now, before = torch.where(places, moved, now), before | places
    return torch.cat([own, index[:, k:]], 1), torch.cat([now, mean[:, k:]], 1)
