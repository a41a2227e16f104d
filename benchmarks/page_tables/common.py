"""What the tables of all subjects need: result files, figures as text, a table in Markdown."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results"
METRICS = {"psnr": "PSNR", "ms_ssim": "MS-SSIM (dB)", "ssimulacra2": "SSIMULACRA 2"}


def result(*parts: str) -> dict[str, Any]:
    """A result file below docs/results. `lpcodec report` writes points, and means and BD-rates of them."""
    document: dict[str, Any] = json.loads(RESULTS.joinpath(*parts).read_text())
    return document


def of_set(name: str) -> dict[str, Any]:
    return result(name, "results.json")


def cards() -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in (ROOT / "codec" / "weights").glob("*.json")]
    return sorted(
        found, key=lambda card: (card["name"].split("@")[0] != "default", card["training"]["model"], card["order"])
    )


def of_weights(name: str, digest: str) -> str:
    """A sentence that says with which weights a table was measured, and whether those are the ones that ship."""
    now = next(card["digest"] for card in cards() if card["name"] == name)
    if now.startswith(digest):
        return f"Measured with the weights of `{name}` that ship ({digest})."
    return f"Measured with earlier weights of `{name}` ({digest}); those that ship are {now[: len(digest)]}."


def measured(name: str) -> bool:
    """Whether a set has a report here (benchmarks/reports.py makes it)."""
    return (RESULTS / name / "results.json").exists()


def percent(value: float | None) -> str:
    return "refused" if value is None else f"{value:+.1f} %"


def speed(megapixels: float) -> str:
    return f"{megapixels:.0f}" if megapixels >= 10 else f"{megapixels:.1f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
