"""Training super-resolution networks: the papers' losses, and runs that start, stop, go on and are exported."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lpcodec.codec import models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.superresolution import stage
from lpcodec.codec.families.superresolution.bicubic import eight_bit, reduced
from lpcodec.codec.families.superresolution.catalogue import CATALOGUE, build, chosen
from lpcodec.codec.families.superresolution.luma import luma
from lpcodec.codec.families.superresolution.stage import StageObjective
from lpcodec.codec.families.superresolution.training import RECIPES, Pair, UpscalingObjective
from lpcodec.codec.families.superresolution.wavelet import WaveSR
from lpcodec.codec.training import export as exporting
from lpcodec.codec.training import loop
from lpcodec.codec.training.checkpoint import Checkpoint


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Smooth pictures with edges: bicubic leaves something to be learned."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rows, columns = np.mgrid[0:256, 0:256]
    for number in range(3):
        wave = np.sin((rows * (number + 1) + columns * 3) / 9) > 0
        pixels = np.dstack([wave * 160 + 40, (rows + columns) // 3, wave[::-1] * 90 + 60]).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def _objective(name: str, **options: object) -> UpscalingObjective:
    return UpscalingObjective({"model": name, **options}, amp=False)


def test_charbonnier_of_lapsrn_is_on_every_level():
    objective = _objective("lapsrn", scale=4)
    batch = torch.rand(2, 3, 32, 32)
    value, _ = objective.loss(objective.pairs(batch))
    wanted = luma(batch)
    with torch.no_grad():
        half, whole = objective.network.pictures(eight_bit(reduced(wanted, 4)), 2)
    expected = ((half - reduced(wanted, 2)).square() + 1e-6).sqrt().mean()
    expected += ((whole - wanted).square() + 1e-6).sqrt().mean()
    assert float(value.detach()) == pytest.approx(float(expected), rel=1e-5)


def test_ms_lapsrn_splits_the_batch_over_its_scales():
    objective = _objective("ms-lapsrn", scale=8)
    _, figures = objective.loss(objective.pairs(torch.rand(3, 3, 16, 16)))
    assert set(figures) == {"psnr_x2", "psnr_x4", "psnr_x8"}


def test_lpn_has_l1():
    objective = _objective("lpn", scale=3, width=0.25)
    batch = torch.rand(1, 3, 24, 24)
    value, _ = objective.loss(objective.pairs(batch))
    with torch.no_grad():
        out = objective.network(eight_bit(reduced(batch, 3)), 3)
    assert float(value.detach()) == pytest.approx(float((out - batch).abs().mean()), rel=1e-5)


def test_the_loss_of_perfect_bands_is_zero_but_for_texture():
    objective = _objective("lpsr-narrow", scale=2)
    network, batch = objective.network, torch.rand(1, 3, 16, 16)
    bands = network.split(batch)
    network.bands = lambda x: bands
    value, _ = objective.loss(objective.pairs(batch))
    picture = (network.merge(bands) - batch).abs().mean()
    assert float(value) == pytest.approx(float(picture), rel=1e-5)  # the bands' terms vanish
    network.bands = lambda x: [bands[0], bands[1] + 0.5]
    worse, _ = objective.loss(objective.pairs(batch))
    shown = (network.merge([bands[0], bands[1] + 0.5]) - batch).abs().mean()
    assert float(worse) == pytest.approx(float(shown) + 10 * 0.8 * 0.5, rel=1e-4)


def test_wavesr_punishes_details_that_vanish():
    torch.manual_seed(0)
    objective = _objective("wavesr", scale=2)
    network = objective.network
    batch = torch.rand(1, 3, 16, 16)
    bands = network.split(batch)
    network.bands = lambda x: bands
    whole, _ = objective.loss(objective.pairs(batch))
    energies = [float(band.square().mean()) for band in bands[1:]]
    assert float(whole) == pytest.approx(0.2 * sum(energies), rel=1e-4)
    network.bands = lambda x: [bands[0], *(torch.zeros_like(band) for band in bands[1:])]
    without, _ = objective.loss(objective.pairs(batch))
    assert float(without) > 2.2 * sum(energies)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_network_has_a_recipe(name):
    assert any(name == key or name.partition("-")[0] == key for key in RECIPES)


def test_the_rate_of_lpn_is_halved_after_250_of_800_epochs():
    objective = _objective("lpn", width=0.25)
    assert [objective.rate_at(epoch / 800) for epoch in (0, 249, 251, 501, 751)] == [1, 1, 0.5, 0.25, 0.125]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("lpn", {"scale": 8}, "lpn enlarges 2, 3, 4 times"),
        ("lapsrn", {"scale": 3}, "not 3 times"),
        ("lapsrn", {"shared": 3}, "lapsrn has no choice of shared"),
        ("cms-lapsrn", {"width": 0.5}, "no choice of width"),
    ],
)
def test_choices_that_a_network_does_not_have_are_refused(name, options, words):
    with pytest.raises(UsageError, match=words):
        _objective(name, **options)


def test_a_run_starts_stops_goes_on_and_is_exported(pictures, tmp_path, monkeypatch):
    run = tmp_path / "run"
    loop.train("light", pictures, run, steps=2, patch=32, batch=2)
    loop.train("light", pictures, run, steps=3, resume=True)
    entry = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    assert entry["step"] == 3
    assert entry["held_bicubic_x2"] > entry["held_bicubic_x4"]
    path = exporting.export(run, "light", tmp_path / "weights")
    monkeypatch.setenv("LPCODEC_WEIGHTS", str(path.parent))
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["scales"] == [2, 4]
    assert card["kmac_per_pixel"]["x2"] == pytest.approx(23.4, abs=0.1)
    upscaler = models.load_for("upscaling", "light").trained
    assert upscaler.enlarge(np.zeros((5, 4, 3), np.uint8), 4).shape == (20, 16, 3)


def test_what_is_exported_of_wavesr_has_the_statistics_of_its_batch_normalisation(pictures, tmp_path, monkeypatch):
    narrow = replace(CATALOGUE["wavesr"], build=lambda choices: WaveSR(choices["scale"], 1 / 64))
    monkeypatch.setitem(CATALOGUE, "wavesr", narrow)
    run = loop.train("wavesr", pictures, tmp_path / "run", steps=2, patch=32, batch=2, options={"scale": "2"})
    state = Checkpoint.load(run)
    buffers = [name for name in state.weights if "running" in name]
    assert buffers
    assert all(torch.equal(state.averaged[name], state.weights[name]) for name in buffers)
    assert any(state.averaged[name].abs().max() > 0 for name in buffers if name.endswith("running_mean"))


def test_the_stage_of_the_codec_takes_less_than_ten_kmac_per_pixel():
    network = build("stage", chosen("stage", {}))
    assert models.family_of(models.network_named("stage")).macs(network)["x2"] < 10


@pytest.mark.parametrize("tune", ["psnr", "visual"])
def test_the_stage_learns_from_decoded_pictures(pictures, tune, monkeypatch):
    monkeypatch.setattr(stage, "FIRST_BLOCKS", 1)
    monkeypatch.setattr(stage, "BLOCK", 4)
    objective = StageObjective({"model": "stage", "tune": tune}, amp=False)
    objective.open(pictures, 192, "cpu")
    generator = torch.Generator().manual_seed(0)
    objective.start(generator, None)
    ((small, large, scale),) = objective.sample(2, generator)
    assert (small.shape, large.shape, scale) == ((2, 3, 96, 96), (2, 3, 192, 192), 2)
    plain = reduced(large, 2)
    psnr = -10 * (small - plain).square().mean((1, 2, 3)).log10()
    assert float(psnr.max()) < 45  # it has passed the codec
    assert float(psnr.min()) > 12  # and has been turned as the large one
    value, figures = objective.loss([Pair(small, large, scale)])
    assert 10 < float(figures["psnr_x2"]) < 45
    value.backward()
    assert float(objective.network.head.weight.grad.abs().sum()) > 0
    assert all(not p.requires_grad for p in objective._codec.parameters())


def test_pairs_are_used_several_times_before_new_ones_are_made(pictures, monkeypatch):
    monkeypatch.setattr(stage, "FIRST_BLOCKS", 2)
    monkeypatch.setattr(stage, "MOST_BLOCKS", 3)
    monkeypatch.setattr(stage, "BLOCK", 4)
    monkeypatch.setattr(stage, "USES", 2)
    made = []

    class Counted(StageObjective):
        def small(self, pictures, scale):
            made.append(len(pictures))
            return reduced(pictures, scale)

    monkeypatch.setattr(Counted, "start", lambda *_: None)
    objective = Counted({"model": "stage"}, amp=False)
    objective.open(pictures, 64, "cpu")
    generator = torch.Generator().manual_seed(0)
    counts = []
    for _ in range(10):
        objective.sample(4, generator)
        counts.append(len(made))
    assert counts == [2, 2, 3, 3, 4, 4, 5, 5, 6, 6]  # blocks of four; eight drawings each
    assert set(made) == {4}


def test_a_tune_is_the_stage_s_alone(pictures):
    family = models.family_of(models.network_named("light"))
    with pytest.raises(UsageError, match="light has no choice of tune"):
        family.objective({"model": "light", "tune": "visual"}, "cpu")
    with pytest.raises(ValueError, match="one of psnr, visual"):
        family.options["tune"].parse("eye")


def test_cms_lapsrn_trains_on_pictures_reduced_by_a_random_factor(pictures):
    objective = _objective("cms-lapsrn", scale=2)
    assert (objective.patch, objective.batch, objective.learning_rate) == (512, 16, 1e-4)
    objective.open(pictures, 64, "cpu")
    batch = objective.sample(2, torch.Generator().manual_seed(0))
    ((small, large, scale),) = batch
    assert (small.shape, large.shape, scale) == ((2, 1, 32, 32), (2, 1, 64, 64), 2)
    plain = objective.store.batch(2, 64, torch.Generator().manual_seed(0))
    assert not torch.equal(large, luma(plain))
    value, _ = objective.loss(batch)
    value.backward()
    lender = objective.network.block[2].weight
    assert lender.grad is not None
    assert float(lender.grad.abs().sum()) > 0
