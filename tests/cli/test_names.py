"""Which file becomes which: any OUT, folders, patterns, trees; and nothing is replaced by accident."""

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image


def picture(name: str) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 16)).save(name, "PNG")
    return name


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def _here(folder: Path, api: Any) -> None:
    """Every test runs in its own folder with the fake codec."""


@pytest.mark.parametrize("out", ["out.bin", "out", "a.b", "out.LPC", ".hidden", "x.lpc", "photo.v2"])
def test_any_out_is_taken_and_decoded_by_its_content(lpcodec: Any, folder: Path, out: str) -> None:
    assert lpcodec("encode", picture("in.png"), out, "--bpp", "0.15").exit_code == 0
    assert tree(folder) == {"in.png", out}
    assert lpcodec("decode", out, "back.png").exit_code == 0
    assert lpcodec("decode", out, "--out-dir", "o").exit_code == 0
    assert len(tree(folder / "o")) == 1


@pytest.mark.parametrize("out", ["b.png", "b.JPG", "b.webp", "b.tif", "b.heic", "b.jxl", "b.avif", "b.gif"])
def test_an_out_that_looks_like_a_picture_is_refused(lpcodec: Any, folder: Path, out: str) -> None:
    for words in (("in.png", out), ("in.png", "-o", out)):
        ran = lpcodec("encode", picture("in.png"), *words[1:])
        assert (ran.exit_code, tree(folder)) == (2, {"in.png"})
        assert "--out-dir" in ran.stderr


@pytest.mark.parametrize("words", [("o",), ("o/",), ("-o", "o"), ("-o", "o/"), ("--output", "o"), ("--out-dir", "o")])
def test_an_existing_folder_as_out_means_into_it(lpcodec: Any, folder: Path, words: tuple[str, ...]) -> None:
    (folder / "o").mkdir()
    assert lpcodec("encode", picture("a.png"), *words).exit_code == 0
    assert tree(folder) == {"a.png", "o/a.lpc"}
    assert lpcodec("decode", "o/a.lpc", *words).exit_code == 0
    assert tree(folder) == {"a.png", "o/a.lpc", "o/a.png"}


def test_a_slash_at_the_end_makes_a_folder(lpcodec: Any, folder: Path) -> None:
    assert lpcodec("encode", picture("a.png"), "new/").exit_code == 0
    assert lpcodec("encode", "a.png", picture("b.png"), picture("c.png"), "more/").exit_code == 0
    assert tree(folder) == {"a.png", "b.png", "c.png", "new/a.lpc", "more/a.lpc", "more/b.lpc", "more/c.lpc"}


def test_output_names_a_file_for_one_input_alone(lpcodec: Any, folder: Path) -> None:
    assert lpcodec("encode", picture("a.png"), "-o", "x.lpc").exit_code == 0
    for words in (("a.png", "b.png", "-o", "y.lpc"), ("a.png", "-o", "y", "--out-dir", "z")):
        assert lpcodec("encode", picture("b.png"), *words).exit_code == 2
    assert tree(folder) == {"a.png", "b.png", "x.lpc"}


PICTURES = ("in/a.png", "in/B.JPG", "in/deep/c.png", "in/deep/er/d.webp")
OTHERS = ("in/notes.txt", "in/.thumb.png", "in/.cache/e.png", "in/old.lpc")


def folder_of_pictures() -> None:
    for name in PICTURES:
        picture(name)
    for name in OTHERS:
        picture(name + ".png")
        os.rename(name + ".png", name)


def test_a_folder_gives_its_pictures(lpcodec: Any, folder: Path) -> None:
    folder_of_pictures()
    ran = lpcodec("encode", "in", "out")
    assert ran.exit_code == 0
    assert tree(folder / "out") == {"a.lpc", "B.lpc"}
    assert ran.stderr.splitlines()[:2] == [
        "lpcodec: note: in: left out 2 files other than pictures: notes.txt and so on",
        "lpcodec: note: in: left out 1 folder; --recursive takes what is in there",
    ]


@pytest.mark.parametrize("words", [("out",), ("--out-dir", "out"), ("-o", "out")])
def test_recursive_keeps_the_tree(lpcodec: Any, folder: Path, words: tuple[str, ...]) -> None:
    folder_of_pictures()
    assert lpcodec("encode", "in", *words, "--recursive").exit_code == 0
    assert tree(folder / "out") == {"a.lpc", "B.lpc", "deep/c.lpc", "deep/er/d.lpc"}
    assert lpcodec("decode", "out", "back", "-r").exit_code == 0
    assert tree(folder / "back") == {"a.png", "B.png", "deep/c.png", "deep/er/d.png"}


def test_without_out_a_folder_is_filled_beside_its_pictures(lpcodec: Any, folder: Path) -> None:
    folder_of_pictures()
    assert lpcodec("encode", "in", "-r").exit_code == 0
    assert tree(folder) == {*PICTURES, *OTHERS, "in/a.lpc", "in/B.lpc", "in/deep/c.lpc", "in/deep/er/d.lpc"}


def test_files_of_a_folder_are_decoded_by_content(lpcodec: Any, folder: Path) -> None:
    lpcodec("encode", picture("a.png"), "in/coded.bin".replace("in/", ""))
    (folder / "in").mkdir()
    (folder / "in/real").write_bytes(b"\xb1LPfake")
    (folder / "in/named.lpc").write_bytes(Path("coded.bin").read_bytes())
    (folder / "in/text.txt").write_text("text")
    ran = lpcodec("decode", "in", "out")
    assert "real: not an lpcodec file" in ran.stderr, "the fake knows only its own files"
    assert tree(folder / "out") == {"named.png"}
    assert "text.txt" in ran.stderr


def test_folders_without_anything_to_do_say_so(lpcodec: Any, folder: Path) -> None:
    (folder / "empty/deep").mkdir(parents=True)
    ran = lpcodec("encode", "empty")
    assert ran.exit_code == 7
    assert "the folder holds no pictures; --recursive looks into its 1 folder" in ran.stderr
    assert lpcodec("decode", "empty", "-r").stderr == "lpcodec: error: empty: the folder holds no .lpc files\n"


def test_a_folder_needs_a_folder(lpcodec: Any, folder: Path) -> None:
    folder_of_pictures()
    (folder / "out").write_bytes(b"file")
    assert lpcodec("encode", "in", "out").exit_code == 2
    assert lpcodec("encode", "in", "in/deep", "x.lpc").exit_code == 2
    assert Path("out").read_bytes() == b"file"


def test_patterns_that_the_shell_left_alone_are_expanded(lpcodec: Any, folder: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.png", "[d].jpg"):
        picture(name)
    assert lpcodec("encode", "*.jpg", "--out-dir", "o").exit_code == 0
    assert tree(folder / "o") == {"a.lpc", "b.lpc", "[d].lpc"}
    assert lpcodec("encode", "[d].jpg", "x.lpc").exit_code == 0, "a file of that name is itself"
    ran = lpcodec("encode", "*.tif", "--out-dir", "o")
    assert (ran.exit_code, ran.stderr) == (7, "lpcodec: error: *.tif: no file has such a name\n")
    assert lpcodec("info", "o/*.lpc").stdout.count("\n") == 3
    assert lpcodec("verify", "o/*.lpc").stdout.count(": ok\n") == 3
    assert lpcodec("verify", "o").stdout.count(": ok\n") == 3


def test_the_originals_of_a_batch_are_kept(lpcodec: Any, folder: Path) -> None:
    originals = {name: Path(picture(name)).read_bytes() for name in ("a.png", "b.png")}
    assert lpcodec("encode", "a.png", "b.png", "--out-dir", ".").exit_code == 0
    for words in (
        ("a.lpc", "b.lpc", "--out-dir", "."),
        ("a.lpc", "."),
        ("a.lpc",),
        (".",),
        ("*.lpc", "--out-dir", "."),
    ):
        ran = lpcodec("decode", *words)
        assert ran.exit_code == 2
        assert "a.png" in ran.stderr
        assert "--overwrite replaces what is there, --skip-existing keeps it" in ran.stderr
        assert {name: Path(name).read_bytes() for name in originals} == originals
    assert lpcodec("decode", "a.lpc", "b.lpc", "--out-dir", ".", "--overwrite").exit_code == 0
    assert all(Path(name).read_bytes() != data for name, data in originals.items())


def test_two_commands_do_not_make_one_file_of_two_pictures(lpcodec: Any, api: Any) -> None:
    assert lpcodec("encode", picture("photo.jpg")).exit_code == 0
    coded = Path("photo.lpc").read_bytes()
    ran = lpcodec("encode", picture("photo.png"))
    assert ran.exit_code == 2
    assert "photo.lpc is there already, and nothing was done" in ran.stderr
    assert Path("photo.lpc").read_bytes() == coded
    assert len(api.calls) == 1
    assert lpcodec("encode", "photo.png", "photo.lpc").exit_code == 0, "a file that is named is replaced"


def test_one_output_that_is_there_stops_a_batch_before_anything_is_written(lpcodec: Any, folder: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        picture(name)
    assert lpcodec("encode", "c.png", "--out-dir", "o").exit_code == 0
    assert lpcodec("encode", "a.png", "b.png", "c.png", "--out-dir", "o").exit_code == 2
    assert tree(folder / "o") == {"c.lpc"}
    assert lpcodec("encode", "a.png", "b.png", "c.png", "--out-dir", "o", "--skip-existing").exit_code == 0
    assert tree(folder / "o") == {"a.lpc", "b.lpc", "c.lpc"}
    assert lpcodec("encode", "a.png", "--out-dir", "o", "--skip-existing", "--overwrite").exit_code == 2


def test_an_output_never_replaces_any_input(lpcodec: Any, folder: Path) -> None:
    for name in ("a.png", "a.lpc", "b.png"):
        picture(name)
    os.link("a.lpc", "same.bin")
    for words in (("a.png", "a.lpc", "--out-dir", "."), ("a.lpc", "same.bin"), ("a.lpc", "-o", "a.lpc")):
        ran = lpcodec("encode", *words, "--overwrite")
        assert ran.exit_code == 2
        assert "would replace this input" in ran.stderr or "would both become" in ran.stderr


def test_outputs_that_cannot_be_written_are_found_before_anything_is_coded(
    lpcodec: Any, api: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture("a.png")
    (folder / "closed").mkdir()
    (folder / "old.lpc").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith(("closed", "old.lpc")))
    cases = {
        ("none/x.lpc",): "none/x.lpc: there is no folder none",
        ("closed/x.lpc",): "closed/x.lpc: the folder closed can't be written",
        ("closed",): "closed/a.lpc: the folder closed can't be written",
        ("old.lpc",): "old.lpc: Permission denied",
    }
    for words, text in cases.items():
        ran = lpcodec("encode", "a.png", *words)
        assert (ran.exit_code, ran.stderr) == (7, f"lpcodec: error: {text}\n")
    assert api.calls == []


@pytest.mark.parametrize("words", [("",), ("a.png", ""), ("a.png", "", "--out-dir", "o")])
def test_an_empty_name_is_not_the_current_folder(lpcodec: Any, folder: Path, words: tuple[str, ...]) -> None:
    picture("a.png")
    ran = lpcodec("encode", *words)
    assert (ran.exit_code, ran.stderr) == (2, "lpcodec: error: the name of an input or output is empty\n")
    assert lpcodec("info", "").stderr == ran.stderr
    assert lpcodec("encode", "a.png", "--out-dir", "").exit_code == 2
    assert tree(folder) == {"a.png"}


@pytest.mark.parametrize("out", ["file", "file/deep"])
def test_a_file_in_the_place_of_a_folder_is_named(lpcodec: Any, folder: Path, out: str) -> None:
    (folder / "file").write_bytes(b"file")
    ran = lpcodec("encode", picture("a.png"), "--out-dir", out)
    why = f"lpcodec: error: {out}: a folder is needed, and file is a file; name another\n"
    assert (ran.exit_code, ran.stderr) == (7, why)


def test_urls_are_read_in_parts_alone(lpcodec: Any, api: Any, folder: Path) -> None:
    why = "only decode with --region, and batch, read URLs; download the file first"
    for words in (
        ("decode", "https://a.b/c.lpc?d=*", "c.png"),
        ("encode", "s3://a/b.png"),
        ("info", "https://a.b/c.lpc"),
    ):
        ran = lpcodec(*words)
        assert (ran.exit_code, ran.stderr) == (7, f"lpcodec: error: {words[1]}: {why}\n")
    region = ("--region", "0,0,5,5")
    ran = lpcodec("decode", "https://a.b/c.lpc", *region)
    assert ran.exit_code == 2
    assert "nothing can be written beside a URL; name an OUT" in ran.stderr
    lpcodec("decode", "https://a.b/c.lpc?d=*", "c.png", *region)
    assert [source for _, source, _ in api.calls] == ["https://a.b/c.lpc?d=*"]


def test_devices_are_outputs(lpcodec: Any, folder: Path) -> None:
    assert lpcodec("encode", picture("a.png"), "/dev/null").exit_code == 0
    assert tree(folder) == {"a.png"}


def test_standard_output_may_be_named_as_a_device(folder: Path) -> None:
    from lpcodec.cli.files import write_whole

    reading, writing = os.pipe()
    write_whole(Path(f"/dev/fd/{writing}"), lambda stream: stream.write(b"coded"))
    os.close(writing)
    with open(reading, "rb") as stream:
        assert stream.read() == b"coded"


def test_a_device_that_is_not_there_is_found_first(lpcodec: Any, api: Any, folder: Path) -> None:
    Path("a.lpc").write_bytes(b"fake lpc ")
    ran = lpcodec("decode", "a.lpc", "--device", "abacus")
    assert ran.exit_code == 2
    assert ran.stderr.startswith("lpcodec: error: device 'abacus' isn't available here; choose one of: cpu")
    assert api.calls == []
