"""What a codec is to a report: something that encodes pixels at a setting, decodes the bytes, and has a description."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from lpcodec.codec.arrays import Pixels

CodecKind = Literal["model", "peer", "command", "compressai"]


class MeasuredCodec(Protocol):
    """What can be measured: a codec with a setting, over arrays uint8 (H, W, 3) and the bytes of files."""

    @property
    def name(self) -> str: ...

    def encode(self, pixels: Pixels, setting: float, /) -> bytes: ...

    def decode(self, data: bytes, /) -> Pixels: ...


@runtime_checkable
class RateControlled(Protocol):
    """A codec that finds the setting for a rate by itself: the file, and the setting it took."""

    def encode_to_bpp(self, pixels: Pixels, bpp: float, /) -> tuple[bytes, float]: ...


@dataclass(frozen=True)
class CodecAbout:
    """A codec of the report. `options` is all that decides its files: settings, command line, or digest of the weights.

    `has_dial` is False for a model with one fixed rate. Memory is the peak of a process that codes the largest picture
    once, above that of the process before it (MB of 10**6 bytes); None if it wasn't measured. kMAC/pixel by part
    (`analysis`, `synthesis`, `entropy`, ...) for networks.
    """

    name: str
    title: str
    kind: CodecKind
    options: str
    has_dial: bool = True
    encode_memory_mb: float | None = None
    decode_memory_mb: float | None = None
    parameters: int | None = None
    kmac_per_pixel: Mapping[str, float] | None = None
