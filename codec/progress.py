"""How a long call reports its progress: every `progress` argument is a `Progress`."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with what is being done, in words, and the part of it that is done, 0..1. If it raises, the call ends."""


def silent(words: str, part: float) -> None:
    """Progress that nobody follows."""


def counted(done: int, total: int, words: str, seconds_left: float | None = None) -> tuple[str, float]:
    """The arguments for a `Progress` that counts: `120 of 1,440, 0:07:30 left, avif on kodim05`, and 1/12."""
    left = [] if seconds_left is None else [f"{clock(seconds_left)} left"]
    return ", ".join((f"{done:,} of {total:,}", *left, words)), done / total if total else 0.0


def clock(seconds: float) -> str:
    """A time as hours, minutes and seconds: `0:07:30`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
