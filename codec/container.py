"""The .lpc file, format version 1. This docstring is the specification; `write` and `read` are its two sides.

    LpcFile --write--> bytes --read--> LpcFile            a file that was cut: --read_partial--> its leading layers

    bytes   content
    3       signature B1 4C 50 ("\\xb1LP"; the first byte begins no ASCII and no UTF-8 text)
    1       format version: 1
    1       bits 0-1 kind (0 MODEL, 1 STORED), bit 2 grey, bit 3 shown as RGB
              though grey, bits 4-7 number of sections (1 to 15)
    v       width in pixels, 1 to 2**24
    v       height in pixels, 1 to 2**24
    1       model number
    4       model digest (the beginning of the digest of its weights)
    2       quality as a fraction of 100 in 65535ths, little-endian; 0 where the model has no quality dial
    4       hash of the decoded symbols
            then, as often as there are sections:
    1         section type
    v         payload length in bytes, below 2**35
    4         CRC-32 (zlib's) over the type byte and the payload, little-endian; in a LAYER over every byte of the
              file before the section, and then those two
              payload
    4       BLAKE2s, digest size 4, over every byte before it

"v" is a varint: seven bits a byte, the lowest first, the top bit set on every byte but the last; five
bytes at most.

Section types (the top bit set means ancillary):

    1    LATENTS  words of the entropy coder; may be empty; one in a MODEL file that isn't in layers
    2    STORED   the colours as PNG or lossless WebP bytes; one in a STORED file
    3    LAYER    one resolution of a file in layers, which is a MODEL file with 1 to 8 of these and no LATENTS: the
                  model's coarsest first, each of twice the sides of the one before it, so its place says its level;
                  the only type that may stand more than once
    4    TILES    reserved: where the tiles' substreams begin, for decoding a region
    5    STAGE    reserved: the name of a last decoding stage, such as a learned up-scaler
    6    ALPHA    the alpha channel (see alpha.py)
    129  ICC      colour profile, as raw deflate of at most 16 MiB
    130  EXIF     a TIFF structure beginning "II" or "MM", deflated in the same way
    131  XMP      an XML packet, deflated in the same way

Disallowed, and refused as damaged: overlong varints; sides of 0 or above 2**24; a kind of 2 or 3; bit 3
without bit 2; no section; sections that are not in ascending order of type, or of a type that occurs twice and isn't
LAYER; type 0; an empty section other than LATENTS; a MODEL file with neither LATENTS nor LAYER, with both, or
with STORED; a STORED file with LATENTS or LAYER, or without STORED; more than 8 LAYER sections; a STORED file
whose model number, model digest, quality or hash isn't zero; any byte after the digest.

Files that were cut: the layers stand before alpha and metadata, so a file's beginning is enough for a coarse
picture. The digest is gone then and the header has no checksum of its own: it, and the order of the layers, are
held by the layers' checksums, each of which covers the file from its first byte. `read_partial` gives the leading
layers that are whole by that measure. It does so for damaged files too, whatever the damage behind them; a
damaged header leaves nothing.

Versions: the signature and the version byte stay where they are for ever. A reader refuses versions above
its own by name, and reads all below. An unknown or reserved critical section (types 1 to 127) can't be
left out without changing the picture: the reader refuses the file as made by a newer version. An unknown
ancillary one (128 to 255) is kept, unread. Such refusals come after the digest was compared, so that
damage is called damage.

Reading is bounded: a declared length is compared with the bytes that are there before anything is
allocated.
"""

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate, pairwise

from lpcodec.codec.errors import DamagedFileError, LimitError, UnknownModelError
from lpcodec.codec.varint import MOST_BYTES, read_varint, varint

SIGNATURE = b"\xb1LP"
VERSION = 1
MAX_SIDE = 2**24
MAX_SECTIONS = 15
MAX_LAYERS = 8
FIRST_ANCILLARY = 128
MAX_METADATA = 16 * 2**20
DIGEST_BYTES = 4
_CRC_BYTES = 4
LONGEST_HEADER = 64
LONGEST_HEAD = 1 + MOST_BYTES + _CRC_BYTES


class Kind(IntEnum):
    """How the colours are held: as a model's latents, or losslessly because coding would not pay."""

    MODEL = 0
    STORED = 1


class SectionType(IntEnum):
    """The section types of version 1; the top bit marks the ancillary ones."""

    LATENTS = 1
    STORED = 2
    LAYER = 3
    TILES = 4
    STAGE = 5
    ALPHA = 6
    ICC = 129
    EXIF = 130
    XMP = 131


RESERVED = frozenset({SectionType.TILES, SectionType.STAGE})
_KNOWN = frozenset(int(known) for known in SectionType)


def section_name(section_type: int) -> str:
    """The name for messages: "ALPHA", or "of type 77" where the number has none."""
    return SectionType(section_type).name if section_type in _KNOWN else f"of type {section_type}"


@dataclass(frozen=True)
class Header:
    """What a decoder must know before it reads any payload; ranges as in the module's docstring.

    `grey_as_rgb`: the picture is coded as grey, because R = G = B everywhere, and is shown as RGB.
    """

    width: int
    height: int
    kind: Kind
    grey: bool
    model_number: int = 0
    model_digest: bytes = bytes(4)
    quality: int = 0
    symbols_hash: bytes = bytes(4)
    grey_as_rgb: bool = False

    def mode(self, has_alpha: bool) -> str:
        """Pillow's mode of the decoded picture: L, LA, RGB or RGBA."""
        return ("L" if self.grey and not self.grey_as_rgb else "RGB") + ("A" if has_alpha else "")


@dataclass(frozen=True)
class Section:
    """One section: its type (a plain number where it is ancillary and unknown) and its payload."""

    type: int
    payload: bytes


@dataclass(frozen=True)
class LpcFile:
    """A whole file: its header and its sections in ascending order of type."""

    header: Header
    sections: tuple[Section, ...]

    def payload(self, section_type: int) -> bytes | None:
        """The payload of the (first) section of this type, or None where the file has none."""
        return next(iter(self.payloads(section_type)), None)

    def payloads(self, section_type: int) -> tuple[bytes, ...]:
        """The payloads of all sections of this type, in the file's order: layers from the coarsest on."""
        return tuple(section.payload for section in self.sections if section.type == section_type)


def write(file: LpcFile) -> bytes:
    """The bytes of `file`; `read` gives it back. Raises ValueError where it breaks a rule of the format."""
    for section in file.sections:
        if needs_newer(section.type):
            raise ValueError(f"section {section_name(section.type)} has no place in format version {VERSION}")
    for fault in (*_header_faults(file.header), *_section_faults(file)):
        raise ValueError(fault)
    body = bytearray(_header_bytes(file))
    for section in file.sections:
        body += _section_head(section, body) + section.payload
    return bytes(body) + _file_digest(body)


def begin(data: bytes) -> tuple[Header, int, int]:
    """The header, how many sections follow it, and where the first begins; a file's first LONGEST_HEADER bytes do.

    Raises as `read`.
    """
    cursor, header, count = _begin(data)
    return header, count, cursor.position


def section_head(data: bytes) -> tuple[int, int, bytes, int]:
    """Type, payload length, checksum and own length of the section head that `data` begins with; LONGEST_HEAD bytes do.

    Raises as `read`.
    """
    cursor = _Cursor(data)
    number = cursor.byte("section type")
    length = cursor.varint(f"length of section {section_name(number)}")
    return number, length, cursor.take(_CRC_BYTES, "checksum"), cursor.position


def is_intact(section: Section, crc: bytes) -> bool:
    """Whether a section that isn't a LAYER, whose checksum covers more than itself, has the checksum `crc`."""
    return crc == _crc(section, b"")


def ends(file: LpcFile) -> tuple[int, ...]:
    """Where each section ends in the written file, in bytes from its beginning."""
    lengths = (1 + len(varint(len(s.payload))) + _CRC_BYTES + len(s.payload) for s in file.sections)
    return tuple(accumulate(lengths, initial=len(_header_bytes(file))))[1:]


def overhead(file: LpcFile) -> int:
    """Bytes of the written file that aren't payload: at most 32 for one section < 2 MiB and sides < 16384."""
    return ends(file)[-1] + DIGEST_BYTES - sum(len(section.payload) for section in file.sections)


def read(data: bytes, *, max_pixels: int | None = None) -> LpcFile:
    """Parse and check a whole file; `write` of the result gives `data` back, byte for byte.

    Raises DamagedFileError for anything that isn't a whole, unchanged file of this format, UnknownModelError
    for one that a newer version made, LimitError for a picture of more than `max_pixels` pixels. Payloads are
    not looked into.
    """
    cursor, header, count = _begin(data)
    sections = tuple(_read_section(cursor) for _ in range(count))
    end = cursor.position
    digest = cursor.take(DIGEST_BYTES, "digest")
    if left := len(data) - cursor.position:
        raise DamagedFileError(f"damaged: {left} bytes follow the end of the file")
    if digest != _file_digest(memoryview(data)[:end]):
        raise DamagedFileError("damaged: the digest over the whole file differs")
    for section in sections:
        if needs_newer(section.type):
            raise UnknownModelError(f"section {section_name(section.type)} needs a newer version of lpcodec")
    file = LpcFile(header, sections)
    for fault in _section_faults(file):
        raise DamagedFileError(f"damaged: {fault}")
    _check_pixels(header, max_pixels)
    return file


def read_partial(data: bytes, *, max_pixels: int | None = None) -> LpcFile:
    """The header and the leading whole layers of a file that was cut or damaged behind them; no other section.

    A layer is whole where its checksum holds, which covers the header and the layers before it too. The number of
    sections that the header gives isn't looked at: how many layers there were can't be told.

    Raises DamagedFileError where the file isn't in layers or its first one isn't whole, UnknownModelError and
    LimitError as `read`.
    """
    cursor, header, _ = _begin(data)
    layers: list[Section] = []
    next_type = cursor.peek()
    if header.kind is Kind.STORED or next_type not in (None, SectionType.LAYER):
        raise DamagedFileError("damaged, and not in layers: nothing of it can be shown")
    while cursor.peek() == SectionType.LAYER and len(layers) < MAX_LAYERS:
        try:
            layer = _read_section(cursor)
        except DamagedFileError:
            break
        if not layer.payload:
            break
        layers.append(layer)
    if not layers:
        raise DamagedFileError("cut or damaged before its coarsest layer ends: nothing of it can be shown")
    _check_pixels(header, max_pixels)
    return LpcFile(header, tuple(layers))


def metadata_to_bytes(raw: bytes) -> bytes:
    """The payload of an ICC, EXIF or XMP section: raw deflate. Raises ValueError above MAX_METADATA bytes."""
    if len(raw) > MAX_METADATA:
        raise ValueError(f"{len(raw)} bytes of metadata: at most {MAX_METADATA} can be held")
    return deflated(raw)


def metadata_from_bytes(payload: bytes) -> bytes:
    """The mirror of `metadata_to_bytes`. Raises DamagedFileError; inflates MAX_METADATA bytes at most."""
    return inflate(payload, MAX_METADATA, "metadata")


def deflated(raw: bytes) -> bytes:
    """One raw deflate stream, as `inflate` reads it."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(raw) + stream.flush()


def inflate(payload: bytes, limit: int, what: str) -> bytes:
    """Inflate one raw deflate stream of at most `limit` bytes; DamagedFileError, naming `what`, otherwise."""
    stream = zlib.decompressobj(-15)
    try:
        raw = stream.decompress(payload, limit + 1)
    except zlib.error as error:
        raise DamagedFileError(f"{what}: not a deflate stream") from error
    if len(raw) > limit:
        raise DamagedFileError(f"{what}: more than {limit} bytes when inflated")
    if not stream.eof or stream.unused_data or stream.unconsumed_tail:
        raise DamagedFileError(f"{what}: the deflate stream doesn't end where the section does")
    return raw


class _Cursor:
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


def _file_digest(body: bytes | bytearray | memoryview) -> bytes:
    return hashlib.blake2s(body, digest_size=DIGEST_BYTES).digest()


def _crc(section: Section, before: bytes | bytearray | memoryview) -> bytes:
    """The checksum of a section; `before` is the file up to it."""
    start = zlib.crc32(before) if section.type == SectionType.LAYER else 0
    own = zlib.crc32(section.payload, zlib.crc32(bytes([section.type]), start))
    return own.to_bytes(_CRC_BYTES, "little")


def _section_head(section: Section, before: bytes | bytearray | memoryview) -> bytes:
    return bytes([section.type]) + varint(len(section.payload)) + _crc(section, before)


def _header_bytes(file: LpcFile) -> bytes:
    header = file.header
    flags = header.kind | header.grey << 2 | header.grey_as_rgb << 3 | len(file.sections) << 4
    size = varint(header.width) + varint(header.height)
    model = bytes([header.model_number]) + header.model_digest + header.quality.to_bytes(2, "little")
    return SIGNATURE + bytes([VERSION, flags]) + size + model + header.symbols_hash


def _begin(data: bytes) -> tuple[_Cursor, Header, int]:
    """A cursor behind the header, the header, and how many sections follow by it."""
    cursor = _Cursor(data)
    _check_signature(data)
    cursor.take(len(SIGNATURE), "signature")
    _check_version(cursor.byte("format version"))
    return cursor, *_read_header(cursor)


def _check_signature(data: bytes) -> None:
    if data.startswith(SIGNATURE):
        return
    if not data:
        raise DamagedFileError("not an lpcodec file: it is empty")
    if SIGNATURE.startswith(data):
        raise DamagedFileError(f"the file was cut short: only {len(data)} bytes of its signature are there")
    raise DamagedFileError("not an lpcodec file: it doesn't begin with the signature of one")


def _check_version(version: int) -> None:
    if version == 0:
        raise DamagedFileError("damaged: there is no format version 0")
    if version > VERSION:
        raise UnknownModelError(
            f"made by a newer version of lpcodec (format {version}, this one knows {VERSION}): install that"
        )


def _check_pixels(header: Header, max_pixels: int | None) -> None:
    if max_pixels is not None and header.width * header.height > max_pixels:
        size = f"{header.width} x {header.height}"
        raise LimitError(f"the picture's {size} pixels are over the limit of {max_pixels:,}", keyword="max_pixels")


def _read_header(cursor: _Cursor) -> tuple[Header, int]:
    flags = cursor.byte("header")
    kind, grey, grey_as_rgb, count = flags & 3, bool(flags & 4), bool(flags & 8), flags >> 4
    if kind > Kind.STORED or (grey_as_rgb and not grey):
        raise DamagedFileError(f"damaged: the flags {flags:#04x} mean nothing in format version {VERSION}")
    header = Header(
        width=cursor.varint("width"),
        height=cursor.varint("height"),
        kind=Kind(kind),
        grey=grey,
        model_number=cursor.byte("model number"),
        model_digest=cursor.take(4, "model digest"),
        quality=int.from_bytes(cursor.take(2, "quality"), "little"),
        symbols_hash=cursor.take(4, "hash of the symbols"),
        grey_as_rgb=grey_as_rgb,
    )
    for fault in _header_faults(header):
        raise DamagedFileError(f"damaged: {fault}")
    return header, count


def _read_section(cursor: _Cursor) -> Section:
    start = cursor.position
    number = cursor.byte("section type")
    name = f"section {section_name(number)}"
    length = cursor.varint(f"length of {name}")
    crc = cursor.take(_CRC_BYTES, f"checksum of {name}")
    section = Section(SectionType(number) if number in _KNOWN else number, cursor.take(length, name))
    if crc != _crc(section, cursor.before(start)):
        raise DamagedFileError(f"{name}: checksum differs")
    return section


def needs_newer(section_type: int) -> bool:
    """Whether a section is critical and unknown here: the picture can't be shown without it."""
    return section_type in RESERVED or (section_type not in _KNOWN and 0 < section_type < FIRST_ANCILLARY)


def _header_faults(header: Header) -> Iterator[str]:
    """The rules for the header that it breaks, as texts: writer and reader refuse by the same list."""
    for name, side in (("width", header.width), ("height", header.height)):
        if not 1 <= side <= MAX_SIDE:
            yield f"{name} {side} is not within 1 to {MAX_SIDE}"
    if not 0 <= header.model_number <= 255:
        yield f"model number {header.model_number} is not within 0 to 255"
    if not 0 <= header.quality <= 65535:
        yield f"quality {header.quality} is not within 0 to 65535"
    if len(header.model_digest) != 4 or len(header.symbols_hash) != 4:
        yield "the model digest and the hash of the symbols are not 4 bytes each"
    if header.grey_as_rgb and not header.grey:
        yield "a picture in colours can't be grey that is shown as RGB"
    model = (header.model_number, header.quality, header.model_digest, header.symbols_hash)
    if header.kind == Kind.STORED and model != (0, 0, bytes(4), bytes(4)):
        yield "a stored picture names a model, a quality or a hash"


def _section_faults(file: LpcFile) -> Iterator[str]:
    """The rules for the sections that the file breaks, as texts."""
    types = [section.type for section in file.sections]
    if not 1 <= len(types) <= MAX_SECTIONS:
        yield f"{len(types)} sections, where 1 to {MAX_SECTIONS} are allowed"
    for number in types:
        if not 1 <= number <= 255:
            yield f"there is no section type {number}"
    for before, after in pairwise(types):
        if before == after and after != SectionType.LAYER:
            yield f"section {section_name(after)} occurs twice"
        elif before > after:
            yield f"section {section_name(after)} stands behind section {section_name(before)}"
    for section in file.sections:
        if not section.payload and section.type != SectionType.LATENTS:
            yield f"section {section_name(section.type)} is empty"
        if len(section.payload) >= 1 << (7 * MOST_BYTES):
            yield f"section {section_name(section.type)} is too long"
    yield from _colour_faults(file.header.kind, types)


def _colour_faults(kind: Kind, types: list[int]) -> Iterator[str]:
    """The rules for the sections that hold the colours."""
    layers = types.count(SectionType.LAYER)
    if layers > MAX_LAYERS:
        yield f"{layers} LAYER sections, where at most {MAX_LAYERS} are allowed"
    if kind == Kind.STORED:
        if SectionType.STORED not in types:
            yield "a STORED file without its STORED section"
        foreign = [SectionType.LATENTS, SectionType.LAYER]
    else:
        if SectionType.LATENTS not in types and not layers:
            yield "a MODEL file without a LATENTS or a LAYER section"
        if SectionType.LATENTS in types and layers:
            yield "a MODEL file with LATENTS and LAYER sections at once"
        foreign = [SectionType.STORED]
    for other in foreign:
        if other in types:
            yield f"a {kind.name} file with a {other.name} section"
