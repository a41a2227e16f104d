"""From a picture to an .lpc file: the mirror of decoding.py.

```
Picture --coding.py--> Original --search.py: at its own size, and at smaller ones--> the files nearest to the target
                          |                                    --downscaling.py--> the best of them
                          +--lossless.py--> the picture stored losslessly
```
There are four outcomes:
- the picture is stored losslessly: if that is asked for, fits the limit or is smaller than coding, or if no quality
  reaches the PSNR;
- it is coded, and meets the target;
- no file fits the limit, and `best_effort` is set: the smallest file is the result;
- no file fits the limit, and it isn't set: a `TargetError` is raised.
"""

import math
from dataclasses import dataclass, replace

from lpcodec.codec import downscaling, lossless, models
from lpcodec.codec import effort as efforts
from lpcodec.codec.coding import Model, Original
from lpcodec.codec.container import Kind
from lpcodec.codec.downscaling import Downscale, Trial
from lpcodec.codec.errors import TargetError, UsageError
from lpcodec.codec.picture import Picture
from lpcodec.codec.progress import Progress
from lpcodec.codec.rate import Target
from lpcodec.codec.search import FileSearch, Found, distortion

_PROMISING = 4
"""Lossless storage is tried after coding if its quick estimate is at most this many times the size to beat."""
_CHEAP_BPP = 2.5
"""Lossless storage is tried before coding if its quick estimate is at most this rate, or within the limit. Photographs
take 5 bpp and more."""
_TINY = 4096
"""Lossless storage is always tried for pictures of at most this many pixels."""
_FEWER_COLOURS = "stored with fewer colours: cheaper than coding it at this quality"
_WITHIN = "within the target"
_SMALLER = "smaller than coding it"


@dataclass(frozen=True)
class EncodeResult:
    """An encoded picture, with notes and figures.

    `data` is the file, `width` and `height` the size of the picture in pixels. `notes` has one line for each thing that
    was lost or that isn't as asked for. `bpp` is 8 * len(data) / (width * height). `quality` is 0..100, or None for a
    model without one and for stored pictures. `model` is the name of the weights, or "stored". `psnr` is in dB, of the
    colours that can be seen: infinite if stored, None if it wasn't the target. `downscale` is what the sides were
    divided by before coding: 1, 2 or 4. `lossless`: the picture is stored, with its alpha and the colours that it
    hides.
    """

    data: bytes
    notes: tuple[str, ...]
    bpp: float
    quality: float | None
    model: str
    width: int
    height: int
    psnr: float | None = None
    downscale: int = 1
    lossless: bool = False


def encode(
    source: Picture, target: Target, *, model: str, strip: bool, best_effort: bool, effort: int, device: str,
    alpha_error: int, downscale: Downscale, progress: Progress | None,
) -> EncodeResult:  # fmt: skip
    """Encode a picture; the arguments and errors are those of `api.encode`. `alpha_error` is in levels of 255."""
    usable = models_for(target, model, device, effort, downscale)
    original = Original.of(source, strip=strip, alpha_error=alpha_error)
    if target.lossless:
        return _stored_result(original, original.stored_file(), None)
    limit = target.limit(original.pixel_count)
    quick = lossless.QuickSize(source.pixels)
    cheap_bytes = max(_CHEAP_BPP * original.pixel_count / 8, limit or 0)
    stored = original.stored_file() if original.pixel_count <= _TINY or quick.at_most(cheap_bytes) else None
    if limit is not None and stored is not None and len(stored) <= limit:
        return _stored_result(original, stored, _WITHIN)
    found = _at_best_size(original, target, usable, downscale, effort, progress)
    if stored is None and (not found.reached or quick.at_most(_PROMISING * _size_to_beat(limit, found))):
        stored = original.stored_file()
    if stored is not None and (reason := _why_stored(len(stored), limit, found)):
        return _stored_result(original, stored, reason)
    if limit is None or found.reached:
        return _coded_result(original, found, target)
    if not best_effort:
        raise _out_of_reach(original, found, stored, limit, strip)
    return _smallest_result(original, found, stored, target, limit)


def models_for(target: Target, model: str, device: str, effort: int, downscale: Downscale) -> tuple[Model, ...]:
    """The sets of weights that a model name means, loaded; none for a lossless target.

    Raises:
        UsageError: there is no such model, or it can't do what the target, the effort or the downscale asks for.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    if target.lossless:
        if effort > efforts.DEFAULT:
            raise UsageError(f"effort {effort}: a lossless picture has nothing to refine; leave the effort out")
        return ()
    found = tuple(models.load(name, device) for name in models.variants(model))
    trained = found[0].trained
    for name, value in (("quality", target.quality), ("PSNR", target.psnr)):
        if value is not None and not trained.has_quality:
            raise UsageError(f"{model} has no quality to choose: leave the {name} out, or take another model")
    if effort > efforts.DEFAULT and not isinstance(trained, efforts.Refinable):
        raise UsageError(f"effort {effort}: {model} has nothing to refine; leave the effort out")
    if downscale in (2, 4) and not _codes_smaller(found[0]):
        raise UsageError(
            f"downscale {downscale}: {found[0].name} codes pictures at their own size; leave the downscale out"
        )
    return found


def _at_best_size(
    original: Original, target: Target, usable: tuple[Model, ...], downscale: Downscale, effort: int,
    progress: Progress | None,
) -> Found:  # fmt: skip
    """The file nearest to the target, of the picture at its own size or downscaled, whichever costs less."""
    limit = target.limit(original.pixel_count)
    drawn = True

    def trial(halvings: int) -> Trial[Found]:
        nonlocal drawn
        search = FileSearch.at_scale(original, halvings, usable, effort, progress)
        found = replace(search, drawn=drawn).nearest(target)
        drawn = found.value.has_drawn_cells or not found.reached  # not tried again at smaller sizes if it didn't pay
        size = len(found.value.data) if limit is None else min(len(found.value.data), limit)
        return Trial(
            found,
            cost=lambda: _cost(original, found, target),
            bpp=8 * (size - original.side_bytes) / original.pixel_count,
            reached=found.reached,
        )

    possible = downscale if _codes_smaller(usable[0]) else 1
    return downscaling.choose(trial, possible, min(original.height, original.width)).result


def _codes_smaller(model: Model) -> bool:
    """Whether pictures may be coded at a smaller size than their own."""
    codec = model.trained
    return isinstance(codec, models.WeighingCodec) and not isinstance(codec, models.ScalableCodec)


def _cost(original: Original, found: Found, target: Target) -> tuple[bool, float]:
    """What is compared between sizes, the smaller the better: whether the file misses the target, then a number.

    The number is the bytes for a PSNR, the distortion for a rate or size, and rate + lambda * distortion for a quality.
    The distortion is what the model's weights are for. If the target is missed, it is the bytes for a rate or size, and
    infinite for a PSNR.
    """
    file, limit = found.value, target.limit(original.pixel_count)
    if not found.reached:
        return True, math.inf if limit is None else len(file.data)
    if target.psnr is not None:
        return False, len(file.data)
    error = distortion(file, original)
    if limit is not None:
        return False, error
    assert isinstance(file.model.trained, models.WeighingCodec)
    lmbda = file.model.trained.lambda_at(target.fixed_quality)
    return False, 8 * len(file.data) / original.pixel_count + lmbda * error


def _size_to_beat(limit: int | None, found: Found) -> int:
    """The largest size in bytes at which lossless storage is better than the file that was found.

    A coded file that leaves much of the limit unused is worse than an exact one that uses it up.
    """
    size = len(found.value.data)
    return size if limit is None or found.close else max(size, limit)


def _why_stored(stored: int, limit: int | None, found: Found) -> str | None:
    """Why the picture is stored losslessly, in `stored` bytes; None if the file that was found is better."""
    if limit is not None:
        return _WITHIN if stored <= limit else None
    if not found.reached:
        return f"{found.value.model.name} has {found.measure:.2f} dB at its finest quality"
    return _SMALLER if stored <= len(found.value.data) else None


def _stored_result(original: Original, data: bytes, reason: str | None, *notes: str) -> EncodeResult:
    """The result if the picture is stored losslessly. `reason` says why; None if that was asked for."""
    whole = original.keeps_alpha
    if reason is not None:
        what = "stored losslessly" if whole else "colours stored losslessly, but not alpha or what it hides"
        notes = (*notes, f"{what}: {reason}")
    notes = (*original.source.notes, *notes)
    bpp = 8 * len(data) / original.pixel_count
    return EncodeResult(data, notes, bpp, None, "stored", original.width, original.height, math.inf, lossless=whole)


def _coded_result(original: Original, found: Found, target: Target, *notes: str) -> EncodeResult:
    """The result if a plan made the file: the picture is coded, or all of its cells are stored, which is cheaper."""
    file, limit = found.value, target.limit(original.pixel_count)
    if found.reached and not found.close and limit is not None and found.quality == 100:
        notes = (*notes, f"the limit of {limit:,} bytes isn't used up: the finest quality takes {len(file.data):,}")
    if file.header.kind is Kind.STORED and not file.header.fewer_colours:
        return _stored_result(original, file.data, _SMALLER, *notes)
    if file.header.fewer_colours:
        notes = (*notes, _FEWER_COLOURS)
    return EncodeResult(
        file.data,
        (*original.source.notes, *notes),
        bpp=8 * len(file.data) / original.pixel_count,
        quality=found.quality if file.model.trained.has_quality else None,
        model=file.model.name,
        width=original.width,
        height=original.height,
        psnr=None if target.psnr is None else found.measure,
        downscale=1 << file.header.downscaled.halvings if file.header.downscaled else 1,
    )


def _smallest_result(
    original: Original, found: Found, stored: bytes | None, target: Target, limit: int
) -> EncodeResult:
    """The result if no file is within the limit: the smallest one, coded or stored."""
    data = found.value.data if stored is None else min(found.value.data, stored, key=len)
    over = len(data) - limit
    amount = f"{over:,} byte{'' if over == 1 else 's'}" + (f" ({100 * over / limit:,.0f} %)" if limit else "")
    note = f"the file is {amount} over the limit of {limit:,}: no smaller one is possible"
    if data is not found.value.data:
        return _stored_result(original, data, _SMALLER, note)
    return _coded_result(original, found, target, note)


def _out_of_reach(original: Original, found: Found, stored: bytes | None, limit: int, strip: bool) -> TargetError:
    """The error for a limit that no file keeps; its keyword is the argument that would help most.

    Alpha and metadata are named as the reason if they take more than half of the limit.
    """
    smallest = min(len(found.value.data), len(found.value.data) if stored is None else len(stored))
    reason = f"the smallest file is {smallest:,} bytes ({8 * smallest / original.pixel_count:.4f} bpp)"
    half = limit // 2
    if original.side_bytes > half:
        reason += f", of which {original.side_bytes:,} are alpha and metadata"
    keyword = "best_effort"
    if original.alpha_bytes > max(half, original.metadata_bytes):
        keyword = "alpha_quality"
    if not strip and original.metadata_bytes > max(half, original.alpha_bytes):
        keyword = "strip"
    wanted = f"{limit:,} byte{'' if limit == 1 else 's'} ({8 * limit / original.pixel_count:.4f} bpp)"
    return TargetError(f"{wanted} can't be reached with model {found.value.model.name}: {reason}", keyword=keyword)
