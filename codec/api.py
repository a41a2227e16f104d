"""What `import lpcodec` gives: encode, decode, info, verify. encoding.py, decoding.py and inspection.py do the work.

```
encode:  source --picture--> Picture --encoding--> bytes
decode:  bytes --decoding--> Picture --picture--> image
info, verify:  bytes --inspection--> facts
```
"""

from pathlib import Path
from typing import Any

from PIL import Image

from lpcodec.codec import decoding, encoding, inspection, picture
from lpcodec.codec.decoding import DecodeResult
from lpcodec.codec.effort import check_effort
from lpcodec.codec.encoding import EncodeResult, Target
from lpcodec.codec.tiles import Progress

__all__ = [
    "DEFAULT_MAX_PIXELS", "DecodeResult", "EncodeResult", "decode", "decode_report", "encode", "encode_report", "info",
    "verify",
]  # fmt: skip

Source = str | Path | bytes | Image.Image

DEFAULT_MAX_PIXELS = 1 << 28


def encode(
    image: Source, *, model: str = "default", quality: float | None = None, bpp: float | None = None,
    size: int | None = None, psnr: float | None = None, strip: bool = False, best_effort: bool = False,
    effort: int = 0, max_pixels: int | None = None, device: str = "cpu", progress: Progress | None = None,
) -> bytes:  # fmt: skip
    """Encode a picture (path, bytes of a picture file, or PIL image) to the bytes of an .lpc file.

    Args:
        image: anything Pillow opens; see docs/pictures.md for what is kept.
        model: a name that `lpcodec models` lists.
        quality: 0..100; at most one of quality, bpp, size and psnr may be given.
        bpp: the file has at most so many bits for each pixel, and at least 97 % of them.
        size: the same in bytes.
        psnr: the decoded picture has at least so many dB.
        strip: leave out ICC, EXIF and XMP.
        best_effort: where a target is out of reach, give the nearest that isn't.
        effort: 0..9, more for a smaller file of the same quality; 9 takes hundreds of times as long as 0. Decoding is
            the same. Models of the wcae family know 0 alone.
        max_pixels: refuse larger pictures; by default 268 million.
        device: where the transforms run; the bytes may differ in noise between devices, files decode on all.
        progress: called with (stage, part done 0..1).

    Raises:
        LpcodecError: see `lpcodec.codec.errors`; each kind has one class.

    >>> data = encode("photo.png", bpp=0.15)  # doctest: +SKIP
    """
    return encode_report(
        image, model=model, quality=quality, bpp=bpp, size=size, psnr=psnr, strip=strip, best_effort=best_effort,
        effort=effort, max_pixels=max_pixels, device=device, progress=progress,
    ).data  # fmt: skip


def encode_report(
    image: Source, *, model: str = "default", quality: float | None = None, bpp: float | None = None,
    size: int | None = None, psnr: float | None = None, strip: bool = False, best_effort: bool = False,
    effort: int = 0, max_pixels: int | None = None, device: str = "cpu", progress: Progress | None = None,
) -> EncodeResult:  # fmt: skip
    """`encode`, with what there is to say about the result."""
    target = Target(quality, bpp, size, psnr)
    check_effort(effort)
    source = picture.load(image, max_pixels=max_pixels or DEFAULT_MAX_PIXELS)
    return encoding.encode(
        source, target, model=model, strip=strip, best_effort=best_effort, effort=effort, device=device,
        progress=progress,
    )  # fmt: skip


def decode(
    data: bytes, *, level: int = 0, allow_partial: bool = False, max_pixels: int | None = None,
    max_memory: int | None = None, device: str = "cpu", progress: Progress | None = None,
) -> Image.Image:  # fmt: skip
    """Decode the bytes of an .lpc file to a PIL image of mode L, LA, RGB or RGBA, its metadata in `info`.

    Args:
        level: 0..8, how often the sides are halved, rounding up. Files in layers are quicker to decode that way and
            need only their beginning; all others are decoded whole and then reduced.
        allow_partial: decode what is left of a file in layers that was cut or damaged: its leading whole layers, the
            detail of the others predicted, without alpha and metadata. `decode_report` says whether that was so.
        max_pixels: refuse pictures that declare more, whatever the level; by default 268 million.
        max_memory: refuse pictures that would take more bytes of memory.

    Raises:
        DamagedFileError: not an .lpc file, or a changed one; no picture is shown.
        UnknownModelError: made by a newer version, or with weights that aren't installed.
        LimitError: over a limit; checked before anything is allocated.
        UsageError: a level outside 0..8.
    """
    return decode_report(
        data, level=level, allow_partial=allow_partial, max_pixels=max_pixels, max_memory=max_memory, device=device,
        progress=progress,
    ).image  # fmt: skip


def decode_report(
    data: bytes, *, level: int = 0, allow_partial: bool = False, max_pixels: int | None = None,
    max_memory: int | None = None, device: str = "cpu", progress: Progress | None = None,
) -> DecodeResult:  # fmt: skip
    """`decode`, with what there is to say about the result."""
    return decoding.decode(
        data, level=level, allow_partial=allow_partial, max_pixels=max_pixels or DEFAULT_MAX_PIXELS,
        max_memory=max_memory, device=device, progress=progress,
    )  # fmt: skip


def info(data: bytes) -> dict[str, Any]:
    """What an .lpc file says about itself, JSON-ready; checks the container, decodes nothing.

    Raises:
        DamagedFileError, UnknownModelError: as `decode`, an unknown model apart: `installed` says whether it is here.
    """
    return inspection.info(data)


def verify(data: bytes, *, max_pixels: int | None = None) -> dict[str, Any]:
    """Check a file whole, down to its symbols, without making pixels; return `info` of it.

    Raises:
        LpcodecError: whatever `decode` would raise.
    """
    return inspection.verify(data, max_pixels=max_pixels or DEFAULT_MAX_PIXELS)
