"""The demo's picture: panels with captions, in rows of two on a dark background."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from lpcodec.codec.arrays import ceil_div

GROUND = (24, 26, 30)
TITLE_COLOUR = (240, 240, 240)
DETAIL_COLOUR = (160, 165, 175)
MARGIN = 24
GAP = 16
TITLE_SIZE = 20
DETAIL_SIZE = 15
COLUMNS = 2


@dataclass(frozen=True)
class Panel:
    """A picture with a title and a line of detail below it."""

    image: Image.Image
    title: str
    detail: str


def side_by_side(panels: Sequence[Panel]) -> Image.Image:
    """The panels in rows of two as one RGB picture, with the captions below each."""
    title = ImageFont.load_default(size=TITLE_SIZE)
    detail = ImageFont.load_default(size=DETAIL_SIZE)
    wide = max(panel.image.width for panel in panels)
    tall = max(panel.image.height for panel in panels) + GAP + TITLE_SIZE + GAP // 2 + DETAIL_SIZE
    columns, rows = min(COLUMNS, len(panels)), ceil_div(len(panels), COLUMNS)
    size = (columns * (wide + GAP) - GAP + 2 * MARGIN, rows * (tall + 2 * GAP) - 2 * GAP + 2 * MARGIN)
    sheet = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(sheet)
    for place, panel in enumerate(panels):
        left = MARGIN + place % COLUMNS * (wide + GAP)
        top = MARGIN + place // COLUMNS * (tall + 2 * GAP)
        sheet.paste(panel.image.convert("RGB"), (left, top))
        below = top + panel.image.height + GAP
        draw.text((left, below), panel.title, font=title, fill=TITLE_COLOUR)
        draw.text((left, below + TITLE_SIZE + GAP // 2), panel.detail, font=detail, fill=DETAIL_COLOUR)
    return sheet
