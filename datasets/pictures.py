"""The pictures of a folder, and the digest by which one is recognised whatever its file is called or coded with."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Reader: TypeAlias = "Callable[[Path | bytes], NDArray[np.uint8]]"
"""Reads one picture file as RGB, uint8 (H, W, 3). Raises OSError if it isn't a whole picture."""

LOSSLESS_SUFFIXES = frozenset({".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm"})
LOSSY_SUFFIXES = frozenset({".jpg", ".jpeg"})
SUFFIXES = LOSSLESS_SUFFIXES | LOSSY_SUFFIXES
DIGEST_LENGTH = 16


def picture_files(folder: Path) -> list[Path]:
    """The pictures that lie in `folder` itself, by name: lossless ones, or JPEG files where there are no others.

    Empty where there are none, or no folder. Raises OSError where the folder can't be read.
    """
    if not folder.is_dir():
        return []
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    lossless = [p for p in files if p.suffix.lower() in LOSSLESS_SUFFIXES]
    return lossless or [p for p in files if p.suffix.lower() in LOSSY_SUFFIXES]


def pixel_digest(pixels: "NDArray[Any]") -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a picture's shape and pixels, uint8 (H, W, 3)."""
    import numpy as np

    hashed = hashlib.sha256(repr(pixels.shape).encode())
    hashed.update(np.ascontiguousarray(pixels).data)
    return hashed.hexdigest()[:DIGEST_LENGTH]


def read_digest(path: Path, read: Reader) -> str | None:
    """The digest of a picture file as RGB; None if it can't be read as a picture."""
    try:
        return pixel_digest(read(path))
    except OSError:
        return None


def read_digests(
    paths: list[Path], read: Reader, tell: Callable[[int, int], None] | None = None
) -> dict[str, str | None]:
    """The digests of picture files by file name; `tell` is called with (how many are done, of how many)."""
    found: dict[str, str | None] = {}
    for path in paths:
        found[path.name] = read_digest(path, read)
        if tell is not None:
            tell(len(found), len(paths))
    return found
