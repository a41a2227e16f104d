"""What a file contains, read from its header and section heads alone; payloads are skipped.

```
stream --read--> Outline: the header, and the type, place and length of each section
Outline --payload--> the bytes of one section, checked
```
So the size and mode of a picture, and its metadata, take a few small reads, however large the file is.
"""

from dataclasses import dataclass
from typing import Protocol

from lpcodec.codec import container
from lpcodec.codec.container import Header, Section, SectionType
from lpcodec.codec.errors import DamagedFileError


class Stream(Protocol):
    """A binary stream that can seek: a file on the disk, BytesIO, or a remote file of fsspec."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Entry:
    """A section: its type, the offset of its payload and the payload's length, both in bytes, and its checksum."""

    type: int
    start: int
    length: int
    crc: bytes


@dataclass(frozen=True)
class Outline:
    """The header and the sections of a file. `is_whole`: the file is as long as the section heads say."""

    header: Header
    entries: tuple[Entry, ...]
    is_whole: bool

    @property
    def mode(self) -> str:
        """Pillow's mode of the decoded picture: L, LA, RGB or RGBA."""
        return self.header.mode(self.entry(SectionType.ALPHA) is not None)

    def entry(self, section_type: int) -> Entry | None:
        """The first section of this type; None if the file has none."""
        return next((entry for entry in self.entries if entry.type == section_type), None)


def read(stream: Stream) -> Outline:
    """The outline of the file in `stream`. If the file was cut, it has the sections before the cut.

    Raises:
        DamagedFileError: the file doesn't begin with the header of an .lpc file.
        UnknownModelError: another version of the format made it.
    """
    end = stream.seek(0, 2)
    stream.seek(0)
    header, count, place = container.read_header(stream.read(container.LONGEST_HEADER))
    entries: list[Entry] = []
    for _ in range(count):
        stream.seek(place)
        try:
            number, length, crc, size = container.read_section_head(stream.read(container.LONGEST_SECTION_HEAD))
        except DamagedFileError:
            return Outline(header, tuple(entries), False)
        entries.append(Entry(number, place + size, length, crc))
        place += size + length
    return Outline(header, tuple(entries), place + container.DIGEST_BYTES == end)


def payload(stream: Stream, entry: Entry) -> bytes:
    """The payload of a section that isn't a LAYER. Raises DamagedFileError if it was cut or changed."""
    stream.seek(entry.start)
    found = stream.read(entry.length)
    name = container.section_name(entry.type)
    if len(found) != entry.length:
        raise DamagedFileError(
            f"the file was cut short: section {name} has {entry.length} bytes, {len(found)} are there"
        )
    if not container.is_intact(Section(entry.type, found), entry.crc):
        raise DamagedFileError(f"section {name}: checksum differs")
    return found


def metadata(stream: Stream, outline: Outline, section_type: SectionType) -> bytes | None:
    """The ICC profile, EXIF or XMP of a file; None if it has none. Raises DamagedFileError."""
    entry = outline.entry(section_type)
    return None if entry is None else container.metadata_from_bytes(payload(stream, entry))
