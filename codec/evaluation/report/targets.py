"""Qualities at exactly a rate target, between the file just below it and the file just above it.

    Point below, Point above --interpolated(target bpp)--> a Point at the target

Codecs whose settings are whole numbers stay 3 to 5 % under a rate target, which would flatter a codec that meets it.
Both files are real and measured; PSNR, MS-SSIM in dB and the extra metrics are interpolated linearly over log rate.
"""

import math
from dataclasses import replace

from lpcodec.codec.evaluation.metrics.distortion import PEAK, bpp, ms_ssim_db
from lpcodec.codec.evaluation.metrics.point import MS_SSIM_CEILING, PSNR_CEILING, Point


def interpolated(below: Point, above: Point, target: float) -> Point:
    """A point at `target` bpp, between two of one picture and codec. Its times are those of `below`, the real file."""
    if not below.bpp <= target < above.bpp:
        raise ValueError(f"{target} bpp isn't between {below.bpp} and {above.bpp}")
    share = math.log(target / below.bpp) / math.log(above.bpp / below.bpp)

    def between(low: float, high: float) -> float:
        return low + share * (high - low)

    psnr = between(min(below.psnr, PSNR_CEILING), min(above.psnr, PSNR_CEILING))
    similarity = None
    if below.ms_ssim is not None and above.ms_ssim is not None:
        ends = (min(ms_ssim_db(value), MS_SSIM_CEILING) for value in (below.ms_ssim, above.ms_ssim))
        similarity = 1 - 10 ** (-between(*ends) / 10)
    size = round(target * below.pixels / 8)
    return replace(
        below,
        bytes=size,
        bpp=bpp(size, below.pixels),
        psnr=psnr,
        mse=PEAK**2 / 10 ** (psnr / 10),
        ms_ssim=similarity,
        others={name: between(value, above.others[name]) for name, value in below.others.items()},
    )
