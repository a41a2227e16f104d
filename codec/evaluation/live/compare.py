"""One picture at one rate: our file, and the files of other codecs that are no larger.

```
pixels, bpp --ours--> Version: bytes, decoded picture, PSNR, MS-SSIM, SSIMULACRA 2
pixels, budget = bytes of ours --other--> Version of AVIF, WebP, JPEG, JPEG XL
```
All codecs get the same RGB pixels, without alpha and metadata, so that bytes compare with bytes.
"""

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from lpcodec.codec.arrays import Pixels
from lpcodec.codec.errors import TargetError, UsageError
from lpcodec.codec.evaluation.codecs import pillow
from lpcodec.codec.evaluation.codecs.pillow import Peer
from lpcodec.codec.evaluation.codecs.rate_search import encode_to_bpp
from lpcodec.codec.evaluation.metrics import distortion, extra_metrics

OURS = "lpcodec"


class CancelledError(Exception):
    """Nobody waits for the result any more."""


@dataclass(frozen=True)
class Version:
    """A picture as a codec gives it back. A metric is None if it can't be computed; `png` is the decoded picture.

    `size` is that of the coded file in bytes, `setting` the quality, `file` the coded file itself (ours only). `note`
    says why a codec isn't at the rate.
    """

    codec: str
    title: str
    size: int
    bpp: float
    setting: float | None
    psnr: float | None
    ms_ssim: float | None
    ssimulacra2: float | None
    png: bytes = field(repr=False, default=b"")
    file: bytes = field(repr=False, default=b"")
    note: str = ""

    def facts(self) -> dict[str, Any]:
        """Everything but the pictures, JSON-ready."""
        return {name: value for name, value in vars(self).items() if name not in ("png", "file")}


def others() -> dict[str, Peer]:
    """The codecs to compare with that work here, as people run them: AVIF with its defaults (4:2:0, for the eye)."""
    installed = pillow.available()
    wanted: Mapping[str, Callable[[], Peer]] = {
        "avif": pillow.avif_default,
        "webp": pillow.webp,
        "jpeg": pillow.jpeg,
        "jxl": pillow.jpeg_xl,
    }
    return {name: make() for name, make in wanted.items() if name in installed}


TITLES = {OURS: "lpcodec", "avif": "AVIF", "webp": "WebP", "jpeg": "JPEG", "jxl": "JPEG XL"}


class Comparison:
    """A picture that is compared at many rates. Sizes that were found once shorten the next search."""

    def __init__(self, pixels: Pixels, model: str = "default", tune: str | None = None) -> None:
        self.pixels, self.model, self.tune = pixels, model, tune
        self.count = pixels.shape[0] * pixels.shape[1]
        self.peers = others()
        self._sizes: dict[str, dict[float, int]] = {name: {} for name in self.peers}

    def names(self) -> list[str]:
        """Ours first, then the others."""
        return [OURS, *self.peers]

    def ours(self, bpp: float, is_cancelled: Callable[[], bool]) -> Version:
        """Our version with at most `bpp` bits per pixel, or the nearest to it. CancelledError if nobody waits."""
        from lpcodec.codec import api

        def progress(stage: str, part: float) -> None:
            if is_cancelled():
                raise CancelledError

        image = Image.fromarray(self.pixels)
        coded = api.encode_report(image, model=self.model, tune=self.tune, bpp=bpp, best_effort=True, progress=progress)
        decoded = np.asarray(api.decode(coded.data, progress=progress).convert("RGB"))
        note = "; ".join(coded.notes)
        return self._version(OURS, coded.data, decoded, coded.quality, note, is_cancelled, file=coded.data)

    def other(self, name: str, budget: int, is_cancelled: Callable[[], bool]) -> Version:
        """Another codec's version within `budget` bytes, or its smallest. CancelledError if nobody waits."""
        codec, note = _Watched(self.peers[name], is_cancelled, self._sizes[name]), ""
        try:
            found = encode_to_bpp(codec, self.pixels, 8 * budget / self.count, dict(self._sizes[name]))
            data, setting = found.data, found.setting
        except TargetError:
            setting, note = codec.coarsest, "this is its smallest file"
            data = codec.encode(self.pixels, setting)
        return self._version(name, data, self.peers[name].decode(data), setting, note, is_cancelled)

    def _version(
        self, name: str, data: bytes, decoded: Pixels, setting: float | None, note: str,
        is_cancelled: Callable[[], bool], file: bytes = b"",
    ) -> Version:  # fmt: skip
        if is_cancelled():
            raise CancelledError
        psnr = distortion.psnr(self.pixels, decoded)
        large = min(self.pixels.shape[:2]) >= distortion.MS_SSIM_SMALLEST_SIDE
        return Version(
            name, TITLES[name], len(data), 8 * len(data) / self.count, setting,
            psnr=psnr if math.isfinite(psnr) else None,
            ms_ssim=distortion.ms_ssim(self.pixels, decoded) if large else None,
            ssimulacra2=_ssimulacra2(self.pixels, decoded),
            png=to_png(decoded), file=file, note=note,
        )  # fmt: skip


class _Watched:
    """A codec that ends a search when nobody waits for it, and remembers the size at each setting."""

    def __init__(self, codec: Peer, is_cancelled: Callable[[], bool], sizes: dict[float, int]) -> None:
        self._codec, self._is_cancelled, self._sizes = codec, is_cancelled, sizes
        self.title, self.continuous = codec.title, codec.continuous
        self.coarsest, self.finest = codec.coarsest, codec.finest

    def encode(self, pixels: Pixels, setting: float) -> bytes:
        if self._is_cancelled():
            raise CancelledError
        data = self._codec.encode(pixels, setting)
        self._sizes[setting] = len(data)
        return data


def to_png(pixels: Pixels) -> bytes:
    """A PNG of RGB pixels, made quickly: the page shows exactly what was decoded."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _ssimulacra2(original: Pixels, decoded: Pixels) -> float | None:
    try:
        extra_metrics.check(["ssimulacra2"])
    except UsageError:
        return None
    return extra_metrics.value_of("ssimulacra2", original, decoded)
