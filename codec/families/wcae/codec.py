"""Coding with the WCAE family: pixels -> code -> payload, and back.

The code is rounded and coded with one Gaussian. Its mean and scale are those of the code itself, sent in fixed point,
so that no float decides a probability at the decoder. The payload, little-endian:

```
int16 mean, uint16 scale (both in units of 2^-8), int16 lowest symbol, int16 highest symbol,
then the range-coded symbols: channel after channel, each row by row
```

With a `ChannelPrior` the tables come from integers stored with the weights, and the payload holds only the symbols. The
paper pads pictures with zeros (mid-grey) at the right and bottom; here the last row and column are repeated, because an
artificial edge costs bits.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.families.family import Frame
from lpcodec.codec.families.wcae.gaussian import RADIUS_MAX, SCALE_MAX, SYMBOL_MAX, UNITS, gaussian_table_set
from lpcodec.codec.families.wcae.network import WaveletAutoencoder, load_network
from lpcodec.codec.families.wcae.structure import Structure
from lpcodec.codec.progress import Progress
from lpcodec.codec.tiles import TILE, Span, grid
from lpcodec.entropy.coder import CorruptStreamError, Decoder, Encoder, symbols_hash
from lpcodec.entropy.tables import TableSet

Symbols = npt.NDArray[np.int32]

_SLACK_BITS = 32
"""A stream isn't shorter than its ideal length; a word is left to the rounding of the coder and of the logarithms."""
_SIDE_DATA = struct.Struct("<hHhh")


@dataclass(frozen=True)
class WcaeCode:
    """The integers of a picture: `symbols` int32 (C, h, w), each within ±32767."""

    symbols: Symbols

    @cached_property
    def symbols_hash(self) -> bytes:
        return symbols_hash(self.symbols)


@dataclass(frozen=True)
class WcaeCoded:
    """A code with the tables it is coded with. `centre` is subtracted from the symbols first; `bits` is the ideal
    length, side data included."""

    code: WcaeCode
    side_data: bytes
    tables: TableSet
    centre: int

    @property
    def symbols_hash(self) -> bytes:
        return self.code.symbols_hash

    @cached_property
    def bits(self) -> float:
        symbols, indexes = self._flat()
        return 8.0 * len(self.side_data) + self.tables.bits(symbols, indexes)

    def payloads(self) -> tuple[bytes]:
        encoder = Encoder()
        symbols, indexes = self._flat()
        encoder.put(symbols, indexes, self.tables)
        return (self.side_data + encoder.finish(),)

    def _flat(self) -> tuple[Symbols, npt.NDArray[np.uint8]]:
        symbols = self.code.symbols
        return (symbols - self.centre).ravel(), _indexes(symbols.shape, self.tables)


class WcaeCodec:
    """A trained network of the family, ready to code. There is no quality to choose: a network has the one rate that it
    was trained for."""

    has_quality = False

    def __init__(self, network: WaveletAutoencoder, device: str = "cpu") -> None:
        self.network = network.eval().to(device)
        self._prior_tables = network.prior.tables() if network.prior is not None else None

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], network_name: str, device: str = "cpu") -> WcaeCodec:
        """Rebuild what `to_tensors` stored."""
        network = load_network(network_name, channel_prior="prior.units" in tensors)
        network.load_state_dict({k: v if k == "prior.units" else v.float() for k, v in tensors.items()})
        return cls(network, device)

    def to_tensors(self) -> dict[str, Tensor]:
        """The weights in float16 (a channel prior's table integers int32), for storage."""
        return {
            name: value.contiguous() if name == "prior.units" else value.to(torch.float16).contiguous()
            for name, value in self.network.state_dict().items()
        }

    @torch.inference_mode()
    def analyse(self, pixels: npt.NDArray[np.uint8], progress: Progress | None = None) -> WcaeCode:
        """Pixels (H, W, 3) uint8, or (H, W, 1), which are taken for all three colours -> rounded code."""
        structure = self.network.structure
        height, width = pixels.shape[:2]
        code = np.empty(self._code_shape(height, width), np.int32)
        for rows, columns in _tiles(structure, code.shape, structure.analysis_halo, "analysis", progress):
            y = np.arange(structure.multiple * rows.outer_start, structure.multiple * rows.outer_stop)
            x = np.arange(structure.multiple * columns.outer_start, structure.multiple * columns.outer_stop)
            tile = pixels[np.minimum(y, height - 1)][:, np.minimum(x, width - 1)]
            tile = np.broadcast_to(tile, (*tile.shape[:2], 3)).transpose(2, 0, 1)
            values = torch.from_numpy(np.ascontiguousarray(tile)[None]).to(self._device).float() / 127.5 - 1
            part = self.network.analysis(values)[0].round().clamp(-SYMBOL_MAX, SYMBOL_MAX)
            code[:, rows.core, columns.core] = part[:, rows.inner, columns.inner].cpu().numpy()
        return WcaeCode(code)

    def code(self, latents: WcaeCode, quality: float = 0.0) -> WcaeCoded:
        """Choose the tables; `quality` is not used."""
        if self._prior_tables is not None:
            return WcaeCoded(latents, b"", self._prior_tables, 0)
        symbols = latents.symbols
        mean = round(float(symbols.mean()) * UNITS)
        side = (
            min(max(mean, -SYMBOL_MAX), SYMBOL_MAX),
            min(max(round(float(symbols.std()) * UNITS), 1), SCALE_MAX),
            int(symbols.min()),
            int(symbols.max()),
        )
        tables, centre = _global_tables(*side)
        return WcaeCoded(latents, _SIDE_DATA.pack(*side), tables, centre)

    def hash_of(self, symbols: WcaeCode) -> bytes:
        return symbols.symbols_hash

    def parse(self, payloads: Sequence[bytes], frame: Frame) -> WcaeCode:
        """Read all symbols of the one payload, in integers only.

        Raises:
            DamagedFileError: the payload isn't one of a picture of this size.
        """
        (payload,) = payloads
        shape = self._code_shape(frame.height, frame.width)
        tables, centre = self._prior_tables, 0
        if tables is None:
            if len(payload) < _SIDE_DATA.size:
                raise DamagedFileError("the coded picture is damaged: the payload is shorter than its side data")
            side = _SIDE_DATA.unpack_from(payload)
            if side[1] < 1 or side[2] > side[3]:
                raise DamagedFileError("the coded picture is damaged: impossible range of symbols")
            tables, centre = _global_tables(*side)
            payload = payload[_SIDE_DATA.size :]
        places = math.prod(shape) / len(tables)
        if 8 * len(payload) + _SLACK_BITS < places * sum(16 - math.log2(int(f.max())) for f in tables.frequencies):
            raise DamagedFileError("the coded picture is damaged: the payload is too short for a picture of this size")
        try:
            decoder = Decoder(payload)
            symbols = decoder.get(_indexes(shape, tables), tables)
            decoder.finish()
        except CorruptStreamError as error:
            raise DamagedFileError(f"the coded picture is damaged: {error}") from error
        values = symbols.astype(np.int64) + centre
        if np.abs(values).max() > SYMBOL_MAX:
            raise DamagedFileError("the coded picture is damaged: a symbol is out of range")
        return WcaeCode(values.astype(np.int32).reshape(shape))

    @torch.inference_mode()
    def synthesise(self, symbols: WcaeCode, frame: Frame, progress: Progress | None = None) -> npt.NDArray[np.uint8]:
        """Code -> pixels (H, W, 3) uint8, of grey pictures too: the caller averages the colours."""
        structure = self.network.structure
        picture = np.empty((frame.height, frame.width, 3), np.uint8)
        shape = symbols.symbols.shape
        for rows, columns in _tiles(structure, shape, structure.synthesis_halo, "synthesis", progress):
            part = torch.from_numpy(symbols.symbols[:, rows.outer, columns.outer]).to(self._device).float()
            fine_rows, fine_columns = rows.scaled(structure.multiple), columns.scaled(structure.multiple)
            values = self.network.synthesis(part[None])[0, :, fine_rows.inner, fine_columns.inner]
            tile = ((values + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
            target = picture[fine_rows.core, fine_columns.core]
            target[:] = tile[: target.shape[0], : target.shape[1]]
        return picture

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    def _code_shape(self, height: int, width: int) -> tuple[int, int, int]:
        multiple = self.network.structure.multiple
        return sum(self.network.structure.code_channels), ceil_div(height, multiple), ceil_div(width, multiple)


def _global_tables(mean: int, scale: int, low: int, high: int) -> tuple[TableSet, int]:
    """One table for low..high, and the centre that its symbols are counted from."""
    centre = (low + high) // 2
    radius = min(high - centre, RADIUS_MAX)
    return gaussian_table_set([(mean - centre * UNITS, scale, radius)]), centre


def _indexes(shape: tuple[int, ...], tables: TableSet) -> npt.NDArray[np.uint8]:
    """The table of each symbol: its channel's, or 0 if there is one table for all."""
    if len(tables.radius) == 1:
        return np.zeros(int(np.prod(shape)), np.uint8)
    return np.repeat(np.arange(shape[0], dtype=np.uint8), shape[1] * shape[2])


def _tiles(
    structure: Structure, shape: tuple[int, ...], halo: int, stage: str, progress: Progress | None
) -> Iterator[tuple[Span, Span]]:
    """Tiles of a code (C, h, w), row by row; `progress` is called after each."""
    pairs = list(grid(shape[1], shape[2], max(1, TILE // structure.multiple), halo))
    for done, pair in enumerate(pairs):
        yield pair
        if progress is not None:
            progress(stage, (done + 1) / len(pairs))
