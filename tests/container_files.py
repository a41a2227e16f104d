"""Files for the container's tests: samples, any file that keeps the rules, forged and damaged ones."""

import hashlib
import random
from dataclasses import replace

import pytest
from hypothesis import strategies as st

from lpcodec.codec import container
from lpcodec.codec.colour import PLAIN, Rotation
from lpcodec.codec.container import (
    Downscaled,
    Header,
    Kind,
    LpcFile,
    Section,
    SectionType,
    write,
)
from lpcodec.codec.errors import DamagedFileError, UnknownModelError
from lpcodec.codec.quality import Quality

MODEL_HEADER = Header(768, 512, Kind.MODEL, False, 3, b"\x01\x02\x03\x04", Quality(32768), b"\xaa\xbb\xcc\xdd")
STORED_HEADER = Header(1, 300, Kind.STORED, True)

SAMPLES = {
    "coded": LpcFile(MODEL_HEADER, (Section(SectionType.LATENTS, bytes(range(200))),)),
    "stored": LpcFile(STORED_HEADER, (Section(SectionType.STORED, b"\x89PNG and so on"),)),
    "with everything": LpcFile(
        replace(MODEL_HEADER, grey=True),
        (
            Section(SectionType.LATENTS, b"latents" * 20),
            Section(SectionType.ALPHA, b"\x00\xff"),
            Section(SectionType.ICC, container.metadata_to_bytes(b"profile " * 30)),
            Section(SectionType.EXIF, container.metadata_to_bytes(b"II*\0")),
            Section(SectionType.XMP, container.metadata_to_bytes(b"<x:xmpmeta/>")),
            Section(200, b"from a later version"),
        ),
    ),
    "in layers": LpcFile(
        MODEL_HEADER,
        (
            Section(SectionType.LAYER, b"coarse"),
            Section(SectionType.LAYER, b"coarse"),
            Section(SectionType.LAYER, bytes(range(99))),
            Section(SectionType.ALPHA, b"\x00\xff"),
        ),
    ),
    "rotated, smaller, with cells": LpcFile(
        replace(MODEL_HEADER, rotation=Rotation(9, 200), downscaled=Downscaled(2, 40, b"\x05\x06\x07\x08")),
        (Section(SectionType.LATENTS, b"latents" * 9), Section(SectionType.CELLS, b"a map and a picture")),
    ),
    "with squares": LpcFile(
        MODEL_HEADER, (Section(SectionType.LATENTS, b"latents" * 9), Section(SectionType.QUALITIES, b"a map"))
    ),
    "no latents' words": LpcFile(replace(MODEL_HEADER, width=1, height=1), (Section(SectionType.LATENTS, b""),)),
}
DAMAGED_OR_NEWER = (DamagedFileError, UnknownModelError)

BESIDE_LATENTS = ((SectionType.CELLS,), (SectionType.QUALITIES,), (SectionType.CELLS, SectionType.QUALITIES))

samples = pytest.mark.parametrize("data", [write(file) for file in SAMPLES.values()], ids=SAMPLES)


@st.composite
def files(draw: st.DrawFn) -> LpcFile:
    kind = draw(st.sampled_from(Kind))
    side = st.integers(1, container.MAX_SIDE)
    grey = draw(st.booleans())
    header = Header(draw(side), draw(side), kind, grey, grey_as_rgb=grey and draw(st.booleans()))
    if kind == Kind.STORED:
        header = replace(header, fewer_colours=draw(st.booleans()))
    else:
        digest, byte = st.binary(min_size=4, max_size=4), st.integers(0, 255)
        downscaled = st.builds(Downscaled, st.integers(1, 2), byte, digest)
        header = replace(
            header,
            rotation=PLAIN if grey else draw(st.builds(Rotation, st.integers(1, 255), byte) | st.just(PLAIN)),
            downscaled=draw(st.none() | downscaled | st.builds(Downscaled, st.integers(1, 2))),
            model_number=draw(st.integers(0, 255)),
            model_digest=draw(digest),
            quality=Quality(draw(st.integers(0, 65535))),
            symbols_hash=draw(digest),
        )
    others = {int(SectionType.ALPHA)} | set(range(128, 256))
    types = sorted(draw(st.sets(st.sampled_from(sorted(others)), max_size=6)))
    layers = st.integers(1, 8).map(lambda count: [SectionType.LAYER] * count)
    model = st.one_of(st.just([SectionType.LATENTS]), layers)
    first = draw(model) if kind == Kind.MODEL else [SectionType.STORED]
    if first == [SectionType.LATENTS] and draw(st.booleans()):
        first = [SectionType.LATENTS, *draw(st.sampled_from(BESIDE_LATENTS))]
    payload = st.binary(min_size=1, max_size=300)
    return LpcFile(header, tuple(Section(number, draw(payload)) for number in [*first, *types]))


def with_right_digest(body: bytes) -> bytes:
    """A forged file: whatever `body` holds, the digest over it is right."""
    return body + hashlib.blake2s(body, digest_size=4).digest()


def forged(file: LpcFile, flags: bytes | None = None) -> bytes:
    """The file written with right checksums and no look at the rules, for meeting the reader's own checks."""
    head = container._header_bytes(file)
    if flags is not None:
        head = head[:4] + flags + head[6:]
    body = head
    for section in file.sections:
        body += container._section_head_bytes(section, body) + section.payload
    return with_right_digest(body)


def latents(**changes: object) -> LpcFile:
    return LpcFile(replace(MODEL_HEADER, **changes), (Section(SectionType.LATENTS, b"x"),))  # type: ignore[arg-type]


def sections(*types: int, kind: Kind = Kind.MODEL, payload: bytes = b"x") -> LpcFile:
    header = MODEL_HEADER if kind == Kind.MODEL else STORED_HEADER
    return LpcFile(header, tuple(Section(number, payload) for number in types))


def mutant(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """`data` after one to three random changes: bits, cuts, insertions, swaps, overwritten runs, splices."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        size = len(changed)
        start, end = sorted((chance.randrange(size + 1), chance.randrange(size + 1)))
        kind = chance.randrange(6)
        if kind == 0 and size:
            changed[chance.randrange(size)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del changed[start:end]
        elif kind == 2:
            changed[start:start] = chance.randbytes(chance.randint(1, 9))
        elif kind == 3:
            changed[start:end] = reversed(changed[start:end])
        elif kind == 4:
            changed[start : start + 4] = chance.choice([bytes(4), b"\xff" * 4, chance.randbytes(4)])
        else:
            other = chance.choice(others)
            changed[start:end] = other[start:end]
    return bytes(changed)
