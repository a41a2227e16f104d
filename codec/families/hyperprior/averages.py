"""The averages of a block's colours: the first latents, which are decoded from a coarse lattice to a fine one.

```
every fourth row and column --> the middles between four --> the other even rows and columns --> the odd ones
```

Hyper-latents alone foretell an average badly where the picture is smooth, and neighbours foretell it well; of the
other latents neighbours tell much less. So the first step's averages (half of them, a checkerboard) are decoded in four
steps of their own, before the other latents of the first step. From the second of them on each sees those before: in
the scale network their |r|, in integers; in the mean network how far they lay from the means that the hyper-latents
gave, times a gate of the features, since what neighbours tell is worth less where there is detail.
"""

import functools

import torch
from torch import Tensor, nn

from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.entropy.integer import ACTIVATION_MAX, WEIGHT_BITS, IntegerConv, requantise

WIDTH = 16
REACHES = (2, 2, 1)
"""How far away the second, third and fourth step see neighbours: in the corners, at the sides, in the corners."""
_START = 0.2
"""Of four neighbours each."""


@functools.lru_cache(maxsize=4)
def lattices(averages: int, height: int, width: int, device: torch.device | str = "cpu") -> tuple[Tensor, ...]:
    """Return the four steps' places, bool masks (1, averages, height, width); together the first step's."""
    with torch.inference_mode(False):  # they are kept, and may meet gradients later
        c = torch.arange(averages, device=device).view(1, -1, 1, 1)
        i = torch.arange(height, device=device).view(1, 1, -1, 1)
        j = torch.arange(width, device=device).view(1, 1, 1, -1) + c % 2
        even, odd = (i % 2 == 0) & (j % 2 == 0), (i % 2 == 1) & (j % 2 == 1)
        coarse, middle = (i % 4 == 0) & (j % 4 == 0), (i % 4 == 2) & (j % 4 == 2)
        return coarse.expand_as(even), middle.expand_as(even), even & ~coarse & ~middle, odd


class AverageScales(nn.Module):
    """One step's part of the scale network, in exact integers: what is added to the accumulators of the first step's
    scale indexes."""

    def __init__(self, sizes: HyperpriorSizes, reach: int) -> None:
        super().__init__()
        self.neighbours = IntegerConv(sizes.averages, WIDTH, 3, gain=0.5, dilation=reach)
        self.mixed = IntegerConv(sizes.context_width, WIDTH, 1)
        self.head = IntegerConv(WIDTH, sizes.averages, 1)
        nn.init.zeros_(self.head.weight)

    def forward(self, features: Tensor, known: Tensor) -> Tensor:
        """Features (B, C, h, w) and log-magnitudes (B, K, h, w), zero where nothing is decoded yet -> (B, K, h, w)."""
        context = requantise(self.neighbours(known) + self.mixed(features), WEIGHT_BITS, 0, ACTIVATION_MAX)
        change: Tensor = self.head(context)
        return change

    def bounds(self, largest_known: int) -> tuple[int, int]:
        """The largest |accumulator| of the context and of the result."""
        context = self.neighbours.bound(largest_known) + self.mixed.bound(ACTIVATION_MAX)
        return context, self.head.bound(ACTIVATION_MAX)


class AverageMeans(nn.Module):
    """One step's part of the mean network: what is added to the first step's means."""

    def __init__(self, sizes: HyperpriorSizes, reach: int, corners: bool) -> None:
        super().__init__()
        k = sizes.averages
        self.neighbours = nn.Conv2d(k, k, 3, padding=reach, dilation=reach, bias=False)
        self.gate = nn.Conv2d(sizes.context_width, k, 1)
        near = torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 0, 1]] if corners else [[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])
        with torch.no_grad():
            self.neighbours.weight.copy_(_START * torch.eye(k)[:, :, None, None] * near)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, off: Tensor) -> Tensor:
        """Features (B, C, h, w), and how far the averages decoded before lie from their first means, zero elsewhere
        (B, K, h, w) -> (B, K, h, w)."""
        change: Tensor = 2 * torch.sigmoid(self.gate(features)) * self.neighbours(off)
        return change


def scale_steps(sizes: HyperpriorSizes) -> nn.ModuleList:
    """The parts of all steps but the first, which sees nothing; none for a network that takes averages as all else."""
    return nn.ModuleList(AverageScales(sizes, reach) for reach in REACHES if sizes.averages)


def mean_steps(sizes: HyperpriorSizes) -> nn.ModuleList:
    """As `scale_steps`."""
    corners = (True, False, True)
    return nn.ModuleList(AverageMeans(sizes, *n) for n in zip(REACHES, corners, strict=True) if sizes.averages)
