"""What Python callers may pass: paths, bytes, open files, PIL images and arrays.

path, bytes, file, PIL image, array --load--> Picture         what `encode` takes
path, bytes, file --read--> bytes                             what `decode`, `info` and `verify` take
"""

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from lpcodec.codec import picture
from lpcodec.codec.errors import FileAccessError, UsageError
from lpcodec.codec.picture import Picture

FileSource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
PictureSource = FileSource | Image.Image | npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_FILES = "a path, bytes, or a file opened in binary mode"
_PICTURES = "a path, bytes, a file opened in binary mode, an image or array"
_CHANNELS = (1, 3, 4)
_READ_AHEAD = 4096
"""Bytes of a remote file that are read ahead: enough for the header and the places of groups."""
_REDUCED = "16-bit input reduced to 8 bit"


def load(source: PictureSource, *, max_pixels: int | None) -> Picture:
    """Read a picture by the rules of docs/pictures.md.

    An array has shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) for grey, RGB and RGBA, and dtype uint8 or uint16.

    Raises:
        LimitError: it has more than `max_pixels` pixels (None: no limit). No pixel is decoded then.
        FileAccessError: the source can't be read as a picture.
        UsageError: the source has a wrong type, or it is an array of another shape or dtype.
    """
    if isinstance(source, Image.Image):
        return picture.load(source, max_pixels=max_pixels)
    if isinstance(source, np.ndarray):
        found = picture.load(_image_of(source), max_pixels=max_pixels)
        return dataclasses.replace(found, notes=(_REDUCED, *found.notes)) if _is_16_bit(source) else found
    if isinstance(source, (str, os.PathLike)):
        return picture.load(_path(source), max_pixels=max_pixels)
    return picture.load(read(source, takes=_PICTURES), max_pixels=max_pixels)


def read(source: FileSource, *, takes: str = _FILES) -> bytes:
    """The bytes of the file of a path, of an open file (from its position to its end), or of a bytes-like object.

    `takes` is what the caller may give, in words for the error.

    Raises:
        FileAccessError: the file can't be read.
        UsageError: `source` has another type.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    try:
        if isinstance(source, (str, os.PathLike)):
            return _path(source).read_bytes()
        data = source.read() if hasattr(source, "read") else None
    except (OSError, ValueError) as error:  # ValueError: a file that was closed, a path with a null character
        name = f"{os.fspath(source)}: " if isinstance(source, (str, os.PathLike)) else ""
        raise FileAccessError(f"{name}{getattr(error, 'strerror', None) or error}") from error
    if not isinstance(data, bytes):
        what = "a file opened as text" if isinstance(data, str) else type(source).__name__
        raise UsageError(f"{what} can't be read: give {takes}")
    return data


def _path(source: str | os.PathLike[str]) -> Path:
    """A path to open. FileAccessError for a URL, UsageError for an empty name, which would be the current folder."""
    name = os.fspath(source)
    if not name:
        raise UsageError("the name of the file is empty")
    if "://" in name and not os.path.lexists(name):
        raise FileAccessError(f"{name}: a URL is only read to decode a region; download the file first")
    return Path(source)


@contextmanager
def opened(source: FileSource) -> Iterator[BinaryIO]:
    """A binary stream that can seek, at the beginning of `source`. A path may be a URL that fsspec knows: http, s3, ...

    Raises:
        FileAccessError, UsageError: as `read`.
    """
    if isinstance(source, str) and "://" in source:
        from lpcodec.codec import storage

        with storage.opened_for_parts(source, _READ_AHEAD) as stream:
            yield stream
    elif isinstance(source, (str, os.PathLike)):
        try:
            stream = open(_path(source), "rb")  # noqa: SIM115 (closed below)
        except (OSError, ValueError) as error:
            raise FileAccessError(f"{os.fspath(source)}: {getattr(error, 'strerror', None) or error}") from error
        with stream:
            yield stream
    elif not isinstance(source, (bytes, bytearray, memoryview)) and _begins_here(source):
        yield source
    else:
        yield BytesIO(read(source))


def _begins_here(source: Any) -> bool:
    """Whether an open file can seek, and is at its beginning."""
    try:
        return bool(source.seekable() and source.tell() == 0 and isinstance(source.read(0), bytes))
    except (AttributeError, OSError, ValueError):
        return False


def _is_16_bit(array: npt.NDArray[Any]) -> bool:
    """Whether its values are uint16, in any byte order."""
    return array.dtype.newbyteorder("=") == np.uint16


def _image_of(array: npt.NDArray[Any]) -> Image.Image:
    planes = array[..., None] if array.ndim == 2 else array
    if planes.ndim != 3 or planes.shape[2] not in _CHANNELS or 0 in planes.shape:
        raise UsageError(
            f"an array of shape {array.shape} is no picture: (H, W), (H, W, 1), (H, W, 3) and (H, W, 4) are"
        )
    if _is_16_bit(planes):
        planes = ((planes.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif planes.dtype != np.uint8:
        raise UsageError(f"an array of {array.dtype} is no picture: give uint8 or uint16")
    return Image.fromarray(np.ascontiguousarray(planes[..., 0] if planes.shape[2] == 1 else planes))
