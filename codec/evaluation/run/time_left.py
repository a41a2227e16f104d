"""How long a run still takes: for each codec, the mean time of a point so far, times the points that are left.

tick(codec) --> progress: points done and in all, time left, what was measured last
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable

from lpcodec.codec.progress import Progress, counted


class Clock:
    """Reports to `progress`. `points` are (codec, number of points), measured by `workers` at the same time."""

    def __init__(self, points: Iterable[tuple[str, int]], workers: int, progress: Progress) -> None:
        self._left = Counter[str]()
        for codec, count in points:
            self._left[codec] += count
        self._total, self._workers, self._progress = self._left.total(), workers, progress
        self._done = Counter[str]()
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._last = time.monotonic()
        if self._total:
            progress(*counted(0, self._total, "starting"))

    def tick(self, codec: str, words: str) -> None:
        """A point of `codec` is done (or has failed)."""
        now = time.monotonic()
        # The time since the last point is that of all workers; over many points each codec gets its share.
        self._spent[codec] += (now - self._last) * self._workers
        self._last = now
        self._done[codec] += 1
        self._left[codec] -= 1
        mean = sum(self._spent.values()) / self._done.total()
        left = sum(n * (self._spent[c] / self._done[c] if self._done[c] else mean) for c, n in self._left.items())
        self._progress(*counted(self._done.total(), self._total, words, left / self._workers))
