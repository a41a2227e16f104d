"""The names of parameters in stored weights: today's, for weights that were stored under earlier ones."""

import re
from typing import TypeVar

T = TypeVar("T")
_RENAMED = (
    (r"\b(scales|means)\.first\.", r"\1.head."),
    (r"\b(scales|means)\.(neighbours|mixed)\.", r"\1.contexts.checkerboard.\2."),
    (r"\b(scales|means)\.second\.", r"\1.contexts.checkerboard.head."),
    (r"\b(scales|means)\.average_steps\.0\.", r"\1.contexts.grid1."),
    (r"\b(scales|means)\.average_steps\.1\.", r"\1.contexts.grid2."),
    (r"\b(scales|means)\.average_steps\.2\.", r"\1.contexts.grid3."),
)


def current_name(name: str) -> str:
    """Today's name of a parameter of a hyperprior network, with whatever prefix."""
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def current_names(state: dict[str, T]) -> dict[str, T]:
    """The state with today's names."""
    return {current_name(name): value for name, value in state.items()}
