"""From an .lpc file to its picture: whole or in part, at its own size or halved. The mirror of encoding.py.

```
bytes --open_file--> Opened --parse--> symbols, checked --pixels--> (H, W, C) at a level
         |                     the layers that the level needs        Pillow halves what the model doesn't
         +-- a file in layers that was cut: its leading layers, if that is allowed
```

Level n is the picture halved n times, its sides rounded up. A codec whose files are in layers makes a level from the
layers up to it, and predicts those that are missing. All other pictures are decoded whole and then reduced.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from lpcodec.codec import alpha as alphas
from lpcodec.codec import cells, container, downscaling, lossless, models, picture, upscaling
from lpcodec.codec.arrays import Pixels
from lpcodec.codec.cells import Cells
from lpcodec.codec.colour import PLAIN
from lpcodec.codec.container import Header, Kind, LpcFile, SectionType
from lpcodec.codec.errors import DamagedFileError, LimitError, LpcodecError, UsageError
from lpcodec.codec.families.family import Frame
from lpcodec.codec.picture import Picture
from lpcodec.codec.progress import Progress

MAX_LEVEL = 8
BASE_MEMORY = 500 << 20
"""An upper bound of the bytes that the runtime takes. The model's bound per pixel is added."""
STORED_MEMORY = 16
"""An upper bound for pictures that are stored losslessly, in bytes per pixel: 12 with alpha that is stored as well, 15
with alpha of noise that is coded with a bounded error."""


@dataclass(frozen=True)
class Opened:
    """The whole part of a file; `damage` says why it ends early, and is None if the file is whole."""

    file: LpcFile
    damage: str | None = None


@dataclass(frozen=True)
class DecodeResult:
    """A decoded picture, its metadata in `image.info`, and notes about it. `partial`: the file wasn't whole, this is
    what is left of it."""

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
        pixels(opened, codec, progress, level), alpha(opened, level), icc, exif, xmp,
        grey_as_rgb=opened.file.header.grey_as_rgb,
    )  # fmt: skip
    if scale != 1:
        shown = upscaling.upscale(shown, scale, max_pixels=max_pixels, device=device, progress=progress)
    notes = () if opened.damage is None else (f"decoded in part: {opened.damage}; {_what_is_left(opened.file, codec)}",)
    return DecodeResult(picture.to_image(shown), notes, opened.damage is not None)


def _what_is_left(file: LpcFile, codec: models.Codec | None) -> str:
    assert isinstance(codec, models.ScalableCodec)
    whole, known = len(file.sections), codec.levels + 1
    layers = "all layers are whole" if whole == known else f"the first {whole} of at most {known} layers are whole"
    return f"{layers}; alpha and metadata, if there were any, are left out"


def check_level(level: int) -> None:
    """Raise UsageError for a level outside 0..8."""
    if not 0 <= level <= MAX_LEVEL:
        raise UsageError(f"level {level}: it goes from 0, the whole size, to {MAX_LEVEL}")


def level_size(header: Header, level: int) -> tuple[int, int]:
    """Width and height of the picture halved `level` times, rounded up each time."""
    return -(-header.width >> level), -(-header.height >> level)


def open_file(
    data: bytes, *, max_pixels: int | None = None, max_memory: int | None = None, allow_partial: bool = False
) -> Opened:
    """Read a file and check the limits, which count the whole picture at every level.

    Raises:
        DamagedFileError: it isn't whole, and `allow_partial` isn't set or doesn't help; `keyword` says if it would.
        UnknownModelError, LimitError: as `container.read`.
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


def check_memory(header: Header, pixels: int, max_memory: int | None) -> None:
    """Raise LimitError if decoding `pixels` pixels of a file may take more than `max_memory` bytes; None: no limit."""
    network = models.network_numbered(header.model_number) if header.kind is Kind.MODEL else None
    needed = BASE_MEMORY + (STORED_MEMORY if network is None else network.decoding_memory) * pixels
    if max_memory is not None and needed > max_memory:
        raise LimitError(
            f"decoding may take {needed / 1e6:,.0f} MB of memory, the limit is {max_memory / 1e6:,.0f} MB",
            keyword="max_memory",
        )


def _with_advice(damage: DamagedFileError, data: bytes) -> DamagedFileError:
    """`damage`, with `allow_partial` as its keyword if that would give a picture."""
    try:
        whole = len(container.read_partial(data).sections)
    except LpcodecError:
        return damage
    layers = "layer is" if whole == 1 else f"{whole} layers are"
    return DamagedFileError(f"{damage}; its first {layers} whole and can be decoded", keyword="allow_partial")


def codec_of(header: Header, device: str) -> models.Codec | None:
    """The codec that a file names; None for a stored picture. Raises UnknownModelError if it isn't installed."""
    if header.kind is Kind.STORED:
        return None
    codec: models.Codec = models.load_by_identity(header.model_number, header.model_digest, device).trained
    if header.rotation != PLAIN and not isinstance(codec, models.RotatingCodec):
        raise DamagedFileError("the file's colours are rotated, which its model doesn't do")
    return codec


def frame_of(header: Header) -> Frame:
    """What a codec knows of a file."""
    width, height = header.coded_size
    return Frame(height, width, header.quality, header.rotation)


def parse(opened: Opened, codec: models.Codec, level: int = 0) -> Any:
    """The symbols that a level 0..`codec.levels` needs. If they are all of the file's, they are compared with its hash.

    Raises:
        DamagedFileError: they can't be read, or aren't those that were encoded.
    """
    header, layers = opened.file.header, opened.file.payloads(SectionType.LAYER)
    if isinstance(codec, models.ScalableCodec) != bool(layers):
        raise DamagedFileError(f"the file is {'' if layers else 'not '}in layers, unlike those of its model")
    all_there = opened.damage is None
    if isinstance(codec, models.ScalableCodec):
        if len(layers) > codec.levels + 1:
            raise DamagedFileError(f"the file has {len(layers)} layers, its model has {codec.levels + 1}")
        needed = layers[: codec.levels + 1 - level]
        # How many layers a cut file had isn't known, unless they are all that the model has.
        all_there = len(needed) == (len(layers) if all_there else codec.levels + 1)
    else:
        needed = opened.file.payloads(SectionType.LATENTS)
    symbols = codec.parse(needed, frame_of(header))
    if all_there and codec.hash_of(symbols) != header.symbols_hash:
        raise DamagedFileError("the decoded symbols aren't those that were encoded; no picture is shown")
    return symbols


def pixels(opened: Opened, codec: models.Codec | None, progress: Progress | None = None, level: int = 0) -> Pixels:
    """The pixels, uint8 (H, W, 3), or (H, W, 1) of a grey picture, with sides halved `level` times."""
    header = opened.file.header
    if codec is None:
        (payload,) = opened.file.payloads(SectionType.STORED)
        found = lossless.stored_from_bytes(payload, header.width, header.height, header.grey)
        return _at_size(found, level_size(header, level))
    if isinstance(codec, models.ScalableCodec):
        own = min(level, codec.levels)
        found = codec.synthesise(parse(opened, codec, own), frame_of(header), progress, own)
    else:
        found = codec.synthesise(parse(opened, codec), frame_of(header), progress)
    found = as_declared(found, header)
    if header.smaller is not None:
        found = downscaling.enlarged(found, header.width, header.height, header.smaller)
    if (stored := stored_cells(opened)) is not None:
        found = cells.pasted(found, stored)
    return _at_size(found, level_size(header, level))


def as_declared(found: Pixels, header: Header) -> Pixels:
    """What a codec gives (h, w, 3), in the colours that the file declares: (h, w, 1) of a grey picture."""
    return np.rint(found.mean(2, keepdims=True, dtype=np.float32)).astype(np.uint8) if header.grey else found


def stored_cells(opened: Opened) -> Cells | None:
    """The cells that are stored instead of coded; None if the file has none. Raises DamagedFileError."""
    header, payload = opened.file.header, opened.file.payload(SectionType.CELLS)
    return None if payload is None else cells.from_bytes(payload, header.width, header.height, header.grey)


def alpha(opened: Opened, level: int = 0) -> Pixels | None:
    """The alpha channel, uint8 (H, W), its sides halved `level` times, or None. Raises DamagedFileError."""
    header, payload = opened.file.header, opened.file.payload(SectionType.ALPHA)
    if payload is None:
        return None
    plane = alphas.from_bytes(payload, header.width, header.height)
    return _at_size(plane[..., None], level_size(header, level))[..., 0]


METADATA = (SectionType.ICC, SectionType.EXIF, SectionType.XMP)


def metadata(opened: Opened) -> tuple[bytes | None, bytes | None, bytes | None]:
    """ICC, EXIF and XMP, each None if the file has none. Raises DamagedFileError."""
    icc, exif, xmp = (
        None if payload is None else container.metadata_from_bytes(payload)
        for payload in map(opened.file.payload, METADATA)
    )
    return icc, exif, xmp


def _at_size(planes: Pixels, size: tuple[int, int]) -> Pixels:
    """(H, W, 1) or (H, W, 3) reduced to (width, height) by Pillow's antialiased bicubic filter."""
    if planes.shape[1::-1] == size:
        return planes
    image = Image.fromarray(np.ascontiguousarray(planes[..., 0] if planes.shape[2] == 1 else planes))
    small = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
    return small.reshape(size[1], size[0], planes.shape[2])
