"""Our limit on pixels in place of Pillow's, which is a global, while a picture is read."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

_TILE_PIXELS = 2**22
"""The lowest limit: Pillow also applies the limit to tiles, which may be larger than a small picture."""


class _Ceiling(int):
    """A value for Pillow's pixel limit. Pillow warns above the limit and raises an error above twice the limit; this
    one doubles to itself, so that Pillow never only warns."""

    def __rmul__(self, factor: int) -> int:
        return int(self)


_guard = threading.Lock()
_ceilings: list[int | None] = []
_pillows_own: int | None = None


@contextmanager
def pixel_ceiling(max_pixels: int | None) -> Iterator[None]:
    """Put our limit in place of Pillow's own, which is a global: of several threads' limits the loosest holds.

    `max_pixels` None is no limit. Pillow raises Image.DecompressionBombError for a larger picture, also for one inside
    a file that declares a smaller one.
    """
    global _pillows_own

    def apply() -> None:
        finite = [ceiling for ceiling in _ceilings if ceiling is not None]
        loosest = _Ceiling(max(finite)) if finite and len(finite) == len(_ceilings) else None
        Image.MAX_IMAGE_PIXELS = loosest if _ceilings else _pillows_own

    ceiling = None if max_pixels is None else max(max_pixels, _TILE_PIXELS)
    with _guard:
        if not _ceilings:
            _pillows_own = Image.MAX_IMAGE_PIXELS
        _ceilings.append(ceiling)
        apply()
    try:
        yield
    finally:
        with _guard:
            _ceilings.remove(ceiling)
            apply()


def _forget_other_threads() -> None:
    """In a forked child: the pictures that the parent's threads are reading aren't read here."""
    if _ceilings:
        _ceilings.clear()
        Image.MAX_IMAGE_PIXELS = _pillows_own
    _guard.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_forget_other_threads)


def one_line(error: Exception) -> str:
    """An exception's text on one line; its class if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
