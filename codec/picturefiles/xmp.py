"""XMP packets: the orientation, the dimensions, and what they announce that isn't in the picture any more."""

import re

_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))([0-9])")
_DIMENSIONS = ((b"tiff:ImageWidth", b"tiff:ImageLength"), (b"exif:PixelXDimension", b"exif:PixelYDimension"))
# Prefixes of properties that describe a further picture or a film in the same file: gain maps by Adobe and Google,
# by Apple, and Google's list of what follows the picture.
_GAIN_MAPS = rb"(?:hdrgm|HDRGainMap|hdr_metadata)"
_FILMS = rb"GCamera:(?:MotionPhoto|MicroVideo)"
_NAME = rb"[\w.-]*"
_GAIN_MAP = re.compile(rb"\b" + _GAIN_MAPS + rb":" + _NAME)
_FILM = re.compile(rb"\b" + _FILMS + _NAME)
_LIST = re.compile(rb"<(G?Container:Directory)\b.*?</\1\s*>", re.DOTALL)


def orientation(xmp: bytes) -> int | None:
    """The orientation that a packet names; None if it names none."""
    found = _ORIENTATION.search(xmp)
    return int(found[2]) if found else None


def upright(xmp: bytes, sideways: bool) -> bytes:
    """The packet for the picture once it was turned: orientation 1, dimensions exchanged if it lay on its side."""
    xmp = _ORIENTATION.sub(rb"\g<1>1", xmp)
    if sideways:
        for one, other in _DIMENSIONS:
            names = re.compile(rb"(?:" + one + rb"|" + other + rb")\b")
            xmp = names.sub(lambda match, one=one, other=other: other if match[0] == one else one, xmp)  # type: ignore[misc]
    return xmp


def announces(xmp: bytes) -> tuple[str, ...]:
    """What a packet says is in the file besides the picture: "a gain map", "a film"."""
    found = (("a gain map", _GAIN_MAP), ("a film", _FILM))
    return tuple(name for name, pattern in found if pattern.search(xmp))


def without_announcements(xmp: bytes) -> bytes:
    """The packet without the properties that describe gain maps, films, and the file's list of them."""
    if not announces(xmp):
        return xmp
    xmp = _LIST.sub(b"", xmp)
    for prefix in (_GAIN_MAPS + rb":" + _NAME, _FILMS + _NAME):
        xmp = re.sub(rb"<(" + prefix + rb")\b[^>]*?/>", b"", xmp)
        xmp = re.sub(rb"<(" + prefix + rb")\b.*?</\1\s*>", b"", xmp, flags=re.DOTALL)
        xmp = re.sub(rb"\s+" + prefix + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')", b"", xmp)
    return re.sub(rb"\s+xmlns:(?:hdrgm|HDRGainMap|G?Container|Item)\s*=\s*(?:\"[^\"]*\"|'[^']*')", b"", xmp)
