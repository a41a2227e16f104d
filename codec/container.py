"""The .lpc file, format version 2. This docstring is the specification; `write` and `read` are its two sides.

    LpcFile --write--> bytes --read--> LpcFile            a file that was cut: --read_partial--> its leading layers

    bytes   content
    3       signature B1 4C 50 ("\\xb1LP"; the first byte begins no ASCII and no UTF-8 text)
    1       format version: 2
    1       bits 0-1 kind (0 MODEL, 1 STORED), bit 2 grey, bit 3 shown as RGB though grey, bits 4-7 number of sections
              (1 to 15)
    1       bit 0 colours rotated, bit 1 coded at a smaller size, bit 2 stored with fewer colours; bits 3-7 are 0
    v       width in pixels, 1 to 2**24
    v       height in pixels, 1 to 2**24
            then, in a MODEL file:
    1         model number
    4         model digest (the beginning of the digest of its weights, which are one of a model's sets)
    2         quality as a fraction of 100 in 65535ths, little-endian; 0 if the model has no quality
    4         hash of the decoded symbols
    2         if the colours are rotated: tilt, not 0, and direction (colour.py)
    1         if coded at a smaller size: bits 0-1 the number of halvings of both sides, 1 or 2; bit 2 whether a network
                enlarges the picture (0: bicubic interpolation); bits 3-7 are 0
    5         if a network enlarges the picture: its number and digest, as the model's
            then, as often as there are sections:
    1         section type
    v         payload length in bytes, below 2**35
    4         CRC-32 (zlib's) over the type byte and the payload, little-endian; in a LAYER over every byte of the
              file before the section, and then those two
              payload
    4       BLAKE2s, digest size 4, over every byte before it

"v" is a varint: seven bits per byte, the lowest first, the top bit set on every byte but the last; five bytes at most.
Width and height are those of the picture that is shown; one coded at a smaller size has them divided by 2 or 4 and
rounded up.

Section types (the top bit set means ancillary):

    1    LATENTS  words of the entropy coder; may be empty; one in a MODEL file that isn't in layers. Of a hyperprior
                  model it begins with the lengths of its groups, so that a region can be read without the rest
    2    STORED   the colours, losslessly (lossless.py); one in a STORED file
    3    LAYER    one resolution of a file in layers, which is a MODEL file with 1 to 8 of these and no LATENTS: the
                  model's coarsest first, each of twice the sides of the one before it, so its place gives its level;
                  the only type that may occur more than once
    4    CELLS    parts of the picture that are stored instead of coded (cells.py); only beside LATENTS
    5    QUALITIES  how much the quality of each square differs from the header's (quality_map.py); only beside LATENTS
    6    ALPHA    the alpha channel (alpha.py)
    129  ICC      colour profile, as raw deflate of at most 16 MiB
    130  EXIF     a TIFF structure beginning "II" or "MM", deflated in the same way
    131  XMP      an XML packet, deflated in the same way

Other types are unknown (see "Versions").

Disallowed, and refused as damaged: overlong varints; sides of 0 or above 2**24; a kind of 2 or 3; a 1 where a bit is
specified as 0; grey shown as RGB that isn't grey, and grey with rotated colours; a STORED file that is rotated or coded
at a smaller size, or a MODEL file that is stored with fewer colours; no section; sections that are not in ascending
order of type, or of a type that occurs twice and isn't LAYER; type 0; an empty section other than LATENTS; a MODEL file
with neither LATENTS nor LAYER, with both, with STORED, or with LAYER and CELLS or QUALITIES; a STORED file with
LATENTS, LAYER, CELLS or QUALITIES, or without STORED; more than 8 LAYER sections; any byte after the digest.

Files that were cut: the layers come before all other sections, so a file's beginning is enough for a coarse picture.
Such a file has lost its digest, and the header has no checksum of its own. But a layer's checksum covers the file from
its first byte, so it checks the header and the order of the layers too. `read_partial` gives the leading layers
with right checksums. It does the same for a file that was damaged after them. If the header is damaged, nothing is
left.

Versions: the signature and the version byte keep their place in all versions. A reader refuses every other version and
names it. Version 1 had models that no longer exist. An unknown critical section (types 1 to 127) can't be left out
without changing the picture: the reader refuses the file as made by a newer version. An unknown ancillary one (128 to
255) is kept, unread. The reader compares the digest first, so that damage is reported as damage.

Reading is bounded: a declared length is compared with the bytes that are there before anything is allocated.
"""

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate, chain, pairwise

from lpcodec.codec.errors import DamagedFileError, LimitError, UnknownModelError
from lpcodec.codec.header import MAX_SIDE, Cursor, Downscaled, Header, Kind, header_bytes, header_faults, parse_header
from lpcodec.codec.varint import MOST_BYTES, varint

__all__ = [
    "MAX_SIDE", "Downscaled", "Header", "Kind", "LpcFile", "Section", "SectionType", "read", "read_partial", "write",
]  # fmt: skip

SIGNATURE = b"\xb1LP"
VERSION = 2
MAX_SECTIONS = 15
MAX_LAYERS = 8
FIRST_ANCILLARY = 128
MAX_METADATA = 16 * 2**20
DIGEST_BYTES = 4
_CRC_BYTES = 4
LONGEST_HEADER = 64
"""No header is longer, signature and version included; an upper bound in bytes."""
LONGEST_SECTION_HEAD = 1 + MOST_BYTES + _CRC_BYTES
"""The most bytes of a section before its payload."""


class SectionType(IntEnum):
    """The section types of version 2; the top bit marks the ancillary ones."""

    LATENTS = 1
    STORED = 2
    LAYER = 3
    CELLS = 4
    QUALITIES = 5
    ALPHA = 6
    ICC = 129
    EXIF = 130
    XMP = 131


_KNOWN = frozenset(int(known) for known in SectionType)


def section_name(section_type: int) -> str:
    """The name in messages: "ALPHA", or "of type 77" for an unknown type."""
    return SectionType(section_type).name if section_type in _KNOWN else f"of type {section_type}"


@dataclass(frozen=True)
class Section:
    """One section: its type (a `SectionType`, or the plain number of an unknown type) and its payload."""

    type: int
    payload: bytes


@dataclass(frozen=True)
class LpcFile:
    """A file: its header and its sections in ascending order of type."""

    header: Header
    sections: tuple[Section, ...]

    def payload(self, section_type: int) -> bytes | None:
        """The payload of the (first) section of this type, or None if the file has none."""
        return next(iter(self.payloads(section_type)), None)

    def payloads(self, section_type: int) -> tuple[bytes, ...]:
        """The payloads of all sections of this type, in the file's order: layers from the coarsest on."""
        return tuple(section.payload for section in self.sections if section.type == section_type)


def write(file: LpcFile) -> bytes:
    """The bytes of `file`; `read` gives it back. Raises ValueError if it breaks a rule of the format."""
    for section in file.sections:
        if needs_newer(section.type):
            raise ValueError(f"section {section_name(section.type)} has no place in format version {VERSION}")
    if fault := next(chain(header_faults(file.header), _section_faults(file.header.kind, _sizes(file))), None):
        raise ValueError(fault)
    body = bytearray(_header_bytes(file))
    for section in file.sections:
        body += _section_head_bytes(section, body) + section.payload
    return bytes(body) + _file_digest(body)


def read_header(data: bytes) -> tuple[Header, int, int]:
    """The header, the number of sections, and the offset of the first section in bytes.

    `data` is a file, or at least its first LONGEST_HEADER bytes. Raises as `read`.
    """
    cursor, header, count = _read_header(data)
    return header, count, cursor.position


def read_section_head(data: bytes) -> tuple[int, int, bytes, int]:
    """The type of a section, the length of its payload in bytes, its checksum, and the length of its head in bytes.

    `data` begins where the section does; LONGEST_SECTION_HEAD bytes are enough. Raises as `read`.
    """
    cursor = Cursor(data)
    return *_section_head(cursor), cursor.position


def is_intact(section: Section, crc: bytes) -> bool:
    """Whether a section has the checksum `crc`. Not for a LAYER: its checksum covers the file before it too."""
    return crc == _crc(section, b"")


def section_ends(file: LpcFile) -> tuple[int, ...]:
    """The offset in bytes at which each section ends in the written file."""
    lengths = (1 + len(varint(len(s.payload))) + _CRC_BYTES + len(s.payload) for s in file.sections)
    return tuple(accumulate(lengths, initial=len(_header_bytes(file))))[1:]


def overhead(file: LpcFile) -> int:
    """The bytes of the written file that aren't payload.

    At most 33 for one section below 2 MiB and sides below 16384, if the colours aren't rotated and the picture is coded
    at its own size.
    """
    return section_ends(file)[-1] + DIGEST_BYTES - sum(len(section.payload) for section in file.sections)


def read(data: bytes, *, max_pixels: int | None = None) -> LpcFile:
    """Parse and check a whole file; payloads aren't decoded. `write` of the result gives `data` back, byte for byte.

    Raises:
        DamagedFileError: it isn't a whole, unchanged file of this format.
        UnknownModelError: another version of the format made it.
        LimitError: the picture has more than `max_pixels` pixels.
    """
    cursor, header, count = _read_header(data)
    sections = tuple(_read_section(cursor) for _ in range(count))
    body_end = cursor.position
    digest = cursor.take(DIGEST_BYTES, "digest")
    if left := len(data) - cursor.position:
        raise DamagedFileError(f"damaged: {left} bytes follow the end of the file")
    if digest != _file_digest(memoryview(data)[:body_end]):
        raise DamagedFileError("damaged: the digest over the whole file differs")
    file = LpcFile(header, sections)
    check_sections(header.kind, _sizes(file))
    _check_pixels(header, max_pixels)
    return file


def read_partial(data: bytes, *, max_pixels: int | None = None) -> LpcFile:
    """The header and the leading whole layers of a file that was cut or damaged after them; no other section.

    A layer is whole if its checksum is right; that covers the header and the layers before it too. The number of
    sections in the header isn't checked: it doesn't say how many of them were layers.

    Raises:
        DamagedFileError: the file isn't in layers, or its first layer isn't whole.
        UnknownModelError, LimitError: as `read`.
    """
    cursor, header, _ = _read_header(data)
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
    """The inverse of `metadata_to_bytes`. Raises DamagedFileError as `inflate`, with MAX_METADATA as its limit."""
    return inflate(payload, MAX_METADATA, "metadata")


def deflated(raw: bytes) -> bytes:
    """`raw` as one raw deflate stream (RFC 1951), which `inflate` reads."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(raw) + stream.flush()


def inflate(payload: bytes, limit: int, what: str) -> bytes:
    """The bytes of one raw deflate stream. `what` names it in errors.

    Raises:
        DamagedFileError: the payload isn't such a stream, or it inflates to more than `limit` bytes.
    """
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


def _file_digest(body: bytes | bytearray | memoryview) -> bytes:
    return hashlib.blake2s(body, digest_size=DIGEST_BYTES).digest()


def _crc(section: Section, before: bytes | bytearray | memoryview) -> bytes:
    """The checksum of a section; `before` is the file before it, which only a LAYER's checksum covers."""
    start = zlib.crc32(before) if section.type == SectionType.LAYER else 0
    own = zlib.crc32(section.payload, zlib.crc32(bytes([section.type]), start))
    return own.to_bytes(_CRC_BYTES, "little")


def _section_head_bytes(section: Section, before: bytes | bytearray | memoryview) -> bytes:
    return bytes([section.type]) + varint(len(section.payload)) + _crc(section, before)


def _header_bytes(file: LpcFile) -> bytes:
    return SIGNATURE + bytes([VERSION]) + header_bytes(file.header, len(file.sections))


def _read_header(data: bytes) -> tuple[Cursor, Header, int]:
    """A cursor at the first section, the header, and the number of sections."""
    cursor = Cursor(data)
    _check_signature(data)
    cursor.take(len(SIGNATURE), "signature")
    _check_version(cursor.byte("format version"))
    return cursor, *parse_header(cursor)


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
    if version < VERSION:
        raise UnknownModelError(
            f"made by an old version of lpcodec (format {version}, this one knows {VERSION} alone): decode it with the "
            "version that made it, and encode it again"
        )
    if version > VERSION:
        raise UnknownModelError(
            f"made by a newer version of lpcodec (format {version}, this one knows {VERSION}): install that"
        )


def _check_pixels(header: Header, max_pixels: int | None) -> None:
    if max_pixels is not None and header.width * header.height > max_pixels:
        size = f"{header.width} x {header.height}"
        raise LimitError(f"the picture's {size} pixels are over the limit of {max_pixels:,}", keyword="max_pixels")


def _read_section(cursor: Cursor) -> Section:
    start = cursor.position
    type_number, length, crc = _section_head(cursor)
    name = f"section {section_name(type_number)}"
    section_type = SectionType(type_number) if type_number in _KNOWN else type_number
    section = Section(section_type, cursor.take(length, name))
    if crc != _crc(section, cursor.before(start)):
        raise DamagedFileError(f"{name}: checksum differs")
    return section


def _section_head(cursor: Cursor) -> tuple[int, int, bytes]:
    """The type of the section that begins here, the length of its payload, and its checksum."""
    type_number = cursor.byte("section type")
    name = f"section {section_name(type_number)}"
    return type_number, cursor.varint(f"length of {name}"), cursor.take(_CRC_BYTES, f"checksum of {name}")


def needs_newer(section_type: int) -> bool:
    """Whether a section type is critical and unknown: only a newer version can show a picture with such a section."""
    return section_type not in _KNOWN and 0 < section_type < FIRST_ANCILLARY


def check_sections(kind: Kind, sizes: Sequence[tuple[int, int]]) -> None:
    """Check the rules about the sections of a whole file, from the type of each and the length of its payload.

    Raises:
        UnknownModelError: only a newer version can show the picture.
        DamagedFileError: a rule is broken.
    """
    for section_type, _ in sizes:
        if needs_newer(section_type):
            raise UnknownModelError(f"section {section_name(section_type)} needs a newer version of lpcodec")
    if fault := next(_section_faults(kind, sizes), None):
        raise DamagedFileError(f"damaged: {fault}")


def _sizes(file: LpcFile) -> list[tuple[int, int]]:
    """The type of each section and the length of its payload."""
    return [(section.type, len(section.payload)) for section in file.sections]


def _section_faults(kind: Kind, sizes: Sequence[tuple[int, int]]) -> Iterator[str]:
    """One text for each rule about sections that a file breaks, from the type and the length of each."""
    types = [section_type for section_type, _ in sizes]
    if not 1 <= len(types) <= MAX_SECTIONS:
        yield f"{len(types)} sections, where 1 to {MAX_SECTIONS} are allowed"
    for type_number in types:
        if not 1 <= type_number <= 255:
            yield f"there is no section type {type_number}"
    for before, after in pairwise(types):
        if before == after and after != SectionType.LAYER:
            yield f"section {section_name(after)} occurs twice"
        elif before > after:
            yield f"section {section_name(after)} comes after section {section_name(before)}"
    for section_type, length in sizes:
        if not length and section_type != SectionType.LATENTS:
            yield f"section {section_name(section_type)} is empty"
        if length >= 1 << (7 * MOST_BYTES):
            yield f"section {section_name(section_type)} is too long"
    yield from _colour_faults(kind, types)


def _colour_faults(kind: Kind, types: list[int]) -> Iterator[str]:
    """One text for each broken rule about the sections that hold the colours."""
    layers = types.count(SectionType.LAYER)
    if layers > MAX_LAYERS:
        yield f"{layers} LAYER sections, where at most {MAX_LAYERS} are allowed"
    if kind == Kind.STORED:
        if SectionType.STORED not in types:
            yield "a STORED file without its STORED section"
        foreign = [SectionType.LATENTS, SectionType.LAYER, SectionType.CELLS, SectionType.QUALITIES]
    else:
        if SectionType.LATENTS not in types and not layers:
            yield "a MODEL file without a LATENTS or a LAYER section"
        if SectionType.LATENTS in types and layers:
            yield "a MODEL file with LATENTS and LAYER sections at once"
        for beside_latents in (SectionType.CELLS, SectionType.QUALITIES):
            if beside_latents in types and layers:
                yield f"a MODEL file with {beside_latents.name} and LAYER sections at once"
        foreign = [SectionType.STORED]
    for other in foreign:
        if other in types:
            yield f"a {kind.name} file with a {other.name} section"
