"""What a file holds besides the picture and that isn't kept: a note for each, so that nothing is lost silently."""

from collections.abc import Iterator
from typing import Any

from PIL import Image

from lpcodec.codec.picturefiles.colours import heif_meta
from lpcodec.codec.picturefiles.xmp import FILM, GAIN_MAP

_IPTC_IN_PHOTOSHOP = 0x0404
_TIFF_IPTC, _TIFF_PHOTOSHOP = 33723, 34377
_TEXT_KEPT_ELSEWHERE = {"XML:com.adobe.xmp", "Raw profile type exif", "Raw profile type APP1", "Raw profile type xmp"}
_NAMES_SHOWN = 3
_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1"
_GAIN_MAP_NOTE = "the file holds a gain map for HDR screens, which was left out"
_FILM_NOTE = "the file holds a film (motion photo), which was left out"


def notes_before_loading(image: Image.Image) -> Iterator[str]:
    """Notes on further pictures in the file, which are only known before the pixels are loaded."""
    if getattr(image, "is_animated", False):
        taken = "the first" if image.tell() == 0 else "the current one"
        yield f"the file holds several pictures (frames or pages): only {taken} was taken"
    if image.format == "AVIF" and b"tmap" in heif_meta(image):
        yield _GAIN_MAP_NOTE
    auxiliary = " ".join(map(str, image.info.get("aux") or ()))  # pillow-heif's names of further pictures
    if "hdrgainmap" in auxiliary or "21496" in auxiliary:
        yield _GAIN_MAP_NOTE
    if image.info.get("depth_images"):
        yield "the file holds a map of distances, which was left out"


def notes_after_loading(image: Image.Image, announced: tuple[str, ...]) -> Iterator[str]:
    """Notes on text, comments, IPTC, credentials and further pictures; `announced` is what the XMP announces."""
    segments = getattr(image, "applist", ())
    further = any(name == "APP2" and _ISO_GAIN_MAP in data[:64] for name, data in segments)
    if GAIN_MAP in announced or further:
        yield _GAIN_MAP_NOTE
    if FILM in announced:
        yield _FILM_NOTE
    if any(name == "APP11" and b"jumb" in data[:64] for name, data in segments):
        yield "the content credentials (C2PA) were left out: they would not hold for the decoded picture"
    if _has_iptc(image):
        yield "the IPTC metadata was left out"
    if names := _text_names(image):
        shown = ", ".join(names[:_NAMES_SHOWN])
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        yield f"the text in the file was left out: {shown}{more}"
    if comment := _words(image.info.get("comment")):
        yield f"the comment was left out: {comment}"


def _has_iptc(image: Any) -> bool:
    photoshop = image.info.get("photoshop")
    tags = getattr(image, "tag_v2", {})
    return (isinstance(photoshop, dict) and _IPTC_IN_PHOTOSHOP in photoshop) or _TIFF_IPTC in tags


def _text_names(image: Image.Image) -> list[str]:
    text = getattr(image, "text", None) if image.format == "PNG" else None
    return [_words(name) for name in text or () if name not in _TEXT_KEPT_ELSEWHERE]


def _words(text: object) -> str:
    """Text of a file on one short line, without control characters."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text or "")).split())
    return line if len(line) <= 60 else f"{line[:59]}…"
