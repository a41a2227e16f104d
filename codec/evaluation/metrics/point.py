"""One picture coded once (a point), and means of points over pictures.

    original, bytes, decoded picture, times --measured_point--> Point --means (all pictures at one setting)--> Means

Means are over pictures (of bpp, PSNR and MS-SSIM one by one). The pooled ones, which give every pixel the same weight,
are kept beside them: all bits over all pixels, PSNR of the mean squared error over all pixels. MS-SSIM in dB is always
that of the mean MS-SSIM, never a mean of dB. In means a picture's PSNR counts as at most 60 dB: a picture that comes
back exactly would make the mean infinite, and 8-bit pixels are themselves rounded at 59 dB. Metrics beyond these (SSIM,
LPIPS, ...) are in extra_metrics.py; their values are in a point's `others`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpcodec.codec.arrays import psnr_of
from lpcodec.codec.evaluation.metrics.distortion import MS_SSIM_SMALLEST_SIDE, bpp, ms_ssim, ms_ssim_db, mse

PSNR_CEILING = 60.0  # dB
MS_SSIM_CEILING = 60.0  # dB


@dataclass(frozen=True)
class Point:
    """One picture coded once: a line of a JSON-lines file.

    `setting` is the codec's own rate control (a quality; for JPEG 2000 a compression ratio), `target_bpp` the rate that
    was asked for, None at a fixed setting. `above` marks the file just above a rate target, for a codec whose settings
    are whole numbers; the file just below is a point of its own. `ms_ssim` is None for pictures too small for it;
    `psnr` is infinite if nothing was lost. Seconds are wall-clock, from array to bytes and back. `others` are the extra
    metrics by name.
    """

    codec: str
    setting: float
    image: str
    bytes: int
    pixels: int
    bpp: float
    psnr: float
    mse: float
    ms_ssim: float | None
    encode_seconds: float
    decode_seconds: float
    target_bpp: float | None = None
    others: Mapping[str, float] = field(default_factory=dict)
    above: bool = False

    def to_json(self) -> str:
        """One line of strict JSON (an infinite PSNR becomes null)."""
        row = asdict(self)
        row["psnr"] = self.psnr if math.isfinite(self.psnr) else None
        return json.dumps(row, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> "Point":
        """The point that `to_json` wrote. ValueError if the line is not one."""
        row: Any = json.loads(line)
        try:
            return cls(**{**row, "psnr": math.inf if row["psnr"] is None else row["psnr"]})
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a point: {line[:100]!r}") from error


def measured_point(
    codec: str,
    setting: float,
    image: str,
    original: NDArray[np.uint8],
    decoded: NDArray[np.uint8],
    size: int,
    seconds: tuple[float, float],
    others: Mapping[str, float] | None = None,
) -> Point:
    """The point of `decoded` against `original` (both uint8, (H, W, 3)); `size` in bytes, `seconds` to encode and to
    decode; `others` are the extra metrics of the two by name."""
    pixels = original.shape[0] * original.shape[1]
    error = mse(original, decoded)
    large = min(original.shape[:2]) >= MS_SSIM_SMALLEST_SIDE
    return Point(
        codec=codec,
        setting=setting,
        image=image,
        bytes=size,
        pixels=pixels,
        bpp=bpp(size, pixels),
        psnr=psnr_of(error),
        mse=error,
        ms_ssim=ms_ssim(original, decoded) if large else None,
        encode_seconds=seconds[0],
        decode_seconds=seconds[1],
        others=dict(others or {}),
    )


@dataclass(frozen=True)
class Means:
    """Means of one codec over pictures. `setting` is None if the pictures had different ones (at a rate target).
    `others` has the extra metrics that every picture has. `exact` is the number of pictures that came back exactly."""

    codec: str
    setting: float | None
    pictures: int
    bpp: float
    psnr: float
    ms_ssim: float | None
    pooled_bpp: float
    pooled_psnr: float
    encode_mps: float
    decode_mps: float
    others: Mapping[str, float] = field(default_factory=dict)
    exact: int = 0

    @property
    def ms_ssim_db(self) -> float | None:
        """The mean MS-SSIM in dB, at most 60; None if a picture had none."""
        return None if self.ms_ssim is None else min(ms_ssim_db(self.ms_ssim), MS_SSIM_CEILING)


def means(points: Sequence[Point]) -> Means:
    """Means over the points of one codec, one per picture. Each picture has the same weight, except in the pooled means
    and the speeds.

    Speeds are all pixels over all seconds, in megapixels per second. Raises ValueError for no points, several
    codecs, or a picture that appears twice.
    """
    codecs, images = {p.codec for p in points}, {p.image for p in points}
    if len(codecs) != 1 or len(images) != len(points):
        raise ValueError(f"means need points of one codec, one per picture, not {len(points)} of {sorted(codecs)}")
    settings = {p.setting for p in points}
    similarities = [p.ms_ssim for p in points if p.ms_ssim is not None]
    pixels = sum(p.pixels for p in points)
    return Means(
        codec=codecs.pop(),
        setting=settings.pop() if len(settings) == 1 else None,
        pictures=len(points),
        bpp=_mean([p.bpp for p in points]),
        psnr=_mean([min(p.psnr, PSNR_CEILING) for p in points]),
        ms_ssim=_mean(similarities) if len(similarities) == len(points) else None,
        pooled_bpp=bpp(sum(p.bytes for p in points), pixels),
        pooled_psnr=min(psnr_of(sum(p.mse * p.pixels for p in points) / pixels), PSNR_CEILING),
        encode_mps=pixels / 1e6 / max(sum(p.encode_seconds for p in points), 1e-9),
        decode_mps=pixels / 1e6 / max(sum(p.decode_seconds for p in points), 1e-9),
        others={name: _mean([p.others[name] for p in points]) for name in _shared(points)},
        exact=sum(p.mse == 0 for p in points),
    )


def _shared(points: Sequence[Point]) -> list[str]:
    """The extra metrics that all points have, in the first one's order."""
    return [name for name in points[0].others if all(name in p.others for p in points)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
