"""Golden files: what was encoded once must always decode, and the shipped weights must stay as good as they were.

tests/golden/make.py makes them; until 1.0 they may be replaced when the format or the weights change.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lpcodec
from lpcodec.codec import models
from lpcodec.codec.devices import bfloat16_pays

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
import make as golden  # noqa: E402

FIGURES = json.loads((GOLDEN / "golden.json").read_text())


@pytest.mark.parametrize("stem", sorted(FIGURES))
def test_a_golden_file_decodes_to_its_symbols_and_nearly_to_its_pixels(stem: str) -> None:
    """Within a level where float32 is computed with, as for the golden pixels, and within two where bfloat16 is; twice
    as far if the picture is enlarged (G1)."""
    data = (GOLDEN / f"{stem}.lpc").read_bytes()
    assert lpcodec.info(data)["symbols_hash"] == FIGURES[stem]["symbols_hash"]
    decoded = np.asarray(lpcodec.decode(data), np.int16)  # decode compares the parsed symbols with the file's hash
    with Image.open(GOLDEN / f"{stem}.png") as expected:
        most = (2 if bfloat16_pays("cpu") else 1) * FIGURES[stem].get("downscale", 1)
        assert np.abs(decoded - np.asarray(expected, np.int16)).max() <= most


@pytest.mark.parametrize("stem", sorted(FIGURES))
def test_the_shipped_weights_still_reach_the_bytes_and_psnr_they_had(stem: str) -> None:
    """Within 1 % and 0.1 dB; three times as far for weights for the eye, because float noise may choose other qualities
    for single squares, and these pictures have nine."""
    figures = FIGURES[stem]
    picture = golden.crop(figures["picture"])
    far = 3 if figures["model"].endswith("@visual") else 1
    asked = {"quality": figures["quality"], "downscale": figures.get("downscale", 1)}
    data = lpcodec.encode(picture, model=figures["model"], tune="psnr", **asked)
    assert len(data) == pytest.approx(figures["bytes"], rel=0.01 * far, abs=8)
    assert golden.psnr(picture, lpcodec.decode(data)) == pytest.approx(figures["psnr"], abs=0.1 * far)


def test_there_is_a_golden_file_of_every_codec_s_weights() -> None:
    codecs = {row["name"] for row in models.describe() if row["task"] == "codec" and row["weights"]}
    assert {figures["model"] for figures in FIGURES.values()} == codecs


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_change_the_symbols(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for stem in FIGURES:
            lpcodec.verify((GOLDEN / f"{stem}.lpc").read_bytes())
    finally:
        torch.set_num_threads(before)
