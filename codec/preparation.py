"""How a picture is prepared for a codec: which cells are stored, and how the colours of the rest are rotated.

pixels, quality --cell_choice.py--> stored cells, and the rest filled in --downscaling.py, colour.py--> Prepared

Cells are stored as they are shown, also if the rest is coded at a smaller size.
"""

from dataclasses import dataclass

from lpcodec.codec import cells, colour, downscaling
from lpcodec.codec.arrays import Pixels
from lpcodec.codec.cell_choice import CellChoice, Chosen
from lpcodec.codec.colour import PLAIN, Rotation
from lpcodec.codec.families.family import Codec, RateEstimator, RotatingCodec, ScalableCodec, WeighingCodec


@dataclass(frozen=True)
class Prepared:
    """What is coded and stored: pixels uint8 (H, W, C) for the codec, maybe of a smaller size than is shown, the
    rotation of their colours, and the cells that are stored, if any."""

    pixels: Pixels
    rotation: Rotation = PLAIN
    stored: Chosen | None = None

    @property
    def stored_bytes(self) -> int:
        """The bytes of the payload of the stored cells."""
        return len(self.stored.payload) if self.stored else 0

    @property
    def has_drawn_cells(self) -> bool:
        """Whether cells are stored that aren't flat."""
        return self.stored is not None and self.stored.drawn

    @property
    def is_all_stored(self) -> bool:
        """Whether all cells are stored, so that nothing is left to code."""
        return self.stored is not None and bool(self.stored.cells.stored.all())


class Preparation:
    """Prepares one picture for one codec. What doesn't depend on the quality is computed once.

    `pixels` are those that are shown; they are coded with their sides halved `halvings` times, 0 to 2.
    """

    def __init__(self, pixels: Pixels, codec: Codec, halvings: int = 0) -> None:
        self._pixels, self._codec, self._halvings = pixels, codec, halvings
        weighs = isinstance(codec, WeighingCodec) and not isinstance(codec, ScalableCodec)
        self._choice = CellChoice.of(pixels) if weighs else None
        self._rotation: Rotation | None = None

    @property
    def depends_on_quality(self) -> bool:
        """Whether `at` may give different results for different qualities."""
        return self._choice is not None

    def plain(self) -> Prepared:
        """The picture with no cell stored."""
        return self._prepared(None)

    def even(self) -> Prepared:
        """The picture with flat cells stored, if that pays, but no others."""
        return self._prepared(None if self._choice is None else self._choice.even)

    def at(self, quality: float) -> Prepared:
        """The picture, prepared as is best for coding at a quality 0..100."""
        if self._choice is None:
            return self.plain()
        assert isinstance(self._codec, WeighingCodec)
        per_shown_pixel = self._codec.lambda_at(quality) / 4**self._halvings
        return self._prepared(self._choice.at(per_shown_pixel))

    def _prepared(self, stored: Chosen | None) -> Prepared:
        shown = self._pixels if stored is None else cells.smoothed(self._pixels, stored.cells)
        coded = downscaling.reduced(shown, self._halvings)
        return Prepared(coded, self._rotation_for(coded), stored)

    def _rotation_for(self, pixels: Pixels) -> Rotation:
        """The rotation of the colours; PLAIN if the codec can't choose one. Chosen for the first pixels, then kept."""
        codec = self._codec
        if self._rotation is None:
            if pixels.shape[2] == 3 and isinstance(codec, RotatingCodec) and isinstance(codec, RateEstimator):

                def expected_bits(sample: Pixels, rotation: Rotation) -> colour.Bits:
                    return codec.expected_bits(codec.analyse(sample, rotation=rotation))[1]

                self._rotation = colour.choose(pixels, expected_bits)
            else:
                self._rotation = PLAIN
        return self._rotation
