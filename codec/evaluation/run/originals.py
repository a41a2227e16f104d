"""The pictures to measure with, read from a folder.

folder --choose--> Originals: paths by name --load_original--> Original: pixels and their digest
                                            --describe--> what the report says of each, or why it can't be read
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from lpcodec.codec.arrays import Pixels
from lpcodec.codec.errors import FileAccessError
from lpcodec.codec.evaluation.run.results import Failure, PictureAbout
from lpcodec.codec.evaluation.run.workers import one_line
from lpcodec.codec.picture import load_rgb
from lpcodec.datasets.pictures import SUFFIXES, picture_files, pixel_digest


@dataclass(frozen=True)
class Original:
    """A picture to measure with: uint8 (H, W, 3), the digest of its size and pixels, and what reading it changed."""

    name: str
    pixels: Pixels
    digest: str
    notes: tuple[str, ...] = ()

    @property
    def about(self) -> PictureAbout:
        """What a report says of it."""
        height, width = self.pixels.shape[:2]
        return PictureAbout(self.name, self.digest, width, height, self.notes)


class Originals(Mapping[str, Original]):
    """Pictures by name, read from the disk when they are asked for: a set may not fit into memory."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self.paths = paths

    def __getitem__(self, name: str) -> Original:
        return load_original(self.paths[name], name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)


def choose(folder: Path, only: Set[str] | None = None, limit: int | None = None) -> Originals:
    """The pictures of a folder, in order of name: those named in `only` (None: all), the first `limit` (None: all).

    Lossless formats are taken, or JPEG files if there are no others. A picture's name is its file's stem, or the whole
    file name if two files have the same stem. FileAccessError if there are no pictures, or the folder can't be read.
    """
    try:
        paths = picture_files(folder)
    except OSError as error:
        raise FileAccessError(f"{folder}: {error.strerror or error}") from error
    if not paths:
        raise FileAccessError(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {folder}")
    stems = Counter(path.stem for path in paths)
    named = {path.stem if stems[path.stem] == 1 else path.name: path for path in paths}
    chosen = {name: path for name, path in named.items() if only is None or name in only}
    if not chosen:
        raise FileAccessError(f"{folder}: none of the pictures that are asked for is there")
    return Originals(dict(list(chosen.items())[:limit]))


def describe(originals: Originals) -> tuple[list[PictureAbout], list[Failure]]:
    """The pictures that can be read, and the others as failures. Reads every picture once."""
    pictures, failures = [], []
    for name in originals:
        try:
            pictures.append(originals[name].about)
        except Exception as error:  # Pillow raises many kinds
            failures.append(Failure(f"the picture can't be read: {one_line(error)}", picture=name))
    return pictures, failures


def load_original(path: Path, name: str) -> Original:
    """A picture as RGB, by the rules of docs/pictures.md. FileAccessError if it can't be read."""
    picture = load_rgb(path)
    return Original(name, picture.pixels, pixel_digest(picture.pixels), picture.notes)
