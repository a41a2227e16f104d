"""Writes docs/api.md, the reference of `import lpcodec`: `python benchmarks/api_page.py [--check]`.

With --check nothing is written, and the exit code is 1 if the page is out of date.

source of a function --names of types--> signature;  docstring (Google's sections) --> paragraphs and lists
"""

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import lpcodec
from lpcodec.codec import errors

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"
TITLES = {"Args": "Arguments", "Raises": "Raises", "Warns": "Warns", "Attributes": "Attributes"}
ALIASES = {
    "FileSource": "codec/sources.py", "PictureSource": "codec/sources.py", "Colour": "codec/alpha.py",
    "Downscale": "codec/downscaling.py", "Progress": "codec/progress.py",
}  # fmt: skip
"""Types in the signatures, and the module that defines each."""
FUNCTIONS = ("encode", "encode_report", "decode", "decode_report", "info", "verify", "upscale", "upscale_report")
RESULTS = ("EncodeResult", "DecodeResult", "UpscaleResult")
HEAD = """# Python

Everything below is in `import lpcodec`. [examples/](../examples) has scripts; [pillow.md](pillow.md) has the plugin for
Pillow. This page is made from the docstrings by `python benchmarks/api_page.py`.
"""
ERRORS_HEAD = """## Errors

All errors are subclasses of `lpcodec.LpcodecError` and are in `lpcodec.codec.errors`. [errors.md](errors.md) says
what to do about each. An error's `exit_code` is the command's; its `keyword` is the argument that would help, or None.

| class | exit code | meaning |
|---|---|---|
"""


def page() -> str:
    parts = [HEAD]
    parts += [section(name) for name in FUNCTIONS]
    parts += [section(name) for name in RESULTS]
    parts.append(ERRORS_HEAD + "\n".join(error_rows()) + "\n")
    parts.append(f"### PictureWarning\n\n{prose(errors.PictureWarning)}\n")
    parts.append("## Types in the signatures\n\n```python\n" + "\n".join(aliases()) + "\n```\n")
    parts.append("## `__version__`\n\nThe package's version, a string.\n")
    return "\n".join(parts)


def section(name: str) -> str:
    found = getattr(lpcodec, name)
    return f"## {name}\n\n```python\n{signature(found)}\n```\n\n{prose(found)}\n"


def signature(found: Any) -> str:
    """A function's signature as its source names the types, with the defaults' values; a dataclass's fields."""
    tree = ast.parse(dedent(inspect.getsource(found))).body[0]
    if isinstance(tree, ast.ClassDef):
        fields = [ast.unparse(line) for line in tree.body if isinstance(line, ast.AnnAssign)]
        return f"class {tree.name}:\n" + indent("\n".join(fields), "    ")
    assert isinstance(tree, ast.FunctionDef)
    types = {a.arg: ast.unparse(a.annotation) for a in (*tree.args.args, *tree.args.kwonlyargs) if a.annotation}
    lines, keyword = [], False
    for parameter in inspect.signature(found).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword:
            lines.append("*,")
            keyword = True
        value = parameter.default
        text = json.dumps(value) if isinstance(value, str) else repr(value)
        default = "" if value is parameter.empty else f" = {text}"
        lines.append(f"{parameter.name}: {types[parameter.name]}{default},")
    result = ast.unparse(tree.returns) if tree.returns else "None"
    return f"def {tree.name}(\n" + indent("\n".join(lines), "    ") + f"\n) -> {result}"


def prose(found: Any) -> str:
    """A docstring as Markdown: its sections become lists, its examples code."""
    out: list[str] = []
    listed = False
    for line in (inspect.getdoc(found) or "").splitlines():
        title = TITLES.get(line.removesuffix(":")) if line.endswith(":") else None
        if title:
            out += [f"**{title}**", ""]
            listed = True
        elif listed and (item := re.match(r" {4}(\w[\w, ]*): (.*)", line)):
            out.append(f"- {', '.join(f'`{name}`' for name in item[1].split(', '))}: {item[2]}")
        elif line.startswith(">>> "):
            out += ["```python", line.removeprefix(">>> ").split("  # doctest")[0], "```"]
        else:
            out.append(f"  {line.strip()}" if listed and line.strip() else line)
    return "\n".join(out)


def error_rows() -> Iterator[str]:
    for found in vars(errors).values():
        if isinstance(found, type) and issubclass(found, errors.LpcodecError):
            meaning = " ".join((inspect.getdoc(found) or "").split())
            yield f"| `{found.__name__}` | {found.exit_code.value} | {meaning} |"


def aliases() -> Iterator[str]:
    for name, module in ALIASES.items():
        source = (ROOT / module).read_text()
        for line in ast.parse(source).body:
            if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == name:
                yield ast.get_source_segment(source, line) or ""


if __name__ == "__main__":
    if "--check" not in sys.argv:
        PAGE.write_text(page())
    sys.exit(PAGE.read_text() != page())
