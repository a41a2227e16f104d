"""`lpcodec upscale`, `decode --scale` and `show enlargement`."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import lpcodec
from lpcodec.cli.app import app
from lpcodec.codec.errors import LimitError, UsageError

runner = CliRunner()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rows, columns = np.mgrid[0:30, 0:41]
    pixels = np.dstack([rows * 8, columns * 6, (rows + columns) % 9 * 20, np.where(rows > 9, 255, 90)])
    exif = Image.Exif()
    exif[0x010E] = "a slope"
    image = Image.fromarray(pixels.astype(np.uint8))
    image.save(tmp_path / "photo.png", exif=exif, dpi=(300, 300))
    return tmp_path / "photo.png"


@pytest.mark.parametrize("scale", [2, 4])
def test_a_picture_is_enlarged_with_alpha_and_metadata(photo, scale):
    out = photo.with_name("large.png")
    result = runner.invoke(app, ["upscale", str(photo), str(out), "--scale", str(scale)])
    assert result.exit_code == 0, result.output
    assert f"{41 * scale} x {30 * scale} pixels" in result.stderr
    image = Image.open(out)
    assert (image.mode, image.size) == ("RGBA", (41 * scale, 30 * scale))
    assert image.getexif()[0x010E] == "a slope"
    alpha = np.asarray(image)[..., 3]
    assert (int(alpha[0, 0]), int(alpha[-1, -1])) == (90, 255)


def test_the_network_is_nearer_to_the_original_than_bicubic(photo):
    rows, columns = np.mgrid[0:96, 0:96]
    original = ((np.hypot(rows - 40, columns - 50) % 24 < 12) * 180 + 30).astype(np.uint8)
    small = Image.fromarray(original).resize((48, 48), Image.Resampling.BICUBIC)
    errors = {
        model: np.square(np.asarray(lpcodec.upscale(small, 2, model=model), float) - original).mean()
        for model in ("light", "bicubic")
    }
    assert errors["light"] < 0.8 * errors["bicubic"]


def test_standard_streams_and_jpeg(photo):
    result = runner.invoke(app, ["upscale", "-", "-", "--quiet"], input=photo.read_bytes())
    assert result.exit_code == 0
    assert Image.open(io.BytesIO(result.stdout_bytes)).size == (82, 60)
    plain, out = photo.with_name("plain.png"), photo.with_name("large.jpg")
    Image.open(photo).convert("RGB").save(plain)
    assert runner.invoke(app, ["upscale", str(plain), str(out)]).exit_code == 0
    assert Image.open(out).format == "JPEG"


def test_without_a_name_the_larger_picture_is_beside_the_other(photo):
    assert runner.invoke(app, ["upscale", str(photo), "--quiet"]).exit_code == 0
    assert Image.open(photo.with_name("photo-x2.png")).size == (82, 60)
    again = runner.invoke(app, ["upscale", str(photo)])
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{photo}", "{photo}"], "would replace this input"),
        (["{photo}", "out.png", "--scale", "3"], "light enlarges 2 or 4 times, not 3 times"),
        (
            ["{photo}", "out.png", "--model", "default"],
            "default codes pictures; these enlarge them: light, stage, stage@visual, bicubic",
        ),
        (["{photo}", "out.png", "--model", "wsr"], "no weights for 'wsr'"),
        (["{photo}", "out.png", "--model", "haaar"], "no model named 'haaar'; there are: light, stage, "),
        (["{photo}", "out.png", "--model", "db99"], "bicubic, lpae, wae, pyramid, and the discrete wavelets of"),
        (["{photo}", "out.png", "--scale", "3", "--model", "haar"], "haar enlarges 2, 4 or 8 times"),
        (["{photo}", "out.xyz"], "no picture format"),
    ],
)
def test_what_can_not_be_done_is_one_line(photo, arguments, words):
    result = runner.invoke(app, ["upscale", *(a.format(photo=photo) for a in arguments)])
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_decoded_file_is_enlarged(photo):
    data = lpcodec.encode(photo, quality=40)
    plain = lpcodec.decode(data)
    large = lpcodec.decode(data, scale=2)
    assert large.size == (82, 60)
    assert np.array_equal(np.asarray(large), np.asarray(lpcodec.upscale(plain, 2)))
    coded, out = photo.with_name("photo.lpc"), photo.with_name("large.png")
    coded.write_bytes(data)
    assert runner.invoke(app, ["decode", str(coded), str(out), "--scale", "2", "--quiet"]).exit_code == 0
    assert np.array_equal(np.asarray(Image.open(out)), np.asarray(large))


def test_the_limit_counts_the_result(photo):
    with pytest.raises(LimitError, match="4,920 pixels"):
        lpcodec.upscale(photo, 2, max_pixels=4919)
    with pytest.raises(LimitError, match="4,920 pixels"):
        lpcodec.decode(lpcodec.encode(photo, quality=10), scale=2, max_pixels=4919)
    assert lpcodec.upscale(photo, 2, max_pixels=4920, model="bicubic").size == (82, 60)


def test_what_is_reduced_is_said():
    result = lpcodec.upscale_report(np.zeros((4, 4), np.uint16), 2)
    assert "16-bit" in result.notes[0]


def test_bicubic_takes_scales_up_to_8(photo):
    assert lpcodec.upscale(photo, 3, model="bicubic").size == (123, 90)
    with pytest.raises(UsageError, match="1 to 8"):
        lpcodec.upscale(photo, 9, model="bicubic")


def test_a_front_end_predicts_the_finer_level(photo):
    assert lpcodec.upscale(photo, 4, model="lpae").size == (164, 120)
    ramp = (np.add.outer(np.arange(40) * 3, np.arange(40) * 2) + 20).astype(np.uint8)
    learned, plain = (np.asarray(lpcodec.upscale(ramp, 2, model=model), float) for model in ("lpae", "bicubic"))
    assert np.abs(learned - plain)[8:-8, 8:-8].mean() < 4
    assert lpcodec.upscale(photo.with_name("photo.png"), 2, model="wae").size == (82, 60)
    grey = lpcodec.upscale(np.zeros((5, 6), np.uint8), 2, model="lpae")
    assert (grey.mode, grey.size) == ("L", (12, 10))
    with pytest.raises(UsageError, match="2, 4 or 8"):
        lpcodec.upscale(photo, 3, model="lpae")


@pytest.mark.parametrize("model", ["haar", "cdf53", "pyramid", "db2"])
def test_a_transform_without_weights_enlarges_by_the_name_that_show_has(photo, model):
    shown = runner.invoke(
        app, ["show", "decompose", str(photo), "--model", model, "--out", str(photo.with_name("bands"))]
    )
    assert shown.exit_code == 0, shown.output
    grey = lpcodec.upscale(np.full((5, 6), 77, np.uint8), 4, model=model)
    assert (grey.mode, grey.size, grey.getextrema()) == ("L", (24, 20), (77, 77))
    pixels = np.asarray(lpcodec.upscale(photo, 2, model=model))
    original = np.asarray(Image.open(photo), float)
    back = pixels.reshape(30, 2, 41, 2, 4).mean((1, 3))
    # A wavelet's synthesis may lie half a pixel beside the picture; a step of this slope is 8.
    assert np.abs(back - original)[2:-2, 2:-2, :2].max() <= 8


def test_haar_repeats_pixels_and_cdf53_interpolates_between_them():
    ramp = np.tile(np.arange(0, 80, 8, dtype=np.uint8), (4, 1))
    haar, cdf53 = (np.asarray(lpcodec.upscale(ramp, 2, model=model)) for model in ("haar", "cdf53"))
    assert np.array_equal(haar, ramp.repeat(2, 0).repeat(2, 1))
    assert np.array_equal(cdf53[:, 2:-2], np.tile(np.arange(8, 72, 4), (8, 1)))


def test_enlargement_is_measured_beside_published_figures(tmp_path):
    folder = tmp_path / "set5"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    asked = ["show", "enlargement", str(folder), "--scale", "4", "--quiet"]
    table = runner.invoke(app, asked)
    assert table.exit_code == 0, table.output
    assert "LPN" in table.stdout
    found = json.loads(runner.invoke(app, [*asked, "--json", "--model", "bicubic"]).stdout)
    assert [(row["method"], row["scale"]) for row in found["measured"]] == [("bicubic", 4)]
    assert all(row["source"] for row in found["published"])
