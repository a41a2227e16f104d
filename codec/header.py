"""The header of an .lpc file, after its version byte; container.py specifies it.

Header --header_bytes--> bytes --parse_header--> Header          both refuse by one list: header_faults
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.colour import PLAIN, Rotation
from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.quality import COARSEST, Quality
from lpcodec.codec.varint import read_varint, varint

MAX_SIDE = 2**24


class Kind(IntEnum):
    """How the colours are stored: as a model's latents, or losslessly."""

    MODEL = 0
    STORED = 1


@dataclass(frozen=True)
class Downscaled:
    """How a picture was coded at a smaller size: both sides halved `halvings` times (1 or 2), rounded up each time.

    `number` and `digest` name the network that enlarges the decoded picture; both are 0 for bicubic interpolation.
    """

    halvings: int
    number: int = 0
    digest: bytes = bytes(4)


@dataclass(frozen=True)
class Header:
    """What a decoder must know before it reads any payload. container.py gives the ranges.

    `width` and `height` are those of the picture that is shown. `grey_as_rgb`: R = G = B everywhere, so the picture is
    coded as grey and shown as RGB. `rotation`: how the colours were rotated before coding (colour.py). `downscaled`:
    None if the picture was coded at its own size. `fewer_colours`: the picture is stored, but some of its colours were
    replaced first, so it isn't exactly the original.
    """

    width: int
    height: int
    kind: Kind
    grey: bool
    model_number: int = 0
    model_digest: bytes = bytes(4)
    quality: Quality = COARSEST
    symbols_hash: bytes = bytes(4)
    grey_as_rgb: bool = False
    rotation: Rotation = PLAIN
    downscaled: Downscaled | None = None
    fewer_colours: bool = False

    @property
    def coded_size(self) -> tuple[int, int]:
        """Width and height of the picture that the model coded."""
        return self.size_at(self.downscaled.halvings if self.downscaled else 0)

    def size_at(self, level: int) -> tuple[int, int]:
        """Width and height of the shown picture halved `level` times, rounded up."""
        return ceil_div(self.width, 1 << level), ceil_div(self.height, 1 << level)

    def mode(self, has_alpha: bool) -> str:
        """Pillow's mode of the decoded picture: L, LA, RGB or RGBA."""
        return ("L" if self.grey and not self.grey_as_rgb else "RGB") + ("A" if has_alpha else "")


class Cursor:
    """Reads a file's bytes in order. `what` names the field being read, for the error if the file ends in it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def take(self, length: int, what: str) -> bytes:
        """The next `length` bytes. Raises DamagedFileError if there are fewer."""
        there = len(self._data) - self.position
        if length > there:
            raise DamagedFileError(f"the file was cut short: {what} needs {length} bytes, {there} are there")
        self.position += length
        return self._data[self.position - length : self.position]

    def peek(self) -> int | None:
        """The next byte, without moving past it; None at the end."""
        return self._data[self.position] if self.position < len(self._data) else None

    def before(self, position: int) -> memoryview:
        """All bytes before `position`."""
        return memoryview(self._data)[:position]

    def byte(self, what: str) -> int:
        """The next byte, 0..255. Raises DamagedFileError at the end."""
        return self.take(1, what)[0]

    def varint(self, what: str) -> int:
        """The next varint. Raises DamagedFileError if it is cut short, overlong or not in its shortest form."""
        try:
            return read_varint(lambda: self.byte(what))
        except ValueError as error:
            raise DamagedFileError(f"damaged: {what} is {error}") from error


def header_bytes(header: Header, sections: int) -> bytes:
    """The header's bytes after the version byte, for a file with this many sections."""
    flags = header.kind | header.grey << 2 | header.grey_as_rgb << 3 | sections << 4
    rotated, downscaled = header.rotation != PLAIN, header.downscaled
    more_flags = rotated | (downscaled is not None) << 1 | header.fewer_colours << 2
    body = bytes([flags, more_flags]) + varint(header.width) + varint(header.height)
    if header.kind is Kind.STORED:
        return body
    body += bytes([header.model_number]) + header.model_digest + header.quality.units.to_bytes(2, "little")
    body += header.symbols_hash
    if rotated:
        body += bytes([header.rotation.tilt, header.rotation.direction])
    if downscaled is not None:
        by_network = (downscaled.number, downscaled.digest) != (0, bytes(4))
        body += bytes([downscaled.halvings | by_network << 2])
        body += bytes([downscaled.number]) + downscaled.digest if by_network else b""
    return body


def parse_header(cursor: Cursor) -> tuple[Header, int]:
    """The header after the version byte, and the number of sections. Raises DamagedFileError if it breaks a rule."""
    flags, more_flags = cursor.byte("header"), cursor.byte("header")
    kind, grey, grey_as_rgb, count = flags & 3, bool(flags & 4), bool(flags & 8), flags >> 4
    if kind > Kind.STORED or more_flags >> 3:
        raise DamagedFileError(f"damaged: the flags {flags:#04x} {more_flags:#04x} mean nothing")
    width, height = cursor.varint("width"), cursor.varint("height")
    fewer_colours = bool(more_flags & 4)
    if kind == Kind.STORED:
        if more_flags & 3:
            raise DamagedFileError("damaged: a stored picture has rotated colours, or was coded at a smaller size")
        header = Header(width, height, Kind.STORED, grey, grey_as_rgb=grey_as_rgb, fewer_colours=fewer_colours)
    else:
        header = Header(
            width=width,
            height=height,
            kind=Kind.MODEL,
            grey=grey,
            model_number=cursor.byte("model number"),
            model_digest=cursor.take(4, "model digest"),
            quality=Quality(int.from_bytes(cursor.take(2, "quality"), "little")),
            symbols_hash=cursor.take(4, "hash of the symbols"),
            grey_as_rgb=grey_as_rgb,
            rotation=_read_rotation(cursor) if more_flags & 1 else PLAIN,
            downscaled=_read_downscaled(cursor) if more_flags & 2 else None,
            fewer_colours=fewer_colours,
        )
    for fault in header_faults(header):
        raise DamagedFileError(f"damaged: {fault}")
    return header, count


def _read_rotation(cursor: Cursor) -> Rotation:
    rotation = Rotation(cursor.byte("rotation"), cursor.byte("rotation"))
    if rotation.tilt == 0:
        raise DamagedFileError("damaged: the colours are rotated by nothing")
    return rotation


def _read_downscaled(cursor: Cursor) -> Downscaled:
    flags = cursor.byte("size")
    if flags >> 3 or flags & 3 not in (1, 2):
        raise DamagedFileError(f"damaged: a smaller size of {flags:#04x} means nothing")
    if not flags & 4:
        return Downscaled(flags & 3)
    found = Downscaled(flags & 3, cursor.byte("number of a network"), cursor.take(4, "digest of a network"))
    if (found.number, found.digest) == (0, bytes(4)):
        raise DamagedFileError("damaged: the picture is enlarged by a network without number and digest")
    return found


def header_faults(header: Header) -> Iterator[str]:
    """One text for each rule of the format that the header breaks. Writer and reader both refuse by this list."""
    for name, side in (("width", header.width), ("height", header.height)):
        if not 1 <= side <= MAX_SIDE:
            yield f"{name} {side} is not within 1 to {MAX_SIDE}"
    if not 0 <= header.model_number <= 255:
        yield f"model number {header.model_number} is not within 0 to 255"
    if len(header.model_digest) != 4 or len(header.symbols_hash) != 4:
        yield "the model digest and the hash of the symbols are not 4 bytes each"
    if header.grey_as_rgb and not header.grey:
        yield "a picture in colours can't be grey that is shown as RGB"
    if header.grey and header.rotation != PLAIN:
        yield "a grey picture has no colours to rotate"
    if not (0 <= header.rotation.tilt <= 255 and 0 <= header.rotation.direction <= 255):
        yield f"a rotation by {header.rotation.tilt}, {header.rotation.direction} is not within 0 to 255"
    if header.rotation.tilt == 0 and header.rotation != PLAIN:
        yield "the colours are rotated by nothing"
    if header.downscaled is not None:
        if header.downscaled.halvings not in (1, 2):
            yield f"{header.downscaled.halvings} halvings, not 1 or 2"
        if not 0 <= header.downscaled.number <= 255 or len(header.downscaled.digest) != 4:
            yield "the network that enlarges has no number within 0 to 255, or no digest of 4 bytes"
    if header.fewer_colours and header.kind is not Kind.STORED:
        yield "a picture that isn't stored can't be stored with fewer colours"
    model = (header.model_number, header.quality, header.model_digest, header.symbols_hash)
    if header.kind == Kind.STORED and model != (0, COARSEST, bytes(4), bytes(4)):
        yield "a stored picture names a model, a quality or a hash"
    if header.kind == Kind.STORED and (header.rotation != PLAIN or header.downscaled is not None):
        yield "a stored picture has rotated colours, or was coded at a smaller size"
