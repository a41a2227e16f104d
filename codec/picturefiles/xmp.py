"""XMP packets: the orientation, the dimensions, and what they announce but a decoded picture doesn't have."""

import re

_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))([0-9])")
GAIN_MAP, FILM = "a gain map", "a film"
"""What a packet can announce."""
_DIMENSIONS = ((b"tiff:ImageWidth", b"tiff:ImageLength"), (b"exif:PixelXDimension", b"exif:PixelYDimension"))
# Prefixes of properties that describe a further picture or a film in the same file: gain maps by Adobe and Google,
# by Apple, and Google's list of what follows the picture.
_GAIN_MAP = rb"(?:hdrgm|HDRGainMap|hdr_metadata):[\w.-]*"
_FILM = rb"GCamera:(?:MotionPhoto|MicroVideo)[\w.-]*"
_LIST = rb"G?Container:Directory"
_ANNOUNCED = {GAIN_MAP: re.compile(rb"\b" + _GAIN_MAP), FILM: re.compile(rb"\b" + _FILM)}
# A packet may be hostile, so every pattern takes time in proportion to its length: one white space, no nested repeats.
_TAGS = re.compile(rb"<(/?)(" + rb"|".join((_GAIN_MAP, _FILM, _LIST)) + rb")\b[^<>]*>")
_VALUE = rb"\s?=\s?(?:\"[^\"]*\"|'[^']*')"
_ATTRIBUTES = re.compile(
    rb"\s(?:" + rb"|".join((_GAIN_MAP, _FILM, rb"xmlns:(?:hdrgm|HDRGainMap|G?Container|Item)")) + rb")" + _VALUE
)


def orientation(xmp: bytes) -> int | None:
    """The orientation that a packet names; None if it names none."""
    found = _ORIENTATION.search(xmp)
    return int(found[2]) if found else None


def upright(xmp: bytes, sideways: bool) -> bytes:
    """The packet for the picture after it was turned: orientation 1, and dimensions exchanged if `sideways`."""
    xmp = _ORIENTATION.sub(rb"\g<1>1", xmp)
    if sideways:
        for one, other in _DIMENSIONS:
            names = re.compile(rb"(?:" + one + rb"|" + other + rb")\b")
            xmp = names.sub(lambda match, one=one, other=other: other if match[0] == one else one, xmp)  # type: ignore[misc]
    return xmp


def announces(xmp: bytes) -> tuple[str, ...]:
    """What a packet says that the file holds besides the picture: GAIN_MAP, FILM."""
    return tuple(name for name, pattern in _ANNOUNCED.items() if pattern.search(xmp))


def without_announcements(xmp: bytes) -> bytes:
    """The packet without the properties that describe gain maps, films, and the file's list of them."""
    return _ATTRIBUTES.sub(b"", _without_elements(xmp)) if announces(xmp) else xmp


def _without_elements(xmp: bytes) -> bytes:
    """The packet without the elements of `_TAGS`, each with all that is in it. One that never ends is kept."""
    kept, place, opened = [], 0, b""
    for tag in _TAGS.finditer(xmp):
        closes, name = bool(tag[1]), tag[2]
        if not opened and not closes:
            kept.append(xmp[place : tag.start()])
            place = tag.start()
            if tag[0].endswith(b"/>"):
                place = tag.end()
            else:
                opened = name
        elif closes and name == opened:
            place, opened = tag.end(), b""
    return b"".join((*kept, xmp[place:]))
