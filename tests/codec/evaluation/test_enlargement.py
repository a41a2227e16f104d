"""The evaluation of upscalers is that of the papers: a public network and bicubic have their published figures.

LPCODEC_REFERENCE names a folder with `eval/set5`, `eval/set14`, `eval/bsd100` (lossless originals) and
`reference/lapsrn-x4-twtygqyy.safetensors` (weights of twtygqyy/pytorch-LapSRN, MIT). The tests that need it are left
out without it.
"""

import os
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lpcodec.codec.errors import UsageError
from lpcodec.codec.evaluation import enlargement
from lpcodec.codec.families.superresolution.lapsrn import LapSRN
from lpcodec.codec.families.superresolution.upscaler import Upscaler
from lpcodec.codec.picture import read_rgb
from lpcodec.datasets.pictures import picture_files

REFERENCE = os.environ.get("LPCODEC_REFERENCE")
needs_reference = pytest.mark.skipif(REFERENCE is None, reason="LPCODEC_REFERENCE names no folder")


def _psnr(path: Path, scale: int, method: enlargement.Method) -> float:
    original = enlargement.cropped(read_rgb(path), scale)
    enlarged = method(enlargement.reduced(original, scale), scale)
    return enlargement.compare(original, enlarged, scale).psnr


def _port(file: Path) -> Upscaler:
    """The public port of LapSRN x4 with its published weights, in our network."""
    theirs = load_file(file)
    network = LapSRN(4, kernel=4, bias=False)
    ours = {"input.weight": theirs["conv_input.weight"]}
    for level in (0, 1):
        block = f"convt_F{level + 1}.0.cov_block."
        ours |= {f"blocks.{level}.{i}.weight": theirs[f"{block}{2 * i}.weight"] for i in range(10)}
        ours[f"spread.{level}.weight"] = theirs[f"{block}20.weight"]
        ours[f"residual.{level}.weight"] = theirs[f"convt_R{level + 1}.weight"]
        ours[f"image.{level}.weight"] = theirs[f"convt_I{level + 1}.weight"]
    network.load_state_dict(ours)
    return Upscaler(network)


@needs_reference
@pytest.mark.parametrize(
    ("name", "scale", "psnr"),
    [("set5", 2, 33.67), ("set5", 4, 28.43), ("set14", 2, 30.24), ("set14", 4, 26.00), ("bsd100", 2, 29.56)],
)
def test_bicubic_has_its_published_figures(name, scale, psnr):
    rows = enlargement.table([str(Path(REFERENCE or "") / "eval" / name)], [scale], ["bicubic"])
    assert rows[0].psnr == pytest.approx(psnr, abs=0.015)


@needs_reference
@pytest.mark.parametrize(("name", "psnr"), [("set5", 31.62), ("set14", 28.49)])
def test_a_public_lapsrn_has_its_figures_in_our_network_and_evaluation(name, psnr):
    """Weights trained elsewhere: layers, order, padding, luma and border must all be right for these figures, which
    another program measured; on Set14 without `bridge`, which is grey."""
    port = _port(Path(REFERENCE or "") / "reference/lapsrn-x4-twtygqyy.safetensors")
    paths = [path for path in picture_files(Path(REFERENCE or "") / "eval" / name) if path.stem != "bridge"]
    assert fmean(_psnr(path, 4, port.enlarge) for path in paths) == pytest.approx(psnr, abs=0.04)


def test_luma_is_matlabs():
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert enlargement.luma(colours)[0] == pytest.approx([16, 235, 81.481, 144.553, 40.966])


def test_equal_pictures_are_infinitely_near():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    assert enlargement.compare(pixels, pixels, 2) == enlargement.Scores(float("inf"), pytest.approx(1.0))


def test_the_border_does_not_count():
    pixels = np.full((24, 24, 3), 90, np.uint8)
    other = pixels.copy()
    other[:2] = 200
    assert enlargement.compare(pixels, other, 2).psnr == float("inf")
    assert enlargement.compare(pixels, other, 1).psnr < 40


def test_ssim_is_that_of_a_slow_computation():
    generator = np.random.default_rng(1)
    a = generator.integers(0, 256, (13, 12, 3), dtype=np.uint8)
    b = np.clip(a + generator.integers(-40, 40, a.shape), 0, 255).astype(np.uint8)
    x, y = enlargement.luma(a), enlargement.luma(b)
    taps = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / taps.sum() ** 2
    values = []
    for row in range(3):
        for column in range(2):
            p, q = x[row : row + 11, column : column + 11], y[row : row + 11, column : column + 11]
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq, c = (window * p**2).sum() - mp**2, (window * q**2).sum() - mq**2, (window * p * q).sum() - mp * mq
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            values.append((2 * mp * mq + c1) * (2 * c + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    assert enlargement.compare(a, b, 0).ssim == pytest.approx(float(np.mean(values)), rel=1e-4)


def test_a_table_has_a_row_per_folder_scale_and_method(tmp_path):
    from PIL import Image

    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(2):
        pixels = torch.randint(0, 256, (33, 30, 3), generator=torch.Generator().manual_seed(number)).byte().numpy()
        Image.fromarray(pixels).save(folder / f"{number}.png")
    rows = enlargement.table([str(folder)], [2, 3], ["bicubic"])
    assert [(row.data, row.pictures, row.scale, row.method) for row in rows] == [
        ("few", 2, 2, "bicubic"), ("few", 2, 3, "bicubic"),
    ]  # fmt: skip


def test_a_folder_without_pictures_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no pictures"):
        enlargement.table([str(tmp_path)], [2])


def test_grey_files_are_their_own_luma_and_grey_colours_are_not(tmp_path):
    from PIL import Image

    grey = np.random.default_rng(2).integers(0, 256, (32, 32), dtype=np.uint8)
    psnr = {}
    for name, image in {"grey": Image.fromarray(grey), "rgb": Image.fromarray(np.dstack([grey] * 3))}.items():
        (tmp_path / name).mkdir()
        image.save(tmp_path / name / "a.png")
        psnr[name] = enlargement.table([str(tmp_path / name)], [2], ["bicubic"])[0].psnr
    assert psnr["rgb"] - psnr["grey"] == pytest.approx(20 * np.log10(255 / 219), abs=1e-6)


@pytest.mark.parametrize(
    ("scale", "method", "data", "psnr"),
    [(2, "LPN", "set5", 37.97), (4, "CMS-LapSRN (3rd ConV)", "set14", 28.19), (4, "BSRN", "bsd100", 27.65)],
)
def test_published_figures_have_their_source(scale, method, data, psnr):
    row = next(row for row in enlargement.published(scale) if row.method == method)
    assert row.results[data][0] == psnr
    assert row.source
