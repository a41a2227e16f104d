"""Writing decoded pictures, with the metadata in their `info`, in every format that Pillow writes."""

from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, PngImagePlugin

from lpcodec.codec import atomic
from lpcodec.codec.errors import FileAccessError, UsageError
from lpcodec.codec.picturefiles import exif as exifs
from lpcodec.codec.picturefiles import profiles
from lpcodec.codec.picturefiles.limits import one_line, pixel_ceiling

_XMP_TAG = 700
_ALPHA_FORMATS = frozenset({"PNG", "WEBP", "TIFF", "AVIF", "HEIF", "JXL", "JPEG2000", "TGA", "ICO", "ICNS", "DDS"})
_WITH_PROFILE = frozenset({"PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF"})
"""Without JPEG XL: pillow-jxl-plugin accepts a profile but writes sRGB."""
_WITH_EXIF = _WITH_PROFILE | {"JXL"}
_WITH_RESOLUTION = frozenset({"PNG", "JPEG", "TIFF", "BMP"})
_REDUCING = {
    "GIF": "256 colours at most, and the picture's were reduced",
    "SPIDER": "no colours, and the picture's were left out",
    "ICO": "small pictures alone",
    "ICNS": "square pictures of some sizes alone",
}
"""What formats hold to which Pillow reduces a picture without a word."""
LOSSY_FORMATS = frozenset({"JPEG", "WEBP", "AVIF", "HEIF", "JXL"})
"""Formats that have a quality of 0 to 100."""
_WHOLE_CHROMA = 90
"""From this quality on colours keep their full size; below it, the format's own default holds."""
_FINE: dict[str, dict[str, Any]] = {
    "WEBP": {"lossless": True, "exact": True},
    "JPEG": {"quality": 95, "subsampling": 0},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "HEIF": {"quality": 95, "chroma": 444},
    "JXL": {"lossless": True},
}


def save_options(image: Image.Image, format: str, quality: int | None = None) -> dict[str, Any]:
    """Keywords for `Image.save` by which `format` (Pillow's name, such as "PNG") keeps the metadata in `info`.

    Without a `quality`, WebP and JPEG XL files are lossless, and JPEG, AVIF and HEIC files fine, with their colours at
    full size. A `quality` of 0..100 makes them smaller. Formats without a place for metadata get none.

    Raises:
        UsageError: the format has no quality, or it isn't in 0..100.
    """
    exif, xmp = image.info.get("exif"), _as_bytes(image.info.get("xmp"))
    options = dict(_FINE.get(format, {})) if quality is None else _lossy_options(format, quality)
    if format == "AVIF" and image.mode in {"L", "LA"}:
        options["subsampling"] = "4:0:0"
    icc, _ = _profile(image, format)
    if icc:
        options["icc_profile"] = icc
    if exif and format in _WITH_EXIF - {"TIFF"}:
        options["exif"] = exif
    if exif and format in _WITH_RESOLUTION and (dpi := exifs.resolution(exif.removeprefix(exifs.PREFIX))):
        options["dpi"] = dpi
    if xmp and format in _WITH_EXIF - {"PNG", "TIFF"}:
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


def _lossy_options(format: str, quality: int) -> dict[str, Any]:
    """Keywords for a given quality. Raises UsageError as `save_options` does."""
    if format not in LOSSY_FORMATS:
        raise UsageError(f"{format} has no quality: it is for .jpg, .webp, .avif, .heic and .jxl")
    if not 0 <= quality <= 100:
        raise UsageError(f"quality {quality}: it goes from 0 to 100")
    whole: dict[str, Any] = {"JPEG": {"subsampling": 0}, "AVIF": {"subsampling": "4:4:4"}, "HEIF": {"chroma": 444}}
    return {"quality": quality, **(whole.get(format, {}) if quality >= _WHOLE_CHROMA else {})}


def save(
    image: Image.Image, target: str | Path | BinaryIO, format: str | None = None, quality: int | None = None
) -> tuple[str, ...]:
    """Write `image` with its metadata as `format` (Pillow's name; by default that of the target's suffix).

    `quality` is that of `save_options`. A file is whole or not there (atomic.py). Returns notes on what the format
    couldn't keep, one line each.

    Raises:
        FileAccessError: the target can't be written, or the format can't hold the alpha channel, the size or the
            metadata.
        UsageError: as `save_options`.
        OSError: of a stream that is the target.
    """
    about = f"{target}: " if isinstance(target, (str, Path)) else ""
    Image.init()
    if format is None:
        suffix = Path(target).suffix.lower() if isinstance(target, (str, Path)) else ""
        format = Image.registered_extensions().get(suffix, "")
    format = format.upper()
    if format not in Image.SAVE:
        raise FileAccessError(f"{about}Pillow writes no such picture format; use .png")
    if image.mode in {"LA", "RGBA"} and format not in _ALPHA_FORMATS:
        raise FileAccessError(f"{about}{format} can't hold the picture's alpha channel; use .png")
    options = save_options(image, format, quality)
    coded = BytesIO()  # on a full disk Pillow cuts some formats short without an error, and hangs with JPEG 2000
    try:
        image.save(coded, format, **options)
    except OSError as error:
        raise FileAccessError(f"{about}can't be written: {error.strerror or one_line(error)}") from error
    except Exception as error:  # each plugin has its own exception for a picture that is too large for it
        raise FileAccessError(f"{about}can't be written as {format}: {one_line(error)}; use .png") from error
    if isinstance(target, (str, Path)):
        atomic.write_whole(Path(target), lambda stream: stream.write(coded.getbuffer()))
    else:
        target.write(coded.getbuffer())
    reduced = _reduction(image, coded, format)
    return (*((reduced,) if reduced else ()), *_losses(image, format))


def _reduction(image: Image.Image, coded: BytesIO, format: str) -> str | None:
    """A note if the file doesn't have the picture's size or colours, in a format to which Pillow reduces pictures."""
    if format not in _REDUCING:
        return None
    coded.seek(0)
    with pixel_ceiling(None), Image.open(coded, formats=[format]) as stored:
        size, same = stored.size, stored.convert(image.mode).tobytes() == image.tobytes()
    if size != image.size:
        return f"{format} holds {_REDUCING[format]}: this one was made {size[0]} x {size[1]} pixels"
    return None if same else f"{format} holds {_REDUCING[format]}"


def _losses(image: Image.Image, format: str) -> tuple[str, ...]:
    """Notes on the metadata that `format` couldn't keep, one line each."""
    _, note = _profile(image, format)
    kept = {"icc_profile": _WITH_PROFILE, "exif": _WITH_EXIF, "xmp": _WITH_EXIF}
    titles = {"icc_profile": "ICC profile", "exif": "EXIF", "xmp": "XMP"}
    lost = [titles[key] for key, formats in kept.items() if image.info.get(key) and format not in formats]
    left_out = f"{format} holds no {', '.join(lost)}: left out"
    return (*((note,) if note else ()), *((left_out,) if lost else ()))


def _profile(image: Image.Image, format: str) -> tuple[bytes | None, str | None]:
    """The ICC profile for the image as `format` stores it, and a note if it has one that can't be converted.

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
