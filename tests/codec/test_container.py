"""The .lpc container: written files read back, every rule holds, and no damage goes unnoticed."""

import hashlib
import random
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpcodec.codec import container
from lpcodec.codec.colour import PLAIN, Rotation
from lpcodec.codec.container import (
    Header,
    Kind,
    LpcFile,
    Section,
    SectionType,
    Smaller,
    ends,
    overhead,
    read,
    read_partial,
    write,
)
from lpcodec.codec.errors import DamagedFileError, LimitError, UnknownModelError
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
        replace(MODEL_HEADER, rotation=Rotation(9, 200), smaller=Smaller(2, 40, b"\x05\x06\x07\x08")),
        (Section(SectionType.LATENTS, b"latents" * 9), Section(SectionType.CELLS, b"a map and a picture")),
    ),
    "no latents' words": LpcFile(replace(MODEL_HEADER, width=1, height=1), (Section(SectionType.LATENTS, b""),)),
}
DAMAGED_OR_NEWER = (DamagedFileError, UnknownModelError)

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
        smaller = st.builds(Smaller, st.integers(1, 2), byte, digest)
        header = replace(
            header,
            rotation=PLAIN if grey else draw(st.builds(Rotation, st.integers(1, 255), byte) | st.just(PLAIN)),
            smaller=draw(st.none() | smaller | st.builds(Smaller, st.integers(1, 2))),
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
        first = [SectionType.LATENTS, SectionType.CELLS]
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
        body += container._section_head(section, body) + section.payload
    return with_right_digest(body)


@given(files())
def test_a_written_file_reads_back_and_writes_the_same_bytes(file: LpcFile) -> None:
    data = write(file)
    assert read(data) == file
    assert write(read(data)) == data
    assert len(data) == overhead(file) + sum(len(section.payload) for section in file.sections)
    for end, section in zip(ends(file), file.sections, strict=True):
        assert data[:end].endswith(section.payload)
    assert ends(file)[-1] == len(data) - container.DIGEST_BYTES


HEADER = "b14c50 02 {} 8006 8004 03 01020304 0080 aabbccdd"
"""MODEL_HEADER, its flags left open: field by field as container.py's docstring has it."""


def test_the_bytes_are_those_of_the_specification() -> None:
    """Golden: field by field as the module's docstring has it."""
    file = LpcFile(MODEL_HEADER, (Section(SectionType.LATENTS, b"abc"), Section(SectionType.ALPHA, b"\x00\x80")))
    body = bytes.fromhex(HEADER.format("20 00"))
    body += b"\x01\x03" + zlib.crc32(b"\x01abc").to_bytes(4, "little") + b"abc"
    body += b"\x06\x02" + zlib.crc32(b"\x06\x00\x80").to_bytes(4, "little") + b"\x00\x80"
    assert write(file) == with_right_digest(body)


def test_the_bytes_of_layers_are_those_of_the_specification() -> None:
    """Golden: the checksum of a layer is over all that stands before its section, its type and its payload."""
    file = LpcFile(MODEL_HEADER, (Section(SectionType.LAYER, b"abc"), Section(SectionType.LAYER, b"de")))
    body = bytes.fromhex(HEADER.format("20 00"))
    body += b"\x03\x03" + zlib.crc32(body + b"\x03abc").to_bytes(4, "little") + b"abc"
    body += b"\x03\x02" + zlib.crc32(body + b"\x03de").to_bytes(4, "little") + b"de"
    assert write(file) == with_right_digest(body)


@pytest.mark.parametrize(
    ("changes", "flags", "fields"),
    [
        ({"rotation": Rotation(9, 200)}, "10 01", "09c8"),
        ({"smaller": Smaller(1)}, "10 02", "01"),
        ({"smaller": Smaller(2, 40, b"wxyz")}, "10 02", "06 28 7778797a"),
        ({"rotation": Rotation(255, 0), "smaller": Smaller(2)}, "10 03", "ff00 02"),
        ({"grey": True, "grey_as_rgb": True}, "1c 00", ""),
    ],
)
def test_the_bytes_of_headers_are_those_of_the_specification(
    changes: dict[str, object], flags: str, fields: str
) -> None:
    changed = replace(MODEL_HEADER, **changes)  # type: ignore[arg-type]
    file = LpcFile(changed, (Section(SectionType.LATENTS, b""),))
    head = bytes.fromhex(HEADER.format(flags) + fields)
    assert write(file) == with_right_digest(head + b"\x01\x00" + zlib.crc32(b"\x01").to_bytes(4, "little"))
    assert read(write(file)).header == changed


def test_the_bytes_of_a_stored_header_are_those_of_the_specification() -> None:
    """A stored picture has no fields of a model: 9 bytes of header here."""
    file = LpcFile(replace(STORED_HEADER, fewer_colours=True), (Section(SectionType.STORED, b"x"),))
    head = bytes.fromhex("b14c50 02 15 04 01 ac02")
    assert write(file) == with_right_digest(head + b"\x02\x01" + zlib.crc32(b"\x02x").to_bytes(4, "little") + b"x")


@pytest.mark.parametrize(
    ("width", "height", "halvings", "coded"),
    [(769, 511, 1, (385, 256)), (769, 511, 2, (193, 128)), (1, 1, 2, (1, 1)), (768, 512, 0, (768, 512))],
)
def test_a_smaller_coded_size_is_rounded_up(width: int, height: int, halvings: int, coded: tuple[int, int]) -> None:
    smaller = Smaller(halvings) if halvings else None
    assert replace(MODEL_HEADER, width=width, height=height, smaller=smaller).coded_size == coded


def test_the_container_costs_at_most_33_bytes_for_one_section() -> None:
    header = replace(MODEL_HEADER, width=16383, height=16383)
    largest = LpcFile(header, (Section(SectionType.LATENTS, bytes(2**21 - 1)),))
    assert overhead(largest) == len(write(largest)) - (2**21 - 1) == 33


def test_sections_are_found_by_their_type() -> None:
    file = read(write(SAMPLES["with everything"]))
    assert file.payload(SectionType.ALPHA) == b"\x00\xff"
    assert file.payload(200) == b"from a later version"
    assert file.payload(SectionType.STORED) is None
    assert isinstance(file.sections[0].type, SectionType)
    layers = read(write(SAMPLES["in layers"]))
    assert layers.payload(SectionType.LAYER) == b"coarse"
    assert layers.payloads(SectionType.LAYER) == (b"coarse", b"coarse", bytes(range(99)))
    assert layers.payloads(SectionType.LATENTS) == ()


@pytest.mark.parametrize("side", [1, 127, 128, 16383, 16384, container.MAX_SIDE])
def test_sides_at_the_edges_of_their_range(side: int) -> None:
    file = LpcFile(Header(side, 1, Kind.STORED, False), (Section(SectionType.STORED, b"x"),))
    assert read(write(file)).header.width == side


def latents(**changes: object) -> LpcFile:
    return LpcFile(replace(MODEL_HEADER, **changes), (Section(SectionType.LATENTS, b"x"),))  # type: ignore[arg-type]


def sections(*types: int, kind: Kind = Kind.MODEL, payload: bytes = b"x") -> LpcFile:
    header = MODEL_HEADER if kind == Kind.MODEL else STORED_HEADER
    return LpcFile(header, tuple(Section(number, payload) for number in types))


AGAINST_THE_RULES = [
    (latents(width=0), "width 0 is not within"),
    (latents(height=0), "height 0 is not within"),
    (latents(width=2**24 + 1), "width 16777217 is not within"),
    (sections(1, kind=Kind.STORED), "without its STORED section"),
    (sections(1, 2, kind=Kind.STORED), "with a LATENTS section"),
    (sections(2, 3, kind=Kind.STORED), "with a LAYER section"),
    (sections(2, 4, kind=Kind.STORED), "with a CELLS section"),
    (sections(3, 4), "with CELLS and LAYER sections at once"),
    (sections(4), "without a LATENTS or a LAYER section"),
    (sections(1, 4, payload=b""), "CELLS is empty"),
    (latents(grey=True, rotation=Rotation(3, 4)), "no colours to rotate"),
    (sections(6), "without a LATENTS or a LAYER section"),
    (sections(1, 3), "with LATENTS and LAYER sections at once"),
    (sections(1, 3, 3), "with LATENTS and LAYER sections at once"),
    (sections(*[3] * 9), "9 LAYER sections, where at most 8 are allowed"),
    (sections(3, 6, 3), "LAYER stands behind section ALPHA"),
    (sections(3, payload=b""), "LAYER is empty"),
    (sections(2, 3), "with a STORED section"),
    (sections(1, 2), "with a STORED section"),
    (sections(1, 1), "LATENTS occurs twice"),
    (sections(3, 6, 6), "ALPHA occurs twice"),
    (sections(1, 200, 200), "of type 200 occurs twice"),
    (sections(6, 1), "LATENTS stands behind section ALPHA"),
    (sections(0, 1), "no section type 0"),
    (sections(2, kind=Kind.STORED, payload=b""), "STORED is empty"),
    (sections(1, 6, payload=b""), "ALPHA is empty"),
    (sections(), "0 sections"),
]


@pytest.mark.parametrize(("file", "reason"), AGAINST_THE_RULES)
def test_what_breaks_a_rule_is_neither_written_nor_read(file: LpcFile, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        write(file)
    with pytest.raises(DamagedFileError, match=reason):
        read(forged(file))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_number": 1}, "names a model"),
        ({"quality": Quality(1)}, "names a model"),
        ({"model_digest": b"1234"}, "names a model"),
        ({"symbols_hash": b"1234"}, "names a model"),
        ({"grey": False, "rotation": Rotation(3, 4)}, "has rotated colours"),
        ({"smaller": Smaller(1)}, "has rotated colours, or was coded at a smaller size"),
    ],
)
def test_a_stored_picture_has_nothing_of_a_model(change: dict[str, object], reason: str) -> None:
    changed = replace(STORED_HEADER, **change)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=reason):
        write(LpcFile(changed, (Section(SectionType.STORED, b"x"),)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rotation": Rotation(0, 7)}, "rotated by nothing"),
        ({"rotation": Rotation(256, 7)}, "not within 0 to 255"),
        ({"rotation": Rotation(7, -1)}, "not within 0 to 255"),
        ({"smaller": Smaller(0)}, "0 halvings"),
        ({"smaller": Smaller(3)}, "3 halvings"),
        ({"smaller": Smaller(1, 256)}, "no number within"),
        ({"smaller": Smaller(1, 1, b"abc")}, "no digest of 4 bytes"),
        ({"fewer_colours": True}, "stored with fewer colours"),
    ],
)
def test_headers_that_mean_nothing_are_not_written(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        write(latents(**changes))


@pytest.mark.parametrize(
    ("flags", "fields", "reason"),
    [
        ("10 01", "0000", "rotated by nothing"),
        ("10 01", "0007", "rotated by nothing"),
        ("14 01", "0307", "no colours to rotate"),
        ("10 02", "00", "means nothing"),
        ("10 02", "03", "means nothing"),
        ("10 02", "09", "means nothing"),
        ("10 02", "05 00 00000000", "without number and digest"),
        ("10 04", "", "stored with fewer colours"),
        ("10 08", "", "mean nothing"),
        ("10 80", "", "mean nothing"),
    ],
)
def test_headers_that_mean_nothing_are_damage(flags: str, fields: str, reason: str) -> None:
    body = bytes.fromhex(HEADER.format(flags) + fields) + b"\x01\x00" + zlib.crc32(b"\x01").to_bytes(4, "little")
    with pytest.raises(DamagedFileError, match=reason):
        read(with_right_digest(body))


@pytest.mark.parametrize("further", [1, 2, 3, 7])
def test_a_stored_file_with_flags_of_a_model_is_damage(further: int) -> None:
    with pytest.raises(DamagedFileError, match="a stored picture has rotated colours"):
        read(forged(SAMPLES["stored"], bytes([0x15, further])))


@pytest.mark.parametrize("changes", [{"model_number": 256}, {"model_digest": b"123"}])
def test_fields_that_have_no_room_are_not_written(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"within|4 bytes"):
        write(latents(**changes))


def test_sixteen_sections_are_too_many() -> None:
    with pytest.raises(ValueError, match="16 sections"):
        write(sections(1, *range(200, 215)))


@pytest.mark.parametrize("flags", ["1200", "1300", "1a00", "1008", "10ff"])
def test_flags_without_a_meaning_are_damage(flags: str) -> None:
    with pytest.raises(DamagedFileError, match="mean nothing"):
        read(forged(latents(), bytes.fromhex(flags)))


def test_colours_are_not_grey_shown_as_rgb() -> None:
    with pytest.raises(DamagedFileError, match="can't be grey that is shown as RGB"):
        read(forged(latents(), b"\x18\x00"))
    with pytest.raises(ValueError, match="can't be grey that is shown as RGB"):
        write(latents(grey_as_rgb=True))


@pytest.mark.parametrize("number", [5, 7, 77, 127])
def test_unknown_critical_sections_need_a_newer_version(number: int) -> None:
    with pytest.raises(UnknownModelError, match="needs a newer version"):
        read(forged(sections(number)))
    with pytest.raises(ValueError, match="no place in format version 2"):
        write(sections(1, number))


def test_a_newer_format_version_is_refused_by_name() -> None:
    data = bytearray(write(SAMPLES["coded"]))
    data[3] = 3
    with pytest.raises(UnknownModelError, match=r"a newer version of lpcodec \(format 3, this one knows 2\)"):
        read(bytes(data))


def test_an_old_format_version_is_refused_by_name() -> None:
    """Whatever follows: a reader of version 2 doesn't know what a version 1 looks like."""
    old = bytes.fromhex("b14c5001208006800403010203040080aabbccdd0103a9209d536162630602802674160080fc743ae6")
    for data in (old, old[:9]):
        for reading in (read, read_partial):
            with pytest.raises(
                UnknownModelError, match=r"an old version of lpcodec \(format 1, this one knows 2 alone\)"
            ):
                reading(data)


@pytest.mark.parametrize("overlong", ["8000", "818000", "8180808000", "8180808080", "818080808001"])
def test_overlong_varints_are_damage(overlong: str) -> None:
    data = write(SAMPLES["coded"])
    with pytest.raises(DamagedFileError, match="width is not a canonical varint"):
        read(with_right_digest(data[:6] + bytes.fromhex(overlong) + data[8:-4]))


def test_each_kind_of_damage_has_its_own_words() -> None:
    data = write(SAMPLES["with everything"])
    place = data.index(b"\x00\xff", 100)
    for damaged, words in [
        (b"", "not an lpcodec file: it is empty"),
        (b"\x89PNG\r\n\x1a\n", "not an lpcodec file: it doesn't begin"),
        (data[:2], "the file was cut short: only 2 bytes of its signature"),
        (data[:3] + b"\x00" + data[4:], "no format version 0"),
        (data[:61], "the file was cut short: section LATENTS needs 140 bytes"),
        (data[:-1], "the file was cut short: digest needs 4 bytes, 3 are there"),
        (data + b"\n", "1 bytes follow the end of the file"),
        (data[:place] + b"\x01" + data[place + 1 :], "section ALPHA: checksum differs"),
        (data[:10] + b"\x04" + data[11:], "digest over the whole file differs"),
    ]:
        with pytest.raises(DamagedFileError) as caught:
            read(damaged)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_picture_over_the_readers_limit_is_refused() -> None:
    data = write(SAMPLES["coded"])
    assert read(data, max_pixels=768 * 512).header.width == 768
    with pytest.raises(LimitError, match="768 x 512 pixels are over the limit of 393,215"):
        read(data, max_pixels=768 * 512 - 1)


def test_a_declared_length_is_checked_before_it_is_used() -> None:
    """34 359 738 367 bytes are declared where none are: a refusal, no allocation."""
    head = container._header_bytes(SAMPLES["coded"])
    with pytest.raises(DamagedFileError, match=r"LATENTS needs 34359738367 bytes, 4 are there"):
        read(with_right_digest(head + b"\x01" + bytes.fromhex("ffffffff7f") + bytes(4)))


@samples
def test_every_flipped_bit_is_noticed(data: bytes) -> None:
    for place in range(len(data)):
        for bit in range(8):
            mutant = bytearray(data)
            mutant[place] ^= 1 << bit
            expected = DAMAGED_OR_NEWER if place == 3 else DamagedFileError
            with pytest.raises(expected):
                read(bytes(mutant))


@samples
def test_every_truncation_is_noticed(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(DamagedFileError):
            read(data[:length])


@samples
def test_every_inserted_removed_or_doubled_byte_is_noticed(data: bytes) -> None:
    for place in range(len(data) + 1):
        for mutant in (
            *(data[:place] + bytes([value]) + data[place:] for value in (0, 1, 0x7F, 0x80, 0xFF)),
            data[: place + 1] + data[place:],
            data[:place] + data[place + 1 :],
        ):
            if mutant == data:  # at the very end there is nothing to double or remove
                continue
            with pytest.raises(DAMAGED_OR_NEWER):
                read(mutant)


def test_a_section_of_another_file_is_noticed() -> None:
    """Each section is whole and its own checksum right: only the digest over everything can tell."""
    ours, theirs = SAMPLES["with everything"], SAMPLES["coded"]
    for own in ours.sections:
        other = replace(own, payload=bytes(reversed(own.payload)))
        mine = container._section_head(own, b"") + own.payload
        spliced = write(ours).replace(mine, container._section_head(other, b"") + other.payload)
        with pytest.raises(DamagedFileError, match="digest over the whole file differs"):
            read(spliced)
    a, b = write(ours), write(theirs)
    for cut in range(1, min(len(a), len(b))):
        for spliced in (a[:cut] + b[cut:], b[:cut] + a[cut:], a[:cut] + b[-cut:]):
            if spliced not in (a, b):
                with pytest.raises(DAMAGED_OR_NEWER):
                    read(spliced)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(noise: bytes) -> None:
    for data in (noise, container.SIGNATURE + noise, container.SIGNATURE + b"\x02" + noise):
        with pytest.raises(DAMAGED_OR_NEWER):
            read(data)


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


def test_thousands_of_mutants_are_all_noticed() -> None:
    originals = [write(file) for file in SAMPLES.values()]
    chance = random.Random(20240229)
    for number in range(6000):
        data = mutant(originals[number % len(originals)], originals, chance)
        if data not in originals:
            with pytest.raises(DAMAGED_OR_NEWER):
                read(data)


def test_mutants_with_a_right_digest_meet_only_named_errors() -> None:
    """A forged file may be read where it keeps every rule; it is then written back as it was."""
    originals = [write(file)[:-4] for file in SAMPLES.values()]
    chance = random.Random(7)
    for number in range(4000):
        data = with_right_digest(mutant(originals[number % len(originals)], originals, chance))
        try:
            file = read(data)
        except DAMAGED_OR_NEWER:
            continue
        assert write(file) == data


@given(files(), st.data())
def test_of_a_cut_file_the_header_and_the_whole_layers_are_read(file: LpcFile, chosen: st.DataObject) -> None:
    data = write(file)
    length = chosen.draw(st.integers(0, len(data)))
    layers = tuple(section for section in file.sections if section.type == SectionType.LAYER)
    whole = layers[: sum(end <= length for end in ends(file))]
    if whole:
        assert read_partial(data[:length]) == LpcFile(file.header, whole)
    else:
        with pytest.raises(DamagedFileError):
            read_partial(data[:length])


def test_every_flipped_bit_ends_a_partial_reading_before_it() -> None:
    """The header and the order of the layers are under the layers' checksums: nothing in front of damage is wrong."""
    file = SAMPLES["in layers"]
    data = write(file)
    for place in range(len(data)):
        whole = sum(end <= place for end in ends(file)[:3])
        for bit in range(8):
            mutant = bytearray(data)
            mutant[place] ^= 1 << bit
            if whole:
                assert read_partial(bytes(mutant)) == LpcFile(file.header, file.sections[:whole])
            else:
                with pytest.raises(DAMAGED_OR_NEWER if place == 3 else DamagedFileError):
                    read_partial(bytes(mutant))


def test_layers_that_changed_places_are_read_up_to_there() -> None:
    file = SAMPLES["in layers"]
    data, (first, second, third) = write(file), ends(file)[:3]
    swapped = data[:first] + data[second:third] + data[first:second] + data[third:]
    missing = data[:first] + data[second:]
    for changed in (swapped, missing):
        assert read_partial(changed).sections == file.sections[:1]
        with pytest.raises(DamagedFileError, match="LAYER: checksum differs"):
            read(changed)


def test_mutants_give_a_partial_reading_only_what_was_written_first() -> None:
    data, file = write(SAMPLES["in layers"]), SAMPLES["in layers"]
    others, chance = [write(other) for other in SAMPLES.values()], random.Random(11)
    lengths = set()
    for _ in range(4000):
        try:
            found = read_partial(mutant(data, others, chance))
        except DAMAGED_OR_NEWER:
            continue
        lengths.add(len(found.sections))
        assert found == LpcFile(file.header, file.sections[: len(found.sections)])
    assert lengths == {1, 2, 3}


def test_a_partial_reading_has_words_for_what_it_cannot_read() -> None:
    data, header = write(SAMPLES["in layers"]), container._header_bytes(SAMPLES["in layers"])
    for damaged, words in [
        (b"", "not an lpcodec file: it is empty"),
        (data[:2], "only 2 bytes of its signature"),
        (data[:10], "the file was cut short: model number"),
        (header, "cut or damaged before its coarsest layer ends: nothing of it can be shown"),
        (data[: ends(SAMPLES["in layers"])[0] - 1], "cut or damaged before its coarsest layer ends"),
        (forged(sections(3, payload=b"")), "before its coarsest layer ends"),
        (write(SAMPLES["coded"])[:-1], "not in layers: nothing of it can be shown"),
        (write(SAMPLES["stored"])[:-1], "not in layers"),
        (forged(sections(3, 2, kind=Kind.STORED)), "not in layers"),
        (header[:4] + b"\x13" + header[5:], "mean nothing"),
        (header[:5] + b"\x10" + header[6:], "mean nothing"),
    ]:
        with pytest.raises(DamagedFileError, match=words):
            read_partial(damaged)
    assert len(read_partial(forged(sections(*[3] * 9))).sections) == container.MAX_LAYERS
    with pytest.raises(UnknownModelError, match="format 3"):
        read_partial(data[:3] + b"\x03" + data[4:])
    with pytest.raises(LimitError, match="768 x 512 pixels"):
        read_partial(data[:-1], max_pixels=768 * 512 - 1)
    assert read_partial(data[:-1], max_pixels=768 * 512).header == MODEL_HEADER


@given(st.binary(max_size=500))
def test_metadata_comes_back(raw: bytes) -> None:
    assert container.metadata_from_bytes(container.metadata_to_bytes(raw)) == raw


def test_metadata_is_bounded_both_ways() -> None:
    largest = bytes(container.MAX_METADATA)
    payload = container.metadata_to_bytes(largest)
    assert len(payload) < 20_000
    assert container.metadata_from_bytes(payload) == largest
    with pytest.raises(ValueError, match="at most 16777216"):
        container.metadata_to_bytes(largest + b"\0")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(largest + b"\0") + deflate.flush()
    with pytest.raises(DamagedFileError, match="more than 16777216 bytes when inflated"):
        container.metadata_from_bytes(bomb)


def test_metadata_that_is_no_whole_deflate_stream_is_damage() -> None:
    payload = container.metadata_to_bytes(b"some metadata" * 9)
    for damaged, words in [
        (b"", "doesn't end"),
        (payload[:-1], "doesn't end"),
        (payload + b"\0", "doesn't end"),
        (b"\xff\xff\xff", "not a deflate stream"),
    ]:
        with pytest.raises(DamagedFileError, match=words):
            container.metadata_from_bytes(damaged)
