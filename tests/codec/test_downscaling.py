"""Coding at half or a quarter of the sides: chosen if it is better, decoded to the size that is shown."""

import dataclasses
import io
from itertools import product

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import lpcodec
import lpcodec.pillow
from lpcodec.cli.app import app
from lpcodec.codec import container, downscaling, models, visual
from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.errors import DamagedFileError, TargetError, UnknownModelError, UsageError
from lpcodec.codec.header import Downscaled

SIZE = 301, 299


@pytest.fixture(scope="module")
def smooth() -> np.ndarray:
    """A picture without fine detail, which half of its sides can hold."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    waves = [np.sin(rows / a + columns / b) * 60 + 128 for a, b in ((31, 47), (53, 29), (71, 97))]
    return np.dstack(waves).astype(np.uint8)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """The photograph that matplotlib carries."""
    cbook = pytest.importorskip("matplotlib.cbook")
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        return np.asarray(Image.open(file).convert("RGB"))[:400]


def _psnr(data: bytes, original: np.ndarray) -> float:
    decoded = np.asarray(lpcodec.decode(data).convert("RGB"), float)
    return -10 * np.log10(np.square(decoded - original).mean() / 255**2)


@pytest.mark.parametrize(("halvings", "height", "width"), list(product((1, 2), (1, 7, 16), (1, 5, 8))))
def test_every_size_comes_back(halvings, height, width):
    pixels = np.full((height, width, 3), 77, np.uint8)
    small = downscaling.reduced(pixels, halvings)
    assert small.shape == (ceil_div(height, 1 << halvings), ceil_div(width, 1 << halvings), 3)
    assert np.array_equal(downscaling.enlarged(small, width, height, Downscaled(halvings)), pixels)


def test_what_is_enlarged_lies_where_it_was():
    rows, columns = np.mgrid[0:33, 0:41]
    ramp = np.dstack([rows * 5 + 30, columns * 4 + 20, rows + columns]).astype(np.uint8)
    back = downscaling.enlarged(downscaling.reduced(ramp, 1), 41, 33, Downscaled(1))
    assert np.abs(back[4:-5, 4:-5].astype(int) - ramp[4:-5, 4:-5]).max() <= 2


def test_auto_is_never_worse_than_the_own_size(smooth):
    results = {d: lpcodec.encode_report(smooth, size=180, tune="psnr", downscale=d) for d in (1, 2, "auto")}
    assert all(len(result.data) <= 180 for result in results.values())
    psnr = {d: _psnr(result.data, smooth) for d, result in results.items()}
    assert psnr["auto"] == max(psnr.values())
    assert results["auto"].downscale > 1


@pytest.mark.parametrize("tune", ["psnr", "visual"])
def test_sizes_are_compared_by_what_the_weights_were_trained_for(photo, tune):
    measure = visual.seen_of_pixels if tune == "visual" else lambda a, b: float(np.square(a - b.astype(int)).mean())
    for size in (1000, 1800, 2600):
        lost = {}
        for downscale in ("auto", 1, 2):
            result = lpcodec.encode_report(photo, size=size, tune=tune, downscale=downscale, best_effort=True)
            if len(result.data) <= size:
                lost[downscale] = measure(np.asarray(lpcodec.decode(result.data)), photo)
        assert lost["auto"] <= min(lost.values()) * 1.0001


def test_each_tune_has_a_stage_of_its_own(smooth, monkeypatch):
    digests = {
        tune: bytes.fromhex(
            lpcodec.info(lpcodec.encode(smooth, quality=20, tune=tune, downscale=2))["enlarged_by"]["digest"]
        )
        for tune in ("psnr", "visual")
    }
    assert {tune: models.installed("stage", tune) for tune in digests} == {t: (32, d) for t, d in digests.items()}
    assert digests["psnr"] != digests["visual"]
    visible = models._visible()
    monkeypatch.setattr(models, "_visible", lambda: [w for w in visible if w.name != "stage@visual"])
    assert models.installed("stage", "visual") == (32, digests["psnr"])  # better than bicubic


def test_auto_leaves_detail_at_its_size(photo):
    assert lpcodec.encode_report(photo, quality=50).downscale == 1
    assert lpcodec.encode_report(photo, bpp=0.3).downscale == 1


def test_a_rate_that_the_own_size_can_not_have_is_reached(photo):
    limit = len(lpcodec.encode(photo, quality=0, downscale=1)) * 2 // 3
    with pytest.raises(TargetError):
        lpcodec.encode(photo, size=limit, downscale=1)
    result = lpcodec.encode_report(photo, size=limit)
    assert result.downscale > 1
    assert len(result.data) <= limit


def test_a_small_picture_gets_smaller_sizes_too_if_its_own_does_not_fit(photo):
    small = photo[:192, :256]
    sizes = {d: len(lpcodec.encode_report(small, size=1, best_effort=True, downscale=d).data) for d in (1, 2, 4)}
    assert sizes[1] > sizes[2] > sizes[4]
    for limit, downscale in ((sizes[1], 1), (sizes[1] - 1, 2), (sizes[2] - 1, 4)):
        result = lpcodec.encode_report(small, size=limit)
        assert len(result.data) <= limit
        assert result.downscale == downscale
    with pytest.raises(TargetError, match=f"the smallest file is {sizes[4]} bytes"):
        lpcodec.encode(small, size=sizes[4] - 1)


def test_if_no_size_fits_the_smallest_file_of_all_is_given(photo):
    smallest = [
        len(lpcodec.encode_report(photo, size=100, best_effort=True, downscale=d).data) for d in (1, 2, 4, "auto")
    ]
    assert smallest[0] > smallest[1] > smallest[2] == smallest[3] > 100


def test_metadata_does_not_count_as_a_high_rate(photo):
    image = Image.fromarray(photo)
    words = np.random.default_rng(0).bytes(10_000).hex().encode()
    image.info["xmp"] = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + words + b"</x:xmpmeta>"
    plain, described = (lpcodec.encode_report(image, quality=3, tune="psnr", strip=strip) for strip in (True, False))
    assert described.downscale == plain.downscale > 1
    assert described.bpp > downscaling.HIGHEST_BPP


@pytest.mark.parametrize("downscale", [2, 4])
@pytest.mark.parametrize("target", [{"quality": 30}, {"size": 600}, {"psnr": 24}])
def test_every_target_at_a_smaller_size(smooth, downscale, target):
    result = lpcodec.encode_report(smooth, downscale=downscale, **target)
    assert result.downscale == downscale
    assert lpcodec.decode(result.data).size == (SIZE[1], SIZE[0])
    about = lpcodec.info(result.data)
    assert (about["coded_width"], about["coded_height"]) == (ceil_div(SIZE[1], downscale), ceil_div(SIZE[0], downscale))
    assert len(result.data) <= target.get("size", 1 << 20)
    assert _psnr(result.data, smooth) >= target.get("psnr", 0)
    lpcodec.verify(result.data)


def test_alpha_keeps_its_size(smooth):
    alpha = np.where(np.arange(SIZE[1]) < 150, 0, 255).astype(np.uint8)
    rgba = np.dstack([smooth, np.broadcast_to(alpha, SIZE)])
    decoded = np.asarray(lpcodec.decode(lpcodec.encode(rgba, quality=20, downscale=2)))
    assert np.array_equal(decoded[..., 3], rgba[..., 3])


def test_grey_stays_grey(smooth):
    data = lpcodec.encode(smooth[..., 0], quality=20, downscale=2)
    assert lpcodec.decode(data).mode == "L"


def test_a_quality_is_raised_until_a_bit_is_worth_as_much(smooth):
    plain = lpcodec.encode_report(smooth, quality=20, downscale=1).quality
    half = lpcodec.encode_report(smooth, quality=20, downscale=2).quality
    quarter = lpcodec.encode_report(smooth, quality=20, downscale=4).quality
    assert plain == 20
    assert quarter - half == pytest.approx(half - plain, abs=0.01)  # lambda is exponential in the quality


@pytest.mark.parametrize("downscale", [0, 3, 8, "half", True, None])
def test_other_scales_are_refused(smooth, downscale):
    with pytest.raises(UsageError, match="auto, 1, 2 or 4"):
        lpcodec.encode(smooth, downscale=downscale)


def test_lossless_and_models_without_it_are_refused(smooth):
    with pytest.raises(UsageError, match="keeps its size"):
        lpcodec.encode(smooth, lossless=True, downscale=2)
    with pytest.raises(UsageError, match="at their own size"):
        lpcodec.encode(smooth, model="lpcae", quality=30, downscale=2)


@pytest.mark.parametrize("words", [["encode"], ["batch", "encode"]])
def test_the_commands_pass_it_on(smooth, tmp_path, words):
    (tmp_path / "in").mkdir()
    Image.fromarray(smooth).save(tmp_path / "in" / "a.png")
    place = ["--to", str(tmp_path / "out"), "-j", "1"] if words[0] == "batch" else ["--out-dir", str(tmp_path / "out")]
    given = [*words, str(tmp_path / "in"), *place, "-q", "30"]
    refused = CliRunner().invoke(app, [*given, "--downscale", "3"])
    assert refused.exit_code == 2
    assert "it is auto, 1, 2 or 4" in refused.output
    done = CliRunner().invoke(app, [*given, "--downscale", "4"])
    assert done.exit_code == 0, done.output
    assert lpcodec.info(tmp_path / "out" / "a.lpc")["coded_width"] == ceil_div(SIZE[1], 4)


def test_pillow_passes_it_on(smooth):
    stream = io.BytesIO()
    Image.fromarray(smooth).save(stream, "LPC", quality=30, downscale=4)
    assert lpcodec.info(stream.getvalue())["coded_width"] == ceil_div(SIZE[1], 4)


def _with_header(data: bytes, **changes: object) -> bytes:
    file = container.read(data)
    return container.write(dataclasses.replace(file, header=dataclasses.replace(file.header, **changes)))


def test_a_network_that_is_not_there_is_named(smooth):
    data = lpcodec.encode(smooth, quality=20, downscale=2)
    assert lpcodec.info(data)["enlarged_by"] | {"digest": ""} == {
        "name": "stage@visual", "number": 32, "digest": "", "installed": True,
    }  # fmt: skip
    changed = _with_header(data, downscaled=Downscaled(1, 32, b"none"))
    about = lpcodec.info(changed)["enlarged_by"]
    assert (about["name"], about["installed"]) == ("stage", False)
    for read in (lpcodec.decode, lpcodec.verify, lambda file: lpcodec.decode(file, region=(0, 0, 9, 9))):
        with pytest.raises(UnknownModelError, match="stage"):
            read(changed)


def test_a_model_of_another_task_is_damage(smooth):
    data = lpcodec.encode(smooth, quality=20, downscale=2)
    header = container.read(data).header
    by_codec = _with_header(data, downscaled=Downscaled(1, header.model_number, header.model_digest))
    by_enlarger = _with_header(data, model_number=header.downscaled.number, model_digest=header.downscaled.digest)
    for changed, words in ((by_codec, "default@visual, which codes"), (by_enlarger, "stage@visual, which enlarges")):
        for read in (lpcodec.decode, lpcodec.verify, lambda file: lpcodec.decode(file, region=(0, 0, 9, 9))):
            with pytest.raises(DamagedFileError, match=words):
                read(changed)
