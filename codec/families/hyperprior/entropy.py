"""The entropy model of a group of latents: scaled latents -> integers with tables; a stream -> integers -> values.

```
code:    y * gain, z --scales, means, rounding, step by step--> z, r and the table of each
parse:   stream --z, then scales, step by step--> z, r                          integers alone
values:  z, r --means, step by step--> r + mean
```

The symbols are coded in the order z, then step by step (steps.py), and within each step in the order channel, row,
column. Latents whose scale index is below `skip_below` are zero and not coded.

What `parse` reads depends on integer arithmetic alone, on the CPU, whatever the device of the transforms. If a second
thread is free, it computes the means meanwhile, in floats, for the later call of `values`; no symbol depends on them.
"""

import copy
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpcodec.codec.families.hyperprior.hyperlatents import HyperTables
from lpcodec.codec.families.hyperprior.means import MeanNetwork
from lpcodec.codec.families.hyperprior.network import CoarserContext
from lpcodec.codec.families.hyperprior.qualities import level_of_quality, row_of_quality
from lpcodec.codec.families.hyperprior.scales import ScaleNetwork
from lpcodec.codec.families.hyperprior.sizes import hyper_grid
from lpcodec.codec.families.hyperprior.steps import Prediction, Step, combined, context_channels, walk
from lpcodec.codec.threads import helper
from lpcodec.entropy.choice import symbol_costs
from lpcodec.entropy.coder import CorruptStreamError, Decoder, SymbolRun
from lpcodec.entropy.integer import exact_dtype
from lpcodec.entropy.likelihood import rounded
from lpcodec.entropy.tables import TableSet

SYMBOL_MAX = 32767


@dataclass(frozen=True)
class PackedSymbols:
    """Symbols (M, h, w), most of them zero, in little memory, because a large picture has many groups: a bit for each
    of the `shape`, packed, that says whether it is one of the `values`, which aren't zero."""

    shape: tuple[int, ...]
    bits: npt.NDArray[np.uint8]
    values: npt.NDArray[np.int16]

    @classmethod
    def of(cls, symbols: npt.NDArray[np.int16]) -> "PackedSymbols":
        there = symbols.ravel() != 0
        return cls(symbols.shape, np.packbits(there), symbols.ravel()[np.flatnonzero(there)])

    def unpacked(self) -> npt.NDArray[np.int16]:
        symbols = np.zeros(self.shape, np.int16)
        symbols.reshape(-1)[np.flatnonzero(np.unpackbits(self.bits, count=symbols.size))] = self.values
        return symbols


@dataclass(frozen=True)
class Group:
    """The integers of a group: z (Z, ceil(h/4), ceil(w/4)) and r (M, h, w), and the runs in which they are coded.

    `means` (1, M, h, w) are there if a second thread computes them while the group is parsed.
    """

    z: npt.NDArray[np.int32]
    packed_r: PackedSymbols
    z_runs: tuple[SymbolRun, ...]
    r_runs: tuple[SymbolRun, ...]
    means: Future[Tensor] | None = None

    @property
    def r(self) -> npt.NDArray[np.int16]:
        """A copy, unpacked."""
        return self.packed_r.unpacked()

    @property
    def runs(self) -> tuple[SymbolRun, ...]:
        """All runs in coding order."""
        return self.z_runs + self.r_runs


class EntropyModel:
    """The frozen scale network and the mean network with their tables, ready to code groups of latents.

    Args:
        steps: the order of decoding (steps.py).
        scales: frozen.
        tables: of r, by scale index.
        z_tables: of z.
        skip_below: latents of smaller scale indexes aren't coded.
        device: of the means; the scales are always on the CPU.
    """

    def __init__(
        self, steps: Sequence[Step], scales: ScaleNetwork, means: MeanNetwork, tables: TableSet, z_tables: HyperTables,
        skip_below: int, device: torch.device,
    ) -> None:  # fmt: skip
        self.steps, self.means, self.device = tuple(steps), means, device
        self.tables, self.z_tables, self.skip_below = tables, z_tables, skip_below
        exact: ScaleNetwork = scales.to("cpu")
        single: ScaleNetwork = copy.deepcopy(exact).float()
        self._scales = {torch.float64: exact, torch.float32: single}
        self.anchors = len(z_tables.tables)
        self.context_channels = context_channels(self.steps, exact)

    @property
    def scales(self) -> ScaleNetwork:
        """The scale network, on the CPU, in the fastest type that is exact here and now."""
        return self._scales[exact_dtype()]

    @torch.inference_mode()
    def code(
        self, scaled: Tensor, z: Tensor, q: Tensor, curvature: Tensor | None = None,
        coarser: CoarserContext | None = None,
    ) -> Group:  # fmt: skip
        """Code one group of latents.

        Args:
            scaled: y * gain (M, h, w), on the CPU as `q`, the 16-bit quality (1,).
            z: hyper-latents (1, Z, ceil(h/4), ceil(w/4)), whole numbers.
            curvature: (M, 1, 1), twice the bits that an error of 1 in a latent costs: symbols are chosen by their cost.
                None: they are rounded.
            coarser: the coarser level's latents at the same place.
        """
        z = z.cpu()
        height, width = scaled.shape[1:]
        source = _Choosing(self, scaled, curvature)
        level, (symbols, values) = level_of_quality(q, self.anchors), coarser or (None, None)
        values = None if values is None else values.to(self.device)
        of_means = z.to(self.device), level.to(self.device), height, width, values
        with helper(self.device) as second:
            begun = None if second is None else second.submit(self.means.begin, *of_means)
            scales = self.scales.begin(z, level, height, width, symbols)
            means = self.means.begin(*of_means) if begun is None else begun.result()
            walk(self.steps, source, scales, means, self.context_channels, second)
        z_symbols = z[0].int().numpy()
        z_runs = self.z_tables.runs(z_symbols, int(row_of_quality(q, self.anchors)))
        return Group(z_symbols, PackedSymbols.of(source.r), z_runs, tuple(source.runs))

    def parse(self, stream: bytes, q: Tensor, height: int, width: int, coarser_symbols: Tensor | None) -> Group:
        """Read a group of height x width latents: integers only, nothing here depends on the machine.

        Args:
            coarser_symbols: r of the coarser level (1, M', ceil(h/2), ceil(w/2)), for a network with one.

        Raises:
            CorruptStreamError: the stream isn't one of such a group.
        """
        decoder = Decoder(stream)
        z, z_runs = self.z_tables.read(decoder, int(row_of_quality(q, self.anchors)), *hyper_grid(height, width))
        scales = self.scales.begin(
            torch.from_numpy(z)[None], level_of_quality(q, self.anchors), height, width, coarser_symbols
        )
        blocks: SimpleQueue[Tensor | None] = SimpleQueue()
        source = _Reading(self, decoder, (scales.from_z.whole.shape[1], height, width), blocks)
        with helper(self.device) as second:
            means = None
            if second is not None and coarser_symbols is None:
                means = second.submit(self._means_while_parsing, z, q, height, width, blocks)
            try:
                walk(self.steps, source, scales, None, self.context_channels)
                decoder.finish()
            finally:
                blocks.put(None)
        return Group(z, PackedSymbols.of(source.r), z_runs, tuple(source.runs), means)

    def _means_while_parsing(
        self, z: npt.NDArray[np.int32], q: Tensor, height: int, width: int, blocks: "SimpleQueue[Tensor | None]"
    ) -> Tensor:
        """The means (1, M, h, w) of a group that is being parsed, from the blocks of symbols as they are read."""

        def read(prediction: Prediction, channels: int) -> Tensor:
            block = blocks.get()
            if block is None:
                raise CorruptStreamError("the stream could not be parsed")
            return block

        means = self.means.begin(torch.from_numpy(z).float()[None], level_of_quality(q, self.anchors), height, width)
        predictions = walk(self.steps, read, None, means, self.context_channels)
        return combined((p.step, p.mean) for p in predictions if p.mean is not None)

    @torch.no_grad()
    def values(self, group: Group, q: Tensor, coarser: CoarserContext | None = None) -> Tensor:
        """r + mean (1, M, h, w) of a group: means are added here, in floats, after all integers were read."""
        symbols = torch.from_numpy(group.r)
        by_place = symbols.flatten(1).t().contiguous()  # quicker than with floats
        r = by_place.to(self.device).float().t().view(1, *symbols.shape)
        if group.means is not None:
            return r + group.means.result()
        z = torch.from_numpy(group.z).to(self.device).float()[None]
        coarser_values = None if coarser is None else coarser.values.to(self.device)
        means = self.means.begin(
            z, level_of_quality(q.to(self.device), self.anchors), r.shape[2], r.shape[3], coarser_values
        )

        def known(prediction: Prediction, channels: int) -> Tensor:
            start = prediction.step.start
            return r[:, start : start + channels]

        predictions = walk(self.steps, known, None, means, self.context_channels)
        values: Tensor = r + combined((p.step, p.mean) for p in predictions if p.mean is not None)
        return values


class _Coding:
    """A source of symbols that keeps the runs that are coded, and r (M, h, w)."""

    def __init__(self, model: EntropyModel, shape: tuple[int, ...]) -> None:
        self.model, self.runs = model, list[SymbolRun]()
        self.r = np.zeros(shape, np.int16)

    def coded(self, prediction: Prediction) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint8]]:
        """The step's latents that are coded, as flat places in its block (c, h, w), and their scale indexes."""
        assert prediction.index is not None
        index = prediction.index[0].to(torch.uint8, memory_format=torch.contiguous_format)
        coded = prediction.step.mask(index[None])[0] & (index >= self.model.skip_below)
        places = np.flatnonzero(coded.numpy())  # several times as fast as torch's own indexing with masks
        return places, index.numpy().ravel()[places]

    def keep(
        self, step: Step, channels: int, places: npt.NDArray[np.intp], symbols: npt.NDArray[np.int32],
        index: npt.NDArray[np.uint8],
    ) -> Tensor:  # fmt: skip
        """Keep the step's symbols; return those of its first `channels` channels as a block (1, channels, h, w)."""
        self.runs.append(SymbolRun(symbols, index, self.model.tables))
        self.r[step.channels].reshape(-1)[places] = symbols
        block = np.zeros((channels, *self.r.shape[1:]), np.float32)
        # `places` are in the order of the channels: those of the first `channels` come first.
        count = np.searchsorted(places, block.size)
        block.reshape(-1)[places[:count]] = symbols[:count]
        return torch.from_numpy(block)[None].contiguous(memory_format=torch.channels_last)  # as the networks have them


class _Choosing(_Coding):
    """The encoder's symbols: the latents without their means, rounded or the cheapest."""

    def __init__(self, model: EntropyModel, scaled: Tensor, curvature: Tensor | None) -> None:
        super().__init__(model, tuple(scaled.shape))
        self.scaled = scaled
        self.curvature = None if curvature is None else curvature.numpy().ravel()

    def __call__(self, prediction: Prediction, channels: int) -> Tensor:
        step = prediction.step
        assert prediction.mean is not None
        places, index = self.coded(prediction)
        mean = prediction.mean[0].cpu().contiguous().numpy()
        wanted = self.scaled[step.channels].numpy().ravel()[places] - mean.ravel()[places]
        tables = torch.from_numpy(index)
        if self.curvature is None:
            symbols = rounded(torch.from_numpy(wanted), tables, step.dead_zone)
        else:
            own = self.curvature[step.channels][places // (self.scaled.shape[1] * self.scaled.shape[2])]
            costs = symbol_costs(self.model.tables)
            symbols = costs.cheapest(torch.from_numpy(wanted), tables, torch.from_numpy(own))
        whole = symbols.clamp_(-SYMBOL_MAX, SYMBOL_MAX).numpy().astype(np.int32)
        return self.keep(step, channels, places, whole, index)


class _Reading(_Coding):
    """The parser's symbols: those of the range decoder."""

    def __init__(
        self, model: EntropyModel, decoder: Decoder, shape: tuple[int, ...], blocks: "SimpleQueue[Tensor | None]"
    ) -> None:
        super().__init__(model, shape)
        self.decoder, self.blocks = decoder, blocks

    def __call__(self, prediction: Prediction, channels: int) -> Tensor:
        places, index = self.coded(prediction)
        symbols = self.decoder.get(index, self.model.tables)
        if len(symbols) and max(abs(int(symbols.min())), abs(int(symbols.max()))) > SYMBOL_MAX:
            raise CorruptStreamError(f"latents beyond {SYMBOL_MAX}")
        block = self.keep(prediction.step, channels, places, symbols, index)
        self.blocks.put(block)
        return block
