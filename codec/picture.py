"""Whatever Pillow opens <-> Picture: 8-bit grey or RGB pixels, with alpha and metadata apart.

    file, bytes or PIL image --load--> Picture --to_image--> PIL image --save--> file
                             --load_rgb--> Picture of RGB alone, for codecs that take nothing else

This is the one loader: every picture that the package reads comes through it. picturefiles/ has what it needs to know
of files; docs/pictures.md has the table of what comes back for each kind of input.
"""

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, UnidentifiedImageError

from lpcodec.codec.container import MAX_METADATA, MAX_SIDE, SIGNATURE
from lpcodec.codec.errors import FileAccessError, LimitError, LpcodecError
from lpcodec.codec.picturefiles import colours, depth, losses, plugins, profiles
from lpcodec.codec.picturefiles import exif as exifs
from lpcodec.codec.picturefiles import xmp as xmps
from lpcodec.codec.picturefiles.limits import one_line, pixel_ceiling
from lpcodec.codec.picturefiles.saving import save, save_options

__all__ = [
    "Picture", "Pixels", "is_grey", "load", "load_rgb", "on_background", "read_rgb", "row_bands", "save",
    "save_options", "to_image",
]  # fmt: skip

Pixels = npt.NDArray[np.uint8]
Source = str | Path | bytes | Image.Image

_OTHER_COLOURS = frozenset({"CMYK", "YCbCr", "LAB", "HSV"})
_GREY_MODES = frozenset({"1", "L", "LA", "La"})
_BAND_PIXELS = 2**20
_HEAD_BYTES = 64
_POSTSCRIPT = (b"%!PS", b"\xc5\xd0\xd3\xc6")
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Picture:
    """One picture as the codec takes it.

    `pixels` is uint8 (H, W, 3) for RGB or (H, W, 1) for grey; `alpha` uint8 (H, W) or None; `icc` a profile for these
    pixels; `exif` a TIFF structure without JPEG's prefix, its orientation 1; `notes` one line for each thing that
    wasn't kept. `grey_as_rgb`: the pixels are grey, but the picture came as RGB with R = G = B everywhere, and comes
    back so.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    notes: tuple[str, ...] = ()
    grey_as_rgb: bool = False


def load(source: Source, *, max_pixels: int | None) -> Picture:
    """Read a picture by the rules of docs/pictures.md; a PIL image that is given is left as it was.

    Raises LimitError for more than `max_pixels` pixels (None: no limit) before any are decoded, and
    FileAccessError if Pillow can't read the source, or would read it wrongly.
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
        except Exception as error:  # Pillow's plugins let anything through for a damaged picture
            raise FileAccessError(f"{name}: can't be read as a picture: {one_line(error)}") from error


def load_rgb(source: Source, *, max_pixels: int | None = None) -> Picture:
    """Read a picture as `load` does, with its pixels always (H, W, 3) and no alpha: what a codec without alpha takes.

    A picture that isn't opaque everywhere is laid on white, with a note. Raises as `load`.
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
    """The pixels of `load_rgb`; its errors as OSError, as the readers of lpcodec.datasets raise them."""
    try:
        return load_rgb(source).pixels
    except LpcodecError as error:
        raise OSError(str(error)) from error


def on_background(pixels: Pixels, alpha: Pixels, colour: tuple[int, int, int]) -> Pixels:
    """Lay pixels (H, W, 1 or 3) with alpha (H, W) on one colour; (H, W, 1) only if picture and colour are grey."""
    channels = pixels.shape[2] if len(set(colour)) == 1 else 3
    laid = np.empty((*pixels.shape[:2], channels), np.uint8)
    for rows in row_bands(pixels.shape):
        weight = alpha[rows, :, None].astype(np.uint32)
        mixed = pixels[rows] * weight + np.array(colour[:channels], np.uint32) * (255 - weight)
        laid[rows] = (mixed + 127) // 255
    return laid


def row_bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of rows that cover an array (H, W, ...), about a megapixel each: no second whole copy is ever held."""
    rows = max(1, _BAND_PIXELS // shape[1])
    return (slice(top, min(top + rows, shape[0])) for top in range(0, shape[0], rows))


def is_grey(pixels: Pixels) -> bool:
    """Whether pixels (H, W, 3) have R = G = B everywhere; False for (H, W, 1)."""
    return pixels.shape[2] == 3 and all(
        bool((pixels[rows, :, 1:] == pixels[rows, :, :1]).all()) for rows in row_bands(pixels.shape)
    )


def to_image(picture: Picture) -> Image.Image:
    """A PIL image of mode L, LA, RGB or RGBA, its metadata in `info`, where `save_options` finds it."""
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
    """The source as an open image, with the help of another package if Pillow alone can't open it.

    Not PostScript: Pillow would hand it to Ghostscript, which runs what the file says.
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
    """Why a source isn't a picture, and what would help."""
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
    _check_size(image, name, max_pixels)  # some plugins learn the size only now
    exif, xmp, orientation = _metadata(image, notes)
    if declared.note:
        notes.append(declared.note)
    if image.mode in _OTHER_COLOURS:
        image, note = _to_srgb(image, icc)
        notes.append(note)
        icc = None
    else:
        icc = icc or declared.icc
    pixels, alpha = _planes(image, values, notes)
    grey_as_rgb = is_grey(pixels)
    if grey_as_rgb:
        pixels = pixels[..., :1].copy()
    return Picture(
        pixels=_oriented(pixels, orientation),
        alpha=None if alpha is None else _oriented(alpha, orientation),
        icc=_fitting(_within_bounds(icc, "ICC profile", notes), pixels, grey_as_rgb, notes),
        exif=_within_bounds(exif, "EXIF", notes),
        xmp=_within_bounds(xmp, "XMP", notes),
        notes=tuple(dict.fromkeys(notes)),
        grey_as_rgb=grey_as_rgb,
    )


def _metadata(image: Image.Image, notes: list[str]) -> tuple[bytes | None, bytes | None, int | None]:
    """EXIF and XMP of the upright picture, and the orientation by which its pixels are to be turned (None: not)."""
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
    return exif, xmp, orientation


def _within_bounds(block: bytes | None, name: str, notes: list[str]) -> bytes | None:
    """The metadata block; None, and a note, if a file couldn't hold it. An empty one is none."""
    if block and len(block) > MAX_METADATA:
        notes.append(f"the {name} of {len(block)} bytes was left out: at most {MAX_METADATA} can be kept")
        return None
    return block or None


def _fitting(icc: bytes | None, pixels: Pixels, grey_as_rgb: bool, notes: list[str]) -> bytes | None:
    """The profile for the pixels as they come back; None, and a note, if it is for others."""
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


def _oriented(plane: Pixels, orientation: int | None) -> Pixels:
    """Turn and mirror (H, W) or (H, W, C) as the EXIF orientation says; outside 2 to 8 nothing changes."""
    if orientation in exifs.SIDEWAYS:
        plane = plane.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    return np.ascontiguousarray(plane)


def _to_srgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, str]:
    """An RGB image from one in another colour space, and a note that says how it was made."""
    note = f"{image.mode} picture converted to sRGB"
    if icc and image.mode == "CMYK":
        try:
            profile, srgb = ImageCms.ImageCmsProfile(BytesIO(icc)), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None
        if converted is not None:
            return converted, f"{note} through its ICC profile, which isn't kept"
    return image.convert("RGB"), note + ("; its ICC profile isn't kept" if icc else "")


def _planes(image: Image.Image, values: depth.Depth, notes: list[str]) -> tuple[Pixels, Pixels | None]:
    """Pixels uint8 (H, W, C) and alpha of an image of any mode that is grey, a palette or RGB."""
    if image.mode[0] in "IF":
        deep = np.asarray(image)
        pixels, note = depth.grey_values(deep, values)
        notes.append(note)
        return pixels[..., None], _keyed_alpha(deep[..., None], image.info.get("transparency"))
    if image.mode in {"LA", "La"}:
        return _unpacked(image, "LA")
    if image.mode in {"RGBA", "RGBa", "PA"} or (image.mode == "P" and image.has_transparency_data):
        return _unpacked(image, "RGBA")
    pixels, _ = _unpacked(image, "L" if image.mode in {"1", "L"} else "RGB")
    key = image.info.get("transparency")
    if pixels.shape[2] == 1 and isinstance(key, int):
        key = depth.grey_key(key, values)
    elif isinstance(key, tuple) and any(part > 255 for part in key):
        key = tuple(part >> 8 for part in key)  # a 16-bit colour, of which Pillow kept the high bytes
    return pixels, _keyed_alpha(pixels, key)


def _unpacked(image: Image.Image, mode: str) -> tuple[Pixels, Pixels | None]:
    """Pixels and alpha of `image` in mode L, LA, RGB or RGBA: in bands, so that no third whole copy is held."""
    width, height = image.size
    pixels = np.empty((height, width, len(mode.removesuffix("A"))), np.uint8)
    alpha = np.empty((height, width), np.uint8) if mode.endswith("A") else None
    for rows in row_bands(pixels.shape):
        band = image.crop((0, rows.start, width, rows.stop))
        planes = np.asarray(band if band.mode == mode else band.convert(mode)).reshape(-1, width, len(mode))
        pixels[rows] = planes[..., : pixels.shape[2]]
        if alpha is not None:
            alpha[rows] = planes[..., -1]
    return pixels, alpha


def _keyed_alpha(values: npt.NDArray[Any], key: object) -> Pixels | None:
    """Alpha of values (H, W, C) of which one value (grey) or colour is transparent; None if `key` names none."""
    if isinstance(key, int):
        key = (key,)
    if not isinstance(key, tuple) or len(key) != values.shape[2]:
        return None
    alpha: Pixels = (values != np.array(key)).any(axis=2) * np.uint8(255)
    return alpha
