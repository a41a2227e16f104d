"""Tables fitted to what the trained model really codes.

Training assumes Gaussians. The symbols of a trained model have a little more weight in their tails and their centre,
and hyper-latents are hardly Gaussian at all. Tables are stored as integers, so they may have any shape: here the
training pictures are coded at many qualities, the symbols are counted, and each table becomes the counts with the
Gaussian as a prior. It saves 2 to 3 % of the rate of r, a fifth to a half of that of z, and costs the decoder nothing.

The finishing filter (finishing.py) is fitted to what the trained model makes of training pictures, by least squares.
For weights for the eye that is only the start: from half of it, gradient descent goes on with the distortion that they
were trained on. All of the least squares' filter would take away texture that is seen but costs squared error.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpcodec.codec import visual
from lpcodec.codec.families.family import Frame
from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec
from lpcodec.codec.families.hyperprior.coded import HyperpriorCoded
from lpcodec.codec.families.hyperprior.entropy import Group
from lpcodec.codec.families.hyperprior.finishing import FinishingFilter, Fit
from lpcodec.codec.families.hyperprior.hyperlatents import (
    MEAN_UNIT,
    WEIGHT_MAX,
    WEIGHT_UNIT,
    HyperTables,
    Integers,
    first_places,
    neighbours,
)
from lpcodec.codec.families.hyperprior.layers import Z_MAX
from lpcodec.codec.families.hyperprior.qualities import PLACES, row_of_quality
from lpcodec.codec.families.hyperprior.sizes import STRIDE
from lpcodec.codec.picture import read_rgb
from lpcodec.codec.quality import Quality
from lpcodec.datasets.patches import read_pictures
from lpcodec.entropy.tables import TableSet, apportion

PICTURES = 240
LARGEST = 512
"""Pictures are cut to at most this many pixels per side."""
QUALITIES = 32
"""Qualities that are coded, spread over the scale; each picture at a quarter of them."""
PRIOR_COUNTS = 2000.0
"""The weight of the Gaussian in the tables of r, in symbols."""
Z_PRIOR_COUNTS = 30.0
"""The weight of the Gaussian in the tables of z, which is fitted to the counts first."""
_MASS = float(1 << 44)
FINISHED_AT = 3
"""How many anchors' qualities each picture is coded at to fit the finishing filter."""
STRENGTHS = {"psnr": 1.0, "visual": 0.5}
"""The part of the least squares' filter that is used, or that descent begins with."""
EYE_STEPS, EYE_BATCH, EYE_RATE = 300, 4, 1e-4
"""Steps of the descent for the eye, pictures in each, and the learning rate at its begin."""
EYE_SIDE = 256
"""The largest side in pixels of the parts of pictures that the descent sees."""
EYE_HELD = 8
"""One of this many parts is held out."""
_LEAST_DISTORTION = 0.01
"""A part with less is taken to have this much."""
LayersOf = Callable[[npt.NDArray[np.uint8]], Callable[[float], tuple[HyperpriorCoded, ...]]]


def calibrate(coders: Sequence[HyperpriorCodec], layers_of: LayersOf, data: Path) -> dict[str, int | float]:
    """Replace the tables of `coders`, one for each layer of a codec, by tables fitted to the pictures below `data`.

    Args:
        layers_of: the codec's own: pixels -> quality 0..100 -> what each coder made of the picture.

    Returns:
        Counts of pictures and symbols, and the bits per symbol of r with the old and the new tables.
    """
    counted = [_Counts(coder) for coder in coders]
    anchors = coders[0].entropy.anchors
    qualities = np.linspace(0.01, 0.99, QUALITIES) * (100 * (anchors - 1) / PLACES)
    number = 0
    for number, (_, picture) in zip(range(PICTURES), read_pictures(data, read_rgb), strict=False):
        pixels = picture[:LARGEST, :LARGEST]
        layers = layers_of(pixels)
        for quality in qualities[number % 4 :: 4]:
            anchor = int(row_of_quality(torch.tensor(Quality.of(float(quality)).units), anchors))
            for counts, layer in zip(counted, layers(float(quality)), strict=False):
                counts.add(layer.groups, anchor)
    symbols = sum(counts.symbols for counts in counted)
    before = sum(counts.bits() for counts in counted)
    for counts in counted:
        counts.fit()
    after = sum(counts.bits() for counts in counted)
    return {
        "pictures": number + 1, "symbols": symbols, "gaussian_bits_a_symbol": round(before / max(symbols, 1), 5),
        "fitted_bits_a_symbol": round(after / max(symbols, 1), 5),
    }  # fmt: skip


def fit_finishing(codec: HyperpriorCodec, data: Path, tune: str) -> dict[str, int | float]:
    """Give `codec` a finishing filter fitted to PICTURES of the pictures below `data`, evenly spread.

    Args:
        tune: what the weights were trained for, a key of STRENGTHS.

    Returns:
        Counts of coded pictures and their pixels, and the gain in dB on them, the mean of the anchors. For the eye also
        `distortion_change`, the mean change in percent of the distortion of parts that the fit didn't see.
    """
    codec.finish_with(None)
    fit = Fit(codec.entropy.anchors)
    rng = np.random.default_rng(0)
    parts: list[_Part] = []
    pictures = seen = 0
    for anchor, original, decoded in _decoded(codec, data):
        fit.add(decoded, original, anchor)
        pictures, seen = pictures + 1, seen + original[0].numel()
        if tune == "visual":
            parts.append(_Part.of(anchor, original, decoded, rng))
    found = fit.solve(STRENGTHS[tune])
    figures: dict[str, int | float] = {"pictures": pictures, "pixels": seen}
    if tune == "visual":
        found, change = _descended(found, parts, rng)
        figures["distortion_change"] = round(change, 3)
    codec.finish_with(found)
    return figures | {"gain_db": round(fit.gain(found), 4)}


def _decoded(codec: HyperpriorCodec, data: Path) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Pictures below `data`, coded and decoded at the quality of an anchor in turn: the anchor, the original and the
    decoded one (3, H, W), about 0..1, before it is rounded; both sides are multiples of 16."""
    numbers = itertools.cycle(range(codec.entropy.anchors))
    for pixels in _spread(data):
        height, width = (min(side, LARGEST) // STRIDE * STRIDE for side in pixels.shape[:2])
        pixels = pixels[:height, :width]
        if not pixels.size:
            continue
        original = torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255
        latents = codec.analyse(pixels)
        for anchor in itertools.islice(numbers, FINISHED_AT):
            frame = Frame(height, width, Quality.of(100 * anchor / PLACES))
            yield anchor, original, _synthesised(codec, codec.code(latents, frame.quality.number).groups, frame)


@torch.no_grad()
def _synthesised(codec: HyperpriorCodec, groups: list[Group], frame: Frame) -> Tensor:
    quality = torch.tensor([frame.quality.units])
    y = codec.values(groups, frame) * codec.network.inverse_gain(quality)
    picture: Tensor = codec.transforms.synthesise(y.contiguous(memory_format=torch.channels_last), quality)[0]
    return picture


class _Part(NamedTuple):
    """A part of a picture, coded at `quality` (1,) 16-bit: the original and the decoded one (3, h, w) in 0..1, and the
    distortion between them."""

    quality: Tensor
    original: Tensor
    decoded: Tensor
    distortion: Tensor

    @classmethod
    def of(cls, anchor: int, original: Tensor, decoded: Tensor, rng: np.random.Generator) -> "_Part":
        """A random part, with even sides at even places, of a picture that was coded at the quality of `anchor`."""
        places = []
        for side in original.shape[1:]:
            length = min(side, EYE_SIDE)
            start = 2 * int(rng.integers((side - length) // 2 + 1))
            places.append(slice(start, start + length))
        one, other = (picture[:, places[0], places[1]].clone() for picture in (original, decoded))
        quality = torch.tensor([Quality.of(100 * anchor / PLACES).units])
        return cls(quality, one, other, visual.distortion_of_parts(other[None], one[None]).clamp_min(_LEAST_DISTORTION))

    def change(self, finishing: FinishingFilter) -> Tensor:
        """What the distortion (1,) is multiplied by if the filter is used."""
        filtered = finishing(self.decoded, self.quality)[None]
        return visual.distortion_of_parts(filtered, self.original[None]) / self.distortion


def _descended(start: FinishingFilter, parts: list[_Part], rng: np.random.Generator) -> tuple[FinishingFilter, float]:
    """The filter after gradient descent for the eye, and the mean change of the distortion of held-out parts, in
    percent."""
    held, taken = parts[::EYE_HELD], [part for number, part in enumerate(parts) if number % EYE_HELD]
    filtering = FinishingFilter(start.weights.clone().requires_grad_())
    adam = torch.optim.Adam([filtering.weights], EYE_RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, EYE_STEPS)
    for _ in range(EYE_STEPS):
        adam.zero_grad()
        for number in rng.integers(len(taken), size=EYE_BATCH):
            (taken[number].change(filtering) / EYE_BATCH).backward()
        adam.step()
        schedule.step()
    found = FinishingFilter(filtering.weights.detach())
    return found, 100 * (math.exp(fmean(math.log(float(part.change(found))) for part in held)) - 1)


def _spread(data: Path) -> Iterator[npt.NDArray[np.uint8]]:
    """About PICTURES pictures, evenly spread over those below `data`."""
    nothing = np.empty((0, 0, 3), np.uint8)
    count = sum(1 for _ in read_pictures(data, lambda source: nothing))
    numbers, every = itertools.count(), max(count // PICTURES, 1)
    for _, pixels in read_pictures(data, lambda source: nothing if next(numbers) % every else read_rgb(source)):
        if pixels.size:
            yield pixels


class _Counts:
    """The symbols that one coder coded: `r` counts them by table and entry, `z` keeps the hyper-latents by anchor."""

    def __init__(self, coder: HyperpriorCodec) -> None:
        self.coder = coder
        self.r = [np.zeros(len(f), np.int64) for f in coder.entropy.tables.frequencies]
        self.z: list[list[Integers]] = [[] for _ in coder.entropy.z_tables.tables]

    def add(self, groups: list[Group], anchor: int) -> None:
        for group in groups:
            self.z[anchor].append(group.z)
            for run in group.r_runs:
                _count(run.symbols, run.indexes, self.coder.entropy.tables, self.r)

    @property
    def symbols(self) -> int:
        return sum(int(c.sum()) for c in self.r)

    def bits(self) -> float:
        """The bits that the coder's tables take for all r, without the extra bits of escapes."""
        frequencies = self.coder.entropy.tables.frequencies
        return sum(float(-(c * np.log2(f / 65536)).sum()) for c, f in zip(self.r, frequencies, strict=True))

    def fit(self) -> None:
        entropy = self.coder.entropy
        entropy.tables = _fitted(self.r, entropy.tables)
        entropy.z_tables = _fitted_z(self.z, entropy.z_tables)


def _count(
    symbols: npt.NDArray[np.int32], indexes: npt.NDArray[np.uint8], tables: TableSet,
    counts: list[npt.NDArray[np.int64]],
) -> None:  # fmt: skip
    entries, _ = tables.entries(symbols, indexes)
    widest = max(map(len, counts))
    found = np.bincount(indexes.astype(np.int64) * widest + entries, minlength=len(counts) * widest)
    for table, row in zip(counts, found.reshape(len(counts), widest), strict=True):
        table += row[: len(table)]


def _fitted(counts: list[npt.NDArray[np.int64]], tables: TableSet) -> TableSet:
    fitted = []
    for count, gaussian in zip(counts, tables.frequencies, strict=True):
        # A symbol and its negative are equally likely, so they share their counts.
        inside = count[:-1] + count[-2::-1]
        masses = np.append(inside / 2, count[-1]) + PRIOR_COUNTS * gaussian / 65536
        fitted.append(apportion((masses / masses.sum() * _MASS).astype(np.int64)))
    return TableSet(tables.radius, tuple(fitted))


def _fitted_z(seen: list[list[Integers]], earlier: HyperTables) -> HyperTables:
    """Weights and tables from the hyper-latents (Z, h, w) seen at each anchor."""
    weights = np.stack([_weights(found, earlier.channels) for found in seen])
    chosen = HyperTables(earlier.tables, weights)
    tables = []
    for anchor, found in enumerate(seen):
        counts = np.zeros((len(earlier.tables[anchor]), 2 * Z_MAX + 2), np.int64)  # the last: what is beyond Z_MAX
        for z in found:
            for run in chosen.runs(z, anchor):
                entries = np.where(np.abs(run.symbols) > Z_MAX, 2 * Z_MAX + 1, run.symbols + Z_MAX)
                np.add.at(counts, (run.indexes, entries), 1)
        tables.append(_z_tables(counts))
    return HyperTables(tuple(tables), weights)


def _weights(found: list[Integers], channels: int) -> npt.NDArray[np.int8]:
    """The least squares' weights (Z,) of the neighbours' means, in units of 1 / WEIGHT_UNIT."""
    products, squares = np.zeros(channels), np.full(channels, 1e-9)
    for z in found:
        others = ~first_places(*z.shape[1:])
        near = neighbours(z)[0][:, others] / MEAN_UNIT
        products += (z[:, others] * near).sum(1)
        squares += (near**2).sum(1)
    weights: npt.NDArray[np.int8] = np.clip(np.round(WEIGHT_UNIT * products / squares), 0, WEIGHT_MAX).astype(np.int8)
    return weights


def _z_tables(counts: npt.NDArray[np.int64]) -> TableSet:
    """A table for each row of counts over -Z_MAX..Z_MAX and beyond."""
    places = np.arange(-Z_MAX, Z_MAX + 1)
    fitted = []
    for count, beyond in zip(counts[:, :-1], counts[:, -1], strict=True):
        total = max(int(count.sum()), 1)
        mean = float((count * places).sum()) / total
        deviation = max(float((count * (places - mean) ** 2).sum() / total) ** 0.5, 0.15)
        gaussian = np.exp(-0.5 * ((places - mean) / deviation) ** 2) + 1e-4
        masses = np.append(count + Z_PRIOR_COUNTS * gaussian / gaussian.sum(), float(beyond))
        fitted.append(apportion((masses / masses.sum() * _MASS).astype(np.int64)))
    return TableSet(np.full(len(fitted), Z_MAX, np.int16), tuple(fitted))
