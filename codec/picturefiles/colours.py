"""The colours that a file declares without an ICC profile: PNG's gAMA, cHRM, sRGB and cICP, HEIF's and AVIF's nclx.

    file's chunk or box --declared--> Declared: an ICC profile that means the same, or a note, or neither for sRGB

PNG: W3C recommendation, third edition, section 11.3.2. cICP and nclx: the numbers of ITU-T H.273.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, TypeVar

from PIL import Image

from lpcodec.codec.picturefiles import profiles
from lpcodec.codec.picturefiles.profiles import Curve, Primaries

Result = TypeVar("Result")

_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_BOX_BYTES = 1 << 20
_PRIMARIES = {
    1: profiles.BT709, 5: profiles.BT601_625, 6: profiles.BT601_525, 7: profiles.BT601_525, 9: profiles.BT2020,
    12: profiles.DISPLAY_P3,
}  # fmt: skip
"""H.273, table 2, without those that aren't supported here."""
_CURVES = {
    **dict.fromkeys((1, 6, 14, 15), profiles.BT709_CURVE), 4: profiles.gamma(2.2), 5: profiles.gamma(2.8),
    8: profiles.gamma(1.0), 13: profiles.SRGB_CURVE,
}  # fmt: skip
"""H.273, table 3, without those that aren't supported here. Several numbers may have the same curve."""
_UNSPECIFIED = 2
"""In both tables."""
_HDR = {16: "PQ", 18: "HLG"}
_USUAL_GAMMA = 1 / 2.2


@dataclass(frozen=True)
class Declared:
    """What a file says of its colours: an ICC profile that means the same, or a note. Neither, if the file says sRGB or
    nothing."""

    icc: bytes | None = None
    note: str | None = None


def declared(image: Image.Image, grey: bool, has_profile: bool) -> Declared:
    """What the file of an image that isn't loaded yet says of its colours outside an ICC profile.

    `has_profile`: the file has an ICC profile too. It takes precedence, except that HDR is noted.
    """
    codes = _codes(image)
    if codes is not None and (not has_profile or codes[1] in _HDR):
        return _from_codes(*codes, grey)
    if codes is not None or has_profile or "srgb" in image.info or image.format != "PNG":
        return Declared()
    return _from_gamma(image.info.get("gamma"), image.info.get("chromaticity"), grey)


def _from_codes(primaries: int, transfer: int, grey: bool) -> Declared:
    """From numbers of H.273."""
    if transfer in _HDR:
        return Declared(note=f"the colours are HDR ({_HDR[transfer]}), which can't be kept: they are taken as sRGB")
    gamut = profiles.BT709 if primaries == _UNSPECIFIED else _PRIMARIES.get(primaries)
    curve = profiles.SRGB_CURVE if transfer == _UNSPECIFIED else _CURVES.get(transfer)
    if gamut is None or curve is None:
        return Declared(note=f"the colours' code (H.273: {primaries}, {transfer}) isn't known: they are taken as sRGB")
    if curve == profiles.BT709_CURVE and (grey or gamut == profiles.BT709):
        return Declared(note="the colours are those of BT.709 video and are taken as sRGB, as browsers do")
    return _as_profile(gamut, curve, grey, f"H.273 {primaries}, {transfer}")


def _from_gamma(gamma: float | None, chromaticity: tuple[float, ...] | None, grey: bool) -> Declared:
    """From PNG's gAMA, and x, y of white, red, green and blue in its cHRM."""
    if gamma is None and chromaticity is None:
        return Declared()
    unusable = Declared(note="the file's gamma or primaries make no sense and were left out")
    if gamma is not None and not 1e-4 < gamma < 1000:
        return unusable
    usual_gamma = gamma is None or abs(gamma / _USUAL_GAMMA - 1) < 0.01
    curve = profiles.SRGB_CURVE if usual_gamma or gamma is None else profiles.gamma(1 / gamma)
    gamut = profiles.BT709
    if chromaticity is not None:
        white, red, green, blue = ((x, y) for x, y in zip(chromaticity[::2], chromaticity[1::2], strict=True))
        gamut = Primaries(red, green, blue, white)
    try:
        return _as_profile(gamut, curve, grey, "from gAMA and cHRM")
    except ValueError:
        return unusable


def _as_profile(gamut: Primaries, curve: Curve, grey: bool, name: str) -> Declared:
    if curve == profiles.SRGB_CURVE and (grey or gamut.near(profiles.BT709)):
        return Declared()
    return Declared(profiles.grey(curve, name) if grey else profiles.rgb(gamut, curve, name))


def _codes(image: Image.Image) -> tuple[int, int] | None:
    """Primaries and transfer function by H.273, if the file names them."""
    nclx = image.info.get("nclx_profile")  # pillow-heif's
    if isinstance(nclx, dict):
        return int(nclx["color_primaries"]), int(nclx["transfer_characteristics"])
    if image.format == "PNG":
        found = with_stream(image, lambda stream: [data for name, data in _chunks(stream) if name == b"cICP"])
        return (found[0][0], found[0][1]) if found and len(found[0]) >= 2 else None
    return _nclx(heif_meta(image)) if image.format == "AVIF" else None


def av1_bits(meta: bytes) -> int:
    """The largest bit depth that a HEIF file's pixi boxes name; 8 if there are none."""
    depths = [8]
    start = meta.find(b"pixi")
    while start >= 0:
        count = meta[start + 8] if start + 8 < len(meta) else 0
        depths += meta[start + 9 : start + 9 + min(count, 4)]
        start = meta.find(b"pixi", start + 4)
    return max(depths)


def heif_meta(image: Image.Image) -> bytes:
    """The meta box of an AVIF file that isn't loaded yet; empty if there is none."""
    found = with_stream(image, lambda stream: [data for name, data in _boxes(stream) if name == b"meta"])
    return found[0] if found else b""


def with_stream(image: Image.Image, read: Callable[[IO[bytes]], Result]) -> Result | None:
    """The result of `read` on the file of an image that isn't loaded yet, from its beginning; None if the file can't be
    read again."""
    stream: IO[bytes] | None = getattr(image, "fp", None)
    if stream is None:
        return None
    try:
        place = stream.tell()
        try:
            stream.seek(0)
            return read(stream)
        finally:
            stream.seek(place)
    except (OSError, ValueError):  # a closed file, or one that can't seek
        return None


def _nclx(meta: bytes) -> tuple[int, int] | None:
    """Primaries and transfer function in the nclx box of a meta box."""
    start = meta.find(b"colrnclx")
    return None if start < 0 or start + 12 > len(meta) else struct.unpack(">HH", meta[start + 8 : start + 12])


def _chunks(stream: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Names of a PNG's chunks before its pixels, and the first 16 bytes of each."""
    if stream.read(8) != _PNG:
        return
    while len(head := stream.read(8)) == 8 and head[4:] not in {b"IDAT", b"IEND"}:
        length = int.from_bytes(head[:4], "big")
        data = stream.read(min(length, 16))
        yield head[4:], data
        stream.seek(length - len(data) + 4, 1)


def _boxes(stream: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the boxes of an ISO base media file, up to its pixels."""
    while len(head := stream.read(8)) == 8 and head[4:] != b"mdat":
        length = int.from_bytes(head[:4], "big")
        if not 8 <= length <= _MOST_BOX_BYTES:
            return
        yield head[4:], stream.read(length - 8)
