"""Coding with LPCAE: pixels -> levels -> a payload for each layer, and back, as far as layers are there.

```
layer:  hash of the level's symbols (4 bytes) | payload of the level's coder (hyperprior/codec.py)
```

Layers are stored coarsest first; each needs those before it. The tables of a level depend on the integers of the
coarser level, never on its pixels, so layers parse to the same symbols on any machine. The prediction is float: a
decoder on another machine may differ by one grey level.

The finest detail is left out if its bits cost more than the error that it removes: at very low rates, or on pictures
without detail. The decoder then shows the prediction, as it does if the file ends early.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lpcodec.codec.arrays import Pixels, ceil_div
from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.families.family import Frame
from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec
from lpcodec.codec.families.hyperprior.coded import HyperpriorCoded, groups_hash
from lpcodec.codec.families.hyperprior.entropy import Group
from lpcodec.codec.families.hyperprior.network import CoarserContext
from lpcodec.codec.families.hyperprior.packed import Latents
from lpcodec.codec.families.hyperprior.qualities import lambda_of_quality
from lpcodec.codec.families.lpcae.network import ANCHORS, REACH, Prediction, halve
from lpcodec.codec.frontends.interface import level_sizes
from lpcodec.codec.progress import Progress
from lpcodec.codec.quality import Quality
from lpcodec.codec.tiles import TILE, grid

Symbols = list[list[Group]]
"""The groups of each level that is there, coarsest first."""

LEFT_OUT_BELOW = 0.03
"""Below this many bits per pixel the finest detail is compared with none at all."""
_HASH = 4
_HALVING_HALO = 4
"""Even, and at least the kernel's reach."""
PREDICTION = "prediction."
"""What the names of the prediction's tensors begin with."""


@dataclass(frozen=True)
class LpcaeLatents:
    """What doesn't depend on the quality: the pictures of all levels, coarsest first, and the latents of the
    coarsest."""

    pictures: tuple[Pixels, ...]
    coarsest: Latents


@dataclass(frozen=True)
class LpcaeCoded:
    """A picture's symbols at one quality, layer by layer."""

    layers: tuple[HyperpriorCoded, ...]

    @property
    def bits(self) -> float:
        return sum(8 * _HASH + layer.bits for layer in self.layers)

    @property
    def symbols_hash(self) -> bytes:
        return groups_hash([group for layer in self.layers for group in layer.groups])

    def payloads(self) -> tuple[bytes, ...]:
        return tuple(layer.symbols_hash + payload for layer in self.layers for payload in layer.payloads())


class LpcaeCodec:
    """A trained LPCAE with its tables, ready to code: the coders of its levels, coarsest first, and the prediction."""

    has_quality = True

    def __init__(self, coders: Sequence[HyperpriorCodec], prediction: Prediction, device: str = "cpu") -> None:
        self.coders = tuple(coders)
        for coder in self.coders[:-1]:
            # Finer levels would amplify the differences between machines in coarser ones.
            coder.compute_in(torch.float32)
        self.levels = len(self.coders) - 1
        self.device = torch.device(device)
        self.prediction = prediction.eval().to(self.device)

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], sizes: dict[str, Any], device: str = "cpu") -> LpcaeCodec:
        """Rebuild what `to_tensors` stored; `sizes["levels"]` has the fields of each level's `HyperpriorSizes`."""
        coders = [
            HyperpriorCodec.from_tensors(with_prefix(tensors, f"{place}."), fields, device)
            for place, fields in enumerate(sizes["levels"])
        ]
        prediction = Prediction()
        prediction.load_state_dict(with_prefix(tensors, PREDICTION))
        return cls(coders, prediction, device)

    def to_tensors(self) -> dict[str, Tensor]:
        """Weights, tables and thresholds of all coders, and the prediction in full precision, for storage."""
        stored = {PREDICTION + key: value.contiguous() for key, value in self.prediction.state_dict().items()}
        for place, coder in enumerate(self.coders):
            stored |= {f"{place}.{key}": value for key, value in coder.to_tensors().items()}
        return stored

    @torch.inference_mode()
    def analyse(self, pixels: Pixels, progress: Progress | None = None) -> LpcaeLatents:
        """Halve pixels (H, W, 3 or 1) uint8 once per level, and analyse the coarsest picture. The finer ones are
        analysed by `code`, because their details depend on the quality of the coarser levels."""
        pictures = [pixels]
        for _ in range(self.levels):
            pictures.append(half_size(pictures[-1]))
        return LpcaeLatents(tuple(reversed(pictures)), self.coders[0].analyse(pictures[-1], progress))

    def code(self, latents: LpcaeLatents, quality: float) -> LpcaeCoded:
        """Code all levels at a quality 0..100, each as the difference from the prediction that the decoder will
        have."""
        layers: list[HyperpriorCoded] = []
        known: CoarserContext | None = None
        expected: Predicted | None = None
        for coder, original in zip(self.coders, latents.pictures, strict=True):
            height, width = original.shape[:2]
            frame = Frame(height, width, Quality.of(quality))
            y = latents.coarsest if expected is None else coder.analyse(original, reference=expected)
            layer = coder.code(y, quality, known, keep=True)
            finest = len(layers) == self.levels
            if finest and expected is not None and layer.bits < LEFT_OUT_BELOW * height * width:
                decoded = coder.picture(coder.values(layer.groups, frame, known), frame, reference=expected)
                if not _pays(layer.bits, original, decoded, expected, frame):
                    break
            layers.append(layer)
            if not finest:
                known = coder.context(layer.groups, frame, known)
                expected = Predicted(self.prediction, coder.picture(known.values, frame, reference=expected))
        return LpcaeCoded(tuple(layers))

    def layers_of(self, pixels: Pixels) -> Callable[[float], tuple[HyperpriorCoded, ...]]:
        """Analyse pixels (H, W, 3 or 1) uint8; return a function of a quality 0..100 that codes their layers."""
        latents = self.analyse(pixels)
        return lambda quality: self.code(latents, quality).layers

    def parse(self, payloads: Sequence[bytes], frame: Frame) -> Symbols:
        """Read all symbols of the layers that are there, and check each layer against its hash. Integers only.

        Raises:
            DamagedFileError: a layer isn't one of this picture's size, or there are more than the model has.
        """
        if not 1 <= len(payloads) <= self.levels + 1:
            raise DamagedFileError(f"the coded picture is damaged: {len(payloads)} layers, at most {self.levels + 1}")
        symbols: Symbols = []
        coarser: Tensor | None = None
        for place, (coder, payload) in enumerate(zip(self.coders, payloads, strict=False)):
            own = self._frame(frame, self.levels - place)
            groups = coder.parse([payload[_HASH:]], own, coarser)
            if coder.hash_of(groups) != payload[:_HASH]:
                raise DamagedFileError(f"the symbols of layer {place + 1} aren't those that were encoded")
            symbols.append(groups)
            coarser = coder.symbols(groups, own)
        return symbols

    def hash_of(self, symbols: Symbols) -> bytes:
        """The 4-byte hash of all symbols of all layers."""
        return groups_hash([group for groups in symbols for group in groups])

    def synthesise(self, symbols: Symbols, frame: Frame, progress: Progress | None = None, level: int = 0) -> Pixels:
        """Return the picture halved `level` times, (h, w, 3) uint8; levels that weren't parsed are predicted."""
        places = self.levels - level + 1
        sizes = [self._frame(frame, self.levels - place) for place in range(places)]
        shares = _Shares(progress, [size.width * size.height for size in sizes])
        known: CoarserContext | None = None
        expected: Predicted | None = None
        decoded: Pixels | None = None
        for place, size in enumerate(sizes):
            if place < len(symbols):
                known = self.coders[place].context(symbols[place], size, known)
                decoded = self.coders[place].picture(known.values, size, shares.at(place), expected)
            else:
                assert expected is not None
                decoded = expected.picture(size.height, size.width, shares.at(place))
            expected = Predicted(self.prediction, decoded)
        assert decoded is not None
        return decoded

    def _frame(self, frame: Frame, level: int) -> Frame:
        """The frame of a level."""
        height, width = level_sizes((frame.height, frame.width), level)[-1]
        return replace(frame, height=height, width=width)


def half_size(pixels: Pixels) -> Pixels:
    """Pixels (H, W, C) uint8 at half the sides, rounded up: `halve`, tile by tile."""
    height, width, channels = pixels.shape
    half = np.empty((ceil_div(height, 2), ceil_div(width, 2), channels), np.uint8)
    for rows, columns in grid(height, width, TILE, _HALVING_HALO):
        tile = torch.tensor(pixels[rows.outer, columns.outer]).permute(2, 0, 1)[None].float()
        coarse = halve(tile)[0].round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
        y, x = rows.halved(), columns.halved()
        half[y.core, x.core] = coarse[y.inner, x.inner]
    return half


class Predicted:
    """The prediction of a level from the decoded picture of the coarser one; each tile is made when it is needed."""

    def __init__(self, prediction: Prediction, coarse: Pixels) -> None:
        self.prediction, self.coarse = prediction, coarse

    @torch.inference_mode()
    def tile(self, rows: slice, columns: slice) -> Tensor:
        """Pixels (1, 3, h, w) in 0..1, on the prediction's device; slices begin at even places and may reach past the
        picture's right and bottom."""
        (top, bottom), (left, right) = (
            (s.start // 2 - REACH, ceil_div(s.stop, 2) + REACH) for s in (rows, columns)
        )  # fmt: skip
        height, width = self.coarse.shape[:2]
        y = np.clip(np.arange(top, bottom), 0, height - 1)
        x = np.clip(np.arange(left, right), 0, width - 1)
        part = torch.from_numpy(self.coarse[y][:, x]).to(next(self.prediction.parameters()).device)
        finer = self.prediction.inside(part.permute(2, 0, 1)[None].float() / 255)
        return finer[..., : rows.stop - rows.start, : columns.stop - columns.start]

    def picture(self, height: int, width: int, progress: Progress | None = None) -> Pixels:
        """All of it, (height, width, 3) uint8."""
        pixels = np.empty((height, width, 3), np.uint8)
        tiles = list(grid(height, width, TILE, 0))
        for number, (rows, columns) in enumerate(tiles):
            tile = self.tile(rows.core, columns.core)[0].mul(255).round_().clamp_(0, 255).to(torch.uint8)
            pixels[rows.core, columns.core] = tile.permute(1, 2, 0).cpu().numpy()
            if progress:
                progress("synthesis", (number + 1) / len(tiles))
        return pixels


class _Shares:
    """One progress over several levels, each with its share of the work."""

    def __init__(self, progress: Progress | None, work: list[int]) -> None:
        self.progress, self.work = progress, work

    def at(self, place: int) -> Progress | None:
        progress, whole = self.progress, sum(self.work)
        if progress is None:
            return None
        before, own = sum(self.work[:place]), self.work[place]
        return lambda stage, part: progress(stage, (before + own * part) / whole)


def _pays(bits: float, original: Pixels, decoded: Pixels, expected: Predicted, frame: Frame) -> bool:
    """Whether a detail lowers the distortion by more than its bits add to the rate."""
    lmbda = float(lambda_of_quality(torch.tensor(float(frame.quality.units)), ANCHORS))
    without = expected.picture(frame.height, frame.width)
    gain = _squared_error(original, without) - _squared_error(original, decoded)
    return bits < lmbda * gain / 3  # lambda is of the mean over three colours


def _squared_error(original: Pixels, decoded: Pixels) -> float:
    """The squared error in 8-bit units, added up over pixels and colours."""
    total = 0
    for rows, columns in grid(original.shape[0], original.shape[1], TILE, 0):
        place = (rows.core, columns.core)
        total += int(np.square(original[place].astype(np.int32) - decoded[place]).sum(dtype=np.int64))
    return float(total)


def with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
