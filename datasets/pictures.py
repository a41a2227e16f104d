"""The pictures of a folder, and the digest by which a picture is recognised in any file name and lossless format."""

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
OTHER_SUFFIXES = frozenset({".avif", ".gif", ".heic", ".heif", ".j2k", ".jp2", ".jxl", ".lpc"})
DIGEST_LENGTH = 16
Progress = Callable[[str, float], None]
"""Called with what is being done, in words, and how much of it is done, 0..1."""


def picture_files(folder: Path) -> list[Path]:
    """The pictures in `folder` itself, by name: lossless ones, or JPEG files if there are no others.

    Empty if there are none, or no folder. Raises OSError if the folder can't be read.
    """
    if not folder.is_dir():
        return []
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    lossless = [p for p in files if p.suffix.lower() in LOSSLESS_SUFFIXES]
    return lossless or [p for p in files if p.suffix.lower() in LOSSY_SUFFIXES]


def left_out(folder: Path) -> tuple[str, ...]:
    """What `picture_files` leaves out of a folder, one sentence per kind; empty if it leaves nothing out."""
    taken = {path.suffix.lower() in LOSSLESS_SUFFIXES for path in picture_files(folder)}
    entries = [p for p in sorted(folder.iterdir()) if not p.name.startswith(".")]
    lossy = [p.name for p in entries if True in taken and p.suffix.lower() in LOSSY_SUFFIXES]
    others = [p.name for p in entries if p.is_file() and p.suffix.lower() in OTHER_SUFFIXES]
    folders = [p.name for p in entries if p.is_dir() and picture_files(p)]
    reasons = (
        (lossy, "JPEG files are taken only if a folder has no lossless pictures"),
        (others, f"only {', '.join(sorted(SUFFIXES))} are taken"),
        (folders, "folders inside the folder are not searched"),
    )
    return tuple(f"Left out: {_first(names)} ({reason})." for names, reason in reasons if names)


def _first(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


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


def read_digests(paths: list[Path], read: Reader, progress: Progress | None = None) -> dict[str, str | None]:
    """The digests of picture files by file name; `progress` is called after each."""
    found: dict[str, str | None] = {}
    for path in paths:
        found[path.name] = read_digest(path, read)
        if progress is not None:
            progress(f"{len(found):,} of {len(paths):,} pictures", len(found) / len(paths))
    return found
