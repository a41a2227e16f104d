"""The pictures that a report's slider compares: each codec's at the rates asked for, as lossless WebP.

    Results --nearest point of each picture, codec and rate--> encode, decode again --> pictures/PICTURE/CODEC-....webp

Points are measured without keeping pictures, which would fill the disk; those that are shown are made again. A
picture's file is named by all that decides it, so a run that was stopped goes on where it was, and one with other
weights or options makes its own.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lpcodec.codec import atomic
from lpcodec.codec.evaluation.codecs.codec import CodecAbout, MeasuredCodec, Pixels
from lpcodec.codec.evaluation.metrics.point import Point
from lpcodec.codec.evaluation.report.filenames import file_name
from lpcodec.codec.evaluation.run.originals import Original
from lpcodec.codec.evaluation.run.results import PictureAbout, Results

FOLDER = "pictures"
WEBP_LONGEST_SIDE = 16383  # longer ones become PNG
EFFORT, METHOD = 20, 1  # a slower search saves 5 % of the file and takes three times as long


@dataclass(frozen=True)
class Shown:
    """A picture of the page. `codec` is "" for the original, whose rates are 0 and whose PSNR is infinite.

    `near_bpp` is the rate asked for, `bpp` and `psnr` those of the file shown; `path` is relative to the report's
    folder, with slashes.
    """

    picture: str
    codec: str
    near_bpp: float
    bpp: float
    psnr: float
    path: str


def nearest(points: Sequence[Point], bpp: float) -> Point:
    """The point whose rate is nearest to `bpp`, the first among equals. ValueError where there are none."""
    return min(points, key=lambda point: abs(point.bpp - bpp))


def save_pictures(
    results: Results,
    originals: Mapping[str, Original],
    codecs: Mapping[str, MeasuredCodec],
    out: Path,
    near: Sequence[float],
    progress: Callable[[int, int], None],
) -> list[Shown]:
    """Writes what the slider needs below `out`/pictures, skipping what is there, and says what the page can show.

    For each picture, codec and rate of `near` the point at a fixed setting or a target whose rate is nearest is coded
    again. `progress(done, count)` is called after each picture and codec. A codec that fails now, or whose file has
    not the size that was measured, is left out there: what is shown is always what was measured. Originals and codecs
    that are not given are left out too. Raises OSError where nothing can be written.
    """
    points: dict[tuple[str, str], list[Point]] = {}
    for point in (*results.points, *results.target_points):
        points.setdefault((point.image, point.codec), []).append(point)
    abouts = [about for about in results.codecs if about.name in codecs]
    given = set(originals)  # asking the mapping itself might read the picture
    pictures = [picture for picture in results.pictures.pictures if picture.name in given]
    shown: list[Shown] = []
    for i, picture in enumerate(pictures):
        folder = out / FOLDER / file_name(picture.name)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"original-{picture.digest[:8]}{_suffix(picture)}"
        original: Original | None = None  # read where something is to be made: a second run asks for none of them
        if not path.exists():
            original = originals[picture.name]
            _save(original.pixels, path)
        shown.append(Shown(picture.name, "", 0.0, 0.0, math.inf, path.relative_to(out).as_posix()))
        for j, about in enumerate(abouts, start=1):
            for rate in near if (picture.name, about.name) in points else ():
                point = nearest(points[picture.name, about.name], rate)
                path = folder / _name(about, point, picture)
                if not path.exists():
                    original = original or originals[picture.name]
                    _make(codecs[about.name], point, original, path)
                if path.exists():
                    where = path.relative_to(out).as_posix()
                    shown.append(Shown(picture.name, about.name, rate, point.bpp, point.psnr, where))
            progress(i * len(abouts) + j, len(pictures) * len(abouts))
    return shown


def _name(about: CodecAbout, point: Point, picture: PictureAbout) -> str:
    key = "|".join((picture.digest, about.name, about.options, repr(point.setting), str(point.bytes)))
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{file_name(about.name)}-{point.bytes}-{digest}{_suffix(picture)}"


def _suffix(picture: PictureAbout) -> str:
    return ".webp" if max(picture.width, picture.height) <= WEBP_LONGEST_SIDE else ".png"


def _make(codec: MeasuredCodec, point: Point, original: Original, path: Path) -> None:
    """Codes a point again and keeps the picture, or leaves it out where the codec no longer does what it did."""
    try:
        data = codec.encode(original.pixels, point.setting)
        decoded = codec.decode(data) if len(data) == point.bytes else None
    except Exception:  # whatever a codec from outside raises costs its picture, not the report
        return
    if decoded is not None:
        _save(decoded, path)


def _save(pixels: Pixels, path: Path) -> None:
    """Whole or not at all, since a file that is there is taken to be whole."""
    webp = {"lossless": True, "quality": EFFORT, "method": METHOD} if path.suffix == ".webp" else {}
    picture = Image.fromarray(pixels)
    atomic.write_whole(path, lambda stream: picture.save(stream, "WEBP" if webp else "PNG", **webp))
