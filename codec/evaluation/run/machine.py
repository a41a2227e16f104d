"""The machine that measures: its processor, and whether other work runs on it."""

import platform
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

LISTEN_SECONDS = 0.5


@dataclass(frozen=True)
class Machine:
    """Where it was measured. `contended`: other work (or other workers) ran at the same time, so speeds are too low."""

    cpu: str
    threads: int
    workers: int
    contended: bool


def cpu_name() -> str:
    """The processor's name, as far as the system says."""
    info = Path("/proc/cpuinfo")
    for line in info.read_text("utf-8").splitlines() if info.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores_at_work() -> float:
    """Number of cores that are busy now, as their mean over half a second. The load average would still count work that
    has ended."""
    return float(psutil.cpu_percent(LISTEN_SECONDS)) / 100 * (psutil.cpu_count() or 1)
