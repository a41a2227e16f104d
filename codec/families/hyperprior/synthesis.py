"""Values of latents -> pixels, tile by tile: the decoder's last stage.

```
bands of tiles --rows--> RowsOfValues: r + mean of those rows of latents --Canvas: g_s per tile--> pixels
```

The synthesis g_s runs on tiles with halos (tiles.py). A large picture is synthesised band by band: values take as much
memory as anything in decoding, so only those of one band exist at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.colour import rotated_back
from lpcodec.codec.families.family import Frame
from lpcodec.codec.families.hyperprior.finishing import MARGIN, FinishingFilter
from lpcodec.codec.families.hyperprior.network import MIDDLE, HyperpriorNetwork
from lpcodec.codec.families.hyperprior.places import Places
from lpcodec.codec.families.hyperprior.sizes import STRIDE, latent_grid
from lpcodec.codec.progress import Progress
from lpcodec.codec.threads import in_threads, threads
from lpcodec.codec.tiles import Span, shares

Tile = tuple[Span, Span]
"""The rows and columns of latents of a tile."""
_BAND_PLACES = 128 * 128
"""The least places of latents in a band: 4 megapixels."""


class Reference(Protocol):
    """What a picture is coded as the difference from."""

    def tile(self, rows: slice, columns: slice) -> Tensor:
        """Return its pixels (1, 3, h, w) in 0..1 at slices in pixels, which may pass its right and bottom border."""
        ...


class Canvas:
    """The pixels (H, W, 3) uint8 of a picture, painted tile by tile.

    Args:
        transforms: the network with the synthesis.
        side: of a tile, in latents.
        halo: latents around a tile that its pixels depend on.
        device: of the synthesis.
        frame: size, qualities and rotation of the picture.
        progress: is given the part of the tiles that are painted.
        reference: added to what is synthesised, if given.
        finishing: the filter, if any; not together with `reference`. The halo must have room for its MARGIN.
        least_tiles: if possible there are this many tiles; by default one for each thread.
    """

    def __init__(
        self, transforms: HyperpriorNetwork, side: int, halo: int, device: torch.device, frame: Frame,
        progress: Progress | None = None, reference: Reference | None = None,
        finishing: FinishingFilter | None = None, least_tiles: int | None = None,
    ) -> None:  # fmt: skip
        self.transforms, self.device, self.frame = transforms, device, frame
        self.reference, self.finishing = reference, finishing
        self.pixels = np.empty((frame.height, frame.width, 3), np.uint8)
        self.tiles = shares(*latent_grid(frame.height, frame.width), side, halo, least_tiles or threads(device))
        self._places = Places(transforms, frame.quality, frame.quality_map)
        self._progress, self._painted = progress, 0

    def bands(self) -> Iterator[list[Tile]]:
        """The tiles row by row, in lists of whole rows with at least _BAND_PLACES latents, except for the last list.

        That is little memory, but work enough for all threads.
        """
        band: list[Tile] = []
        for number, tile in enumerate(self.tiles, 1):
            band.append(tile)
            last_in_row = number == len(self.tiles) or self.tiles[number][0] != tile[0]
            size = sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in band)
            if number == len(self.tiles) or (last_in_row and size >= _BAND_PLACES):
                yield band
                band = []

    def paint(self, tiles: Sequence[Tile], values: Tensor, first: int = 0) -> None:
        """Fill the pixels of tiles.

        Args:
            values: r + mean (1, M, rows, w), with the rows that the tiles read, halos included.
            first: the row of the latents that `values` begins with.
        """
        for _ in in_threads(lambda tile: self._paint(tile, values, first), tiles, self.device):
            self._painted += 1
            if self._progress:
                self._progress("synthesis", self._painted / len(self.tiles))

    def _paint(self, tile: Tile, values: Tensor, first: int) -> None:
        rows, columns = tile
        outer = slice(rows.outer_start - first, rows.outer_stop - first)
        y = values[..., outer, columns.outer].to(self.device) * self._places.inverse_gain(rows.outer, columns.outer)
        qualities = self._places.qualities(rows.outer, columns.outer)
        picture = self.transforms.synthesise(y.contiguous(memory_format=torch.channels_last), qualities)
        pixel_rows, pixel_columns = rows.scaled(STRIDE), columns.scaled(STRIDE)
        margin = 0 if self.finishing is None else MARGIN
        near_rows, near_columns = pixel_rows.trimmed(margin), pixel_columns.trimmed(margin)
        part = picture[0, :, pixel_rows.place_of(near_rows), pixel_columns.place_of(near_columns)]
        if self.reference is not None:
            part = part + self.reference.tile(pixel_rows.core, pixel_columns.core)[0] - MIDDLE
        part = rotated_back(part, self.frame.rotation)
        if self.finishing is not None:
            part = self.finishing(part, self._places.quality)[:, near_rows.inner, near_columns.inner]
        part = part.mul(255).round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).cpu()
        target = self.pixels[pixel_rows.core, pixel_columns.core]  # smaller than `part` at the right and bottom border
        target[:] = part.numpy()[: target.shape[0], : target.shape[1]]


class RowsOfValues:
    """Values r + mean of a picture's latents. Rows are made when they are asked for, and dropped when they are passed.

    Args:
        make: (first row, values of some rows (1, M, rows, w)) fills these values. The first row and the one after the
            last are multiples of `step`, or `height`.
        height: rows of latents in all.
        step: rows that are made together: those of a row of groups.
        empty: values of no rows (1, M, 0, w).
    """

    def __init__(self, make: Callable[[int, Tensor], None], height: int, step: int, empty: Tensor) -> None:
        self._make, self._height, self._step = make, height, step
        self._kept, self._first = empty, 0

    def since(self, top: int, bottom: int) -> Tensor:
        """Values (1, M, rows, w) from row `top` on, up to row `bottom` - 1 or further.

        Neither may be smaller than in the call before, whose values must be let go.
        """
        known = self._first + self._kept.shape[2]
        self._kept, self._first = self._kept[:, :, top - self._first :], top
        if known < bottom:
            # Values take much memory: the old rows are freed before the new ones are made.
            self._kept = self._kept.clone()
            stop = min(self._step * ceil_div(bottom, self._step), self._height)
            _, latents, kept, width = self._kept.shape
            rows = torch.empty((1, latents, stop - top, width), memory_format=torch.channels_last)
            rows[:, :, :kept] = self._kept
            self._kept = rows
            self._make(known, rows[:, :, kept:])
        return self._kept
