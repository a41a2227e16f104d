"""The files for desktops and shells do their work with the tools that read them."""

import configparser
import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import lpcodec

CONTRIB = Path(__file__).resolve().parents[1] / "contrib"


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} isn't installed")
    return found


@pytest.fixture(scope="module")
def photo(thumbnail: Image.Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("contrib") / "photo"
    path.with_suffix(".lpc").write_bytes(lpcodec.encode(thumbnail, quality=30))
    path.with_name("no-ending").write_bytes(lpcodec.encode(thumbnail, lossless=True))
    path.with_name("text.txt").write_text("plain text\n")
    return path.with_suffix(".lpc")


@pytest.fixture
def command(tmp_path: Path) -> dict[str, str]:
    """An environment that has the command `lpcodec`."""
    script = tmp_path / "bin/lpcodec"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m lpcodec "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {**os.environ, "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}"}


def _output(*command: object, **options: object) -> str:
    ran = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True, **options)  # type: ignore[call-overload]
    return str(ran.stdout).strip()


def test_file_knows_the_format(photo: Path) -> None:
    file = (_tool("file"), "--brief", "-m", CONTRIB / "lpcodec.magic")
    version = photo.read_bytes()[3]
    assert _output(*file, photo) == f"lpcodec image data, format {version}, coded"
    assert _output(*file, photo.with_name("no-ending")) == f"lpcodec image data, format {version}, lossless"
    assert _output(*file, "--mime-type", photo) == "image/x-lpc"
    assert "lpcodec" not in _output(*file, photo.with_name("text.txt"))


def test_the_desktop_knows_the_type_by_name_and_by_content(photo: Path, tmp_path: Path) -> None:
    gio, update = _tool("gio"), _tool("update-mime-database")
    packages = tmp_path / "mime/packages"
    packages.mkdir(parents=True)
    shutil.copy(CONTRIB / "lpcodec.xml", packages)
    subprocess.run([update, tmp_path / "mime"], check=True, capture_output=True)
    # Nothing of the system's own types: what is found is what this file says.
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "XDG_DATA_DIRS": str(tmp_path)}
    for path in (photo, photo.with_name("no-ending")):
        info = _output(gio, "info", "-a", "standard::content-type", path, env=environment)
        assert "standard::content-type: image/x-lpc" in info
    (tmp_path / "other.bin").write_bytes(bytes(64))
    assert "x-lpc" not in _output(gio, "info", "-a", "standard::content-type", tmp_path / "other.bin", env=environment)


@pytest.mark.skipif(sys.platform == "win32", reason="thumbnailers of Unix desktops")
@pytest.mark.parametrize(("size", "expected"), [(256, (44, 52)), (52, (44, 52)), (32, (22, 26)), (10, (6, 7))])
def test_the_thumbnailer_makes_a_png_whatever_it_is_called(
    photo: Path, tmp_path: Path, command: dict[str, str], size: int, expected: tuple[int, int]
) -> None:
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment, method-assign]
    entry.read(CONTRIB / "lpcodec.thumbnailer")
    about = entry["Thumbnailer Entry"]
    assert (about["TryExec"], about["MimeType"]) == ("lpcodec", "image/x-lpc;")
    out = tmp_path / ".a thumbnail.AB12CD"  # as desktops name them; it is there already
    out.touch()
    words = {"%i": str(photo), "%o": str(out), "%u": photo.as_uri(), "%s": str(size)}
    subprocess.run([words.get(word, word) for word in shlex.split(about["Exec"])], check=True, env=command)
    with Image.open(out) as image:
        assert (image.format, image.size) == ("PNG", expected)  # no side is over the size


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("lpcodec", "enc"), ["encode"]),
        (("lpcodec", "encode", "--model", "lpc"), ["lpcae"]),
        (("lpcodec", "nothing"), []),
        (("lpcodec", "encode", "--model", "wcae", "@", "0.1"), ["@0.13", "@0.16"]),  # as bash divides it
        (("lpcodec", "encode", "--model", "nowcae", "@"), ["@0.20"]),
        (("lpcodec", "encode", "--model", "=", "lpc"), ["lpcae"]),
        (("lpcodec", "encode", "--model", "wcae", "@", "0.13", "--psn"), ["--psnr"]),
    ],
)
def test_bash_completes_commands_and_models(
    words: tuple[str, ...], expected: list[str], command: dict[str, str]
) -> None:
    replaced = "@" + words[-1].removeprefix("@") if "@" in words[-2:] else words[-1]  # as bash says it
    script = (
        f"source {shlex.quote(str(CONTRIB / 'completions/lpcodec.bash'))}\n"
        f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}\n"
        f"_lpcodec_completion lpcodec {shlex.quote(replaced)}\n"
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    assert _output(_tool("bash"), "-c", script, env=command).split() == expected


@pytest.mark.parametrize(
    ("line", "expected"), [("lpcodec enc", "encode"), ("lpcodec encode --model lpc", "lpcae"), ("lpcodec nothing", "")]
)
def test_fish_completes_commands_and_models(line: str, expected: str, command: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "fish/completions"
    folder.mkdir(parents=True)
    shutil.copy(CONTRIB / "completions/lpcodec.fish", folder)
    environment = {**command, "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    assert _output(_tool("fish"), "-c", f"complete -C {shlex.quote(line)}", env=environment).split("\t")[0] == expected


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of Unix")
def test_zsh_completes_at_its_prompt(command: dict[str, str], tmp_path: Path) -> None:
    zsh = _tool("zsh")
    (tmp_path / ".zfunc").mkdir()
    shutil.copy(CONTRIB / "completions/_lpcodec", tmp_path / ".zfunc")
    (tmp_path / ".zshrc").write_text("fpath+=~/.zfunc\nautoload -U compinit && compinit -u\nPS1='> '\n")
    # A shell in a terminal of its own, which gets the keys of someone who types.
    script = """
        zmodload zsh/zpty
        zpty shell zsh -i
        zpty -w -n shell $'lpcodec enc\\t'
        zpty -r shell seen '*encode *'
        print -r -- found encode
        zpty -w -n shell $'\\025lpcodec encode --model lpc\\t'
        zpty -r shell seen '*lpcae *'
        print -r -- found lpcae
        zpty -d shell
    """
    environment = {**command, "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path), "TERM": "dumb"}
    assert _output(zsh, "-f", "-c", script, env=environment, timeout=120).split("\n") == ["found encode", "found lpcae"]


@pytest.mark.parametrize(("shell", "name"), [("zsh", "_lpcodec"), ("fish", "lpcodec.fish"), ("bash", "lpcodec.bash")])
def test_the_shells_can_read_their_completions(shell: str, name: str) -> None:
    subprocess.run([_tool(shell), "-n", CONTRIB / "completions" / name], check=True)
