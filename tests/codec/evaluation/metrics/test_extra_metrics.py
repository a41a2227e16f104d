"""Further measures: what they are on pictures where that is known, and what is said where a package is missing."""

import importlib.util
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lpcodec.codec.errors import UsageError
from lpcodec.codec.evaluation.metrics import extra_metrics
from lpcodec.codec.evaluation.metrics.distortion import psnr


def waves(side: int = 64, seed: int = 0) -> NDArray[np.uint8]:
    y, x = np.mgrid[:side, :side]
    planes = [120 + 60 * np.sin(x / (5 + c)) * np.cos(y / 7) for c in range(3)]
    noise = np.random.default_rng(seed).normal(0, 4, (side, side, 3))
    return np.clip(np.stack(planes, 2) + noise, 0, 255).astype(np.uint8)


def worse(pixels: NDArray[np.uint8], amount: float) -> NDArray[np.uint8]:
    noise = np.random.default_rng(1).normal(0, amount, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def installed(name: str) -> bool:
    try:
        extra_metrics.check([name])
    except UsageError:
        return False
    return True


@pytest.mark.parametrize("name", extra_metrics.EXTRA_METRICS)
def test_a_measure_gets_worse_with_noise(name: str) -> None:
    if not installed(name):
        pytest.skip(f"{name} isn't installed here")
    original = waves(max(64, extra_metrics.EXTRA_METRICS[name].smallest_side))
    values = [extra_metrics.value_of(name, original, worse(original, amount)) for amount in (3, 25)]
    assert None not in values
    assert (values[0] > values[1]) == extra_metrics.EXTRA_METRICS[name].higher_is_better  # type: ignore[operator]


def test_luma_weighs_the_channels_as_bt_601_does() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    for channel, weight in enumerate((0.299, 0.587, 0.114)):
        one = black.copy()
        one[..., channel] = 100
        assert extra_metrics.psnr_y(black, one) == pytest.approx(20 * np.log10(255 / (100 * weight)))
    assert extra_metrics.psnr_y(black, black) == extra_metrics.LOSSLESS_DB


@given(level=st.integers(0, 200), offset=st.integers(1, 55))
@settings(max_examples=30, deadline=None)
def test_luma_of_grey_pictures_is_grey(level: int, offset: int) -> None:
    low = np.full((3, 5, 3), level, np.uint8)
    assert extra_metrics.psnr_y(low, low + np.uint8(offset)) == pytest.approx(psnr(low, low + np.uint8(offset)))


def test_luma_is_what_pillow_makes_of_it_but_for_rounding() -> None:
    original, other = waves(), worse(waves(), 10)
    rounded = [np.asarray(Image.fromarray(p).convert("L"), np.float64) for p in (original, other)]
    db = 10 * np.log10(255**2 / np.mean((rounded[0] - rounded[1]) ** 2))
    assert extra_metrics.psnr_y(original, other) == pytest.approx(db, abs=0.02)


def test_equal_pictures_are_perfect() -> None:
    assert extra_metrics.ssim(waves(), waves()) == pytest.approx(1, abs=1e-6)
    if installed("ssimulacra2"):
        assert extra_metrics.ssimulacra2(waves(), waves()) == pytest.approx(100, abs=1e-6)


def test_a_picture_too_small_for_a_measure_has_none() -> None:
    assert extra_metrics.value_of("ssim", waves(10), waves(10)) is None
    assert extra_metrics.value_of("psnr-y", waves(10), waves(10)) is not None


def test_ssimulacra2_needs_all_of_its_six_scales() -> None:
    assert extra_metrics.value_of("ssimulacra2", waves(224), waves(224)) is None
    if not installed("ssimulacra2"):
        pytest.skip("ssimulacra2 isn't installed here")
    original = waves(512)
    decoded = worse(original, 6)
    whole = extra_metrics.value_of("ssimulacra2", original, decoded)
    part = extra_metrics.value_of("ssimulacra2", original[:225, :225], decoded[:225, :225])
    assert part == pytest.approx(whole, abs=3)  # noise is equally bad everywhere


def test_an_unknown_measure_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no metric named 'vmaf'; there are: psnr-y, ssim, lpips"):
        extra_metrics.check(["ssim", "vmaf"])


@pytest.mark.parametrize("name", ["lpips", "ssimulacra2"])
def test_a_missing_package_is_one_line_that_names_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda n, *a: None if n == name else find(n, *a))
    monkeypatch.setattr(extra_metrics, "make_importable", lambda: None)
    with pytest.raises(UsageError, match=f"pip install {name}$"):
        extra_metrics.check([name])


def test_lpips_without_torchvision_or_weights_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent() -> None:
        raise ImportError("No module named 'torchvision'")

    monkeypatch.setattr(extra_metrics, "make_importable", absent)
    with pytest.raises(UsageError, match="pip install lpips torchvision"):
        extra_metrics.check(["lpips"])
    monkeypatch.setattr(extra_metrics, "make_importable", lambda: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: object())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="nothing is downloaded here: put alexnet"):
        extra_metrics.check(["lpips"])


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
def test_butteraugli_is_the_first_number_that_its_program_prints(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="butteraugli_main of libjxl"):
        extra_metrics.check(["butteraugli"])
    program = tmp_path / extra_metrics.BUTTERAUGLI
    check = "from PIL import Image; import sys; a, b = (Image.open(p).size for p in sys.argv[1:]); assert a == b"
    program.write_text(f"#!{sys.executable}\n{check}\nprint('1.2345000000')\nprint('3-norm: 0.55')\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    extra_metrics.check(["butteraugli"])
    assert extra_metrics.value_of("butteraugli", waves(), waves()) == 1.2345
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('out of luck')\n")
    with pytest.raises(UsageError, match="butteraugli_main failed: out of luck"):
        extra_metrics.value_of("butteraugli", waves(), waves())
