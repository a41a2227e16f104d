"""How a picture is prepared for a codec: which cells are stored, and how the colours of the rest are rotated.

pixels, quality --cell_choice.py--> stored cells, and the rest filled in --colour.py: rotation--> Prepared
"""

from dataclasses import dataclass

from lpcodec.codec import cells, colour
from lpcodec.codec.arrays import Pixels
from lpcodec.codec.cell_choice import CellChoice, Chosen
from lpcodec.codec.colour import PLAIN, Rotation
from lpcodec.codec.families.family import Codec, RateEstimator, RotatingCodec, ScalableCodec, WeighingCodec


@dataclass(frozen=True)
class Prepared:
    """Pixels uint8 (H, W, C) for the codec, the rotation of their colours, and the cells that are stored, if any."""

    pixels: Pixels
    rotation: Rotation = PLAIN
    stored: Chosen | None = None

    @property
    def stored_bytes(self) -> int:
        """The bytes of the payload of the stored cells."""
        return len(self.stored.payload) if self.stored else 0

    @property
    def is_all_stored(self) -> bool:
        """Whether all cells are stored, so that nothing is left to code."""
        return self.stored is not None and bool(self.stored.cells.stored.all())


class Preparation:
    """Prepares one picture for one codec. What doesn't depend on the quality is computed once.

    `own_size`: the pixels are coded at the size that is shown. Only then may cells be stored.
    """

    def __init__(self, pixels: Pixels, codec: Codec, *, own_size: bool = True) -> None:
        self._pixels, self._codec = pixels, codec
        weighs = own_size and isinstance(codec, WeighingCodec) and not isinstance(codec, ScalableCodec)
        self._choice = CellChoice.of(pixels) if weighs else None
        self._rotation: Rotation | None = None

    @property
    def depends_on_quality(self) -> bool:
        """Whether `at` may give different results for different qualities."""
        return self._choice is not None

    def plain(self) -> Prepared:
        """The picture with no cell stored."""
        return Prepared(self._pixels, self._rotation_for(self._pixels))

    def at(self, quality: float, *, drawn: bool = True) -> Prepared:
        """The picture, prepared as is best for a quality 0..100. Without `drawn`, flat cells alone are stored."""
        codec = self._codec
        chosen = None
        if self._choice is not None:
            assert isinstance(codec, WeighingCodec)
            choose = self._choice.at if drawn else self._choice.even
            chosen = choose(codec.lambda_at(quality))
        if chosen is None:
            return self.plain()
        rest = cells.smoothed(self._pixels, chosen.cells)
        return Prepared(rest, self._rotation_for(rest), chosen)

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
