"""Command templates, with real commands: small Python programs that code by Pillow."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lpcodec.codec.errors import UsageError
from lpcodec.codec.evaluation.codecs.command import SETTINGS, Command, CommandError, parse
from lpcodec.codec.evaluation.metrics.distortion import psnr
from lpcodec.codec.evaluation.run.measure import measure, measure_at_bpp
from lpcodec.codec.evaluation.run.originals import Original

PYTHON = sys.executable
SAVE = "import sys; from PIL import Image; Image.open(sys.argv[1]).save(sys.argv[2], {kind!r}, {extra})"
JPEG = f'{PYTHON} -c "{SAVE.format(kind="JPEG", extra="quality=int(sys.argv[3])")}" {{in}} {{out}} {{q}}'
PPM = f'{PYTHON} -c "{SAVE.format(kind="JPEG", extra="quality=90")}" {{in}}.ppm {{out}}.jpg'
TO_PNG = f'{PYTHON} -c "{SAVE.format(kind="PNG", extra="")}" {{in}} {{out}}'


@pytest.fixture
def original() -> Original:
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Original("a", np.asarray(Image.fromarray(coarse).resize((64, 48))), "0")


def test_a_codec_of_one_command_is_read_by_pillow(original: Original) -> None:
    codec = parse(f"mine[30,60,90]={JPEG}")
    assert (codec.name, codec.settings, codec.decoding) == ("mine", (30.0, 60.0, 90.0), ())
    coarse, fine = (measure(codec, setting, original) for setting in (30, 90))
    assert coarse.bytes < fine.bytes
    assert coarse.psnr < fine.psnr
    assert fine.codec == "mine"


def test_a_codec_with_a_command_to_decode_and_endings(original: Original) -> None:
    codec = parse(f"mine={PPM} ;; {TO_PNG}")
    assert codec.settings == (0.0,)  # no {{q}}: no dial
    data = codec.encode(original.pixels, 0)
    assert data.startswith(b"\xff\xd8")
    assert psnr(original.pixels, codec.decode(data)) > 30
    assert " ;; " in codec.options


def test_its_dial_is_searched_for_a_rate(original: Original) -> None:
    found = measure_at_bpp(parse(f"mine[10,50,90]={JPEG}"), 3.0, original)
    point = found.point
    assert found.above is not None
    assert 2.0 < point.bpp <= 3.0
    assert point.setting not in (10, 50, 90)


def test_settings_are_given_in_order_or_usual() -> None:
    assert parse("x=c {in} {out} {q}").settings == SETTINGS
    falling = parse("bpg[45,30.5,20]=bpgenc -q {q} -o {out}.bpg {in} ;; bpgdec -o {out} {in}")
    assert (falling.coarsest, falling.finest, falling.continuous) == (45.0, 20.0, True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no equals sign", "write 'NAME=COMMAND"),
        ("a/b=c {in} {out}", "write 'NAME=COMMAND"),
        ("x=c {in} {q}", "lacks {out}"),
        ("x=c {q}", "lacks {in} and {out}"),
        ("x=c {in} {out} 'open", "No closing quotation"),
        ("x[1,b]=c {in} {out} {q}", "settings are numbers"),
        ("x[1,3,2]=c {in} {out} {q}", "from coarse to fine"),
        ("x[1,1]=c {in} {out} {q}", "each once"),
        ("x=c {in} {out} ;; d {in}", "after ;; comes one command"),
        ("x=c {in} {out} ;; d {in} {out} {q}", "without {q}"),
        ("x=c {in} {out} ;; d {in} {out} ;; e {in} {out}", "after ;; comes one command"),
        ("x=c {in}.gif {out}", "not .gif"),
        ("x=c {in} {out} ;; d {in}.bpg {out}", "to decode, {in} is the coded file"),
    ],
)
def test_templates_that_cannot_be_are_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_command_that_fails_says_its_last_line(original: Original) -> None:
    program = "import sys; print('first', file=sys.stderr); sys.exit('the last line')"
    codec = parse(f'bad={PYTHON} -c "{program}" {{in}} {{out}} {{q}}')
    with pytest.raises(CommandError, match="ended with 1: the last line"):
        codec.encode(original.pixels, 50)
    with pytest.raises(CommandError, match="wrote no file"):
        parse(f"idle={PYTHON} -c pass {{in}} {{out}}").encode(original.pixels, 0)
    with pytest.raises(CommandError, match="can't be run: No such file"):
        parse("absent=there-is-no-such-program {in} {out}").encode(original.pixels, 0)


def test_nothing_is_given_to_a_shell(original: Original, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    codec = parse(f'x={PYTHON} -c "import sys; print(sys.argv[3:])" {{in}} {{out}} ; touch {mark} $(touch {mark})')
    with pytest.raises(CommandError, match="wrote no file"):
        codec.encode(original.pixels, 0)
    assert not mark.exists()


def test_a_command_that_hangs_is_stopped(original: Original) -> None:
    codec = replace(parse(f'slow={PYTHON} -c "import time; time.sleep(600)" {{in}} {{out}}'), seconds=0.3)
    start = time.monotonic()
    with pytest.raises(CommandError, match=r"stopped after 0\.3 seconds"):
        codec.encode(original.pixels, 0)
    assert time.monotonic() - start < 300


def test_no_files_are_left_behind(original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    codec: Command = parse(f"mine={JPEG} ;; {TO_PNG}")
    codec.decode(codec.encode(original.pixels, 50))
    assert os.listdir(tmp_path) == []
