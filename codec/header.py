"""The header of an .lpc file, after its version byte; container.py specifies it.

Header --header_bytes--> bytes --read_header--> Header          both refuse by one list: header_faults
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from lpcodec.codec.colour import PLAIN, Rotation
from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.quality import COARSEST, Quality
from lpcodec.codec.varint import read_varint, varint

MAX_SIDE = 2**24


class Kind(IntEnum):
    """How the colours are held: as a model's latents, or losslessly because coding would not pay."""

    MODEL = 0
    STORED = 1


@dataclass(frozen=True)
class Smaller:
    """A picture that was coded at a smaller size: both sides halved, rounding up, once or twice (`halvings`).

    A network of this number and digest enlarges it again; number 0 and digest 0 mean bicubic interpolation.
    """

    halvings: int
    number: int = 0
    digest: bytes = bytes(4)


@dataclass(frozen=True)
class Header:
    """What a decoder must know before it reads any payload; ranges as in container.py.

    `grey_as_rgb`: the picture is coded as grey, because R = G = B everywhere, and is shown as RGB. `rotation`: the
    colours' own axes. `smaller`: None for a picture that was coded at its own size. `fewer_colours`: a stored picture
    isn't exactly the one that was encoded.
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
    smaller: Smaller | None = None
    fewer_colours: bool = False

    @property
    def coded_size(self) -> tuple[int, int]:
        """Width and height that the model coded."""
        halvings = self.smaller.halvings if self.smaller else 0
        return -(-self.width >> halvings), -(-self.height >> halvings)

    def mode(self, has_alpha: bool) -> str:
        """Pillow's mode of the decoded picture: L, LA, RGB or RGBA."""
        return ("L" if self.grey and not self.grey_as_rgb else "RGB") + ("A" if has_alpha else "")


class Cursor:
    """A place in the file that only moves over bytes that are there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def take(self, length: int, what: str) -> bytes:
        there = len(self._data) - self.position
        if length > there:
            raise DamagedFileError(f"the file was cut short: {what} needs {length} bytes, {there} are there")
        self.position += length
        return self._data[self.position - length : self.position]

    def peek(self) -> int | None:
        """The next byte, which stays the next; None at the end."""
        return self._data[self.position] if self.position < len(self._data) else None

    def before(self, position: int) -> memoryview:
        return memoryview(self._data)[:position]

    def byte(self, what: str) -> int:
        return self.take(1, what)[0]

    def varint(self, what: str) -> int:
        try:
            return read_varint(lambda: self.byte(what))
        except ValueError as error:
            raise DamagedFileError(f"damaged: {what} is {error}") from error


def header_bytes(header: Header, sections: int) -> bytes:
    """The header after the version byte, of a file with this number of sections."""
    flags = header.kind | header.grey << 2 | header.grey_as_rgb << 3 | sections << 4
    rotated, smaller = header.rotation != PLAIN, header.smaller
    more_flags = rotated | (smaller is not None) << 1 | header.fewer_colours << 2
    body = bytes([flags, more_flags]) + varint(header.width) + varint(header.height)
    if header.kind is Kind.STORED:
        return body
    body += bytes([header.model_number]) + header.model_digest + header.quality.units.to_bytes(2, "little")
    body += header.symbols_hash
    if rotated:
        body += bytes([header.rotation.tilt, header.rotation.direction])
    if smaller is not None:
        by_network = (smaller.number, smaller.digest) != (0, bytes(4))
        body += bytes([smaller.halvings | by_network << 2])
        body += bytes([smaller.number]) + smaller.digest if by_network else b""
    return body


def read_header(cursor: Cursor) -> tuple[Header, int]:
    """The header after the version byte, and the number of sections. Raises DamagedFileError."""
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
            smaller=_read_smaller(cursor) if more_flags & 2 else None,
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


def _read_smaller(cursor: Cursor) -> Smaller:
    flags = cursor.byte("size")
    if flags >> 3 or flags & 3 not in (1, 2):
        raise DamagedFileError(f"damaged: a smaller size of {flags:#04x} means nothing")
    if not flags & 4:
        return Smaller(flags & 3)
    found = Smaller(flags & 3, cursor.byte("number of a network"), cursor.take(4, "digest of a network"))
    if (found.number, found.digest) == (0, bytes(4)):
        raise DamagedFileError("damaged: the picture is enlarged by a network without number and digest")
    return found


def header_faults(header: Header) -> Iterator[str]:
    """The rules that the header breaks, as texts: writer and reader refuse by the same list."""
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
    if header.smaller is not None:
        if header.smaller.halvings not in (1, 2):
            yield f"{header.smaller.halvings} halvings, not 1 or 2"
        if not 0 <= header.smaller.number <= 255 or len(header.smaller.digest) != 4:
            yield "the network that enlarges has no number within 0 to 255, or no digest of 4 bytes"
    if header.fewer_colours and header.kind is not Kind.STORED:
        yield "a picture that isn't stored can't be stored with fewer colours"
    model = (header.model_number, header.quality, header.model_digest, header.symbols_hash)
    if header.kind == Kind.STORED and model != (0, COARSEST, bytes(4), bytes(4)):
        yield "a stored picture names a model, a quality or a hash"
    if header.kind == Kind.STORED and (header.rotation != PLAIN or header.smaller is not None):
        yield "a stored picture has rotated colours, or was coded at a smaller size"
