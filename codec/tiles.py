"""Large pictures in tiles: the same result as the whole picture at once, in bounded memory.

The receptive field of a transform reaches `halo` units past each output. On a tile enlarged by `halo`, with the margin
cut off afterwards, the transform gives the same as on the whole grid, within float noise. At the borders of the picture
the tile ends with the picture, so the network's own padding acts only there. No sample is produced twice, and the file
doesn't depend on the tiling.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lpcodec.codec.arrays import ceil_div

TILE = 1024
"""Side, in pixels, of the part of a picture that a small network works on at once, halo apart."""


@dataclass(frozen=True)
class Span:
    """A tile along one axis: it produces `start..stop` and reads `outer_start..outer_stop`."""

    start: int
    stop: int
    outer_start: int
    outer_stop: int

    @property
    def inner(self) -> slice:
        """The produced part, counted from `outer_start`."""
        return slice(self.start - self.outer_start, self.stop - self.outer_start)

    @property
    def outer(self) -> slice:
        return slice(self.outer_start, self.outer_stop)

    @property
    def core(self) -> slice:
        return slice(self.start, self.stop)

    def scaled(self, factor: int) -> "Span":
        """The same span in units `factor` times finer."""
        return Span(*(factor * v for v in (self.start, self.stop, self.outer_start, self.outer_stop)))

    def halved(self) -> "Span":
        """The same span in units twice as coarse; it must start at an even position and may stop at an odd one."""
        return Span(self.start // 2, ceil_div(self.stop, 2), self.outer_start // 2, ceil_div(self.outer_stop, 2))


def spans(length: int, core: int, halo: int) -> list[Span]:
    """Cut `length` into cores of `core` (the last one shorter), each read with up to `halo` more on both sides."""
    return [
        Span(start, min(start + core, length), max(0, start - halo), min(length, start + core + halo))
        for start in range(0, length, core)
    ]


def shares(height: int, width: int, core: int, halo: int, count: int) -> list[tuple[Span, Span]]:
    """The tiles of `grid` evened out, or in thinner bands if they are fewer than `count`, down to cores of `halo`."""
    rows, columns = ceil_div(height, core), ceil_div(width, core)
    if rows * columns < count:
        if height >= width:
            rows = max(min(ceil_div(count, columns), height // max(halo, 1)), 1)
        else:
            columns = max(min(ceil_div(count, rows), width // max(halo, 1)), 1)
    tall, wide = spans(height, ceil_div(height, rows), halo), spans(width, ceil_div(width, columns), halo)
    return [(one, other) for one in tall for other in wide]


def grid(height: int, width: int, core: int, halo: int) -> Iterator[tuple[Span, Span]]:
    """Yield the (rows, columns) spans of all tiles of a `height` x `width` grid, row by row."""
    for rows in spans(height, core, halo):
        for columns in spans(width, core, halo):
            yield rows, columns
