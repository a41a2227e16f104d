"""Pixels of an image of any mode as 8-bit planes, and their turning and laying on a background."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from lpcodec.codec.arrays import Pixels
from lpcodec.codec.picturefiles import depth
from lpcodec.codec.picturefiles.exif import SIDEWAYS

_BAND_PIXELS = 2**20


def planes(image: Image.Image, values: depth.Depth, notes: list[str]) -> tuple[Pixels, Pixels | None]:
    """Pixels (H, W, 1 or 3) uint8 and alpha (H, W) uint8, or None, of an image of any mode that is grey, a palette or
    RGB. `values` is what depth.py found before it was loaded; notes on losses are added to `notes`."""
    if image.mode[0] in "IF":
        deep = np.asarray(image)
        pixels, note = depth.grey_values(deep, values)
        notes.append(note)
        return pixels[..., None], _keyed_alpha(deep[..., None], image.info.get("transparency"))
    if image.mode in {"LA", "La"}:
        return _unpacked(image, "LA")
    if image.mode in {"RGBA", "RGBa", "PA"} or (image.mode == "P" and image.has_transparency_data):
        return _unpacked(image, "RGBA")
    pixels, _ = _unpacked(image, "L" if image.mode in {"1", "L"} else "RGB")
    key = image.info.get("transparency")
    if pixels.shape[2] == 1 and isinstance(key, int):
        key = depth.grey_key(key, values)
    elif isinstance(key, tuple) and any(part > 255 for part in key):
        key = tuple(part >> 8 for part in key)  # a 16-bit colour; of its pixels Pillow kept the high bytes
    return pixels, _keyed_alpha(pixels, key)


def _unpacked(image: Image.Image, mode: str) -> tuple[Pixels, Pixels | None]:
    """Pixels and alpha of `image` in mode L, LA, RGB or RGBA; in bands, which saves the memory of a whole copy."""
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


def _keyed_alpha(values: npt.NDArray[Any], key: object) -> Pixels | None:
    """Alpha of values (H, W, C), 0 where they are `key`, a grey value or a colour; None if `key` isn't one of them."""
    if isinstance(key, int):
        key = (key,)
    if not isinstance(key, tuple) or len(key) != values.shape[2]:
        return None
    alpha: Pixels = (values != np.array(key)).any(axis=2) * np.uint8(255)
    return alpha


def to_srgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, str]:
    """An RGB image from one in another colour space, and a note on how it was converted."""
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


def oriented(plane: Pixels, orientation: int | None) -> Pixels:
    """Turn and mirror a plane (H, W) or (H, W, C) by an EXIF orientation; outside 2 to 8 it doesn't change."""
    if orientation in SIDEWAYS:
        plane = plane.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    return np.ascontiguousarray(plane)


def on_background(pixels: Pixels, alpha: Pixels, colour: tuple[int, int, int]) -> Pixels:
    """Lay pixels (H, W, 1 or 3) with alpha (H, W) on one colour. The result is (H, W, 1) if picture and colour are
    grey, else (H, W, 3)."""
    channels = pixels.shape[2] if len(set(colour)) == 1 else 3
    laid = np.empty((*pixels.shape[:2], channels), np.uint8)
    for rows in row_bands(pixels.shape):
        weight = alpha[rows, :, None].astype(np.uint32)
        mixed = pixels[rows] * weight + np.array(colour[:channels], np.uint32) * (255 - weight)
        laid[rows] = (mixed + 127) // 255
    return laid


def row_bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of rows that cover an array (H, W, ...), about a megapixel each, so that no second whole copy is
    needed."""
    rows = max(1, _BAND_PIXELS // shape[1])
    return (slice(top, min(top + rows, shape[0])) for top in range(0, shape[0], rows))


def is_grey(pixels: Pixels) -> bool:
    """Whether pixels (H, W, 3) have R = G = B everywhere; False for (H, W, 1)."""
    return pixels.shape[2] == 3 and all(
        bool((pixels[rows, :, 1:] == pixels[rows, :, :1]).all()) for rows in row_bands(pixels.shape)
    )
