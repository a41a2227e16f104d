"""What `import lpcodec` gives: encode, decode, info, verify and upscale, with their arguments, errors and warnings.

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
    arguments,
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
from lpcodec.codec.effort import DEFAULT as DEFAULT_EFFORT
from lpcodec.codec.effort import check_effort
from lpcodec.codec.encoding import EncodeResult
from lpcodec.codec.errors import PictureWarning, UsageError
from lpcodec.codec.progress import Progress
from lpcodec.codec.rate import Target
from lpcodec.codec.sources import FileSource, PictureSource
from lpcodec.codec.upscaling import UpscaleResult

__all__ = [
    "DEFAULT_MAX_PIXELS", "DecodeResult", "EncodeResult", "UpscaleResult", "check_decode", "check_encode",
    "check_upscale", "decode", "decode_report", "encode", "encode_report", "info", "upscale", "upscale_report",
    "verify",
]  # fmt: skip

DEFAULT_MAX_PIXELS = 1 << 28
"""268 million."""


def encode(
    image: PictureSource, *, model: str = "default", tune: str | None = None, quality: float | None = None,
    bpp: float | None = None, size: int | None = None, psnr: float | None = None, lossless: bool = False,
    strip: bool = False, best_effort: bool = False, effort: int = DEFAULT_EFFORT, exact: bool = False,
    background: Colour | None = None, alpha_quality: float | None = None, downscale: Downscale = "auto",
    max_pixels: int | None = None, device: str = "cpu", progress: Progress | None = None,
) -> bytes:  # fmt: skip
    """Encode a picture to the bytes of an .lpc file.

    The target is one of quality, bpp, size, psnr and lossless; by default a quality of 40.

    Args:
        image: a path, the bytes of a picture file, an open picture file, a PIL image, or an array: (H, W), (H, W, 1),
            (H, W, 3) or (H, W, 4) for grey, RGB and RGBA, uint8 or uint16. docs/pictures.md says what is kept.
        model: a name that `lpcodec models` lists.
        tune: "psnr" takes the model's weights that were trained on squared error, "visual" those that were trained on
            SSIMULACRA 2 and MS-SSIM. The default is visual if the model has such weights; with `psnr` it is psnr.
        quality: 0..100; 100 is the finest. Models without a quality (the wcae family) raise UsageError.
        bpp: at most this many bits per pixel, counting the whole file. The file uses at least 97 % of the limit if the
            picture needs that much. Otherwise it has the finest quality, or is stored losslessly if that fits.
        size: the same, in bytes.
        psnr: at least this PSNR in dB of the pixels that can be seen (alpha above 0), in as few bytes as possible. If
            no quality reaches it, the picture is stored losslessly.
        lossless: store the picture losslessly, with its alpha and the colours of transparent pixels. No model is used,
            so it doesn't go with one, nor with a tune.
        strip: leave out ICC, EXIF and XMP.
        best_effort: if no file fits bpp or size, return the smallest one, with a note, instead of raising TargetError.
        effort: 0..9. A higher effort gives a smaller file that looks the same, or with the psnr weights one of the same
            PSNR, and takes longer; 9 takes tens of times as long as 1 (docs/effort.md). Decoding takes the same time.
            Only default, fast and hq have efforts above 1, and the psnr weights do the same with 0 and 1.
        exact: keep the colours of pixels with an alpha of 0. By default a smooth continuation of the visible colours
            replaces them: it takes fewer bytes, and nobody sees it.
        background: put the picture on this colour, and code no alpha: a name, "#rrggbb", or (red, green, blue).
        alpha_quality: 0..100. 100 codes alpha losslessly; each step of 5 below allows an error of one more of its 255
            levels. The default is 90: 2 levels, which nobody sees. Alpha of 0 and 255 is always exact.
        downscale: 2 or 4 codes the picture with its sides divided by that, and decoding enlarges it, which is better at
            low rates. 1 codes it at its own size. "auto" tries them at low rates and takes the best
            (docs/upscaling.md).
        max_pixels: refuse pictures of more pixels, at least 1; None, the default, means 268 million.
        device: where the networks run: "cpu", "cuda" or "cuda:N". Different devices may write slightly different files;
            every device decodes all of them.
        progress: called with (stage, part done 0..1).

    Raises:
        UsageError: an argument is invalid, or it doesn't go with another one or with the model.
        FileAccessError: the picture can't be read.
        LimitError: the picture has more than `max_pixels` pixels.
        TargetError: no file fits bpp or size.
        UnknownModelError: the installed weights aren't those that their card names.

    Warns:
        PictureWarning: once for each thing that was lost, or that isn't as asked for. `encode_report` returns these
            notes instead.

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
    size: int | None = None, psnr: float | None = None, lossless: bool = False, effort: int = DEFAULT_EFFORT,
    background: Colour | None = None, alpha_quality: float | None = None, downscale: Downscale = "auto",
    device: str = "cpu",
) -> None:  # fmt: skip
    """Check arguments of `encode` and load the model. Raises what `encode` would, without a picture."""
    target = Target(quality, bpp, size, psnr, lossless)
    _check_options(effort, background, alpha_quality, downscale, device, lossless=lossless)
    encoding.models_for(target, _weights(model, tune, target), device, effort, downscale)


def _check_options(
    effort: int, background: Colour | None, alpha_quality: float | None, downscale: Downscale, device: str, *,
    lossless: bool,
) -> None:  # fmt: skip
    """Raise UsageError if one of these arguments of `encode` is invalid."""
    check_effort(effort)
    downscaling.check(downscale, lossless)
    check_device(device)
    alpha.error_asked_for(alpha_quality, lossless)
    if background is not None:
        alpha.colour(background)


def _weights(model: str, tune: str | None, target: Target) -> str:
    """The name of the weights to encode with. Raises UsageError if there are none, or if none would be used."""
    arguments.text("model", model)
    if target.lossless and (model != "default" or tune is not None):
        raise UsageError("a lossless picture uses no model: leave the model and the tune out")
    return models.tuned(model, tune, squared_error=target.psnr is not None)


def encode_report(
    image: PictureSource, *, model: str = "default", tune: str | None = None, quality: float | None = None,
    bpp: float | None = None, size: int | None = None, psnr: float | None = None, lossless: bool = False,
    strip: bool = False, best_effort: bool = False, effort: int = DEFAULT_EFFORT, exact: bool = False,
    background: Colour | None = None, alpha_quality: float | None = None, downscale: Downscale = "auto",
    max_pixels: int | None = None, device: str = "cpu", progress: Progress | None = None,
) -> EncodeResult:  # fmt: skip
    """`encode`, with notes and figures in its result instead of warnings."""
    target = Target(quality, bpp, size, psnr, lossless)
    _check_options(effort, background, alpha_quality, downscale, device, lossless=lossless)
    for name, value in (("strip", strip), ("best_effort", best_effort), ("exact", exact)):
        arguments.switch(name, value)
    arguments.progress(progress)
    weights = _weights(model, tune, target)
    source = sources.load(image, max_pixels=_pixel_limit(max_pixels))
    source = alpha.prepared(source, exact=exact or lossless, background=background)
    return encoding.encode(
        source, target, model=weights, strip=strip, best_effort=best_effort,
        effort=effort, device=device, alpha_error=alpha.error_asked_for(alpha_quality, lossless), downscale=downscale,
        progress=progress,
    )  # fmt: skip


def decode(
    source: FileSource, *, level: int = 0, scale: int = 1, region: tuple[int, int, int, int] | None = None,
    allow_partial: bool = False, max_pixels: int | None = None, max_memory: int | None = None, device: str = "cpu",
    progress: Progress | None = None,
) -> Image.Image:  # fmt: skip
    """Decode an .lpc file to a PIL image of mode L, LA, RGB or RGBA, with its metadata in `info`.

    Args:
        source: the path of a file, its bytes, or an open file.
        level: 0..8, how many times the sides are halved, rounding up. A file in layers decodes faster at a higher level
            and needs only its beginning; all others are decoded whole and then reduced.
        scale: enlarge the decoded picture 2 or 4 times, by the default model of `upscale`; 1 leaves it as it is.
        region: (left, top, width, height) in pixels: decode this part alone. Of a path, a URL (with fsspec) or a file
            that can seek, only the bytes that the region needs are read, and damage elsewhere isn't noticed. The result
            equals that part of the whole picture within float noise. Not with level, scale and allow_partial.
        allow_partial: decode what is left of a damaged file in layers: the leading layers that are whole. The detail of
            the others is predicted; alpha and metadata are lost. The result of `decode_report` says if that happened.
        max_pixels: refuse pictures of more pixels, at their full size and enlarged; at least 1. None, the default,
            means 268 million.
        max_memory: refuse pictures that may take more memory, in bytes, at least 1; None, the default, means no limit.
        device: where the networks run: "cpu", "cuda" or "cuda:N".
        progress: called with (stage, part done 0..1).

    Raises:
        DamagedFileError: it isn't an .lpc file, or it was changed. No picture is returned.
        FileAccessError: the file can't be read.
        UnknownModelError: another version made the file, or its weights aren't installed.
        LimitError: the picture is over a limit. Limits are checked before anything is allocated.
        UsageError: an argument is invalid, or it doesn't go with another one.

    Warns:
        PictureWarning: once for each note in the result of `decode_report`.
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
    """`decode`, with notes in its result instead of warnings."""
    check_decode(level=level, scale=scale, region=region, allow_partial=allow_partial, device=device)
    pixels, memory = _pixel_limit(max_pixels), arguments.limit("max_memory", max_memory)
    arguments.progress(progress)
    if region is not None:
        with sources.opened(source) as stream:
            return regions.decode(
                stream, region, max_pixels=pixels, max_memory=memory, device=device, progress=progress
            )  # fmt: skip
    return decoding.decode(
        sources.read(source), level=level, scale=scale, allow_partial=allow_partial, max_pixels=pixels,
        max_memory=memory, device=device, progress=progress,
    )  # fmt: skip


def check_decode(
    *, level: int = 0, scale: int = 1, region: tuple[int, int, int, int] | None = None, allow_partial: bool = False,
    device: str = "cpu",
) -> None:  # fmt: skip
    """Check arguments of `decode`. Raises what `decode` would, without a file."""
    check_device(device)
    decoding.check_level(level)
    if arguments.whole("scale", scale) != 1:
        upscaling.check(upscaling.DEFAULT, scale)
    arguments.switch("allow_partial", allow_partial)
    if region is None:
        return
    regions.check(region)
    others = {"level": level, "scale": scale != 1, "allow_partial": allow_partial}
    if given := [name for name, value in others.items() if value]:
        raise UsageError(
            f"a region is decoded at its own size, from a whole file: leave out {' and '.join(given)}, or the region"
        )


def info(source: FileSource) -> dict[str, Any]:
    """What an .lpc file (path, bytes or open file) says about itself, ready for JSON. No picture is decoded.

    Raises:
        DamagedFileError, FileAccessError: as `decode`.
        UnknownModelError: another version made the file. Weights that aren't installed raise nothing: `installed` is
            False then.
    """
    return inspection.info(sources.read(source))


def verify(source: FileSource, *, max_pixels: int | None = None) -> dict[str, Any]:
    """Check an .lpc file (path, bytes or open file) to its last symbol, without making pixels; return its `info`.

    Raises:
        LpcodecError: what `decode` would raise.
    """
    return inspection.verify(sources.read(source), max_pixels=_pixel_limit(max_pixels))


def upscale(
    image: PictureSource, scale: int, *, model: str = upscaling.DEFAULT, max_pixels: int | None = None,
    device: str = "cpu", progress: Progress | None = None,
) -> Image.Image:  # fmt: skip
    """Enlarge a picture to `scale` times its sides; return a PIL image of mode L, LA, RGB or RGBA, with the metadata.

    Args:
        image: as `encode` takes it.
        scale: 2 or 4 with the default model; docs/upscaling.md lists the scales of others.
        model: a network for upscaling that `lpcodec models` lists, a front-end (docs/frontends.md), or "bicubic".
        max_pixels: refuse pictures of more pixels, before or after; at least 1. None, the default, means 268 million.
        device: where the networks run: "cpu", "cuda" or "cuda:N".
        progress: called with (stage, part done 0..1).

    Raises:
        FileAccessError: the picture can't be read.
        LimitError: the picture is over the limit, or would be. That is checked before anything is computed.
        UsageError: there is no such model or device, or the model wasn't trained for the scale.

    Warns:
        PictureWarning: once for each note in the result of `upscale_report`.

    >>> upscale("photo.png", 2).save("large.png")  # doctest: +SKIP
    """
    result = upscale_report(image, scale, model=model, max_pixels=max_pixels, device=device, progress=progress)
    _warn(result.notes)
    return result.image


def upscale_report(
    image: PictureSource, scale: int, *, model: str = upscaling.DEFAULT, max_pixels: int | None = None,
    device: str = "cpu", progress: Progress | None = None,
) -> UpscaleResult:  # fmt: skip
    """`upscale`, with notes in its result instead of warnings."""
    check_upscale(scale, model=model, device=device)
    limit = _pixel_limit(max_pixels)
    arguments.progress(progress)
    loaded = sources.load(image, max_pixels=limit)
    enlarged = upscaling.upscale(loaded, scale, model=model, max_pixels=limit, device=device, progress=progress)
    return UpscaleResult(picture.to_image(enlarged), loaded.notes)


def check_upscale(scale: int, *, model: str = upscaling.DEFAULT, device: str = "cpu") -> None:
    """Check arguments of `upscale`. Raises UsageError as `upscale` would, without a picture."""
    check_device(device)
    upscaling.check(model, scale)


def _pixel_limit(max_pixels: int | None) -> int:
    found = arguments.limit("max_pixels", max_pixels)
    return DEFAULT_MAX_PIXELS if found is None else found


def _warn(notes: tuple[str, ...]) -> None:
    """Warn the caller of a function of this module once for each note."""
    for note in notes:
        warnings.warn(note, PictureWarning, stacklevel=3)
