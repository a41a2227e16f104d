"""The pictures that a report's page compares: each codec's at the rates asked for, as lossless WebP.

    Results --nearest point of each picture, codec, rate--> coded again --> pictures/PICTURE/CODEC-....webp
            --our models--> the file itself, to download                --> pictures/PICTURE/CODEC-....lpc
            --originals--> a small copy of each                         --> pictures/PICTURE/thumbnail-....webp

Decoded pictures are not kept while points are measured, because they would fill the disk. Those that are shown are made
again. The name of a picture's file depends on all that decides its pixels. So a run that was stopped continues, and one
with other weights or options makes files of its own.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from lpcodec.codec.arrays import Pixels
from lpcodec.codec.atomic import write_whole
from lpcodec.codec.evaluation.codecs.codec import CodecAbout, MeasuredCodec
from lpcodec.codec.evaluation.metrics.point import Point
from lpcodec.codec.evaluation.report.filenames import file_name
from lpcodec.codec.evaluation.run.originals import Original
from lpcodec.codec.evaluation.run.results import PictureAbout, Results
from lpcodec.codec.progress import Progress, counted

FOLDER = "pictures"
WEBP_LONGEST_SIDE = 16383  # longer ones become PNG
EFFORT, METHOD = 20, 1  # a slower search saves 5 % of the file and takes three times as long
THUMBNAIL = 176  # pixels of its longer side


@dataclass(frozen=True)
class Shown:
    """A picture of the page. `codec` is "" for the original, whose rates and bytes are 0 and whose PSNR is infinite.

    `near_bpp` is the rate asked for; `bytes`, `bpp`, `psnr` and `ms_ssim` are those of the file shown. Paths are
    relative to the report's folder, with slashes: `path` is the picture, `file` the coded file to download ("": none),
    `thumbnail` a small copy of an original ("" for coded pictures).
    """

    picture: str
    codec: str
    near_bpp: float
    bpp: float
    psnr: float
    path: str
    bytes: int = 0
    ms_ssim: float | None = None
    file: str = ""
    thumbnail: str = ""


def nearest(points: Sequence[Point], bpp: float) -> Point:
    """The point whose rate is nearest to `bpp`, the first among equals. ValueError if there are none."""
    return min(points, key=lambda point: abs(point.bpp - bpp))


def save_pictures(
    results: Results,
    originals: Mapping[str, Original],
    codecs: Mapping[str, MeasuredCodec],
    out: Path,
    near: Sequence[float],
    progress: Progress,
) -> list[Shown]:
    """Writes what the page shows below `out`/pictures, skipping what is there, and returns a list of it.

    For each picture, codec and rate of `near` the point at a fixed setting or a target whose rate is nearest is coded
    again. `progress` is called after each picture and codec. A codec that fails now, or whose file has
    another size than was measured, is left out there: what is shown is always what was measured. Originals and codecs
    that are not given are left out too. Raises FileAccessError if nothing can be written.
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
        thumbnail = folder / f"thumbnail-{picture.digest[:8]}.webp"
        original: Original | None = None  # read if something is to be made: a second run reads none of them
        if not (path.exists() and thumbnail.exists()):
            original = originals[picture.name]
            _save(original.pixels, path)
            _save_thumbnail(original.pixels, thumbnail)
        names = (path.relative_to(out).as_posix(), thumbnail.relative_to(out).as_posix())
        shown.append(Shown(picture.name, "", 0.0, 0.0, math.inf, names[0], thumbnail=names[1]))
        for j, about in enumerate(abouts, start=1):
            for rate in near if (picture.name, about.name) in points else ():
                point = nearest(points[picture.name, about.name], rate)
                path = folder / _name(about, point, picture)
                file = path.with_suffix(".lpc") if about.kind == "model" else None
                if not path.exists() or (file is not None and not file.exists()):
                    original = original or originals[picture.name]
                    _make(codecs[about.name], point, original, path, file)
                if path.exists():
                    shown.append(_shown(point, rate, path, file, out))
            progress(*counted(i * len(abouts) + j, len(pictures) * len(abouts), "pictures to look at"))
    return shown


def _shown(point: Point, near: float, path: Path, file: Path | None, out: Path) -> Shown:
    return Shown(
        picture=point.image,
        codec=point.codec,
        near_bpp=near,
        bpp=point.bpp,
        psnr=point.psnr,
        path=path.relative_to(out).as_posix(),
        bytes=point.bytes,
        ms_ssim=point.ms_ssim,
        file="" if file is None else file.relative_to(out).as_posix(),
    )


def _name(about: CodecAbout, point: Point, picture: PictureAbout) -> str:
    key = "|".join((picture.digest, about.name, about.options, repr(point.setting), str(point.bytes)))
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{file_name(about.name)}-{point.bytes}-{digest}{_suffix(picture)}"


def _suffix(picture: PictureAbout) -> str:
    return ".webp" if max(picture.width, picture.height) <= WEBP_LONGEST_SIDE else ".png"


def _make(codec: MeasuredCodec, point: Point, original: Original, path: Path, file: Path | None) -> None:
    """Codes a point again and keeps the picture and the file, or neither if the codec no longer does what it did."""
    try:
        data = codec.encode(original.pixels, point.setting)
        decoded = codec.decode(data) if len(data) == point.bytes else None
    except Exception:  # whatever a codec from outside raises costs its picture, not the report
        return
    if decoded is not None:
        if file is not None:
            write_whole(file, lambda stream: stream.write(data))
        _save(decoded, path)


def _save(pixels: Pixels, path: Path) -> None:
    options: dict[str, Any] = {"format": "WEBP", "lossless": True, "quality": EFFORT, "method": METHOD}
    if path.suffix != ".webp":
        options = {"format": "PNG"}
    write_whole(path, lambda stream: Image.fromarray(pixels).save(stream, **options))


def _save_thumbnail(pixels: Pixels, path: Path) -> None:
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    write_whole(path, lambda stream: image.save(stream, "WEBP", quality=80))
