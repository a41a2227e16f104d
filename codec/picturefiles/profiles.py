"""ICC profiles: small ones made from a few numbers, grey ones made from colour ones, and colour ones from grey ones.

Profiles are ICC.1:2010 (version 4.3), with parametric curves and matrices of primaries (Bradford adaptation to D50).
"""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

GREY, RGB = b"GRAY", b"RGB "
D65 = (0.3127, 0.3290)
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_HEADER = 128
_MOST_TAGS = 1000
_CURVES = frozenset({b"kTRC", b"rTRC", b"gTRC", b"bTRC"})

Chromaticity = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """Coded value 0..1 -> light 0..1, as the parameters of an ICC parametric curve: g, or g, a, b, c, d."""

    parameters: tuple[float, ...]

    def tag(self) -> bytes:
        kind = {1: 0, 5: 3}[len(self.parameters)]
        return b"para" + struct.pack(">IHH", 0, kind, 0) + b"".join(map(_fixed, self.parameters))


SRGB_CURVE = Curve((2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
BT709_CURVE = Curve((1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081))


def gamma(exponent: float) -> Curve:
    """The plain power law; `exponent` above 0 and below 32768."""
    return Curve((exponent,))


@dataclass(frozen=True)
class Primaries:
    """CIE 1931 x, y of red, green, blue and white."""

    red: Chromaticity
    green: Chromaticity
    blue: Chromaticity
    white: Chromaticity = D65

    def near(self, other: "Primaries", tolerance: float = 0.002) -> bool:
        """Whether no coordinate differs by more than `tolerance`."""
        mine, theirs = (np.array([p.red, p.green, p.blue, p.white]) for p in (self, other))
        return bool(np.abs(mine - theirs).max() <= tolerance)

    def matrix(self) -> npt.NDArray[np.float64]:
        """The matrix (3, 3) from linear RGB to XYZ relative to D50. Raises ValueError if the primaries span no
        colours."""
        columns = np.array([_xyz(xy) for xy in (self.red, self.green, self.blue)]).T
        white = np.array(_xyz(self.white))
        try:
            scaled = columns * np.linalg.solve(columns, white)
        except np.linalg.LinAlgError as error:
            raise ValueError("these primaries span no colours") from error
        adapted: npt.NDArray[np.float64] = _adaptation(white) @ scaled
        if not np.isfinite(adapted).all() or np.abs(adapted).max() > 10:
            raise ValueError("these primaries span no colours")
        return adapted


BT709 = Primaries((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
DISPLAY_P3 = Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
BT2020 = Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
BT601_625 = Primaries((0.64, 0.33), (0.29, 0.60), (0.15, 0.06))
BT601_525 = Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))


def grey(curve: Curve, name: str) -> bytes:
    """A profile for grey pictures."""
    return _profile(GREY, name, {b"kTRC": curve.tag()})


def rgb(primaries: Primaries, curve: Curve, name: str) -> bytes:
    """A profile for RGB pictures. Raises ValueError if the primaries span no colours."""
    return _rgb(primaries.matrix(), _adaptation(np.array(_xyz(primaries.white))), curve.tag(), name)


def colour_space(profile: bytes) -> bytes:
    """The signature of a profile's colour space, such as b"RGB " or b"GRAY"; empty if it isn't a profile."""
    return profile[16:20] if profile[36:40] == b"acsp" else b""


def for_rgb(profile: bytes) -> bytes | None:
    """A profile that means for R = G = B what a grey profile means; None if that has no curve."""
    curve = _curves(profile).get(b"kTRC")
    return None if curve is None else _rgb(BT709.matrix(), _adaptation(np.array(_xyz(D65))), curve, "grey as RGB")


def for_grey(profile: bytes) -> bytes | None:
    """A profile that means for grey what an RGB profile means for R = G = B; None if its three curves differ."""
    tags = _curves(profile)
    curves = {tags.get(name) for name in (b"rTRC", b"gTRC", b"bTRC")}
    curve = curves.pop()
    return None if curves or curve is None else _profile(GREY, "grey", {b"kTRC": curve})


def fitting(profile: bytes, is_grey: bool) -> tuple[bytes | None, bool]:
    """The profile for grey or for RGB pixels that means the same, and whether there is one.

    A profile for the other of the two is made again from its curve. One that names neither, because it is damaged, is
    kept as it is.
    """
    space = colour_space(profile)
    if space in {b"", GREY if is_grey else RGB}:
        return profile, True
    made = for_grey(profile) if is_grey and space == RGB else for_rgb(profile) if space == GREY else None
    return made, made is not None


def _curves(profile: bytes) -> dict[bytes, bytes]:
    """The curves of a profile by the signatures of their tags; those that reach past its end are left out."""
    count = min(int.from_bytes(profile[_HEADER : _HEADER + 4], "big"), _MOST_TAGS)
    found = {}
    for place in range(_HEADER + 4, min(_HEADER + 4 + 12 * count, len(profile) - 11), 12):
        name, (start, size) = profile[place : place + 4], struct.unpack(">II", profile[place + 4 : place + 12])
        if name in _CURVES and start + size <= len(profile):
            found[name] = profile[start : start + size]
    return found


def _rgb(matrix: npt.NDArray[np.float64], adaptation: npt.NDArray[np.float64], curve: bytes, name: str) -> bytes:
    tags = {tag: _xyz_tag(matrix[:, i]) for i, tag in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    tags[b"chad"] = b"sf32" + bytes(4) + b"".join(map(_fixed, adaptation.ravel()))
    return _profile(RGB, name, tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def _profile(space: bytes, name: str, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": _text(name), b"cprt": _text("no copyright"), b"wtpt": _xyz_tag(np.array(_D50)), **tags}
    table, body, places = struct.pack(">I", len(tags)), b"", dict[bytes, int]()
    start = _HEADER + 4 + 12 * len(tags)
    for tag, data in tags.items():
        if data not in places:  # equal tags share their bytes
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += tag + struct.pack(">II", places[data], len(data))
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x04300000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += b"".join(map(_fixed, _D50))
    return head.ljust(_HEADER, b"\0") + table + body


def _xyz(xy: Chromaticity) -> tuple[float, float, float]:
    x, y = xy
    if y <= 0:
        raise ValueError("these primaries span no colours")
    return x / y, 1.0, (1 - x - y) / y


def _adaptation(white: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Bradford's matrix from a white point to D50."""
    gains = (_BRADFORD @ np.array(_D50)) / (_BRADFORD @ white)
    found: npt.NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD
    return found


def _fixed(value: float) -> bytes:
    """s15Fixed16Number."""
    return struct.pack(">i", round(float(value) * 65536))


def _xyz_tag(values: npt.NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, values))


def _text(text: str) -> bytes:
    """A multiLocalizedUnicode tag with one English text."""
    coded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II", 1, 12) + b"enUS" + struct.pack(">II", len(coded), 28) + coded
