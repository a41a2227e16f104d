"""What `import lpcodec` gives: encode, decode, info, verify.

```
encode:  source --picture--> Picture --codec.analyse--> latents --rate: codec.code--> payload --container--> bytes
                                                             | ^
                                                             +-+ effort: codec.refine
decode:  bytes --container--> payload --codec.parse--> symbols, hash checked --codec.synthesise--> pixels --> image
```
A payload is a section of a file; a `models.ScalableCodec` has several, the file's layers. decoding.py has the way back.
"""

import dataclasses
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lpcodec.codec import container, decoding, lossless, models, picture, rate
from lpcodec.codec import effort as efforts
from lpcodec.codec.container import Header, Kind, LpcFile, Section, SectionType
from lpcodec.codec.errors import TargetError, UsageError
from lpcodec.codec.picture import Picture
from lpcodec.codec.tiles import Progress, grid, spans

__all__ = [
    "DEFAULT_MAX_PIXELS", "DecodeResult", "EncodeResult", "decode", "decode_report", "encode", "encode_report", "info",
    "verify",
]  # fmt: skip

Source = str | Path | bytes | Image.Image

DEFAULT_MAX_PIXELS = 1 << 28
DEFAULT_QUALITY = 50.0
"""About half a bit a pixel on photographs."""
_PROMISING = 4
"""Storing losslessly is tried where a quick lossless coding takes at most so many times the bytes of the coded file."""
_CHEAP_BPP = 2.5
"""Below so many bits a pixel it is tried before coding: photographs take 5 and more."""
_BYTES_AROUND = 50
"""Of a file beside its latents and further sections, about."""
_QUICK_TILE, _STRIP = 1024, 64
_TINY = 4096
"""Pictures of so few pixels are always tried losslessly as well."""


@dataclass(frozen=True)
class EncodeResult:
    """An encoded picture and what is worth saying about it. `bpp` is 8 * len(data) / (width * height)."""

    data: bytes
    notes: tuple[str, ...]
    bpp: float
    quality: float | None
    model: str
    width: int
    height: int


@dataclass(frozen=True)
class DecodeResult:
    """A decoded picture and what is worth saying about it. `partial`: the file wasn't whole, this is what is left."""

    image: Image.Image
    notes: tuple[str, ...]
    partial: bool


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
    _check_targets(quality, bpp, size, psnr)
    efforts.check_effort(effort)
    source = picture.load(image, max_pixels=max_pixels or DEFAULT_MAX_PIXELS)
    height, width = source.pixels.shape[:2]
    limit = size if size is not None else math.floor(bpp * width * height / 8) if bpp is not None else None
    job = _Encoding(source, () if strip else _metadata(source), model, device, effort, progress)
    quick = _quick_lossless_bytes(source.pixels)
    stored = job.stored() if 8 * quick < _CHEAP_BPP * width * height or width * height <= _TINY else None
    if limit is not None and stored is not None and len(stored) <= limit:
        return job.result(stored, None, ("stored losslessly: within the target",), "stored")
    if limit is not None:
        found = job.for_size(limit)
    elif psnr is not None:
        found = job.for_psnr(psnr)
    else:
        found = job.at_quality(DEFAULT_QUALITY if quality is None else quality)
    data: bytes = found.value[0]
    chosen: models.Codec | None = found.value[1]
    if not found.reached and psnr is not None and stored is not None:
        return job.result(stored, None, ("stored losslessly: no quality reaches the target",), "stored")
    if stored is None and quick <= _PROMISING * len(data):
        stored = job.stored()
    if stored is not None and len(stored) <= len(data):
        measure, reached = (found.measure, True) if limit is None else (len(stored), len(stored) <= limit)
        found = dataclasses.replace(found, measure=measure, reached=reached)
        data, chosen = stored, None
    if not found.reached and not best_effort:
        raise TargetError(
            f"{psnr:g} dB can't be reached: the finest quality gives {found.measure:.2f} dB"
            if limit is None
            else _size_message(limit, found, width * height, job, strip)
        )
    notes = () if found.reached else ("the target is out of reach; this is the nearest",)
    if chosen is None:
        return job.result(data, None, (*notes, "stored losslessly: smaller than coding it"), "stored")
    return job.result(data, found.quality if chosen.has_quality else None, notes, chosen.name)


def _check_targets(quality: float | None, bpp: float | None, size: int | None, psnr: float | None) -> None:
    if sum(target is not None for target in (quality, bpp, size, psnr)) > 1:
        raise UsageError("give one target at most: quality, bpp, size or psnr")
    if quality is not None and not 0 <= quality <= 100:
        raise UsageError(f"quality {quality:g}: it goes from 0 to 100")
    for name, value in (("bpp", bpp), ("size", size), ("psnr", psnr)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} {value:g}: give a positive number")


def _size_message(
    limit: int, found: rate.Found[tuple[bytes, models.Codec]], pixels: int, job: "_Encoding", strip: bool
) -> str:
    nearest = f"the nearest is {found.measure:.0f} bytes ({8 * found.measure / pixels:.4f} bpp)"
    if job.side_bytes > limit // 2 and not strip:
        nearest += f", of which {job.side_bytes} are metadata and alpha: --strip leaves the metadata out"
    return f"{limit} bytes ({8 * limit / pixels:.4f} bpp) can't be reached with {found.value[1].name}: {nearest}"


def _metadata(source: Picture) -> tuple[Section, ...]:
    kinds = ((SectionType.ICC, source.icc), (SectionType.EXIF, source.exif), (SectionType.XMP, source.xmp))
    return tuple(Section(kind, container.metadata_to_bytes(raw)) for kind, raw in kinds if raw)


class _Encoding:
    """One picture on its way into a file: analysed once a model, coded as often as a search asks."""

    def __init__(
        self, source: Picture, metadata: tuple[Section, ...], model: str, device: str, effort: int,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        self.source, self.progress = source, progress
        self.height, self.width = source.pixels.shape[:2]
        alpha = (Section(SectionType.ALPHA, lossless.alpha_to_bytes(source.alpha)),) if source.alpha is not None else ()
        self.sections = (*alpha, *metadata)
        self.codecs = [models.load(name, device) for name in models.variants(model)]
        self.iterations = efforts.ITERATIONS[effort]
        if effort and not isinstance(self.codecs[0], efforts.Refinable):
            raise UsageError(f"effort {effort}: {model} has nothing to refine; leave the effort out")
        self._latents: dict[str, Any] = {}

    @property
    def side_bytes(self) -> int:
        return sum(len(s.payload) for s in self.sections)

    def _file(self, header: Header, kind: SectionType, *payloads: bytes) -> bytes:
        colours = (Section(kind, payload) for payload in payloads)
        sections = sorted((*colours, *self.sections), key=lambda s: s.type)
        return container.write(LpcFile(header, tuple(sections)))

    def latents(self, codec: models.Codec) -> Any:
        if codec.name not in self._latents:
            self._latents[codec.name] = codec.analyse(self.source.pixels, self.progress)
        return self._latents[codec.name]

    def refined(self, quality: float, iterations: int) -> Any:
        """Latents of the first codec, refined at a quality; None, the plain ones, for no iterations."""
        codec = self.codecs[0]
        if not iterations:
            return None
        assert isinstance(codec, efforts.Refinable)
        return codec.refine(self.source.pixels, self.latents(codec), quality, iterations, self.progress)

    def code(self, codec: models.Codec, quality: float, refined: Any = None) -> bytes:
        """The whole file with `codec` at a quality 0..100."""
        coded = codec.code(self.latents(codec) if refined is None else refined, quality)
        header = Header(
            self.width, self.height, Kind.MODEL, self.source.pixels.shape[2] == 1, codec.number, codec.digest,
            container.quality_to_16_bit(quality) if codec.has_quality else 0, coded.symbols_hash,
        )  # fmt: skip
        kind = SectionType.LAYER if isinstance(codec, models.ScalableCodec) else SectionType.LATENTS
        return self._file(header, kind, *coded.payloads())

    def at_quality(self, quality: float) -> rate.Found[tuple[bytes, models.Codec]]:
        codec = self.codecs[0]
        data = self.code(codec, quality, self.refined(quality, self.iterations))
        return rate.Found(quality, (data, codec), len(data), True)

    def for_size(self, limit: int) -> rate.Found[tuple[bytes, models.Codec]]:
        """The largest file within `limit` bytes, over the quality or, in a model without one, its sets of weights."""
        codec = self.codecs[0]
        if codec.has_quality:
            expected = self._expected_sizes(codec)

            def search(latents: Any, guess: float | None) -> rate.Found[tuple[bytes, models.Codec]]:
                def at(quality: float) -> tuple[tuple[bytes, models.Codec], int]:
                    data = self.code(codec, quality, latents)
                    return (data, codec), len(data)

                return rate.quality_for_size(at, limit, expected, guess)

            return efforts.search_refined(limit, search, self.refined, self.iterations)
        files = [(self.code(c, 0), c) for c in self.codecs]
        within = [f for f in files if len(f[0]) <= limit]
        if within:
            best = max(within, key=lambda f: len(f[0]))
            return rate.Found(0, best, len(best[0]), True)
        nearest = min(files, key=lambda f: len(f[0]))
        return rate.Found(0, nearest, len(nearest[0]), False)

    def _expected_sizes(self, codec: models.Codec) -> rate.Expected:
        if not isinstance(codec, models.ForeseeingCodec):
            return rate.usual_sizes(self.width * self.height, self.side_bytes)
        qualities, bits = codec.expected_bits(self.latents(codec))
        return rate.Expected.of_sizes(qualities, [b / 8 + self.side_bytes + _BYTES_AROUND for b in bits])

    def for_psnr(self, target: float) -> rate.Found[tuple[bytes, models.Codec]]:
        """The smallest file with at least `target` dB; decodes at each step."""
        codec = self.codecs[0]
        if not codec.has_quality:
            raise UsageError(f"{codec.name} has no quality to choose: --psnr needs a model that has")

        def search(latents: Any, guess: float | None) -> rate.Found[tuple[bytes, models.Codec]]:
            def at(quality: float) -> tuple[tuple[bytes, models.Codec], float]:
                data = self.code(codec, quality, latents)
                decoded = decoding.pixels(decoding.open_file(data), codec)
                mse = _mean_squared_error(decoded, self.source.pixels)
                return (data, codec), 10 * math.log10(255**2 / max(mse, 1e-10))

            return rate.quality_for_psnr(at, target, 50 + (target - 33) * 5 if guess is None else guess)

        return efforts.search_refined(target, search, self.refined, self.iterations)

    def stored(self) -> bytes:
        """The whole file with the picture stored losslessly."""
        header = Header(self.width, self.height, Kind.STORED, self.source.pixels.shape[2] == 1)
        return self._file(header, SectionType.STORED, lossless.stored_to_bytes(self.source.pixels))

    def result(self, data: bytes, quality: float | None, notes: tuple[str, ...], model: str) -> EncodeResult:
        bpp = 8 * len(data) / (self.width * self.height)
        return EncodeResult(data, (*self.source.notes, *notes), bpp, quality, model, self.width, self.height)


def _mean_squared_error(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    """Of two pictures of one shape: exact, and in bands of rows, so that no wide copy of a picture is held."""
    total = 0
    for rows in spans(len(one), _QUICK_TILE, 0):
        total += int(np.square(one[rows.core].astype(np.int32) - other[rows.core]).sum(dtype=np.int64))
    return total / one.size


def _quick_lossless_bytes(pixels: npt.NDArray[np.uint8]) -> int:
    """About what the picture takes losslessly: up to seven times of it, found in a fiftieth of the time of coding it.

    All of the picture goes through WebP's quickest method, in tiles: a sample of it can be made to mislead. That method
    sees no repetition from one row to a far one; a narrow strip of each tile shows what a method that does would save.
    """
    total = 0.0
    for rows, columns in grid(pixels.shape[0], pixels.shape[1], _QUICK_TILE, 0):
        tile = pixels[rows.core, columns.core]
        middle = max(tile.shape[1] - _STRIP, 0) // 2
        strip = tile[:, middle : middle + _STRIP]
        total += _webp_bytes(tile, 0) * min(1, _webp_bytes(strip, 80) / _webp_bytes(strip, 0))
    return round(total)


def _webp_bytes(pixels: npt.NDArray[np.uint8], effort: int) -> int:
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)).convert("RGB")
    stream = io.BytesIO()
    image.save(stream, "WEBP", lossless=True, method=0, quality=effort)
    return stream.tell()


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
    decoding.check_level(level)
    opened = decoding.open_file(
        data, max_pixels=max_pixels or DEFAULT_MAX_PIXELS, max_memory=max_memory, allow_partial=allow_partial
    )
    codec = decoding.codec_of(opened.file.header, device)
    pixels = decoding.pixels(opened, codec, progress, level)
    shown = Picture(pixels, decoding.alpha(opened, level), *decoding.metadata(opened))
    notes = () if opened.damage is None else (f"decoded in part: {opened.damage}; {_what_is_left(opened.file, codec)}",)
    return DecodeResult(picture.to_image(shown), notes, opened.damage is not None)


def _what_is_left(file: LpcFile, codec: models.Codec | None) -> str:
    assert isinstance(codec, models.ScalableCodec)
    whole, known = len(file.sections), codec.levels + 1
    layers = "all layers are whole" if whole == known else f"the first {whole} of at most {known} layers are whole"
    return f"{layers}; alpha and metadata, if there were any, are left out"


def info(data: bytes) -> dict[str, Any]:
    """What an .lpc file says about itself, JSON-ready; checks the container, decodes nothing.

    Raises:
        DamagedFileError, UnknownModelError: as `decode`, an unknown model apart: `installed` says whether it is here.
    """
    file = container.read(data)
    header = file.header
    mode = ("L" if header.grey else "RGB") + ("A" if file.payload(SectionType.ALPHA) is not None else "")
    about: dict[str, Any] = {
        "format_version": container.VERSION, "width": header.width, "height": header.height, "mode": mode,
        "kind": header.kind.name.lower(), "bytes": len(data), "bpp": 8 * len(data) / (header.width * header.height),
        "overhead_bytes": container.overhead(file),
        "sections": [{"type": container.section_name(s.type), "bytes": len(s.payload)} for s in file.sections],
    }  # fmt: skip
    if header.kind is Kind.MODEL:
        if file.payload(SectionType.LAYER) is not None:
            about["levels"] = _levels_info(file, len(data))
        about["model"] = _model_info(header)
        if about["model"]["has_quality"]:
            about["quality"] = round(header.quality / 65535 * 100, 2)
        about["symbols_hash"] = header.symbols_hash.hex()
    return about


def _levels_info(file: LpcFile, whole: int) -> list[dict[str, Any]]:
    """One entry a level, coarsest first: its size, its layer's payload, and how much of the file it takes to decode it.

    Levels whose layer the encoder left out take what the one before them takes. How many levels there are is told by
    the card of the weights; where those aren't installed, the file's layers are taken for all.
    """
    payloads, ends = file.payloads(SectionType.LAYER), container.ends(file)
    card = next((w.card for w in models.weights() if w.digest == file.header.model_digest), {})
    count = max(len(card.get("sizes", {}).get("levels", ())), len(payloads))
    rows = []
    for place, level in enumerate(reversed(range(count))):
        width, height = decoding.level_size(file.header, level)
        to_here = ends[min(place, len(payloads) - 1)]
        rows.append({
            "level": level, "width": width, "height": height,
            "bytes": len(payloads[place]) if place < len(payloads) else 0, "bytes_to_here": to_here,
            "part": to_here / whole,
        })  # fmt: skip
    return rows


def _model_info(header: Header) -> dict[str, Any]:
    for w in models.weights():
        network = models.network_named(w.name)
        if w.digest == header.model_digest and network.number == header.model_number:
            return {
                "name": w.name, "number": network.number, "digest": w.digest.hex(), "installed": True,
                "has_quality": network.has_quality,
            }  # fmt: skip
    network_names = {n.number: n for n in models.NETWORKS}
    known = network_names.get(header.model_number)
    return {
        "name": known.name if known else None, "number": header.model_number, "digest": header.model_digest.hex(),
        "installed": False, "has_quality": known.has_quality if known else True,
    }  # fmt: skip


def verify(data: bytes, *, max_pixels: int | None = None) -> dict[str, Any]:
    """Check a file whole, down to its symbols, without making pixels; return `info` of it.

    Raises:
        LpcodecError: whatever `decode` would raise.
    """
    opened = decoding.open_file(data, max_pixels=max_pixels or DEFAULT_MAX_PIXELS)
    codec = decoding.codec_of(opened.file.header, "cpu")
    if codec is None:
        decoding.pixels(opened, None)
    else:
        decoding.parse(opened, codec)
    decoding.alpha(opened)
    decoding.metadata(opened)
    return info(data)
