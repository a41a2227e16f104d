"""Published curves: those in the package are sane, and others are read or refused in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from lpcodec.codec.errors import FileAccessError, UsageError
from lpcodec.codec.evaluation.run.published import curves, read

SETS = ("kodak", "clic2020-professional-valid")
CURVE: dict[str, Any] = {"name": "x", "description": "X", "source": "a paper", "results": {
    "bpp": [0.5, 0.2], "psnr-rgb": [33.0, 30.0], "ms-ssim-rgb": [0.97, 0.95],
}}  # fmt: skip


def written(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content))
    return str(path)


@pytest.mark.parametrize("name", SETS)
def test_the_packages_own_are_sane_and_have_a_source(name: str) -> None:
    found = curves(name)
    assert len(found) >= 5
    assert len({c.name for c in found}) == len(found)
    for curve in found:
        assert "github:" in curve.source
        assert curve.title
        assert len(curve.bpp) == len(curve.psnr) >= 4
        assert list(curve.bpp) == sorted(curve.bpp)
        assert list(curve.psnr) == sorted(curve.psnr)
        assert 0.01 < curve.bpp[0] < curve.bpp[-1] <= 3
        assert 20 < curve.psnr[0] < curve.psnr[-1] < 50
        if curve.ms_ssim is not None:
            assert len(curve.ms_ssim) == len(curve.bpp)
            assert all(0.5 < value < 1 for value in curve.ms_ssim)  # linear, not dB


def test_vtm_on_kodak_is_where_it_is_known_to_be() -> None:
    vtm = next(c for c in curves("kodak") if c.name == "vtm")
    at = dict(zip(vtm.bpp, vtm.psnr, strict=True))
    assert min(abs(rate - 0.49) + abs(db - 34.26) for rate, db in at.items()) < 0.02


def test_other_sets_have_none_and_none_leaves_them_out() -> None:
    assert curves(None) == curves("my photos") == curves("../kodak") == ()
    assert curves("kodak", "none") == ()


def test_a_file_or_folder_adds_its_curves(tmp_path: Path) -> None:
    one = curves(None, written(tmp_path / "x.json", CURVE))
    assert [(c.name, c.title, c.source, c.bpp, c.ms_ssim) for c in one] == [
        ("x", "X", "a paper", (0.2, 0.5), (0.95, 0.97))
    ]
    assert curves(None, str(tmp_path)) == one
    own = tmp_path / "kodak"
    own.mkdir()
    written(own / "vtm.json", [{**CURVE, "name": "vtm"}, {**CURVE, "name": "new"}])
    names = [c.name for c in curves("kodak", str(tmp_path))]
    assert names[-1] == "new"
    assert names.count("vtm") == 1
    assert "x" not in names
    assert next(c for c in curves("kodak", str(tmp_path)) if c.name == "vtm").source == "a paper"


def test_a_curve_without_a_source_says_so(tmp_path: Path) -> None:
    del (bare := dict(CURVE))["source"]
    assert "names no source" in read(Path(written(tmp_path / "bare.json", bare)))[0].source


@pytest.mark.parametrize(
    "content",
    [
        {},
        3,
        {"results": {"bpp": [1]}},
        {"results": {"bpp": [1], "psnr-rgb": [1, 2]}},
        {"results": {"bpp": [], "psnr-rgb": []}},
    ],
)
def test_what_is_no_curve_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(UsageError, match="not a published curve"):
        curves(None, written(tmp_path / "x.json", content))


def test_what_is_no_text_is_not_printed(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(bytes(range(256)) * 100)
    with pytest.raises(UsageError, match="not a published curve") as caught:
        curves(None, str(path))
    assert len(str(caught.value)) < len(str(path)) + 250


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(FileAccessError):
            curves(None, str(path))
