"""Rotated colours: orthogonal, exact enough to undo, chosen where they pay."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.codec.colour import (
    PLAIN,
    Rotation,
    choose,
    gradient_covariance,
    nearest_rotation,
    rotated,
    rotated_back,
    sample,
)

GREY = np.full(3, 1 / np.sqrt(3))
rotations = st.just(PLAIN) | st.builds(Rotation, st.integers(1, 255), st.integers(0, 255))


@given(rotations)
def test_a_rotation_turns_its_axis_into_grey_and_keeps_lengths(rotation: Rotation) -> None:
    matrix = rotation.matrix()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    np.testing.assert_allclose(matrix @ rotation.axis, GREY, atol=1e-12)
    # By the least angle: the axis of rotation is at right angles to both.
    across = np.cross(rotation.axis, GREY)
    np.testing.assert_allclose(matrix @ across, across, atol=1e-12)


def test_plain_is_no_rotation() -> None:
    np.testing.assert_allclose(PLAIN.matrix(), np.eye(3), atol=1e-12)


@given(rotations)
def test_the_nearest_rotation_of_an_axis_is_the_one_that_has_it(rotation: Rotation) -> None:
    found = nearest_rotation(rotation.axis)
    assert abs(found.axis @ rotation.axis) > 1 - 1e-9
    assert found == rotation or rotation.tilt == 255  # at a right angle, an axis and its opposite are one


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda axis: np.linalg.norm(axis) > 0.1))
def test_every_axis_is_met_to_a_degree(axis: list[float]) -> None:
    unit = np.array(axis) / np.linalg.norm(axis)
    assert abs(nearest_rotation(unit).axis @ unit) > np.cos(np.radians(1))


@settings(deadline=None)
@given(rotations, st.integers(0, 2**31))
def test_rotating_back_gives_the_picture(rotation: Rotation, seed: int) -> None:
    picture = torch.rand(2, 3, 5, 4, generator=torch.Generator().manual_seed(seed))
    turned = rotated(picture, rotation)
    assert torch.allclose(rotated_back(turned, rotation), picture, atol=1e-6)
    assert torch.allclose((turned - 0.5).square().sum(1), (picture - 0.5).square().sum(1), atol=1e-5)


def test_a_picture_along_one_axis_becomes_grey() -> None:
    axis = np.array([0.9, 0.1, -0.3])
    levels = np.random.default_rng(2).random((1, 16, 16)) - 0.5
    picture = torch.from_numpy(0.5 + axis[:, None, None] / np.linalg.norm(axis) * levels)
    turned = rotated(picture, nearest_rotation(axis))
    assert (turned - turned.mean(0)).abs().max() < 0.01


def test_gradients_are_those_of_rows_and_columns() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (600, 7, 3), np.uint8)
    differences = [np.diff(pixels.astype(float), axis=axis).reshape(-1, 3) for axis in (0, 1)]
    stacked = np.concatenate(differences)
    np.testing.assert_allclose(gradient_covariance(pixels), stacked.T @ stacked / len(stacked), rtol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (100, 90), (700, 800), (1, 600_000), (3000, 200), (1200, 2048)])
def test_a_sample_is_of_bounded_size_and_from_all_over(size: tuple[int, int]) -> None:
    pixels = np.broadcast_to((np.arange(size[0]) * 255 // size[0]).astype(np.uint8)[:, None, None], (*size, 3))
    found = sample(pixels)
    assert found.shape[0] * found.shape[1] <= 8 * 256 * 256
    if size[0] >= 700:
        assert found.min() == 0
        assert found.max() > 200


def _picture(axis: list[float]) -> np.ndarray:
    steps = np.random.default_rng(4).integers(-40, 41, (64, 64, 1))
    return np.clip(128 + steps * np.array(axis), 0, 255).astype(np.uint8)


def test_rotations_are_chosen_if_they_save_bits() -> None:
    asked: list[Rotation] = []

    def expected(saving: float) -> Callable[[np.ndarray, Rotation], list[float]]:
        def bits(pixels: np.ndarray, rotation: Rotation) -> list[float]:
            asked.append(rotation)
            return [100.0, 200.0] if rotation == PLAIN else [100 * (1 - saving), 200.0]

        return bits

    strong = _picture([1, 0.2, -0.5])
    chosen = choose(strong, expected(0.05))
    assert np.degrees(np.arccos(abs(chosen.axis @ np.array([1, 0.2, -0.5])) / np.linalg.norm([1, 0.2, -0.5]))) < 2
    assert choose(strong, expected(-0.05)) == PLAIN
    assert choose(strong, expected(0.001)) == PLAIN
    asked.clear()
    assert choose(_picture([1, 1, 1]), expected(0.05)) == PLAIN
    assert choose(np.full((9, 9, 3), 77, np.uint8), expected(0.05)) == PLAIN
    assert asked == []
