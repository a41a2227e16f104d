"""The unit of a batch: one picture, from bytes to bytes. Its result depends on nothing else, so any process may do it.

```
bytes --recode--> Recoded: bytes, and a Row of the manifest with facts or the error
ToRecode --recode_file: read, recode, write--> Recoded
```
"""

import io
import time
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np

from lpcodec.codec import storage
from lpcodec.codec.arrays import psnr_of
from lpcodec.codec.errors import ExitCode, LpcodecError

ENCODED = ".lpc"


@dataclass(frozen=True)
class Settings:
    """What is done to each picture. `options` are keywords of `lpcodec.encode` or `lpcodec.decode`.

    `ending` is that of the output; for decoding it says which format. `measure`: decode each coded picture and note
    its PSNR.
    """

    task: Literal["encode", "decode"]
    options: dict[str, Any] = field(default_factory=dict)
    ending: str = ENCODED
    measure: bool = False

    def models(self) -> list[str]:
        """The sets of weights that encode the pictures; none for decoding and for lossless storage."""
        if self.task == "decode" or self.options.get("lossless"):
            return []
        from lpcodec.codec import models

        asked = self.options.get
        squared_error = asked("psnr") is not None
        return models.variants(models.tuned(asked("model") or "default", asked("tune"), squared_error=squared_error))

    def output_name(self, name: str) -> str:
        """The name of the output of an input: `a/photo.png` becomes `a/photo.lpc`."""
        return str(PurePosixPath(name).with_suffix(self.ending))


@dataclass(frozen=True)
class Row:
    """What became of one picture: a line of the manifest.

    `bytes_in` and `bytes` are the sizes of input and output. `bpp` is that of an encoded file. `psnr` is in dB; it is
    None if it wasn't measured, and if the picture is exact. `seconds` is the time that recoding took. `error` is None
    if all went well. `code` is an exit code of docs/errors.md.
    """

    name: str
    output: str
    bytes_in: int = 0
    bytes: int = 0
    width: int = 0
    height: int = 0
    bpp: float | None = None
    quality: float | None = None
    psnr: float | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    error: str | None = None
    code: int = 0


@dataclass(frozen=True)
class Recoded:
    """What became of one picture: its row for the manifest, and its new bytes. They are None if they couldn't be made,
    or if they were written already."""

    data: bytes | None
    row: Row


@dataclass(frozen=True)
class ToRecode:
    """One picture for a worker: its `data`, or the path or URL of its file. `target` is the path or URL to write to,
    None to give the bytes back. `name` and `output` are its names in the manifest."""

    name: str
    output: str
    data: bytes | None = None
    url: str = ""
    target: str | None = None


def recode(data: bytes, settings: Settings, name: str = "", output: str = "") -> Recoded:
    """Encode or decode one picture. If that fails, the row has the error; nothing is raised."""
    start = time.perf_counter()
    try:
        made, facts = (_encode if settings.task == "encode" else _decode)(data, settings)
    except Exception as error:
        return Recoded(None, failure(name, output, error, len(data), time.perf_counter() - start))
    seconds = time.perf_counter() - start
    return Recoded(made, Row(name, output, bytes_in=len(data), bytes=len(made), seconds=round(seconds, 4), **facts))


def recode_file(picture: ToRecode, settings: Settings) -> Recoded:
    """Recode one picture: read its file if it has no data, recode it, and write the result if it has a target."""
    try:
        data = storage.read(picture.url) if picture.data is None else picture.data
    except Exception as error:
        return Recoded(None, failure(picture.name, picture.output, error))
    recoded = recode(data, settings, picture.name, picture.output)
    if picture.target is None or recoded.data is None:
        return recoded
    try:
        storage.write(picture.target, recoded.data)
    except Exception as error:
        return Recoded(None, failure(picture.name, picture.output, error, len(data), recoded.row.seconds))
    return Recoded(None, recoded.row)


def failure(name: str, output: str, error: Exception | str, bytes_in: int = 0, seconds: float = 0.0) -> Row:
    """The row of a picture that couldn't be recoded."""
    text = " ".join(str(error).split()).removeprefix("the picture: ") or type(error).__name__
    if isinstance(error, LpcodecError):
        code = int(error.exit_code)
    elif isinstance(error, MemoryError):
        code, text = int(ExitCode.OVER_LIMIT), "not enough memory for this picture"
    elif isinstance(error, OSError):
        code, text = int(ExitCode.FILE_ACCESS), error.strerror or text
    else:
        code = int(ExitCode.BUG)
        text = text if isinstance(error, str) else f"{type(error).__name__}: {text}"
    return Row(name, output, bytes_in=bytes_in, seconds=round(seconds, 4), error=text, code=code)


def prepare(settings: Settings) -> None:
    """Load what every picture needs, so that the first one doesn't wait for it."""
    if settings.models():
        from lpcodec.codec import models

        for name in settings.models():
            models.load(name, settings.options.get("device", "cpu"))


def _encode(data: bytes, settings: Settings) -> tuple[bytes, dict[str, Any]]:
    from lpcodec.codec import api

    result = api.encode_report(data, **settings.options)
    facts: dict[str, Any] = {
        "width": result.width, "height": result.height, "bpp": round(result.bpp, 5), "notes": result.notes,
        "quality": None if result.quality is None else round(result.quality, 3),
    }  # fmt: skip
    if settings.measure:
        facts["psnr"] = _psnr(data, result.data, settings)
    return result.data, facts


def _psnr(original: bytes, coded: bytes, settings: Settings) -> float | None:
    """PSNR in dB over the colour samples of all pixels that can be seen, alpha above 0; None if they are equal."""
    from lpcodec.codec import api, picture

    limit = settings.options.get("max_pixels") or api.DEFAULT_MAX_PIXELS
    wanted = picture.load(original, max_pixels=limit)
    found = np.asarray(api.decode(coded, max_pixels=limit, device=settings.options.get("device", "cpu")))
    height, width, channels = wanted.pixels.shape
    found = found.reshape(height, width, -1)[..., :channels]
    squares = samples = 0
    for row in range(height):
        seen = slice(None) if wanted.alpha is None else wanted.alpha[row] > 0
        differences = wanted.pixels[row, seen].astype(np.int32) - found[row, seen]
        squares += int(np.square(differences).sum(dtype=np.int64))
        samples += differences.size
    return round(psnr_of(squares / samples), 4) if squares else None


def _decode(data: bytes, settings: Settings) -> tuple[bytes, dict[str, Any]]:
    from PIL import Image

    from lpcodec.codec import api, picture

    result = api.decode_report(data, **settings.options)
    stream = io.BytesIO()
    lost = picture.save(result.image, stream, Image.registered_extensions()[settings.ending])
    width, height = result.image.size
    return stream.getvalue(), {"width": width, "height": height, "notes": (*result.notes, *lost)}
