"""What a report knows of a metric: name, title, unit, direction, and how much overlap a BD-rate by it needs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A measure of quality. `name` is how points, BD-rates and the command line call it.

    `smallest_overlap` is the range, in the metric's unit, that two curves must share for a BD-rate.
    """

    name: str
    title: str
    unit: str
    digits: int
    higher_is_better: bool
    smallest_overlap: float

    @property
    def label(self) -> str:
        """Title and unit, as on an axis."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


PSNR = Metric("psnr", "PSNR", "dB", 2, True, 2.0)
MS_SSIM = Metric("ms_ssim", "MS-SSIM", "dB", 2, True, 2.0)
BASIC = {metric.name: metric for metric in (PSNR, MS_SSIM)}
"""The two metrics of every point. MS-SSIM is in dB here: -10 log10(1 - mean)."""
