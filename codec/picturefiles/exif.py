"""EXIF blocks (TIFF structures): reading, turning, and the resolution.

Most changes keep every other byte in its place, because a maker's notes point at places in the block. Only a new tag
needs a new first directory, which is put at the end of the block.
"""

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from PIL import ExifTags, Image

PREFIX = b"Exif\x00\x00"
ORIENTATION = int(ExifTags.Base.Orientation)
SIDEWAYS = (5, 6, 7, 8)
"""Orientations that exchange width and height."""
_TIFF_TAGS = (270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432, 40091, 40092, 40093, 40094, 40095)
"""The tags of a TIFF file's first directory that describe the picture; the others are its layout."""
_FOLDERS = (int(ExifTags.IFD.Exif), int(ExifTags.IFD.GPSInfo))
_WIDTH, _HEIGHT, _X_RESOLUTION, _Y_RESOLUTION, _UNIT = 256, 257, 282, 283, 296
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003
_NO_UNIT, _INCH, _CENTIMETRE = 1, 2, 3
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_WIDTHS = {1: 1, _SHORT: 2, _LONG: 4}
_MOST_ENTRIES = 2**16 - 4
_USUAL_DPI = 72
"""The resolution of EXIF without one."""

Resolution = tuple[float, float]


@dataclass(frozen=True)
class _Entry:
    """One 12-byte entry of a directory: where it is in the block, its tag, type and count."""

    place: int
    tag: int
    kind: int
    count: int


class _Block:
    """A TIFF structure that can be changed; numbers are in its own byte order."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
        self.struct_order = "<" if self.order == "little" else ">"

    def number(self, place: int, length: int) -> int:
        """The whole number of `length` bytes at a place."""
        return int.from_bytes(self.data[place : place + length], self.order)

    @property
    def first(self) -> int:
        """Where the first directory begins."""
        return self.number(4, 4)

    def entries(self, directory: int) -> Iterator[_Entry]:
        """The entries of the directory that begins at a place, as far as they are in the block."""
        end = min(directory + 2 + 12 * self.number(directory, 2), len(self.data) - 11)
        for place in range(directory + 2, end, 12):
            yield _Entry(place, self.number(place, 2), self.number(place + 2, 2), self.number(place + 4, 4))

    def value(self, entry: _Entry) -> int | None:
        """A single whole number that is in the entry itself; None for anything else."""
        width = _WIDTHS.get(entry.kind, 0)
        return self.number(entry.place + 8, width) if entry.count == 1 and width else None

    def set_value(self, entry: _Entry, value: int) -> None:
        """Change a value of the kind that `value` returns."""
        width = _WIDTHS[entry.kind]
        self.data[entry.place + 8 : entry.place + 8 + width] = value.to_bytes(width, self.order)

    def exchange(self, directory: int, one: int, other: int) -> None:
        """Exchange the values of two tags of a directory, such as width and height, if both are there."""
        found = {entry.tag: entry for entry in self.entries(directory) if entry.tag in (one, other)}
        if len(found) != 2:
            return
        first, second = found[one], found[other]
        if self.value(first) is not None and self.value(second) is not None:
            # Their types too: one may be a SHORT, too narrow for the value of the other, a LONG.
            start, end = slice(first.place + 2, first.place + 12), slice(second.place + 2, second.place + 12)
            self.data[start], self.data[end] = self.data[end], self.data[start]

    def drop_thumbnail(self) -> None:
        """Unlink the second directory, and fill its picture with zeros, which compress to nothing."""
        link = self.first + 2 + 12 * self.number(self.first, 2)
        second = self.number(link, 4) if link + 4 <= len(self.data) else 0
        if not second:
            return
        values = {entry.tag: self.value(entry) or 0 for entry in self.entries(second)}
        start, length = values.get(513, 0), values.get(514, 0)
        if start >= 8 and start + length <= len(self.data):
            self.data[start : start + length] = bytes(length)
        self.data[link : link + 4] = bytes(4)


def read(image: Image.Image) -> tuple[bytes | None, int | None]:
    """The picture's EXIF without JPEG's prefix, and the orientation that it names, or None; both unchanged.

    Raises ValueError if it isn't a TIFF structure, and whatever Pillow's parser raises for a damaged one.
    """
    raw = image.info.get("exif")
    raw = re.sub(rb"\A(?:Exif\x00\x00){1,2}", b"", raw if isinstance(raw, bytes) else b"")
    if not raw:
        return _rebuilt(image)
    if raw[:4] not in {b"II*\0", b"MM\0*"}:
        raise ValueError("not a TIFF structure")
    block = _Block(raw)
    named = [block.value(entry) for entry in block.entries(block.first) if entry.tag == ORIENTATION]
    return raw, next((value for value in reversed(named) if value is not None), None)


def turned_by_decoder(image: Image.Image) -> bool:
    """Whether the pixels are upright whatever orientation the EXIF names.

    In JPEG XL the codestream has the orientation, and a decoder obeys it; that of the EXIF doesn't count (ISO/IEC
    18181-2). The exception is a JPEG that the plugin restores from its JPEG XL file: that is a JPEG again.
    """
    return image.format == "JXL" and not getattr(image, "jpeg", False)


@contextmanager
def _without_odd_xmp(image: Image.Image) -> Iterator[None]:
    """Take XMP of a type that no file gives out of `info` for a while: Pillow searches XMP for the orientation, and its
    search fails for text in place of bytes, or bytes in place of text."""
    kinds = {"xmp": bytes, "XML:com.adobe.xmp": str}
    odd = {key: image.info.pop(key) for key, kind in kinds.items() if not isinstance(image.info.get(key, kind()), kind)}
    try:
        yield
    finally:
        image.info.update(odd)


def _rebuilt(image: Image.Image) -> tuple[bytes | None, int | None]:
    """EXIF and orientation from elsewhere than a block: a TIFF's tags, a PNG's text, tags set by hand."""
    with _without_odd_xmp(image):
        found = image.getexif()
    kept, is_tiff = Image.Exif(), hasattr(image, "tag_v2")
    for tag, value in found.items():
        if tag not in {ORIENTATION, *_FOLDERS} and (tag in _TIFF_TAGS or not is_tiff):
            kept[tag] = value
    for folder in _FOLDERS:
        if inner := found.get_ifd(folder):
            kept[folder] = inner
    return (kept.tobytes().removeprefix(PREFIX) if len(kept) else None), found.get(ORIENTATION)


def upright(exif: bytes, orientation: int | None) -> bytes:
    """The block for the picture after it was turned as `orientation` says.

    The orientation becomes 1. If the picture was turned, the thumbnail, which wasn't, is left out. If width and height
    were exchanged, so are the block's own dimensions and resolutions. No other byte changes.
    """
    block = _Block(exif)
    for entry in block.entries(block.first):
        if entry.tag == ORIENTATION and block.value(entry) is not None:
            block.set_value(entry, 1)
    if orientation in range(2, 9):
        block.drop_thumbnail()
    if orientation in SIDEWAYS:
        block.exchange(block.first, _WIDTH, _HEIGHT)
        _exchange_resolutions(block)
        for entry in list(block.entries(block.first)):
            if entry.tag == int(ExifTags.IFD.Exif) and (inner := block.value(entry)):
                block.exchange(inner, _PIXEL_WIDTH, _PIXEL_HEIGHT)
    return bytes(block.data)


def _exchange_resolutions(block: _Block) -> None:
    """Exchange the resolutions along both axes, if both are there: their values are outside the directory."""
    places = {
        entry.tag: block.number(entry.place + 8, 4)
        for entry in block.entries(block.first)
        if entry.tag in (_X_RESOLUTION, _Y_RESOLUTION) and (entry.kind, entry.count) == (_RATIONAL, 1)
    }
    if len(places) == 2 and max(places.values()) + 8 <= len(block.data):
        x, y = (slice(place, place + 8) for place in places.values())
        if x != y:
            block.data[x], block.data[y] = block.data[y], block.data[x]


def with_resolution(exif: bytes | None, image: Image.Image, sideways: bool) -> bytes | None:
    """The block with the resolution that the file gives outside it (PNG's pHYs, JPEG's JFIF), if it has none itself.

    Nothing is added for 72 dpi, which EXIF without a resolution means, nor for square pixels of unknown size.
    """
    found = _resolution_outside(image)
    if found is None:
        return exif
    (x, y), unit = found
    if sideways:
        x, y = y, x
    block = _Block(exif or b"II*\0\x08\0\0\0\0\0\0\0\0\0")
    present = {entry.tag for entry in block.entries(block.first)}
    if present & {_X_RESOLUTION, _Y_RESOLUTION}:
        return exif
    return _with_entries(block, x, y, unit, present)


def _with_entries(block: _Block, x: float, y: float, unit: int, present: set[int]) -> bytes:
    """The block with a new first directory, the old one with the resolution added, at its end; or after the header, if
    the old directory is empty. `present` are the tags of the old one."""
    order, count = block.struct_order, block.number(block.first, 2)
    old = bytes(block.data[block.first + 2 : block.first + 2 + 12 * count])
    link = bytes(block.data[block.first + 2 + 12 * count :][:4])  # the place of the second directory
    if len(link) < 4 or count > _MOST_ENTRIES:  # a damaged directory: it is kept as it is
        return bytes(block.data)
    if not count:
        del block.data[8:]
    block.data += bytes(len(block.data) % 2)  # directories begin at even places
    start = len(block.data)
    added = 2 + (_UNIT not in present)
    values = start + 2 + 12 * (count + added) + 4  # the resolutions follow the directory
    new = [struct.pack(f"{order}HHII", _X_RESOLUTION, _RATIONAL, 1, values)]
    new += [struct.pack(f"{order}HHII", _Y_RESOLUTION, _RATIONAL, 1, values + 8)]
    if _UNIT not in present:
        new.append(struct.pack(f"{order}HHIHH", _UNIT, _SHORT, 1, unit, 0))
    entries = [*(old[i : i + 12] for i in range(0, len(old), 12)), *new]
    entries.sort(key=lambda entry: int.from_bytes(entry[:2], block.order))  # by tag, as TIFF wants them
    fractions = (Fraction(value).limit_denominator(1000) for value in (x, y))
    numbers = b"".join(struct.pack(f"{order}II", f.numerator, f.denominator) for f in fractions)
    block.data[4:8] = start.to_bytes(4, block.order)
    return bytes(block.data) + struct.pack(f"{order}H", count + added) + b"".join(entries) + link + numbers


def _resolution_outside(image: Image.Image) -> tuple[Resolution, int] | None:
    """The resolution that Pillow found outside the EXIF, and its unit; None if it adds nothing to the EXIF."""
    if hasattr(image, "tag_v2"):  # a TIFF's resolution is in its tags, which are kept
        return None
    dpi, unit = image.info.get("dpi"), _INCH
    if dpi is None:
        dpi, unit = image.info.get("aspect") or image.info.get("jfif_density"), _NO_UNIT
    try:
        x, y = (float(Fraction(value).limit_denominator(1000)) for value in dpi or ())
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    if not (0 < x < 2**20 and 0 < y < 2**20):
        return None
    if unit == _INCH:
        x, y = (round(value) if abs(value - round(value)) < 0.02 else value for value in (x, y))
    needless = x == y if unit == _NO_UNIT else x == y == _USUAL_DPI
    return None if needless else ((x, y), unit)


def resolution(exif: bytes) -> Resolution | None:
    """The resolution that a block names, in pixels per inch (x, y); None if it names none."""
    found = Image.Exif()
    try:
        found.load(exif)
        unit, x, y = found.get(_UNIT, _INCH), float(found[_X_RESOLUTION]), float(found[_Y_RESOLUTION])
    except Exception:  # Pillow's parser, on damaged directories
        return None
    scale = {_INCH: 1.0, _CENTIMETRE: 2.54}.get(unit)
    return None if scale is None or not (0 < x < 2**20 and 0 < y < 2**20) else (x * scale, y * scale)
