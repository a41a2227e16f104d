"""The payload of a hyperprior codec: the streams of its groups, and where each one is.

```
payload:  length of each group but the last (LEB128 varints) | checks | group | group | ...
```
The checks are there if there are several groups: two bytes per group, the low half of a CRC-32 over the group's number
and its stream. A region is decoded from the groups that it needs, so nothing else would show that they are undamaged. A
payload of one group is that group.
"""

import io
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.varint import MOST_BYTES, read_varint, varint

Read = Callable[[int, int], bytes]
"""(start, length) in the payload -> bytes; fewer if they aren't there."""
_CHECK_BYTES = 2
_DAMAGED = "the coded picture is damaged"


def join(streams: Sequence[bytes]) -> bytes:
    """The payload of the streams of all groups, in order."""
    if len(streams) == 1:
        return streams[0]
    lengths = (varint(len(stream)) for stream in streams[:-1])
    checks = (_check(number, stream) for number, stream in enumerate(streams))
    return b"".join((*lengths, *checks, *streams))


@dataclass(frozen=True)
class Directory:
    """Where the streams of a payload are. `starts` has one more entry than there are groups: the end of the last."""

    starts: tuple[int, ...]
    checks: tuple[bytes, ...]

    def streams(self, read: Read, numbers: Iterable[int]) -> dict[int, bytes]:
        """The streams of some groups by their numbers. Neighbours are read at once.

        Raises:
            DamagedFileError: a stream isn't there, or isn't what was written.
        """
        found: dict[int, bytes] = {}
        for first, last in _runs(sorted(numbers)):
            start, end = self.starts[first], self.starts[last + 1]
            data = read(start, end - start)
            if len(data) != end - start:
                raise DamagedFileError(f"{_DAMAGED}: a group reaches past the end")
            for number in range(first, last + 1):
                stream = data[self.starts[number] - start : self.starts[number + 1] - start]
                if self.checks and self.checks[number] != _check(number, stream):
                    raise DamagedFileError(f"{_DAMAGED}: the checksum of group {number} differs")
                found[number] = stream
        return found


def directory(read: Read, length: int, count: int) -> Directory:
    """The directory of a payload of `length` bytes and `count` groups, from its beginning.

    Raises:
        DamagedFileError: the lengths don't fit the payload.
    """
    if count == 1:
        return Directory((0, length), ())
    head = read(0, min(length, (MOST_BYTES + _CHECK_BYTES) * count))
    stream = io.BytesIO(head)
    try:
        lengths = [read_varint(lambda: stream.read(1)[0]) for _ in range(count - 1)]
    except (IndexError, ValueError) as error:
        raise DamagedFileError(f"{_DAMAGED}: its table of lengths ends too early") from error
    checks = stream.read(_CHECK_BYTES * count)
    starts = (*accumulate(lengths, initial=stream.tell()), length)
    if len(checks) != _CHECK_BYTES * count or starts[-2] > length:
        raise DamagedFileError(f"{_DAMAGED}: a group reaches past the end")
    return Directory(starts, tuple(checks[i : i + _CHECK_BYTES] for i in range(0, len(checks), _CHECK_BYTES)))


def split(payload: bytes, count: int) -> list[bytes]:
    """The mirror of `join`. Raises DamagedFileError."""

    def read(start: int, length: int) -> bytes:
        return payload[start : start + length]

    found = directory(read, len(payload), count).streams(read, range(count))
    return [found[number] for number in range(count)]


def _check(number: int, stream: bytes) -> bytes:
    return (zlib.crc32(stream, number) & 0xFFFF).to_bytes(_CHECK_BYTES, "little")


def _runs(numbers: Sequence[int]) -> Iterable[tuple[int, int]]:
    """The first and last number of each run of neighbours."""
    first = 0
    for place, number in enumerate(numbers):
        if place + 1 == len(numbers) or numbers[place + 1] != number + 1:
            yield numbers[first], number
            first = place + 1
