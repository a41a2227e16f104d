"""Coding with the hyperprior network: pixels -> latents -> symbols -> payload, and back.

```
payload:  the streams of the groups, and where each begins (payload.py)
group:    one range-coded stream of z and r (entropy.py)
```

The codec has the transforms (the analysis g_a, the synthesis g_s and the hyper-analysis h_a) and the entropy model.
The latent grid (1/16) is cut into groups of 64 x 64 latents (1024 x 1024 pixels), row by row. The entropy model runs on
each group alone, so a group can be parsed without any other, in bounded memory; the transforms run on tiles with halos
and know nothing of groups. The latents are the analysis' own, rounded, or those that `refine` made of them for one
quality; files don't say which.

A level of a pyramid (lpcae/codec.py) is coded in the same way: its pictures are differences from a `Reference`, and the
coarser level's latents are context.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from types import EllipsisType
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.colour import PLAIN, Rotation, rotated
from lpcodec.codec.devices import bfloat16_pays
from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.families.family import Box, Frame
from lpcodec.codec.families.hyperprior import payload, region
from lpcodec.codec.families.hyperprior.allocation import allocate
from lpcodec.codec.families.hyperprior.coded import HyperpriorCoded, groups_hash
from lpcodec.codec.families.hyperprior.entropy import EntropyModel, Group
from lpcodec.codec.families.hyperprior.finishing import HALO, FinishingFilter
from lpcodec.codec.families.hyperprior.hyperlatents import HyperTables
from lpcodec.codec.families.hyperprior.layers import Z_MAX
from lpcodec.codec.families.hyperprior.network import MIDDLE, CoarserContext, HyperpriorNetwork
from lpcodec.codec.families.hyperprior.packed import Latents, PackedLatents, sample, scaled_group, size_of
from lpcodec.codec.families.hyperprior.pixels import PixelAnalysis
from lpcodec.codec.families.hyperprior.places import Places
from lpcodec.codec.families.hyperprior.qualities import PLACES, lambda_of_quality, row_of_quality
from lpcodec.codec.families.hyperprior.refinement import Refined, refine
from lpcodec.codec.families.hyperprior.sizes import STRIDE, HyperpriorSizes, hyper_grid, latent_grid
from lpcodec.codec.families.hyperprior.synthesis import Canvas, Reference, RowsOfValues, Tile
from lpcodec.codec.freed import give_back
from lpcodec.codec.progress import Progress
from lpcodec.codec.quality import Quality
from lpcodec.codec.quality_map import QualityMap
from lpcodec.codec.threads import in_threads, threads
from lpcodec.codec.tiles import Span, grid, shares
from lpcodec.entropy.coder import CorruptStreamError
from lpcodec.entropy.tables import TableSet

T = TypeVar("T")

GROUP = 64
"""Side of a group in latents."""
TILE = 64
"""Side of a tile of the transforms in latents."""
LEAST_WIDTH = 2
"""A narrower picture is analysed as if it had this many columns of latents: where the output of a strided convolution
has one column, oneDNN computes it from unset memory, in bfloat16 on processors with AMX (torch 2.13)."""
LARGE = 16 * GROUP**2
"""Pictures of more places than this are encoded in less memory: their latents are packed, and their groups aren't kept
beside the latents."""
_BITS_FACTOR = 2.1
"""Latents take this many times the bits of independent Gaussians with their magnitudes."""
_SLACK_BITS = 32
"""A stream may be this much shorter than its ideal length, because the coder and the logarithms round."""
_TILES = 4
"""The tiles in which a picture is decoded to choose the qualities of its squares, at least: the same for any number of
threads, so that float noise at other borders doesn't choose others."""
_NETWORK, _TABLES, _FINISHING = "network.", "tables.", "finishing"


class HyperpriorCodec:
    """A trained hyperprior network with its tables, ready to code.

    Args:
        network: its scale network must be frozen.
        tables: of r, by scale index.
        z_tables: of the hyper-latents z.
        skip_below: latents of smaller scale indexes aren't coded.
        device: of the transforms and the means.
        finishing: the filter after the synthesis, if the weights have one.
    """

    has_quality = True
    rotates_colours = True

    def __init__(
        self, network: HyperpriorNetwork, tables: TableSet, z_tables: HyperTables, skip_below: int, device: str = "cpu",
        finishing: FinishingFilter | None = None,
    ) -> None:  # fmt: skip
        self.device = torch.device(device)
        self.network = network.eval().to(memory_format=torch.channels_last).to(self.device)  # type: ignore[call-overload]
        self.compute_in(torch.bfloat16 if bfloat16_pays(self.device.type) else torch.float32)
        self.entropy = EntropyModel(
            network.steps, network.scales, network.means, tables, z_tables, skip_below, self.device
        )
        self.group_side, self.tile_side = GROUP, TILE
        self.analysis_halo = network.analysis_halo
        self.finish_with(finishing)

    def finish_with(self, finishing: FinishingFilter | None) -> None:
        """Filter pictures with `finishing` after their synthesis; None: don't filter them. Replaces the earlier one."""
        self.finishing = None if finishing is None else finishing.to(self.device)
        self.synthesis_halo = self.network.synthesis_halo + (0 if finishing is None else HALO)

    def compute_in(self, dtype: torch.dtype) -> None:
        """Compute the transforms' non-linear branches in `dtype`; the default is bfloat16 where that is faster."""
        self.transforms = self.network.for_coding(dtype)
        self._pixel_analysis: PixelAnalysis | None = None
        if dtype is torch.bfloat16 and self.device.type == "cpu" and self.network.frontend.as_matrix() is not None:
            exact = self.network.for_coding(torch.float32).analysis
            self._pixel_analysis = PixelAnalysis(exact, self.network.sizes.dc_latents)

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], sizes: dict[str, int], device: str = "cpu") -> "HyperpriorCodec":
        """Rebuild what `to_tensors` stored; `sizes` are the fields of `HyperpriorSizes`."""
        network = HyperpriorNetwork(HyperpriorSizes.from_card(sizes))
        state = {k[len(_NETWORK) :]: v.float() for k, v in tensors.items() if k.startswith(_NETWORK)}
        network.load_state_dict(state)
        network.scales.mark_frozen()
        by_anchor = tuple(_unpack(tensors, f"z_{_TABLES}{anchor}.") for anchor in range(network.sizes.anchors))
        z_tables = HyperTables(by_anchor, tensors["z_weights"].numpy())
        weights = tensors.get(_FINISHING)
        finishing = None if weights is None else FinishingFilter(weights.float())
        return cls(network, _unpack(tensors, _TABLES), z_tables, int(tensors["skip_below"]), device, finishing)

    def to_tensors(self) -> dict[str, Tensor]:
        """The weights (float16; the scale network's as integers), the tables and the thresholds, for storage."""
        stored = {
            _NETWORK + name: _integers(value) if name.startswith("scales.") else value.to(torch.float16).contiguous()
            for name, value in self.network.state_dict().items()
        }
        sets = {_TABLES: self.entropy.tables} | {
            f"z_{_TABLES}{anchor}.": tables for anchor, tables in enumerate(self.entropy.z_tables.tables)
        }
        for prefix, tables in sets.items():
            stored |= {prefix + name: torch.from_numpy(array) for name, array in tables.pack().items()}
        if self.finishing is not None:
            stored[_FINISHING] = self.finishing.weights.to(torch.float16).contiguous()
        weights = torch.from_numpy(self.entropy.z_tables.weights)
        return stored | {"skip_below": torch.tensor(self.entropy.skip_below), "z_weights": weights}

    @torch.inference_mode()
    def analyse(
        self, pixels: npt.NDArray[np.uint8], progress: Progress | None = None, reference: Reference | None = None,
        *, rotation: Rotation = PLAIN, packs: bool = True,
    ) -> Latents:  # fmt: skip
        """Return the latents y (M, ceil(H/16), ceil(W/16)) float32, on the CPU, plain or packed.

        Sides are extended to multiples of 16 by repeating the last row and column.

        Args:
            pixels: (H, W, 3 or 1) uint8.
            reference: if given, the latents are those of the difference from it.
            rotation: of the colours, before the difference is taken.
            packs: whether latents of pictures of more than LARGE places are packed, if the network has linear-only
                ones. If not, they are always plain.
        """
        h, w = latent_grid(*pixels.shape[:2])

        quick = self._pixel_analysis if reference is None and rotation == PLAIN else None

        def analyse_tile(place: Tile) -> Tensor:
            rows, columns = place
            part = pixels[rows.scaled(STRIDE).outer, columns.scaled(STRIDE).outer]
            outer_height, outer_width = (STRIDE * (s.outer_stop - s.outer_start) for s in (rows, columns))
            beyond = ((0, outer_height - part.shape[0]), (0, outer_width - part.shape[1]), (0, 3 - part.shape[2]))
            part = np.pad(part, beyond, mode="edge")
            wider = max(LEAST_WIDTH * STRIDE - outer_width, 0)
            if quick is not None:
                result = quick(np.pad(part, ((0, 0), (0, wider), (0, 0)), mode="edge"))
            else:
                tile = torch.from_numpy(part).to(self.device).permute(2, 0, 1).float().div_(255)[None]
                tile = rotated(tile, rotation)
                if reference is not None:
                    around = reference.tile(rows.scaled(STRIDE).outer, columns.scaled(STRIDE).outer)
                    tile = tile - around + MIDDLE
                tile = F.pad(tile, (0, wider, 0, 0), mode="replicate")
                result = self.transforms.analyse(tile.contiguous(memory_format=torch.channels_last))
            return result[0, :, rows.inner, columns.inner].cpu()

        def reported(results: Iterable[T], count: int) -> Iterator[T]:
            for number, result in enumerate(results, 1):
                yield result
                if progress:
                    progress("analysis", number / count)

        sizes = self.network.sizes
        if packs and sizes.linear_latents and h * w > LARGE:
            packed = PackedLatents(sizes.main, self.network.log_gain.amax(0).exp().cpu()[:, None, None], h, w)
            tiles = list(grid(h, w, self.group_side, self.analysis_halo))
            work = in_threads(lambda place: packed.pack(analyse_tile(place), *place), tiles, self.device)
            for group in reported(work, len(tiles)):
                packed.add(group)
            give_back()
            return packed
        y = torch.empty(sizes.latents, h, w)

        def fill(place: Tile) -> None:
            y[:, place[0].core, place[1].core] = analyse_tile(place)

        tiles = shares(h, w, self.tile_side, self.analysis_halo, threads(self.device))
        for _ in reported(in_threads(fill, tiles, self.device), len(tiles)):
            pass
        return y

    @torch.inference_mode()
    def expected_bits(self, latents: Latents) -> tuple[list[float], list[float]]:
        """Return the anchors' qualities 0..100, and about how many bits the latents y (M, h, w) take at each.

        The estimate is the sum of log2(1 + (2 * gain * y)**2) / 2, about the bits of independent Gaussians with the
        latents' magnitudes, times `_BITS_FACTOR`. Large pictures are sampled. DC latents are left out: they are
        predicted much better than their magnitudes suggest.
        """
        first, (h, w) = self.network.sizes.dc_latents, size_of(latents)
        places = h * w
        seen = sample(latents)[first:].flatten(1)
        factor = _BITS_FACTOR * places / seen.shape[1]
        bits = []
        for log_gain in self.network.log_gain[:, first:].cpu():
            squares = (seen * (2 * log_gain.exp())[:, None]).square_().add_(1).flatten()
            # Logarithms take most of the time, so two terms share one: log a + log b = log ab. An odd last term is left
            # out.
            half = len(squares) // 2
            bits.append(factor * 0.5 * float(squares[:half].mul_(squares[half : 2 * half]).log2_().sum()))
        qualities = [100 * place / PLACES for place in range(len(bits))]
        if len(bits) <= PLACES:  # all qualities above the last anchor are coded as its own
            return [*qualities, 100.0], [*bits, bits[-1]]
        return qualities, bits

    def lambda_at(self, quality: float) -> float:
        """Return lambda of bits per pixel + lambda * mean squared error (8-bit units) at a quality 0..100."""
        q = torch.tensor([Quality.of(quality).units], dtype=torch.float64)
        return float(lambda_of_quality(q, self.network.sizes.anchors))

    def refine(
        self, pixels: npt.NDArray[np.uint8], latents: Latents, quality: float, iterations: int,
        progress: Progress | None = None, *, rotation: Rotation = PLAIN, tune: str = "psnr",
        quality_map: QualityMap | None = None,
    ) -> Refined:  # fmt: skip
        """Return latents for `code` with a lower rate-distortion cost at a quality 0..100 and near it (refinement.py).

        Args:
            pixels: (H, W, 3 or 1) uint8.
            latents: what `analyse` gives for them with the same `rotation`.
            iterations: how often the latents are improved.
            tune: what the weights were trained for, "psnr" or "visual": the cost has that as its distortion.
            quality_map: the one that they will be coded with, if any.
        """
        # Packed latents lack values that refinement may move away from zero.
        y = latents if isinstance(latents, Tensor) else self.analyse(pixels, progress, rotation=rotation, packs=False)
        assert isinstance(y, Tensor)
        plain = self.code(y, quality, keep=True, quality_map=quality_map).groups
        of_places, groups = Places(self.network, Quality.of(quality), quality_map), list(self.groups(*size_of(y)))
        return refine(
            self.transforms, self.entropy, self.finishing, groups, plain, pixels, y, of_places, iterations, progress,
            rotation, tune,
        )  # fmt: skip

    def layers_of(self, pixels: npt.NDArray[np.uint8]) -> Callable[[float], tuple[HyperpriorCoded, ...]]:
        """Analyse pixels (H, W, 3 or 1) uint8; return a function of a quality 0..100 that codes them in one layer."""
        latents = self.analyse(pixels)
        return lambda quality: (self.code(latents, quality),)

    def groups(self, h: int, w: int) -> Iterator[Tile]:
        """The (rows, columns) of the groups of h x w latents, in coding order."""
        return grid(h, w, self.group_side, 0)

    @torch.inference_mode()
    def code(
        self, latents: Latents | Refined, quality: float, coarser: CoarserContext | None = None,
        keep: bool | None = None, *, quality_map: QualityMap | None = None,
    ) -> HyperpriorCoded:  # fmt: skip
        """Return the symbols of latents at a quality 0..100: the encoder's part of the entropy model, without g_a.

        Args:
            latents: what `analyse` returns, or what `refine` made of it.
            coarser: latents of the next coarser level (1, M', h', w'), for a network that knows of one.
            keep: whether the result holds its groups; by default only if it has at most LARGE places.
            quality_map: the qualities of the squares, if they aren't all the same.
        """
        y = latents.y if isinstance(latents, Refined) else latents
        h, w = size_of(y)
        code_group = self._group_coder(latents, Places(self.network, Quality.of(quality), quality_map), coarser)
        groups = in_threads(code_group, enumerate(self.groups(h, w)), self.device)
        return HyperpriorCoded(groups, h * w <= LARGE if keep is None else keep)

    def _group_coder(
        self, latents: Latents | Refined, of_places: Places, coarser: CoarserContext | None = None
    ) -> Callable[[tuple[int, Tile]], Group]:
        """The function that codes a group of latents, from its number and place."""
        q = of_places.quality.cpu()
        refined = latents if isinstance(latents, Refined) else None
        y = latents.y if isinstance(latents, Refined) else latents

        def code_group(numbered: tuple[int, Tile]) -> Group:
            number, (rows, columns) = numbered
            z, curvature = (refined.z[number], refined.curvature[number]) if refined else (None, None)
            scaled = scaled_group(y, number, rows, columns, of_places.gain(rows.core, columns.core)[0].cpu())
            if z is None:
                z = self.transforms.hyper_analysis(scaled[None].to(self.device)).round().clamp(-Z_MAX, Z_MAX)
            return self.entropy.code(scaled, z, q, curvature, _coarser_at(coarser, rows, columns))

        return code_group

    @torch.inference_mode()
    def allocated(
        self, pixels: npt.NDArray[np.uint8], latents: Latents, quality: float, *, rotation: Rotation = PLAIN,
        coded: HyperpriorCoded | None = None,
    ) -> QualityMap | None:  # fmt: skip
        """The qualities of squares that give the picture that looks best for its bits, at about a quality 0..100; None
        if they are all the same (allocation.py). For weights for the eye.

        Args:
            pixels: (H, W, 3 or 1) uint8.
            latents: what `analyse` gives for them with the same `rotation`.
            coded: what `code` gives for them at that quality, if it is known; that saves some time.
        """
        known = coded.groups if coded is not None else []
        places, of_places = list(self.groups(*size_of(latents))), Places(self.network, Quality.of(quality))
        code_group, first = self._group_coder(latents, of_places), self.network.sizes.dc_latents

        def decoded(numbers: Sequence[int], height: int, width: int) -> npt.NDArray[np.uint8]:
            if known:
                groups = [known[number] for number in numbers]
            else:
                groups = list(in_threads(code_group, ((n, places[n]) for n in numbers), self.device))
            frame = Frame(height, width, Quality.of(quality), rotation)
            return self.synthesise(groups, frame, least_tiles=_TILES)

        def bits(number: int) -> Tensor:
            rows, columns = places[number]
            scaled = scaled_group(latents, number, rows, columns, of_places.gain(rows.core, columns.core)[0].cpu())
            return _BITS_FACTOR * 0.5 * scaled[first:].mul(2).square_().add_(1).log2_().sum(0)

        return allocate(pixels, places, decoded, bits)

    @torch.inference_mode()
    def parse(self, payloads: Sequence[bytes], frame: Frame, coarser_symbols: Tensor | None = None) -> list[Group]:
        """Read all symbols of the one payload. Integers only: nothing here depends on the machine.

        Args:
            coarser_symbols: (1, M', h', w') of the next coarser level, for a network that knows of one.

        Raises:
            DamagedFileError: the payload is not a stream of this picture's size.
        """
        places = list(self.groups(*latent_grid(frame.height, frame.width)))
        q = torch.tensor([frame.quality.units])
        (whole,) = payloads
        streams = payload.split(whole, len(places))
        # All lengths are checked before the first group is parsed, so that a damaged file is refused at once.
        for stream, (rows, columns) in zip(streams, places, strict=True):
            self._check_length(stream, q, rows, columns)

        def parse_placed(coded: tuple[bytes, Tile]) -> Group:
            stream, (rows, columns) = coded
            coarser = None if coarser_symbols is None else coarser_symbols[_coarser_place(rows, columns)]
            return self.parse_group(stream, q, rows, columns, coarser)

        return list(in_threads(parse_placed, zip(streams, places, strict=True), self.device))

    @torch.inference_mode()
    def parse_group(
        self, stream: bytes, q: Tensor, rows: Span, columns: Span, coarser_symbols: Tensor | None = None
    ) -> Group:
        """Read the symbols of one group.

        Args:
            coarser_symbols: (1, M', h', w') of the coarser level at the group's place, for a network that knows of one.

        Raises:
            DamagedFileError: the stream isn't one of a group of this size.
        """
        self._check_length(stream, q, rows, columns)
        try:
            return self.entropy.parse(stream, q, rows.stop - rows.start, columns.stop - columns.start, coarser_symbols)
        except CorruptStreamError as error:
            raise DamagedFileError(f"the coded picture is damaged: {error}") from error

    def _check_length(self, stream: bytes, q: Tensor, rows: Span, columns: Span) -> None:
        """Refuse a stream that is too short for its group, so that a small file can't declare a large picture.

        Raises:
            DamagedFileError: no group of this size is that short.
        """
        least = self.entropy.z_tables.least_bits(int(row_of_quality(q, self.entropy.anchors)))
        places = math.prod(hyper_grid(rows.stop - rows.start, columns.stop - columns.start))
        if 8 * len(stream) + _SLACK_BITS < least * places:
            raise DamagedFileError("the coded picture is damaged: a group is shorter than any can be")

    @torch.inference_mode()
    def region(
        self, read: payload.Read, length: int, frame: Frame, box: Box, progress: Progress | None = None
    ) -> npt.NDArray[np.uint8]:
        """The pixels of a part of the picture, from the groups that it needs; see region.py and `RegionCodec`."""
        return region.decode(self, read, length, frame, box, progress)

    def hash_of(self, symbols: list[Group]) -> bytes:
        """The 4-byte hash of all coded symbols, in coding order."""
        return groups_hash(symbols)

    @torch.inference_mode()
    def synthesise(
        self, symbols: list[Group], frame: Frame, progress: Progress | None = None, least_tiles: int | None = None
    ) -> npt.NDArray[np.uint8]:
        """Return the pixels (H, W, 3) uint8 of parsed symbols; `least_tiles` as that of `Canvas`."""
        h, w = latent_grid(frame.height, frame.width)
        in_a_row = ceil_div(w, self.group_side)

        def fill_rows(first: int, rows: Tensor) -> None:
            stop = first + rows.shape[2]
            groups = symbols[first // self.group_side * in_a_row : ceil_div(stop, self.group_side) * in_a_row]
            self.values(groups, replace(frame, height=STRIDE * (stop - first)), out=rows)

        values = RowsOfValues(fill_rows, h, self.group_side, torch.empty(1, self.network.sizes.latents, 0, w))
        canvas = self._canvas(frame, progress, least_tiles=least_tiles)
        for band in canvas.bands():
            top, bottom = band[0][0].outer_start, band[-1][0].outer_stop
            canvas.paint(band, values.since(top, bottom), top)
        return canvas.pixels

    @torch.inference_mode()
    def picture(
        self, values: Tensor, frame: Frame, progress: Progress | None = None, reference: Reference | None = None
    ) -> npt.NDArray[np.uint8]:
        """Return the pixels (H, W, 3) uint8 of values r + mean (1, M, h, w); `reference` is added, if given."""
        canvas = self._canvas(frame, progress, reference)
        canvas.paint(canvas.tiles, values)
        return canvas.pixels

    def _canvas(
        self, frame: Frame, progress: Progress | None, reference: Reference | None = None,
        least_tiles: int | None = None,
    ) -> Canvas:  # fmt: skip
        finishing = None if reference else self.finishing
        return Canvas(
            self.transforms, self.tile_side, self.synthesis_halo, self.device, frame, progress, reference, finishing,
            least_tiles,
        )  # fmt: skip

    def symbols(self, groups: list[Group], frame: Frame) -> Tensor:
        """The r of all groups (1, M, h, w), whole numbers."""
        h, w = latent_grid(frame.height, frame.width)
        symbols = torch.empty(1, self.network.sizes.latents, h, w)
        for group, (rows, columns) in zip(groups, self.groups(h, w), strict=True):
            symbols[..., rows.core, columns.core] = torch.from_numpy(group.r).float()
        return symbols

    def values(
        self, groups: list[Group], frame: Frame, coarser: CoarserContext | None = None, out: Tensor | None = None
    ) -> Tensor:
        """The r + mean of all groups (1, M, h, w), on the CPU, not yet times the inverse gain; in `out`, if given."""
        h, w = latent_grid(frame.height, frame.width)
        q = torch.tensor([frame.quality.units])
        shape = 1, self.network.sizes.latents, h, w
        values = torch.empty(shape, memory_format=torch.channels_last) if out is None else out

        def fill(placed: tuple[Group, Tile]) -> None:
            group, (rows, columns) = placed
            own = _coarser_at(coarser, rows, columns)
            values[..., rows.core, columns.core] = self.entropy.values(group, q, own).cpu()

        for _ in in_threads(fill, zip(groups, self.groups(h, w), strict=True), self.device):
            pass
        return values

    def context(self, groups: list[Group], frame: Frame, coarser: CoarserContext | None = None) -> CoarserContext:
        """The symbols and values of all groups: the context of the next finer level of a pyramid."""
        return CoarserContext(self.symbols(groups, frame), self.values(groups, frame, coarser))


def _coarser_place(rows: Span, columns: Span) -> tuple[EllipsisType, slice, slice]:
    """The place of a group in the coarser level's latents; groups start at even places."""
    return ..., rows.halved().core, columns.halved().core


def _coarser_at(coarser: CoarserContext | None, rows: Span, columns: Span) -> CoarserContext | None:
    """The coarser level's latents at the place of a group."""
    return None if coarser is None else CoarserContext(*(part[_coarser_place(rows, columns)] for part in coarser))


def _integers(value: Tensor) -> Tensor:
    """A tensor of whole numbers in the smallest type that holds them: 16 or 32 bits."""
    small = int(value.abs().max()) <= torch.iinfo(torch.int16).max
    return value.to(torch.int16 if small else torch.int32).contiguous()


def _unpack(tensors: dict[str, Tensor], prefix: str) -> TableSet:
    """The tables stored as `prefix`radius and `prefix`frequencies."""
    return TableSet.unpack({name: tensors[prefix + name].numpy() for name in ("radius", "frequencies")})
