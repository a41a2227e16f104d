"""What meets arbitrary bytes: one function for each parser, with seeds. Used by hypothesis (test_targets.py) and
atheris (harness.py).

A target takes bytes and returns nothing. It fails by any exception other than the named one of its parser, and by a
result that isn't what the parser promises.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np

from lpcodec.codec import alpha, api, container, lossless, picture
from lpcodec.codec.errors import LpcodecError
from lpcodec.entropy.coder import CorruptStreamError, Decoder, Encoder
from lpcodec.entropy.tables import TableSet, default_tables
from tests.codec import mutants

MAX_PIXELS = 1 << 14
_WIDTH, _HEIGHT = 40, 30


class Anything(bytes):
    """A checksum that is equal to all others: so the parsers behind it meet the changed bytes."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = bytes.__hash__


@contextmanager
def without_checksums() -> Iterator[None]:
    """In here, no checksum, digest or hash of a file is wrong."""
    with (
        patch.object(container, "_crc", lambda *_: Anything(4)),
        patch.object(container, "_file_digest", lambda *_: Anything(container.DIGEST_BYTES)),
    ):
        yield


def _refused(error: LpcodecError) -> None:
    assert type(error) is not LpcodecError
    assert str(error)
    assert "\n" not in str(error)


def read_container(data: bytes) -> None:
    """A file is refused by name, or is written again byte for byte."""
    for read in (container.read, container.read_partial):
        try:
            file = read(data, max_pixels=MAX_PIXELS)
        except LpcodecError as error:
            _refused(error)
        else:
            assert read is not container.read or container.write(file) == data


def decode_file(data: bytes) -> None:
    """The whole decoder, behind checksums that are always right: refused by name, or the declared picture."""
    with without_checksums():
        for partial in (False, True):
            try:
                image = api.decode(data, max_pixels=MAX_PIXELS, allow_partial=partial)
            except LpcodecError as error:
                _refused(error)
            else:
                assert image.size == _declared(data)


def _declared(data: bytes) -> tuple[int, int]:
    try:
        header = container.read(data).header
    except LpcodecError:
        header = container.read_partial(data).header
    return header.width, header.height


def read_info(data: bytes) -> None:
    """`info` of a file whose checksums are always right."""
    with without_checksums():
        try:
            api.info(data)
        except LpcodecError as error:
            _refused(error)


def read_stored(data: bytes) -> None:
    """Payloads of stored pictures, alpha and metadata: refused by name, or of the size that was asked for."""
    for grey in (False, True):
        try:
            pixels = lossless.stored_from_bytes(data, _WIDTH, _HEIGHT, grey)
            assert pixels.shape == (_HEIGHT, _WIDTH, 1 if grey else 3)
        except LpcodecError as error:
            _refused(error)
    try:
        assert alpha.from_bytes(data, _WIDTH, _HEIGHT).shape == (_HEIGHT, _WIDTH)
    except LpcodecError as error:
        _refused(error)
    try:
        assert len(container.metadata_from_bytes(data)) <= container.MAX_METADATA
    except LpcodecError as error:
        _refused(error)


def decode_stream(data: bytes) -> None:
    """The range decoder: damaged by name, or the very stream of the symbols that were taken out."""
    tables = default_tables()
    count, body = (data[0], data[1:]) if data else (0, b"")
    indexes = np.frombuffer(body[:count], np.uint8) % len(tables)
    stream = body[count:]
    try:
        decoder = Decoder(stream)
        symbols = decoder.get(indexes, tables)
        decoder.finish()
    except CorruptStreamError:
        return
    encoder = Encoder()
    encoder.put(symbols, indexes, tables)
    assert encoder.finish() == stream


def unpack_tables(data: bytes) -> None:
    """Tables of a weights file: refused, or tables that code every symbol."""
    count, body = (1 + data[0] % 8, data[1:]) if data else (1, b"")
    numbers = np.frombuffer(body[: len(body) // 2 * 2], "<i2")
    try:
        tables = TableSet.unpack({"radius": numbers[:count], "frequencies": numbers[count:].view(np.uint16)})
    except ValueError:
        return
    again = TableSet.unpack(tables.pack())
    assert again.digest() == tables.digest()
    symbols = np.array([0, 1, -1, 5000] * len(tables), np.int32)
    indexes = np.repeat(np.arange(len(tables), dtype=np.uint8), 4)
    encoder = Encoder()
    encoder.put(symbols, indexes, tables)
    decoder = Decoder(encoder.finish())
    assert (decoder.get(indexes, tables) == symbols).all()
    decoder.finish()


def load_picture(data: bytes) -> None:
    """A picture file given to `encode`: refused by name, or pixels within the limit."""
    try:
        found = picture.load(data, max_pixels=MAX_PIXELS)
        assert found.pixels.shape[0] * found.pixels.shape[1] <= MAX_PIXELS
    except LpcodecError as error:
        _refused(error)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "container": read_container,
    "decode": decode_file,
    "info": read_info,
    "stored": read_stored,
    "stream": decode_stream,
    "tables": unpack_tables,
    "picture": load_picture,
}


def seeds(name: str) -> list[bytes]:
    """Sound inputs of a target, for mutation to begin with."""
    if name in ("container", "decode", "info"):
        return mutants.originals()
    ramp = np.resize(np.arange(256, dtype=np.uint8), (_HEIGHT, _WIDTH))
    if name == "stored":
        colours = np.dstack([ramp, ramp.T.reshape(ramp.shape), ramp])
        stored = [lossless.stored_to_bytes(colours[..., :channels]) for channels in (1, 3)]
        return [*stored, alpha.to_bytes(ramp), alpha.to_bytes(ramp * 0 + 7), container.metadata_to_bytes(b"<x/>" * 30)]
    if name == "stream":
        return [_stream(count) for count in (0, 1, 8, 60, 200)]
    if name == "tables":
        packed = TableSet(np.array([1, 2], np.int16), (np.array([10, 65516, 5, 5], np.int32), _flat(6))).pack()
        return [b"\x01" + packed["radius"].tobytes() + packed["frequencies"].tobytes()]
    return [_saved(format) for format in ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000", "AVIF")]


def _flat(entries: int) -> np.ndarray:
    found = np.full(entries, 65536 // entries, np.int32)
    found[0] += 65536 - found.sum()
    return found


def _stream(count: int) -> bytes:
    tables, random = default_tables(), np.random.default_rng(count)
    indexes = random.integers(0, len(tables), count).astype(np.uint8)
    encoder = Encoder()
    encoder.put(random.integers(-40, 41, count).astype(np.int32), indexes, tables)
    return bytes([count]) + indexes.tobytes() + encoder.finish()


def _saved(format: str) -> bytes:
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    Image.linear_gradient("L").resize((24, 18)).convert("RGB").save(stream, format)
    return stream.getvalue()
