"""The demo's picture: original and decoded, next to each other on a dark ground, each with its caption."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

GROUND = (24, 26, 30)
TITLE_COLOUR = (240, 240, 240)
DETAIL_COLOUR = (160, 165, 175)
MARGIN = 24
GAP = 16
TITLE_SIZE = 20
DETAIL_SIZE = 15


@dataclass(frozen=True)
class Panel:
    """A picture with a title and a line of detail below it."""

    image: Image.Image
    title: str
    detail: str


def side_by_side(panels: Sequence[Panel]) -> Image.Image:
    """The panels from left to right, tops aligned, as one RGB picture; captions stand below the pictures."""
    title = ImageFont.load_default(size=TITLE_SIZE)
    detail = ImageFont.load_default(size=DETAIL_SIZE)
    height = max(panel.image.height for panel in panels)
    caption = TITLE_SIZE + DETAIL_SIZE + 2 * GAP
    width = sum(panel.image.width for panel in panels) + GAP * (len(panels) - 1)
    sheet = Image.new("RGB", (width + 2 * MARGIN, height + caption + 2 * MARGIN - GAP), GROUND)
    draw = ImageDraw.Draw(sheet)
    left = MARGIN
    for panel in panels:
        sheet.paste(panel.image.convert("RGB"), (left, MARGIN))
        top = MARGIN + height + GAP
        draw.text((left, top), panel.title, font=title, fill=TITLE_COLOUR)
        draw.text((left, top + TITLE_SIZE + GAP // 2), panel.detail, font=detail, fill=DETAIL_COLOUR)
        left += panel.image.width + GAP
    return sheet
