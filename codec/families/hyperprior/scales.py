"""Which table each latent is coded with: scale indexes, in exact integers.

```
z, quality level --coarse, middle--> features --head--> what z says of every scale index
                                        |  |r| of the latents decoded so far
                                        +----> the step's context ----> scale indexes of the step
```

Decoders on all machines must arrive at the same table for every latent, so everything here is integer arithmetic
(entropy/integer.py). The networks of a pyramid's finer levels see the |r| of the next coarser level too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.families.hyperprior.layers import Z_MAX, enlarged, with_level
from lpcodec.codec.families.hyperprior.qualities import levels
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.families.hyperprior.steps import (
    Channels,
    Cuts,
    Step,
    contexts_of,
    grid_number,
    inputs_of,
    outputs_of,
    schedule,
)
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
from lpcodec.entropy.likelihood import SCALES

_FEATURE_SHIFT = WEIGHT_BITS
_INDEX_SHIFT = WEIGHT_BITS + ACTIVATION_BITS - 3
"""A unit of the last layer is 8 scale indexes, about a factor e of sigma."""
GRID_WIDTH = 16
REACHES = (2, 2, 1)
"""How far away steps 1, 2 and 3 of the interlaced grid see neighbours: diagonally, beside them, diagonally."""


class ScaleContext(nn.Module):
    """One context: features (B, C, h, w), what z says of the step's channels (B, c, h, w), and log-magnitudes of the
    first `inputs` latents (B, inputs, h, w), zero where nothing is decoded yet -> accumulators of the scale indexes of
    those channels (B, c, h, w)."""

    inputs: int

    def forward(self, features: Tensor, from_z: Tensor, known: Tensor, channels: slice) -> Tensor:
        raise NotImplementedError

    def bounds(self, largest_known: int, from_z: int) -> dict[str, int]:
        """The largest |accumulator| of each of its layers."""
        raise NotImplementedError


class NeighbourScales(ScaleContext):
    """Neighbours and other channels of the same place, in place of what z says."""

    def __init__(self, name: str, sizes: HyperpriorSizes) -> None:
        super().__init__()
        c, self.inputs = sizes.context_width, inputs_of(name, sizes)
        self.start, stop = outputs_of(name, sizes)
        self.neighbours = IntegerConv(self.inputs, c, 3, gain=0.5)
        self.mixed = IntegerConv(c, c, 1)
        self.head = IntegerConv(2 * c, stop - self.start, 1, gain=0.5)
        nn.init.constant_(self.head.bias, 2.0)

    def forward(self, features: Tensor, from_z: Tensor, known: Tensor, channels: slice) -> Tensor:
        acc = self.neighbours(known) + self.mixed(features)
        context = requantise(acc, _FEATURE_SHIFT, 0, ACTIVATION_MAX)
        own = slice(channels.start - self.start, channels.stop - self.start)
        result: Tensor = self.head(torch.cat([features, context], 1), outputs=own)
        return result

    def bounds(self, largest_known: int, from_z: int) -> dict[str, int]:
        inner = self.neighbours.bound(largest_known) + self.mixed.bound(ACTIVATION_MAX)
        return {"neighbours + mixed": inner, "head": self.head.bound(ACTIVATION_MAX)}


class GridScales(ScaleContext):
    """Neighbours among the DC latents, added to what z says."""

    def __init__(self, sizes: HyperpriorSizes, reach: int) -> None:
        super().__init__()
        self.inputs = sizes.dc_latents
        self.neighbours = IntegerConv(sizes.dc_latents, GRID_WIDTH, 3, gain=0.5, dilation=reach)
        self.mixed = IntegerConv(sizes.context_width, GRID_WIDTH, 1)
        self.head = IntegerConv(GRID_WIDTH, sizes.dc_latents, 1)
        nn.init.zeros_(self.head.weight)

    def forward(self, features: Tensor, from_z: Tensor, known: Tensor, channels: slice) -> Tensor:
        context = requantise(self.neighbours(known) + self.mixed(features), _FEATURE_SHIFT, 0, ACTIVATION_MAX)
        change: Tensor = self.head(context)
        return from_z + change

    def bounds(self, largest_known: int, from_z: int) -> dict[str, int]:
        inner = self.neighbours.bound(largest_known) + self.mixed.bound(ACTIVATION_MAX)
        return {"neighbours + mixed": inner, "head": from_z + self.head.bound(ACTIVATION_MAX)}


class ScaleNetwork(nn.Module):
    """Integers in (z, quality level, |r| of the latents decoded so far and of the coarser level), scale indexes 0..63
    out, in exact integer arithmetic."""

    log_magnitudes: Tensor

    def __init__(self, sizes: HyperpriorSizes, steps: Sequence[Step] | None = None) -> None:
        super().__init__()
        n, c = sizes.hyper_width, sizes.context_width
        self.coarse = IntegerConv(sizes.hyper_latents + 1, 4 * n, 3)
        self.middle = IntegerConv(n, 4 * c, 3)
        self.head = IntegerConv(c, sizes.latents, 1, gain=0.5)
        nn.init.constant_(self.head.bias, 2.0)
        self.contexts = nn.ModuleDict()
        self.steps = schedule(sizes) if steps is None else tuple(steps)
        for name in contexts_of(self.steps):
            number = grid_number(name)
            self.contexts[name] = (
                NeighbourScales(name, sizes) if number is None else GridScales(sizes, REACHES[number - 1])
            )
        self.levels = levels(sizes.anchors)
        coarser = sizes.coarser_latents
        self.coarser = IntegerConv(coarser, 4 * c, 1, gain=0.2) if coarser else None
        self.register_buffer("log_magnitudes", torch.from_numpy(log_magnitude_table()).float(), persistent=False)

    def context(self, name: str) -> ScaleContext:
        """The context of that name."""
        found = self.contexts[name]
        assert isinstance(found, ScaleContext)
        return found

    def features(
        self, z: Tensor, level: Tensor, height: int, width: int, coarser_symbols: Tensor | None = None
    ) -> Tensor:
        """Return the features (B, C, height, width) of z, integers 0..255.

        Args:
            z: (B, Z, ceil(height / 4), ceil(width / 4)), whole numbers.
            level: the quality level (B,), see `qualities.level_of_quality`.
            coarser_symbols: r of the coarser level (B, M', ceil(height / 2), ceil(width / 2)), for a network with one.
        """
        z = z.to(self.coarse.weight.dtype)
        x = requantise(self.coarse(with_level(z, level)), _FEATURE_SHIFT, 0, ACTIVATION_MAX)
        acc = self.middle(F.pixel_shuffle(x, 2))
        if self.coarser is not None:
            assert coarser_symbols is not None
            known = log_magnitude(coarser_symbols, self.log_magnitudes).to(acc.dtype)
            acc = acc + self.coarser(enlarged(known, acc.shape))
        x = requantise(acc, _FEATURE_SHIFT, 0, ACTIVATION_MAX)
        return F.pixel_shuffle(x, 2)[:, :, :height, :width]

    def begin(
        self, z: Tensor, level: Tensor, height: int, width: int, coarser_symbols: Tensor | None = None
    ) -> "ScaleWalk":
        """What `walk` needs of this network; arguments as those of `features`."""
        features = self.features(z, level, height, width, coarser_symbols)
        return ScaleWalk(self, features, Cuts(self.head(features), self.steps))

    def freeze(self) -> None:
        """Replace the trained parameters by integers in float64, with which the network is exact.

        Raises:
            ValueError: an accumulator could reach 2**24, so the network can't be shipped.
        """
        for layer in self._layers():
            layer.freeze()
        self.log_magnitudes = self.log_magnitudes.double()
        self.prove_bounds()

    def mark_frozen(self) -> None:
        """As `freeze`, for parameters that are integers already: those of a file.

        Raises:
            ValueError: they aren't integers, or an accumulator could reach 2**24.
        """
        for layer in self._layers():
            layer.mark_frozen()
        self.log_magnitudes = self.log_magnitudes.double()
        self.prove_bounds()

    def _layers(self) -> list[IntegerConv]:
        return [module for module in self.modules() if isinstance(module, IntegerConv)]

    def prove_bounds(self) -> None:
        """Check that no accumulator can reach 2**24, up to which float32 is exact too.

        Raises:
            ValueError: one could.
        """
        for name, worst in self.bounds().items():
            if worst >= ACCUMULATOR_LIMIT:
                raise ValueError(f"scale network, {name}: accumulators reach {worst}, over {ACCUMULATOR_LIMIT}")

    def bounds(self) -> dict[str, int]:
        """The largest |accumulator| of each layer, from the weights' L1 norms and the inputs' ranges."""
        largest_z = torch.full((self.coarse.weight.shape[1],), float(Z_MAX * 2**ACTIVATION_BITS))
        largest_z[-1] = self.levels - 1
        largest_known = int(self.log_magnitudes.max())
        from_coarser = self.coarser.bound(largest_known) if self.coarser is not None else 0
        bounds = {
            "coarse": self.coarse.bound(largest_z),
            "middle": self.middle.bound(ACTIVATION_MAX) + from_coarser,
            "head": self.head.bound(ACTIVATION_MAX),
        }
        for name in self.contexts:
            found = self.context(name).bounds(largest_known, bounds["head"])
            bounds |= {f"{name}, {layer}": worst for layer, worst in found.items()}
        return bounds


@dataclass(frozen=True)
class ScaleWalk:
    """What the scale network made of z: features (B, C, h, w), and accumulators of all scale indexes (B, M, h, w)."""

    network: ScaleNetwork
    features: Tensor
    from_z: Cuts

    def indexes(self, step: Step, symbols: Channels) -> Tensor:
        """Scale indexes 0..63 (B, c, h, w) of the step's channels, valid at its places.

        Args:
            symbols: what `seen` says of the latents decoded so far.
        """
        acc = self.from_z.read(step.channels)
        if step.context is not None:
            context = self.network.context(step.context)
            acc = context(self.features, acc, symbols.read(context.inputs), step.channels)
        return requantise(acc, _INDEX_SHIFT, 0, SCALES - 1, returning=True)

    def seen(self, symbols: Tensor) -> Tensor:
        """The log-magnitudes of symbols (B, c, h, w)."""
        return log_magnitude(symbols, self.network.log_magnitudes).to(self.features.dtype)
