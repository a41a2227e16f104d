"""The seams between a model family and everything else. A family is one folder beside this file and one line in
`models.FAMILIES`; docs/extending.md builds one from nothing.

```
models.py    --networks, load-------> Family   (which networks there are; stored weights -> a model ready for its task)
training     --options, objective---> Family   (what is trained, on which batches, with which loss)
export       --export, macs---------> Family   (a trained network -> tensors to store, entries of its card)
encoding, decoding  <----Codec: what a family of the task "codec" loads as
```
What else a codec can do is a protocol each: `ScalableCodec`, `RegionCodec`, `RateEstimator`, `WeighingCodec`,
`RotatingCodec` and `AllocatingCodec` here, `Refinable` in effort.py.

Nothing here imports torch, so the registry can list all networks at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

from lpcodec.codec.arrays import Pixels, ceil_div
from lpcodec.codec.colour import PLAIN, Rotation
from lpcodec.codec.progress import Progress
from lpcodec.codec.quality import Quality

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from lpcodec.codec.quality_map import QualityMap

Task = Literal["codec", "front-end", "upscaling", "classification"]
"""What a network is for: it codes pictures, splits them into bands and merges them, enlarges them, or labels them."""
B = TypeVar("B")


@dataclass(frozen=True)
class Frame:
    """What a codec knows of a file: the picture's size in pixels, the quality, the rotation of its colours, which is
    PLAIN (none) unless the codec is a `RotatingCodec`, and the qualities of its squares, which are None (all the same)
    unless it is an `AllocatingCodec`."""

    height: int
    width: int
    quality: Quality
    rotation: Rotation = PLAIN
    quality_map: QualityMap | None = None


@dataclass(frozen=True)
class Box:
    """A part of a picture, in pixels from its top left corner."""

    left: int
    top: int
    width: int
    height: int

    @property
    def rows(self) -> slice:
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        return slice(self.left, self.left + self.width)


@dataclass(frozen=True)
class Network:
    """An architecture: its name, the number that files carry (None if no file names it), and what it is.

    `parameters` is their number. `decoding_memory` is an upper bound of the memory that decoding takes on top of
    the runtime's own, in bytes per pixel.
    """

    name: str
    number: int | None
    task: Task
    parameters: int
    has_quality: bool
    description: str
    decoding_memory: int = 36


@dataclass(frozen=True)
class Option:
    """A training option of a family, which people give as `NAME=VALUE`: `parse` turns the text into the value, or
    raises ValueError with what is allowed."""

    parse: Callable[[str], Any]
    help: str


TUNES = ("psnr", "visual")
"""What weights may be trained for: squared error, or what SSIMULACRA 2 and MS-SSIM see."""


def parse_tune(text: str) -> str:
    """A tune, one of TUNES; the `parse` of an `Option`."""
    if text not in TUNES:
        raise ValueError(f"one of {', '.join(TUNES)}")
    return text


@dataclass(frozen=True)
class PatchSides:
    """The sides, in pixels, of patches that a network can be trained on: multiples of `step`, none below `least`."""

    step: int = 1
    least: int = 1

    def __contains__(self, side: int) -> bool:
        return side >= self.least and side % self.step == 0

    @property
    def smallest(self) -> int:
        """The smallest multiple of `step` that isn't below `least`."""
        return ceil_div(self.least, self.step) * self.step

    def nearest(self, side: int) -> tuple[int, ...]:
        """For a `side` that isn't allowed: the largest allowed one below it, if any, and the smallest one above it."""
        below = side // self.step * self.step
        above = max(below + self.step, self.smallest)
        return (below, above) if below in self else (above,)


@dataclass(frozen=True)
class Exported:
    """What is stored of a trained network: its tensors, and entries of its card besides the usual ones."""

    tensors: dict[str, Tensor]
    card: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Weights that a training starts from. `state` is the averaged state of a run's network, and `card` the run's plan;
    or `tensors` are installed weights as `Family.export` stored them, and `card` is their card. `network` is the name
    of their network, `name` the run's folder or the model."""

    name: str
    network: str
    state: dict[str, Tensor] | None = None
    tensors: dict[str, Tensor] | None = None
    card: Mapping[str, Any] = field(default_factory=dict)


class Family(Protocol):
    """A model family. `options` are its own training options by name; the plan has those that were given."""

    @property
    def networks(self) -> tuple[Network, ...]: ...
    @property
    def options(self) -> Mapping[str, Option]: ...

    def load(self, network: Network, tensors: dict[str, Tensor], card: Mapping[str, Any], device: str) -> Any:
        """Stored tensors -> the trained model, ready to use on `device`: a `Codec` for the task "codec", a `FrontEnd`
        (frontends/interface.py) for "front-end", an `Upscaler` (superresolution/upscaler.py) for "upscaling"."""
        ...

    def objective(self, plan: Mapping[str, Any], device: str) -> Objective[Any]:
        """A network of the plan's `model` with random weights, and its loss. Raises UsageError if the plan's options,
        or its `batch` (None if not asked for), don't fit."""
        ...

    def export(self, network: nn.Module, data: Path | None, plan: Mapping[str, Any]) -> Exported:
        """What is stored of a trained network, in evaluation mode; `data`, the training pictures, may be used to fit
        tables. `plan` is that of the run. Raises UsageError if the network can't be shipped."""
        ...

    def macs(self, network: nn.Module) -> dict[str, float]:
        """Thousands of multiply-accumulates per pixel of the picture, by part."""
        ...


class Objective(Protocol[B]):
    """A network with its data and its loss: what the training loop needs. `B` is its batch: any tensor or tuple."""

    @property
    def network(self) -> nn.Module: ...
    @property
    def patch(self) -> int:
        """Side of the training patches in pixels, unless the plan says otherwise."""
        ...

    @property
    def sides(self) -> PatchSides:
        """The sides that a plan may ask for; they may depend on its options."""
        ...

    @property
    def batch(self) -> int:
        """Examples per step, unless the plan says otherwise."""
        ...

    @property
    def learning_rate(self) -> float:
        """Peak rate, unless the plan says otherwise."""
        ...

    def open(self, data: Path, patch: int, device: str) -> dict[str, Any]:
        """Load the training data and the held-out data below `data`; return what the card says of them.

        Raises:
            NoPicturesError, OSError, EvaluationPictureError: as `datasets.patches.load_stores`.
        """
        ...

    def start(self, generator: torch.Generator, source: Source | None) -> None:
        """Initialise what random numbers don't initialise well, or take the weights of `source`. Called once, after
        `open`; not when a run is resumed.

        Raises:
            UsageError: the weights of `source` don't fit, or this family can't start from any.
        """
        ...

    def parameter_groups(self) -> Iterable[dict[str, object]]:
        """Optimiser groups: `lr_scale` multiplies the schedule's rate; Muon trains a group if `muon`, else Adam."""
        ...

    def rate_at(self, part: float) -> float:
        """Return the factor of the peak rate when `part` (0..1) of the training is done."""
        ...

    def sample(self, count: int, generator: torch.Generator) -> B:
        """Return a training batch of `count` examples."""
        ...

    def loss(self, batch: B) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch and the figures worth logging (scalars without gradient)."""
        ...

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return figures of `network` (the averaged weights) on the held-out data; the lower `score`, the better."""
        ...


class Coded(Protocol):
    """A picture's symbols at one quality. `bits` is their ideal size under the integer tables, `symbols_hash` their
    4-byte hash; `payloads` has one entry per layer, coarsest first: a single one for a codec that isn't scalable."""

    @property
    def bits(self) -> float: ...
    @property
    def symbols_hash(self) -> bytes: ...
    def payloads(self) -> tuple[bytes, ...]: ...


class Codec(Protocol):
    """A trained network with its tables, ready to code.

    Latents and symbols are of the codec's own types.

    - `analyse`: pixels (H, W, 3 or 1) uint8 -> latents; once per picture, whatever the quality.
    - `code`: latents, quality 0..100 -> the symbols; may run many times.
    - `parse`: payloads -> symbols, in exact integer arithmetic; raises DamagedFileError.
    - `hash_of`: symbols -> 4 bytes, those of `Coded.symbols_hash`.
    - `synthesise`: parsed symbols -> pixels (H, W, 3) uint8.
    """

    @property
    def has_quality(self) -> bool: ...
    def analyse(self, pixels: Pixels, progress: Progress | None = None) -> Any: ...
    def code(self, latents: Any, quality: float) -> Coded: ...
    def parse(self, payloads: Sequence[bytes], frame: Frame) -> Any: ...
    def hash_of(self, symbols: Any) -> bytes: ...
    def synthesise(self, symbols: Any, frame: Frame, progress: Progress | None = None) -> Pixels: ...


@runtime_checkable
class ScalableCodec(Codec, Protocol):
    """A codec whose files hold the picture at several resolutions, one layer for each, the coarsest first.

    A layer needs those before it and none after it: `parse` takes the first payloads of a file, up to `levels` + 1,
    and checks each against the hash that it holds. `synthesise` gives the picture halved `level` times; if the finer
    layers weren't parsed, it predicts them.
    """

    levels: int

    def synthesise(self, symbols: Any, frame: Frame, progress: Progress | None = None, level: int = 0) -> Pixels: ...


@runtime_checkable
class RegionCodec(Codec, Protocol):
    """A codec that decodes a part of a picture from a part of its payload.

    `read(start, length)` gives bytes of the payload, which has `length` bytes in all. `region` reads only what it needs
    and returns the pixels (box.height, box.width, 3) that `synthesise` would give there, within float noise. It raises
    DamagedFileError if the bytes that it read aren't those that were written.
    """

    def region(
        self, read: Callable[[int, int], bytes], length: int, frame: Frame, box: Box, progress: Progress | None = None
    ) -> Pixels: ...


@runtime_checkable
class RateEstimator(Codec, Protocol):
    """A codec that estimates the bits of a picture from its latents, in a fraction of the time of `code`.
    `expected_bits` returns rising qualities, from 0 to 100, and the bits at each."""

    def expected_bits(self, latents: Any) -> tuple[Sequence[float], Sequence[float]]: ...


@runtime_checkable
class WeighingCodec(Codec, Protocol):
    """A codec that weighs rate and distortion by bits per pixel + lambda * mean squared error, in 8-bit units;
    `lambda_at` is its lambda at a quality 0..100. Cells of its pictures may be stored instead of coded
    (cell_choice.py)."""

    def lambda_at(self, quality: float) -> float: ...


@runtime_checkable
class RotatingCodec(Codec, Protocol):
    """A codec that can code a picture in rotated colours (colour.py); `synthesise` rotates them back by its frame."""

    rotates_colours: bool

    def analyse(self, pixels: Pixels, progress: Progress | None = None, *, rotation: Rotation = PLAIN) -> Any: ...


@runtime_checkable
class AllocatingCodec(Codec, Protocol):
    """A codec whose quality may differ from square to square (quality_map.py).

    `code` multiplies the latents by the gains of the map's qualities; `synthesise` divides by them, if its frame has
    the map. `allocated` chooses one for a quality 0..100, so that fewer bits look the same; None if one quality for all
    squares is as good. `coded`, if given, is what `code` gave for these latents at that quality.
    """

    def code(self, latents: Any, quality: float, *, quality_map: QualityMap | None = None) -> Coded: ...
    def allocated(
        self, pixels: Pixels, latents: Any, quality: float, *, rotation: Rotation = PLAIN, coded: Any = None
    ) -> QualityMap | None: ...
