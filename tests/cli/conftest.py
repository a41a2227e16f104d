"""A codec that costs nothing, in the place of the real one: what is tested is what the command does with it."""

import importlib
import json
import math
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from lpcodec.cli.app import app
from lpcodec.codec import devices
from lpcodec.codec.errors import DamagedFileError, FileAccessError, TargetError, UsageError

MARK = b"fake lpc "
CUT = b"cut"
LAYERED = b"layered"


@dataclass(frozen=True)
class FakeResult:
    """Has the fields of `lpcodec.codec.api.EncodeResult`."""

    data: bytes
    notes: tuple[str, ...]
    bpp: float
    quality: float | None
    model: str
    width: int
    height: int
    psnr: float | None = None
    downscale: int = 1
    lossless: bool = False


@dataclass(frozen=True)
class FakeDecoded:
    """Has the fields of `lpcodec.codec.api.DecodeResult`."""

    image: Image.Image
    notes: tuple[str, ...]
    partial: bool


class FakeApi(types.ModuleType):
    """Codes a picture as its size; remembers its calls; raises what `failures` holds for a source."""

    def __init__(self) -> None:
        super().__init__("lpcodec.codec.api")
        self.calls: list[tuple[str, Any, dict[str, Any]]] = []
        self.failures: dict[str, BaseException] = {}
        self.notes: tuple[str, ...] = ()
        self.quality: float | None = 34.2
        self.psnr: float | None = None

    def check_encode(self, **options: Any) -> None:
        if options["model"] == "nonesuch":
            raise UsageError("no model named 'nonesuch'")

    def encode_report(self, image: Path | bytes, **options: Any) -> FakeResult:
        self.calls.append(("encode", image, options))
        if (failure := self.failures.get(Path(image).name if isinstance(image, Path) else "-")) is not None:
            raise failure
        options["progress"]("analysis", 0.5)
        if isinstance(image, Path):
            try:
                image = image.read_bytes()
            except OSError as error:
                raise FileAccessError(f"{image}: {error.strerror}") from error
        if options["bpp"] == 0.0001:
            raise TargetError("0.0001 bpp can't be reached: the nearest is 0.02 bpp")
        data = MARK + json.dumps({"length": len(image)}).encode()
        lossless = self.psnr == math.inf
        return FakeResult(data, self.notes, 0.15, self.quality, options["model"], 32, 16, self.psnr, lossless=lossless)

    def check_decode(self, **options: Any) -> None:
        devices.check_device(options["device"])

    def decode_report(self, data: str | bytes, **options: Any) -> FakeDecoded:
        """What ends with CUT has lost its end, and is decoded in part where that is allowed."""
        self.calls.append(("decode", data, options))
        data = Path(data).read_bytes() if isinstance(data, str) else data
        self._check(data)
        cut = data.endswith(CUT)
        if cut and not options["allow_partial"]:
            raise DamagedFileError("the file was cut short")
        options["progress"]("synthesis", 1.0)
        size = 32 >> options["level"], 16 >> options["level"]
        return FakeDecoded(Image.new("RGB", size, (200, 100, 50)), ("decoded in part: it was cut",) * cut, cut)

    def info(self, data: bytes) -> dict[str, Any]:
        """What ends with LAYERED lists its levels."""
        self._check(data)
        size = {"width": 32, "height": 16}
        coarse = {"level": 1, "width": 16, "height": 8, "bytes": 1200, "bytes_to_here": 1234, "part": 0.12345}
        levels = [coarse, {"level": 0, **size, "bytes": 8000, "bytes_to_here": 9999, "part": 1.0}]
        return {
            **({"levels": levels} if data.endswith(LAYERED) else {}),
            **size,
            "mode": "RGB",
            "bytes": len(data),
            "bpp": 0.15,
            "quality": 34.2,
            "model": {"name": "default", "installed": True, "has_quality": True},
            "sections": [{"type": "latents", "bytes": 12345}],
        }

    def verify(self, data: bytes, **options: Any) -> dict[str, Any]:
        self.calls.append(("verify", data, options))
        return self.info(data)

    @staticmethod
    def _check(data: bytes) -> None:
        if not data.startswith(MARK):
            raise DamagedFileError("not an lpcodec file")


def put_in_place(monkeypatch: pytest.MonkeyPatch, name: str, module: types.ModuleType) -> None:
    """Let `import name` and `from parent import last` find `module`."""
    parent, _, last = name.rpartition(".")
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(importlib.import_module(parent), last, module, raising=False)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The fake, in place of `lpcodec.codec.api`."""
    fake = FakeApi()
    put_in_place(monkeypatch, "lpcodec.codec.api", fake)
    return fake


@pytest.fixture
def replace_module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`replace_module(name, **attributes)`: a module of that name with these attributes, for one test."""

    def replace(name: str, **attributes: Any) -> types.ModuleType:
        module = types.ModuleType(name)
        vars(module).update(attributes)
        put_in_place(monkeypatch, name, module)
        return module

    return replace


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lpcodec() -> Any:
    """`lpcodec("encode", "a.png")`: run the command in this process."""

    def run(*words: str, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(app, list(words), input=stdin)

    return run
