"""The choice of qualities: more where a bit helps most, and files that look the same take fewer bits."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import lpcodec
from lpcodec.codec import allocation, container, quality_map, visual
from lpcodec.codec.container import SectionType
from lpcodec.codec.visual import SquareErrors, errors_of_squares

GROWTH = (-0.2, -0.8, -0.27)


def tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float() / 255


@pytest.fixture(scope="module")
def pair(portrait: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """A picture of 192 x 256 pixels, and with noise in one corner."""
    original = np.asarray(portrait.resize((256, 192)))
    noise = np.random.default_rng(0).normal(scale=12, size=(64, 128, 3))
    changed = original.astype(float)
    changed[:64, :128] += noise
    return np.rint(changed.clip(0, 255)).astype(np.uint8), original


def test_the_errors_of_squares_add_up_to_those_of_the_picture(pair: tuple[np.ndarray, np.ndarray]) -> None:
    errors = errors_of_squares(*pair, 64, 192 * 256)
    assert errors.means.shape[1:] == errors.lost.shape[1:] == (3, 4)
    # MS-SSIM leaves the border out, squares don't.
    assert errors.seen(np.zeros((3, 4)), GROWTH) == pytest.approx(float(visual.seen(*map(tensor, pair))), rel=0.03)
    distance = errors.mean_weights @ errors.means.sum((1, 2))
    distance += errors.fourth_weights @ errors.fourths.sum((1, 2)) ** 0.25
    assert distance == pytest.approx(float(visual.distance(*map(tensor, pair))), rel=1e-4)


def test_the_errors_are_where_the_noise_is(pair: tuple[np.ndarray, np.ndarray]) -> None:
    errors = errors_of_squares(*pair, 64, 192 * 256)
    for sums in (errors.means, errors.fourths, errors.lost):
        assert (sums[:, 0, :2].sum(1) >= 0.7 * sums.sum((1, 2))).all()
        assert sums[:, 0, :2].sum() > 0


def test_parts_of_a_picture_are_joined(pair: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = errors_of_squares(*pair, 64, 192 * 256)
    parts = [
        (top, left, errors_of_squares(*(x[64 * top :, 64 * left :][:128, :128] for x in pair), 64, 192 * 256))
        for top in (0, 2)
        for left in (0, 2)
    ]
    joined = visual.joined(parts, (3, 4))
    monkeypatch.setattr(visual, "_TILE", 128)
    tiles = errors_of_squares(*pair, 64, 192 * 256)
    for name in ("means", "fourths", "lost"):
        np.testing.assert_allclose(getattr(joined, name), getattr(tiles, name), rtol=1e-6)
        # Borders are repeated, so squares at the border of a part differ a little.
        assert getattr(joined, name).sum() == pytest.approx(getattr(whole, name).sum(), rel=0.25)


def test_slopes_are_the_derivative_of_what_is_seen(pair: tuple[np.ndarray, np.ndarray]) -> None:
    errors = errors_of_squares(*pair, 64, 192 * 256)
    change = np.random.default_rng(1).normal(size=(3, 4))
    slopes, step = errors.slopes(change, GROWTH), 1e-4
    for place in np.ndindex(3, 4):
        moved = [change.copy(), change.copy()]
        moved[0][place] -= step
        moved[1][place] += step
        expected = (errors.seen(moved[0], GROWTH) - errors.seen(moved[1], GROWTH)) / (2 * step)
        assert slopes[place] == pytest.approx(expected, rel=1e-3, abs=1e-7)


def uneven(size: tuple[int, int], **factors: np.ndarray) -> SquareErrors:
    """Errors that are the same in all squares, times factors."""
    errors = SquareErrors(
        np.full((2, *size), 1e-3), np.ones(2), np.full((2, *size), 1e-6), np.ones(2), np.full((5, *size), 1e-4)
    )
    return replace(errors, **{name: getattr(errors, name) * factor for name, factor in factors.items()})


def test_equal_squares_have_one_quality() -> None:
    assert allocation.chosen(uneven((3, 4)), np.full((3, 4), 900.0), 64) is None


def test_more_for_errors_and_less_for_bits() -> None:
    errors = uneven((1, 4), fourths=np.array([1, 1, 30, 1]))
    found = allocation.chosen(errors, np.array([[900.0, 4000.0, 900.0, 900.0]]), 64)
    assert found is not None
    usual, costly, wrong, last = found.offsets[0]
    assert usual == last
    assert costly < usual < wrong <= allocation.FURTHEST


def test_a_map_that_saves_less_than_it_takes_is_left_out() -> None:
    errors = uneven((1, 4), fourths=np.array([1, 1, 30, 1]))
    assert allocation.chosen(errors, np.array([[20.0, 90.0, 20.0, 20.0]]), 64) is None


def test_a_picture_without_errors_has_one_quality() -> None:
    assert allocation.chosen(uneven((2, 3), means=0, fourths=0, lost=0), np.zeros((2, 3)), 64) is None


def squares_of(data: bytes) -> bytes | None:
    return container.read(data).payload(SectionType.QUALITIES)


class TestFiles:
    def test_weights_for_the_eye_have_them_and_keep_the_target(self, portrait: Image.Image) -> None:
        data = lpcodec.encode(portrait, bpp=0.2)
        payload = squares_of(data)
        assert payload is not None
        found = quality_map.from_bytes(payload, portrait.height, portrait.width)
        assert found.side == allocation.SIDE
        assert np.abs(found.offsets).max() <= allocation.FURTHEST
        assert 0.97 * 0.2 <= 8 * len(data) / (portrait.width * portrait.height) <= 0.2
        assert lpcodec.decode(data).size == portrait.size
        facts = lpcodec.verify(data)
        assert facts["squares"] == {
            "side": 64,
            "lowest_quality": pytest.approx(facts["quality"] + 3.125 * found.offsets.min(), abs=0.02),
            "highest_quality": pytest.approx(facts["quality"] + 3.125 * found.offsets.max(), abs=0.02),
        }

    def test_they_look_better_at_the_same_size(self, portrait: Image.Image) -> None:
        original, errors = np.asarray(portrait), []
        for effort in (1, 0):
            data = lpcodec.encode(portrait, bpp=0.25, downscale=1, effort=effort)
            assert (squares_of(data) is not None) == (effort > 0)
            errors.append(visual.seen_of_pixels(np.asarray(lpcodec.decode(data)), original))
        assert errors[0] < 0.97 * errors[1]

    @pytest.mark.parametrize("options", [{"psnr": 32}, {"quality": 40, "tune": "psnr"}, {"quality": 90}])
    def test_squared_error_and_high_qualities_have_none(self, portrait: Image.Image, options: dict[str, int]) -> None:
        assert squares_of(lpcodec.encode(portrait, **options)) is None  # type: ignore[arg-type]

    def test_a_size_that_only_the_plain_file_meets_is_met(self, portrait: Image.Image) -> None:
        smallest = len(lpcodec.encode(portrait, quality=0, downscale=1))
        data = lpcodec.encode(portrait, size=smallest, downscale=1)
        assert len(data) <= smallest

    @pytest.mark.parametrize("mode", ["L", "RGBA"])
    def test_grey_and_alpha(self, portrait: Image.Image, mode: str) -> None:
        picture = portrait.convert(mode)
        if mode == "RGBA":
            picture.putalpha(Image.linear_gradient("L").resize(picture.size))
        data = lpcodec.encode(picture, quality=30, downscale=1)
        assert squares_of(data) is not None
        assert lpcodec.decode(data).mode == mode

    def test_effort_refines_with_them(self, portrait: Image.Image) -> None:
        crop = portrait.crop((128, 96, 320, 288))
        files = [lpcodec.encode(crop, quality=35, effort=effort, downscale=1) for effort in (1, 2)]
        assert all(squares_of(data) for data in files)
        assert squares_of(files[0]) == squares_of(files[1])
        original = np.asarray(crop)
        first, second = (visual.seen_of_pixels(np.asarray(lpcodec.decode(data)), original) for data in files)
        bits = [8 * len(data) / original[..., 0].size for data in files]
        from lpcodec.codec import models

        lmbda = models.load("default@visual").trained.lambda_at(35)  # type: ignore[attr-defined]
        assert bits[1] + lmbda * second < bits[0] + lmbda * first
