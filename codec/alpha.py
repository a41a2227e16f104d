"""The alpha channel: the colours of transparent pixels, and how alpha is coded, with or without loss.

    Picture --prepared--> Picture with cheap colours where it is transparent, or on a background
    alpha --to_bytes--> ALPHA section --from_bytes--> alpha

Nobody sees the colours where alpha is 0, but they cost bytes, and lossy coding lets them leak into visible pixels
nearby. So the encoder replaces them by a smooth continuation of the visible colours, unless it is asked to keep them.
"""

import dataclasses
import math

import numpy as np
from PIL import ImageColor

from lpcodec.codec import bounded, lossless
from lpcodec.codec.arguments import is_whole, number
from lpcodec.codec.container import deflated, inflate
from lpcodec.codec.errors import DamagedFileError, UsageError
from lpcodec.codec.fill import filled
from lpcodec.codec.picture import Picture, Pixels
from lpcodec.codec.picturefiles import profiles
from lpcodec.codec.picturefiles.pixels import is_grey, on_background

DEFAULT_QUALITY = 90.0
"""An error of at most 2 of 255 levels, which nobody sees."""
_QUALITY_PER_LEVEL = 5
"""Each step of this much below 100 allows an error of one level more."""
_CONSTANT, _DEFLATE, _PICTURE, _BOUNDED = range(4)
_FEW_VALUES = 16
"""Alpha with at most this many different values, such as a palette's, is coded losslessly: loss would save nothing."""
_FLAT_BPP = 0.05
"""Coding with a bounded error is tried only if the others take more bits per pixel than this. Below it, alpha is a mask
with sharp edges, and they are better."""

Colour = str | tuple[int, int, int]


def error_asked_for(quality: float | None, lossless: bool) -> int:
    """The largest error of alpha, in levels of 255, that an alpha quality of 0..100 allows: 0 for 100, 20 for 0.

    None means the default quality, or 100 if the picture is stored losslessly. Raises UsageError for a quality outside
    0..100, and for one that allows an error if the picture is stored losslessly.
    """
    if quality is None:
        quality = 100 if lossless else DEFAULT_QUALITY
    quality = number("alpha quality", quality)
    if not 0 <= quality <= 100:
        raise UsageError(f"alpha quality {quality:g}: it goes from 0 to 100")
    error = math.floor((100 - quality) / _QUALITY_PER_LEVEL)
    if lossless and error:
        raise UsageError("a lossless picture keeps its alpha: leave the alpha quality out")
    return error


def colour(background: Colour) -> tuple[int, int, int]:
    """Red, green and blue, 0..255, of a colour: a name ("white"), "#rrggbb", or these three numbers.

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
    if not isinstance(background, (tuple, list)) or len(background) != 3:
        raise UsageError(advice)
    if not all(is_whole(part) and 0 <= part <= 255 for part in background):
        raise UsageError(advice)
    red, green, blue = map(int, background)
    return red, green, blue


def prepared(picture: Picture, *, exact: bool, background: Colour | None) -> Picture:
    """The picture to code: on a background, without alpha; or with the colours of transparent pixels replaced, unless
    `exact`.

    Visible pixels keep their colours. A picture without alpha isn't changed. Raises as `colour`.
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
        picture = dataclasses.replace(picture, pixels=filled(picture.pixels, alpha > 0), hidden_replaced=True)
    if picture.pixels.shape[2] == 3:
        grey = is_grey(picture.pixels)
        pixels = picture.pixels[..., :1].copy() if grey else picture.pixels
        return dataclasses.replace(picture, pixels=pixels, grey_as_rgb=grey)
    return picture


def to_bytes(alpha: Pixels, error: int = 0) -> bytes:
    """The payload of an ALPHA section for alpha uint8 (H, W). Each value has an error of at most `error` levels; 0 and
    255 are exact.

    It is a tag byte and the smallest of these codings: 0 the one value of all pixels, 1 the rows as raw deflate, 2 a
    grey picture by `lossless.stored_to_bytes`, 3 a plane by `bounded.to_bytes`.
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
    """Deflated rows or a picture, whichever is smaller, without loss."""
    rows = bytes([_DEFLATE]) + deflated(alpha.tobytes())
    return min(rows, bytes([_PICTURE]) + lossless.stored_to_bytes(alpha[..., None]), key=len)


def from_bytes(payload: bytes, width: int, height: int) -> Pixels:
    """The alpha channel, uint8 (H, W). Raises DamagedFileError if the payload isn't one of that size."""
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
