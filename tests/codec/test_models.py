"""The registry: what is listed is what is there, and weights are what their cards say or refused."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

import lpcodec
from lpcodec.codec import models
from lpcodec.codec.errors import UnknownModelError, UsageError
from lpcodec.codec.families.decomposition.training import fresh
from lpcodec.codec.families.family import Frame
from lpcodec.codec.families.wcae.codec import WcaeCodec
from lpcodec.codec.families.wcae.network import load_network
from lpcodec.codec.quality import COARSEST


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that LPCODEC_WEIGHTS names; there are no packaged weights."""
    monkeypatch.setattr(models, "_PACKAGED", tmp_path / "packaged")
    (tmp_path / "packaged").mkdir()
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv(models.WEIGHTS_VARIABLE, str(folder))
    return folder


def put(folder: Path, name: str, seed: int = 0, **card: Any) -> bytes:
    """Write a set of random weights of the wcae family and its card; return its digest of 4 bytes."""
    torch.manual_seed(seed)
    network = load_network(card.get("network", name.split("@")[0]))
    data = save(WcaeCodec(network).to_tensors())
    (folder / f"{name}.safetensors").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    (folder / f"{name}.json").write_text(json.dumps({"name": name, "digest": digest, **card}))
    return bytes.fromhex(digest)[:4]


def test_every_network_is_listed_with_its_true_size(own: Path) -> None:
    rows = {row["name"]: row for row in models.describe()}
    codecs = ["default", "fast", "hq", "lpcae", "wcae", "nowcae", "wcae-wide"]
    fronts = ["lpae", "wae", "wae-relu"]
    upscalers = [
        "light", "stage", "lapsrn", "ms-lapsrn", "cms-lapsrn", "lpn", "lpn-alpha", "lpn-beta", "wavesr", "wsr", "lpsr",
        "lpsr-narrow",
    ]  # fmt: skip
    tasks = dict.fromkeys(codecs, "codec") | dict.fromkeys(fronts, "front-end") | dict.fromkeys(upscalers, "upscaling")
    assert list(rows) == list(tasks)
    assert models.names() == [], "without weights none can be used"
    for name, row in rows.items():
        with torch.device("meta" if name in upscalers else "cpu"):  # some are large
            network = models.family_of(models.network_named(name)).objective({"model": name}, "cpu").network
        assert row["parameters"] == sum(p.numel() for p in network.parameters() if p.requires_grad)
        assert (row["network"], row["task"], row["weights"], row["digest"]) == (name, tasks[name], False, None)
        assert row["description"]
    assert [name for name, row in rows.items() if row["has_quality"]] == ["default", "fast", "hq", "lpcae"]
    json.dumps(models.describe())


def test_numbers_of_networks_are_never_given_anew() -> None:
    """Files carry them."""
    assert {n.name: n.number for n in models.networks() if n.task != "upscaling"} == {
        "default": 1, "fast": 2, "hq": 3, "lpcae": 4, "wcae": 16, "nowcae": 17, "wcae-wide": 18,
        "lpae": None, "wae": None, "wae-relu": None,
    }  # fmt: skip
    numbers = {n.name: n.number for n in models.networks() if n.task == "upscaling"}
    assert numbers.pop("stage") == 32
    assert set(numbers.values()) == {None}


def test_the_packaged_weights_are_whole() -> None:
    for card in models._PACKAGED.glob("*.json"):
        task = models.network_of(card.stem).task
        if task == "front-end":
            assert models.load_frontend(card.stem).levels == 1
            continue
        if task == "upscaling":
            assert list(models.load_for(task, card.stem).trained.scales) == models.card_of(card.stem)["scales"]
            continue
        model = models.load(card.stem)
        data = card.with_suffix(".safetensors").read_bytes()
        assert model.digest == hashlib.sha256(data).digest()[:4]
        assert model.name == card.stem
        assert models.load_by_identity(model.number, model.digest) is model


def test_weights_in_a_folder_of_one_s_own(own: Path) -> None:
    digest = put(own, "nowcae@0.15", kmac_per_pixel={"analysis": 1.0}, training={"steps": 3})
    (row,) = [row for row in models.describe() if row["network"] == "nowcae"]
    assert row["name"] == "nowcae@0.15"
    assert row["digest"][:8] == digest.hex()
    assert (row["weights"], row["kmac_per_pixel"], row["training"]) == (True, {"analysis": 1.0}, {"steps": 3})
    assert row["bytes"] == (own / "nowcae@0.15.safetensors").stat().st_size
    model = models.load("nowcae")
    codec = model.trained
    assert (model.name, model.number, model.digest, codec.has_quality) == ("nowcae@0.15", 17, digest, False)
    assert models.load("nowcae@0.15") is model is models.load_by_identity(17, digest)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    coded = codec.code(codec.analyse(pixels), 0)
    symbols = codec.parse(coded.payloads(), Frame(40, 50, COARSEST))
    assert codec.hash_of(symbols) == coded.symbols_hash
    assert codec.synthesise(symbols, Frame(40, 50, COARSEST)).shape == (40, 50, 3)


def test_variants_come_in_their_order(own: Path) -> None:
    for name, order in (("wcae@0.6", 2), ("wcae@0.15", 1), ("wcae@0.3", 0), ("nowcae", 0)):
        put(own, name, order=order)
    assert models.variants("wcae") == ["wcae@0.3", "wcae@0.15", "wcae@0.6"]
    assert models.variants("wcae@0.6") == ["wcae@0.6"]
    assert models.load("wcae").name == "wcae@0.3"
    assert models.names() == ["wcae@0.3", "wcae@0.15", "wcae@0.6", "nowcae"]


def test_weights_with_a_name_of_their_own_stand_beside_the_shipped_ones(own: Path) -> None:
    shipped = put(models._PACKAGED, "nowcae", seed=1)
    mine = put(own, "mine", seed=2, network="nowcae")
    for rate, seed in (("0.1", 3), ("0.2", 4)):
        put(own, f"ours@{rate}", seed=seed, network="nowcae")
    assert models.names() == ["nowcae", "mine", "ours@0.1", "ours@0.2"]
    assert models.variants("nowcae") == ["nowcae"], "a network's name doesn't mean weights with another"
    assert models.variants("ours") == ["ours@0.1", "ours@0.2"]
    for name, digest in (("mine", mine), ("nowcae", shipped)):
        model = models.load(name)
        assert (model.name, model.number, model.digest) == (name, 17, digest)
        assert models.load_by_identity(17, digest) is model
    row = next(row for row in models.describe() if row["name"] == "mine")
    assert (row["network"], row["number"], row["weights"]) == ("nowcae", 17, True)
    data = lpcodec.encode(np.full((20, 30, 3), 7, np.uint8), model="mine", bpp=0.1, best_effort=True)
    assert lpcodec.decode(data).size == (30, 20)
    assert models.network_of("ours@0.2") == models.network_of("mine") == models.network_named("nowcae")
    assert models.tensors_of("mine")[1]["name"] == "mine"


def test_info_names_one_s_own_weights(own: Path) -> None:
    put(own, "mine", network="nowcae")
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8) // 8
    data = lpcodec.encode(picture, model="mine")
    assert lpcodec.info(data)["model"]["name"] == "mine"


def put_frontend(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """Write random weights of a front-end and their card; return them."""
    torch.manual_seed(3)
    tensors = fresh(name).state_dict()
    data = save(tensors)
    (folder / f"{name}.safetensors").write_bytes(data)
    (folder / f"{name}.json").write_text(json.dumps({"name": name, "digest": hashlib.sha256(data).hexdigest()}))
    return tensors


def test_front_ends_load_as_such_and_code_nothing(own: Path) -> None:
    tensors = put_frontend(own, "lpae")
    frontend = models.load_frontend("lpae", levels=2)
    assert frontend.levels == 2
    x = torch.rand(1, 3, 21, 30)
    network = fresh("lpae").eval()
    network.load_state_dict(tensors)
    with torch.no_grad():
        torch.testing.assert_close(frontend.at_levels(1).merge(frontend.at_levels(1).split(x)), network(x))
    put(own, "nowcae")
    for call in (models.load, models.variants):
        with pytest.raises(
            UsageError, match=r"lpae splits pictures into bands; .* codes pictures is needed: choose .*nowcae"
        ):
            call("lpae")
    with pytest.raises(UsageError, match=r"nowcae codes pictures; .*: choose one of lpae$"):
        models.load_frontend("nowcae")
    with pytest.raises(UsageError, match=r"no weights for 'wae' are installed: choose one of lpae, or train"):
        models.load_frontend("wae")
    path = own / "lpae.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    models._load.cache_clear()
    with pytest.raises(UnknownModelError, match=r"lpae\.safetensors: these aren't the weights"):
        models.load_frontend("lpae")


def test_one_s_own_weights_hide_packaged_ones_but_files_find_both(own: Path) -> None:
    packaged = put(models._PACKAGED, "nowcae", seed=1, order=0)
    mine = put(own, "nowcae", seed=2, order=5)
    assert models.variants("nowcae") == ["nowcae"]
    assert [row["digest"][:8] for row in models.describe() if row["network"] == "nowcae"] == [mine.hex()]
    assert models.load("nowcae").digest == mine
    assert models.load_by_identity(17, mine).digest == mine
    assert models.load_by_identity(17, packaged).digest == packaged


def test_without_the_variable_only_packaged_weights_count(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(own, "nowcae")
    monkeypatch.delenv(models.WEIGHTS_VARIABLE)
    assert models.weights() == []
    monkeypatch.setenv(models.WEIGHTS_VARIABLE, str(own / "missing"))
    assert models.weights() == []


def test_unknown_names(own: Path) -> None:
    put(own, "nowcae")
    for call in (models.load, models.variants, models.network_of):
        with pytest.raises(UsageError, match=r"^no model named 'jpeg'; there are: nowcae$"):
            call("jpeg")
    with pytest.raises(UsageError, match=r"^no model named 'jpeg'; there are: default, fast, hq, "):
        models.network_named("jpeg")
    put_frontend(own, "lpae")
    with pytest.raises(UsageError, match=r"^no model named 'jpeg'; there are: nowcae$"):
        models.variants("jpeg")  # which asks for a codec, so front-ends aren't offered
    with pytest.raises(UsageError, match=r"^no model named 'jpeg'; there are: lpae$"):
        models.load_frontend("jpeg")
    with pytest.raises(
        UsageError, match=r"no weights for 'wcae' are installed: choose one of nowcae, or train .*LPCODEC_W"
    ):
        models.load("wcae")
    put(own, "wcae@0.3")
    with pytest.raises(UsageError, match=r"no weights for 'wcae@9' are installed: choose one of wcae@0\.3, or train"):
        models.load("wcae@9")


@pytest.mark.parametrize(("number", "name"), [(1, "default"), (17, "nowcae"), (200, "number 200")])
def test_unknown_weights_are_named_with_what_to_do(own: Path, number: int, name: str) -> None:
    put(own, "nowcae")
    with pytest.raises(UnknownModelError) as caught:
        models.load_by_identity(number, b"\x01\x02\xab\xcd")
    text = str(caught.value)
    for words in (f"model {name}", "0102abcd", "install", models.WEIGHTS_VARIABLE):
        assert words in text
    assert "\n" not in text


def test_the_number_counts_as_well_as_the_digest(own: Path) -> None:
    digest = put(own, "nowcae")
    with pytest.raises(UnknownModelError, match="model wcae"):
        models.load_by_identity(16, digest)


def test_changed_weights_are_refused(own: Path) -> None:
    digest = put(own, "nowcae", seed=7)
    path = own / "nowcae.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    for loaded in (lambda: models.load("nowcae"), lambda: models.load_by_identity(17, digest)):
        with pytest.raises(UnknownModelError, match=r"nowcae\.safetensors: these aren't the weights"):
            loaded()
    path.unlink()
    with pytest.raises(UnknownModelError, match=r"nowcae\.safetensors: the weights can't be read"):
        models.load("nowcae")


@pytest.mark.parametrize("change", ["one is missing", "one is larger", "none"])
def test_weights_of_another_version_s_network_are_named(own: Path, change: str) -> None:
    put(own, "nowcae", seed=3)
    path = own / "nowcae.safetensors"
    tensors = load(path.read_bytes())
    name, tensor = tensors.popitem()
    if change == "one is larger":
        tensors[name] = torch.cat([tensor, tensor])
    data = save({} if change == "none" else tensors)
    path.write_bytes(data)
    path.with_suffix(".json").write_text(json.dumps({"name": "nowcae", "digest": hashlib.sha256(data).hexdigest()}))
    with pytest.raises(UnknownModelError, match=r"nowcae\.safetensors: these weights don't fit .* train them again"):
        models.load("nowcae")


def test_replaced_weights_are_read_again(own: Path) -> None:
    first = put(own, "nowcae", seed=1)
    assert models.load("nowcae").digest == first
    second = put(own, "nowcae", seed=2)
    assert first != second
    assert models.load("nowcae").digest == second
    assert models.load_by_identity(17, second).digest == second


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "{}", '{"name": "nowcae"}', '{"name": "nowcae", "digest": "xy"}',
        '{"name": "nowcae", "digest": "ab"}', '{"name": "mine", "digest": "0123456789", "network": "none"}',
        '{"name": "jpeg", "digest": "0123456789"}', "\x00",
    ],
)  # fmt: skip
def test_what_is_no_card_is_named(own: Path, text: str) -> None:
    (own / "stray.json").write_text(text)
    with pytest.raises(UsageError, match=r"stray\.json: not the card of a model"):
        models.describe()


def test_a_card_that_is_no_text_is_not_printed(own: Path) -> None:
    (own / "stray.json").write_bytes(bytes(range(256)) * 100)
    with pytest.raises(UsageError, match=r"stray\.json: not the card of a model") as caught:
        models.describe()
    assert len(str(caught.value)) < len(str(own)) + 250
