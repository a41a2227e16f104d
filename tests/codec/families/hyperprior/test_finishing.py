"""The finishing filter: what it leaves alone, what it depends on and how smoothly, what a fit finds."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from lpcodec.codec.families.hyperprior import calibration, synthesis
from lpcodec.codec.families.hyperprior.calibration import STRENGTHS, fit_finishing
from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec
from lpcodec.codec.families.hyperprior.finishing import FEATURES, MARGIN, TAPS, FinishingFilter, Fit
from tests.codec.families.hyperprior.test_codec import SMALL, header_for, pixels, random_codec

ANCHORS = 3
MIDDLE = torch.tensor([32768])


def filters(seed: int = 0, anchors: int = ANCHORS) -> FinishingFilter:
    generator = torch.Generator().manual_seed(seed)
    return FinishingFilter(0.05 * torch.randn(anchors, TAPS, FEATURES, generator=generator))


def picture(height: int, width: int, seed: int = 0) -> Tensor:
    """Smooth noise (3, height, width) in 0..1, with gradients of all strengths and directions."""
    noise = torch.rand(1, 3, height // 4 + 2, width // 4 + 2, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, size=(height, width), mode="bicubic")[0].clamp(0, 1)


@given(st.floats(0, 1), st.integers(0, 65535))
def test_one_colour_stays(value: float, quality: int) -> None:
    flat = torch.full((3, 8, 12), value)
    assert torch.allclose(filters()(flat, torch.tensor([quality])), flat, atol=1e-6)


def test_filters_of_zeros_change_nothing() -> None:
    image = picture(16, 24)
    assert torch.equal(FinishingFilter(torch.zeros(ANCHORS, TAPS, FEATURES))(image, MIDDLE), image)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10), st.integers(0, 6), st.integers(6, 12), st.integers(0, 5))
def test_a_part_with_its_margin_is_that_of_the_whole(top: int, left: int, side: int, seed: int) -> None:
    """Which blocks there are depends on where a part begins: at even places they are those of the whole."""
    image = picture(52, 44, seed)
    rows, columns = (slice(MARGIN + 2 * start, MARGIN + 2 * (start + side)) for start in (top, left))
    whole = filters()(image, MIDDLE)
    around = image[:, rows.start - MARGIN : rows.stop + MARGIN, columns.start - MARGIN : columns.stop + MARGIN]
    part = filters()(around, MIDDLE)[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    assert torch.allclose(part, whole[:, rows, columns], atol=1e-6)


def test_only_luma_changes() -> None:
    image = picture(32, 32)
    change = filters()(image, MIDDLE) - image
    assert change.abs().max() > 0.01
    assert torch.allclose(change[0], change[1], atol=1e-6)
    assert torch.allclose(change[0], change[2], atol=1e-6)


def test_between_anchors_filters_are_interpolated() -> None:
    weights = torch.zeros(11, TAPS, FEATURES)
    weights[5] = 0.02
    image = picture(32, 32)
    found = [FinishingFilter(weights)(image, torch.tensor([q])) - image for q in (32767, 35389, 39321)]
    assert torch.allclose(found[1], 0.6 * found[0], atol=1e-4)
    assert found[2].abs().max() < 1e-4


def test_gradients_take_the_weights_for_constants() -> None:
    """With weights that don't follow the picture the filter is linear: then they are the gradients exactly."""
    weights = torch.zeros(ANCHORS, TAPS, FEATURES)
    weights[:, :, 0] = filters().weights[:, :, 0]  # the one feature that is constant
    fixed, image, direction, wanted = FinishingFilter(weights), picture(24, 32), picture(24, 32, 1), picture(24, 32, 2)
    image.requires_grad_()
    (gradient,) = torch.autograd.grad((fixed(image, MIDDLE) * wanted).sum(), image)
    with torch.no_grad():
        change = fixed(image + direction, MIDDLE) - fixed(image, MIDDLE)
    assert float((gradient * direction).sum()) == pytest.approx(float((change * wanted).sum()), rel=1e-4)
    (own,) = torch.autograd.grad(filters()(image, MIDDLE).sum(), image)
    assert own.isfinite().all()


@settings(deadline=None, max_examples=60)
@given(st.floats(0.01, 255), st.integers(0, 20), st.booleans())
def test_a_little_noise_changes_little(contrast: float, seed: int, fine: bool) -> None:
    """At all activities, as `contrast` is that of the picture in levels; fine ones have checkers of single pixels.

    If the weights jumped anywhere, the change there would be thousands of times the noise.
    """
    image = picture(64, 64, seed)
    if fine:
        image = (image > 0.5) * ((torch.arange(64) + torch.arange(64)[:, None]) % 2)
    image = image * (contrast / 255)
    noise = 1e-5 * torch.rand(64, 64, generator=torch.Generator().manual_seed(seed)).sub_(0.5).expand(3, 64, 64)
    change = filters(seed)(image + noise, MIDDLE) - filters(seed)(image, MIDDLE)
    assert change.abs().max() < 10 * noise.abs().max()


def test_the_weights_follow_the_direction_of_stripes() -> None:
    """One filter makes vertical stripes weaker and leaves horizontal ones."""
    waves = 0.3 * torch.sin(torch.arange(64) * 0.9).expand(3, 64, 64)
    vertical, horizontal = 0.5 + waves, 0.5 + waves.transpose(1, 2)
    fit = Fit(2)
    fit.add(vertical, 0.5 + 0.9 * waves, 0)
    fit.add(horizontal, horizontal, 0)
    found = fit.solve(1.0)
    inner = slice(MARGIN, -MARGIN)
    for image, wanted in ((vertical, 0.5 + 0.9 * waves), (horizontal, horizontal)):
        assert torch.allclose(found(image, torch.tensor([0]))[:, inner, inner], wanted[:, inner, inner], atol=2e-3)


def test_a_fit_finds_the_filter_that_was_applied() -> None:
    """Original = decoded + a known filter of it: the fit's own filter gives the original, where there is enough."""
    known, fit = filters(), Fit(ANCHORS)
    images = [picture(128, 128, seed) for seed in range(12)]
    for image in images:
        fit.add(image, known(image, torch.tensor([65535])), 2)
    found = fit.solve(1.0)
    before = torch.stack([known(image, torch.tensor([65535])) - image for image in images]).square().mean()
    after = (
        torch.stack([known(image, torch.tensor([65535])) - found(image, torch.tensor([65535])) for image in images])
        .square()
        .mean()
    )
    assert after < 0.02 * before
    assert fit.gain(found) > 15
    assert fit.gain(fit.solve(0.0)) == 0


def test_half_the_strength_is_half_the_filter() -> None:
    fit = Fit(1)
    fit.add(picture(64, 64), picture(64, 64, 1), 0)
    assert torch.allclose(fit.solve(0.5).weights, 0.5 * fit.solve(1.0).weights)


@pytest.fixture
def codec() -> HyperpriorCodec:
    found = random_codec()
    found.finish_with(filters(anchors=SMALL.anchors))
    return found


def test_tiles_are_the_whole(codec: HyperpriorCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    image = pixels(200, 150)
    groups = codec.code(codec.analyse(image), 60).groups
    whole = codec.synthesise(groups, header_for(image)).astype(int)
    monkeypatch.setattr(codec, "tile_side", 4)
    tiles = codec.synthesise(groups, header_for(image)).astype(int)
    # Float noise may round a value the other way, rarely.
    assert np.abs(tiles - whole).max() <= 1
    assert (tiles != whole).mean() < 1e-4
    monkeypatch.setattr(synthesis, "MARGIN", 0)
    assert (codec.synthesise(groups, header_for(image)).astype(int) != whole).mean() > 1e-3


def test_filters_are_stored(codec: HyperpriorCodec) -> None:
    again = HyperpriorCodec.from_tensors(codec.to_tensors(), vars(SMALL))
    assert codec.finishing is not None
    assert again.finishing is not None
    assert torch.allclose(again.finishing.weights, codec.finishing.weights, atol=1e-3)
    assert again.synthesis_halo == codec.synthesis_halo == codec.network.synthesis_halo + 1


@pytest.mark.parametrize("tune", STRENGTHS)
def test_fitting_lowers_the_error_of_what_is_decoded(
    tune: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "EYE_STEPS", 10)
    monkeypatch.setattr(calibration, "EYE_RATE", 1e-3)
    codec = random_codec()
    images = [(picture(64, 80, seed) * 255).round().byte().permute(1, 2, 0).numpy() for seed in range(6)]
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    (tmp_path / "small.png").write_bytes((tmp_path / "0.png").read_bytes())
    Image.fromarray(images[0][:10]).save(tmp_path / "small.png")  # too small for a latent: left out

    def errors() -> float:
        found = []
        for image in images:
            coded = codec.code(codec.analyse(image), 50).groups
            found.append(np.square(codec.synthesise(coded, header_for(image, 50)) - image.astype(float)).mean())
        return float(np.mean(found))

    before = errors()
    card = fit_finishing(codec, tmp_path, tune)
    assert card["pictures"] == 18
    assert card["pixels"] == 18 * 64 * 80
    assert card["gain_db"] > 0
    assert errors() < before
    assert ("distortion_change" in card) == (tune == "visual")
    assert card.get("distortion_change", -1) < 0


def test_gradients_flow_to_weights_that_require_them_and_the_result_is_the_same() -> None:
    image, fixed = picture(48, 40), filters()
    free = FinishingFilter(fixed.weights.clone().requires_grad_())
    filtered = free(image, MIDDLE)
    assert torch.allclose(filtered, fixed(image, MIDDLE), atol=1e-5)
    step = torch.zeros_like(fixed.weights)
    step[1, 2, 3] = 1e-2
    (gradient,) = torch.autograd.grad(filtered.sum(dim=(1, 2)).square().sum(), free.weights)
    moved = [FinishingFilter(fixed.weights + sign * step)(image, MIDDLE).double().sum(dim=(1, 2)) for sign in (1, -1)]
    slope = float((moved[0].square().sum() - moved[1].square().sum()) / 2e-2)
    assert float(gradient[1, 2, 3]) == pytest.approx(slope, rel=0.05)
