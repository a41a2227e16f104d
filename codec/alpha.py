"""The alpha channel: the colours that it hides, and how it is coded, with or without loss.

    Picture --prepared--> Picture whose hidden colours are cheap, or laid on a background
    alpha --to_bytes--> ALPHA section --from_bytes--> alpha

Where alpha is 0 nobody sees the colours, but they cost bytes, and what is coded beside them takes a part of them on.
So the encoder puts a smooth continuation of the visible colours there, unless it is asked to keep them.
"""

import dataclasses
import math
import zlib

import numpy as np
from PIL import ImageColor

from lpcodec.codec import bounded, lossless
from lpcodec.codec.container import inflate
from lpcodec.codec.errors import DamagedFileError, UsageError
from lpcodec.codec.fill import filled
from lpcodec.codec.picture import Picture, Pixels
from lpcodec.codec.picturefiles import profiles
from lpcodec.codec.picturefiles.pixels import is_grey, on_background

DEFAULT_QUALITY = 90.0
"""An error of at most 2 of 255 levels, which nobody sees."""
_QUALITY_PER_LEVEL = 5
_CONSTANT, _DEFLATE, _PICTURE, _BOUNDED = range(4)
_FEW_VALUES = 16
"""Alpha of so few values, such as a palette's, is coded losslessly: moving them would save nothing."""
_FLAT_BPP = 0.05
"""Below this rate the other codings have won: masks with sharp edges and nothing between."""

Colour = str | tuple[int, int, int]


def error_asked_for(quality: float | None, lossless: bool) -> int:
    """The largest error in levels for an alpha quality of 0..100: 100 is lossless, every 5 below allow one level more.

    None is the default quality, or lossless with a lossless picture. Raises UsageError for a quality outside 0..100,
    and for one that isn't 100 with a lossless picture.
    """
    if quality is None:
        quality = 100 if lossless else DEFAULT_QUALITY
    if not 0 <= quality <= 100:
        raise UsageError(f"alpha quality {quality:g}: it goes from 0 to 100")
    error = math.floor((100 - quality) / _QUALITY_PER_LEVEL)
    if lossless and error:
        raise UsageError("a lossless picture keeps its alpha: leave the alpha quality out")
    return error


def colour(background: Colour) -> tuple[int, int, int]:
    """Red, green and blue of a colour by its name ("white"), as "#rrggbb", or as three numbers 0..255.

    Raises UsageError for anything else.
    """
    advice = f"background {background!r}: give a name such as white, or #rrggbb"
    if isinstance(background, str):
        try:
            found = ImageColor.getrgb(background)
        except ValueError as error:
            raise UsageError(advice) from error
        if len(found) == 4 and found[3] != 255:
            raise UsageError(f"background {background!r}: it must be opaque itself")
        return found[0], found[1], found[2]
    if len(background) != 3 or not all(isinstance(part, int) and 0 <= part <= 255 for part in background):
        raise UsageError(advice)
    return background


def prepared(picture: Picture, *, exact: bool, background: Colour | None) -> Picture:
    """The picture as it is to be coded: laid on a background, or with its hidden colours replaced unless `exact`.

    Visible pixels keep their colours. A picture without alpha stays as it is. Raises as `colour`.
    """
    wanted, alpha = None if background is None else colour(background), picture.alpha
    if alpha is None:
        return picture
    if wanted is not None:
        pixels = on_background(picture.pixels, alpha, wanted)
        came_as_rgb = picture.grey_as_rgb or pixels.shape[2] == 3
        icc = profiles.fitting(picture.icc, not came_as_rgb)[0] if picture.icc else None
        picture = dataclasses.replace(picture, pixels=pixels, alpha=None, icc=icc)
    elif not exact and alpha.min() == 0:
        picture = dataclasses.replace(picture, pixels=filled(picture.pixels, alpha > 0))
    if picture.pixels.shape[2] == 3:
        grey = is_grey(picture.pixels)
        pixels = picture.pixels[..., :1].copy() if grey else picture.pixels
        return dataclasses.replace(picture, pixels=pixels, grey_as_rgb=grey)
    return picture


def to_bytes(alpha: Pixels, error: int = 0) -> bytes:
    """The payload of an ALPHA section for uint8 (H, W), each value at most `error` levels off, 0 and 255 exact.

    A tag byte, then the smallest of its codings: 0 the one value of all pixels, 1 the rows as raw deflate, 2 a grey
    picture as by `lossless.stored_to_bytes`, 3 a plane as by `bounded.to_bytes`.
    """
    if (alpha == alpha.flat[0]).all():
        return bytes([_CONSTANT, alpha.flat[0]])
    if np.count_nonzero(np.bincount(alpha.ravel(), minlength=256)) <= _FEW_VALUES:
        error = 0
    payload = _exact(alpha)
    if error:
        payload = min(payload, _exact(bounded.nearest_level(alpha, error)), key=len)
    if error and 8 * len(payload) > _FLAT_BPP * alpha.size:
        payload = min(payload, bytes([_BOUNDED]) + bounded.to_bytes(alpha, error), key=len)
    return payload


def _exact(alpha: Pixels) -> bytes:
    """Deflated rows or a picture, without loss."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    rows = bytes([_DEFLATE]) + deflate.compress(alpha.tobytes()) + deflate.flush()
    return min(rows, bytes([_PICTURE]) + lossless.stored_to_bytes(alpha[..., None]), key=len)


def from_bytes(payload: bytes, width: int, height: int) -> Pixels:
    """The alpha channel, uint8 (H, W). DamagedFileError for anything but width x height values."""
    tag, body = payload[0] if payload else None, payload[1:]
    if tag == _CONSTANT and len(body) == 1:
        return np.full((height, width), body[0], np.uint8)
    if tag == _DEFLATE:
        rows = inflate(body, width * height, "alpha")
        if len(rows) == width * height:
            return np.frombuffer(rows, np.uint8).reshape(height, width).copy()
        raise DamagedFileError(f"alpha: {len(rows)} values for {width} x {height} pixels")
    if tag == _PICTURE:
        return lossless.stored_from_bytes(body, width, height, True, "alpha")[..., 0]
    if tag == _BOUNDED:
        return bounded.from_bytes(body, width, height, "alpha")
    raise DamagedFileError("alpha: coded in no way that this version knows")
