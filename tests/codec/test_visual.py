"""The visual distance is SSIMULACRA 2 but for the border, its gradients are finite, and equal pictures have none."""

from pathlib import Path

import numpy as np
import pytest
import pytorch_msssim  # type: ignore[import-untyped]
import torch
from PIL import Image, ImageFilter

from lpcodec.codec import visual
from lpcodec.codec.visual import distance, score, seen, seen_of_pixels, structure_lost

FACE = Path(__file__).parents[1] / "golden" / "face-default-q60.png"


def _face() -> Image.Image:
    return Image.open(FACE).convert("RGB").resize((256, 256), Image.Resampling.LANCZOS)


def _tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].float() / 255


def _framed(image: Image.Image) -> Image.Image:
    """The picture on a grey canvas, so that what is beyond the border decides nothing."""
    canvas = Image.new("RGB", (512, 512), (128, 128, 128))
    canvas.paste(image, (128, 128))
    return canvas


def _distorted(kind: str) -> Image.Image:
    import io

    face = _face()
    if kind == "blur":
        return face.filter(ImageFilter.GaussianBlur(1.2))
    if kind == "colour":
        red, green, blue = face.split()
        return Image.merge("RGB", (red.point(lambda v: min(255, v + 12)), green, blue))
    if kind == "noise":
        noise = np.random.default_rng(0).normal(0, 8, (256, 256, 3))
        return Image.fromarray((np.asarray(face) + noise).clip(0, 255).astype(np.uint8))
    file = io.BytesIO()
    face.save(file, "JPEG", quality=int(kind))
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


@pytest.mark.parametrize("kind", ["blur", "colour", "noise", "15", "40", "80"])
def test_the_score_is_that_of_the_metric(kind: str, tmp_path: Path) -> None:
    metric = pytest.importorskip("ssimulacra2")
    face, other = _framed(_face()), _framed(_distorted(kind))
    face.save(tmp_path / "a.png")
    other.save(tmp_path / "b.png")
    wanted = metric.compute_ssimulacra2(str(tmp_path / "a.png"), str(tmp_path / "b.png"))
    found = float(score(distance(_tensor(other), _tensor(face)))[0])
    assert found == pytest.approx(wanted, abs=1.2)


def test_equal_pictures_are_at_distance_zero_with_finite_gradients() -> None:
    same = _tensor(_face()).requires_grad_()
    found = distance(same, same.detach())
    assert float(found) < 0.2
    found.sum().backward()
    assert same.grad is not None
    assert torch.isfinite(same.grad).all()


def test_gradients_are_finite_outside_the_range_and_lead_back() -> None:
    original = _tensor(_face()).to(torch.float32)
    decoded = (original * 1.6 - 0.3).requires_grad_()
    before = distance(decoded, original)
    before.sum().backward()
    assert decoded.grad is not None
    assert torch.isfinite(decoded.grad).all()
    step = decoded.detach() - 1e-4 * decoded.grad / decoded.grad.abs().mean()
    assert float(distance(step, original)) < float(before)


@pytest.mark.parametrize("blur", [0.5, 1.5, 4.0])
def test_the_structure_that_is_lost_is_that_of_ms_ssim(blur: float) -> None:
    """pytorch-msssim's MS-SSIM of the luma, of smooth noise and its blurred copy."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, 64, 72, generator=generator)
    original = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bicubic").clamp(0, 1)
    decoded = blurred_by_pillow(original, blur)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    own, true = ((luma * pictures).sum(1, keepdim=True) for pictures in (decoded, original))
    wanted = 1 - pytorch_msssim.ms_ssim(own, true, data_range=1, size_average=False)
    assert torch.allclose(structure_lost(decoded, original), wanted, atol=1e-5)


def blurred_by_pillow(pictures: torch.Tensor, sigma: float) -> torch.Tensor:
    """Pictures (B, 3, H, W), blurred by Pillow."""
    found = []
    for picture in pictures:
        image = Image.fromarray((picture.permute(1, 2, 0) * 255).round().byte().numpy())
        blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(sigma)), np.float32) / 255
        found.append(torch.from_numpy(blurred).permute(2, 0, 1))
    return torch.stack(found)


def test_what_structure_is_lost_has_finite_gradients_everywhere() -> None:
    original = torch.rand(1, 3, 176, 192, generator=torch.Generator().manual_seed(0))
    for decoded in (original.clone(), 1 - original, torch.full_like(original, 0.5), torch.zeros_like(original)):
        decoded.requires_grad_()
        structure_lost(decoded, original).sum().backward()  # type: ignore[no-untyped-call]
        assert decoded.grad is not None
        assert decoded.grad.isfinite().all()
    assert float(structure_lost(original, original)) == pytest.approx(0, abs=1e-6)


def test_each_picture_has_a_distance_of_its_own() -> None:
    face = _tensor(_face())
    others = torch.cat([_tensor(_distorted("15")), face, _tensor(_distorted("80"))])
    bad, none, good = distance(others, face.expand(3, -1, -1, -1))
    assert bad > good > none


def test_the_hyperprior_family_trains_on_it() -> None:
    """`tune=visual` changes what is distortion, and nothing else; another value is an error that names both."""
    from lpcodec.codec.families.hyperprior.family import FAMILY

    plan = {"model": "fast", "tune": FAMILY.options["tune"].parse("visual")}
    objective, plain = FAMILY.objective(plan, "cpu"), FAMILY.objective({"model": "fast"}, "cpu")
    plain.network.load_state_dict(objective.network.state_dict())
    batch = _tensor(_face())
    losses = []
    for each in (objective, plain):
        torch.manual_seed(0)
        loss, figures = each.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append((float(loss.detach()), float(figures["bpp"])))
    assert losses[0][1] == losses[1][1]
    assert losses[0][0] != losses[1][0]
    with pytest.raises(ValueError, match="one of psnr, visual"):
        FAMILY.options["tune"].parse("loud")


def test_what_is_seen_of_pixels_is_that_of_the_picture_if_it_is_one_tile() -> None:
    face, other = _face(), _distorted("40")
    wanted = float(seen(_tensor(other), _tensor(face)))
    assert seen_of_pixels(np.asarray(other), np.asarray(face)) == pytest.approx(wanted, rel=1e-5)
    assert seen_of_pixels(np.asarray(face), np.asarray(face)) == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("size", [(1, 1), (30, 400), (161, 175), (700, 1100)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_any_size_have_a_distortion_that_grows_with_the_blur(size: tuple[int, int], channels: int) -> None:
    face = np.asarray(_face().resize(size[::-1]))[..., :channels]
    shown = Image.fromarray(face if channels == 3 else face[..., 0])
    lost = []
    for radius in (0, 1, 3):
        blurred = np.asarray(shown.filter(ImageFilter.GaussianBlur(radius)))
        lost.append(seen_of_pixels(blurred.reshape(face.shape), face))
    assert lost[0] == pytest.approx(0, abs=1e-2)
    if min(size) > 1:
        assert lost[0] < lost[1] < lost[2]


def test_of_a_large_picture_as_many_tiles_are_compared_as_of_a_smaller_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visual, "_TILE", 176)
    original = np.random.default_rng(0).integers(100, 156, (176 * 9, 176 * 7, 3)).astype(np.uint8)
    compared = []

    def counted(decoded: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        compared.append(float(wanted.sum()))
        return (decoded - wanted).square().mean((1, 2, 3))

    monkeypatch.setattr(visual, "seen", counted)
    darker = original.copy()
    darker[:792] -= 51  # the upper half
    assert seen_of_pixels(darker, original) == pytest.approx(0.5 * 0.2**2, rel=0.15)
    assert len(set(compared)) == 16
