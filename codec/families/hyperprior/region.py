"""A part of a picture from a part of its payload: the groups that it touches, and one synthesis of its surroundings.

```
box of pixels --> latents that it needs, with the synthesis' halo --> their groups: read, parse, values
              --> synthesis of those latents as if they were a picture of their own --> the box of it
```
The synthesis' padding acts on the border of those latents: further from the box than its receptive field reaches, or at
the border of the picture, as for the whole. So the pixels are those of the whole picture within float noise.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch

from lpcodec.codec.arrays import Pixels, ceil_div
from lpcodec.codec.families.family import Box, Frame
from lpcodec.codec.families.hyperprior import payload
from lpcodec.codec.families.hyperprior.entropy import EntropyModel, Group
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.sizes import STRIDE, latent_grid
from lpcodec.codec.progress import Progress
from lpcodec.codec.tiles import Span


class Groups(Protocol):
    """What decoding a part of a picture needs of a codec."""

    network: HyperpriorNetwork
    entropy: EntropyModel
    synthesis_halo: int

    def groups(self, h: int, w: int) -> Iterator[tuple[Span, Span]]: ...
    def parse_group(self, stream: bytes, q: torch.Tensor, rows: Span, columns: Span) -> Group: ...
    def picture(self, values: torch.Tensor, frame: Frame, progress: Progress | None = None) -> Pixels: ...


def decode(codec: Groups, read: payload.Read, length: int, frame: Frame, box: Box, progress: Progress | None) -> Pixels:
    """Pixels (box.height, box.width, 3) uint8 of a payload of `length` bytes; see `family.RegionCodec`."""
    h, w = latent_grid(frame.height, frame.width)
    rows = _needed(box.top, box.height, h, codec.synthesis_halo)
    columns = _needed(box.left, box.width, w, codec.synthesis_halo)
    spans = list(codec.groups(h, w))
    wanted = [number for number, place in enumerate(spans) if _meets(place[0], rows) and _meets(place[1], columns)]
    streams = payload.directory(read, length, len(spans)).streams(read, wanted)
    q = torch.tensor([frame.quality.units])
    values = torch.empty(1, codec.network.sizes.latents, rows.stop - rows.start, columns.stop - columns.start)
    for done, number in enumerate(wanted):
        group_rows, group_columns = spans[number]
        group = codec.parse_group(streams[number], q, group_rows, group_columns)
        (to_rows, of_rows), (to_columns, of_columns) = _common(rows, group_rows), _common(columns, group_columns)
        values[..., to_rows, to_columns] = codec.entropy.values(group, q).cpu()[..., of_rows, of_columns]
        if progress:
            progress("entropy decoding", (done + 1) / len(wanted))
    quality_map = frame.quality_map
    part = replace(
        frame,
        quality_map=quality_map and quality_map.part(STRIDE * rows.start, STRIDE * columns.start),
        height=min(STRIDE * rows.stop, frame.height) - STRIDE * rows.start,
        width=min(STRIDE * columns.stop, frame.width) - STRIDE * columns.start,
    )
    pixels = codec.picture(values, part, progress)
    top, left = box.top - STRIDE * rows.start, box.left - STRIDE * columns.start
    return np.ascontiguousarray(pixels[top : top + box.height, left : left + box.width])


def _needed(start: int, length: int, latents: int, halo: int) -> slice:
    """The latents along one axis that pixels start .. start + length need."""
    return slice(max(0, start // STRIDE - halo), min(latents, ceil_div(start + length, STRIDE) + halo))


def _meets(span: Span, wanted: slice) -> bool:
    return bool(span.start < wanted.stop and wanted.start < span.stop)


def _common(wanted: slice, span: Span) -> tuple[slice, slice]:
    """The latents that are both wanted and in the span: their place among the wanted ones, and in the span."""
    first, last = max(wanted.start, span.start), min(wanted.stop, span.stop)
    return slice(first - wanted.start, last - wanted.start), slice(first - span.start, last - span.start)
