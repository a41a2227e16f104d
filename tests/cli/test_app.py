"""The command as a whole: quick help with examples, the version, numbers as people write them."""

import subprocess
import sys
from typing import Any

import pytest
import typer

import lpcodec as package
from lpcodec.cli.options import amount, duration

COMMANDS = ("encode", "decode", "info", "verify", "models", "demo", "train", "export")
HELP_SECONDS = 1.0
"""Several times what it takes, for slow machines; torch alone takes longer to import."""


def test_help_loads_nothing_that_computes() -> None:
    program = (
        "import sys\nfrom lpcodec.cli.app import main\nsys.argv = ['lpcodec', '--help']\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "heavy = ('torch', 'numpy', 'PIL', 'matplotlib', 'rich.progress')\n"
        "print('LOADED', *[name for name in heavy if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1].split() == ["LOADED"]


def test_help_answers_at_once() -> None:
    """Its processor time, which is the time it takes where nothing else runs; the best of some runs."""
    resource = pytest.importorskip("resource")
    best = float("inf")
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "lpcodec", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert best < HELP_SECONDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_ends_with_examples(lpcodec: Any, command: str) -> None:
    ran = lpcodec(command, "--help")
    assert ran.exit_code == 0
    assert f"lpcodec {command}" in ran.stdout[ran.stdout.rindex("Examples") :]


def test_help_lists_every_command(lpcodec: Any) -> None:
    text = lpcodec("--help").stdout
    assert all(f" {command} " in text for command in COMMANDS)
    assert "--install-completion" in text


def test_version(lpcodec: Any) -> None:
    assert lpcodec("--version").stdout == f"lpcodec {package.__version__}\n"


@pytest.mark.parametrize("words", [("nonsense",), ("encode",), ("encode", "--nonsense"), ("train", "default")])
def test_wrong_usage_is_2(lpcodec: Any, words: tuple[str, ...]) -> None:
    assert lpcodec(*words).exit_code == 2


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("20000", 20_000), ("20k", 20_000), ("20KB", 20_000), ("1.5M", 1_500_000), ("1.5 mb", 1_500_000),
        ("2G", 2_000_000_000), ("20b", 20), ("1Ki", 1024), ("1MiB", 1_048_576), ("0.1k", 100),
    ],
)  # fmt: skip
def test_amounts(text: str, number: int) -> None:
    assert amount(text) == number


@pytest.mark.parametrize("text", ["", "k", "-5", "1.5", "0.5b", "1e3", "20x", "1.5.2", "0", "nan", "20ki k"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        amount(text)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("1.5h", 5400)])
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1", "1d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        duration(text)
