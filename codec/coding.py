"""A picture that is ready to be coded, and the bytes of its files.

```
Picture --Original.of--> Original: the picture, with the sections that every file of it has
Original, Prepared, model --> Plan --at a quality--> CodedFile
```
All three are frozen: a `Plan` always gives the same file for the same arguments. It keeps the latents of its analysis,
and the symbols that it made of them last.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lpcodec.codec import alpha as alphas
from lpcodec.codec import container, lossless, models, rate
from lpcodec.codec import effort as efforts
from lpcodec.codec import quality_map as quality_maps
from lpcodec.codec.container import Downscaled, Header, Kind, LpcFile, Section, SectionType
from lpcodec.codec.families.family import Coded
from lpcodec.codec.picture import Picture
from lpcodec.codec.preparation import Prepared
from lpcodec.codec.progress import Progress
from lpcodec.codec.quality import Quality
from lpcodec.codec.quality_map import QualityMap

Model = models.Model[models.Codec]

_BYTES_AROUND = 50
"""About what a file takes besides its latents and its sections of cells, alpha and metadata."""
_ALLOCATED_UP_TO = 80.0
"""Above this quality all squares have the same: what is left to see is little everywhere."""
_FAR, _FAR_BYTES = 0.05, 64
"""A step of a search makes no file if its size is more than `_FAR * limit + _FAR_BYTES` bytes from the limit."""


@dataclass(frozen=True)
class Original:
    """The picture that is encoded, and the sections of alpha and metadata that every file of it has."""

    source: Picture
    alpha: tuple[Section, ...]
    metadata: tuple[Section, ...]

    @classmethod
    def of(cls, source: Picture, *, strip: bool, alpha_error: int) -> "Original":
        """The original that a source makes.

        `strip` leaves out the metadata; `alpha_error` is the largest error of alpha, in levels of 255.
        """
        alpha: tuple[Section, ...] = ()
        if source.alpha is not None:
            alpha = (Section(SectionType.ALPHA, alphas.to_bytes(source.alpha, alpha_error)),)
        kinds = ((SectionType.ICC, source.icc), (SectionType.EXIF, source.exif), (SectionType.XMP, source.xmp))
        metadata = tuple(Section(kind, container.metadata_to_bytes(raw)) for kind, raw in kinds if raw and not strip)
        return cls(source, alpha, metadata)

    @property
    def height(self) -> int:
        return int(self.source.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.source.pixels.shape[1])

    @property
    def pixel_count(self) -> int:
        return self.height * self.width

    @property
    def alpha_bytes(self) -> int:
        return sum(len(section.payload) for section in self.alpha)

    @property
    def metadata_bytes(self) -> int:
        return sum(len(section.payload) for section in self.metadata)

    @property
    def side_bytes(self) -> int:
        """The bytes of alpha and metadata together."""
        return self.alpha_bytes + self.metadata_bytes

    @property
    def keeps_alpha(self) -> bool:
        """Whether a file gives back the alpha exactly, and a stored one the colours of transparent pixels too."""
        if self.source.alpha is None:
            return True
        alpha = alphas.from_bytes(self.alpha[0].payload, self.width, self.height)
        return not self.source.hidden_replaced and np.array_equal(alpha, self.source.alpha)

    def header(self, kind: Kind) -> Header:
        """The header of a file of that kind, without the fields of a model."""
        grey = self.source.pixels.shape[2] == 1
        return Header(self.width, self.height, kind, grey, grey_as_rgb=self.source.grey_as_rgb)

    def file(self, header: Header, colours: Sequence[Section]) -> bytes:
        """The file with the sections `colours`, and those of alpha and metadata."""
        sections = sorted((*colours, *self.alpha, *self.metadata), key=lambda section: section.type)
        return container.write(LpcFile(header, tuple(sections)))

    def stored_file(self) -> bytes:
        """The file with the picture stored losslessly."""
        stored = Section(SectionType.STORED, lossless.stored_to_bytes(self.source.pixels))
        return self.file(self.header(Kind.STORED), [stored])


@dataclass(frozen=True)
class CodedFile:
    """A file that a plan made, its header, and the plan's model.

    `has_cells`: some cells are stored instead of coded. If all are, the header's kind is STORED. `has_drawn_cells`:
    not all of these are flat.
    """

    data: bytes
    header: Header
    model: Model
    has_cells: bool
    has_drawn_cells: bool


@dataclass(frozen=True)
class Improved:
    """What the encoder makes for one quality and codes at that and those near it: latents, and the qualities of
    squares (None: they are all the same)."""

    latents: Any
    quality_map: QualityMap | None


@dataclass(frozen=True)
class Plan:
    """A picture, prepared for one model at one size: all that a file needs but the quality.

    Where `improved` is an argument, None means the latents of the analysis and one quality for all squares; others come
    from `allocated` and `refined`.
    """

    original: Original
    prepared: Prepared
    model: Model
    downscaled: Downscaled | None
    progress: Progress | None

    @cached_property
    def latents(self) -> Any:
        """The model's analysis of the prepared pixels."""
        codec, prepared = self.model.trained, self.prepared
        if isinstance(codec, models.RotatingCodec):
            return codec.analyse(prepared.pixels, self.progress, rotation=prepared.rotation)
        return codec.analyse(prepared.pixels, self.progress)

    def forget_latents(self) -> None:
        """Free the latents and their symbols, which take much memory; they are made again when they are needed."""
        for name in ("latents", "_latest"):
            self.__dict__.pop(name, None)

    @property
    def allocates(self) -> bool:
        """Whether squares may have qualities of their own."""
        is_able = isinstance(self.model.trained, models.AllocatingCodec) and self.model.trained.has_quality
        return is_able and self.model.tune == "visual" and not self.prepared.is_all_stored

    def allocated(self, quality: float) -> Improved | None:
        """The latents with the qualities of squares that are best at about a quality 0..100; None if one quality for
        all squares is."""
        codec, prepared = self.model.trained, self.prepared
        if not self.allocates or quality > _ALLOCATED_UP_TO:
            return None
        assert isinstance(codec, models.AllocatingCodec)
        found = codec.allocated(
            prepared.pixels, self.latents, quality, rotation=prepared.rotation, coded=self._known(quality)
        )
        if found is None:
            return None
        self.__dict__.pop("_latest", None)  # none of its symbols is needed again
        return Improved(self.latents, found)

    def refined(self, iterations: int, quality: float, improved: Improved | None = None) -> Improved:
        """Latents refined for a quality 0..100, with the qualities of squares of `improved`. The model must be
        `Refinable`."""
        codec, prepared = self.model.trained, self.prepared
        assert isinstance(codec, efforts.Refinable)
        quality_map = None if improved is None else improved.quality_map
        found = codec.refine(
            prepared.pixels, self.latents, quality, iterations, self.progress, rotation=prepared.rotation,
            tune=self.model.tune, quality_map=quality_map,
        )  # fmt: skip
        return Improved(found, quality_map)

    def file(self, quality: float, improved: Improved | None = None) -> CodedFile:
        """The file at a quality 0..100."""
        if self.prepared.is_all_stored:
            return self._all_stored()
        return self._file_of(self._coded(quality, improved), quality, improved)

    def file_near(self, limit: int, quality: float, improved: Improved | None = None) -> tuple[CodedFile | None, int]:
        """The file at a quality 0..100, and its size in bytes.

        If the size is far from `limit`, it is only an estimate, and the file is None. That saves most steps of a search
        the range coder.
        """
        if self.prepared.is_all_stored:
            file = self._all_stored()
            return file, len(file.data)
        coded = self._coded(quality, improved)
        about = self._size_of(coded, improved)
        if abs(about - limit) > _FAR * limit + _FAR_BYTES:
            return None, about
        file = self._file_of(coded, quality, improved)
        return file, len(file.data)

    def size_near(self, quality: float) -> int:
        """About how many bytes the file has at a quality 0..100. Not all cells may be stored."""
        return self._size_of(self._coded(quality, None), None)

    @cached_property
    def expected_sizes(self) -> rate.Expected:
        """The sizes of files to expect at each quality: the model's estimate, or those of an average photograph."""
        if not isinstance(self.model.trained, models.RateEstimator):
            return rate.usual_sizes(self.original.pixel_count, self.original.side_bytes)
        qualities, bits = self.model.trained.expected_bits(self.latents)
        return rate.Expected.of_sizes(qualities, [b / 8 + self._bytes_beside for b in bits])

    @property
    def _bytes_beside(self) -> int:
        """About what a file takes besides its latents."""
        return self.original.side_bytes + self.prepared.stored_bytes + _BYTES_AROUND

    def _size_of(self, coded: Coded, improved: Improved | None) -> int:
        """About the bytes of the file of symbols."""
        return round(coded.bits / 8) + self._bytes_beside + sum(len(section.payload) for section in _map_of(improved))

    def _known(self, quality: float) -> Coded | None:
        """The symbols of the plain latents at a quality, if they were made last."""
        at, coded = self.__dict__.get("_latest", (None, None))
        return coded if at == quality else None

    def _coded(self, quality: float, improved: Improved | None) -> Coded:
        codec = self.model.trained
        if improved is None:
            coded = self._known(quality) or codec.code(self.latents, quality)
            if self.allocates:
                self.__dict__["_latest"] = quality, coded  # `allocated` and a search often need them again
            return coded
        if improved.quality_map is None:
            return codec.code(improved.latents, quality)
        assert isinstance(codec, models.AllocatingCodec)
        return codec.code(improved.latents, quality, quality_map=improved.quality_map)

    def _file_of(self, coded: Coded, quality: float, improved: Improved | None) -> CodedFile:
        """The file of symbols that were coded at a quality."""
        model, stored = self.model, self.prepared.stored
        header = dataclasses.replace(
            self.original.header(Kind.MODEL), model_number=model.number, model_digest=model.digest,
            quality=Quality.of(quality if model.trained.has_quality else 0), symbols_hash=coded.symbols_hash,
            rotation=self.prepared.rotation, downscaled=self.downscaled,
        )  # fmt: skip
        is_scalable = isinstance(model.trained, models.ScalableCodec)
        section_type = SectionType.LAYER if is_scalable else SectionType.LATENTS
        colours = [*(Section(section_type, payload) for payload in coded.payloads()), *_map_of(improved)]
        if stored is not None:
            colours.append(Section(SectionType.CELLS, stored.payload))
        data = self.original.file(header, colours)
        return CodedFile(data, header, model, stored is not None, self.prepared.has_drawn_cells)

    def _all_stored(self) -> CodedFile:
        """The file of a picture of which all cells are stored: it needs no model."""
        assert self.prepared.stored is not None
        pixels = self.prepared.stored.cells.pixels
        exact = np.array_equal(pixels, self.original.source.pixels)
        header = dataclasses.replace(self.original.header(Kind.STORED), fewer_colours=not exact)
        section = Section(SectionType.STORED, lossless.stored_to_bytes(pixels))
        return CodedFile(self.original.file(header, [section]), header, self.model, True, self.prepared.has_drawn_cells)


def _map_of(improved: Improved | None) -> tuple[Section, ...]:
    """The section with the qualities of squares, if they aren't all the same."""
    if improved is None or improved.quality_map is None:
        return ()
    return (Section(SectionType.QUALITIES, quality_maps.to_bytes(improved.quality_map)),)
