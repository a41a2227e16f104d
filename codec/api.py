"""What `import lpcodec` gives: encode, decode, info, verify, upscale. encoding.py, decoding.py, inspection.py and
upscaling.py do the work.

```
encode:        source --sources--> Picture --encoding--> bytes
decode:        source --sources--> bytes --decoding--> Picture --picture--> image     a part of it: regions.py
info, verify:  source --sources--> bytes --inspection--> facts
upscale:       source --sources--> Picture --upscaling--> Picture --picture--> image
```
"""

import warnings
from typing import Any

from PIL import Image

from lpcodec.codec import (
    alpha,
    decoding,
    downscaling,
    encoding,
    inspection,
    models,
    picture,
    regions,
    sources,
    upscaling,
)
from lpcodec.codec.alpha import Colour
from lpcodec.codec.decoding import DecodeResult
from lpcodec.codec.devices import check_device
from lpcodec.codec.downscaling import Downscale
from lpcodec.codec.effort import check_effort
from lpcodec.codec.encoding import EncodeResult
from lpcodec.codec.errors import PictureWarning, UsageError
from lpcodec.codec.progress import Progress
from lpcodec.codec.rate import Target
from lpcodec.codec.sources import FileSource, PictureSource
from lpcodec.codec.upscaling import UpscaleResult

__all__ = [
    "DEFAULT_MAX_PIXELS", "DecodeResult", "EncodeResult", "UpscaleResult", "check_encode", "decode", "decode_report",
    "encode", "encode_report", "info", "upscale", "upscale_report", "verify",
]  # fmt: skip

DEFAULT_MAX_PIXELS = 1 << 28


def encode(
    image: PictureSource, *, model: str = "default", tune: str | None = None, quality: float | None = None,
    bpp: float | None = None, size: int | None = None, psnr: float | None = None, lossless: bool = False,
    strip: bool = False, best_effort: bool = False, effort: int = 0, exact: bool = False,
    background: Colour | None = None, alpha_quality: float | None = None, downscale: Downscale = "auto",
    max_pixels: int | None = None, device: str = "cpu", progress: Progress | None = None,
) -> bytes:  # fmt: skip
    """Encode a picture to the bytes of an .lpc file.

    At most one of quality, bpp, size, psnr and lossless may be given; without any, the quality is 40.

    Args:
        image: a path, the bytes of a picture file, an open picture file, a PIL image, or an array: (H, W), (H, W, 1),
            (H, W, 3) or (H, W, 4) for grey, RGB and RGBA, of uint8 or uint16. docs/pictures.md says what is kept.
        model: a name that `lpcodec models` lists.
        tune: "psnr" or "visual": the model's weights that were trained on the squared error, or on SSIMULACRA 2. By
            default visual if the model has such, but psnr if `psnr` or an effort is given: effort refines the squared
            error, and SSIMULACRA 2 falls if the weights for it are refined so.
        quality: 0..100, 100 is the finest. An error for models without a quality (the wcae family).
        bpp: at most this many bits per pixel, the whole file counted. The file is the best that fits: it has 97 % of
            that or more if the model can fill it; a picture that takes less is stored losslessly if that fits too, or
            has the finest quality.
        size: the same, in bytes.
        psnr: at least this PSNR in dB, with as few bytes as that takes. If no quality reaches it, the picture is stored
            losslessly.
        lossless: store the picture losslessly, with its alpha and the colours that it hides. No model is used.
        strip: leave out ICC, EXIF and XMP.
        best_effort: if bpp or size is too small to be reached, give the smallest file there is, with a note.
        effort: 0..9. More gives a smaller file of the same quality, and takes longer, 9 tens of times as long as 0
            (docs/effort.md). Decoding takes the same time. Only the models default, fast and hq know more than 0.
        exact: keep the colours where alpha is 0. By default a smooth continuation of the visible colours replaces
            them: nobody sees them, and they cost bytes.
        background: lay the picture on this colour, and code no alpha: a name, "#rrggbb", or (red, green, blue).
        alpha_quality: 0..100; 100 codes alpha losslessly, every 5 below allow an error of one more of 255 levels. By
            default 90, 2 levels, which nobody sees. Alpha of 0 and 255 always stays exact.
        downscale: 2 or 4 codes the picture at half or a quarter of its sides, and decoding enlarges it: better at low
            rates. 1 codes it at its own size. "auto" tries which is best where the rate is low (docs/upscaling.md).
        max_pixels: refuse pictures of more pixels; by default 268 million.
        device: where the networks run: "cpu", "cuda" or "cuda:N". Files of different devices may differ slightly; they
            decode on all.
        progress: called with (stage, part done 0..1).

    Raises:
        LpcodecError: see `lpcodec.codec.errors`; there is a class for each kind.

    Warns:
        PictureWarning: once for each thing that was lost, or that turned out otherwise than asked for. `encode_report`
            gives these notes in its result instead.

    >>> data = encode("photo.png", bpp=0.15)  # doctest: +SKIP
    """
    result = encode_report(
        image, model=model, tune=tune, quality=quality, bpp=bpp, size=size, psnr=psnr, lossless=lossless, strip=strip,
        best_effort=best_effort, effort=effort, exact=exact, background=background, alpha_quality=alpha_quality,
        downscale=downscale, max_pixels=max_pixels, device=device, progress=progress,
    )  # fmt: skip
    _warn(result.notes)
    return result.data


def check_encode(
    *, model: str = "default", tune: str | None = None, quality: float | None = None, bpp: float | None = None,
    size: int | None = None, psnr: float | None = None, lossless: bool = False, effort: int = 0,
    background: Colour | None = None, alpha_quality: float | None = None, downscale: Downscale = "auto",
    device: str = "cpu",
) -> None:  # fmt: skip
    """Check arguments of `encode` and load the model: the same errors, before a picture is read."""
    target = Target(quality, bpp, size, psnr, lossless)
    check_effort(effort)
    downscaling.check(downscale, lossless)
    check_device(device)
    alpha.error_asked_for(alpha_quality, lossless)
    if background is not None:
        alpha.colour(background)
    encoding.models_for(target, models.tuned(model, tune, squared_error=psnr is not None or effort > 0), device, effort)


def encode_report(
    image: PictureSource, *, model: str = "default", tune: str | None = None, quality: float | None = None,
    bpp: float | None = None, size: int | None = None, psnr: float | None = None, lossless: bool = False,
    strip: bool = False, best_effort: bool = False, effort: int = 0, exact: bool = False,
    background: Colour | None = None, alpha_quality: float | None = None, downscale: Downscale = "auto",
    max_pixels: int | None = None, device: str = "cpu", progress: Progress | None = None,
) -> EncodeResult:  # fmt: skip
    """`encode`, with the notes and figures of the result."""
    target = Target(quality, bpp, size, psnr, lossless)
    check_effort(effort)
    downscaling.check(downscale, lossless)
    check_device(device)
    alpha_error = alpha.error_asked_for(alpha_quality, lossless)
    if background is not None:
        alpha.colour(background)
    source = sources.load(image, max_pixels=max_pixels or DEFAULT_MAX_PIXELS)
    source = alpha.prepared(source, exact=exact or lossless, background=background)
    weights = models.tuned(model, tune, squared_error=psnr is not None or effort > 0)
    return encoding.encode(
        source, target, model=weights, strip=strip, best_effort=best_effort, effort=effort, device=device,
        alpha_error=alpha_error, downscale=downscale, progress=progress,
    )  # fmt: skip


def decode(
    source: FileSource, *, level: int = 0, scale: int = 1, region: tuple[int, int, int, int] | None = None,
    allow_partial: bool = False, max_pixels: int | None = None, max_memory: int | None = None, device: str = "cpu",
    progress: Progress | None = None,
) -> Image.Image:  # fmt: skip
    """Decode an .lpc file to a PIL image of mode L, LA, RGB or RGBA, with its metadata in `info`.

    Args:
        source: the path of a file, its bytes, or an open file.
        level: 0..8, how often the sides are halved, rounding up. Files in layers decode faster that way and need only
            their beginning; all others are decoded whole and then reduced.
        scale: enlarge the decoded picture 2 or 4 times, by the default model of `upscale`. 1 leaves it as it is.
        region: (left, top, width, height) in pixels: decode this part alone. Of a path, a URL (with fsspec) or a file
            that can seek, only the bytes that it needs are read, and damage elsewhere isn't noticed. The result is the
            crop of the whole picture, but for float noise. Not with level, scale and allow_partial.
        allow_partial: decode what is left of a damaged file in layers: its leading whole layers, with the detail of the
            others predicted, without alpha and metadata. `decode_report` says whether that was so.
        max_pixels: refuse pictures of more pixels, whatever the level, and enlarged ones; by default 268 million.
        max_memory: refuse pictures that would take more bytes of memory.
        device: where the networks run: "cpu", "cuda" or "cuda:N".
        progress: called with (stage, part done 0..1).

    Raises:
        DamagedFileError: not an .lpc file, or a changed one; no picture is shown.
        FileAccessError: the file can't be read.
        UnknownModelError: made by a newer version, or with weights that aren't installed.
        LimitError: over a limit; checked before anything is allocated.
        UsageError: a level outside 0..8, a scale that there is no model for, a region outside the picture or with an
            argument that it doesn't go with, or a device that isn't there.

    Warns:
        PictureWarning: once for each note of `decode_report`'s result.
    """
    result = decode_report(
        source, level=level, scale=scale, region=region, allow_partial=allow_partial, max_pixels=max_pixels,
        max_memory=max_memory, device=device, progress=progress,
    )  # fmt: skip
    _warn(result.notes)
    return result.image


def decode_report(
    source: FileSource, *, level: int = 0, scale: int = 1, region: tuple[int, int, int, int] | None = None,
    allow_partial: bool = False, max_pixels: int | None = None, max_memory: int | None = None, device: str = "cpu",
    progress: Progress | None = None,
) -> DecodeResult:  # fmt: skip
    """`decode`, with the notes of the result."""
    check_device(device)
    if region is not None:
        if level or scale != 1 or allow_partial:
            raise UsageError("a region is decoded at its own size from a whole file: leave out the other options")
        with sources.opened(source) as stream:
            return regions.decode(
                stream, region, max_pixels=max_pixels or DEFAULT_MAX_PIXELS, max_memory=max_memory, device=device,
                progress=progress,
            )  # fmt: skip
    return decoding.decode(
        sources.read(source), level=level, scale=scale, allow_partial=allow_partial,
        max_pixels=max_pixels or DEFAULT_MAX_PIXELS, max_memory=max_memory, device=device, progress=progress,
    )  # fmt: skip


def info(source: FileSource) -> dict[str, Any]:
    """What an .lpc file (path, bytes or open file) says about itself, ready for JSON. Nothing is decoded.

    Raises:
        DamagedFileError, FileAccessError, UnknownModelError: as `decode`. A model that isn't installed is no error:
            `installed` says so.
    """
    return inspection.info(sources.read(source))


def verify(source: FileSource, *, max_pixels: int | None = None) -> dict[str, Any]:
    """Check an .lpc file (path, bytes or open file) to its last symbol, without making pixels; return its `info`.

    Raises:
        LpcodecError: whatever `decode` would raise.
    """
    return inspection.verify(sources.read(source), max_pixels=max_pixels or DEFAULT_MAX_PIXELS)


def upscale(
    image: PictureSource, scale: int, *, model: str = upscaling.DEFAULT, max_pixels: int | None = None,
    device: str = "cpu", progress: Progress | None = None,
) -> Image.Image:  # fmt: skip
    """Enlarge a picture to `scale` times its sides; return a PIL image of mode L, LA, RGB or RGBA, with the metadata.

    Args:
        image: as `encode` takes it.
        scale: 2 or 4 with the default model; docs/upscaling.md lists what other models do.
        model: a name that `lpcodec models` lists for upscaling, a front-end (docs/frontends.md), or "bicubic".
        max_pixels: refuse pictures that have more pixels, or would have; by default 268 million.
        device: where the networks run: "cpu", "cuda" or "cuda:N".
        progress: called with (stage, part done 0..1).

    Raises:
        FileAccessError: the source can't be read as a picture.
        LimitError: over the limit of pixels; checked before anything is computed.
        UsageError: no such model, a scale that it wasn't trained for, or a device that isn't there.

    Warns:
        PictureWarning: once for each note of `upscale_report`'s result.

    >>> upscale("photo.png", 2).save("large.png")  # doctest: +SKIP
    """
    result = upscale_report(image, scale, model=model, max_pixels=max_pixels, device=device, progress=progress)
    _warn(result.notes)
    return result.image


def upscale_report(
    image: PictureSource, scale: int, *, model: str = upscaling.DEFAULT, max_pixels: int | None = None,
    device: str = "cpu", progress: Progress | None = None,
) -> UpscaleResult:  # fmt: skip
    """`upscale`, with the notes of the result."""
    check_device(device)
    limit = max_pixels or DEFAULT_MAX_PIXELS
    loaded = sources.load(image, max_pixels=limit)
    enlarged = upscaling.upscale(loaded, scale, model=model, max_pixels=limit, device=device, progress=progress)
    return UpscaleResult(picture.to_image(enlarged), loaded.notes)


def _warn(notes: tuple[str, ...]) -> None:
    """Give notes to the caller of `encode` or `decode` as warnings."""
    for note in notes:
        warnings.warn(note, PictureWarning, stacklevel=3)
