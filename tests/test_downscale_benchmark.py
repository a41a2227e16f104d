"""The benchmark of coding at smaller sizes: BD-rates between two rates, means over what both reach, pictures to see."""

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.modules import BENCHMARKS, module_at

RATES = (0.02, 0.03, 0.05, 0.1, 0.2)


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return module_at(BENCHMARKS / "downscale.py")


def _point(bpp: float, saved: float = 1.0, downscale: int = 1) -> dict[str, Any]:
    """A point of a curve that needs `saved` of the bits, in 1 s and 0.5 s, twice as fast at half of the sides."""
    psnr = 30 + 10 * math.log10(bpp / saved)
    seconds = 1 / downscale
    return {
        "bpp": bpp, "downscale": downscale, "psnr": psnr, "ms_ssim": 1 - 0.01 * saved / bpp,
        "ssimulacra2": 2 * psnr,
        "encode_seconds": 2 - seconds, "decode_seconds": seconds / 2,
    }  # fmt: skip


def test_a_bd_rate_is_that_between_its_two_rates(benchmark: ModuleType) -> None:
    own = [_point(bpp) for bpp in RATES]
    half = [_point(bpp, 0.8, 2) for bpp in RATES]
    assert benchmark.change(own, half, "psnr") == pytest.approx(-20)
    assert benchmark.change(own, half, "ms_ssim") == pytest.approx(-20, abs=0.1)
    assert benchmark.change(own, half, "ssimulacra2") == pytest.approx(-20)
    assert benchmark.change(own, [half[0], *own[1:]], "psnr") == 0
    assert benchmark.change(own, [own[0], _point(0.0295, 0.8, 2), *own[2:]], "psnr") < 0  # 0.03 was asked for
    assert benchmark.change(own[:1], half, "psnr") is None


def test_a_rate_that_one_of_them_reaches_is_counted_apart(benchmark: ModuleType) -> None:
    points = [
        {"picture": "a", "target_bpp": 0.02, "own": None, "auto": _point(0.02, 0.8, 2)},
        {"picture": "b", "target_bpp": 0.02, "own": _point(0.02), "auto": _point(0.02, 0.5, 2)},
        {"picture": "c", "target_bpp": 0.02, "own": _point(0.02), "auto": _point(0.02)},
        {"picture": "b", "target_bpp": 0.03, "own": _point(0.03), "auto": _point(0.03)},
    ]
    row = benchmark.by_rate(points, 0.02)
    assert (row["pictures"], row["smaller"], row["by_auto_alone"]) == (2, 1, 1)
    assert row["auto_psnr"] - row["own_psnr"] == pytest.approx(10 * math.log10(2) / 2)
    assert row["encode_times"] == pytest.approx(2.5 / 2)
    assert row["decode_times"] == pytest.approx(2)
    assert benchmark.by_picture(points, "b")["smaller_up_to"] == 0.02


def test_files_are_measured_drawn_and_shown(benchmark: ModuleType, tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:330, 0:340]
    waves = np.dstack([np.sin(rows / a + columns / b) * 60 + 128 for a, b in ((31, 47), (53, 29), (71, 97))])
    Image.fromarray(waves.astype(np.uint8)).save(tmp_path / "waves.png")
    pytest.importorskip("ssimulacra2")
    out, curves = tmp_path / "d.json", tmp_path / "d.png"
    given = [str(tmp_path), "--only", "waves", "--rates", "0.03", "--crop", "320", "--tune", "psnr"]
    benchmark.main([*given, "--out", str(out), "--curves", str(curves)])
    found = json.loads(out.read_text())
    (point,) = found["points"]
    assert point["own"]["downscale"] == 1
    assert point["auto"]["psnr"] >= point["own"]["psnr"]
    assert found["by_picture"][0]["least_psnr"] >= 0
    assert Image.open(curves).size[0] > 500
    benchmark.main([*given, "--shown", str(tmp_path)])
    assert Image.open(tmp_path / "downscale-waves.jpg").size == (3 * 320 + 2 * 8, 320)
