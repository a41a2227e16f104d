"""LEB128 varints: seven bits per byte, the lowest first, the top bit set on every byte but the last."""

from collections.abc import Callable

MOST_BYTES = 5
"""The longest varint in a file: values of up to 35 bits."""


def varint(value: int) -> bytes:
    """A length or a side (0 or more) as a varint, in its shortest form."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def read_varint(byte: Callable[[], int]) -> int:
    """Return the varint that `byte` gives byte by byte. What `byte` raises at the end of the data is passed on.

    Raises:
        ValueError: it isn't in the shortest form, or longer than 5 bytes.
    """
    value = 0
    for place in range(MOST_BYTES):
        now = byte()
        value |= (now & 0x7F) << (7 * place)
        if now < 0x80:
            if now == 0 and place > 0:
                break
            return value
    raise ValueError("not a canonical varint")
