"""A plugin for Pillow: `Image.open` reads .lpc files and `Image.save` writes them.

>>> import lpcodec.pillow                             # doctest: +SKIP
>>> Image.open("photo.lpc").size                      # from the header, nothing is decoded  # doctest: +SKIP
>>> Image.open("photo.png").save("photo.lpc", bpp=0.3)  # doctest: +SKIP

Importing this module registers the plugin. docs/pillow.md lists the options of `save` and what `info` holds.
"""

import mimetypes
import warnings
from contextlib import suppress
from typing import IO, Any

from PIL import Image, ImageFile

from lpcodec.codec import container, outline
from lpcodec.codec.container import SectionType
from lpcodec.codec.errors import DamagedFileError, LpcodecError, PictureWarning, UsageError

FORMAT = "LPC"
EXTENSION = ".lpc"
MIME = "image/x-lpc"
SAVE_OPTIONS = (
    "bpp", "size", "psnr", "quality", "lossless", "model", "tune", "downscale", "effort", "strip", "best_effort",
    "exact", "background", "alpha_quality", "device",
)  # fmt: skip
"""The keywords of `lpcodec.encode` that `Image.save` passes on. It ignores others, as Pillow's own plugins do."""
_METADATA = {"icc_profile": SectionType.ICC, "exif": SectionType.EXIF, "xmp": SectionType.XMP}
_EXIF_PREFIX = b"Exif\x00\x00"


class LpcImageFile(ImageFile.ImageFile):
    """An opened .lpc file. The header gives `size` and `mode`; the pixels are decoded when they are first used.

    `info` has icc_profile, exif and xmp if the file has them. `load` raises OSError for a file that is damaged, or that
    needs a model which isn't installed. If ImageFile.LOAD_TRUNCATED_IMAGES is set, a damaged file in layers gives the
    picture that its leading whole layers hold; its alpha, if that is lost, is opaque.
    """

    format = FORMAT
    format_description = "lpcodec image"

    def _open(self) -> None:
        assert self.fp is not None
        try:
            found = outline.read(self.fp)
        except LpcodecError as error:
            raise SyntaxError(str(error)) from error
        self._size = (found.header.width, found.header.height)
        self._mode = found.mode
        for name, section in _METADATA.items():
            with suppress(DamagedFileError):  # `load` reports damage
                if block := outline.metadata(self.fp, found, section):
                    self.info[name] = _EXIF_PREFIX + block if name == "exif" else block

    def load(self) -> Any:
        """Decode the pixels if that hasn't happened yet. Raises OSError if they can't be decoded."""
        if self._im is None:
            if self.fp is None:
                raise ValueError("Operation on closed image")
            self.fp.seek(0)
            self.im = _decode(self.fp.read(), self.mode, self.size).im
            if self._exclusive_fp:
                self.fp.close()
            self.fp = None
        return super().load()

    def verify(self) -> None:
        """Check the file down to its coded symbols, as `lpcodec.verify`. Raises OSError if it is damaged."""
        from lpcodec.codec import api

        if self.fp is None:
            raise RuntimeError("verify must be called directly after open")
        self.fp.seek(0)
        try:
            api.verify(self.fp.read(), max_pixels=self.width * self.height)
        except LpcodecError as error:
            raise OSError(str(error)) from error
        finally:
            if self._exclusive_fp:
                self.fp.close()
            self.fp = None


def register() -> None:
    """Register the plugin with Pillow, and the file type with `mimetypes`. Importing the module does it already."""
    Image.register_open(FORMAT, LpcImageFile, _accept)
    Image.register_save(FORMAT, _save)
    Image.register_extension(FORMAT, EXTENSION)
    Image.register_mime(FORMAT, MIME)
    mimetypes.add_type(MIME, EXTENSION)


def _accept(prefix: bytes) -> bool | str:
    """Whether a file that begins so is ours. A text means that it is, but can't be read: Pillow warns with it."""
    if not prefix.startswith(container.SIGNATURE):
        return False
    if len(prefix) > len(container.SIGNATURE) and prefix[len(container.SIGNATURE)] > container.VERSION:
        return "an .lpc file that a newer version of lpcodec made: install that version"
    return True


def _decode(data: bytes, mode: str, size: tuple[int, int]) -> Image.Image:
    from lpcodec.codec import api

    pixels = size[0] * size[1]  # Pillow has compared them with its own limit already
    try:
        try:
            result = api.decode_report(data, max_pixels=pixels)
        except DamagedFileError:
            if not ImageFile.LOAD_TRUNCATED_IMAGES:
                raise
            result = api.decode_report(data, max_pixels=pixels, allow_partial=True)
    except LpcodecError as error:
        raise OSError(str(error)) from error
    _warn(result.notes)
    image = result.image
    if image.mode != mode and mode == f"{image.mode}A":
        image.putalpha(255)
    return image


def _save(image: Image.Image, stream: IO[bytes], filename: str | bytes) -> None:
    from lpcodec.codec import api

    given = image.encoderinfo
    options = {name: given[name] for name in SAVE_OPTIONS if given.get(name) is not None}
    own = {name: given[name] for name in _METADATA if name in given}
    if own:
        image = image.copy()
        for name, block in own.items():
            image.info[name] = block.tobytes() if isinstance(block, Image.Exif) else block
    try:
        result = api.encode_report(image, max_pixels=max(image.width * image.height, 1), **options)
    except UsageError as error:
        raise ValueError(str(error)) from error
    except LpcodecError as error:
        raise OSError(str(error)) from error
    _warn(result.notes)
    stream.write(result.data)


def _warn(notes: tuple[str, ...]) -> None:
    for note in notes:
        warnings.warn(note, PictureWarning, stacklevel=5)


register()
