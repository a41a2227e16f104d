"""Every failure is one line and an exit code."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import typer

from lpcodec.cli.failures import complain, explain, guarded, printable
from lpcodec.codec import errors


@pytest.mark.parametrize("kind", [k for k in vars(errors).values() if isinstance(k, type)])
def test_the_package_s_errors_carry_their_code(kind: type) -> None:
    if issubclass(kind, errors.LpcodecError) and kind is not errors.LpcodecError:
        assert explain(kind("words")) == (kind.exit_code, "words")


class OutOfMemoryError(RuntimeError):
    """Named as torch's own for a GPU."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), 5),
        (OutOfMemoryError("CUDA"), 5),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), 5),
        (OSError(errno.ENOSPC, "No space left on device"), 7),
        (PermissionError(errno.EACCES, "Permission denied", "x.lpc"), 7),
        (ValueError("?"), 1),
        (errors.LpcodecError("a kind without a class"), 1),
        (RecursionError(), 1),
    ],
)
def test_other_errors(error: Exception, code: int) -> None:
    assert explain(error)[0] == code


def test_one_line_whatever_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    complain(errors.FileAccessError("a\nb\x1b[31m\udcff\tc"), about="p")
    assert capsys.readouterr().err == "lpcodec: error: p: a b\\x1b[31m\\udcff c\n"
    assert printable("größe 大") == "größe 大"


def test_the_path_is_not_told_twice(capsys: pytest.CaptureFixture[str]) -> None:
    complain(errors.FileAccessError("a.png: gone"), about="a.png")
    assert capsys.readouterr().err == "lpcodec: error: a.png: gone\n"


def test_tracebacks_only_on_demand(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LPCODEC_DEBUG", raising=False)
    complain(ValueError("odd"))
    quiet = capsys.readouterr().err
    assert quiet.count("\n") == 1
    assert "this is a bug, please report it: ValueError: odd" in quiet
    monkeypatch.setenv("LPCODEC_DEBUG", "1")
    complain(ValueError("odd"))
    assert "ValueError: odd\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (errors.LimitError("x"), 5), (ValueError(), 1)]
)
def test_a_guarded_command_exits(error: BaseException, code: int) -> None:
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as caught:
        guarded(command)()
    assert caught.value.exit_code == code


def test_typer_s_own_exceptions_pass() -> None:
    def command(error: Exception) -> None:
        raise error

    for error in (typer.BadParameter("x"), typer.Exit(3)):
        with pytest.raises(type(error)):
            guarded(command)(error)


def test_a_closed_pipe_says_nothing(tmp_path: Path) -> None:
    """`lpcodec models --json | true`, with more output than a pipe holds."""
    import subprocess
    import sys

    program = (
        "import types, sys, lpcodec.codec\n"
        "fake = types.ModuleType('lpcodec.codec.models')\n"
        "fake.describe = lambda: [{'name': 'x' * 1000, 'parameters': 1}] * 1000\n"
        "sys.modules[fake.__name__] = lpcodec.codec.models = fake\n"
        "sys.argv = ['lpcodec', 'models', '--json']\n"
        "from lpcodec.cli.app import main\nmain()"
    )
    reading, writing = os.pipe()
    os.close(reading)
    ran: Any = subprocess.run([sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, b"")
