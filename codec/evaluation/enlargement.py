"""Measuring upscalers as super-resolution papers do: PSNR and SSIM of luma against the original.

```
original --cut to a multiple of the scale--bicubic, 8 bits--> small picture --method--> 8-bit picture
   |--luma-------------------------------- PSNR, SSIM, a border of `scale` pixels left out ----|
```

Bicubic is Pillow's, luma is BT.601's in studio range, and means are over pictures. A picture that is stored as grey
(one of Set14) is its own luma, in full range, as in MATLAB. Bicubic then has 33.67 / 30.23 / 29.56 dB on Set5, Set14,
BSD100 at x2, and 28.43 / 26.00 dB on the first two at x4. Papers have 33.66 to 33.69 / 30.24 / 29.56, 28.42 / 26.00.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt
import torch

from lpcodec.codec import models, upscaling
from lpcodec.codec.arrays import psnr_of
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.superresolution.luma import OFFSET, WEIGHTS
from lpcodec.codec.picture import Pixels, load, load_rgb, read_rgb
from lpcodec.codec.progress import Progress, counted, silent
from lpcodec.datasets.pictures import picture_files
from lpcodec.datasets.registry import SetMissingError, locate

Method = Callable[[Pixels, int], Pixels]
"""Enlarges a picture, uint8 (H, W, 1 or 3), by a scale."""
Luma = npt.NDArray[np.float64]
SSIM_WINDOW = 11


@dataclass(frozen=True)
class Scores:
    """How near an enlarged picture is to its original: PSNR in dB and SSIM (0..1), both of luma."""

    psnr: float
    ssim: float


@dataclass(frozen=True)
class Row:
    """The means of one method on the pictures of one folder at one scale."""

    data: str
    pictures: int
    scale: int
    method: str
    psnr: float
    ssim: float


@dataclass(frozen=True)
class Published:
    """What a paper prints of a method at one scale, with its source; never to be shown as if measured here.

    `results` has (PSNR in dB, SSIM) by the names of the data sets; `parameters_k` is in thousands, None if not printed.
    """

    method: str
    scale: int
    source: str
    results: dict[str, tuple[float, float]]
    parameters_k: int | None = None


def published(scale: int) -> list[Published]:
    """What papers print at one scale: the networks of this package, and light networks of later years."""
    rows = json.loads((Path(__file__).parent / "upscalers.json").read_text())
    return [
        Published(**row | {"results": {name: tuple(found) for name, found in row["results"].items()}})
        for row in rows
        if row["scale"] == scale
    ]


def table(
    data: Sequence[str], scales: Sequence[int], names: Sequence[str] | None = None,
    progress: Progress = silent,
) -> list[Row]:  # fmt: skip
    """One row for each folder or set of `data`, scale and method.

    Args:
        names: bicubic, or models for upscaling; by default bicubic and all that have weights for the scale.
        progress: called after each picture.

    Raises:
        UsageError: no pictures where `data` says, no such model, or one that doesn't enlarge by a scale.
        FileAccessError: a picture can't be read.
    """
    places = [(name, _pictures(name)) for name in data]
    whole, done, rows = sum(len(paths) for _, paths in places) * len(scales), 0, []
    for name, paths in places:
        for scale in scales:
            methods = {one: method(one, scale) for one in names or _installed(scale)}
            found: dict[str, list[Scores]] = {one: [] for one in methods}
            for path in paths:
                original = cropped(_read(path), scale)
                small = reduced(original, scale)
                for one, run in methods.items():
                    found[one].append(compare(original, run(small, scale), scale))
                done += 1
                progress(*counted(done, whole, path.name))
            rows += [
                Row(Path(name).name, len(paths), scale, one, fmean(q.psnr for q in all_), fmean(q.ssim for q in all_))
                for one, all_ in found.items()
            ]
    return rows


def method(name: str, scale: int) -> Method:
    """The method of a name: "bicubic", a model for upscaling, or a front-end.

    Raises:
        UsageError: no such model, no weights for it, or none for this scale.
    """
    run = upscaling.enlarger(name, scale)
    return lambda pixels, by: run(pixels, by, None)


def cropped(pixels: Pixels, scale: int) -> Pixels:
    """A picture (H, W, C) cut at the bottom and the right to multiples of `scale`."""
    height, width = pixels.shape[:2]
    return pixels[: height // scale * scale, : width // scale * scale]


def reduced(pixels: Pixels, scale: int) -> Pixels:
    """A picture (H, W, C), sides multiples of `scale`, reduced by Pillow's antialiased bicubic filter."""
    return upscaling.resized(pixels, pixels.shape[0] // scale, pixels.shape[1] // scale)


def compare(original: Pixels, enlarged: Pixels, border: int) -> Scores:
    """PSNR and SSIM of luma, uint8 (H, W, 1 or 3) both, with `border` pixels left out on every side."""
    inner = slice(border, -border or None)
    a, b = (luma(pixels)[inner, inner] for pixels in (original, enlarged))
    error = float(np.mean((a - b) ** 2))
    return Scores(psnr_of(error), _ssim(a, b))


def luma(pixels: Pixels) -> Luma:
    """BT.601 luma in studio range, 16..235, of 8-bit RGB (H, W, 3), not rounded; grey (H, W, 1) is its own luma."""
    if pixels.shape[2] == 1:
        return pixels[..., 0].astype(np.float64)
    return OFFSET + pixels.astype(np.float64) @ (np.array(WEIGHTS) / 255)


def _ssim(a: Luma, b: Luma) -> float:
    """SSIM of Wang and others (2004): Gaussian window of 11 x 11 with standard deviation 1.5, whole windows only."""
    from pytorch_msssim import ssim  # type: ignore[import-untyped]

    if min(a.shape) < SSIM_WINDOW:
        return math.nan
    x, y = (torch.from_numpy(plane)[None, None] for plane in (a, b))
    return float(ssim(x, y, data_range=255.0, win_size=SSIM_WINDOW))


def _installed(scale: int) -> list[str]:
    rows = [row for row in models.describe() if row["task"] == "upscaling" and row["weights"]]
    return [upscaling.BICUBIC, *(row["name"] for row in rows if scale in row["scales"])]


def _pictures(name: str) -> list[Path]:
    try:
        found = picture_files(locate(name, read_rgb).folder)
    except SetMissingError as error:
        raise UsageError(str(error)) from error
    if not found:
        raise UsageError(f"{name}: no pictures there")
    return found


def _read(path: Path) -> Pixels:
    """Grey (H, W, 1) of a file that is stored so; RGB (H, W, 3) of all others, laid on white if transparent."""
    found = load(path, max_pixels=None)
    stored_grey = found.pixels.shape[2] == 1 and not found.grey_as_rgb and found.alpha is None
    return found.pixels if stored_grey else load_rgb(path).pixels
