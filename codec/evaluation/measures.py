"""What is measured of a coded picture: rate, PSNR, MS-SSIM, times; one point a picture, and means over
pictures. Measures beyond these (SSIM, LPIPS, ...) are in further.py and stand in a point's `others`.

    original, bytes, decoded picture, times --point--> Point --means (all pictures at one setting)--> Means

bpp is 8 x bytes of the file / pixels of the original. PSNR is that of 8-bit RGB with peak 255, MS-SSIM that
of RGB with its usual five scales. Means are taken over pictures (of bpp, PSNR and MS-SSIM one by one); the
pooled ones, which weigh every pixel alike, stand beside them: all bits over all pixels, PSNR of the mean
squared error over all pixels. MS-SSIM in dB is always that of the mean MS-SSIM, never a mean of dB.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

PEAK = 255
MS_SSIM_SMALLEST_SIDE = 161  # a window of 11 still has to fit after four halvings


def bpp(size: int, pixels: int) -> float:
    """Bits per pixel of a file of `size` bytes for a picture of `pixels` pixels. ValueError where there are
    none."""
    if size < 0 or pixels < 1:
        raise ValueError(f"bpp needs size >= 0 and pixels >= 1, not {size} and {pixels}")
    return 8 * size / pixels


def mse(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean squared error of two uint8 pictures of one shape, over all samples. ValueError for anything
    else."""
    _check_pair(a, b)
    difference = a.astype(np.int32) - b
    return float(np.mean(difference * difference))


def psnr_of_mse(error: float) -> float:
    """dB for a mean squared error on the 0..255 scale; infinite for 0."""
    return math.inf if error == 0 else 10 * math.log10(PEAK * PEAK / error)


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """PSNR in dB of two uint8 pictures (H, W, 3) with peak 255, over all three channels; infinite where they
    are equal.

    >>> psnr(np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8))
    0.0
    """
    return psnr_of_mse(mse(a, b))


def ms_ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """MS-SSIM of two uint8 RGB pictures (H, W, 3), 0..1, five scales, window 11 with sigma 1.5, data range
    255.

    Raises ValueError unless both are RGB, of one shape, and over 160 pixels on both sides.
    """
    _check_pair(a, b)
    if a.ndim != 3 or a.shape[2] != 3:
        raise ValueError(f"MS-SSIM needs RGB pictures (H, W, 3), not {a.shape}")
    if min(a.shape[:2]) < MS_SSIM_SMALLEST_SIDE:
        raise ValueError(
            f"MS-SSIM needs sides of at least {MS_SSIM_SMALLEST_SIDE} pixels, not {a.shape[1]}x{a.shape[0]}"
        )
    import pytorch_msssim  # type: ignore[import-untyped]
    import torch

    def planes(picture: NDArray[np.uint8]) -> torch.Tensor:
        # A copy, because torch warns about arrays that can't be written to, as those from Pillow.
        return torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32))[None]

    with torch.inference_mode():
        return float(pytorch_msssim.ms_ssim(planes(a), planes(b), data_range=PEAK))


def ms_ssim_db(value: float) -> float:
    """-10 log10(1 - value) of an MS-SSIM in 0..1: infinite for 1.

    >>> round(ms_ssim_db(0.99), 6)
    20.0
    """
    if not 0 <= value <= 1:
        raise ValueError(f"an MS-SSIM lies in 0..1, not {value}")
    return math.inf if value == 1 else -10 * math.log10(1 - value)


@dataclass(frozen=True)
class Point:
    """One picture coded once: a line of a JSON-lines file.

    `setting` is the codec's own dial (a quality; for JPEG 2000 a compression ratio), `target_bpp` the rate that was
    asked for, None at a fixed setting. `ms_ssim` is None for pictures too small for it; `psnr` is infinite where
    nothing was lost. Seconds are wall-clock, from array to bytes and back. `others` are further measures by name.
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

    def to_json(self) -> str:
        """One line of strict JSON (an infinite PSNR becomes null)."""
        row = asdict(self)
        row["psnr"] = self.psnr if math.isfinite(self.psnr) else None
        return json.dumps(row, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> "Point":
        """The point that `to_json` wrote. ValueError where the line is not one."""
        row: Any = json.loads(line)
        try:
            return cls(**{**row, "psnr": math.inf if row["psnr"] is None else row["psnr"]})
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a point: {line[:100]!r}") from error


def point(
    codec: str,
    setting: float,
    image: str,
    original: NDArray[np.uint8],
    decoded: NDArray[np.uint8],
    size: int,
    seconds: tuple[float, float],
    others: Mapping[str, float] | None = None,
) -> Point:
    """Measures `decoded` against `original` (both uint8, (H, W, 3)); `size` in bytes, `seconds` to encode and
    decode; `others` are further measures that were taken of the two."""
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
        psnr=psnr_of_mse(error),
        mse=error,
        ms_ssim=ms_ssim(original, decoded) if large else None,
        encode_seconds=seconds[0],
        decode_seconds=seconds[1],
        others=dict(others or {}),
    )


@dataclass(frozen=True)
class Means:
    """Means of one codec over pictures; `setting` is None where the pictures had different ones (a rate
    target). `others` has the further measures that every picture has."""

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

    @property
    def ms_ssim_db(self) -> float | None:
        """The mean MS-SSIM in dB; None where a picture had none."""
        return None if self.ms_ssim is None else ms_ssim_db(self.ms_ssim)


def means(points: Sequence[Point]) -> Means:
    """Means over the points of one codec, one a picture: each weighs the same, but for the pooled ones and
    the speeds.

    Speeds are all pixels over all seconds, in megapixels a second. Raises ValueError for no points, several
    codecs, or a picture that appears twice.
    """
    codecs, images = {p.codec for p in points}, {p.image for p in points}
    if len(codecs) != 1 or len(images) != len(points):
        raise ValueError(f"means need points of one codec, one a picture, not {len(points)} of {sorted(codecs)}")
    settings = {p.setting for p in points}
    similarities = [p.ms_ssim for p in points if p.ms_ssim is not None]
    pixels = sum(p.pixels for p in points)
    return Means(
        codec=codecs.pop(),
        setting=settings.pop() if len(settings) == 1 else None,
        pictures=len(points),
        bpp=_mean([p.bpp for p in points]),
        psnr=_mean([p.psnr for p in points]),
        ms_ssim=_mean(similarities) if len(similarities) == len(points) else None,
        pooled_bpp=bpp(sum(p.bytes for p in points), pixels),
        pooled_psnr=psnr_of_mse(sum(p.mse * p.pixels for p in points) / pixels),
        encode_mps=pixels / 1e6 / max(sum(p.encode_seconds for p in points), 1e-9),
        decode_mps=pixels / 1e6 / max(sum(p.decode_seconds for p in points), 1e-9),
        others={name: _mean([p.others[name] for p in points]) for name in _shared(points)},
    )


def _shared(points: Sequence[Point]) -> list[str]:
    """The further measures that all points have, in the first one's order."""
    return [name for name in points[0].others if all(name in p.others for p in points)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _check_pair(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> None:
    if a.dtype != np.uint8 or b.dtype != np.uint8 or a.shape != b.shape or a.size == 0:
        raise ValueError(f"two uint8 pictures of one shape are needed, not {a.dtype} {a.shape} and {b.dtype} {b.shape}")
