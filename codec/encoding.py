"""From a picture to an .lpc file: the mirror of decoding.py.

```
Picture --codec.analyse--> latents --rate: codec.code--> payloads --container--> bytes
                               | ^
                               +-+ effort: codec.refine
```
A payload is one section of the file. A `models.ScalableCodec` gives several: the file's layers. A picture that codes
badly is stored losslessly instead.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lpcodec.codec import container, decoding, lossless, models, rate
from lpcodec.codec import effort as efforts
from lpcodec.codec.container import Header, Kind, LpcFile, Section, SectionType
from lpcodec.codec.errors import TargetError, UsageError
from lpcodec.codec.picture import Picture
from lpcodec.codec.tiles import Progress, spans

DEFAULT_QUALITY = 50.0
"""About 0.5 bpp on photographs."""
_PROMISING = 4
"""Try lossless storage if the quick lossless estimate is at most this many times the coded size."""
_CHEAP_BPP = 2.5
"""Try it before coding if the estimate is below this rate. Photographs take 5 bpp and more."""
_BYTES_AROUND = 50
"""About what a file takes besides its latents and its sections of alpha and metadata."""
_TINY = 4096
"""Pictures of at most this many pixels are always tried losslessly as well."""
_BAND = 1024


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
class Target:
    """What a file is asked to be: at most one of quality (0..100), bits per pixel, bytes, and dB of PSNR.

    UsageError for several of them, or for a value that is out of range.
    """

    quality: float | None = None
    bpp: float | None = None
    size: int | None = None
    psnr: float | None = None

    def __post_init__(self) -> None:
        if sum(target is not None for target in (self.quality, self.bpp, self.size, self.psnr)) > 1:
            raise UsageError("give one target at most: quality, bpp, size or psnr")
        if self.quality is not None and not 0 <= self.quality <= 100:
            raise UsageError(f"quality {self.quality:g}: it goes from 0 to 100")
        for name, value in (("bpp", self.bpp), ("size", self.size), ("psnr", self.psnr)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageError(f"{name} {value:g}: give a positive number")

    def limit(self, pixels: int) -> int | None:
        """The most bytes that a file of this many pixels may have; None if no rate or size is asked for."""
        return self.size if self.size is not None else None if self.bpp is None else math.floor(self.bpp * pixels / 8)


def encode(
    source: Picture, target: Target, *, model: str, strip: bool, best_effort: bool, effort: int, device: str,
    progress: Progress | None,
) -> EncodeResult:  # fmt: skip
    """Encode a picture; the arguments and errors are those of `api.encode`."""
    height, width = source.pixels.shape[:2]
    limit = target.limit(width * height)
    job = _Encoding(source, () if strip else _metadata(source), model, device, effort, progress)
    quick = lossless.quick_bytes(source.pixels)
    stored = job.stored() if 8 * quick < _CHEAP_BPP * width * height or width * height <= _TINY else None
    if limit is not None and stored is not None and len(stored) <= limit:
        return job.result(stored, None, ("stored losslessly: within the target",), "stored")
    if limit is not None:
        found = job.for_size(limit)
    elif target.psnr is not None:
        found = job.for_psnr(target.psnr)
    else:
        found = job.at_quality(DEFAULT_QUALITY if target.quality is None else target.quality)
    data: bytes = found.value[0]
    chosen: models.Codec | None = found.value[1]
    if not found.reached and target.psnr is not None and stored is not None:
        return job.result(stored, None, ("stored losslessly: no quality reaches the target",), "stored")
    if stored is None and quick <= _PROMISING * len(data):
        stored = job.stored()
    if stored is not None and len(stored) <= len(data):
        measure, reached = (found.measure, True) if limit is None else (len(stored), len(stored) <= limit)
        found = dataclasses.replace(found, measure=measure, reached=reached)
        data, chosen = stored, None
    if not found.reached and not best_effort:
        raise TargetError(
            f"{target.psnr:g} dB can't be reached: the finest quality gives {found.measure:.2f} dB"
            if limit is None
            else _size_message(limit, found, width * height, job, strip)
        )
    notes = () if found.reached else ("the target is out of reach; this is the nearest",)
    if chosen is None:
        return job.result(data, None, (*notes, "stored losslessly: smaller than coding it"), "stored")
    return job.result(data, found.quality if chosen.has_quality else None, notes, chosen.name)


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

    def _header(self, kind: Kind) -> Header:
        grey = self.source.pixels.shape[2] == 1
        return Header(self.width, self.height, kind, grey, grey_as_rgb=self.source.grey_as_rgb)

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
        quality_in_file = container.quality_to_16_bit(quality) if codec.has_quality else 0
        header = dataclasses.replace(
            self._header(Kind.MODEL), model_number=codec.number, model_digest=codec.digest, quality=quality_in_file,
            symbols_hash=coded.symbols_hash,
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
        header = self._header(Kind.STORED)
        return self._file(header, SectionType.STORED, lossless.stored_to_bytes(self.source.pixels))

    def result(self, data: bytes, quality: float | None, notes: tuple[str, ...], model: str) -> EncodeResult:
        bpp = 8 * len(data) / (self.width * self.height)
        return EncodeResult(data, (*self.source.notes, *notes), bpp, quality, model, self.width, self.height)


def _mean_squared_error(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    """Of two pictures of one shape: exact, and in bands of rows, so that no wide copy of a picture is held."""
    total = 0
    for rows in spans(len(one), _BAND, 0):
        total += int(np.square(one[rows.core].astype(np.int32) - other[rows.core]).sum(dtype=np.int64))
    return total / one.size
