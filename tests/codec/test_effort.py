"""`effort`: smaller files that decode as any others, targets kept, the same bytes every time."""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lpcodec
from lpcodec.codec import effort, models, visual
from lpcodec.codec.effort import ITERATIONS, check_effort, parts, search_improved
from lpcodec.codec.errors import TargetError, UsageError
from lpcodec.codec.rate import SearchResult


@pytest.fixture(scope="module")
def crop(portrait: Image.Image) -> Image.Image:
    """The eyes: 72 x 64."""
    return portrait.crop((200, 140, 272, 204))


@pytest.fixture(scope="module")
def head(portrait: Image.Image) -> Image.Image:
    """128 x 128: large enough for what is saved to be more than the rounding of a stream's end."""
    return portrait.crop((240, 80, 368, 208))


def psnr(one: Image.Image, other: Image.Image) -> float:
    difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    return 10 * np.log10(255**2 / np.square(difference).mean())


class TestFiles:
    def test_level_0_is_the_default(self, crop: Image.Image) -> None:
        assert lpcodec.encode(crop, quality=40, effort=0) == lpcodec.encode(crop, quality=40)

    def test_at_a_fixed_size_the_picture_is_better(self, head: Image.Image) -> None:
        """Files of nearly one size: what is saved goes into the picture."""
        files = (lpcodec.encode(head, size=900, effort=level, tune="psnr") for level in (0, 5))
        plain, refined = map(lpcodec.decode, files)
        assert psnr(refined, head) > psnr(plain, head) + 0.05

    def test_what_gets_better_is_what_the_weights_are_for(self, portrait: Image.Image) -> None:
        face = portrait.crop((200, 80, 392, 272))

        def errors(tune: str, level: int) -> tuple[float, float]:
            shown = lpcodec.decode(lpcodec.encode(face, size=1800, tune=tune, effort=level))
            return -psnr(shown, face), visual.seen_of_pixels(np.asarray(shown), np.asarray(face))

        for number, tune in enumerate(("psnr", "visual")):
            plain, refined = errors(tune, 0)[number], errors(tune, 5)[number]
            assert refined < (plain - 0.05 if tune == "psnr" else 0.98 * plain)

    @pytest.mark.parametrize("size", [(1, 1), (17, 33), (90, 3)])
    @pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
    def test_any_size_and_mode_decodes_and_verifies(
        self, portrait: Image.Image, size: tuple[int, int], mode: str
    ) -> None:
        image = portrait.resize(size).convert(mode)
        data = lpcodec.encode(image, quality=30, effort=2)
        assert lpcodec.verify(data) == lpcodec.info(data)
        assert (lpcodec.decode(data).size, lpcodec.decode(data).mode) == (size, mode)

    def test_the_same_bytes_every_time(self, crop: Image.Image) -> None:
        assert lpcodec.encode(crop, bpp=0.8, effort=3) == lpcodec.encode(crop, bpp=0.8, effort=3)


class TestTargets:
    @pytest.mark.parametrize("bpp", [0.4, 1.0])
    def test_a_rate_is_kept_and_used(self, crop: Image.Image, bpp: float) -> None:
        limit = bpp * crop.width * crop.height / 8
        assert 0.97 * limit - 8 <= len(lpcodec.encode(crop, bpp=bpp, effort=3)) <= limit

    def test_a_psnr_is_kept_with_fewer_bytes(self, head: Image.Image) -> None:
        plain, refined = (lpcodec.encode(head, psnr=32, effort=level) for level in (0, 5))
        assert psnr(lpcodec.decode(refined), head) >= 32
        assert len(refined) < len(plain)

    def test_out_of_reach_is_said_as_ever(self, crop: Image.Image) -> None:
        with pytest.raises(TargetError, match="can't be reached"):
            lpcodec.encode(crop, size=40, effort=1)


class TestOptions:
    @pytest.mark.parametrize("level", [-1, 10, 2.5])
    def test_other_levels_are_refused(self, crop: Image.Image, level: Any) -> None:
        with pytest.raises(UsageError, match="from 0 to 9"):
            lpcodec.encode(crop, effort=level)

    def test_levels_rise(self) -> None:
        assert not any(ITERATIONS[: effort.DEFAULT + 1])
        refining = ITERATIONS[effort.DEFAULT :]
        assert sorted(set(refining)) == list(refining)
        for level in range(len(ITERATIONS)):
            check_effort(level)

    def test_a_model_without_refinement_says_so(self, crop: Image.Image) -> None:
        name = next(n for n in models.names() if n.startswith("wcae"))
        assert not isinstance(models.load(name).trained, effort.Refinable)
        with pytest.raises(UsageError, match="leave the effort out"):
            lpcodec.encode(crop, model=name, effort=2)

    def test_progress_names_the_stage(self, crop: Image.Image) -> None:
        told: list[tuple[str, float]] = []
        lpcodec.encode(crop, quality=40, effort=3, progress=lambda stage, part: told.append((stage, part)))
        parts = [part for stage, part in told if stage == "refinement"]
        assert parts == sorted(parts)
        assert parts[-1] == 1

    def test_an_interrupt_ends_it(self, crop: Image.Image) -> None:
        def stop(stage: str, part: float) -> None:
            if stage == "refinement":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            lpcodec.encode(crop, quality=40, effort=9, progress=stop)


class TestSearch:
    """`search_improved` with made-up curves: a file has 100 bytes a unit of quality, improved ones fewer."""

    @staticmethod
    def curve(saves: float, limit: float) -> Callable[..., SearchResult[str]]:
        def search(improved: str | None, guess: float | None) -> SearchResult[str]:
            factor = 100 * (1 - (saves if improved else 0))
            quality = min(limit / factor, 100)
            size = quality * factor
            return SearchResult(quality, improved or "plain", size, size <= limit, 0.97 * limit <= size <= limit)

        return search

    def test_each_stage_is_for_the_quality_found_before_and_knows_what_was_made(self) -> None:
        search, asked = self.curve(0.2, 4000), list[tuple[float, str | None]]()

        def stage(name: str, quality: float, before: str | None) -> str:
            asked.append((quality, before))
            return f"{name} at {quality:g}"

        stages = [partial(stage, "squares"), partial(stage, "refined")]
        found = search_improved(lambda: search(None, None), 40, 4000, search, stages)
        assert asked == [(40, None), (50, "squares at 40")]
        assert found.value == "refined at 50"

    def test_a_stage_with_nothing_better_is_passed_over(self) -> None:
        search = self.curve(0.2, 4000)
        stages = [lambda *_: "squares", lambda quality, before: None]
        assert search_improved(lambda: search(None, None), 40, 4000, search, stages).value == "squares"
        assert search_improved(lambda: search(None, None), 40, 4000, search, stages[1:]).value == "plain"

    def test_the_plain_latents_are_searched_with_only_if_nothing_better_is_close(self) -> None:
        search = self.curve(0.2, 4000)

        def plain() -> SearchResult[str]:
            raise AssertionError("a search too many")

        assert search_improved(plain, 40, 4000, search, [lambda *_: "squares"]).value == "squares"
        with pytest.raises(AssertionError, match="too many"):
            search_improved(plain, 40, 4000, search, [lambda *_: None])

    @pytest.mark.parametrize(("iterations", "expected"), [(0, ()), (3, (1, 3)), (40, (10, 40))])
    def test_a_part_of_the_iterations_comes_first(self, iterations: int, expected: tuple[int, ...]) -> None:
        assert parts(iterations) == expected

    def test_the_plain_file_is_taken_where_only_it_meets_the_target(self) -> None:
        search = self.curve(0.2, 9500)
        found = search_improved(lambda: search(None, None), 95, 9500, search, [lambda *_: "refined"])
        assert (found.value, found.reached) == ("plain", True)

    @pytest.mark.parametrize(
        ("measures", "chosen"), [((150, 130, 120), 120), ((150, 90, 120), 90), ((95, 80, 70), 70), ((98, 80, 70), 98)]
    )
    def test_the_limit_is_used_or_else_kept_or_else_missed_by_least(
        self, measures: tuple[int, ...], chosen: int
    ) -> None:
        """Of files that only keep it, the one improved most: at the finest quality it is the smallest."""
        left = iter(measures)

        def search(improved: str | None, guess: float | None) -> SearchResult[str]:
            size = next(left)
            return SearchResult(0, "", size, size <= 100, 97 <= size <= 100)

        plain = search(None, None)
        found = search_improved(lambda: plain, 1, 100, search, [lambda *_: "better"] * 2)
        assert found.measure == chosen


def test_a_picture_file_with_metadata_keeps_it(crop: Image.Image) -> None:
    stream = io.BytesIO()
    crop.save(stream, "PNG", icc_profile=b"profile" * 20)
    back = lpcodec.decode(lpcodec.encode(stream.getvalue(), quality=30, effort=1))
    assert back.info["icc_profile"] == b"profile" * 20
