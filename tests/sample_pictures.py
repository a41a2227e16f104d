"""Pictures for the tests: every mode, seeded noise, and metadata to put into them."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from lpcodec.codec.picture import Pixels
from lpcodec.codec.picturefiles import profiles

MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I", "F")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6" title="\xc3\xa4"/></x:xmpmeta>'
XMP_RESET = XMP.replace(b'"6"', b'"1"')
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY_PROFILE = profiles.grey(profiles.gamma(2.2), "made for a test")


def noise(height: int, width: int, channels: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def image_of(mode: str, width: int, height: int, seed: int = 0) -> Image.Image:
    """An image of any of Pillow's modes with every pixel random."""
    if mode in DEEP_MODES:
        values = np.random.default_rng(seed).integers(0, 65536, (height, width))
        kind = {"I": "<i4", "F": "<f4", "I;16B": ">u2"}.get(mode, "<u2")
        return Image.frombytes(mode, (width, height), (values / 256 if mode == "F" else values).astype(kind).tobytes())
    if mode == "1":
        return Image.fromarray(noise(height, width, 1, seed)[..., 0] > 127)
    channels = len(Image.new(mode, (1, 1)).getbands())
    if mode in {"P", "PA"}:
        image = Image.frombytes(mode, (width, height), noise(height, width, channels, seed).tobytes())
        image.putpalette(noise(256, 1, 3, seed + 1).tobytes())
        return image
    if mode == "RGBX":
        channels = 4
    return Image.frombytes(mode, (width, height), noise(height, width, channels, seed).tobytes())


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    target = BytesIO()
    image.save(target, format, **options)
    return target.getvalue()


def exif_bytes(orientation: int | None = None) -> bytes:
    """EXIF with a maker, an exposure folder and a GPS folder."""
    exif = Image.Exif()
    exif[271] = "Maker"
    if orientation is not None:
        exif[274] = orientation
    exif[0x8769] = {0x829A: 0.5, 0x9286: b"ASCII\0\0\0a comment"}
    exif[0x8825] = {1: "N", 3: "E"}
    return exif.tobytes()


def reopened_exif(exif: bytes | None) -> Image.Exif:
    assert exif is not None
    found = Image.Exif()
    found.load(exif)
    return found


def grey_png_with_bits(bits: int, colour: int, raw: bytes, width: int, height: int, *extra: bytes) -> bytes:
    """A hand-made PNG, for depths that Pillow doesn't write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    body = b"".join(chunk(block[:4], block[4:]) for block in extra) + chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """A PNG with chunks (name and data) put in front of its pixels."""
    extra = b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )
    return png[:33] + extra + png[33:]


def tiff(tags: dict[int, tuple[int, list[int]]], pixels: bytes, order: str = "<") -> bytes:
    """A TIFF of one strip: `tags` by number, each a type (3 SHORT, 4 LONG) and values; places are filled in."""
    tags = {**tags, 273: (4, [0]), 279: (4, [len(pixels)])}
    if 284 in tags and tags[284][1] == [2]:
        count = tags[277][1][0]
        tags |= {273: (4, [0] * count), 279: (4, [len(pixels) // count] * count)}
    size, letters = {3: 2, 4: 4}, {3: "H", 4: "I"}
    place = 8 + 2 + 12 * len(tags) + 4
    start = place + sum(size[kind] * len(values) for kind, values in tags.values() if size[kind] * len(values) > 4)
    length = tags[279][1][0]
    tags[273] = (4, [start + i * length for i in range(len(tags[273][1]))])
    folder, body = b"", b""
    for tag in sorted(tags):
        kind, values = tags[tag]
        data = struct.pack(f"{order}{len(values)}{letters[kind]}", *values)
        value = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(f"{order}I", place + len(body))
        body += data if len(data) > 4 else b""
        folder += struct.pack(f"{order}HHI", tag, kind, len(values)) + value
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(tags))
    return head + folder + bytes(4) + body + pixels
