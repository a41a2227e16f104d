"""Large pictures in tiles: the same result as of the whole picture at once, in bounded memory.

An output of a transform depends on inputs up to `halo` places away. So a tile is read with `halo` places more on each
side, and they are cut off afterwards. At the borders of the picture the tile ends where the picture does, so that the
network's own padding acts there and nowhere else. No output is produced twice.

The result is that of the whole picture within float noise. How a picture is divided by `shares` depends on the number
of threads. Files must not: tests/codec/test_threads.py compares their bytes. Rounding makes that almost certain, but
where the noise of a processor's convolutions isn't zero, a latent in the middle between two integers may be rounded
otherwise. Decoders get the same symbols in any case, because no symbol depends on tiles of the transforms.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lpcodec.codec.arrays import ceil_div

TILE = 1024
"""Side in pixels of a tile for a small network, without its halo."""


@dataclass(frozen=True)
class Span:
    """A tile along one axis: it reads the places `outer_start` to `outer_stop` and produces `start` to `stop`, both
    without their stop."""

    start: int
    stop: int
    outer_start: int
    outer_stop: int

    @property
    def inner(self) -> slice:
        """What is produced, as a slice of what is read."""
        return slice(self.start - self.outer_start, self.stop - self.outer_start)

    @property
    def outer(self) -> slice:
        """What is read, as a slice of the whole."""
        return slice(self.outer_start, self.outer_stop)

    @property
    def core(self) -> slice:
        """What is produced, as a slice of the whole."""
        return slice(self.start, self.stop)

    def scaled(self, factor: int) -> "Span":
        """The same span on a grid that is `factor` times as fine."""
        return Span(*(factor * v for v in (self.start, self.stop, self.outer_start, self.outer_stop)))

    def trimmed(self, halo: int) -> "Span":
        """The same span, which reads at most `halo` more on both sides."""
        first, last = max(self.outer_start, self.start - halo), min(self.outer_stop, self.stop + halo)
        return Span(self.start, self.stop, first, last)

    def place_of(self, other: "Span") -> slice:
        """What `other` reads, counted from `outer_start`."""
        return slice(other.outer_start - self.outer_start, other.outer_stop - self.outer_start)

    def halved(self) -> "Span":
        """The same span on a grid half as fine. It must start at an even place; an odd stop is rounded up."""
        return Span(self.start // 2, ceil_div(self.stop, 2), self.outer_start // 2, ceil_div(self.outer_stop, 2))


def spans(length: int, core: int, halo: int) -> list[Span]:
    """`length` places in tiles of `core` (the last may be shorter), each read with up to `halo` more on each side."""
    return [
        Span(start, min(start + core, length), max(0, start - halo), min(length, start + core + halo))
        for start in range(0, length, core)
    ]


def shares(height: int, width: int, core: int, halo: int, count: int) -> list[tuple[Span, Span]]:
    """The (rows, columns) of tiles for `count` threads, row by row.

    They are as many as those of `grid`, but of nearly equal size. If these are fewer than `count`, the longer side is
    cut into more tiles, so that there is one for each thread; but none is shorter than `halo`.
    """
    rows, columns = ceil_div(height, core), ceil_div(width, core)
    if rows * columns < count:
        if height >= width:
            rows = max(min(ceil_div(count, columns), height // max(halo, 1)), 1)
        else:
            columns = max(min(ceil_div(count, rows), width // max(halo, 1)), 1)
    tall, wide = spans(height, ceil_div(height, rows), halo), spans(width, ceil_div(width, columns), halo)
    return [(one, other) for one in tall for other in wide]


def grid(height: int, width: int, core: int, halo: int) -> Iterator[tuple[Span, Span]]:
    """The (rows, columns) of tiles of `core` x `core` places (the last ones may be smaller), row by row."""
    for rows in spans(height, core, halo):
        for columns in spans(width, core, halo):
            yield rows, columns
