"""Cells of a picture that are stored instead of coded: flat areas, text, drawings, parts of screens.

```
encoder:  pixels --cell_choice.py--> Cells --to_bytes--> CELLS section
          pixels, Cells --smoothed--> pixels without the stored parts --> the learned codec
decoder:  CELLS section --from_bytes--> Cells;  decoded pixels, Cells --pasted--> pixels
```

A cell is a square of 16 pixels a side, the place of one latent. At the right and bottom the picture may cut cells off.
Stored cells show exactly the pixels of the section, whatever the codec decodes at their place.

Payload of a CELLS section:

    v       length of the map in bytes, 1 or more
            the map: which cells are stored, a bit each, row by row, as raw deflate (the first cell in a byte's top bit;
              a row starts at a new byte; each row but the first is XORed with the one above; spare bits are 0)
            the picture, as in a STORED section (lossless.py): the pixels of the stored cells, anything elsewhere

Refused as damaged: a map of another size, one with spare bits set, one with no stored cell, and a picture that isn't
one of this size.
"""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt

from lpcodec.codec import container, lossless
from lpcodec.codec.arrays import Pixels, ceil_div
from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.fill import filled
from lpcodec.codec.varint import read_varint, varint

CELL = 16
"""Side of a cell in pixels."""

Map = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cells:
    """Which cells are stored, bool (ceil(H/16), ceil(W/16)), and pixels, uint8 (H, W, C).

    Only the pixels of stored cells are shown. The others are written too, so they should be cheap.
    """

    stored: Map
    pixels: Pixels


def grid_size(height: int, width: int) -> tuple[int, int]:
    """The number of rows and columns of cells of a picture."""
    return ceil_div(height, CELL), ceil_div(width, CELL)


def by_pixel(cells: Map, height: int, width: int) -> Map:
    """A map of cells as a map of pixels, bool (H, W)."""
    return cells.repeat(CELL, 0)[:height].repeat(CELL, 1)[:, :width]


def smoothed(pixels: Pixels, cells: Cells) -> Pixels:
    """Return pixels (H, W, C) with the stored cells replaced by a smooth continuation of the others: few bits."""
    return filled(pixels, ~by_pixel(cells.stored, *pixels.shape[:2]))


def pasted(decoded: Pixels, cells: Cells) -> Pixels:
    """Put the pixels of the stored cells into `decoded`, (H, W, C), and return it."""
    for row, stored in enumerate(cells.stored):
        if stored.any():
            rows = slice(CELL * row, CELL * (row + 1))
            columns = stored.repeat(CELL)[: decoded.shape[1]]
            decoded[rows, columns] = cells.pixels[rows, columns]
    return decoded


def to_bytes(cells: Cells) -> bytes:
    """The payload of a CELLS section. Raises ValueError if no cell is stored."""
    if not cells.stored.any():
        raise ValueError("no cell is stored: such a picture has no CELLS section")
    rows = np.packbits(cells.stored, axis=1)
    rows[1:] ^= rows[:-1].copy()
    packed = container.deflated(rows.tobytes())
    return varint(len(packed)) + packed + lossless.stored_to_bytes(cells.pixels)


def from_bytes(payload: bytes, width: int, height: int, grey: bool) -> Cells:
    """The inverse of `to_bytes`. Raises DamagedFileError if the payload isn't one for a picture of this size.

    The sizes that the map and the picture declare are checked before anything is decoded.
    """
    stream = BytesIO(payload)
    try:
        packed = stream.read(read_varint(lambda: stream.read(1)[0]))
    except (IndexError, ValueError) as error:
        raise DamagedFileError("cells: the map has no length") from error
    h, w = grid_size(height, width)
    row_bytes = ceil_div(w, 8)
    raw = container.inflate(packed, h * row_bytes, "cells")
    if len(raw) != h * row_bytes:
        raise DamagedFileError(f"cells: a map of {len(raw)} bytes for {w} x {h} cells")
    rows = np.bitwise_xor.accumulate(np.frombuffer(raw, np.uint8).reshape(h, row_bytes), 0)
    bits = np.unpackbits(rows, axis=1).astype(bool)
    if bits[:, w:].any() or not bits.any():
        raise DamagedFileError("cells: a map with cells outside the picture, or with none")
    return Cells(bits[:, :w], lossless.stored_from_bytes(stream.read(), width, height, grey))
