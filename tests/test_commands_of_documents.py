"""Every command that a page shows runs as written, one after the other, and succeeds."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import lpcodec
from lpcodec.cli.app import app

ROOT = Path(__file__).parents[1]
NOT_RUN = (
    "lpcodec datasets fetch ", "lpcodec serve", "lpcodec decode https:", "lpcodec show enlargement ",
    "lpcodec show reconstruction ", "lpcodec train ", "lpcodec export ", "lpcodec decode cut.lpc ",
    "lpcodec batch encode 'shards", "lpcodec batch encode s3:",
)  # fmt: skip
"""These need a network, data sets or a training run, exit with another code than 0, or run until they are stopped. All
have tests of their own."""
INSTEAD = {
    "--data kodak": "--data photos", "--region 2000,1000,512,512": "--region 20,10,51,51", "--bpp 0.03": "--bpp 0.2",
    "--effort 6": "--effort 1",
}  # fmt: skip
"""What can't be downloaded here, is outside a small picture or takes long, and what is taken instead."""
PAGES = {
    "README.md": 8, "docs/command-line.md": 8, "docs/layers.md": 4, "docs/effort.md": 3, "docs/upscaling.md": 6,
    "docs/frontends.md": 3, "docs/scale.md": 2,
}  # fmt: skip
"""The pages, and how many of their commands are run at least."""


def commands(page: str) -> Iterator[str]:
    """The `lpcodec` commands in the console blocks of a page, without their comments."""
    for block in re.findall(r"^```console\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            for command in line.removeprefix("$ ").split("&&"):
                if command.strip().startswith("lpcodec "):
                    yield command.strip()


@pytest.fixture
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the commands name, in the current folder: small crops of a photograph."""
    from matplotlib import cbook

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    with cbook.get_sample_data("grace_hopper.jpg") as stream, Image.open(stream) as image:
        photo = np.asarray(image.convert("RGB"))
    crops = {
        "photo.png": (60, 120), "scan.tif": (200, 20), "beach.jpg": (300, 200), "dog.jpg": (100, 300),
        "photo.jpg": (60, 120),
        "photos/one.png": (0, 0), "photos/trip/two.png": (180, 150),
    }  # fmt: skip
    for name, (top, left) in crops.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[top : top + 176, left : left + 200]).save(name)
    Path("photo.lpc").write_bytes(lpcodec.encode("photo.png"))


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run_as_written(page: str) -> None:
    shown = [command for command in commands(page) if not command.startswith(NOT_RUN)]
    assert len(shown) >= PAGES[page]
    for command in shown:
        for words, others in INSTEAD.items():
            command = command.replace(words, others)
        ran = CliRunner().invoke(app, shlex.split(command, comments=True)[1:])
        assert ran.exit_code == 0, f"{command}: {ran.output}"
