"""Pictures as the codec takes them: 8-bit grey or RGB pixels, with alpha and metadata apart.

    file, bytes or PIL image --load--> Picture --to_image--> PIL image --save--> file
                             --load_rgb--> Picture with RGB alone, for codecs that take nothing else

Every picture that the package reads comes through `load`. picturefiles/ knows the formats. docs/pictures.md says what
comes back for each kind of input.
"""

import dataclasses
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from lpcodec.codec.arrays import Pixels
from lpcodec.codec.container import MAX_METADATA, MAX_SIDE, SIGNATURE
from lpcodec.codec.errors import FileAccessError, LimitError, LpcodecError
from lpcodec.codec.picturefiles import colours, depth, losses, plugins, profiles
from lpcodec.codec.picturefiles import exif as exifs
from lpcodec.codec.picturefiles import xmp as xmps
from lpcodec.codec.picturefiles.limits import one_line, pixel_ceiling
from lpcodec.codec.picturefiles.pixels import is_grey, on_background, oriented, planes, to_srgb
from lpcodec.codec.picturefiles.saving import save, save_options

__all__ = [
    "Picture", "Pixels", "load", "load_rgb", "read_rgb", "save", "save_options", "to_image",
]  # fmt: skip

Source = str | Path | bytes | Image.Image

_OTHER_COLOURS = frozenset({"CMYK", "YCbCr", "LAB", "HSV"})
_GREY_MODES = frozenset({"1", "L", "LA", "La"})
_HEAD_BYTES = 64
_POSTSCRIPT = (b"%!PS", b"\xc5\xd0\xd3\xc6")
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Picture:
    """A picture as the codec takes it.

    `pixels` is uint8, (H, W, 3) for RGB or (H, W, 1) for grey. `alpha` is uint8 (H, W), or None. `icc` is a profile for
    these pixels. `exif` is a TIFF structure without JPEG's prefix; its orientation is 1. `notes` has one line for each
    thing that wasn't kept. `grey_as_rgb`: the picture came as RGB with R = G = B everywhere, so its pixels are grey,
    and it is shown as RGB again. `hidden_replaced`: the colours of transparent pixels aren't those of the picture.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    notes: tuple[str, ...] = ()
    grey_as_rgb: bool = False
    hidden_replaced: bool = False


def load(source: Source, *, max_pixels: int | None) -> Picture:
    """Read a picture by the rules of docs/pictures.md. A PIL image that is given isn't changed.

    Raises:
        LimitError: it has more than `max_pixels` pixels (None: no limit). No pixel is decoded then.
        FileAccessError: Pillow can't read it, or would read it wrongly.
    """
    name = str(source) if isinstance(source, (str, Path)) else "the picture"
    with pixel_ceiling(max_pixels):
        try:
            if isinstance(source, Image.Image):
                return _to_picture(source, name, max_pixels)
            with _opened(source) as image:
                return _to_picture(image, name, max_pixels)
        except LimitError:
            raise
        except Image.DecompressionBombError as error:
            size = (re.findall(r"[0-9]+", str(error)) or ["too many"])[0]
            raise _over_limit(name, size, max_pixels) from error
        except UnidentifiedImageError as error:
            raise FileAccessError(f"{name}: {_unknown(source)}") from error
        except depth.MisreadError as error:
            raise FileAccessError(f"{name}: {error}") from error
        except OSError as error:
            raise FileAccessError(f"{name}: can't be read: {error.strerror or one_line(error)}") from error
        except Exception as error:  # Pillow's plugins raise anything for a damaged picture
            raise FileAccessError(f"{name}: can't be read as a picture: {one_line(error)}") from error


def load_rgb(source: Source, *, max_pixels: int | None = None) -> Picture:
    """Read a picture as `load` does, but with pixels (H, W, 3) and without alpha, for codecs that know no alpha.

    A picture that is transparent somewhere is put on white, with a note. Raises as `load`.
    """
    found = load(source, max_pixels=max_pixels)
    pixels, notes = found.pixels, found.notes
    if found.alpha is not None and found.alpha.min() < 255:
        pixels = on_background(pixels, found.alpha, _WHITE)
        notes = (*notes, "transparent picture laid on white")
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    return dataclasses.replace(found, pixels=pixels, alpha=None, notes=notes, grey_as_rgb=False)


def read_rgb(source: Path | bytes) -> Pixels:
    """The pixels of `load_rgb`. Raises OSError for its errors, as lpcodec.datasets expects of a reader."""
    try:
        return load_rgb(source).pixels
    except LpcodecError as error:
        raise OSError(str(error)) from error


def to_image(picture: Picture) -> Image.Image:
    """A PIL image of mode L, LA, RGB or RGBA, with its metadata in `info`, where `save_options` finds it."""
    pixels = np.repeat(picture.pixels, 3, axis=2) if picture.grey_as_rgb else picture.pixels
    planes = pixels if picture.alpha is None else np.dstack([pixels, picture.alpha])
    image = Image.fromarray(np.ascontiguousarray(planes[..., 0] if planes.shape[2] == 1 else planes))
    if picture.icc:
        image.info["icc_profile"] = picture.icc
    if picture.exif:
        image.info["exif"] = exifs.PREFIX + picture.exif
    if picture.xmp:
        image.info["xmp"] = picture.xmp
    return image


def _opened(source: str | Path | bytes) -> Image.Image:
    """The source as an open image, by a plugin if Pillow alone can't open it.

    PostScript is refused: Pillow would give it to Ghostscript, which runs it as a program.
    """
    if _head(source).startswith(_POSTSCRIPT):
        raise UnidentifiedImageError
    try:
        return Image.open(BytesIO(source) if isinstance(source, bytes) else source)
    except UnidentifiedImageError:
        if not plugins.registered(_head(source)):
            raise
        return Image.open(BytesIO(source) if isinstance(source, bytes) else source)


def _head(source: Source) -> bytes:
    if isinstance(source, bytes):
        return source[:_HEAD_BYTES]
    if isinstance(source, Image.Image):
        return b""
    with open(source, "rb") as stream:
        return stream.read(_HEAD_BYTES)


def _unknown(source: Source) -> str:
    """Why a source can't be read as a picture, and what would help."""
    head = _head(source)
    if head.startswith(SIGNATURE):
        return "an .lpc file, which is coded already"
    if head.startswith(_POSTSCRIPT):
        return "PostScript, which is a program and isn't run; convert it to PNG first"
    return plugins.advice(head) or "not a picture in a format that Pillow reads"


def _over_limit(name: str, size: str, max_pixels: int | None) -> LimitError:
    return LimitError(f"{name}: {size} pixels are over the limit of {max_pixels:,}", keyword="max_pixels")


def _check_size(image: Image.Image, name: str, max_pixels: int | None) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise ValueError(f"it has no pixels ({width} x {height})")
    if max_pixels is not None and width * height > max_pixels:
        raise _over_limit(name, f"{width} x {height}", max_pixels)
    if max(width, height) > MAX_SIDE:
        raise LimitError(f"{name}: {width} x {height} pixels: no side may be longer than {MAX_SIDE}")


def _to_picture(image: Image.Image, name: str, max_pixels: int | None) -> Picture:
    _check_size(image, name, max_pixels)
    values = depth.prepare(image)
    notes = [*values.notes, *losses.notes_before_loading(image)]
    icc = _as_bytes(image.info.get("icc_profile"))
    is_grey_mode = image.mode in _GREY_MODES or image.mode[0] in "IF"
    declared = colours.declared(image, is_grey_mode, bool(icc))
    image.load()
    _check_size(image, name, max_pixels)  # again, because some plugins know the size only now
    exif, xmp, orientation = _metadata(image, notes)
    if declared.note:
        notes.append(declared.note)
    if image.mode in _OTHER_COLOURS:
        image, note = to_srgb(image, icc)
        notes.append(note)
        icc = None
    else:
        icc = icc or declared.icc
    pixels, alpha = planes(image, values, notes)
    grey_as_rgb = is_grey(pixels)
    if grey_as_rgb:
        pixels = pixels[..., :1].copy()
    return Picture(
        pixels=oriented(pixels, orientation),
        alpha=None if alpha is None else oriented(alpha, orientation),
        icc=_fitting(_within_bounds(icc, "ICC profile", notes), pixels, grey_as_rgb, notes),
        exif=_within_bounds(exif, "EXIF", notes),
        xmp=_within_bounds(xmp, "XMP", notes),
        notes=tuple(dict.fromkeys(notes)),
        grey_as_rgb=grey_as_rgb,
    )


def _metadata(image: Image.Image, notes: list[str]) -> tuple[bytes | None, bytes | None, int | None]:
    """EXIF and XMP for the upright picture, and the orientation that its pixels have before they are turned (None:
    unknown)."""
    xmp = _as_bytes(image.info.get("xmp")) or _as_bytes(image.info.get("XML:com.adobe.xmp"))
    try:
        exif, orientation = exifs.read(image)
    except Exception:  # Pillow's EXIF parser, on damaged directories; the picture itself may be sound
        notes.append("the EXIF is unreadable and was left out")
        exif, orientation = None, None
    if orientation is None and xmp:
        orientation = xmps.orientation(xmp)
    sideways = orientation in exifs.SIDEWAYS
    if exif:
        exif = exifs.upright(exif, orientation)
    exif = exifs.with_resolution(exif, image, sideways)
    notes.extend(losses.notes_after_loading(image, xmps.announces(xmp) if xmp else ()))
    if xmp:
        xmp = xmps.upright(xmps.without_announcements(xmp), sideways)
    return exif, xmp, None if exifs.turned_by_decoder(image) else orientation


def _within_bounds(block: bytes | None, name: str, notes: list[str]) -> bytes | None:
    """The metadata block; None, with a note, if it is too long for a file. None for an empty one."""
    if block and len(block) > MAX_METADATA:
        notes.append(f"the {name} of {len(block)} bytes was left out: at most {MAX_METADATA} can be kept")
        return None
    return block or None


def _fitting(icc: bytes | None, pixels: Pixels, grey_as_rgb: bool, notes: list[str]) -> bytes | None:
    """The profile for the pixels as they are shown again; None, with a note, if it doesn't fit them."""
    if icc is None:
        return None
    comes_back_grey = pixels.shape[2] == 1 and not grey_as_rgb
    fitting, fits = profiles.fitting(icc, comes_back_grey)
    if not fits or (pixels.shape[2] == 3 and profiles.colour_space(icc) == profiles.GREY):
        notes.append(f"the ICC profile isn't for {'grey' if comes_back_grey else 'RGB'} and was left out")
        return None
    return fitting


def _as_bytes(block: object) -> bytes | None:
    if isinstance(block, str):
        return block.encode("utf-8", "surrogateescape")
    return block if isinstance(block, bytes) else None
