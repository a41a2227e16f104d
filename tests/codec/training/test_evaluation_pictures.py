"""Training refuses pictures of an evaluation set before it begins."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec.errors import UsageError
from lpcodec.codec.training.loop import train
from lpcodec.datasets import guard
from lpcodec.datasets.dataset import DataSet
from lpcodec.datasets.pictures import pixel_digest


def test_training_names_the_set_and_the_picture_and_writes_nothing(tmp_path: Path, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    data = tmp_path / "data"
    data.mkdir()
    pictures = [rng.integers(0, 256, (300, 310, 3), np.uint8) for _ in range(3)]
    for number, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(data / f"{number}.png", compress_level=1)
    known = DataSet(
        "some", "Some", 1, "test", "free", "http://x", digests={"k7": pixel_digest(pictures[1])}, access="y"
    )
    monkeypatch.setattr(guard, "sets", lambda: (known,))
    with pytest.raises(UsageError, match=r"^training pictures: 1\.png is k7 of Some, an evaluation set"):
        train("nowcae", data, tmp_path / "run", steps=1)
    assert not (tmp_path / "run").exists()
