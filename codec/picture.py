"""Whatever Pillow opens <-> Picture: 8-bit grey or RGB pixels, alpha and metadata kept apart.

    file, bytes or PIL image --load--> Picture --to_image--> PIL image --save--> file

docs/pictures.md has the table of what comes back for each kind of input.
"""

import dataclasses
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms, PngImagePlugin, UnidentifiedImageError

from lpcodec.codec.container import MAX_METADATA, MAX_SIDE
from lpcodec.codec.errors import FileAccessError, LimitError, LpcodecError

Pixels = npt.NDArray[np.uint8]

_ORIENTATION = int(ExifTags.Base.Orientation)
_XMP_TAG = 700
_EXIF_PREFIX = b"Exif\x00\x00"
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))([0-9])")
# A TIFF file's first directory holds its layout among its EXIF; these are the tags that speak of the picture.
_TIFF_EXIF_TAGS = (270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432, 40091, 40092, 40093, 40094, 40095)
_EXIF_FOLDERS = (int(ExifTags.IFD.Exif), int(ExifTags.IFD.GPSInfo))
_FROM_16_BIT = "16-bit input reduced to 8 bit"
_OTHER_COLOURS = frozenset({"CMYK", "YCbCr", "LAB", "HSV"})
_ALPHA_FORMATS = frozenset({"PNG", "WEBP", "TIFF", "AVIF", "JPEG2000", "TGA", "ICO", "ICNS", "DDS"})
_FINE: dict[str, dict[str, Any]] = {
    "WEBP": {"lossless": True, "exact": True},
    "JPEG": {"quality": 95, "subsampling": 0},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
}
_TILE_PIXELS = 2**22
_BAND_PIXELS = 2**20
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Picture:
    """One picture as the codec takes it.

    `pixels` is uint8 (H, W, 3) for RGB or (H, W, 1) for grey; `alpha` uint8 (H, W) or None; `exif` a TIFF
    structure without JPEG's prefix, its orientation 1; `notes` one line for each thing that wasn't kept.
    `grey_as_rgb`: the pixels are grey, but the picture came as RGB with R = G = B everywhere, and comes back so.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    notes: tuple[str, ...] = ()
    grey_as_rgb: bool = False


def load(source: str | Path | bytes | Image.Image, *, max_pixels: int | None) -> Picture:
    """Read a picture by the rules of docs/pictures.md; a PIL image that is given is left as it was.

    Raises LimitError for more than `max_pixels` pixels (None: no limit) before any are decoded, and
    FileAccessError where Pillow can't read the source.
    """
    name = str(source) if isinstance(source, (str, Path)) else "the picture"
    with pixel_ceiling(max_pixels):
        try:
            if isinstance(source, Image.Image):
                return _to_picture(source, name, max_pixels)
            with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as image:
                return _to_picture(image, name, max_pixels)
        except LimitError:
            raise
        except Image.DecompressionBombError as error:
            size = (re.findall(r"[0-9]+", str(error)) or ["too many"])[0]
            raise _over_limit(name, size, max_pixels) from error
        except UnidentifiedImageError as error:
            raise FileAccessError(f"{name}: not a picture in a format that Pillow reads") from error
        except OSError as error:
            raise FileAccessError(f"{name}: can't be read: {error.strerror or one_line(error)}") from error
        except Exception as error:  # Pillow's plugins let anything through for a damaged picture
            raise FileAccessError(f"{name}: can't be read as a picture: {one_line(error)}") from error


def load_rgb(source: str | Path | bytes | Image.Image, *, max_pixels: int | None = None) -> Picture:
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


def to_image(picture: Picture) -> Image.Image:
    """A PIL image of mode L, LA, RGB or RGBA, its metadata in `info` where `save_options` finds it."""
    pixels = np.repeat(picture.pixels, 3, axis=2) if picture.grey_as_rgb else picture.pixels
    planes = pixels if picture.alpha is None else np.dstack([pixels, picture.alpha])
    image = Image.fromarray(np.ascontiguousarray(planes[..., 0] if planes.shape[2] == 1 else planes))
    if picture.icc:
        image.info["icc_profile"] = picture.icc
    if picture.exif:
        image.info["exif"] = _EXIF_PREFIX + picture.exif
    if picture.xmp:
        image.info["xmp"] = picture.xmp
    return image


def save_options(image: Image.Image, format: str) -> dict[str, Any]:
    """Keywords for `Image.save` by which `format` (Pillow's name, as "PNG") keeps the metadata in `info`.

    WebP is asked to be lossless, JPEG and AVIF to be fine with their colours at full size: a decoded picture
    shouldn't lose what nobody asked it to lose. Formats without a place for metadata get none.
    """
    icc, exif, xmp = (_as_bytes(image.info.get(key)) for key in ("icc_profile", "exif", "xmp"))
    options: dict[str, Any] = dict(_FINE.get(format, {}))
    if icc and format in {"PNG", "JPEG", "WEBP", "TIFF", "AVIF"}:
        options["icc_profile"] = icc
    if exif and format in {"PNG", "JPEG", "WEBP", "AVIF"}:
        options["exif"] = exif
    if xmp and format in {"JPEG", "WEBP", "AVIF"}:
        options["xmp"] = xmp
    if xmp and format == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        # Keyword, no compression, no language, no translated keyword; then the packet, whatever its encoding.
        options["pnginfo"].add(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    if format == "TIFF" and (exif or xmp):
        options["exif"] = Image.Exif()
        options["exif"].load(exif or b"")
        if xmp:
            options["exif"][_XMP_TAG] = xmp
    return options


def save(image: Image.Image, target: str | Path | BinaryIO, format: str | None = None) -> None:
    """Write `image` with its metadata as `format` (Pillow's name; by default what the target's suffix says).

    Raises FileAccessError where the target can't be written, or the format can't hold the alpha channel, the
    size or the metadata.
    """
    name = str(target) if isinstance(target, (str, Path)) else "the picture"
    Image.init()
    if format is None:
        suffix = Path(target).suffix.lower() if isinstance(target, (str, Path)) else ""
        format = Image.registered_extensions().get(suffix, "")
    format = format.upper()
    if format not in Image.SAVE:
        raise FileAccessError(f"{name}: Pillow writes no such picture format; use .png")
    if image.mode in {"LA", "RGBA"} and format not in _ALPHA_FORMATS:
        raise FileAccessError(f"{name}: {format} can't hold the picture's alpha channel; use .png")
    try:
        image.save(target, format, **save_options(image, format))
    except OSError as error:
        raise FileAccessError(f"{name}: can't be written: {error.strerror or one_line(error)}") from error
    except Exception as error:  # each plugin has its own way to say that something is too large for it
        raise FileAccessError(f"{name}: can't be written as {format}: {one_line(error)}; use .png") from error


class _Ceiling(int):
    """A value for Pillow's pixel limit, which is doubled before it becomes an error: this one stays the same.

    So there is no range of sizes that Pillow only warns of, on a stream where one line is promised.
    """

    def __rmul__(self, factor: int) -> int:
        return int(self)


_guard = threading.Lock()
_ceilings: list[int | None] = []
_pillows_own: int | None = None


@contextmanager
def pixel_ceiling(max_pixels: int | None) -> Iterator[None]:
    """Let our limit stand in for Pillow's own, which is a global: of several threads' the loosest holds.

    It also meets inner pictures that are larger than the file declares, and tiles, which may well be larger
    than a small picture: hence the floor.
    """
    global _pillows_own

    def apply() -> None:
        finite = [ceiling for ceiling in _ceilings if ceiling is not None]
        loosest = _Ceiling(max(finite)) if finite and len(finite) == len(_ceilings) else None
        Image.MAX_IMAGE_PIXELS = loosest if _ceilings else _pillows_own

    ceiling = None if max_pixels is None else max(max_pixels, _TILE_PIXELS)
    with _guard:
        if not _ceilings:
            _pillows_own = Image.MAX_IMAGE_PIXELS
        _ceilings.append(ceiling)
        apply()
    try:
        yield
    finally:
        with _guard:
            _ceilings.remove(ceiling)
            apply()


def _forget_other_threads() -> None:
    """In a forked child: pictures that other threads of the parent had open aren't open here."""
    if _ceilings:
        _ceilings.clear()
        Image.MAX_IMAGE_PIXELS = _pillows_own
    _guard.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_forget_other_threads)


def one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _over_limit(name: str, size: str, max_pixels: int | None) -> LimitError:
    return LimitError(f"{name}: {size} pixels are over the limit of {max_pixels:,}", keyword="max_pixels")


def _check_size(image: Image.Image, name: str, max_pixels: int | None) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise ValueError(f"it has no pixels ({width} x {height})")
    if max_pixels is not None and width * height > max_pixels:
        raise _over_limit(name, f"{width} x {height}", max_pixels)
    if max(width, height) > MAX_SIDE:
        raise LimitError(f"{name}: {width} x {height} pixels, where no side may be longer than {MAX_SIDE}")


def _opening_notes(image: Image.Image) -> list[str]:
    """What is only known before the pixels are loaded: further frames, and depth that Pillow takes away."""
    notes = []
    if getattr(image, "is_animated", False):
        taken = "the first" if image.tell() == 0 else "the current one"
        notes.append(f"the file holds several pictures (frames or pages): only {taken} was taken")
    for codec, _, _, arguments in getattr(image, "tile", ()):
        arguments = arguments if isinstance(arguments, tuple) else (arguments,)
        raw_mode, last = str(arguments[0]), arguments[-1]
        deep_ppm = codec in {"ppm", "ppm_plain"} and isinstance(last, int) and last > 255
        if (";16" in raw_mode and image.mode[0] not in "IF") or codec == "SGI16" or deep_ppm:
            notes.append(_FROM_16_BIT)
            break
    return notes


def _to_picture(image: Image.Image, name: str, max_pixels: int | None) -> Picture:
    _check_size(image, name, max_pixels)
    notes = _opening_notes(image)
    image.load()
    _check_size(image, name, max_pixels)  # some plugins learn the size only now
    icc = _as_bytes(image.info.get("icc_profile"))
    exif, orientation = _exif(image, notes)
    xmp, xmp_orientation = _xmp(image)
    orientation = xmp_orientation if orientation is None else orientation
    if image.mode in _OTHER_COLOURS:
        image, note = _to_srgb(image, icc)
        notes.append(note)
        icc = None
    pixels, alpha = _planes(image, notes)
    grey_as_rgb = is_grey(pixels)
    if grey_as_rgb:
        pixels = pixels[..., :1].copy()
    return Picture(
        pixels=_oriented(pixels, orientation),
        alpha=None if alpha is None else _oriented(alpha, orientation),
        icc=_within_bounds(icc, "ICC profile", notes),
        exif=_within_bounds(exif, "EXIF", notes),
        xmp=_within_bounds(xmp, "XMP", notes),
        notes=tuple(notes),
        grey_as_rgb=grey_as_rgb,
    )


def is_grey(pixels: Pixels) -> bool:
    """Whether pixels (H, W, 3) have R = G = B everywhere; False for (H, W, 1)."""
    return pixels.shape[2] == 3 and all(
        bool((pixels[rows, :, 1:] == pixels[rows, :, :1]).all()) for rows in row_bands(pixels.shape)
    )


def _within_bounds(block: bytes | None, name: str, notes: list[str]) -> bytes | None:
    """The metadata block; None, and a note, where a file couldn't hold it. An empty one is none."""
    if block and len(block) > MAX_METADATA:
        notes.append(f"the {name} of {len(block)} bytes was left out: at most {MAX_METADATA} can be kept")
        return None
    return block or None


def _as_bytes(block: object) -> bytes | None:
    if isinstance(block, str):
        return block.encode("utf-8", "surrogateescape")
    return block if isinstance(block, bytes) else None


def _xmp(image: Image.Image) -> tuple[bytes | None, int | None]:
    """The picture's XMP with the orientation set to 1, and the orientation that it had (None: not told)."""
    xmp = _as_bytes(image.info.get("xmp")) or _as_bytes(image.info.get("XML:com.adobe.xmp"))
    if not xmp or not (found := _XMP_ORIENTATION.search(xmp)):
        return xmp, None
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp), int(found[2])


def _exif(image: Image.Image, notes: list[str]) -> tuple[bytes | None, int | None]:
    """The picture's EXIF with the orientation set to 1, and the orientation that it had (None: not told)."""
    try:
        raw = re.sub(rb"\A(?:Exif\x00\x00){1,2}", b"", _as_bytes(image.info.get("exif")) or b"")
        if not raw:
            return _rebuilt_exif(image)
        if raw[:4] in {b"II*\0", b"MM\0*"}:
            return _reset_orientation(raw)
    except Exception:  # Pillow's EXIF parser, on damaged directories; the picture itself may be sound
        pass
    notes.append("the EXIF is unreadable and was left out")
    return None, None


def _rebuilt_exif(image: Image.Image) -> tuple[bytes | None, int | None]:
    """EXIF and orientation where they are no block of their own: TIFF's tags, PNG's text, set by hand."""
    found, kept, is_tiff = image.getexif(), Image.Exif(), hasattr(image, "tag_v2")
    for tag, value in found.items():
        if tag not in {_ORIENTATION, *_EXIF_FOLDERS} and (tag in _TIFF_EXIF_TAGS or not is_tiff):
            kept[tag] = value
    for folder in _EXIF_FOLDERS:
        if inner := found.get_ifd(folder):
            kept[folder] = inner
    return (kept.tobytes().removeprefix(_EXIF_PREFIX) if len(kept) else None), found.get(_ORIENTATION)


def _reset_orientation(exif: bytes) -> tuple[bytes, int | None]:
    """Set the orientation to 1 where it stands in the first directory, and change no other byte."""
    order: Literal["little", "big"] = "little" if exif[:2] == b"II" else "big"

    def number(place: int, length: int) -> int:
        return int.from_bytes(exif[place : place + length], order)

    patched, orientation = bytearray(exif), None
    directory = number(4, 4)
    for place in range(directory + 2, min(directory + 2 + 12 * number(directory, 2), len(exif) - 11), 12):
        width = {1: 1, 3: 2, 4: 4}.get(number(place + 2, 2), 0)  # BYTE, SHORT or LONG
        if number(place, 2) == _ORIENTATION and number(place + 4, 4) == 1 and width:
            orientation = number(place + 8, width)
            patched[place + 8 : place + 8 + width] = (1).to_bytes(width, order)
    return bytes(patched), orientation


def _oriented(plane: Pixels, orientation: int | None) -> Pixels:
    """Turn and mirror (H, W) or (H, W, C) as the EXIF orientation says; outside 2 to 8 nothing changes."""
    if orientation in (5, 6, 7, 8):
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


def _planes(image: Image.Image, notes: list[str]) -> tuple[Pixels, Pixels | None]:
    """Pixels uint8 (H, W, C) and alpha of an image of any mode that is grey, a palette or RGB."""
    if image.mode[0] in "IF":
        values = np.asarray(image)
        return _to_eight_bits(values, notes)[..., None], _keyed_alpha(values[..., None], image)
    if image.mode in {"LA", "La"}:
        return _unpacked(image, "LA")
    if image.mode in {"RGBA", "RGBa", "PA"} or (image.mode == "P" and image.has_transparency_data):
        return _unpacked(image, "RGBA")
    pixels, _ = _unpacked(image, "L" if image.mode in {"1", "L"} else "RGB")
    return pixels, _keyed_alpha(pixels, image)


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


def _keyed_alpha(values: npt.NDArray[Any], image: Image.Image) -> Pixels | None:
    """Alpha of an image whose `info` names one value (grey) or colour as transparent; values (H, W, C)."""
    key = image.info.get("transparency")
    if isinstance(key, int):
        key = (key,)
    if not isinstance(key, tuple) or len(key) != values.shape[2]:
        return None
    if values.shape[2] == 3 and max(key) > 255:  # a 16-bit colour, of which Pillow kept the high bytes
        key = tuple(part >> 8 for part in key)
    alpha: Pixels = (values != np.array(key)).any(axis=2) * np.uint8(255)
    return alpha


def _to_eight_bits(values: npt.NDArray[Any], notes: list[str]) -> Pixels:
    """Grey values (H, W) of modes I;16, I or F as uint8; says in a note which range was taken."""
    if values.dtype.kind == "f":
        numbers = values[np.isfinite(values)]
        top = 1.0 if numbers.size == 0 or numbers.max() <= 1 else 255.0
        notes.append(f"float input reduced to 8 bit, its values taken as 0 to {top:.0f}")
        scaled = np.clip(np.nan_to_num(values, nan=0.0, posinf=top, neginf=0.0), 0, top) * (255 / top)
        rounded: Pixels = np.rint(scaled).astype(np.uint8)
        return rounded
    if values.dtype.itemsize == 2:
        notes.append(_FROM_16_BIT)
    else:
        notes.append("32-bit input reduced to 8 bit, its values taken as 0 to 65535")
    reduced: Pixels = ((np.clip(values, 0, 65535).astype(np.uint32) + 128) // 257).astype(np.uint8)
    return reduced
