"""Writing decoded pictures, with the metadata in their `info`, in every format that Pillow writes."""

from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, PngImagePlugin

from lpcodec.codec.errors import FileAccessError
from lpcodec.codec.picturefiles import exif as exifs
from lpcodec.codec.picturefiles import profiles
from lpcodec.codec.picturefiles.limits import one_line

_XMP_TAG = 700
_ALPHA_FORMATS = frozenset({"PNG", "WEBP", "TIFF", "AVIF", "JPEG2000", "TGA", "ICO", "ICNS", "DDS"})
_WITH_PROFILE = frozenset({"PNG", "JPEG", "WEBP", "TIFF", "AVIF"})
_WITH_RESOLUTION = frozenset({"PNG", "JPEG", "TIFF", "BMP"})
_FINE: dict[str, dict[str, Any]] = {
    "WEBP": {"lossless": True, "exact": True},
    "JPEG": {"quality": 95, "subsampling": 0},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
}


def save_options(image: Image.Image, format: str) -> dict[str, Any]:
    """Keywords for `Image.save` by which `format` (Pillow's name, as "PNG") keeps the metadata in `info`.

    WebP is asked to be lossless, JPEG and AVIF to be fine with their colours at full size: a decoded picture
    shouldn't lose what nobody asked it to lose. Formats without a place for metadata get none.
    """
    exif, xmp = image.info.get("exif"), _as_bytes(image.info.get("xmp"))
    options: dict[str, Any] = dict(_FINE.get(format, {}))
    if format == "AVIF" and image.mode in {"L", "LA"}:
        options["subsampling"] = "4:0:0"
    icc, _ = _profile(image, format)
    if icc:
        options["icc_profile"] = icc
    if exif and format in {"PNG", "JPEG", "WEBP", "AVIF"}:
        options["exif"] = exif
    if exif and format in _WITH_RESOLUTION and (dpi := exifs.resolution(exif.removeprefix(exifs.PREFIX))):
        options["dpi"] = dpi
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


def save(image: Image.Image, target: str | Path | BinaryIO, format: str | None = None) -> tuple[str, ...]:
    """Write `image` with its metadata as `format` (Pillow's name; by default what the target's suffix says).

    Returns notes on what the format couldn't keep, one line each. Raises FileAccessError if the target can't be
    written, or the format can't hold the alpha channel, the size or the metadata.
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
    return _losses(image, format)


def _losses(image: Image.Image, format: str) -> tuple[str, ...]:
    """What `format` couldn't keep of the metadata, one line each."""
    _, note = _profile(image, format)
    kept = {"icc_profile": _WITH_PROFILE, "exif": {*_WITH_PROFILE}, "xmp": {*_WITH_PROFILE}}
    titles = {"icc_profile": "ICC profile", "exif": "EXIF", "xmp": "XMP"}
    lost = [titles[key] for key, formats in kept.items() if image.info.get(key) and format not in formats]
    left_out = f"{format} holds no {', '.join(lost)}: left out"
    return (*((note,) if note else ()), *((left_out,) if lost else ()))


def _profile(image: Image.Image, format: str) -> tuple[bytes | None, str | None]:
    """The ICC profile that fits what `format` makes of the image, and a note if none could be made to fit.

    Pillow writes grey as RGB in WebP, where a profile for grey would be wrong.
    """
    icc = _as_bytes(image.info.get("icc_profile"))
    if not icc or format not in _WITH_PROFILE:
        return None, None
    grey = image.mode in {"L", "LA", "1", "I;16"} and format != "WEBP"
    fitting, fits = profiles.fitting(icc, grey)
    return fitting, None if fits else f"the ICC profile isn't for {'grey' if grey else 'RGB'} and was left out"


def _as_bytes(block: object) -> bytes | None:
    if isinstance(block, str):
        return block.encode("utf-8", "surrogateescape")
    return block if isinstance(block, bytes) else None
