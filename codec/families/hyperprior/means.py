"""The means of the latents, in floats: they only move the reconstruction, no table depends on them.

```
z, quality level --coarse, middle--> features --head--> what z says of every mean
                                        |  values r + mean of the latents decoded so far
                                        +----> the step's context ----> means of the step
```

Where a picture is smooth, z predicts a DC latent badly and its neighbours predict it well. So the DC latents are
decoded on an interlaced grid (steps.py), and each of its steps sees how far its neighbours are from what z said of
them, times a gate of the features: neighbours say less where there is detail. Of other latents they say much less.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.families.hyperprior.layers import asinh, conv3, enlarged, widened, with_level
from lpcodec.codec.families.hyperprior.scales import REACHES
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.families.hyperprior.steps import (
    LATE,
    Channels,
    Cuts,
    Step,
    before_grid,
    contexts_of,
    grid_number,
    inputs_of,
    outputs_of,
    schedule,
)
from lpcodec.entropy.convolution import Convolution, convolved
from lpcodec.entropy.integer import ACTIVATION_BITS

_START = 0.2
"""The weight of each of four neighbours of a DC latent when training starts."""


class MeanContext(nn.Module):
    """One context: features (B, C, h, w), what z says of the step's channels (B, c, h, w), and values of the first
    `inputs` latents (B, inputs, h, w), zero where nothing is decoded yet -> means of those channels (B, c, h, w)."""

    inputs: int

    def forward(self, features: Tensor, from_z: Tensor, values: Tensor, channels: slice) -> Tensor:
        raise NotImplementedError


class NeighbourMeans(MeanContext):
    """Neighbours and other channels of the same place, in place of what z says, or added to it if `adding`. The path
    from the values is partly linear, so that it works at every gain."""

    def __init__(self, name: str, sizes: HyperpriorSizes) -> None:
        super().__init__()
        c, self.inputs, self.adding = sizes.context_width, inputs_of(name, sizes), name == LATE
        self.start, stop = outputs_of(name, sizes)
        self.neighbours = conv3(self.inputs, 2 * c)
        self.mixed = Convolution(3 * c, c, 1)
        self.head = Convolution(3 * c, min(stop, sizes.main) - self.start, 1)
        _start_small(self.head)

    def forward(self, features: Tensor, from_z: Tensor, values: Tensor, channels: slice) -> Tensor:
        near = self.neighbours(values)
        mixed = F.leaky_relu(self.mixed(torch.cat([features, asinh(near)], 1)), 0.1)
        own = slice(channels.start - self.start, channels.stop - self.start)
        mixed, weight, bias = torch.cat([mixed, near], 1), self.head.weight[own], self.head.bias
        assert bias is not None
        means = widened(convolved(mixed, weight, bias[own]), channels.stop - channels.start - len(weight))
        return from_z + means if self.adding else means


class GridMeans(MeanContext):
    """Neighbours among the DC latents: how far they are from what z says, added to what z says."""

    def __init__(self, sizes: HyperpriorSizes, number: int) -> None:
        super().__init__()
        k, reach = sizes.dc_latents, REACHES[number - 1]
        self.inputs, self.number = k, number
        self.neighbours = Convolution(k, k, 3, padding=reach, dilation=reach, bias=False)
        self.gate = Convolution(sizes.context_width, k, 1)
        corners = torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 0, 1]])
        sides = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])
        with torch.no_grad():
            near = sides if number == 2 else corners
            self.neighbours.weight.copy_(_START * torch.eye(k)[:, :, None, None] * near)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, from_z: Tensor, values: Tensor, channels: slice) -> Tensor:
        before = before_grid(self.number, self.inputs, values.shape[2], values.shape[3], values.device)
        differences = (values - from_z) * before
        # 1 + tanh(x / 2) is 2 * sigmoid(x), but torch rounds a sigmoid differently with another number of threads.
        change: Tensor = (1 + torch.tanh(self.gate(features) / 2)) * self.neighbours(differences)
        return from_z + change


class MeanNetwork(nn.Module):
    """Means of the latents, float; those of linear-only latents are zero."""

    def __init__(self, sizes: HyperpriorSizes, steps: Sequence[Step] | None = None) -> None:
        super().__init__()
        n, c = sizes.hyper_width, sizes.context_width
        self.coarse = conv3(sizes.hyper_latents + 1, 4 * n)
        self.middle = conv3(n, 4 * c)
        self.linear_latents = sizes.linear_latents
        self.head = Convolution(c, sizes.main, 1)
        _start_small(self.head)
        self.contexts = nn.ModuleDict()
        self.steps = schedule(sizes) if steps is None else tuple(steps)
        for name in contexts_of(self.steps):
            number = grid_number(name)
            self.contexts[name] = NeighbourMeans(name, sizes) if number is None else GridMeans(sizes, number)
        coarser = sizes.coarser_latents
        self.coarser = Convolution(coarser, 4 * c, 1) if coarser else None

    def context(self, name: str) -> MeanContext:
        """The context of that name."""
        found = self.contexts[name]
        assert isinstance(found, MeanContext)
        return found

    def features(
        self, z: Tensor, level: Tensor, height: int, width: int, coarser_values: Tensor | None = None
    ) -> Tensor:
        """As `ScaleNetwork.features`, in floats; `coarser_values` (B, M', h/2, w/2): r + mean of the coarser level."""
        x = F.leaky_relu(self.coarse(with_level(z, level) / 2**ACTIVATION_BITS), 0.1)
        x = self.middle(F.pixel_shuffle(x, 2))
        if self.coarser is not None:
            assert coarser_values is not None
            x = x + self.coarser(enlarged(asinh(coarser_values), x.shape))
        x = F.leaky_relu(x, 0.1)
        return F.pixel_shuffle(x, 2)[:, :, :height, :width]

    def begin(
        self, z: Tensor, level: Tensor, height: int, width: int, coarser_values: Tensor | None = None
    ) -> "MeanWalk":
        """What `walk` needs of this network; arguments as those of `features`."""
        features = self.features(z, level, height, width, coarser_values)
        return MeanWalk(self, features, Cuts(widened(self.head(features), self.linear_latents), self.steps))


@dataclass(frozen=True)
class MeanWalk:
    """What the mean network made of z: features (B, C, h, w), and means of all latents (B, M, h, w)."""

    network: MeanNetwork
    features: Tensor
    from_z: Cuts

    def means(self, step: Step, values: Channels) -> Tensor:
        """Means (B, c, h, w) of the step's channels, valid at its places.

        Args:
            values: r + mean of the latents decoded so far.
        """
        from_z = self.from_z.read(step.channels)
        if step.context is None:
            return from_z
        context = self.network.context(step.context)
        means: Tensor = context(self.features, from_z, values.read(context.inputs), step.channels)
        return means


def _start_small(head: nn.Conv2d) -> None:
    nn.init.normal_(head.weight, std=1e-3)
    nn.init.zeros_(head.bias)  # type: ignore[arg-type]
