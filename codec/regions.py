"""A region of a picture, decoded from only the bytes that it needs.

```
stream --outline--> header, offsets of the sections
       --codec.region: reads the groups that the box touches--> pixels, enlarged if they were coded at a smaller size
       --alpha and stored cells, if there are any: read whole, then cut--> alpha, pixels
```
The result equals that part of the whole decoded picture within float noise. If the codec can't decode parts, or the
picture is stored losslessly, the whole picture is decoded and cut.

The digest over the whole file isn't checked, because that would take all bytes. What is read has checks of its own.
Damage elsewhere isn't noticed. A changed header may be noticed only because the groups can't be decoded with it.
"""

import numpy as np

from lpcodec.codec import alpha as alphas
from lpcodec.codec import cells, container, decoding, downscaling, outline, picture, quality_map
from lpcodec.codec.arguments import is_whole
from lpcodec.codec.arrays import Pixels
from lpcodec.codec.container import SectionType
from lpcodec.codec.decoding import DecodeResult
from lpcodec.codec.errors import DamagedFileError, LimitError, UsageError
from lpcodec.codec.families.family import Box, RegionCodec
from lpcodec.codec.outline import Outline, Stream
from lpcodec.codec.picture import Picture
from lpcodec.codec.progress import Progress

_IN_PART = frozenset({SectionType.LATENTS, SectionType.CELLS, SectionType.QUALITIES, SectionType.ALPHA})
"""A file can be decoded in part if it has no other critical sections."""
_AROUND, _GROUP_PIXELS = 512, 1 << 20
"""What takes memory besides a region: this many pixels more on each axis, which the synthesis needs, and the pixels of
one group of latents."""


def decode(
    stream: Stream, region: tuple[int, int, int, int], *, max_pixels: int, max_memory: int | None, device: str,
    progress: Progress | None,
) -> DecodeResult:  # fmt: skip
    """Decode a region (left, top, width, height), in pixels; other arguments and errors are those of `api.decode`.

    `max_pixels` limits the pixels that have to be decoded: those of the region, or of the whole picture if it can't be
    decoded in part.
    """
    found = outline.read(stream)
    box = _box(region, found)
    if not found.is_whole:
        raise DamagedFileError("the file was cut short, or something follows its end")
    container.check_sections(found.header.kind, [(entry.type, entry.length) for entry in found.entries])
    codec, latents = decoding.codec_of(found.header, device), found.entry(SectionType.LATENTS)
    # Files with other critical sections are decoded whole.
    critical = {entry.type for entry in found.entries if entry.type < container.FIRST_ANCILLARY}
    in_part = isinstance(codec, RegionCodec) and latents is not None and critical <= _IN_PART
    whole = not in_part or bool(critical - {SectionType.LATENTS, SectionType.QUALITIES})
    count = found.header.width * found.header.height if whole else box.width * box.height
    if count > max_pixels:
        raise LimitError(f"{count:,} pixels have to be decoded, the limit is {max_pixels:,}", keyword="max_pixels")
    if not in_part:
        return _cut(stream, box, max_pixels, max_memory, device, progress)
    around = count if whole else (box.width + _AROUND) * (box.height + _AROUND) + _GROUP_PIXELS
    qualities = found.entry(SectionType.QUALITIES)
    if qualities is not None:  # the map of the whole picture takes about as much memory as so many pixels
        around += quality_map.most_squares(found.header.coded_size)
    decoding.check_memory(found.header, around, max_memory)

    assert isinstance(codec, RegionCodec)
    assert latents is not None
    entry = latents

    def read(start: int, length: int) -> bytes:
        stream.seek(entry.start + start)
        return stream.read(min(length, entry.length - start))

    payload = None if qualities is None else outline.payload(stream, qualities)
    frame = decoding.frame_of(found.header, codec, payload)
    downscaled = found.header.downscaled
    place = box if downscaled is None else downscaling.needed(box, downscaled, frame.width, frame.height)
    pixels = decoding.in_file_colours(codec.region(read, entry.length, frame, place, progress), found.header)
    if downscaled is not None:
        pixels = downscaling.enlarged_part(pixels, place, box, downscaled, device)
    pixels = _with_cells(pixels, stream, found, box)
    icc, exif, xmp = (outline.metadata(stream, found, kind) for kind in decoding.METADATA)
    shown = Picture(
        pixels, _alpha(stream, found, box), icc, exif, xmp, grey_as_rgb=found.header.grey_as_rgb,
    )  # fmt: skip
    return DecodeResult(picture.to_image(shown), (), False)


def check(region: object) -> None:
    """Raise UsageError unless `region` is four whole numbers."""
    if not isinstance(region, (tuple, list, np.ndarray)) or len(region) != 4 or not all(map(is_whole, region)):
        raise UsageError(f"region {region!r}: give four whole numbers, left, top, width and height")


def _box(region: tuple[int, int, int, int], found: Outline) -> Box:
    left, top, width, height = map(int, region)
    header = found.header
    if width < 1 or height < 1:
        raise UsageError(f"the region {left},{top},{width},{height} has no pixels")
    if left < 0 or top < 0 or left + width > header.width or top + height > header.height:
        size = f"{header.width} x {header.height}"
        raise UsageError(f"the region {left},{top},{width},{height} isn't within the picture of {size} pixels")
    return Box(left, top, width, height)


def _cut(
    stream: Stream, box: Box, max_pixels: int, max_memory: int | None, device: str, progress: Progress | None
) -> DecodeResult:
    """Decode the whole picture, and cut the box out."""
    stream.seek(0)
    result = decoding.decode(
        stream.read(), level=0, scale=1, allow_partial=False, max_pixels=max_pixels, max_memory=max_memory,
        device=device, progress=progress,
    )  # fmt: skip
    image = result.image.crop((box.left, box.top, box.left + box.width, box.top + box.height))
    image.info.update(result.image.info)
    return DecodeResult(image, result.notes, result.partial)


def _with_cells(pixels: Pixels, stream: Stream, found: Outline, box: Box) -> Pixels:
    """The pixels of the box, with the stored cells in their place."""
    entry, header = found.entry(SectionType.CELLS), found.header
    if entry is None:
        return pixels
    stored = cells.from_bytes(outline.payload(stream, entry), header.width, header.height, header.grey)
    rows, columns = np.arange(header.height)[box.rows], np.arange(header.width)[box.columns]
    shown = stored.stored[np.ix_(rows // cells.CELL, columns // cells.CELL)]
    return np.where(shown[..., None], stored.pixels[box.rows, box.columns], pixels)


def _alpha(stream: Stream, found: Outline, box: Box) -> Pixels | None:
    entry = found.entry(SectionType.ALPHA)
    if entry is None:
        return None
    plane = alphas.from_bytes(outline.payload(stream, entry), found.header.width, found.header.height)
    return np.ascontiguousarray(plane[box.rows, box.columns])
