"""Coding one group of latents: gained latents -> integers with their tables, and a stream -> integers -> values.

```
encoder:  y * gain --hyper-analysis--> z        z, y * gain --scales, means, rounding--> z, r and the table of each
decoder:  stream --z, then scales step by step--> z, r        z, r --means--> r + mean
```

The symbols stand in the order z, the averages' own steps, the first step, the second step, and within each in the order
channel, row, column. Latents whose scale index lies below `skip_below` are zero and not coded.

Everything that `parse_group` does is integer arithmetic on the CPU, whatever the device of the transforms.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpcodec.codec.families.hyperprior.averages import lattices
from lpcodec.codec.families.hyperprior.context import Z_MAX, ScaleNetwork, first_step_mask
from lpcodec.codec.families.hyperprior.hyperlatents import HyperTables
from lpcodec.codec.families.hyperprior.network import (
    HyperpriorNetwork,
    Known,
    anchor_of_quality,
    bfloat16_pays,
    level_of_quality,
)
from lpcodec.entropy.choice import symbol_costs
from lpcodec.entropy.coder import CorruptStreamError, Decoder, Piece
from lpcodec.entropy.integer import exact_dtype
from lpcodec.entropy.likelihood import rounded
from lpcodec.entropy.tables import TableSet

SYMBOL_MAX = 32767


@dataclass(frozen=True)
class Group:
    """The integers of a group: z (Z, h/4, w/4) and r (M, h, w), and the pieces in which each is coded."""

    z: npt.NDArray[np.int32]
    r: npt.NDArray[np.int16]
    z_pieces: tuple[Piece, ...]
    r_pieces: tuple[Piece, ...]

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """All pieces in coding order."""
        return self.z_pieces + self.r_pieces


_Choice = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Piece]]
"""(latents without their means, which of them are coded, scale indexes), (n, h, w) each -> symbols and their piece."""


class GroupCoder:
    """A trained hyperprior network with its tables, ready to code groups of latents. The network's scale part must be
    frozen."""

    def __init__(
        self, network: HyperpriorNetwork, tables: TableSet, z_tables: HyperTables, skip_below: int, device: str
    ) -> None:
        self.tables, self.z_tables, self.skip_below = tables, z_tables, skip_below
        self.device = torch.device(device)
        self.network = network.eval().to(memory_format=torch.channels_last).to(self.device)  # type: ignore[call-overload]
        dtype = torch.bfloat16 if bfloat16_pays(self.device.type) else torch.float32
        self.transforms = self.network.for_coding(dtype)
        exact: ScaleNetwork = self.network.scales.to("cpu")
        single: ScaleNetwork = copy.deepcopy(exact).float()
        self._scales = {torch.float64: exact, torch.float32: single}
        self._average_steps = 1 + len(exact.average_steps) if network.sizes.averages else 0

    @property
    def scales(self) -> ScaleNetwork:
        """The scale network, on the CPU, in the fastest type that is exact here and now."""
        return self._scales[exact_dtype()]

    @torch.inference_mode()
    def code_group(
        self, gained: Tensor, q: Tensor, z: Tensor | None = None, curvature: Tensor | None = None,
        coarser: Known | None = None,
    ) -> Group:  # fmt: skip
        """Code one group of latents.

        Args:
            gained: y * gain (M, h, w), on the CPU as `q`, the 16-bit quality (1,).
            z: hyper-latents (1, Z, h/4, w/4), whole numbers; by default those of the hyper-analysis.
            curvature: (M, 1, 1), what an error of 1 costs a latent, in bits, twice: symbols are chosen by their cost.
                By default they are rounded.
            coarser: the coarser level's latents of the same place.
        """
        height, width = gained.shape[1:]
        if z is None:
            z = self.transforms.hyper_analysis(gained[None].to(self.device)).round().clamp(-Z_MAX, Z_MAX)
        z = z.cpu()

        def choose(values: Tensor, coded: Tensor, indexes: Tensor) -> tuple[Tensor, Piece]:
            return self._choose(values, coded, indexes, curvature)

        level = level_of_quality(q)
        first = first_step_mask(len(gained), height, width)[0]
        coarser_symbols, coarser_values = (None, None) if coarser is None else (coarser[0], coarser[1].to(self.device))
        scales = self.scales
        features = scales.features(z, level, height, width, coarser_symbols)
        mean_features = self.network.means.features(
            z.to(self.device), level.to(self.device), height, width, coarser_values
        )

        mean = self.network.means.first_means(mean_features)[0]
        index = scales.first_indexes(features)[0].to(torch.uint8)
        averages, average_means, first_pieces = self._code_averages(
            scales, gained, features, mean_features, index, mean, choose
        )
        own = slice(len(averages))
        mean = mean.cpu()
        mean[own] = average_means.cpu()
        coded_a = first & (index >= self.skip_below)
        coded_a[own] = False
        r_a, piece_a = choose(gained - mean, coded_a, index)
        r_a[own] = averages
        values = ((r_a + mean) * first)[None].to(self.device)
        mean = self.network.means.second_means(mean_features, values)[0].cpu()
        index_b = scales.second_indexes(features, r_a[None])[0].to(torch.uint8)
        r_b, piece_b = choose(gained - mean, ~first & (index_b >= self.skip_below), index_b)

        whole = z[0].int().numpy()
        z_pieces = self.z_tables.pieces(whole, int(anchor_of_quality(q)))
        return Group(whole, (r_a + r_b).to(torch.int16).numpy(), z_pieces, (*first_pieces, piece_a, piece_b))

    def _code_averages(
        self, scales: ScaleNetwork, gained: Tensor, features: Tensor, mean_features: Tensor, index: Tensor,
        mean: Tensor, choose: _Choice,
    ) -> tuple[Tensor, Tensor, list[Piece]]:  # fmt: skip
        """The averages of the first step: r and means (K, h, w), and their pieces. `index` and `mean` (M, h, w) are
        what the hyper-latents foretell."""
        k = self.network.sizes.averages
        gained, index, first = gained[:k], index[:k], mean[None, :k]
        r, now, before, pieces = torch.zeros_like(gained), first, torch.zeros_like(gained, dtype=torch.bool), []
        for step, places in enumerate(lattices(k, *gained.shape[1:])[: self._average_steps]):
            if step:
                index = scales.average_indexes(step, features, r[None])[0].to(torch.uint8)
                values, seen = r[None].to(self.device) + now, before[None].to(self.device)
                moved = self.network.means.average_means(step, mean_features, first, values, seen)
                now = torch.where(places.to(self.device), moved, now)
            chosen, piece = choose(gained - now[0].cpu(), places[0] & (index >= self.skip_below), index)
            pieces.append(piece)
            r, before = r + chosen, before | places[0]
        return r, now[0], pieces

    def _choose(self, values: Tensor, coded: Tensor, indexes: Tensor, curvature: Tensor | None) -> tuple[Tensor, Piece]:
        """The symbols of latents without their means (n, h, w): r, zero where nothing is coded, and the piece."""
        places = np.flatnonzero(coded.numpy())  # several times as fast as torch's own indexing with masks
        index = indexes.numpy().ravel()[places]
        wanted, tables = torch.from_numpy(values.numpy().ravel()[places]), torch.from_numpy(index)
        if curvature is None:
            symbols = rounded(wanted, tables)
        else:
            own = torch.from_numpy(curvature.numpy().ravel()[places // values[0].numel()])
            symbols = symbol_costs(self.tables).cheapest(wanted, tables, own)
        symbols = symbols.clamp_(-SYMBOL_MAX, SYMBOL_MAX)
        r = np.zeros(tuple(values.shape), np.float32)
        r.reshape(-1)[places] = symbols.numpy()
        return torch.from_numpy(r), Piece(symbols.numpy().astype(np.int32), index, self.tables)

    def parse_group(self, stream: bytes, q: Tensor, height: int, width: int, coarser: Tensor | None) -> Group:
        """Read a group of height x width latents: integers only, nothing here depends on the machine. `coarser`
        (1, M', h/2, w/2) are the symbols of the coarser level, for a network that knows of one.

        Raises:
            CorruptStreamError: the stream isn't one of such a group.
        """
        sizes = self.network.sizes
        decoder = Decoder(stream)
        whole, z_pieces = self.z_tables.read(decoder, int(anchor_of_quality(q)), -(-height // 4), -(-width // 4))
        scales, z = self.scales, torch.from_numpy(whole)[None]
        features = scales.features(z, level_of_quality(q), height, width, coarser)
        first = first_step_mask(sizes.latents, height, width)[0]

        index = scales.first_indexes(features)[0].to(torch.uint8)
        averages, pieces = self._get_averages(decoder, scales, features, index)
        coded = first & (index >= self.skip_below)
        coded[: len(averages)] = False
        r_a, piece_a = self._get(decoder, index, coded)
        r_a[: len(averages)] = averages
        index = scales.second_indexes(features, r_a[None])[0].to(torch.uint8)
        r_b, piece_b = self._get(decoder, index, ~first & (index >= self.skip_below))
        decoder.finish()
        r = (r_a + r_b).to(torch.int16).numpy()
        return Group(whole, r, z_pieces, (*pieces, piece_a, piece_b))

    def _get_averages(
        self, decoder: Decoder, scales: ScaleNetwork, features: Tensor, index: Tensor
    ) -> tuple[Tensor, list[Piece]]:
        """The first step's averages: r (K, h, w), and their pieces."""
        index = index[: self.network.sizes.averages]
        r, pieces = torch.zeros(index.shape), []
        for step, places in enumerate(lattices(len(index), *index.shape[1:])[: self._average_steps]):
            if step:
                index = scales.average_indexes(step, features, r[None])[0].to(torch.uint8)
            found, piece = self._get(decoder, index, places[0] & (index >= self.skip_below))
            pieces.append(piece)
            r = r + found
        return r, pieces

    def _get(self, decoder: Decoder, index: Tensor, coded: Tensor) -> tuple[Tensor, Piece]:
        places = np.flatnonzero(coded.numpy())
        piece = _read(decoder, index.numpy().ravel()[places], self.tables)
        symbols = piece.symbols
        if len(symbols) and max(abs(int(symbols.min())), abs(int(symbols.max()))) > SYMBOL_MAX:
            raise CorruptStreamError(f"latents beyond {SYMBOL_MAX}")
        r = np.zeros(tuple(index.shape), np.float32)
        r.reshape(-1)[places] = symbols
        return torch.from_numpy(r), piece

    @torch.no_grad()
    def values_of_group(self, group: Group, q: Tensor, coarser: Known | None = None) -> Tensor:
        """r + mean (1, M, h, w) of one group: means are added here, in floats, after all integers were read."""
        q = q.to(self.device)
        r = torch.from_numpy(group.r).to(self.device).float()[None]
        height, width = r.shape[2:]
        first = first_step_mask(r.shape[1], height, width, self.device)
        z = torch.from_numpy(group.z).to(self.device).float()[None]
        coarser_values = None if coarser is None else coarser.values.to(self.device)
        features = self.network.means.features(z, level_of_quality(q), height, width, coarser_values)
        mean_a = self.network.means.first_means(features)
        mean_a = self._with_average_means(features, r, mean_a)
        mean_b = self.network.means.second_means(features, (r + mean_a) * first)
        values: Tensor = r + torch.where(first, mean_a, mean_b)
        return values

    def _with_average_means(self, features: Tensor, r: Tensor, mean: Tensor) -> Tensor:
        """The first step's means (1, M, h, w), those of the averages as their own steps have them."""
        k = self.network.sizes.averages
        first = now = mean[:, :k]
        places = lattices(k, *r.shape[2:], self.device)
        before = places[0]
        for step, own in enumerate(places[1 : self._average_steps], 1):
            moved = self.network.means.average_means(step, features, first, r[:, :k] + now, before)
            now, before = torch.where(own, moved, now), before | own
        return torch.cat([now, mean[:, k:]], 1)


def _read(decoder: Decoder, indexes: npt.NDArray[np.uint8], tables: TableSet) -> Piece:
    return Piece(decoder.get(indexes, tables), indexes, tables)
