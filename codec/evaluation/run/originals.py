"""The pictures to measure with, read from a folder.

folder --picture_paths--> paths by name --load_original--> Original: pixels and their digest
"""

from dataclasses import dataclass
from pathlib import Path

from lpcodec.codec.arrays import Pixels
from lpcodec.codec.picture import load_rgb
from lpcodec.datasets.pictures import SUFFIXES, picture_files, pixel_digest


@dataclass(frozen=True)
class Original:
    """A picture to measure with: uint8 (H, W, 3), the digest of its size and pixels, and what reading it changed."""

    name: str
    pixels: Pixels
    digest: str
    notes: tuple[str, ...] = ()


def picture_paths(folder: Path, count: int | None = None) -> dict[str, Path]:
    """The pictures of a folder by name, in order of it (the first `count` of them).

    Lossless formats, or JPEG files if there are no others. A name is a file's stem, or its whole name if two files have
    the same stem. ValueError if there are no pictures, OSError if the folder can't be read.
    """
    paths = picture_files(folder)
    if not paths:
        raise ValueError(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {folder}")
    stems = [p.stem for p in paths]
    return {(p.stem if stems.count(p.stem) == 1 else p.name): p for p in paths[:count]}


def load_original(path: Path, name: str) -> Original:
    """A picture as RGB, by the rules of docs/pictures.md. FileAccessError if it can't be read."""
    picture = load_rgb(path)
    return Original(name, picture.pixels, pixel_digest(picture.pixels), picture.notes)


def load_originals(folder: Path, count: int | None = None) -> list[Original]:
    """The pictures of a folder in order of name (the first `count` of them) as RGB. ValueError if there
    are none."""
    return [load_original(path, name) for name, path in picture_paths(folder, count).items()]
