"""`tune`: the sets of weights of one network that were trained for different measures."""

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

import lpcodec
from lpcodec.codec import models
from lpcodec.codec.errors import UsageError

WEIGHTS = Path(models.__file__).parent / "weights"
FACE = Path(__file__).parents[1] / "golden" / "face-fast.png"


@pytest.fixture
def visual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A set `fast@visual`, which holds the weights of `fast` under another digest."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "weights"
    folder.mkdir()
    tensors = load_file(WEIGHTS / "fast.safetensors")
    tensors["network.log_strength"] = tensors["network.log_strength"] + 0.01
    target = folder / "fast@visual.safetensors"
    save_file(tensors, target)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    card = json.loads((WEIGHTS / "fast.json").read_text())
    (folder / "fast@visual.json").write_text(json.dumps(card | {"name": "fast@visual", "digest": digest}))
    monkeypatch.setenv(models.WEIGHTS_VARIABLE, str(folder))
    return "fast@visual"


def test_each_measure_names_its_set_and_files_decode(visual: str) -> None:
    with Image.open(FACE) as face:
        for tune, name in (("psnr", "fast"), ("visual", visual)):
            data = lpcodec.encode(face, model="fast", tune=tune, quality=30)
            assert lpcodec.info(data)["model"]["name"] == name
            assert lpcodec.decode(data).size == face.size
    assert models.variants("fast") == ["fast"]


def test_the_default_measure_is_taken_only_if_the_model_has_weights_for_it(
    visual: str,
) -> None:
    assert models.tuned("fast", None) == visual
    assert models.tuned("fast", None, squared_error=True) == "fast"
    assert models.tuned("fast", "visual", squared_error=True) == visual
    assert models.tuned("fast", "psnr") == "fast"
    assert models.tuned("lpcae", None) == "lpcae"
    assert models.tuned(visual, None) == visual


def test_weights_are_for_what_they_were_trained_for_whatever_their_name(
    visual: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (models.load("fast").tune, models.load(visual).tune) == ("psnr", "visual")
    folder = tmp_path / "weights"
    card = json.loads((folder / "fast@visual.json").read_text())
    card |= {"name": "mine", "training": card["training"] | {"tune": "visual"}}
    (folder / "mine.json").write_text(json.dumps(card))
    (folder / "fast@visual.safetensors").rename(folder / "mine.safetensors")
    (folder / "fast@visual.json").unlink()
    assert models.load("mine").tune == "visual"


def test_what_there_is_not_is_refused(visual: str) -> None:
    with pytest.raises(UsageError, match=r"lpcae has no weights tuned for the eye; these have: .*fast"):
        models.tuned("lpcae", "visual")
    with pytest.raises(UsageError, match="psnr, visual"):
        models.tuned("fast", "loud")


@pytest.mark.parametrize(
    ("asked", "name"), [({"quality": 30}, "visual"), ({"psnr": 30.0}, "psnr"), ({"effort": 1}, "visual")]
)
def test_the_weights_suit_what_the_file_is_judged_by(visual: str, asked: dict[str, float], name: str) -> None:
    with Image.open(FACE) as face:
        data = lpcodec.encode(face.crop((0, 0, 64, 64)), model="fast", **asked)
    assert lpcodec.info(data)["model"]["name"] == (visual if name == "visual" else "fast")
