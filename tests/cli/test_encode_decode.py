"""encode and decode: targets, batches, what is said and what is left on the disk."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lpcodec.codec.container import SIGNATURE
from lpcodec.codec.errors import LimitError, UnknownModelError

TARGETS = [("--bpp", "0.15"), ("--size", "20k"), ("--psnr", "34"), ("--quality", "50"), ("-q", "50")]


def picture(name: str) -> str:
    Image.new("RGB", (32, 16)).save(name)
    return name


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(autouse=True)
def _here(folder: Path, api: Any) -> None:
    """Every test runs in its own folder with the fake codec."""


def test_the_output_stands_beside_the_input(lpcodec: Any, folder: Path) -> None:
    (folder / "sub").mkdir()
    ran = lpcodec("encode", picture("sub/photo.v2.png"))
    assert ran.exit_code == 0
    assert names(folder / "sub") == {"photo.v2.png", "photo.v2.lpc"}


def test_what_was_done_is_told_on_stderr(lpcodec: Any, api: Any) -> None:
    api.notes = ("16-bit input reduced to 8 bit",)
    ran = lpcodec("encode", picture("photo.png"))
    before, size = Path("photo.png").stat().st_size, Path("photo.lpc").stat().st_size
    assert ran.stdout == ""
    note, line = ran.stderr.splitlines()
    assert note == "lpcodec: note: photo.png: 16-bit input reduced to 8 bit"
    start = f"photo.png -> photo.lpc: {size} bytes, {100 - 100 * size / before:.1f} % smaller than {before}, "
    assert line.startswith(start)
    assert re.fullmatch(r"0\.150 bpp, quality 34\.2, default, \d+\.\d s", line.removeprefix(start))
    api.quality, api.psnr = None, 34.05
    assert "bpp, 34.05 dB, default" in lpcodec("encode", "photo.png", "--overwrite").stderr  # a model without a quality
    assert lpcodec("encode", "photo.png", "--quiet", "--overwrite").stderr == ""


def test_a_file_that_grew_says_so(lpcodec: Any) -> None:
    Path("dot.png").write_bytes(b"x")
    assert "00.0 % larger than 1, " in lpcodec("encode", "dot.png").stderr


def test_encode_as_json_is_an_object_per_file(lpcodec: Any, api: Any, folder: Path) -> None:
    api.notes = ("16-bit input reduced to 8 bit",)
    ran = lpcodec("encode", picture("a.png"), picture("b.png"), "--out-dir", "o", "--json")
    objects = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(o["file"], o["output"]) for o in objects] == [("a.png", "o/a.lpc"), ("b.png", "o/b.lpc")]
    expected = {
        "input_bytes": Path("a.png").stat().st_size, "bytes": Path("o/a.lpc").stat().st_size, "bpp": 0.15,
        "quality": 34.2, "psnr": None, "lossless": False, "model": "default", "width": 32, "height": 16,
        "notes": ["16-bit input reduced to 8 bit"],
    }  # fmt: skip
    assert expected.items() <= objects[0].items()
    assert objects[0]["seconds"] >= 0
    assert ran.stderr == "2 files: 2 done, 0 there already, 0 failed\n"
    api.psnr = math.inf
    (line,) = lpcodec("encode", "a.png", "c.lpc", "--json").stdout.splitlines()
    assert (json.loads(line)["lossless"], json.loads(line)["psnr"]) == (True, None)
    assert lpcodec("encode", "-", "--json", stdin=b"x").exit_code == 2


@pytest.mark.parametrize(("option", "value"), TARGETS)
def test_each_target_reaches_the_codec_alone(lpcodec: Any, api: Any, option: str, value: str) -> None:
    assert lpcodec("encode", picture("a.png"), option, value).exit_code == 0
    given = {name: api.calls[0][2][name] for name in ("bpp", "size", "psnr", "quality")}
    expected = {"--bpp": ("bpp", 0.15), "--size": ("size", 20_000), "--psnr": ("psnr", 34.0)}
    name, number = expected.get(option, ("quality", 50.0))
    assert given == {"bpp": None, "size": None, "psnr": None, "quality": None, name: number}


def test_two_targets_are_wrong_usage(lpcodec: Any, api: Any) -> None:
    for first in TARGETS:
        for second in TARGETS:
            if first[0].lstrip("-")[0] != second[0].lstrip("-")[0]:
                assert lpcodec("encode", picture("a.png"), *first, *second).exit_code == 2
    assert api.calls == []


@pytest.mark.parametrize("words", [("-q", "101"), ("-q", "-1"), ("--size", "many"), ("--size", "0"), ("-j", "0")])
def test_impossible_numbers_are_wrong_usage(lpcodec: Any, words: tuple[str, str]) -> None:
    assert lpcodec("encode", picture("a.png"), *words).exit_code == 2


def test_options_reach_the_codec(lpcodec: Any, api: Any) -> None:
    lpcodec(
        "encode",
        picture("a.png"),
        "--model",
        "hq",
        "--strip",
        "--exact",
        "--background",
        "white",
        "--alpha-quality",
        "100",
        "--best-effort",
        "--max-pixels",
        "5M",
        "--device",
        "cuda",
    )
    options = api.calls[0][2]
    assert (options["model"], options["strip"], options["best_effort"]) == ("hq", True, True)
    assert (options["max_pixels"], options["device"], options["lossless"]) == (5_000_000, "cuda", False)
    assert (options["exact"], options["background"], options["alpha_quality"]) == (True, "white", 100)
    lpcodec("decode", "a.lpc", "b.png", "--max-pixels", "5M", "--max-memory", "2G")
    options = api.calls[1][2]
    assert (options["max_pixels"], options["max_memory"]) == (5_000_000, 2_000_000_000)


def test_threads_are_given_to_torch(lpcodec: Any, replace_module: Any) -> None:
    import sys

    counts: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", type("torch", (), {"set_num_threads": counts.append}))
        assert lpcodec("encode", picture("a.png"), "-j", "3").exit_code == 0
        assert lpcodec("encode", "a.png", "--overwrite").exit_code == 0
    assert counts == [3]


def test_through_pipes_and_back(lpcodec: Any, folder: Path) -> None:
    coded = lpcodec("encode", "-", stdin=Path(picture("a.png")).read_bytes())
    assert coded.stdout_bytes.startswith(b"fake lpc ")
    assert coded.stderr.startswith("- -> -: ")
    decoded = lpcodec("decode", "-", "-", stdin=coded.stdout_bytes)
    assert decoded.stdout_bytes.startswith(b"\x89PNG")
    assert lpcodec("decode", "-", "b.webp", "--quiet", stdin=coded.stdout_bytes).exit_code == 0
    assert names(folder) == {"a.png", "b.webp"}


def test_a_level_reaches_the_codec(lpcodec: Any, api: Any) -> None:
    lpcodec("encode", picture("a.png"))
    assert lpcodec("decode", "a.lpc", "b.png").stderr == "a.lpc -> b.png: 32 x 16 pixels\n"
    assert lpcodec("decode", "a.lpc", "b.png", "--level", "2").stderr == "a.lpc -> b.png: 8 x 4 pixels\n"
    assert [call[2]["level"] for call in api.calls[1:]] == [0, 2]
    with Image.open("b.png") as image:
        assert image.size == (8, 4)
    for wrong in ("-1", "9", "half"):
        assert lpcodec("decode", "a.lpc", "c.png", "--level", wrong).exit_code == 2


def test_what_is_left_of_a_cut_file_is_written_only_if_that_is_asked_for(lpcodec: Any, folder: Path) -> None:
    (folder / "a.lpc").write_bytes(b"fake lpc cut")
    refused = lpcodec("decode", "a.lpc", "b.png")
    assert (refused.exit_code, refused.stderr) == (3, "lpcodec: error: a.lpc: the file was cut short\n")
    assert names(folder) == {"a.lpc"}
    written = lpcodec("decode", "a.lpc", "b.png", "--allow-partial")
    note = "lpcodec: note: a.lpc: decoded in part: it was cut\n"
    assert (written.exit_code, written.stderr) == (8, note + "a.lpc -> b.png: 32 x 16 pixels\n")
    assert names(folder) == {"a.lpc", "b.png"}
    quiet = lpcodec("decode", "a.lpc", "b.png", "--allow-partial", "--quiet")
    assert (quiet.exit_code, quiet.stderr) == (8, note), "an exit code that isn't 0 comes with its reason"


def test_a_sound_file_is_not_partial(lpcodec: Any, folder: Path) -> None:
    (folder / "a.lpc").write_bytes(b"fake lpc ")
    ran = lpcodec("decode", "a.lpc", "b.png", "--allow-partial")
    assert (ran.exit_code, ran.stderr) == (0, "a.lpc -> b.png: 32 x 16 pixels\n")


def test_in_a_batch_what_was_written_in_part_is_done_and_gives_its_code(lpcodec: Any, folder: Path) -> None:
    for name, data in (("a", b"fake lpc cut"), ("b", b"junk"), ("c", b"fake lpc ")):
        (folder / f"{name}.lpc").write_bytes(data)
    words = ("decode", "a.lpc", "b.lpc", "c.lpc", "--out-dir", "o")
    ran = lpcodec(*words, "--allow-partial")
    assert ran.exit_code == 8
    assert names(folder / "o") == {"a.png", "c.png"}
    assert ran.stderr.splitlines()[-1] == "3 files: 2 done, 0 there already, 1 failed"
    assert "lpcodec: error: b.lpc: not an lpcodec file" in ran.stderr
    assert lpcodec(*words, "--overwrite").exit_code == 3


@pytest.mark.parametrize(
    ("name", "form"),
    [("b.jpg", "JPEG"), ("b.PNG", "PNG"), ("b.webp", "WEBP"), ("b.tiff", "TIFF"), ("b", "PNG")],
)
def test_the_ending_says_the_format(lpcodec: Any, name: str, form: str) -> None:
    lpcodec("encode", picture("a.png"))
    ran = lpcodec("decode", "a.lpc", name)
    assert ran.stderr == f"a.lpc -> {name}: 32 x 16 pixels\n"
    with Image.open(name) as image:
        assert image.format == form


def test_endings_that_cannot_be_written_are_found_before_decoding(lpcodec: Any, api: Any) -> None:
    Path("a.lpc").touch()
    for name in ("b.lpc", "b.txt"):
        assert lpcodec("decode", "a.lpc", name).exit_code == 2
    assert api.calls == []


def test_decode_never_replaces_a_picture_that_was_not_named(lpcodec: Any) -> None:
    original = Path(picture("a.png")).read_bytes()
    lpcodec("encode", "a.png")
    ran = lpcodec("decode", "a.lpc")
    assert (ran.exit_code, Path("a.png").read_bytes()) == (2, original)
    assert "a.png is there already" in ran.stderr
    assert lpcodec("decode", "a.lpc", "a.png").exit_code == 0
    assert Path("a.png").read_bytes() != original


def test_encode_never_takes_a_second_picture_for_its_output(lpcodec: Any) -> None:
    original = Path(picture("b.png")).read_bytes()
    ran = lpcodec("encode", picture("a.png"), "b.png")
    assert (ran.exit_code, Path("b.png").read_bytes()) == (2, original)
    assert "--out-dir" in ran.stderr


def test_an_output_that_is_its_input_is_wrong_usage(lpcodec: Any, folder: Path) -> None:
    Path("a.lpc").write_bytes(Path(picture("a.png")).read_bytes())
    Path("link.lpc").symlink_to("a.lpc")
    for words in (("a.lpc",), ("a.lpc", "a.lpc"), ("a.lpc", "link.lpc"), ("a.lpc", "--out-dir", ".")):
        assert lpcodec("encode", *words).exit_code == 2


def test_an_input_of_the_wrong_kind_is_named_as_that_and_not_as_its_output(lpcodec: Any, folder: Path) -> None:
    picture("a.png")
    Path("b.lpc").write_bytes(SIGNATURE + b"the rest")
    for words, code, line in (
        (("encode", "b.lpc"), 7, "b.lpc: an .lpc file, which is coded already"),
        (("encode", "b.lpc", "b.lpc", "--overwrite"), 7, "b.lpc: an .lpc file, which is coded already"),
        (("decode", "a.png"), 3, "a.png: not an lpcodec file"),
    ):
        ran = lpcodec(*words)
        assert (ran.exit_code, ran.stderr) == (code, f"lpcodec: error: {line}\n")


def test_a_batch_fills_the_folder(lpcodec: Any, folder: Path) -> None:
    ran = lpcodec("encode", picture("a.png"), picture("b.jpg"), "--out-dir", "new/coded")
    assert ran.exit_code == 0
    assert names(folder / "new/coded") == {"a.lpc", "b.lpc"}
    assert ran.stderr.splitlines()[-1] == "2 files: 2 done, 0 there already, 0 failed"
    assert lpcodec("decode", "new/coded/a.lpc", "new/coded/b.lpc", "--out-dir", "decoded").exit_code == 0
    assert names(folder / "decoded") == {"a.png", "b.png"}


@pytest.mark.parametrize(
    "words", [("a.png", "b.png", "c.png"), ("a.png", "a.jpg", "--out-dir", "o"), ("-", "--out-dir", "o")]
)
def test_batches_whose_names_are_unclear_are_wrong_usage(lpcodec: Any, folder: Path, words: tuple[str, ...]) -> None:
    for name in ("a.png", "b.png", "c.png", "a.jpg"):
        picture(name)
    assert lpcodec("encode", *words).exit_code == 2
    assert names(folder) == {"a.png", "b.png", "c.png", "a.jpg"}


def test_a_batch_tries_all_and_ends_with_the_largest_code(lpcodec: Any, api: Any, folder: Path) -> None:
    files = [picture(f"{letter}.png") for letter in "abcd"]
    api.failures = {
        "a.png": LimitError("too large"),
        "b.png": UnknownModelError("no weights"),
        "d.png": ValueError("?"),
    }
    ran = lpcodec("encode", *files, "--out-dir", "o", "--quiet")
    assert ran.exit_code == 5
    assert names(folder / "o") == {"c.lpc"}
    lines = ran.stderr.splitlines()
    assert lines[:2] == ["lpcodec: error: a.png: too large", "lpcodec: error: b.png: no weights"]
    assert "d.png: this is a bug, please report it: ValueError: ?" in lines[2]
    assert lines[3] == "4 files: 1 done, 0 there already, 3 failed"


def test_a_batch_run_again_does_only_what_is_missing(lpcodec: Any, api: Any, folder: Path) -> None:
    files = [picture(f"{letter}.png") for letter in "abc"]
    api.failures = {"b.png": MemoryError()}
    assert lpcodec("encode", *files, "--out-dir", "o").exit_code == 5
    before = (folder / "o/a.lpc").stat().st_mtime_ns
    api.failures, api.calls = {}, []
    ran = lpcodec("encode", *files, "--out-dir", "o", "--skip-existing")
    assert [call[1].name for call in api.calls] == ["b.png"]
    assert (folder / "o/a.lpc").stat().st_mtime_ns == before
    assert ran.stderr.splitlines()[-1] == "3 files: 1 done, 2 there already, 0 failed"
    again = lpcodec("encode", "a.png", "o/a.lpc", "--skip-existing")
    assert (again.exit_code, again.stderr) == (0, "nothing to do: the output is there already\n")


def test_ctrl_c_ends_a_batch(lpcodec: Any, api: Any, folder: Path) -> None:
    api.failures = {"b.png": KeyboardInterrupt()}
    ran = lpcodec("encode", *(picture(f"{letter}.png") for letter in "abc"), "--out-dir", "o")
    assert (ran.exit_code, names(folder / "o")) == (130, {"a.lpc"})


def test_an_older_output_survives_a_failure(lpcodec: Any, api: Any, folder: Path) -> None:
    Path("a.lpc").write_bytes(b"older")
    api.failures = {"a.png": LimitError("too large")}
    assert lpcodec("encode", picture("a.png"), "--overwrite").exit_code == 5
    assert Path("a.lpc").read_bytes() == b"older"
    assert names(folder) == {"a.png", "a.lpc"}
    api.failures = {}
    assert lpcodec("encode", "a.png", "a.lpc").exit_code == 0
    assert Path("a.lpc").read_bytes() != b"older"


def test_named_errors_and_their_codes(lpcodec: Any) -> None:
    picture("a.png")
    Path("bad.lpc").write_bytes(b"junk")
    cases = {
        ("encode", "none.png"): (7, "none.png: No such file or directory"),
        ("encode", "a.png", "--bpp", "0.0001"): (
            6,
            "a.png: 0.0001 bpp can't be reached: the nearest is 0.02 bpp",
        ),
        ("encode", "a.png", "none/a.lpc"): (7, "none/a.lpc: there is no folder none"),
        ("encode", "a.png", "--model", "nonesuch"): (2, "no model named 'nonesuch'"),
        ("decode", "none.lpc"): (7, "none.lpc: No such file or directory"),
        ("decode", "bad.lpc"): (3, "bad.lpc: not an lpcodec file"),
        ("verify", "bad.lpc"): (3, "bad.lpc: not an lpcodec file"),
        ("info", "bad.lpc"): (3, "bad.lpc: not an lpcodec file"),
    }
    for words, (code, text) in cases.items():
        ran = lpcodec(*words)
        assert (ran.exit_code, ran.stderr, ran.stdout) == (code, f"lpcodec: error: {text}\n", "")


def test_a_file_is_no_folder_for_outputs(lpcodec: Any, folder: Path) -> None:
    assert lpcodec("encode", picture("a.png"), "b.png", "--out-dir", "a.png").exit_code == 7
    (folder / "o.lpc").mkdir()
    (folder / "x/a.lpc").mkdir(parents=True)
    assert lpcodec("encode", "a.png", "x", "--overwrite").stderr == "lpcodec: error: x/a.lpc: a folder has this name\n"


@pytest.mark.parametrize(
    ("words", "pixels", "memory"),
    [
        ((), None, None),
        (("--untrusted",), 40_000_000, 2_000_000_000),
        (("--untrusted", "--max-pixels", "90M"), 90_000_000, 2_000_000_000),
        (("--max-memory", "3G", "--untrusted"), 40_000_000, 3_000_000_000),
    ],
)
def test_one_switch_sets_small_limits(
    lpcodec: Any, api: Any, words: tuple[str, ...], pixels: int | None, memory: int | None
) -> None:
    lpcodec("encode", picture("a.png"))
    assert lpcodec("decode", "a.lpc", "b.png", *words).exit_code == 0
    _, _, given = api.calls[-1]
    assert (given["max_pixels"], given["max_memory"]) == (pixels, memory)
    if "--max-memory" not in words:  # verifying makes no picture
        assert lpcodec("verify", "a.lpc", *words).exit_code == 0
        assert api.calls[-1][2]["max_pixels"] == pixels


def test_decode_writes_lossy_formats_at_a_quality(lpcodec: Any, folder: Path) -> None:
    lpcodec("encode", picture("a.png"))
    for ending in ("jpg", "webp", "avif"):
        assert lpcodec("decode", "a.lpc", f"out.{ending}", "--quality", "40").exit_code == 0
        with Image.open(f"out.{ending}") as image:
            assert image.size == (32, 16)
    for name in ("b.png", "-"):
        refused = lpcodec("decode", "a.lpc", name, "--quality", "40")
        assert (refused.exit_code, "PNG has no quality" in refused.stderr) == (2, True)
    assert not Path("b.png").exists()


def test_a_region_is_asked_of_the_file_itself_so_that_not_all_of_it_is_read(lpcodec: Any, api: Any) -> None:
    lpcodec("encode", picture("a.png"))
    assert lpcodec("decode", "a.lpc", "part.png", "--region", "10, 2,5,6").exit_code == 0
    _, source, options = api.calls[-1]
    assert (source, options["region"]) == ("a.lpc", (10, 2, 5, 6))
    assert lpcodec("decode", "a.lpc", "all.png").exit_code == 0
    assert isinstance(api.calls[-1][1], bytes)


@pytest.mark.parametrize("words", ["1,2,3", "1,2,3,x", "1,2,0,4", "-1,2,3,4", "1;2;3;4", " "])
def test_what_is_no_region_is_one_line(lpcodec: Any, words: str) -> None:
    lpcodec("encode", picture("a.png"))
    ran = lpcodec("decode", "a.lpc", "part.png", f"--region={words}")
    assert (ran.exit_code, "is no region" in ran.stderr) == (2, True)
    assert not Path("part.png").exists()
