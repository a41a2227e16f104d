"""The file of one picture, at one size, that is nearest to a target.

```
target --rate.py: which quality--> Plan --file--> its size or PSNR --> the next quality
             |
             +-- effort.py: latents refined for that quality        +-- preparation.py: prepared for that quality
```
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lpcodec.codec import decoding, downscaling, models, rate
from lpcodec.codec import effort as efforts
from lpcodec.codec.arrays import Pixels, psnr_of
from lpcodec.codec.coding import CodedFile, Model, Original, Plan
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
_NO_ERROR = 1e-10
"""The mean squared error that is assumed for an exact picture, because a search needs a finite PSNR."""


@dataclass(frozen=True)
class FileSearch:
    """Searches for files of one picture at one size.

    `models` are the sets of weights to choose from; only a model without a quality has several. `iterations` is how
    often latents are refined (effort.py). `drawn`: drawn cells may be stored, not flat ones alone.
    """

    original: Original
    preparation: Preparation
    downscaled: Downscaled | None
    models: tuple[Model, ...]
    iterations: int
    progress: Progress | None
    drawn: bool = True

    @classmethod
    def at_scale(
        cls, original: Original, halvings: int, models: tuple[Model, ...], iterations: int, progress: Progress | None
    ) -> "FileSearch":
        """The search for the picture with its sides halved `halvings` times, 0 to 2."""
        preparation = Preparation(original.source.pixels, models[0].trained, halvings)
        how = downscaling.downscaled(halvings, models[0].tune)
        return cls(original, preparation, how, models, iterations, progress)

    def nearest(self, target: Target) -> Found:
        """The file that is nearest to a target, which must not be `lossless`.

        A downscaled picture is coded at a higher quality than the target's, because its errors are enlarged too.

        Drawn cells are chosen by their squared error. With weights for the eye, a file of the same size without them is
        made as well, and drawn cells are stored only if the one with them looks better: a few sharp words don't help if
        others are blurred for it.
        """
        compares = self.drawn and self.preparation.depends_on_quality and target.psnr is None
        if not compares or self.models[0].tune != "visual":
            return self.without_comparing(target)
        limit = target.limit(self.original.pixel_count)
        # The first search reports its progress, the others don't.
        with_drawn = replace(self, iterations=0, progress=self.progress if limit is None else None)
        without = replace(self, iterations=0, drawn=False, progress=None if limit is None else self.progress)
        plainer = None if limit is None else without._for_size(limit)
        found = with_drawn.without_comparing(target, plainer)
        if found.value.has_drawn_cells:
            other = without._for_size(len(found.value.data)) if plainer is None else plainer
            if other.reached and not (found.reached and self._looks_better(found, other)):
                if self.iterations:
                    return replace(self, drawn=False).without_comparing(target)
                return plainer or without.without_comparing(target)
        return self.without_comparing(target) if self.iterations else found

    def _looks_better(self, one: Found, other: Found) -> bool:
        """Whether the first file isn't worse by what its weights are for."""
        return distortion(one.value, self.original) <= distortion(other.value, self.original)

    def without_comparing(self, target: Target, plainer: Found | None = None) -> Found:
        """The file that is nearest to a target, with drawn cells as `drawn` says, whatever that looks like.

        `plainer`, if given, is the file for the same size without drawn cells.
        """
        limit = target.limit(self.original.pixel_count)
        if limit is not None:
            has_quality = self.models[0].trained.has_quality
            return self._for_size(limit, plainer) if has_quality else self._largest_of_sets(limit)
        if target.psnr is not None:
            return self._for_psnr(target.psnr)
        quality = target.fixed_quality
        if self.downscaled is not None:
            quality = downscaling.raised_quality(quality, self.downscaled.halvings, self.models[0].trained)
        return self._at_quality(quality)

    def _plan(self, model: Model, prepared: Prepared) -> Plan:
        return Plan(self.original, prepared, model, self.downscaled, self.progress)

    def _at_quality(self, quality: float) -> Found:
        model = self.models[0]
        prepared = self.preparation.at(quality) if self.drawn else self.preparation.even()
        plan = self._plan(model, prepared)
        file = plan.file(quality, plan.refined(quality, self.iterations))
        return rate.SearchResult(quality, file, len(file.data), reached=True)

    def _largest_of_sets(self, limit: int) -> Found:
        """The largest file within `limit` bytes, of a model without a quality: each set of its weights makes one file.

        If none is within the limit, the smallest file.
        """
        plain = self.preparation.plain()
        files = [self._plan(model, plain).file(0) for model in self.models]
        within = [file for file in files if len(file.data) <= limit]
        if not within:
            smallest = min(files, key=lambda file: len(file.data))
            return rate.SearchResult(0, smallest, len(smallest.data), reached=False, close=False)
        largest = max(within, key=lambda file: len(file.data))
        size = len(largest.data)
        return rate.SearchResult(0, largest, size, reached=True, close=size >= rate.FLOOR * limit)

    def _for_size(self, limit: int, plainer: Found | None = None) -> Found:
        """The largest file within `limit` bytes; the smallest file if there is none. `plainer` as for `_nearest`."""

        def search(plan: Plan, latents: Any, guess: float | None) -> Found:
            found = rate.quality_for_size(
                lambda quality: plan.file_near(limit, quality, latents), limit, plan.expected_sizes(), guess
            )
            # A search that ends far from the limit has an estimate of the size, but no file.
            file = plan.file(found.quality, latents) if found.value is None else found.value
            return rate.SearchResult(found.quality, file, len(file.data), found.reached, found.close)

        return self._with_preparation(limit, search, less_if_missed=True, plainer=plainer)

    def _for_psnr(self, target: float) -> Found:
        """The smallest file with at least `target` dB; the best file if there is none.

        Each step of the search decodes a file.
        """

        def search(plan: Plan, latents: Any, guess: float | None) -> Found:
            def file_and_psnr(quality: float) -> tuple[CodedFile, float]:
                file = plan.file(quality, latents)
                return file, psnr_of(max(squared_error(file, self.original), _NO_ERROR))

            if guess is None:  # Photographs have about 33.5 dB at quality 40, and 1 dB more per 4 of quality.
                guess = 40 + (target - 33.5) * 4
            return rate.quality_for_psnr(file_and_psnr, target, guess)

        return self._with_preparation(target, search, less_if_missed=False)

    def _with_preparation(
        self, target: float, search: Callable[[Plan, Any, float | None], Found], *, less_if_missed: bool,
        plainer: Found | None = None,
    ) -> Found:  # fmt: skip
        """What `search` finds, with the picture prepared for about the quality that is found.

        A preparation is best for one quality, but with it the search finds another one. The higher the quality that is
        prepared for, the lower the quality that is found. So there is one quality at which both are equal. A bracket
        around it is narrowed until they are near enough.

        Args:
            target: bytes or dB, the unit of `Found.measure`.
            search: (plan, latents or None, quality to try first or None) -> result; see `efforts.search_refined`.
            less_if_missed: whether to prepare for a lower quality if no quality meets the target.
            plainer: what is found without drawn cells, if that is known: it gives the quality to prepare for first.
        """

        def found_with(prepared: Prepared) -> Found:
            # The plan and its latents are freed before the picture is prepared again: they take much memory.
            plan = self._plan(self.models[0], prepared)
            return efforts.search_refined(target, partial(search, plan), plan.refined, self.iterations)

        if not self.drawn or not self.preparation.depends_on_quality:
            return found_with(self.preparation.even())
        low, high, prepared_for = 0.0, 100.0, DEFAULT_QUALITY if plainer is None else plainer.quality
        kept: Found | None = None
        least = math.inf
        for _ in range(_MOST_PREPARATIONS):
            prepared = self.preparation.at(prepared_for)
            if plainer is not None and not prepared.has_drawn_cells:
                return plainer
            found = found_with(prepared)
            apart = found.quality - prepared_for
            if found.reached and abs(apart) < least:
                kept, least = found, abs(apart)
            if found.reached and (not found.value.has_cells or least <= _QUALITY_NEAR):
                return found
            prepare_for_less = apart < 0 if found.reached else less_if_missed
            if prepare_for_less:
                high = prepared_for
            else:
                low = prepared_for
            halfway = prepared_for + apart / 2  # where both meet if they move equally far
            prepared_for = halfway if found.reached and low < halfway < high else (low + high) / 2
        return found_with(self.preparation.plain()) if kept is None else kept


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
