"""The benchmark of targets knows each way that an encoding can end, and which of them break a promise."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec.encoding import EncodeResult
from tests.modules import BENCHMARKS, module_at


@pytest.fixture(scope="module")
def targets() -> ModuleType:
    return module_at(BENCHMARKS / "targets.py")


@pytest.mark.parametrize(
    ("size", "model", "quality", "end"),
    [
        (1001, "default", 50.0, "above"), (1000, "default", 50.0, "near"), (970, "default", 50.0, "near"),
        (969, "default", 50.0, "short"), (969, "default", 100.0, "room_to_spare"), (500, "stored", None, "stored"),
        (1001, "stored", None, "above"),
    ],
)  # fmt: skip
def test_ends(targets: ModuleType, size: int, model: str, quality: float | None, end: str) -> None:
    assert targets.end_of(EncodeResult(bytes(size), (), 1.0, quality, model, 80, 100), 1000) == end


def test_small_files_may_miss_by_a_few_bytes(targets: ModuleType) -> None:
    result = EncodeResult(bytes(42), (), 1.0, 40.0, "default", 80, 100)
    assert targets.end_of(result, 50.5) == "near"
    assert targets.end_of(result, 51) == "short"


def test_every_promise_is_kept_on_a_picture(targets: ModuleType, tmp_path: Path) -> None:
    x = np.linspace(0, 9, 160)
    waves = (127 + 120 * np.sin(x[:, None] * x[None, :])).astype(np.uint8)
    pixels = np.dstack([waves, waves[::-1], waves[:, ::-1]])
    Image.fromarray(pixels).save(tmp_path / "waves.png")
    targets.main(["--data", f"one={tmp_path}", "--out", str(tmp_path / "t.json")])
    row = json.loads((tmp_path / "t.json").read_text())["sets"]["one"]
    assert row["files"] == sum(row[end] for end in targets.ENDS) == len(targets.TARGETS)
    assert row["broken"] == []
