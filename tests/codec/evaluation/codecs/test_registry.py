"""Codecs by name: ours, pillow, the zoo and commands, each with what decides its files."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from lpcodec.codec import models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.evaluation.codecs import compressai_models, pillow, registry
from lpcodec.codec.evaluation.codecs.command import parse
from lpcodec.codec.evaluation.codecs.ours import OurFamily, Ours
from lpcodec.codec.evaluation.codecs.registry import find_codec, usual, versions


def test_lpcodec_is_the_default_model() -> None:
    ours = find_codec("lpcodec")
    assert ours.codec == Ours("default", True, "lpcodec")
    assert (ours.about.name, ours.about.kind, ours.about.has_dial, ours.has_rates) == ("lpcodec", "model", True, True)
    assert models.load("default").digest.hex() in ours.about.options
    assert ours.about.parameters == models.network_named("default").parameters
    assert 7 <= len(ours.settings) <= 9
    assert "threads=2" in find_codec("lpcodec", threads=2).made_by


def test_a_network_without_a_dial_is_one_codec_of_all_its_sets() -> None:
    family, one = find_codec("wcae"), find_codec("wcae@0.13")
    assert isinstance(family.codec, OurFamily)
    assert family.settings == tuple(sorted(family.settings)) == (0.09, 0.13, 0.16)
    assert one.settings == (0.13,)
    assert one.codec == OurFamily("wcae@0.13", {0.13: "wcae@0.13"})
    for found in (family, one):
        assert not found.about.has_dial
        assert not found.has_rates


def test_sets_without_numbers_are_numbered_in_order() -> None:
    assert registry._numbered(["x@0.2", "x@0.1"]) == {0.1: "x@0.1", 0.2: "x@0.2"}
    assert registry._numbered(["x", "x@0.1"]) == {1.0: "x", 2.0: "x@0.1"}


def test_peers_have_their_options_and_the_versions_that_decide_their_files() -> None:
    avif = find_codec("avif", threads=2)
    assert avif.about.options == pillow.avif(threads=2).options
    assert f"libavif={versions()['libavif']}" in avif.made_by
    assert usual()[:3] == ("lpcodec", "default@visual", "jpeg")
    assert set(usual()[2:]) <= set(pillow.available())


def test_a_command_goes_before_all_other_names() -> None:
    command = parse("jpeg[1,2]=my-jpeg {in} {out} {q}")
    found = find_codec("jpeg", [command])
    assert (found.codec, found.about.kind, found.settings) == (command, "command", (1.0, 2.0))
    assert found.about.options == "my-jpeg '{in}' '{out}' '{q}'"


def test_names_that_cannot_be_had_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no codec named 'gif'; there are: lpcodec, default"):
        find_codec("gif")
    installed = pillow.available()
    monkeypatch.setattr(pillow, "available", lambda threads=1: {n: p for n, p in installed.items() if n != "jxl"})
    with pytest.raises(UsageError, match="jxl isn't installed here: it needs pip install pillow-jxl-plugin"):
        find_codec("jxl")


def test_the_zoo_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "compressai.zoo.image", None)
    with pytest.raises(UsageError, match="mbt2018-mean needs CompressAI: pip install"):
        find_codec("mbt2018-mean")


@pytest.mark.parametrize("name", ["mbt2018-mean", "bmshj2018-factorized-ms-ssim"])
def test_a_model_of_the_zoo_codes_with_weights_that_are_at_hand(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    try:
        compressai_models.make_importable()
        image = importlib.import_module("compressai.zoo.image")
    except ImportError as error:
        pytest.skip(f"compressai (extra 'train') can't be imported: {error}")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=r"no weights in .* nothing is downloaded"):
        find_codec(name)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    architecture, metric = (
        name.removesuffix(compressai_models.MS_SSIM),
        "ms-ssim" if name.endswith(compressai_models.MS_SSIM) else "mse",
    )
    torch.manual_seed(0)
    network = image.model_architectures[architecture](*image.cfgs[architecture][2])
    network.update()
    torch.save(network.state_dict(), folder / image.model_urls[architecture][metric][2].rpartition("/")[2])

    found = find_codec(name)
    assert (found.settings, found.about.kind, found.has_rates) == ((2.0,), "compressai", False)
    pixels = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    data = found.codec.encode(pixels, 2)
    assert isinstance(data, compressai_models.Strings)
    assert len(data) == sum(len(string) for strings in data.parts for string in strings) > 0
    assert found.codec.decode(data).shape == pixels.shape
    with pytest.raises(TypeError):
        found.codec.decode(bytes(data))
