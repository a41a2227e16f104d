"""Values of more than 8 bits, or of fewer: what Pillow misreads is mended or refused, and every loss is noted.

    opened image --prepare--> Depth: how to read its values --load--> --grey_values, grey_key--> 8 bits

`prepare` comes before the pixels are loaded, because most of what it has to know is gone afterwards.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lpcodec.codec.picturefiles.colours import av1_bits, heif_meta, with_stream

_FROM_16_BIT = "16-bit input reduced to 8 bit"
_BITS, _COMPRESSION, _PHOTOMETRIC, _PLANAR, _SAMPLE_FORMAT = 258, 259, 262, 284, 339
_WHITE_IS_ZERO, _SEPARATE_PLANES, _UNCOMPRESSED = 0, 2, 1
_UNSIGNED, _SIGNED = 1, 2
_GREY_BITS = {"1": 1, "L;2": 2, "L;4": 4}


class MisreadError(ValueError):
    """A picture that Pillow would read wrongly; the text says what it is and what to do."""


@dataclass(frozen=True)
class Depth:
    """How to read the values of an image once it is loaded.

    `notes` are the losses known so far. `top` is the largest value of 16-bit modes, and black if `inverted`; 32-bit
    integers have no sign if `unsigned`; `key_bits` is how many bits a transparent grey value has.
    """

    notes: tuple[str, ...] = ()
    top: int = 65535
    inverted: bool = False
    unsigned: bool = False
    key_bits: int = 8


def prepare(image: Image.Image) -> Depth:
    """Look at an image that isn't loaded yet, and mend it if Pillow would read it wrongly.

    Raises MisreadError if it can't be mended.
    """
    raw_mode, deep = _raw_mode(image)
    if image.format == "JPEG2000":
        return Depth(_jpeg_2000(image))
    if image.format in {"AVIF", "HEIF"}:
        bits = image.info.get("bit_depth") or av1_bits(heif_meta(image))
        return Depth((f"{bits}-bit input reduced to 8 bit",) if bits > 8 else ())
    notes: tuple[str, ...] = (_FROM_16_BIT,) if deep else ()
    if hasattr(image, "tag_v2"):
        return _tiff(image, notes)
    if deep and "transparency" in image.info and image.mode == "RGB":
        notes += ("its transparent colour was looked for among the 8-bit colours: others may have become transparent",)
    return Depth(notes, key_bits=_GREY_BITS.get(raw_mode, 8))


def grey_values(values: npt.NDArray[Any], depth: Depth) -> tuple[npt.NDArray[np.uint8], str]:
    """Grey values (H, W) of modes I;16, I or F as 8 bits, and a note that says from which range."""
    if values.dtype.kind == "f":
        return _from_floats(values)
    note = "32-bit input reduced to 8 bit, its values taken as 0 to 65535"
    if values.dtype.itemsize == 2:
        note = _FROM_16_BIT if depth.top == 65535 else f"{depth.top.bit_length()}-bit input reduced to 8 bit"
    elif depth.unsigned:
        values = values.astype(np.int32).view(np.uint32)
    scaled = np.clip(values, 0, depth.top).astype(np.uint32)
    reduced: npt.NDArray[np.uint8] = ((scaled * 510 + depth.top) // (2 * depth.top)).astype(np.uint8)
    return (255 - reduced if depth.inverted else reduced), note


def grey_key(key: int, depth: Depth) -> int:
    """The 8-bit value of the transparent grey that a PNG of 1, 2, 4 or 8 bits names."""
    most = (1 << depth.key_bits) - 1
    return (key & most) * 255 // most


def _from_floats(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint8], str]:
    numbers = values[np.isfinite(values)]
    top = 1.0 if numbers.size == 0 or numbers.max() <= 1 else 255.0
    scaled = np.clip(np.nan_to_num(values, nan=0.0, posinf=top, neginf=0.0), 0, top) * (255 / top)
    rounded: npt.NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
    return rounded, f"float input reduced to 8 bit, its values taken as 0 to {top:.0f}"


def _raw_mode(image: Image.Image) -> tuple[str, bool]:
    """Pillow's name for the values in the file, and whether loading reduces them from 16 bits."""
    for codec, _, _, arguments in getattr(image, "tile", ()):
        arguments = arguments if isinstance(arguments, tuple) else (arguments,)
        raw_mode, last = str(arguments[0]), arguments[-1]
        deep_ppm = codec in {"ppm", "ppm_plain"} and isinstance(last, int) and last > 255
        return raw_mode, (";16" in raw_mode and image.mode[0] not in "IF") or codec == "SGI16" or deep_ppm
    return "", False


def _tiff(image: Any, notes: tuple[str, ...]) -> Depth:
    """The depth by the tags of a TIFF. Pillow 13 reads uncompressed planes of 16 bits as if they had 8, gives grey
    and alpha in planes an alpha of 0, and inverts only 8-bit values."""
    tags = image.tag_v2
    bits = tags.get(_BITS, (1,))
    bits = max(bits) if isinstance(bits, tuple) else bits
    formats = tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))
    sample_format = formats[0] if isinstance(formats, tuple) else formats
    if sample_format == _SIGNED and bits == 8:
        raise MisreadError("a TIFF of signed bytes, which Pillow reads as unsigned: save it as 8-bit unsigned")
    inverted = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and image.mode[0] in "IF"
    if inverted and not image.mode.startswith("I;16"):
        raise MisreadError(f"a WhiteIsZero TIFF of {bits}-bit values: save it with black as zero")
    if tags.get(_PLANAR) == _SEPARATE_PLANES and image.mode in {"LA", "La"}:
        raise MisreadError(
            "a TIFF with grey and alpha in planes, of which Pillow loses the alpha: save it without planes"
        )
    if tags.get(_PLANAR) == _SEPARATE_PLANES and bits == 16 and tags.get(_COMPRESSION) == _UNCOMPRESSED:
        notes = (*notes, *_mended_planes(image))
    top = 4095 if bits == 12 and image.mode.startswith("I;16") else 65535
    return Depth(notes, top, inverted, unsigned=sample_format == _UNSIGNED and bits == 32)


def _mended_planes(image: Any) -> tuple[str, ...]:
    """Have Pillow read the planes of a TIFF as 16 bits; return a note."""
    if not image.tile:
        raise MisreadError("a 16-bit TIFF in planes that Pillow has loaded wrongly: give its file instead")
    end = "L" if image.tag_v2.prefix == b"II" else "B"
    tiles = []
    for tile in image.tile:
        raw_mode, *rest = tile.args
        if tile.codec_name != "raw" or len(raw_mode) != 1:
            raise MisreadError("a 16-bit TIFF in planes, which Pillow reads wrongly: save it with its colours together")
        tiles.append(tile._replace(args=(f"{raw_mode};16{end}", *rest)))
    image.tile = tiles
    return (_FROM_16_BIT,)


def _jpeg_2000(image: Image.Image) -> tuple[str, ...]:
    """Notes on a JPEG 2000 file. Pillow 13 rounds colours of more than 8 bits up until they overflow: white becomes
    black. Raises MisreadError for those."""
    bits = _jpeg_2000_bits(image)
    if bits <= 8 or image.mode.startswith("I;16"):
        return ()
    raise MisreadError(
        f"a JPEG 2000 picture with {bits} bits per colour, of which Pillow reads white as black: convert it to a"
        " 16-bit PNG or TIFF with another program"
    )


def _jpeg_2000_bits(image: Image.Image) -> int:
    """The largest depth in the codestream's SIZ segment (ITU-T T.800, A.5.1); 0 if the file can't be read again."""

    def read(stream: Any) -> int:
        head = stream.read(1 << 20)
        start = head.find(b"\xff\x4f\xff\x51")
        if start < 0:
            return 0
        sizes = head[start + 6 :]
        count = int.from_bytes(sizes[34:36], "big")
        return max(((depth & 0x7F) + 1 for depth in sizes[36 : 36 + 3 * count : 3]), default=0)

    return with_stream(image, read) or 0
