"""In which order latents are decoded: a list of steps, and the one loop over them.

```
z --scale network--> what z says of every scale index      z --mean network--> what z says of every mean
for each step:   index, mean of its latents = what z says, refined by what earlier steps decoded
                 symbols of its latents     = what the source gives for them
```

Everything that walks through the entropy model gives `walk` a source of symbols: training rounds with straight-through
gradients, the encoder rounds or takes the cheapest symbols, the parser reads the range decoder, decoding of values has
the symbols already, refinement takes soft ones, and the cost counter zeros.

To change the order, change `schedule`. Steps that name the same context share its layers.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.threads import Crew

Device = torch.device | str
Places = Callable[[int, int, int, int, Device], Tensor]
"""(first channel, channel after the last, height, width, device) -> bool mask (1, channels, height, width)."""

CHECKERBOARD = "checkerboard"
"""The context of the second step of a network that decodes its latents in two steps: neighbours, and other channels at
the same place (scales.py, means.py)."""
EARLY, LATE, LAST = "early", "late", "last"
"""The contexts, of the same kind, of a network with early latents: EARLY of their second half, LATE of the first half
of the others, LAST of the second."""
GRIDS = 4
"""Steps of the interlaced grid in which DC latents are decoded."""
DC_ZONE, LATE_ZONE = 0.5, 1.5
"""The dead zones of DC latents, and of the latents after the early ones (docs/ablations.md#rounding)."""


@dataclass(frozen=True)
class Step:
    """Latents that are decoded together: of the channels `start`..`stop` - 1 those at `places`.

    `context` names the layers of the scale network and of the mean network that refine what z says by what earlier
    steps decoded; None: there are none. `dead_zone` is how wide an encoder's dead zone is, relative to the usual one
    (`rounded` of entropy/likelihood.py).
    """

    start: int
    stop: int
    places: Places
    context: str | None = None
    dead_zone: float = 1.0

    @property
    def channels(self) -> slice:
        return slice(self.start, self.stop)

    def mask(self, like: Tensor) -> Tensor:
        """The mask (1, c, h, w) of the step's latents for tensors such as `like` (B, c, h, w), on its device and in its
        memory order: a product of two orders takes several times as long. Masks are kept for the next group."""
        channels_last = like.stride(1) == 1 and like.shape[1] > 1
        return _mask(self.places, self.start, self.stop, like.shape[2], like.shape[3], like.device, channels_last)


def schedule(sizes: HyperpriorSizes) -> tuple[Step, ...]:
    """The steps of a network, in coding order: half of the DC latents in the four steps of the interlaced grid, the
    first half of the others (a checkerboard over places and channels), then the second half of all. If there are early
    latents, these steps are theirs, and the other latents follow in two steps of their own."""
    k, e, m = sizes.dc_latents, sizes.early_latents, sizes.latents
    grids = [Step(0, k, grid(n), grid_context(n) if n else None, DC_ZONE) for n in range(GRIDS if k else 0)]
    if not e:
        return (*grids, Step(k, m, checkerboard(0)), Step(0, m, checkerboard(1), CHECKERBOARD))
    early = (Step(k, e, checkerboard(0)), Step(0, e, checkerboard(1), EARLY))
    late = (Step(e, m, checkerboard(0), LATE, LATE_ZONE), Step(e, m, checkerboard(1), LAST, LATE_ZONE))
    return (*grids, *early, *late)


def inputs_of(context: str, sizes: HyperpriorSizes) -> int:
    """How many latents a context that isn't a grid's looks at: the first ones."""
    return sizes.early_latents if context in (EARLY, LATE) else sizes.main


def outputs_of(context: str, sizes: HyperpriorSizes) -> tuple[int, int]:
    """The latents that a context that isn't a grid's predicts: the first, and the one after the last."""
    if context == EARLY:
        return 0, sizes.early_latents
    return (sizes.early_latents if context in (LATE, LAST) else 0), sizes.latents


def grid_context(number: int) -> str:
    """The name of the context of step 1, 2 or 3 of the interlaced grid."""
    return f"grid{number}"


def grid_number(context: str) -> int | None:
    """The step of the interlaced grid whose context has that name; None for other contexts."""
    return next((number for number in range(1, GRIDS) if grid_context(number) == context), None)


def contexts_of(steps: Iterable[Step]) -> list[str]:
    """The names of the contexts that steps use, each once."""
    return list(dict.fromkeys(step.context for step in steps if step.context is not None))


@functools.lru_cache(maxsize=64)
def _mask(
    places: Places, start: int, stop: int, height: int, width: int, device: Device, channels_last: bool
) -> Tensor:
    with torch.inference_mode(False):  # a kept mask may meet gradients later
        mask = places(start, stop, height, width, device)
        return mask.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


@functools.cache
def checkerboard(parity: int) -> Places:
    """The places with (row + column + channel) % 2 == parity."""

    def places(start: int, stop: int, height: int, width: int, device: Device) -> Tensor:
        c, i, j = _axes(start, stop, height, width, device)
        return (c + i + j) % 2 == parity

    return places


@functools.cache
def grid(number: int) -> Places:
    """The places of step 0..3 of the interlaced grid, which together are those of `checkerboard(0)`:

    every fourth row and column; the middles between four of those; the other even rows and columns; the odd ones. In
    odd channels columns count from 1.
    """

    def places(start: int, stop: int, height: int, width: int, device: Device) -> Tensor:
        c, i, j = _axes(start, stop, height, width, device)
        j = j + c % 2
        even = (i % 2 == 0) & (j % 2 == 0)
        coarse, middle = (i % 4 == 0) & (j % 4 == 0), (i % 4 == 2) & (j % 4 == 2)
        masks = (coarse, middle, even & ~coarse & ~middle, (i % 2 == 1) & (j % 2 == 1))
        return masks[number].expand(1, stop - start, height, width)

    return places


@functools.lru_cache(maxsize=8)
def before_grid(number: int, channels: int, height: int, width: int, device: Device) -> Tensor:
    """The places (1, channels, height, width) of the steps 0..`number` - 1 of the interlaced grid."""
    with torch.inference_mode(False):
        masks = [grid(n)(0, channels, height, width, device) for n in range(number)]
        return functools.reduce(torch.logical_or, masks)


def _axes(start: int, stop: int, height: int, width: int, device: Device) -> tuple[Tensor, Tensor, Tensor]:
    c = torch.arange(start, stop, device=device).view(1, -1, 1, 1)
    i = torch.arange(height, device=device).view(1, 1, -1, 1)
    return c, i, torch.arange(width, device=device).view(1, 1, 1, -1)


class _HasContexts(Protocol):
    def context(self, name: str) -> Any: ...


def context_channels(steps: Iterable[Step], network: _HasContexts) -> int:
    """How many channels the contexts of a scale or mean network look at: the first ones."""
    return max((int(network.context(name).inputs) for name in contexts_of(steps)), default=0)


class Scales(Protocol):
    """What the scale network has made of z (scales.py)."""

    def indexes(self, step: Step, symbols: Channels) -> Tensor:
        """Scale indexes (B, c, h, w) of the step's channels, valid at its places; `symbols` are those so far, as `seen`
        gives them."""
        ...

    def seen(self, symbols: Tensor) -> Tensor:
        """What later steps see of symbols (B, c, h, w): zero where these are."""
        ...


class Means(Protocol):
    """What the mean network has made of z (means.py)."""

    def means(self, step: Step, values: Channels) -> Tensor:
        """Means (B, c, h, w) of the step's channels, valid at its places; `values` are r + mean so far."""
        ...


@dataclass(frozen=True)
class Prediction:
    """What a source of symbols is given: the step, its scale indexes and means (B, c, h, w), each None if the walk goes
    without that network. They are valid at the step's places."""

    step: Step
    index: Tensor | None
    mean: Tensor | None

    def places(self) -> Tensor:
        """The mask (1, c, h, w) of the step's latents."""
        like = self.index if self.index is not None else self.mean
        assert like is not None
        return self.step.mask(like)


def dead_zones(steps: tuple[Step, ...], like: Tensor) -> Tensor | float:
    """The widths of the dead zones of latents `like` (B, M, h, w): one for all, or (1, M, h, w)."""
    widths = {step.dead_zone for step in steps}
    if len(widths) == 1:
        return widths.pop()
    return _dead_zones(steps, *like.shape[2:], like.device)


@functools.lru_cache(maxsize=8)
def _dead_zones(steps: tuple[Step, ...], height: int, width: int, device: Device) -> Tensor:
    with torch.inference_mode(False):
        sizes = [(step, (1, step.stop - step.start, height, width)) for step in steps]
        whole = combined((step, torch.full(size, step.dead_zone, device=device)) for step, size in sizes)
        return whole.contiguous(memory_format=torch.channels_last)


Source = Callable[[Prediction, int], Tensor]
"""(prediction, channels) -> the symbols (B, channels, h, w) of the step's first `channels` channels, whole numbers as
floats. Fewer channels than the step has are asked for if no later step looks at the others; 0 if none does. If the walk
is with scales, the symbols must be zero where the step has no latents."""


def walk(
    steps: Sequence[Step], source: Source, scales: Scales | None, means: Means | None, context_channels: int,
    helper: Crew | None = None,
) -> list[Prediction]:  # fmt: skip
    """Go through the steps, asking `source` for the symbols of each; return what was predicted in each.

    Args:
        source: is asked at every step, at the last one too.
        scales: None to go without scale indexes (the symbols are known).
        means: None to go without means (integers alone are parsed).
        context_channels: the contexts look at this many channels, the first ones.
        helper: finds the means while this thread finds the scale indexes.
    """
    symbols, values = Channels(), Channels()
    predictions = []
    for number, step in enumerate(steps, 1):
        begun = None if helper is None or means is None else helper.submit(means.means, step, values)
        index = None if scales is None else scales.indexes(step, symbols)
        if begun is None:
            prediction = Prediction(step, index, None if means is None else means.means(step, values))
        else:
            prediction = Prediction(step, index, begun.result())
        predictions.append(prediction)
        asked = min(step.stop, context_channels) - step.start if number < len(steps) else 0
        found = source(prediction, max(asked, 0))
        if asked <= 0:
            continue
        if scales is not None:
            symbols.add(step.start, scales.seen(found))
        if prediction.mean is not None:
            mean = prediction.mean[:, :asked]
            values.add(step.start, (found.to(mean.device) + mean) * step.mask(mean)[:, :asked])
    return predictions


def combined(predictions: Iterable[tuple[Step, Tensor]]) -> Tensor:
    """Put the tensors (B, c, h, w) of all steps together: (B, M, h, w), at each place that of its own step."""
    whole = Channels()
    for step, x in predictions:
        whole.put(step.start, x, step.mask(x))
    return whole.read()


class Channels:
    """A tensor (B, C, h, w) that is put together from ranges of its channels, without writing in place (gradients flow)
    and without copying what nobody reads."""

    def __init__(self) -> None:
        self._parts: dict[int, Tensor] = {}

    def add(self, start: int, x: Tensor) -> None:
        """Add `x` (B, c, h, w) to the channels from `start` on; they are zero at first."""
        base = self._take(start, start + x.shape[1])
        self._parts[start] = x if base is None else base + x

    def put(self, start: int, x: Tensor, places: Tensor) -> None:
        """Set the channels from `start` on to `x` (B, c, h, w) at `places`; elsewhere too if nothing was there."""
        base = self._take(start, start + x.shape[1])
        self._parts[start] = x if base is None else torch.where(places, x, base)

    def read(self, stop: int | None = None) -> Tensor:
        """The channels from 0 to `stop` - 1, or all of them."""
        if stop is None:
            stop = max(start + part.shape[1] for start, part in self._parts.items())
        whole = self._take(0, stop)
        if whole is None:
            raise ValueError("no channels were decoded yet")
        self._parts[0] = whole
        return whole

    def _take(self, start: int, stop: int) -> Tensor | None:
        """Remove the channels `start`..`stop` - 1 and return them, zeros for missing ones; None if all are missing."""
        self._cut(start)
        self._cut(stop)
        inside = [first for first in sorted(self._parts) if start <= first < stop]
        if not inside:
            return None
        found, place = [], start
        for first in inside:
            part = self._parts.pop(first)
            if first > place:
                found.append(part.new_zeros(part.shape[0], first - place, *part.shape[2:]))
            found.append(part)
            place = first + part.shape[1]
        if place < stop:
            found.append(found[-1].new_zeros(found[-1].shape[0], stop - place, *found[-1].shape[2:]))
        return found[0] if len(found) == 1 else torch.cat(found, 1)

    def _cut(self, at: int) -> None:
        """Cut the part that holds the channels `at` - 1 and `at` in two."""
        for first, part in list(self._parts.items()):
            if first < at < first + part.shape[1]:
                sizes = [at - first, part.shape[1] - (at - first)]
                self._parts[first], self._parts[at] = torch.split(part, sizes, 1)


class Cuts:
    """A tensor, `whole` (B, M, h, w), from which each step reads its channels. With gradients it is cut once, at the
    borders of the steps: the gradient of a slice is a whole tensor, zero around the slice, but all cuts share one."""

    def __init__(self, x: Tensor, steps: Iterable[Step]) -> None:
        self.whole = x
        self._parts: dict[int, Tensor] = {}
        self._cut = x.requires_grad and torch.is_grad_enabled()
        if self._cut:
            borders = sorted({0, x.shape[1], *(border for step in steps for border in (step.start, step.stop))})
            sizes = [stop - start for start, stop in itertools.pairwise(borders)]
            self._parts = dict(zip(borders, torch.split(x, sizes, 1), strict=False))

    def read(self, channels: slice) -> Tensor:
        """The channels of a step, (B, c, h, w)."""
        if not self._cut or channels == slice(0, self.whole.shape[1]):
            return self.whole[:, channels]
        inside = [part for start, part in self._parts.items() if channels.start <= start < channels.stop]
        return inside[0] if len(inside) == 1 else torch.cat(inside, 1)
