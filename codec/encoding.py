"""From a picture to an .lpc file: the mirror of decoding.py.

```
Picture --downscaling, preparation--> pixels --codec.analyse--> latents --rate: codec.code--> payloads --> bytes
                                                                    | ^
                                                                    +-+ effort: codec.refine
```
A payload is one section of the file. A `models.ScalableCodec` gives several: the file's layers. A picture that codes
badly is stored losslessly instead.
"""

import copy
import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from lpcodec.codec import alpha as alphas
from lpcodec.codec import container, decoding, downscaling, lossless, models, rate
from lpcodec.codec import effort as efforts
from lpcodec.codec.arrays import Pixels, psnr_of
from lpcodec.codec.container import Header, Kind, LpcFile, Section, SectionType
from lpcodec.codec.downscaling import Downscale, Trial
from lpcodec.codec.errors import TargetError, UsageError
from lpcodec.codec.picture import Picture
from lpcodec.codec.preparation import Preparation, Prepared
from lpcodec.codec.progress import Progress
from lpcodec.codec.quality import Quality
from lpcodec.codec.tiles import spans

Model = models.Model[models.Codec]
DEFAULT_QUALITY = 40.0
"""About 0.5 bpp on photographs."""
_PROMISING = 4
"""Try lossless storage if the quick lossless estimate is at most this many times the coded size."""
_CHEAP_BPP = 2.5
"""Try it before coding if the estimate is below this rate. Photographs take 5 bpp and more."""
_BYTES_AROUND = 50
"""About what a file takes besides its latents and its sections of alpha and metadata."""
_FAR, _FAR_BYTES = 0.05, 64
"""A step of a search makes no file if its size differs from the limit by more than this part of it and these bytes."""
_TINY = 4096
"""Pictures of at most this many pixels are always tried losslessly as well."""
_BAND = 1024
"""Rows of a picture that are compared at a time."""
_PREPARATIONS, _NEAR = 5, 10.0
"""How often a picture is prepared anew at most, and how near the quality found is to the one it was prepared for."""
_NO_ERROR = 1e-10
"""The mean squared error that an exact picture counts as in a search, which needs a finite PSNR."""
_FEWER_COLOURS = "stored with fewer colours: cheaper than coding it at this quality"
_WITHIN = "stored losslessly: within the target"
_SMALLER = "stored losslessly: smaller than coding it"

_Search = rate.SearchResult[tuple[bytes, Model]]


@dataclass(frozen=True)
class EncodeResult:
    """An encoded picture, and what there is to say about it.

    `bpp` is 8 * len(data) / (width * height). `quality` is 0..100, or None for a model without one and for lossless
    storage. `model` is the model's name, or "stored". `psnr` is in dB, infinite if lossless, and known only if it was
    the target. `downscale` is what the sides were divided by before coding: 1, 2 or 4. `notes` has one line for each
    thing that was lost or that turned out otherwise than asked for.
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


@dataclass(frozen=True)
class Target:
    """What a file is asked to be: at most one of quality (0..100), bits per pixel, bytes, dB of PSNR, and lossless.

    UsageError for several of them, or for a value that is out of range.
    """

    quality: float | None = None
    bpp: float | None = None
    size: int | None = None
    psnr: float | None = None
    lossless: bool = False

    def __post_init__(self) -> None:
        numbers = {"quality": self.quality, "bpp": self.bpp, "size": self.size, "psnr": self.psnr}
        given = {name: value for name, value in numbers.items() if value is not None}
        if len(given) + self.lossless > 1:
            raise UsageError("give one target at most: quality, bpp, size, psnr or lossless")
        for name, value in given.items():
            if not isinstance(value, Real):
                raise UsageError(f"{name} {value!r}: give a number")
            if name == "quality" and not 0 <= value <= 100:
                raise UsageError(f"quality {value:g}: it goes from 0 to 100")
            if name != "quality" and not 0 < value < math.inf:
                raise UsageError(f"{name} {value:g}: give a positive number")

    def limit(self, pixels: int) -> int | None:
        """The most bytes that a file of this many pixels may have; None if no rate or size is asked for."""
        if self.bpp is not None:
            return math.floor(self.bpp * pixels / 8)
        return None if self.size is None else math.floor(self.size)


def encode(
    source: Picture, target: Target, *, model: str, strip: bool, best_effort: bool, effort: int, device: str,
    alpha_error: int, downscale: Downscale, progress: Progress | None,
) -> EncodeResult:  # fmt: skip
    """Encode a picture; the arguments and errors are those of `api.encode`. `alpha_error` is in levels of 255."""
    usable = models_for(target, model, device, effort)
    metadata = () if strip else _metadata(source)
    job = _Encoding(source, metadata, alpha_error, usable, efforts.ITERATIONS[effort], progress)
    if target.lossless:
        return job.stored_result(job.stored())
    limit = target.limit(job.pixels)
    quick = lossless.QuickSize(source.pixels)
    cheap = max(_CHEAP_BPP * job.pixels / 8, limit or 0)
    stored = job.stored() if job.pixels <= _TINY or quick.at_most(cheap) else None
    if limit is not None and stored is not None and len(stored) <= limit:
        return job.stored_result(stored, _WITHIN)
    job, found = _at_best_scale(job, target, limit, downscale)
    data, chosen = found.value
    room = limit if limit is not None and not found.close else 0
    if stored is None and (not found.reached or quick.at_most(_PROMISING * max(len(data), room))):
        stored = job.stored()
    if stored is not None and (reason := _why_stored(len(stored), limit, found)):
        return job.stored_result(stored, reason)
    if limit is None or found.reached:
        notes = (_room_to_spare(room, len(data)),) if room and found.quality == 100 else ()
        return job.result(data, chosen, found.quality, notes, found.measure if target.psnr is not None else None)
    smallest = data if stored is None else min(data, stored, key=len)
    if not best_effort:
        raise _out_of_reach(limit, len(smallest), job, chosen, strip)
    over = len(smallest) - limit
    excess = f"{over:,} bytes ({100 * over / limit:.3g} %) over the limit of {limit:,}"
    note = f"the file is {excess}: no smaller one is possible"
    if smallest is not data:
        return job.stored_result(smallest, note, _SMALLER)
    return job.result(data, chosen, found.quality, (note,))


def _at_best_scale(
    job: "_Encoding", target: Target, limit: int | None, downscale: Downscale
) -> tuple["_Encoding", _Search]:
    """The picture at the scale that suits the target best, and the file that is nearest to the target there. Raises
    UsageError if the model codes pictures at their own size alone, and another is asked for."""
    codec = job.models[0].trained
    if not isinstance(codec, models.WeighingCodec) or isinstance(codec, models.ScalableCodec):
        if downscale in (2, 4):
            raise UsageError(f"downscale {downscale}: {job.models[0].name} codes pictures at their own size")
        downscale = 1

    def trial(halvings: int) -> Trial[tuple[_Encoding, _Search]]:
        own = job.at_scale(halvings)
        found = own.search(own.own_target(target), limit)
        size = len(found.value[0]) if limit is None else min(len(found.value[0]), limit)
        stores_cells = found.reached and own.prepared(found.value[1]).stored is not None
        bpp = 8 * (size - job.side_bytes) / job.pixels
        return Trial((own, found), lambda: own.cost(found, target, limit), bpp, stores_cells)

    return downscaling.choose(trial, downscale, min(job.height, job.width)).result


def models_for(target: Target, model: str, device: str, effort: int) -> list[Model]:
    """The models that a model name stands for, loaded; none for a lossless target.

    Raises:
        UsageError: there is no such model, or it can't do what the target or the effort asks for.
        UnknownModelError: the weights don't have the digest that their card gives.
    """
    if target.lossless:
        if effort:
            raise UsageError(f"effort {effort}: a lossless picture has nothing to refine; leave the effort out")
        return []
    found = [models.load(name, device) for name in models.variants(model)]
    trained = found[0].trained
    for name, value in (("quality", target.quality), ("PSNR", target.psnr)):
        if value is not None and not trained.has_quality:
            raise UsageError(f"{model} has no quality to choose: leave the {name} out, or take another model")
    if effort and not isinstance(trained, efforts.Refinable):
        raise UsageError(f"effort {effort}: {model} has nothing to refine; leave the effort out")
    return found


def _why_stored(stored: int, limit: int | None, found: _Search) -> str | None:
    """Why a picture is stored in `stored` bytes rather than coded as a search found; None if it isn't."""
    data, model = found.value
    if limit is not None:
        return _WITHIN if stored <= limit else None
    if not found.reached:
        return f"stored losslessly: {model.name} has {found.measure:.2f} dB at its finest quality"
    return _SMALLER if stored <= len(data) else None


def _room_to_spare(limit: int, size: int) -> str:
    return f"the limit of {limit:,} bytes isn't used up: the finest quality takes {size:,}"


def _out_of_reach(limit: int, smallest: int, job: "_Encoding", model: Model, strip: bool) -> TargetError:
    reason = f"the smallest file is {smallest:,} bytes ({8 * smallest / job.pixels:.4f} bpp)"
    if job.side_bytes > limit // 2:
        reason += f", of which {job.side_bytes:,} are alpha and metadata"
    alpha_bytes = job.side_bytes - job.metadata_bytes
    keyword = "alpha_quality" if alpha_bytes > max(limit // 2, job.metadata_bytes) else "best_effort"
    if not strip and job.metadata_bytes > max(limit // 2, alpha_bytes):
        keyword = "strip"
    wanted = f"{limit:,} bytes ({8 * limit / job.pixels:.4f} bpp)"
    return TargetError(f"{wanted} can't be reached with model {model.name}: {reason}", keyword=keyword)


def _metadata(source: Picture) -> tuple[Section, ...]:
    kinds = ((SectionType.ICC, source.icc), (SectionType.EXIF, source.exif), (SectionType.XMP, source.xmp))
    return tuple(Section(kind, container.metadata_to_bytes(raw)) for kind, raw in kinds if raw)


class _Encoding:
    """One picture on its way into a file: analysed once per model, coded as often as a search asks for."""

    def __init__(
        self, source: Picture, metadata: tuple[Section, ...], alpha_error: int, models: Sequence[Model],
        iterations: int, progress: Progress | None,
    ) -> None:  # fmt: skip
        self.source, self.progress = source, progress
        self.models, self.iterations = models, iterations
        self.height, self.width = source.pixels.shape[:2]
        self.pixels = self.height * self.width
        alpha: tuple[Section, ...] = ()
        if source.alpha is not None:
            alpha = (Section(SectionType.ALPHA, alphas.to_bytes(source.alpha, alpha_error)),)
        self.sections = (*alpha, *metadata)
        self.metadata_bytes = sum(len(s.payload) for s in metadata)
        self.side_bytes = sum(len(s.payload) for s in self.sections)
        self.coded, self.smaller = source.pixels, downscaling.smaller(0)
        self._preparations: dict[str, Preparation] = {}
        self._prepared: dict[str, Prepared] = {}
        self._latents: dict[str, Any] = {}

    def at_scale(self, halvings: int) -> "_Encoding":
        """The same picture, to be coded with its sides halved that many times."""
        if not halvings:
            return self
        other = copy.copy(self)
        other.coded, other.smaller = downscaling.reduced(self.source.pixels, halvings), downscaling.smaller(halvings)
        other._preparations, other._prepared, other._latents = {}, {}, {}
        return other

    def own_target(self, target: Target) -> Target:
        """The target for the picture as it is coded: a quality is raised for a smaller size."""
        if self.smaller is None or target.limit(1) is not None or target.psnr is not None:
            return target
        return Target(quality=downscaling.raised(_quality(target), self.smaller.halvings, self.models[0].trained))

    def cost(self, found: _Search, target: Target, limit: int | None) -> tuple[bool, float]:
        """What a file found for `target` costs: (whether it misses the target, what should be small). That is its bytes
        for a PSNR, its squared error for a size, and both together for a quality. If it misses a size it is its bytes;
        files that miss a PSNR cost the same."""
        data, model = found.value
        if not found.reached:
            return True, math.inf if limit is None else len(data)
        if target.psnr is not None:
            return False, len(data)
        error = self._error_of(data, model)
        if limit is not None:
            return False, error
        assert isinstance(model.trained, models.WeighingCodec)
        return False, 8 * len(data) / self.pixels + model.trained.lambda_at(_quality(target)) * error

    def _error_of(self, data: bytes, model: Model) -> float:
        """The mean squared error of a file made with `model`, decoded as it will be shown."""
        opened = decoding.open_file(data)
        codec = None if opened.file.header.kind is Kind.STORED else model.trained
        return _mean_squared_error(decoding.pixels(opened, codec), self.source.pixels)

    def preparation(self, model: Model) -> Preparation:
        if model.name not in self._preparations:
            self._preparations[model.name] = Preparation(self.coded, model.trained, own_size=self.smaller is None)
        return self._preparations[model.name]

    def use(self, model: Model, prepared: Prepared) -> None:
        """Let `model` code the picture as it is prepared, from now on."""
        self._prepared[model.name] = prepared
        self._latents.pop(model.name, None)

    def prepared(self, model: Model) -> Prepared:
        if model.name not in self._prepared:
            self._prepared[model.name] = self.preparation(model).plain()
        return self._prepared[model.name]

    def _header(self, kind: Kind) -> Header:
        grey = self.source.pixels.shape[2] == 1
        return Header(self.width, self.height, kind, grey, grey_as_rgb=self.source.grey_as_rgb)

    def _file(self, header: Header, section_type: SectionType, *payloads: bytes, cells: bytes | None = None) -> bytes:
        colours = [Section(section_type, payload) for payload in payloads]
        if cells is not None:
            colours.append(Section(SectionType.CELLS, cells))
        sections = sorted((*colours, *self.sections), key=lambda s: s.type)
        return container.write(LpcFile(header, tuple(sections)))

    def latents(self, model: Model) -> Any:
        if model.name not in self._latents:
            prepared, codec = self.prepared(model), model.trained
            if isinstance(codec, models.RotatingCodec):
                found = codec.analyse(prepared.pixels, self.progress, rotation=prepared.rotation)
            else:
                found = codec.analyse(prepared.pixels, self.progress)
            self._latents[model.name] = found
        return self._latents[model.name]

    def refined(self, quality: float, iterations: int) -> Any:
        """Latents of the first model, refined at a quality; None (the plain ones) for no iterations."""
        model = self.models[0]
        if not iterations:
            return None
        assert isinstance(model.trained, efforts.Refinable)
        prepared = self.prepared(model)
        return model.trained.refine(
            prepared.pixels, self.latents(model), quality, iterations, self.progress, rotation=prepared.rotation
        )

    def code(self, model: Model, quality: float, refined: Any = None) -> bytes:
        """The whole file with `model` at a quality 0..100: a STORED one if the picture is prepared without a rest to
        code."""
        data, _ = self._coded(model, quality, refined)
        assert data is not None
        return data

    def _coded(self, model: Model, quality: float, refined: Any, limit: int | None = None) -> tuple[bytes | None, int]:
        """The file and its size; about the size alone if that is far from a limit: most steps of a search are."""
        prepared = self.prepared(model)
        if prepared.stored is not None and prepared.is_all_stored:
            exact = np.array_equal(prepared.stored.cells.pixels, self.source.pixels)
            header = dataclasses.replace(self._header(Kind.STORED), fewer_colours=not exact)
            data = self._file(header, SectionType.STORED, lossless.stored_to_bytes(prepared.stored.cells.pixels))
            return data, len(data)
        coded = model.trained.code(self.latents(model) if refined is None else refined, quality)
        if limit is not None:
            about = round(coded.bits / 8) + self._bytes_beside(model)
            if abs(about - limit) > _FAR * limit + _FAR_BYTES:
                return None, about
        quality_in_file = Quality.of(quality if model.trained.has_quality else 0)
        header = dataclasses.replace(
            self._header(Kind.MODEL), model_number=model.number, model_digest=model.digest, quality=quality_in_file,
            symbols_hash=coded.symbols_hash, rotation=prepared.rotation, downscaled=self.smaller,
        )  # fmt: skip
        cells = None if prepared.stored is None else prepared.stored.payload
        section_type = SectionType.LAYER if isinstance(model.trained, models.ScalableCodec) else SectionType.LATENTS
        data = self._file(header, section_type, *coded.payloads(), cells=cells)
        return data, len(data)

    def _bytes_beside(self, model: Model) -> int:
        """About what a file takes besides its latents."""
        return self.side_bytes + self.prepared(model).stored_bytes + _BYTES_AROUND

    def search(self, target: Target, limit: int | None) -> _Search:
        """The file that is nearest to a target, which isn't lossless; `limit` is the target's in bytes."""
        if limit is not None:
            return self.for_size(limit)
        if target.psnr is not None:
            return self.for_psnr(target.psnr)
        return self.at_quality(_quality(target))

    def at_quality(self, quality: float) -> _Search:
        model = self.models[0]
        self.use(model, self.preparation(model).at(quality))
        data = self.code(model, quality, self.refined(quality, self.iterations))
        return rate.SearchResult(quality, (data, model), len(data), reached=True)

    def for_size(self, limit: int) -> _Search:
        """The largest file within `limit` bytes, over the quality or, for a model without one, its sets of weights."""
        model = self.models[0]
        if model.trained.has_quality:

            def search(latents: Any, guess: float | None) -> _Search:
                expected = self._expected_sizes(model)

                def at(quality: float) -> tuple[bytes | None, int]:
                    return self._coded(model, quality, latents, limit)

                found = rate.quality_for_size(at, limit, expected, guess)
                data = self.code(model, found.quality, latents) if found.value is None else found.value
                return rate.SearchResult(found.quality, (data, model), len(data), found.reached, found.close)

            return self._prepared_search(model, limit, search, less_if_missed=True)
        files = [(self.code(each, 0), each) for each in self.models]
        if within := [(data, each) for data, each in files if len(data) <= limit]:
            best = max(within, key=lambda file: len(file[0]))
            size = len(best[0])
            return rate.SearchResult(0, best, size, reached=True, close=size >= rate.FLOOR * limit)
        nearest = min(files, key=lambda file: len(file[0]))
        return rate.SearchResult(0, nearest, len(nearest[0]), reached=False, close=False)

    def _expected_sizes(self, model: Model) -> rate.Expected:
        if not isinstance(model.trained, models.RateEstimator):
            return rate.usual_sizes(self.width * self.height, self.side_bytes)
        qualities, bits = model.trained.expected_bits(self.latents(model))
        beside = self._bytes_beside(model)
        return rate.Expected.of_sizes(qualities, [b / 8 + beside for b in bits])

    def _prepared_search(
        self, model: Model, target: float, search: Callable[[Any, float | None], _Search], *, less_if_missed: bool
    ) -> _Search:
        """What `search` finds for a target with the picture prepared for about the quality that it finds.

        The higher the quality it is prepared for, the lower the one that is found: where they meet is bracketed.
        `less_if_missed`: if no quality meets the target, the picture should be prepared for a lower one.
        """

        def found() -> _Search:
            return efforts.search_refined(target, search, self.refined, self.iterations)

        preparation = self.preparation(model)
        if not preparation.depends_on_quality:
            return found()
        low, high, quality = 0.0, 100.0, DEFAULT_QUALITY
        kept: _Search | None = None
        least = math.inf
        for _ in range(_PREPARATIONS):
            self._latents.pop(model.name, None)  # nothing else takes as much memory, unless it is a choice of cells
            self.use(model, preparation.at(quality))
            result = found()
            apart = result.quality - quality
            if result.reached and abs(apart) < least:
                kept, least = result, abs(apart)
            if result.reached and (self.prepared(model).stored is None or least <= _NEAR):
                return result
            prepare_for_less = apart < 0 if result.reached else less_if_missed
            if prepare_for_less:
                high = quality
            else:
                low = quality
            meeting = quality + apart / 2
            quality = meeting if result.reached and low < meeting < high else (low + high) / 2
        if kept is None:
            self.use(model, preparation.plain())
            kept = found()
        return kept

    def for_psnr(self, target: float) -> _Search:
        """The smallest file with at least `target` dB; decodes at each step."""
        model = self.models[0]

        def search(latents: Any, guess: float | None) -> _Search:
            def at(quality: float) -> tuple[tuple[bytes, Model], float]:
                data = self.code(model, quality, latents)
                return (data, model), psnr_of(max(self._error_of(data, model), _NO_ERROR))

            # Photographs have about 33.5 dB at quality 40, and 1 dB more per 4 of quality.
            return rate.quality_for_psnr(at, target, 40 + (target - 33.5) * 4 if guess is None else guess)

        return self._prepared_search(model, target, search, less_if_missed=False)

    def stored(self) -> bytes:
        """The whole file with the picture stored losslessly."""
        header = self._header(Kind.STORED)
        return self._file(header, SectionType.STORED, lossless.stored_to_bytes(self.source.pixels))

    def result(
        self, data: bytes, model: Model, quality: float, notes: tuple[str, ...], psnr: float | None = None
    ) -> EncodeResult:
        bpp = 8 * len(data) / self.pixels
        shown_quality = quality if model.trained.has_quality else None
        header, _, _ = container.read_header(data)
        if header.kind is Kind.STORED:
            if not header.fewer_colours:
                return self.stored_result(data, *notes, _SMALLER)
            notes = (*notes, _FEWER_COLOURS)
        return EncodeResult(
            data, (*self.source.notes, *notes), bpp, shown_quality, model.name, self.width, self.height,
            psnr,
            1 << self.smaller.halvings if self.smaller else 1,
        )  # fmt: skip

    def stored_result(self, data: bytes, *notes: str) -> EncodeResult:
        bpp = 8 * len(data) / self.pixels
        return EncodeResult(data, (*self.source.notes, *notes), bpp, None, "stored", self.width, self.height, math.inf)


def _quality(target: Target) -> float:
    return DEFAULT_QUALITY if target.quality is None else target.quality


def _mean_squared_error(one: Pixels, other: Pixels) -> float:
    """The exact mean squared error of two pictures of one shape, in bands of rows: it holds no wide copy of them."""
    total = 0
    for rows in spans(len(one), _BAND, 0):
        total += int(np.square(one[rows.core].astype(np.int32) - other[rows.core]).sum(dtype=np.int64))
    return total / one.size
