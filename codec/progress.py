"""How a long call says how far it has come: everything that takes `progress` calls it in this one way."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with what is being done, in words, and how much of it is done, 0..1. What it raises ends the call."""


def silent(words: str, part: float) -> None:
    """Progress that nobody follows."""


def counted(done: int, total: int, words: str, seconds_left: float | None = None) -> tuple[str, float]:
    """What to call a `Progress` with if things are counted: `120 of 1,440, 0:07:30 left, avif on kodim05`, and 1/12."""
    left = [] if seconds_left is None else [f"{clock(seconds_left)} left"]
    return ", ".join((f"{done:,} of {total:,}", *left, words)), done / total if total else 0.0


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: `0:07:30`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
