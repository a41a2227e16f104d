"""docs/api.md has every public name with its signature, and says what the docstrings say."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lpcodec
from lpcodec.codec import errors

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")
FUNCTIONS = [name for name in lpcodec.__all__ if inspect.isfunction(getattr(lpcodec, name))]


def test_the_page_is_made_from_the_docstrings() -> None:
    program = [sys.executable, str(ROOT / "benchmarks" / "api_page.py"), "--check"]
    assert subprocess.run(program, check=False).returncode == 0, "run python benchmarks/api_page.py"


@pytest.mark.parametrize("name", lpcodec.__all__)
def test_every_public_name_is_on_the_page(name: str) -> None:
    assert re.search(rf"^##+ `?{name}`?$|^\| `{name}` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_in_the_signature_and_explained(name: str) -> None:
    part = PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]
    code, _, words = part.partition("\n```\n")
    arguments = list(inspect.signature(getattr(lpcodec, name)).parameters)
    assert re.findall(r"^    (\w+):", code, re.MULTILINE) == arguments
    if "**Arguments**" in words:
        assert re.findall(r"^- `(\w+)`", words.split("**Raises**")[0], re.MULTILINE) == arguments


@pytest.mark.parametrize("name", [name for name in lpcodec.__all__ if name.endswith("Result")])
def test_every_field_of_a_result_is_on_the_page(name: str) -> None:
    part = PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]
    assert re.findall(r"^    (\w+):", part, re.MULTILINE) == list(getattr(lpcodec, name).__dataclass_fields__)


def test_every_error_is_on_the_page() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, lpcodec.LpcodecError)]
    for kind in kinds:
        assert f"| `{kind.__name__}` | {kind.exit_code.value} |" in PAGE
