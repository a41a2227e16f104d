"""What front-ends make of a picture: its bands to look at, and how much of it comes back, in dB.

```
picture --front-end: split--> bands --merge--> reconstruction     decompose: as 8-bit pictures
folder  --each picture through each method--> PSNR, its mean      table: beside what the LPAE paper prints
```

PSNR is that of the papers: -10 log10 of the mean squared error of RGB in 0..1, of the floats that come back, neither
rounded nor clamped; here the mean over whole pictures. The paper took random crops of DIV2K, so its figures are for
other pictures, and its WAE was hardly trained (at a rate of 1e-6): only the order can be compared. The methods don't
keep equally much either: LPAE's bands have 5/4 of a picture's samples, WAE's 1/2, the bicubic half-size picture 1/4.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lpcodec.codec import models
from lpcodec.codec.arrays import Pixels, psnr_of
from lpcodec.codec.errors import UsageError
from lpcodec.codec.frontends import pyramid
from lpcodec.codec.frontends.dwt import DWT, wavelet_named
from lpcodec.codec.frontends.interface import FrontEnd
from lpcodec.codec.picture import load_rgb, read_rgb
from lpcodec.codec.progress import Progress, counted, silent
from lpcodec.datasets.pictures import picture_files
from lpcodec.datasets.registry import SetMissingError, locate

BICUBIC = ("bicubic", "bicubic-antialiased")
PRINTED = {"lpae": 54.73, "wae": 19.90, "bicubic": 26.19}
"""Table 1 of the LPAE paper, DIV2K, random crops of 192; it doesn't say how its bicubic is computed."""
_SHOWN = 0.99
_ENOUGH = 1 << 20


@dataclass(frozen=True)
class Detail:
    """A detail band as an 8-bit RGB picture (h, w, 3): mid-grey where it is zero, multiplied by `gain` so that 99 % of
    its values fit. `name` is its level, finest first, and for wavelets its direction: "1", or "1-lh"."""

    name: str
    pixels: Pixels
    gain: float


@dataclass(frozen=True)
class Decomposition:
    """A picture's bands as 8-bit RGB pictures. `psnr` is that of the floats, infinite if they are the picture."""

    approximation: Pixels
    details: tuple[Detail, ...]
    reconstruction: Pixels
    psnr: float


@dataclass(frozen=True)
class Row:
    """The mean PSNR in dB of each method on the pictures of one folder."""

    data: str
    pictures: int
    psnr: dict[str, float]


def frontend(name: str, levels: int = 1) -> FrontEnd:
    """The front-end of a name: a trained one (LPAE folded, for speed), "pyramid", "haar", "cdf53", or a wavelet of
    PyWavelets ("db2").

    Raises:
        UsageError: no such front-end, or no weights for it.
        UnknownModelError: the weights aren't those of their card.
    """
    if name == pyramid.NAME:
        return pyramid.LaplacianPyramid(levels)
    if (wavelet := wavelet_named(name)) is not None:
        return DWT(wavelet, levels)
    known = {network.name: network.task for network in models.networks()}
    if name.partition("@")[0] not in known:
        trained = [each for each, task in known.items() if task == "front-end"]
        raise UsageError(
            f"no front-end named {name!r}; there are: {pyramid.NAME}, {', '.join(trained)}, and the discrete wavelets"
            " of PyWavelets, such as haar, cdf53 (bior2.2), db2, sym4"
        )
    return models.load_frontend(name, levels)


@torch.inference_mode()
def decompose(pixels: Pixels, name: str, levels: int = 1) -> Decomposition:
    """Split a picture, uint8 (H, W, 3) or (H, W, 1), into `levels` levels, and put it together again.

    Raises:
        UsageError: as `frontend` does.
    """
    transform = frontend(name, levels)
    x = _as_tensor(pixels)
    bands = transform.split(x)
    back = transform.merge(bands)
    # A wavelet's low-pass filters add up to sqrt(2) in each direction: its approximation is 2^levels times as bright.
    brightness = 2.0**levels if isinstance(transform, DWT) else 1.0
    details = [
        Detail(str(level) + suffix, _as_pixels(0.5 + gain * band), gain)
        for level, detail in enumerate(reversed(bands.details), 1)
        for suffix, band in _directions(detail)
        for gain in [_gain(band)]
    ]
    return Decomposition(_as_pixels(bands.coarse / brightness), tuple(details), _as_pixels(back), _psnr(x, back))


def _directions(detail: Tensor) -> Iterator[tuple[str, Tensor]]:
    """A detail of three channels as it is; one of nine (LH of all channels, then HL, then HH) in three parts."""
    if detail.shape[1] == 3:
        yield "", detail
    else:
        yield from zip(("-lh", "-hl", "-hh"), detail.chunk(3, dim=1), strict=True)


def table(data: Sequence[str], progress: Progress = silent) -> list[Row]:
    """One row for each of `data` (folders, or names of sets): the trained front-ends that are installed, and bicubic.

    `progress` is called after each picture.

    Raises:
        UsageError: no front-end's weights are installed, or no pictures where `data` says.
        FileAccessError: a picture can't be read.
    """
    installed = [row["name"] for row in models.describe() if row["task"] == "front-end" and row["weights"]]
    if not installed:
        raise UsageError("no weights of a front-end are installed: train lpae and export it")
    methods: dict[str, Callable[[Tensor], Tensor]] = {name: _there_and_back(frontend(name)) for name in installed}
    methods |= {"bicubic": bicubic, "bicubic-antialiased": lambda x: bicubic(x, antialias=True)}
    places = [(name, _pictures(name)) for name in data]
    whole, done, rows = sum(len(paths) for _, paths in places), 0, []
    for name, paths in places:
        figures: dict[str, list[float]] = {method: [] for method in methods}
        for path, x in _tensors(paths):
            for method, run in methods.items():
                figures[method].append(_psnr(x, run(x)))
            done += 1
            progress(*counted(done, whole, path.name))
        rows.append(Row(Path(name).name, len(paths), {method: fmean(values) for method, values in figures.items()}))
    return rows


def bicubic(x: Tensor, antialias: bool = False) -> Tensor:
    """(B, C, H, W) at half the size and back: plain with corners aligned, as LPAE's target, or with anti-aliasing."""
    size = (x.shape[2], x.shape[3])
    half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    small = F.interpolate(x, half, mode="bicubic", align_corners=not antialias, antialias=antialias)
    return F.interpolate(small, size, mode="bicubic", align_corners=not antialias)


def _there_and_back(transform: FrontEnd) -> Callable[[Tensor], Tensor]:
    def run(x: Tensor) -> Tensor:
        with torch.inference_mode():
            return transform.merge(transform.split(x))

    return run


def _pictures(name: str) -> list[Path]:
    try:
        return picture_files(locate(name, read_rgb).folder)
    except SetMissingError as error:
        raise UsageError(str(error)) from error


def _tensors(paths: Sequence[Path]) -> Iterator[tuple[Path, Tensor]]:
    for path in paths:
        yield path, _as_tensor(load_rgb(path).pixels)


def _as_tensor(pixels: Pixels) -> Tensor:
    """uint8 (H, W, 1 or 3) -> float32 (1, 3, H, W) in 0..1."""
    # A copy: of 1 x 1 pixels the broadcast view is contiguous already, and torch warns of arrays that can't be written.
    rgb = np.broadcast_to(pixels, (*pixels.shape[:2], 3)).transpose(2, 0, 1).copy()
    return torch.from_numpy(rgb)[None].float() / 255


def _as_pixels(x: Tensor) -> Pixels:
    """(1, 3, H, W), clamped to 0..1 -> uint8 (H, W, 3)."""
    pixels: Pixels = (x[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return pixels


def _gain(detail: Tensor) -> float:
    """What brings 99 % of a detail's values within a half of zero; at most 16."""
    values = detail.abs().flatten()
    values = values[:: max(1, values.numel() // _ENOUGH)]
    within = float(values.kthvalue(max(1, round(_SHOWN * values.numel()))).values)
    return min(16.0, 0.5 / max(within, 1e-6))


def _psnr(x: Tensor, back: Tensor) -> float:
    error = float((x.double() - back.double()).square().mean())
    return psnr_of(error, peak=1)
