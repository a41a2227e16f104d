"""How each curve of a report looks, so that page and plots agree: colour, marker, weight.

    Results --styles--> Style for each codec and each published curve

The colour-blind can tell the colours apart (after Okabe and Ito, made dark enough for white paper, light enough for
a dark page), and no two curves of the first 24 share both colour and marker.
"""

from dataclasses import dataclass
from typing import Literal

from lpcodec.codec.evaluation.run.results import Results

Marker = Literal["circle", "square", "triangle", "diamond", "down", "cross"]

# Index 0 is our first model's.
LIGHT = ("#c8470b", "#0a6aa8", "#00805c", "#8f3f8f", "#8a6a00", "#4d5966", "#b0306a", "#3457d5")
DARK = ("#ff8a4c", "#5eb4ee", "#34c79b", "#d79be0", "#e4bd45", "#b3bdc9", "#f58ab8", "#93a8ff")
MARKERS: tuple[Marker, ...] = ("circle", "square", "triangle", "diamond", "down", "cross")


@dataclass(frozen=True)
class Style:
    """Colour as an index into LIGHT and DARK. `strong`: one of our models; `dotted`: published."""

    color: int
    marker: Marker
    strong: bool = False
    dotted: bool = False


def styles(results: Results) -> tuple[dict[str, Style], dict[str, Style]]:
    """The styles of the codecs and of the published curves, each by name; our models take the first colours."""
    codecs = sorted(results.codecs, key=lambda codec: codec.kind != "model")
    measured = {codec.name: _style(i, strong=codec.kind == "model") for i, codec in enumerate(codecs)}
    published = {curve.name: _style(i, dotted=True) for i, curve in enumerate(results.published, start=len(measured))}
    return measured, published


def _style(index: int, *, strong: bool = False, dotted: bool = False) -> Style:
    return Style(index % len(LIGHT), MARKERS[index % len(MARKERS)], strong, dotted)
