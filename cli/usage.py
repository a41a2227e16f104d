"""Usage errors on one line: what typer and pydantic say about invalid values, in the form of all other errors.

```
lpcodec: error: --bpp 0,15: not a number; write 0.15
lpcodec: error: No such option: --outt; see lpcodec encode --help
```
"""

import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import typer
from typer.core import TyperGroup

from lpcodec.cli.failures import say

_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
    "greater_than": ("gt", "more than"),
    "less_than": ("lt", "less than"),
}


class OneLineErrors(TyperGroup):
    """A group of commands that reports a usage error as one line on stderr, with exit code 2."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = False,  # patterns are expanded by the commands that take files
        **extra: Any,
    ) -> Any:
        words = sys.argv[1:] if args is None else list(args)
        empty = _empty_value(words)
        if empty and standalone_mode:
            say(f"lpcodec: error: {empty}")
            sys.exit(2)
        try:
            code = super().main(words, prog_name, complete_var, False, windows_expand_args, **extra)
        except typer.TyperException as error:
            if not standalone_mode:
                raise
            if type(error).__name__ == "NoArgsIsHelpError":  # a bare `lpcodec`: typer exports no name for this class
                typer.echo(error.format_message(), err=True)
            else:
                say(f"lpcodec: error: {in_words(error)}")
            sys.exit(error.exit_code)
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


def _empty_value(words: Sequence[str]) -> str | None:
    """What is wrong if the value of an option is empty: an unset variable of a shell. As a path it would be "."."""
    for before, word in pairwise([*words, "-"]):
        if before == "--":
            break
        if before.startswith("--") and before.endswith("="):
            return f"{before[:-1]} is empty: leave it out, or give it a value"
        if before.startswith("-") and before != "-" and not word:
            return f"what follows {before} is empty: leave it out, or give it a value"
    return None


def in_words(error: typer.TyperException) -> str:
    """The text of a usage error: the option, the value, and what it should be."""
    names = getattr(getattr(error, "param", None), "opts", None)
    option = max(names, key=len) if names else None
    reasons = getattr(error.__cause__, "errors", None)  # pydantic's ValidationError
    if option is not None and reasons is not None:
        return f"{option} {_reason(reasons()[0])}"
    text = error.format_message()
    if option is not None:
        text = re.sub(r"^Invalid value for .*?: ", f"{option} ", text)
    context = getattr(error, "ctx", None)
    return text.rstrip(".") + (f"; see {context.command_path} --help" if context is not None else "")


def _reason(reason: dict[str, Any]) -> str:
    value, kind = reason["input"], reason["type"]
    if kind in ("float_parsing", "int_parsing"):
        return f"{value}: not a {'number' if kind == 'float_parsing' else 'whole number'}{_advice(value, kind)}"
    if kind in _BOUNDS and str(value).strip().lower().lstrip("+-") == "nan":  # for pydantic it is beyond every bound
        return f"{value}: not a number"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{value}: give {words} {reason['ctx'][name]:g}"
    return f"{value}: {reason['msg']}"


def _advice(value: object, kind: str) -> str:
    with_point = str(value).replace(",", ".")
    return f"; write {with_point}" if kind == "float_parsing" and re.fullmatch(r"\d*\.\d+", with_point) else ""
