"""The benchmark script, on two small pictures and two peers."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "kodak.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    if not SCRIPT.exists():
        pytest.skip("benchmarks/ is in the repository only, not in the source distribution")
    spec = importlib.util.spec_from_file_location("kodak", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "kodak", module)  # dataclasses look it up
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "_use_threads", lambda count: None)  # holds the whole process to a processor
    return module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "waves"
    data.mkdir()
    y, x = np.mgrid[:168, :176]
    for i in range(2):
        grain = np.random.default_rng(i).normal(0, 10, (168, 176, 3))
        waves = 128 + 60 * np.sin(x / 7 + i)[..., None] * np.cos(y / 9)[..., None] + grain
        Image.fromarray(np.clip(waves, 0, 255).astype(np.uint8)).save(data / f"{i}.png")
    return data


def test_peers_alone(script: ModuleType, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out" / "waves.json"
    arguments = ["--data", str(folder), "--out", str(out), "--models", "none", "--peers", "jpeg,webp"]
    script.main([*arguments, "--targets", "1.5"])
    printed = capsys.readouterr().out
    first = json.loads(out.read_text())
    assert first["set"]["name"] == "waves"
    assert list(first["set"]["pictures"]) == ["0", "1"]
    assert first["peer_points_from_cache"] == 0
    assert [row["codec"] for row in first["targets"]] == ["jpeg"]
    assert first["targets"][0]["bpp"] <= 1.5
    assert {row["codec"] for row in first["sweeps"]} == {"jpeg", "webp"}
    assert len(first["bd_rates"]) == 4
    assert "| 1.5 | jpeg |" in printed
    assert "BD-rate by ms_ssim" in printed
    assert str(tmp_path) not in out.read_text() + printed  # no paths of the machine
    assert Image.open(out.with_suffix(".png")).size == (960, 1500)

    script.main([*arguments, "--targets", "1.5"])
    second = json.loads(out.read_text())
    assert second["peer_points_from_cache"] == 2 * (11 + 10 + 1)
    assert second["sweeps"] == first["sweeps"]


def test_names_that_are_not_there(script: ModuleType, folder: Path, tmp_path: Path) -> None:
    common = ["--data", str(folder), "--out", str(tmp_path / "o.json")]
    with pytest.raises(SystemExit, match="no such peer here: gif"):
        script.main([*common, "--models", "none", "--peers", "gif"])
    with pytest.raises(SystemExit, match="no weights for: nothing"):
        script.main([*common, "--models", "nothing"])
