"""Writing pictures: the format that the ending of a name means, and a file that is complete or absent."""

from pathlib import Path
from typing import TYPE_CHECKING

from lpcodec.cli import files
from lpcodec.codec.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image


def picture_format(target: Path | None, quality: int | None = None) -> str:
    """Pillow's name of the format that the ending of `target` means; PNG without a name or an ending.

    Raises:
        UsageError: Pillow writes no format with this ending, or a quality is given for a format without one.
    """
    from PIL import Image

    from lpcodec.codec.picturefiles.plugins import advice_to_write
    from lpcodec.codec.picturefiles.saving import LOSSY_FORMATS

    name = "PNG"
    if target is not None and target.suffix:
        ending = target.suffix.lower()
        if advice := advice_to_write(ending):
            raise UsageError(f"{target}: {advice}")
        name = Image.registered_extensions().get(ending, "")
        if ending == ".lpc" or name not in Image.SAVE:
            raise UsageError(f"{target}: no picture format of Pillow's ends in {target.suffix}; use .png")
    if quality is not None and name not in LOSSY_FORMATS:
        raise UsageError(f"{name} has no quality: --quality is for .jpg, .webp, .avif, .heic and .jxl")
    return name


def write_picture(
    target: Path | None, image: "Image.Image", format: str, quality: int | None = None
) -> tuple[str, ...]:
    """Write a picture to `target`, or to standard output for None. Return a note for each thing the format can't hold.

    Raises:
        FileAccessError, UsageError: as `files.write_whole`.
    """
    from lpcodec.codec import picture

    lost: list[str] = []
    files.write_whole(target, lambda stream: lost.extend(picture.save(image, stream, format, quality)))
    return tuple(lost)
