"""Metrics besides PSNR and MS-SSIM, by name. Each comes from a maintained package.

    names --check--> packages are there --value_of(name, original, decoded)--> value, or None for a picture too small

| name        | package                | better | rule                                                               |
|-------------|------------------------|--------|--------------------------------------------------------------------|
| psnr-y      | none                   | higher | of Y = 0.299 R + 0.587 G + 0.114 B (BT.601, full range, unrounded) |
| ssim        | pytorch-msssim         | higher | window 11, sigma 1.5, on RGB, mean over channels                   |
| lpips       | lpips, torchvision     | lower  | AlexNet, version 0.1; its weights must be in torch's hub cache     |
| ssimulacra2 | ssimulacra2            | higher | 100 is lossless, 90 is hard to tell apart, 30 is low               |
| butteraugli | libjxl's program       | lower  | `butteraugli_main` on the PATH (PyPI has no package): maximum norm |
"""

import importlib.util
import io
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lpcodec.codec.arrays import Pixels, psnr_of
from lpcodec.codec.errors import UsageError
from lpcodec.codec.evaluation.metrics.distortion import PEAK
from lpcodec.codec.evaluation.metrics.metric import BASIC, Metric
from lpcodec.codec.evaluation.metrics.torchvision_import import make_importable

LUMA = (0.299, 0.587, 0.114)
LOSSLESS_DB = 99.0  # for the infinite luma PSNR of equal pictures, which a JSON file can't hold
LPIPS_BACKBONE = "alexnet-owt-7be5be79.pth"
BUTTERAUGLI = "butteraugli_main"
BUTTERAUGLI_SECONDS = 600
SSIMULACRA2_SIDE = 225
"""The smallest side for SSIMULACRA 2: from here on a picture has all six scales. Smaller ones lack some, and then the
package takes weights of other scales and channels: 87 points at 240 pixels become 79 at 224 and 37 at 112."""


@dataclass(frozen=True)
class ExtraMetric(Metric):
    """A metric that is computed on request, for pictures whose sides have at least `smallest_side` pixels.

    `check` raises UsageError, which says what to install, if it can't be computed here.
    """

    smallest_side: int
    check: Callable[[], None]
    value: Callable[[Pixels, Pixels], float]


def check(names: Sequence[str]) -> None:
    """Raises UsageError, one line that says what to install, unless every metric of `names` works here."""
    for name in names:
        if name not in EXTRA_METRICS:
            raise UsageError(f"no metric named {name!r}; there are: {', '.join(EXTRA_METRICS)}")
        EXTRA_METRICS[name].check()


def value_of(name: str, original: Pixels, decoded: Pixels) -> float | None:
    """The metric `name` of two uint8 RGB pictures (H, W, 3); None if they are too small for it."""
    about = EXTRA_METRICS[name]
    return about.value(original, decoded) if min(original.shape[:2]) >= about.smallest_side else None


def psnr_y(original: Pixels, decoded: Pixels) -> float:
    """PSNR in dB of the luma of two RGB pictures (BT.601, full range, not rounded), at most 99."""
    difference = (original.astype(np.float64) - decoded) @ np.array(LUMA)
    return min(psnr_of(float(np.mean(difference * difference))), LOSSLESS_DB)


def ssim(original: Pixels, decoded: Pixels) -> float:
    """SSIM of two RGB pictures, -1..1: that of pytorch-msssim, in float64."""
    import pytorch_msssim  # type: ignore[import-untyped]
    import torch

    with torch.inference_mode():
        return float(pytorch_msssim.ssim(_tensor(original, np.float64), _tensor(decoded, np.float64), data_range=PEAK))


def lpips_alex(original: Pixels, decoded: Pixels) -> float:
    """LPIPS with AlexNet (0 for equal pictures)."""
    import torch

    with torch.inference_mode():
        return float(_lpips_network()(*(_tensor(p) / (PEAK / 2) - 1 for p in (original, decoded))))


def ssimulacra2(original: Pixels, decoded: Pixels) -> float:
    """SSIMULACRA 2, 100 for equal pictures."""
    compute = importlib.import_module("ssimulacra2").compute_ssimulacra2
    return float(compute(*(io.BytesIO(_png(p)) for p in (original, decoded))))


def butteraugli(original: Pixels, decoded: Pixels) -> float:
    """Butteraugli distance (maximum norm, 0 for equal pictures) as libjxl's program prints it first."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("original.png", "decoded.png")]
        for path, pixels in zip(paths, (original, decoded), strict=True):
            path.write_bytes(_png(pixels))
        ran = subprocess.run(
            [BUTTERAUGLI, *map(str, paths)], capture_output=True, text=True, check=False, timeout=BUTTERAUGLI_SECONDS
        )
    number = re.search(r"^\s*(\d+(?:\.\d+)?)", ran.stdout)
    if ran.returncode or number is None:
        raise UsageError(f"{BUTTERAUGLI} failed: {(ran.stderr.strip() or ran.stdout.strip())[-200:]}")
    return float(number[1])


def _always() -> None:
    """pytorch-msssim and numpy come with the package."""


def _check_lpips() -> None:
    try:
        make_importable()
    except ImportError as error:
        raise UsageError(f"lpips needs torchvision: pip install lpips torchvision ({error})") from error
    if importlib.util.find_spec("lpips") is None:
        raise UsageError("lpips needs its package: pip install lpips")
    from torch import hub

    backbone = Path(hub.get_dir(), "checkpoints", LPIPS_BACKBONE)
    if not backbone.exists():
        raise UsageError(
            f"lpips needs AlexNet's weights, and nothing is downloaded here: put {LPIPS_BACKBONE} "
            f"(https://download.pytorch.org/models/{LPIPS_BACKBONE}) into {backbone.parent}"
        )


def _check_ssimulacra2() -> None:
    if importlib.util.find_spec("ssimulacra2") is None:
        raise UsageError("ssimulacra2 needs its package: pip install ssimulacra2")


def _check_butteraugli() -> None:
    if shutil.which(BUTTERAUGLI, path=os.environ.get("PATH")) is None:
        raise UsageError(f"butteraugli needs the program {BUTTERAUGLI} of libjxl (its devtools) on the PATH")


@lru_cache(maxsize=1)
def _lpips_network() -> Any:
    return importlib.import_module("lpips").LPIPS(net="alex", verbose=False).eval()


def _tensor(pixels: Pixels, dtype: type = np.float32) -> Any:
    import torch

    return torch.from_numpy(pixels.transpose(2, 0, 1).astype(dtype))[None]


def _png(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


EXTRA_METRICS = {
    m.name: m
    for m in (
        ExtraMetric("psnr-y", "PSNR of luma", "dB", 2, True, 2.0, 1, _always, psnr_y),
        ExtraMetric("ssim", "SSIM", "", 4, True, 0.02, 11, _always, ssim),
        ExtraMetric("lpips", "LPIPS (AlexNet)", "", 4, False, 0.05, 32, _check_lpips, lpips_alex),
        ExtraMetric("ssimulacra2", "SSIMULACRA 2", "", 2, True, 5.0, SSIMULACRA2_SIDE, _check_ssimulacra2, ssimulacra2),
        ExtraMetric("butteraugli", "Butteraugli", "", 4, False, 0.5, 8, _check_butteraugli, butteraugli),
    )
}


def metric_named(name: str) -> Metric:
    """The metric of that name. An unknown one (from the document of another version) counts as higher-is-better."""
    known: Metric | None = BASIC.get(name) or EXTRA_METRICS.get(name)
    return known or Metric(name, name, "", 4, True, 0.0)


def installed() -> tuple[str, ...]:
    """The extra metrics that a report shows unless others are asked for: SSIMULACRA 2, if its package is installed."""
    return ("ssimulacra2",) if importlib.util.find_spec("ssimulacra2") is not None else ()
