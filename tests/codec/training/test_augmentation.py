"""Colour augmentation: a rotation about grey, of half of the patches."""

import torch

from lpcodec.codec.training.augmentation import GREY, LARGEST_ANGLE, with_rotated_colours


def test_colours_turn_about_grey_and_keep_their_distance_to_it() -> None:
    generator = torch.Generator().manual_seed(0)
    patches = (torch.rand(200, 3, 4, 4, generator=generator) - 0.5) * 0.5 + GREY  # a turn leaves none outside 0..1
    turned = with_rotated_colours(patches, generator)
    distance, before = ((part - GREY).norm(dim=1) for part in (turned, patches))
    assert torch.allclose(distance, before, atol=1e-5)
    moved = (turned - patches).abs().amax((1, 2, 3)) > 1e-6
    assert 70 < int(moved.sum()) < 130, "about half of the patches"
    cosine = ((turned - GREY) * (patches - GREY)).sum(1) / (distance * before)
    assert torch.acos(cosine.clamp(-1, 1)).max() < LARGEST_ANGLE + 1e-2
    one = (turned[moved] - GREY).flatten(2) @ torch.linalg.pinv((patches[moved] - GREY).flatten(2))
    assert torch.allclose(one @ one.mT, torch.eye(3).expand_as(one), atol=1e-3), "one rotation per patch"


def test_the_result_is_a_picture() -> None:
    generator = torch.Generator().manual_seed(1)
    corners = torch.randint(0, 2, (100, 3, 2, 2), generator=generator).float()
    turned = with_rotated_colours(corners, generator)
    assert turned.min() >= 0
    assert turned.max() <= 1
    grey = torch.full((50, 3, 2, 2), GREY)
    assert torch.allclose(with_rotated_colours(grey, generator), grey)
