"""The file of one picture, at one size, that is nearest to a target.

```
target --rate.py: which quality--> Plan --file--> its size or PSNR --> the next quality
                                    |
                                    +-- preparation.py: prepared for about that quality
about that quality --allocation.py: qualities of squares, effort.py: refined latents--> a better file of the same size
```
Where the qualities of squares are chosen, the quality of the plain latents is only roughly searched for: the file is
searched for with these qualities.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from lpcodec.codec import decoding, downscaling, models, rate
from lpcodec.codec import effort as efforts
from lpcodec.codec.arrays import Pixels, psnr_of
from lpcodec.codec.coding import CodedFile, Improved, Model, Original, Plan
from lpcodec.codec.container import Downscaled, Kind
from lpcodec.codec.preparation import Preparation, Prepared
from lpcodec.codec.progress import Progress
from lpcodec.codec.rate import DEFAULT_QUALITY, Target
from lpcodec.codec.tiles import spans

Found = rate.SearchResult[CodedFile]

_BAND = 1024
"""Rows of a picture that are compared at a time."""
_MOST_PREPARATIONS = 5
"""A picture is prepared for a quality at most this many times."""
_QUALITY_NEAR = 10.0
"""A preparation is kept if the quality that is found differs by at most this from the quality prepared for."""
_MAP_SAVES = 0.035
"""The part of a file that is saved, at the same quality, if squares have qualities of their own: 0 to 0.07 on Kodak
pictures. It matters for the first guess only."""
_NO_ERROR = 1e-10
"""The mean squared error that is assumed for an exact picture, because a search needs a finite PSNR."""


@dataclass(frozen=True)
class _Attempt:
    """What was found with the plain latents of a plan, or of the best of several plans."""

    plan: Plan
    found: Found


@dataclass(frozen=True)
class _Start:
    """About the quality that a plan needs for a size: `known`, of which the plan may know the symbols, and those to try
    first with the plain latents and with qualities of squares."""

    plan: Plan
    known: float
    plain: float
    mapped: float


@dataclass(frozen=True)
class FileSearch:
    """Searches for files of one picture at one size.

    `models` are the sets of weights to choose from; only a model without a quality has several. `iterations` is how
    often latents are refined (effort.py). `drawn`: drawn cells may be stored, not flat ones alone. `allocates`: squares
    may have qualities of their own (allocation.py), with weights for the eye.
    """

    original: Original
    preparation: Preparation
    downscaled: Downscaled | None
    models: tuple[Model, ...]
    iterations: int
    progress: Progress | None
    allocates: bool
    drawn: bool = True

    @classmethod
    def at_scale(
        cls, original: Original, halvings: int, models: tuple[Model, ...], effort: int, progress: Progress | None
    ) -> "FileSearch":
        """The search for the picture with its sides halved `halvings` times, 0 to 2, at an effort 0..9."""
        preparation = Preparation(original.source.pixels, models[0].trained, halvings)
        how = downscaling.downscaled(halvings, models[0].tune)
        return cls(
            original, preparation, how, models, efforts.ITERATIONS[effort], progress,
            allocates=effort >= efforts.DEFAULT,
        )  # fmt: skip

    def nearest(self, target: Target) -> Found:
        """The file that is nearest to a target, which must not be `lossless`.

        A downscaled picture is coded at a higher quality than the target's, because its errors are enlarged too.

        Drawn cells are chosen by their squared error. With weights for the eye, a file of the same size without them is
        made as well, and drawn cells are stored only if the one with them looks better: a few sharp words don't help if
        others are blurred for it.
        """
        limit = target.limit(self.original.pixel_count)
        if limit is not None and not self.models[0].trained.has_quality:
            return self._largest_of_sets(limit)
        compares = self._compares_preparations and target.psnr is None
        if not compares or self.models[0].tune != "visual":
            return self.without_comparing(target)
        # The first search reports its progress, the others don't.
        with_drawn = self if limit is None else replace(self, progress=None)
        without = replace(self, drawn=False, progress=None if limit is None else self.progress)
        start = None if limit is None else without._start(limit)
        if start is not None and not self.preparation.at(start.plain).has_drawn_cells:
            return without._from(start, target)
        if start is not None:
            plainer: _Attempt | None = _Attempt(start.plan, without._plain(start, target))
        else:
            plainer = None if limit is None else without._attempt(target)
        attempt = with_drawn._attempt(target, plainer)
        if attempt.found.value.has_drawn_cells:
            other = without._attempt(Target(size=len(attempt.found.value.data))) if plainer is None else plainer
            if other.found.reached and not (attempt.found.reached and self._looks_better(attempt.found, other.found)):
                attempt = plainer or without._attempt(target)
        return self._better_than(attempt, target)

    def _looks_better(self, one: Found, other: Found) -> bool:
        """Whether the first file isn't worse by what its weights are for."""
        return distortion(one.value, self.original) <= distortion(other.value, self.original)

    def without_comparing(self, target: Target) -> Found:
        """The file that is nearest to a target, with drawn cells as `drawn` says, whatever that looks like."""
        limit = target.limit(self.original.pixel_count)
        if limit is not None and not self._compares_preparations:
            start = self._start(limit)
            if start is not None:
                return self._from(start, target)
        return self._better_than(self._attempt(target), target)

    def _start(self, limit: int) -> _Start | None:
        """Where to begin for a size, without drawn cells; None if squares have no qualities of their own."""
        plan = self._plan(self.preparation.even())
        if not self.allocates or not plan.allocates:
            return None
        expected = plan.expected_sizes
        known, size = rate.quality_near_size(plan.size_near, limit, expected)
        is_met = rate.FLOOR * limit <= size <= limit
        plain = known if is_met else expected.quality_for_size(limit, known, size)
        return _Start(plan, known, plain, expected.quality_for_size(limit, known, (1 - _MAP_SAVES) * size))

    def _from(self, start: _Start, target: Target) -> Found:
        """The file with all that an encoder can do for it."""
        return self._improved(start.plan, target, start.known, start.mapped, lambda: self._plain(start, target))

    def _plain(self, start: _Start, target: Target) -> Found:
        """What is found with the plain latents."""
        return self._search(start.plan, target, None, start.plain)

    def _better_than(self, attempt: _Attempt, target: Target) -> Found:
        """The file with all that an encoder can do for it, from what was found with the plain latents."""
        plan, found = attempt.plan, attempt.found
        if plan.prepared.is_all_stored:
            return found
        return self._improved(plan, target, found.quality, found.quality, lambda: found)

    def _improved(self, plan: Plan, target: Target, near: float, guess: float, plain: Callable[[], Found]) -> Found:
        """The file with all that an encoder can do for it: the qualities of squares, and refined latents.

        With the plain latents `plain` finds a file, at about the quality `guess`; `near` is a quality near that one, of
        which the plan may know the symbols.
        """
        is_fixed = target.psnr is None and target.limit(self.original.pixel_count) is None
        stages: list[Callable[[float, Improved | None], Improved | None]] = []
        if self.allocates and target.psnr is None:
            stages.append(lambda *_: plan.allocated(near))
        for iterations in efforts.parts(self.iterations)[-1 if is_fixed else 0 :]:
            stages.append(partial(plan.refined, iterations))
        return efforts.search_improved(
            plain, guess, self._aim(target), lambda improved, quality: self._search(plan, target, improved, quality),
            stages,
        )  # fmt: skip

    def _aim(self, target: Target) -> float:
        """What a target asks for, in bytes or dB; anything if it is a quality."""
        if target.psnr is not None:
            return target.psnr
        limit = target.limit(self.original.pixel_count)
        return 0.0 if limit is None else limit

    def _attempt(self, target: Target, plainer: _Attempt | None = None) -> _Attempt:
        """What is found with the plain latents.

        `plainer`, if given, is what is found without drawn cells: it gives the quality to prepare for first.
        """
        is_fixed = target.psnr is None and target.limit(self.original.pixel_count) is None
        if is_fixed:
            quality = self._quality(target)
            plan = self._plan(self.preparation.at(quality) if self.drawn else self.preparation.even())
            return _Attempt(plan, self._search(plan, target, None, None))
        return self._with_preparation(target, plainer)

    def _search(self, plan: Plan, target: Target, improved: Improved | None, guess: float | None) -> Found:
        """What is found with a plan; `guess` is the quality to try first."""
        limit = target.limit(self.original.pixel_count)
        if limit is not None:
            return self._for_size(plan, limit, improved, guess)
        if target.psnr is not None:
            return self._for_psnr(plan, target.psnr, improved, guess)
        quality = self._quality(target)
        file = plan.file(quality, improved)
        return rate.SearchResult(quality, file, len(file.data), reached=True)

    def _quality(self, target: Target) -> float:
        """The quality of a target that is one, at the size that is coded."""
        if self.downscaled is None:
            return target.fixed_quality
        return downscaling.raised_quality(target.fixed_quality, self.downscaled.halvings, self.models[0].trained)

    @property
    def _compares_preparations(self) -> bool:
        """Whether different qualities may need the picture to be prepared differently."""
        return self.drawn and self.preparation.depends_on_quality

    def _plan(self, prepared: Prepared) -> Plan:
        return Plan(self.original, prepared, self.models[0], self.downscaled, self.progress)

    def _largest_of_sets(self, limit: int) -> Found:
        """The largest file within `limit` bytes, of a model without a quality: each set of its weights makes one file.

        If none is within the limit, the smallest file.
        """
        plan = self._plan(self.preparation.plain())
        files = [replace(plan, model=model).file(0) for model in self.models]
        within = [file for file in files if len(file.data) <= limit]
        if not within:
            smallest = min(files, key=lambda file: len(file.data))
            return rate.SearchResult(0, smallest, len(smallest.data), reached=False, close=False)
        largest = max(within, key=lambda file: len(file.data))
        size = len(largest.data)
        return rate.SearchResult(0, largest, size, reached=True, close=size >= rate.FLOOR * limit)

    def _for_size(self, plan: Plan, limit: int, improved: Improved | None, guess: float | None) -> Found:
        """The largest file within `limit` bytes; the smallest file if there is none."""
        found = rate.quality_for_size(
            lambda quality: plan.file_near(limit, quality, improved), limit, plan.expected_sizes, guess
        )
        # A search that ends far from the limit has an estimate of the size, but no file.
        file = plan.file(found.quality, improved) if found.value is None else found.value
        return rate.SearchResult(found.quality, file, len(file.data), found.reached, found.close)

    def _for_psnr(self, plan: Plan, target: float, improved: Improved | None, guess: float | None) -> Found:
        """The smallest file with at least `target` dB; the best file if there is none.

        Each step of the search decodes a file.
        """

        def file_and_psnr(quality: float) -> tuple[CodedFile, float]:
            file = plan.file(quality, improved)
            return file, psnr_of(max(squared_error(file, self.original), _NO_ERROR))

        if guess is None:  # Photographs have about 33.5 dB at quality 40, and 1 dB more per 4 of quality.
            guess = 40 + (target - 33.5) * 4
        return rate.quality_for_psnr(file_and_psnr, target, guess)

    def _with_preparation(self, target: Target, plainer: _Attempt | None) -> _Attempt:
        """What is found with the picture prepared for about the quality that is found.

        A preparation is best for one quality, but with it the search finds another one. The higher the quality that is
        prepared for, the lower the quality that is found. So there is one quality at which both are equal. A bracket
        around it is narrowed until they are near enough. If no quality meets a size, a lower one is prepared for next.
        """

        def attempt_with(prepared: Prepared) -> _Attempt:
            plan = self._plan(prepared)
            return _Attempt(plan, self._search(plan, target, None, None))

        if not self._compares_preparations:
            return attempt_with(self.preparation.even())
        low, high = 0.0, 100.0
        prepared_for = DEFAULT_QUALITY if plainer is None else plainer.found.quality
        kept: _Attempt | None = None
        least = math.inf
        for _ in range(_MOST_PREPARATIONS):
            prepared = self.preparation.at(prepared_for)
            if plainer is not None:
                if not prepared.has_drawn_cells:
                    return plainer
                plainer.plan.forget_latents()
            attempt = attempt_with(prepared)
            found = attempt.found
            apart = found.quality - prepared_for
            if found.reached and (not found.value.has_cells or abs(apart) <= _QUALITY_NEAR):
                return attempt
            attempt.plan.forget_latents()
            if found.reached and abs(apart) < least:
                kept, least = attempt, abs(apart)
            prepare_for_less = apart < 0 if found.reached else target.psnr is None
            if prepare_for_less:
                high = prepared_for
            else:
                low = prepared_for
            halfway = prepared_for + apart / 2  # where both meet if they move equally far
            prepared_for = halfway if found.reached and low < halfway < high else (low + high) / 2
        return attempt_with(self.preparation.plain()) if kept is None else kept


def distortion(file: CodedFile, original: Original) -> float:
    """What the file's weights are for, of its picture as it is shown, in the units of `squared_error`: that, or for
    weights for the eye what SSIMULACRA 2 and MS-SSIM see."""
    if file.model.tune == "visual":
        from lpcodec.codec import visual  # imports torch

        return visual.seen_of_pixels(_shown(file), original.source.pixels)
    return squared_error(file, original)


def squared_error(file: CodedFile, original: Original) -> float:
    """The mean squared error of a file's picture as it is shown, per sample of the pixels that can be seen (alpha above
    0), in 8-bit units; 0 if none can."""
    shown, wanted, alpha = _shown(file), original.source.pixels, original.source.alpha
    total = samples = 0
    for rows in spans(len(shown), _BAND, 0):  # in bands, because a wide copy of the picture would take much memory
        differences = shown[rows.core].astype(np.int32) - wanted[rows.core]
        if alpha is not None:
            differences = differences[alpha[rows.core] > 0]
        total += int(np.square(differences).sum(dtype=np.int64))
        samples += differences.size
    return total / max(samples, 1)


def _shown(file: CodedFile) -> Pixels:
    """The colours of a file's picture as it is shown, (H, W, 1 or 3)."""
    codec: models.Codec | None = None if file.header.kind is Kind.STORED else file.model.trained
    return decoding.pixels(decoding.open_file(file.data), codec)
