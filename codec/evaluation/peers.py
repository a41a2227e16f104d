"""The codecs that ours is compared with, through Pillow and its plugins, each at settings that are fair to
it.

    pixels --encode(setting)--> file bytes --decode--> pixels

A peer's `settings` are its sweep for curves, from coarse to fine. JPEG XL and HEIC are offered where their
plugins (pillow-jxl-plugin, pillow-heif) are installed. Options that decide more than they seem to: AVIF is
tuned for PSNR (its default tune loses much PSNR) and told its number of threads, since its bytes depend on
them (a little); WebP has no option for sharper chroma in Pillow; JPEG 2000's setting is a compression ratio,
so its sweep falls.
"""

import importlib
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lpcodec.codec.errors import TargetError
from lpcodec.codec.evaluation.measures import bpp as bits_per_pixel

Pixels = NDArray[np.uint8]

CHROMA_BY_JPEG_QUALITY = 80  # from here on JPEG keeps its chroma whole (4:4:4)
CLOSE_ENOUGH = 0.998  # a continuous search ends with a file of at least this share of its budget


@dataclass(frozen=True)
class Peer:
    """A codec that Pillow can write. `options` is its fixed options as printed, `arguments` what Pillow gets
    for a setting.

    `coarsest` and `finest` bound the search for a rate; `continuous` says whether settings between integers
    differ.
    """

    name: str
    title: str
    format: str
    options: str
    arguments: Callable[[float], Mapping[str, Any]]
    settings: tuple[float, ...]
    coarsest: float
    finest: float
    continuous: bool = False

    def encode(self, pixels: Pixels, setting: float) -> bytes:
        """The file's bytes for pixels uint8 (H, W, 3). ValueError for other pixels or a setting out of
        range."""
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"{self.name} needs uint8 pixels (H, W, 3), not {pixels.dtype} {pixels.shape}")
        low, high = sorted((self.coarsest, self.finest))
        if not low <= setting <= high:
            raise ValueError(f"{self.name} has settings from {low:g} to {high:g}, not {setting:g}")
        target = io.BytesIO()
        Image.fromarray(pixels).save(target, self.format, **self.arguments(setting))
        return target.getvalue()

    def decode(self, data: bytes) -> Pixels:
        """The pixels, uint8 (H, W, 3), of a file that `encode` wrote."""
        with Image.open(io.BytesIO(data), formats=(self.format,)) as image:
            return np.asarray(image.convert("RGB"))


def jpeg() -> Peer:
    """Baseline of them all; progressive with optimized Huffman tables."""

    def arguments(quality: float) -> dict[str, Any]:
        chroma = "4:4:4" if quality >= CHROMA_BY_JPEG_QUALITY else "4:2:0"
        return {"quality": int(quality), "optimize": True, "progressive": True, "subsampling": chroma}

    options = "optimize, progressive, 4:2:0 below quality 80, 4:4:4 above"
    sweep = (5, 8, 12, 18, 25, 35, 50, 65, 78, 88, 93)
    return Peer("jpeg", "JPEG", "JPEG", options, arguments, sweep, coarsest=1, finest=95)


def jpeg2000() -> Peer:
    """The wavelet standard (OpenJPEG). Its setting is the ratio of raw to compressed size."""

    def arguments(ratio: float) -> dict[str, Any]:
        return {"quality_mode": "rates", "quality_layers": [ratio], "irreversible": True, "mct": 1}

    options = "irreversible 9/7, mct=1, one layer at a given ratio, .jp2"
    sweep = (300, 200, 120, 80, 50, 33, 22, 15, 11)
    return Peer("jpeg2000", "JPEG 2000", "JPEG2000", options, arguments, sweep, 4000, 2, continuous=True)


def webp() -> Peer:
    """Lossy WebP at its slowest method."""
    sweep = (1, 5, 10, 20, 35, 50, 65, 80, 90, 96)
    return Peer(
        "webp",
        "WebP",
        "WEBP",
        "method 6, 4:2:0",
        lambda quality: {"quality": int(quality), "method": 6},
        sweep,
        coarsest=0,
        finest=100,
    )


def avif(speed: int = 6, threads: int = 1) -> Peer:
    """AVIF (libaom) at a speed from 0 (slow) to 10. Speed 6 is the yardstick, 2 what patience gives."""
    fixed = {"speed": speed, "subsampling": "4:4:4", "advanced": {"tune": "psnr"}, "max_threads": threads}
    return Peer(
        "avif" if speed == 6 else f"avif-speed{speed}",
        f"AVIF speed {speed}",
        "AVIF",
        f"speed {speed}, 4:4:4, tune=psnr, max_threads={threads}",
        lambda quality: {"quality": int(quality), **fixed},
        (8, 16, 25, 35, 45, 55, 65, 75, 84, 90),
        coarsest=0,
        finest=100,
    )


def jpeg_xl() -> Peer:
    """JPEG XL; needs pillow-jxl-plugin, which heeds `quality` but silently ignores `distance`."""
    importlib.import_module("pillow_jxl")
    return Peer(
        "jxl",
        "JPEG XL",
        "JXL",
        "effort 7, set by quality",
        lambda quality: {"quality": int(quality), "effort": 7},
        (2, 8, 16, 25, 38, 52, 66, 80, 90),
        coarsest=0,
        finest=99,
    )


def heic() -> Peer:
    """HEIC (x265); needs pillow-heif."""
    importlib.import_module("pillow_heif").register_heif_opener()
    fixed = {"chroma": 444, "enc_params": {"preset": "veryslow", "tune": "psnr"}}
    return Peer(
        "heic",
        "HEIC",
        "HEIF",
        "x265, 4:4:4, preset veryslow, tune psnr",
        lambda quality: {"quality": int(quality), **fixed},
        (5, 10, 16, 22, 30, 38, 46, 54, 64),
        coarsest=0,
        finest=99,
    )


def available(threads: int = 1) -> dict[str, Peer]:
    """Every peer that works here, by name; `threads` is for those that have such an option."""
    makers: tuple[Callable[[], Peer], ...] = (
        jpeg,
        jpeg2000,
        webp,
        lambda: avif(6, threads),
        lambda: avif(2, threads),
        jpeg_xl,
        heic,
    )
    Image.init()
    found: dict[str, Peer] = {}
    for make in makers:
        try:
            peer = make()
        except ImportError:  # an optional plugin that isn't installed
            continue
        if peer.format in Image.SAVE:  # Pillow may be built without
            found[peer.name] = peer
    return found


def encode_to_bpp(peer: Peer, pixels: Pixels, bpp: float) -> tuple[bytes, float]:
    """The file nearest to but not above `bpp`, and its setting, found by bisection over the peer's dial.

    Integer dials are searched to the last step, continuous ones (by ratios) until 99.8 % of the budget is
    used. Raises ValueError for a rate that is not positive, TargetError where even the coarsest setting is
    above it.
    """
    if not bpp > 0:
        raise ValueError(f"a rate is positive, not {bpp}")
    pixel_count = pixels.shape[0] * pixels.shape[1]
    fits, over = peer.coarsest, peer.finest
    best = peer.encode(pixels, fits)
    if bits_per_pixel(len(best), pixel_count) > bpp:
        nearest = bits_per_pixel(len(best), pixel_count)
        raise TargetError(f"{peer.title} can't reach {bpp:g} bpp: its smallest file has {nearest:.3f} bpp")
    finest = peer.encode(pixels, over)
    if bits_per_pixel(len(finest), pixel_count) <= bpp:
        return finest, over
    while not _done(peer, fits, over, bits_per_pixel(len(best), pixel_count) / bpp):
        middle = math.sqrt(fits * over) if peer.continuous else float((int(fits) + int(over)) // 2)
        data = peer.encode(pixels, middle)
        if bits_per_pixel(len(data), pixel_count) <= bpp:
            fits, best = middle, data
        else:
            over = middle
    return best, fits


def _done(peer: Peer, fits: float, over: float, used: float) -> bool:
    if peer.continuous:
        return used >= CLOSE_ENOUGH or abs(math.log(fits / over)) < 1e-4
    return abs(fits - over) <= 1
