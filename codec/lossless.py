"""Pictures that are stored losslessly, as PNG or WebP inside our files.

    pixels --stored_to_bytes--> STORED section --stored_from_bytes--> pixels

The size in the header of the PNG or WebP is checked before Pillow decodes a pixel of it.
"""

import struct
from io import BytesIO

import numpy as np
from PIL import Image

from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.picture import Pixels
from lpcodec.codec.picturefiles.limits import one_line, pixel_ceiling
from lpcodec.codec.tiles import Span, grid
from lpcodec.codec.varint import read_varint, varint

_WEBP_MAX_SIDE = 16383
_PART = 2048
"""Side in pixels of the parts of a large stored picture."""
_QUICK_TILE, _STRIP = 256, 32
_PNG_BELOW = 1 << 10
"""PNG is tried as well if the WebP has fewer bytes than this."""
_MOST_DEFLATED = 1032
"""A byte of deflate encodes at most this many (zlib's technical details), so a PNG can't be smaller than that."""


def stored_to_bytes(pixels: Pixels) -> bytes:
    """The payload of a STORED section for pixels, uint8 (H, W, 1) or (H, W, 3): a PNG or WebP, whichever is smaller.

    If all pixels have one colour, it is that colour: a byte per channel.

    A picture of more than 4 megapixels is stored in parts of up to 2048 x 2048 pixels, row by row, each after its
    length (a varint). So writer and reader need memory for only one part besides the picture itself: WebP takes 18
    bytes for each pixel that it decodes. The parts of such pictures are coded with less effort.
    """
    places = _parts(*pixels.shape[:2])
    if len(places) == 1:
        return _coded(pixels, thorough=True)
    parts = (_coded(pixels[rows.core, columns.core], thorough=False) for rows, columns in places)
    return b"".join(varint(len(part)) + part for part in parts)


def _parts(height: int, width: int) -> list[tuple[Span, Span]]:
    whole = height * width <= _PART**2
    return list(grid(height, width, max(height, width) if whole else _PART, 0))


def _coded(pixels: Pixels, *, thorough: bool) -> bytes:
    """One part as a PNG or WebP file, or as its one colour."""
    if (pixels == pixels[0, 0]).all():
        colour: bytes = pixels[0, 0].tobytes()
        return colour
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))
    method, effort = (4, 75) if thorough else (1, 20)
    candidates = []
    if max(image.size) <= _WEBP_MAX_SIDE:
        candidates.append(BytesIO())
        image.convert("RGB").save(candidates[0], "WEBP", lossless=True, method=method, quality=effort)
    # PNG is smaller only for small pictures with few colours, so it isn't tried for others.
    if not candidates or pixels.size / _MOST_DEFLATED < candidates[0].tell() < _PNG_BELOW:
        candidates.append(BytesIO())
        image.save(candidates[-1], "PNG", compress_level=9 if image.width * image.height <= 2**20 else 6)
    return min((candidate.getvalue() for candidate in candidates), key=len)


def stored_from_bytes(payload: bytes, width: int, height: int, grey: bool, what: str = "stored picture") -> Pixels:
    """The inverse of `stored_to_bytes`: uint8 (H, W, 1 if `grey` else 3). `what` names the payload in errors.

    The headers of all parts are checked before any part is decoded.

    Raises:
        DamagedFileError: the payload isn't a picture of this size.
    """
    places = _parts(height, width)
    if len(places) == 1:
        _check_header(payload, width, height, grey, what)
        return _inner_pixels(payload, width, height, grey, what)
    parts, stream = [], BytesIO(payload)
    for rows, columns in places:
        part = _next_part(stream, what)
        _check_header(part, columns.stop - columns.start, rows.stop - rows.start, grey, what)
        parts.append(part)
    if stream.read(1):
        raise DamagedFileError(f"{what}: bytes follow its last part")
    pixels = np.empty((height, width, _channels(grey)), np.uint8)
    for (rows, columns), part in zip(places, parts, strict=True):
        core = pixels[rows.core, columns.core]
        core[:] = _inner_pixels(part, core.shape[1], core.shape[0], grey, what)
    return pixels


def _next_part(stream: BytesIO, what: str) -> bytes:
    try:
        length = read_varint(lambda: stream.read(1)[0])
    except (IndexError, ValueError):
        raise DamagedFileError(f"{what}: the length of a part is missing") from None
    part = stream.read(length)
    if len(part) != length:
        raise DamagedFileError(f"{what}: a part was cut short")
    return part


class QuickSize:
    """A quick estimate of the bytes of a picture stored losslessly. It may be up to seven times too large.

    The picture is coded by WebP's quickest method, tile by tile. That takes about a fiftieth of the time of storing it.
    All tiles are used if necessary, because a sample of them can mislead. The quickest method doesn't find repetitions
    between distant rows. So a narrow strip of each tile is coded by a slower method too, and what that saves counts for
    the whole tile.
    """

    def __init__(self, pixels: Pixels) -> None:
        self._pixels, self._total = pixels, 0.0
        self._left = grid(pixels.shape[0], pixels.shape[1], _QUICK_TILE, 0)

    def at_most(self, size: float) -> bool:
        """Whether the estimate is at most `size` bytes. No more tiles are coded than it takes to know that."""
        while self._total <= size:
            place = next(self._left, None)
            if place is None:
                return True
            rows, columns = place
            tile = self._pixels[rows.core, columns.core]
            middle = max(tile.shape[1] - _STRIP, 0) // 2
            strip = tile[:, middle : middle + _STRIP]
            self._total += _webp_bytes(tile, 0) * min(1, _webp_bytes(strip, 80) / _webp_bytes(strip, 0))
        return False


def _webp_bytes(pixels: Pixels, effort: int) -> int:
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)).convert("RGB")
    stream = BytesIO()
    image.save(stream, "WEBP", lossless=True, method=0, quality=effort)
    return stream.tell()


def _check_header(data: bytes, width: int, height: int, grey: bool, what: str) -> None:
    """Raise DamagedFileError if a part isn't one colour, nor by its first bytes a PNG or WebP of that size."""
    if len(data) == _channels(grey):
        return
    size = _png_size(data, grey) if data.startswith(b"\x89PNG") else _webp_size(data)
    if size is None:
        raise DamagedFileError(f"{what}: neither a PNG nor a WebP as lpcodec writes them")
    if size != (width, height):
        raise DamagedFileError(f"{what}: {size[0]} x {size[1]} pixels inside a file of {width} x {height}")


def _inner_pixels(data: bytes, width: int, height: int, grey: bool, what: str) -> Pixels:
    """Decode a part whose header was checked to (H, W, 1) or (H, W, 3)."""
    if len(data) == _channels(grey):
        return np.full((height, width, len(data)), np.frombuffer(data, np.uint8))
    format = "PNG" if data.startswith(b"\x89PNG") else "WEBP"
    with pixel_ceiling(width * height):
        try:
            with Image.open(BytesIO(data), formats=[format]) as image:
                planes = np.array(image)
        except Exception as error:  # whatever the plugin stumbles over, the section is damaged
            raise DamagedFileError(f"{what}: can't be decoded: {one_line(error)}") from error
    if planes.ndim == 2:
        planes = planes[..., None]
    elif grey and (planes == planes[..., :1]).all():
        planes = planes[..., :1].copy()
    if planes.shape != (height, width, _channels(grey)):
        raise DamagedFileError(f"{what}: decodes to an array of shape {planes.shape}")
    return planes


def _channels(grey: bool) -> int:
    return 1 if grey else 3


def _png_size(data: bytes, grey: bool) -> tuple[int, int] | None:
    """Width and height from the header of a plain 8-bit grey or RGB PNG; None for anything else."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") or len(data) < 29:
        return None
    width, height, *rest = struct.unpack(">IIBBBBB", data[16:29])
    return (width, height) if rest == [8, 0 if grey else 2, 0, 0, 0] else None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height from the header of a WebP that begins with its lossless chunk; None otherwise."""
    if len(data) < 25 or data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8L" or data[20] != 0x2F:
        return None
    bits = int.from_bytes(data[21:25], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
