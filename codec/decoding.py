"""From an .lpc file to its picture: whole or in part, at its own size or halved. The mirror of encoding.py.

```
bytes --open_file--> Opened --parse--> symbols, checked --pixels--> pixels (H, W, C) of a level
```

Level n is the picture halved n times, its sides rounded up. A `ScalableCodec` has a layer for each of its first levels:
it decodes the layers that the level needs, and predicts those that the file lacks. Other pictures, and coarser levels,
are decoded whole and then resized by Pillow.

An encoder may have coded the picture at a smaller size (downscaling.py). Then the decoded pixels are enlarged to the
size that is shown; that has nothing to do with levels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from lpcodec.codec import alpha as alphas
from lpcodec.codec import cells, container, downscaling, lossless, models, picture, upscaling
from lpcodec.codec import quality_map as quality_maps
from lpcodec.codec.arguments import is_whole
from lpcodec.codec.arrays import Pixels
from lpcodec.codec.cells import Cells
from lpcodec.codec.colour import PLAIN
from lpcodec.codec.container import Header, Kind, LpcFile, SectionType
from lpcodec.codec.errors import DamagedFileError, LimitError, LpcodecError, UsageError
from lpcodec.codec.families.family import Frame
from lpcodec.codec.picture import Picture
from lpcodec.codec.progress import Progress

MAX_LEVEL = 8
"""A decoder halves a picture at most this many times."""
METADATA = (SectionType.ICC, SectionType.EXIF, SectionType.XMP)
"""The sections of metadata, in the order in which `metadata` gives them."""
BASE_MEMORY = 500 << 20
"""An upper bound in bytes of the memory that decoding takes for torch and the weights, for pictures of any size."""
STORED_MEMORY = 16
"""An upper bound in bytes per pixel of the memory that a losslessly stored picture takes on top of BASE_MEMORY: at most
12 with alpha that is stored losslessly, 15 with alpha of noise that is coded with a bounded error."""


@dataclass(frozen=True)
class Opened:
    """A file that was read and checked. `damage` is None if it is whole. Otherwise it says what is wrong with it, and
    `file` has the leading layers that are whole."""

    file: LpcFile
    damage: str | None = None


@dataclass(frozen=True)
class DecodeResult:
    """A decoded picture and one note for each thing worth knowing about it.

    `image` has mode L, LA, RGB or RGBA, and its metadata in `info`. `partial`: the file is damaged, and this is what
    its whole layers give.
    """

    image: Image.Image
    notes: tuple[str, ...]
    partial: bool


def decode(
    data: bytes, *, level: int, scale: int, allow_partial: bool, max_pixels: int, max_memory: int | None, device: str,
    progress: Progress | None,
) -> DecodeResult:  # fmt: skip
    """Decode a file; the arguments and errors are those of `api.decode`."""
    check_level(level)
    opened = open_file(data, max_pixels=max_pixels, max_memory=max_memory, allow_partial=allow_partial)
    codec = codec_of(opened.file.header, device)
    icc, exif, xmp = metadata(opened)
    shown = Picture(
        pixels(opened, codec, progress, level, device), alpha(opened, level), icc, exif, xmp,
        grey_as_rgb=opened.file.header.grey_as_rgb,
    )  # fmt: skip
    if scale != 1:
        shown = upscaling.upscale(shown, scale, max_pixels=max_pixels, device=device, progress=progress)
    notes = () if opened.damage is None else (f"decoded in part: {opened.damage}; {_what_is_left(opened.file, codec)}",)
    return DecodeResult(picture.to_image(shown), notes, opened.damage is not None)


def _what_is_left(file: LpcFile, codec: models.Codec | None) -> str:
    """The note's words on what was decoded of a damaged file."""
    assert isinstance(codec, models.ScalableCodec)
    whole, known = len(file.sections), codec.levels + 1
    layers = "all layers are whole" if whole == known else f"the first {whole} of at most {known} layers are whole"
    return f"{layers}; alpha and metadata, if there were any, are left out"


def check_level(level: int) -> None:
    """Raise UsageError unless `level` is a whole number, 0 to 8."""
    if not is_whole(level) or not 0 <= level <= MAX_LEVEL:
        raise UsageError(f"level {level!r}: it is a whole number from 0, the whole size, to {MAX_LEVEL}")


def open_file(
    data: bytes, *, max_pixels: int | None = None, max_memory: int | None = None, allow_partial: bool = False
) -> Opened:
    """Read a file and check it against the limits. They apply to the whole picture, even if a coarser level is decoded.

    Args:
        max_pixels: None for no limit.
        max_memory: bytes; None for no limit.
        allow_partial: if the file is damaged and in layers, open the leading layers that are whole.

    Raises:
        DamagedFileError: the file isn't whole. Its `keyword` is "allow_partial" if that would give a picture.
        UnknownModelError: another version of the format made it.
        LimitError: the picture is over a limit.
    """
    try:
        opened = Opened(container.read(data, max_pixels=max_pixels))
    except DamagedFileError as damage:
        if not allow_partial:
            raise _with_advice(damage, data) from damage
        opened = Opened(container.read_partial(data, max_pixels=max_pixels), str(damage))
    header = opened.file.header
    check_memory(header, header.width * header.height, max_memory)
    return opened


def check_memory(header: Header, pixel_count: int, max_memory: int | None) -> None:
    """Raise LimitError if decoding `pixel_count` pixels of a file may take more than `max_memory` bytes (None: no
    limit)."""
    network = models.network_numbered(header.model_number) if header.kind is Kind.MODEL else None
    needed = BASE_MEMORY + (STORED_MEMORY if network is None else network.decoding_memory) * pixel_count
    if max_memory is not None and needed > max_memory:
        raise LimitError(
            f"decoding may take {needed / 1e6:,.0f} MB of memory, the limit is {_amount(max_memory)}",
            keyword="max_memory",
        )


def _amount(count: int) -> str:
    """`2,000 MB`, `5 bytes`."""
    return f"{count / 1e6:,.0f} MB" if count >= 10**7 else f"{count:,} byte{'' if count == 1 else 's'}"


def _with_advice(damage: DamagedFileError, data: bytes) -> DamagedFileError:
    """`damage` as it is; if `allow_partial` would give a picture, an error with that advice and that keyword."""
    try:
        whole = len(container.read_partial(data).sections)
    except LpcodecError:
        return damage
    layers = "layer is" if whole == 1 else f"{whole} layers are"
    return DamagedFileError(f"{damage}; its first {layers} whole and can be decoded", keyword="allow_partial")


def codec_of(header: Header, device: str) -> models.Codec | None:
    """The codec that a file names; None for a stored picture.

    Raises:
        UnknownModelError: its weights aren't installed.
        DamagedFileError: the weights don't code pictures, or the codec can't do what the header asks for.
    """
    if header.kind is Kind.STORED:
        return None
    codec: models.Codec = models.load_by_identity(header.model_number, header.model_digest, device).trained
    if header.rotation != PLAIN and not isinstance(codec, models.RotatingCodec):
        raise DamagedFileError("the file's colours are rotated, which its model doesn't do")
    return codec


def frame_of(header: Header, codec: models.Codec | None, qualities: bytes | None) -> Frame:
    """What the codec is told of the file: the size that was coded, the quality, the rotation, and the map in the
    payload of the QUALITIES section, if there is one.

    Raises:
        DamagedFileError: that isn't one of this picture, or the codec has one quality for a whole picture.
    """
    width, height = header.coded_size
    quality_map = None
    if qualities is not None:
        if not isinstance(codec, models.AllocatingCodec):
            raise DamagedFileError("the file's quality differs from square to square, which its model doesn't do")
        quality_map = quality_maps.from_bytes(qualities, height, width)
    return Frame(height, width, header.quality, header.rotation, quality_map)


def _frame(opened: Opened, codec: models.Codec) -> Frame:
    return frame_of(opened.file.header, codec, opened.file.payload(SectionType.QUALITIES))


def parse(opened: Opened, codec: models.Codec, level: int = 0) -> Any:
    """The symbols of a level, in the codec's own type. `level` is 0..`codec.levels` for a `ScalableCodec`, else 0.

    They are compared with the hash in the header, unless the level needs only some of the file's symbols.

    Raises:
        DamagedFileError: they can't be read, or aren't those that were encoded.
    """
    header, layers = opened.file.header, opened.file.payloads(SectionType.LAYER)
    if isinstance(codec, models.ScalableCodec) != bool(layers):
        raise DamagedFileError(f"the file is {'' if layers else 'not '}in layers, unlike those of its model")
    complete = True
    if isinstance(codec, models.ScalableCodec):
        if len(layers) > codec.levels + 1:
            raise DamagedFileError(f"the file has {len(layers)} layers, its model has {codec.levels + 1}")
        needed = layers[: codec.levels + 1 - level]
        # A damaged file doesn't say how many layers it had. All are there for certain only if the model has no more.
        complete = len(needed) == (len(layers) if opened.damage is None else codec.levels + 1)
    else:
        needed = opened.file.payloads(SectionType.LATENTS)
    symbols = codec.parse(needed, _frame(opened, codec))
    if complete and codec.hash_of(symbols) != header.symbols_hash:
        raise DamagedFileError("the decoded symbols aren't those that were encoded; no picture is shown")
    return symbols


def pixels(
    opened: Opened, codec: models.Codec | None, progress: Progress | None = None, level: int = 0, device: str = "cpu"
) -> Pixels:
    """The pixels of a level 0..8: uint8 (H, W, 3), or (H, W, 1) of a grey picture. `codec` is that of `codec_of`, on
    `device`.

    Raises:
        DamagedFileError: the payloads can't be decoded, or not to the symbols that were encoded.
    """
    header = opened.file.header
    decoded = _stored_pixels(opened) if codec is None else _coded_pixels(opened, codec, progress, level, device)
    return _resized(decoded, header.size_at(level))


def _stored_pixels(opened: Opened) -> Pixels:
    header = opened.file.header
    (payload,) = opened.file.payloads(SectionType.STORED)
    return lossless.stored_from_bytes(payload, header.width, header.height, header.grey)


def _coded_pixels(opened: Opened, codec: models.Codec, progress: Progress | None, level: int, device: str) -> Pixels:
    """The decoded pixels, at the whole size; of a scalable codec at its level nearest to `level`."""
    header = opened.file.header
    if isinstance(codec, models.ScalableCodec):
        nearest = min(level, codec.levels)
        decoded = codec.synthesise(parse(opened, codec, nearest), _frame(opened, codec), progress, nearest)
    else:
        decoded = codec.synthesise(parse(opened, codec), _frame(opened, codec), progress)
    decoded = in_file_colours(decoded, header)
    if header.downscaled is not None:
        decoded = downscaling.enlarged(decoded, header.width, header.height, header.downscaled, device)
    if (stored := stored_cells(opened)) is not None:
        decoded = cells.pasted(decoded, stored)
    return decoded


def in_file_colours(decoded: Pixels, header: Header) -> Pixels:
    """Decoded pixels (h, w, 3) as the file declares them: averaged to (h, w, 1) if the picture is grey."""
    return np.rint(decoded.mean(2, keepdims=True, dtype=np.float32)).astype(np.uint8) if header.grey else decoded


def stored_cells(opened: Opened) -> Cells | None:
    """The cells that are stored instead of coded; None if the file has none. Raises DamagedFileError."""
    header, payload = opened.file.header, opened.file.payload(SectionType.CELLS)
    return None if payload is None else cells.from_bytes(payload, header.width, header.height, header.grey)


def alpha(opened: Opened, level: int = 0) -> Pixels | None:
    """The alpha channel of a level 0..8, uint8 (H, W); None if the file has none. Raises DamagedFileError."""
    header, payload = opened.file.header, opened.file.payload(SectionType.ALPHA)
    if payload is None:
        return None
    plane = alphas.from_bytes(payload, header.width, header.height)
    return _resized(plane[..., None], header.size_at(level))[..., 0]


def metadata(opened: Opened) -> tuple[bytes | None, bytes | None, bytes | None]:
    """ICC profile, EXIF and XMP, each None if the file has none. Raises DamagedFileError."""
    icc, exif, xmp = (
        None if payload is None else container.metadata_from_bytes(payload)
        for payload in map(opened.file.payload, METADATA)
    )
    return icc, exif, xmp


def _resized(decoded: Pixels, size: tuple[int, int]) -> Pixels:
    """Pixels (h, w, C) resized to `size` (width, height) by Pillow's antialiased bicubic filter.

    Returns the same array if it has that size.
    """
    width, height = size
    return decoded if decoded.shape[:2] == (height, width) else upscaling.resized(decoded, height, width)
