"""The codecs that ours is compared with, through Pillow and its plugins, each at settings that are fair to it.

    pixels --encode(setting)--> file bytes --decode--> pixels

A peer's `settings` are its sweep for curves, from coarse to fine. JPEG XL and HEIC are offered if their plugins
(pillow-jxl-plugin, pillow-heif) are installed. Some options decide more than they seem to:

- AVIF is offered three times. `avif` and `avif-speed2` are tuned for PSNR at 4:4:4: the yardstick for PSNR.
  `avif-default` has what people get from Pillow: 4:2:0 and libavif's own tuning, which is for the eye since libavif 1.4
  (tune=iq): the yardstick for MS-SSIM and for pictures to look at. Each is given its number of threads, because its
  bytes depend on them (a little). None has tiles. Pillow 13 makes some by default, so that several threads can work on
  a picture, and files get larger: most photographs by 0.3 to 2 %, a dark one by up to 10 %, a web page by 12 to 22 %.
- WebP has no option for sharper chroma in Pillow. JPEG 2000's setting is a compression ratio, so its sweep falls.
- Pillow's JPEG encoder fails on noisy pictures at high quality unless its buffer is large enough (`_roomy`).
"""

import importlib
import io
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from lpcodec.codec.arrays import Pixels

CHROMA_BY_JPEG_QUALITY = 80  # from here on JPEG keeps its chroma at full size (4:4:4)
JPEG_BYTES_PER_PIXEL = 4  # more than any JPEG file of 8-bit RGB takes at quality 95
_buffer = threading.Lock()


@dataclass(frozen=True)
class Peer:
    """A codec that Pillow can write. `options` are its fixed options as printed, `arguments` what Pillow gets for a
    setting.

    `coarsest` and `finest` bound the search for a rate; `continuous` says whether settings between integers differ.
    `threads` is how many its decoder may use, if Pillow leaves a choice.
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
    threads: int = 1

    def encode(self, pixels: Pixels, setting: float) -> bytes:
        """The file's bytes for pixels uint8 (H, W, 3). ValueError for other pixels or a setting out of range."""
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"{self.name} needs uint8 pixels (H, W, 3), not {pixels.dtype} {pixels.shape}")
        low, high = sorted((self.coarsest, self.finest))
        if not low <= setting <= high:
            raise ValueError(f"{self.name} has settings from {low:g} to {high:g}, not {setting:g}")
        target = io.BytesIO()
        with _roomy(pixels.shape[0] * pixels.shape[1]):
            Image.fromarray(pixels).save(target, self.format, **self.arguments(setting))
        return target.getvalue()

    def decode(self, data: bytes) -> Pixels:
        """The pixels, uint8 (H, W, 3), of a file that `encode` wrote."""
        _bound_decoder(self.format, self.threads)
        with Image.open(io.BytesIO(data), formats=(self.format,)) as image:
            return np.asarray(image.convert("RGB"))


@contextmanager
def _roomy(pixels: int) -> Iterator[None]:
    """Give Pillow's encoders a buffer for a file of any size. An optimized or progressive JPEG file must fit into one
    buffer of at least ImageFile.MAXBLOCK bytes; noise at high quality takes more than Pillow allows for."""
    with _buffer:
        before = ImageFile.MAXBLOCK
        ImageFile.MAXBLOCK = max(before, JPEG_BYTES_PER_PIXEL * pixels)
        try:
            yield
        finally:
            ImageFile.MAXBLOCK = before


def _bound_decoder(format: str, threads: int) -> None:
    """Hold the decoder of a format to `threads` threads: the plugins have no argument for it, only settings of their
    own."""
    settings = {
        "AVIF": ("PIL.AvifImagePlugin", "DEFAULT_MAX_THREADS"),
        "JXL": ("pillow_jxl.JpegXLImagePlugin", "DECODE_THREADS"),
        "HEIF": ("pillow_heif.options", "DECODE_THREADS"),
    }
    if format in settings:
        module, name = settings[format]
        setattr(importlib.import_module(module), name, threads)


def jpeg() -> Peer:
    """JPEG (libjpeg-turbo), progressive with optimized Huffman tables."""

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


AVIF_SETTINGS = (8, 16, 25, 35, 45, 55, 65, 75, 84, 90)
_ONE_TILE: Mapping[str, Any] = {"autotiling": False}


def avif(speed: int = 6, threads: int = 1) -> Peer:
    """AVIF (libaom) tuned for PSNR at 4:4:4, at a speed from 0 (slow) to 10: 6 is the usual one, 2 a patient one."""
    fixed = {"speed": speed, "subsampling": "4:4:4", "advanced": {"tune": "psnr"}, **_ONE_TILE, "max_threads": threads}
    return Peer(
        "avif" if speed == 6 else f"avif-speed{speed}",
        "AVIF tuned for PSNR" + ("" if speed == 6 else f", speed {speed}"),
        "AVIF",
        f"speed {speed}, 4:4:4, tune=psnr, one tile, max_threads={threads}",
        lambda quality: {"quality": int(quality), **fixed},
        AVIF_SETTINGS,
        coarsest=0,
        finest=100,
        threads=threads,
    )


def avif_default(threads: int = 1) -> Peer:
    """AVIF as people get it from Pillow, but without tiles: only the quality is set besides."""
    return Peer(
        "avif-default",
        "AVIF",
        "AVIF",
        f"Pillow's defaults: speed 6, 4:2:0, libavif's own tuning; but one tile, max_threads={threads}",
        lambda quality: {"quality": int(quality), **_ONE_TILE, "max_threads": threads},
        AVIF_SETTINGS,
        coarsest=0,
        finest=100,
        threads=threads,
    )


def jpeg_xl(threads: int = 1) -> Peer:
    """JPEG XL; needs pillow-jxl-plugin, which obeys `quality` but silently ignores `distance`."""
    importlib.import_module("pillow_jxl")
    return Peer(
        "jxl",
        "JPEG XL",
        "JXL",
        "effort 7, set by quality",
        lambda quality: {"quality": int(quality), "effort": 7, "num_threads": threads},
        (2, 8, 16, 25, 38, 52, 66, 80, 90),
        coarsest=0,
        finest=99,
        threads=threads,
    )


def heic(threads: int = 1) -> Peer:
    """HEIC (x265); needs pillow-heif. Its bytes don't depend on the threads."""
    importlib.import_module("pillow_heif").register_heif_opener()
    tools = {"preset": "veryslow", "tune": "psnr", "x265:pools": str(threads)}
    return Peer(
        "heic",
        "HEIC",
        "HEIF",
        "x265, 4:4:4, preset veryslow, tune psnr",
        # A new mapping each time: the plugin writes into the one it is given.
        lambda quality: {"quality": int(quality), "chroma": 444, "enc_params": dict(tools)},
        (5, 10, 16, 22, 30, 38, 46, 54, 64),
        coarsest=0,
        finest=99,
        threads=threads,
    )


MAKERS: Mapping[str, Callable[[int], Peer]] = {
    "jpeg": lambda threads: jpeg(),
    "jpeg2000": lambda threads: jpeg2000(),
    "webp": lambda threads: webp(),
    "avif": lambda threads: avif(threads=threads),
    "avif-speed2": lambda threads: avif(speed=2, threads=threads),
    "avif-default": lambda threads: avif_default(threads),
    "jxl": lambda threads: jpeg_xl(threads),
    "heic": lambda threads: heic(threads),
}
PLUGINS: Mapping[str, str] = {"jxl": "pillow-jxl-plugin", "heic": "pillow-heif"}


def available(threads: int = 1) -> dict[str, Peer]:
    """Every peer that works here, by name; `threads` is for those that have such an option."""
    Image.init()
    found: dict[str, Peer] = {}
    for name, make in MAKERS.items():
        try:
            peer = make(threads)
        except ImportError:  # an optional plugin that isn't installed
            continue
        if peer.format in Image.SAVE:  # Pillow may be built without
            found[name] = peer
    return found
