"""Training patches: pictures are decoded once, kept whole in device memory, and cropped and turned there.

```
folder or .tar shards --Reader--> uint8 pixels, one flat tensor --one gather per batch--> (B, 3, P, P) floats in 0..1
```

A training step needs no loader processes and no copies from the host: a batch is one indexed read of the flat tensor.
So the same code feeds a CPU and a GPU.
"""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lpcodec.datasets import pictures
from lpcodec.datasets.guard import Guard
from lpcodec.datasets.pictures import Reader

SUFFIXES = pictures.SUFFIXES | {".avif"}
HELD_OUT_EVERY = 48
"""Every 48th picture is held out of training and used for validation."""
_NAMED = 50
"""At most this many unreadable files are named in one message."""


class NoPicturesError(ValueError):
    """A data folder without a picture that is large enough."""


def read_pictures(root: Path, read: Reader, unreadable: list[str] | None = None) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, pixels uint8 (H, W, 3)) for every picture below `root`, in a stable order.

    Pictures inside .tar files are found too. `root` may be a folder, a .tar file or a picture. Files and folders with a
    dot at the start of their name are left out. A file that can't be read is an error; or, if `unreadable` is given, it
    is described there, and the others are read.

    Raises:
        OSError: a file can't be read or is broken; the text names it.
    """
    if not root.exists():
        raise FileNotFoundError(f"{root}: no such file or folder")
    files = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
    for path in files:
        name = str(path.relative_to(root)) if path != root else path.name
        if path != root and _hidden(name):
            continue
        try:
            if path.suffix.lower() == ".tar":
                for inside, data in _tar_members(path, name):
                    yield from _rgb(f"{name}/{inside}", data, read, unreadable)
            elif path.suffix.lower() in SUFFIXES:
                yield from _rgb(name, path, read, unreadable)
        except OSError as error:
            if unreadable is None:
                raise
            unreadable.append(str(error))


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in Path(name).parts)


def _tar_members(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                wanted = Path(member.name).suffix.lower() in SUFFIXES and not _hidden(member.name.removeprefix("./"))
                if member.isfile() and wanted:
                    stream = tar.extractfile(member)
                    if stream is not None:
                        yield member.name, stream.read()
    except tarfile.TarError as error:
        raise OSError(f"{name}: not a whole tar file: {error}") from error


def _rgb(
    name: str, source: Path | bytes, read: Reader, unreadable: list[str] | None
) -> Iterator[tuple[str, np.ndarray]]:
    """The picture of a file; none if it can't be read and is described in `unreadable`."""
    try:
        pixels = read(source.read_bytes() if isinstance(source, Path) else source)
    except OSError as error:
        text = f"{name}: not a whole picture: {error.strerror or error}"
        if unreadable is None:
            raise OSError(text) from error
        unreadable.append(text)
    else:
        yield name, pixels


class PictureStore:
    """Pictures in one flat uint8 tensor of pixels (N, 3), with the place and the size of each.

    `smallest` is the shorter side of the smallest picture: patches can't be larger.
    """

    def __init__(self, pictures: list[np.ndarray], device: str | torch.device = "cpu") -> None:
        if not pictures:
            raise NoPicturesError("no pictures to train on")
        sizes = np.array([p.shape[:2] for p in pictures], dtype=np.int64)
        self.heights = torch.from_numpy(sizes[:, 0].copy()).to(device)
        self.widths = torch.from_numpy(sizes[:, 1].copy()).to(device)
        areas = sizes[:, 0] * sizes[:, 1]
        self.starts = torch.from_numpy(np.concatenate([[0], np.cumsum(areas)[:-1]])).to(device)
        self.pixels = torch.from_numpy(np.concatenate([p.reshape(-1, 3) for p in pictures])).to(device)
        self.weights = torch.from_numpy(areas.astype(np.float64)).to(device)
        self.smallest = int(sizes.min())
        self.device = torch.device(device)

    def __len__(self) -> int:
        return len(self.starts)

    def batch(self, count: int, size: int, generator: torch.Generator) -> Tensor:
        """Return `count` random square patches, (count, 3, size, size) float32 in 0..1, channels_last.

        Pictures are drawn in proportion to their area; each patch is flipped, mirrored and transposed at random.
        Raises ValueError if the smallest picture is smaller than the patches.
        """
        if size > self.smallest:
            raise ValueError(f"patches of {size} don't fit the smallest picture ({self.smallest} pixels)")
        dev = self.device
        which = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        place = torch.rand(2, count, generator=generator, device=dev, dtype=torch.float64)
        top = (place[0] * (self.heights[which] - size + 1)).long()
        left = (place[1] * (self.widths[which] - size + 1)).long()
        turn = torch.randint(0, 2, (3, count, 1), generator=generator, device=dev)
        steps = torch.arange(size, device=dev).expand(count, size)
        rows = torch.where(turn[0] == 1, size - 1 - steps, steps) + top[:, None]
        cols = torch.where(turn[1] == 1, size - 1 - steps, steps) + left[:, None]
        index = (rows * self.widths[which][:, None])[:, :, None] + cols[:, None, :] + self.starts[which][:, None, None]
        index = torch.where(turn[2][:, :, None] == 1, index.transpose(1, 2), index)
        patches = self.pixels[index.reshape(-1)].reshape(count, size, size, 3)
        return patches.permute(0, 3, 1, 2).float().div_(255.0)


class Stores(NamedTuple):
    """The pictures of a data folder to train on and held out, and how many were left out because they are too small."""

    train: PictureStore
    held: PictureStore
    too_small: int


def load_stores(root: Path, smallest: int, read: Reader, device: str | torch.device = "cpu") -> Stores:
    """Decode all pictures below `root` with both sides of at least `smallest` pixels.

    Raises:
        EvaluationPictureError: one of them belongs to an evaluation set (guard.py).
        NoPicturesError: fewer than two pictures are there.
        OSError: there is no such folder, or files in it can't be read or are broken; the text names all of them.
    """
    train: list[np.ndarray] = []
    held: list[np.ndarray] = []
    unreadable: list[str] = []
    too_small = 0
    guard = Guard()
    for name, pixels in read_pictures(root, read, unreadable):
        if min(pixels.shape[:2]) < smallest:
            too_small += 1
            continue
        guard.check(name, pixels)
        if not unreadable:
            (held if (len(train) + len(held)) % HELD_OUT_EVERY == 0 else train).append(pixels)
    if unreadable:
        raise OSError(_all_of(unreadable))
    if not train or not held:
        words = f"{root}: fewer than two pictures of at least {smallest} pixels a side"
        raise NoPicturesError(words + (f" ({too_small} are smaller)" if too_small else ""))
    return Stores(PictureStore(train, device), PictureStore(held, device), too_small)


def _all_of(unreadable: list[str]) -> str:
    if len(unreadable) == 1:
        return unreadable[0]
    more = len(unreadable) - _NAMED
    listed = "; ".join(unreadable[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
    return f"{len(unreadable)} files can't be read: {listed}"
