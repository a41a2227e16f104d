"""What the families' objectives share: pictures to train on, the schedule, the figures.

`PicturePatches` is the part of `families.family.Objective` that all families trained on pictures have in common. A
family adds its network, its loss and its start. `PictureObjective` is for those whose batches are plain patches.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lpcodec.codec.families.family import PatchSides
from lpcodec.codec.picture import read_rgb
from lpcodec.datasets.patches import PictureStore, load_stores

LOWEST_RATE = 0.01
"""The last rate of the cosine, as a part of the peak rate."""
VALIDATION_PATCHES = 24
VALIDATION_SIZE = 256
"""The side of the validation patches in pixels."""
VALIDATION_QUALITIES = (0.105, 0.28, 0.455, 0.63, 0.9)
"""Parts of the quality scale, 0..1."""


class PicturePatches:
    """Square patches of pictures to train on. `open` loads the training pictures into `store` and sets `held`, patches
    of the held-out ones. A family states its `sides`."""

    batch = 8
    sides: PatchSides
    store: PictureStore
    held: Tensor
    _patch: int

    def open(self, data: Path, patch: int, device: str) -> dict[str, Any]:
        """Load the pictures below `data`; see `families.family.Objective.open`."""
        self.store, held, too_small = load_stores(data, max(patch, VALIDATION_SIZE), read_rgb, device)
        self._patch = patch
        self.held = held.batch(VALIDATION_PATCHES, VALIDATION_SIZE, torch.Generator(device=device).manual_seed(1))
        return {
            "pictures": len(self.store), "held_out": len(held), "too_small": too_small,
            "megapixels": round(len(self.store.pixels) / 1e6, 1),
        }  # fmt: skip

    def patches(self, count: int, generator: torch.Generator) -> Tensor:
        """Return `count` random patches, (count, 3, P, P) float32 in 0..1, channels_last."""
        return self.store.batch(count, self._patch, generator).contiguous(memory_format=torch.channels_last)

    def rate_at(self, part: float) -> float:
        return cosine(part)


class PictureObjective(PicturePatches):
    """Batches are patches."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        return self.patches(count, generator)


def cosine(part: float) -> float:
    """A cosine that falls from 1 to 1 % as `part` goes from 0 to 1."""
    return LOWEST_RATE + (1 - LOWEST_RATE) * 0.5 * (1 + math.cos(math.pi * part))


def means(**figures: Tensor) -> dict[str, Tensor]:
    """The mean of each figure, without gradient."""
    return {name: value.detach().mean() for name, value in figures.items()}


def psnr(mse: Tensor, peak: float = 255.0) -> Tensor:
    """Decibels of mean squared errors (any shape) of values 0..`peak`."""
    return 20 * math.log10(peak) - 10 * torch.log10(mse.clamp_min(1e-6 * (peak / 255) ** 2))


def random_parts(batch: Tensor) -> Tensor:
    """Return a random number in 0..1 for each example of a batch, (B,) float32.

    One comes from each of B equal parts of the range, which is less noisy than independent draws.
    """
    places = torch.randperm(len(batch), device=batch.device) + torch.rand(len(batch), device=batch.device)
    return places / len(batch)


def held_out(
    figures: Callable[[Tensor, Tensor], tuple[Tensor, ...]], patches: Tensor
) -> Iterator[tuple[int, Tensor, tuple[Tensor, ...]]]:
    """Yield for each quality of the validation: its number 0..100, the 16-bit qualities (B,), and the tensors (B, ...)
    that `figures` returns for (patches, qualities); it is called with eight patches at a time."""
    for part in VALIDATION_QUALITIES:
        quality = torch.full((len(patches),), round(part * 65535), device=patches.device)
        found = [figures(p, q) for p, q in zip(torch.split(patches, 8), torch.split(quality, 8), strict=True)]
        yield round(100 * part), quality, tuple(torch.cat(column) for column in zip(*found, strict=True))
