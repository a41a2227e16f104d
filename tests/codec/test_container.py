"""The .lpc container: written files read back, their bytes are those of the specification, every rule holds."""

import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpcodec.codec import container
from lpcodec.codec.colour import Rotation
from lpcodec.codec.container import (
    Downscaled,
    Header,
    Kind,
    LpcFile,
    Section,
    SectionType,
    overhead,
    read,
    read_partial,
    section_ends,
    write,
)
from lpcodec.codec.errors import DamagedFileError, UnknownModelError
from lpcodec.codec.quality import Quality
from tests.container_files import (
    MODEL_HEADER,
    SAMPLES,
    STORED_HEADER,
    files,
    forged,
    latents,
    sections,
    with_right_digest,
)


@given(files())
def test_a_written_file_reads_back_and_writes_the_same_bytes(file: LpcFile) -> None:
    data = write(file)
    assert read(data) == file
    assert write(read(data)) == data
    assert len(data) == overhead(file) + sum(len(section.payload) for section in file.sections)
    for end, section in zip(section_ends(file), file.sections, strict=True):
        assert data[:end].endswith(section.payload)
    assert section_ends(file)[-1] == len(data) - container.DIGEST_BYTES


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
        ({"downscaled": Downscaled(1)}, "10 02", "01"),
        ({"downscaled": Downscaled(2, 40, b"wxyz")}, "10 02", "06 28 7778797a"),
        ({"rotation": Rotation(255, 0), "downscaled": Downscaled(2)}, "10 03", "ff00 02"),
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
    downscaled = Downscaled(halvings) if halvings else None
    assert replace(MODEL_HEADER, width=width, height=height, downscaled=downscaled).coded_size == coded


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


AGAINST_THE_RULES = [
    (latents(width=0), "width 0 is not within"),
    (latents(height=0), "height 0 is not within"),
    (latents(width=2**24 + 1), "width 16777217 is not within"),
    (sections(1, kind=Kind.STORED), "without its STORED section"),
    (sections(1, 2, kind=Kind.STORED), "with a LATENTS section"),
    (sections(2, 3, kind=Kind.STORED), "with a LAYER section"),
    (sections(2, 4, kind=Kind.STORED), "with a CELLS section"),
    (sections(2, 5, kind=Kind.STORED), "with a QUALITIES section"),
    (sections(3, 4), "with CELLS and LAYER sections at once"),
    (sections(3, 5), "with QUALITIES and LAYER sections at once"),
    (sections(5), "without a LATENTS or a LAYER section"),
    (sections(1, 5, payload=b""), "QUALITIES is empty"),
    (sections(4), "without a LATENTS or a LAYER section"),
    (sections(1, 4, payload=b""), "CELLS is empty"),
    (latents(grey=True, rotation=Rotation(3, 4)), "no colours to rotate"),
    (sections(6), "without a LATENTS or a LAYER section"),
    (sections(1, 3), "with LATENTS and LAYER sections at once"),
    (sections(1, 3, 3), "with LATENTS and LAYER sections at once"),
    (sections(*[3] * 9), "9 LAYER sections, where at most 8 are allowed"),
    (sections(3, 6, 3), "LAYER comes after section ALPHA"),
    (sections(3, payload=b""), "LAYER is empty"),
    (sections(2, 3), "with a STORED section"),
    (sections(1, 2), "with a STORED section"),
    (sections(1, 1), "LATENTS occurs twice"),
    (sections(3, 6, 6), "ALPHA occurs twice"),
    (sections(1, 200, 200), "of type 200 occurs twice"),
    (sections(6, 1), "LATENTS comes after section ALPHA"),
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
        ({"downscaled": Downscaled(1)}, "has rotated colours, or was coded at a smaller size"),
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
        ({"downscaled": Downscaled(0)}, "0 halvings"),
        ({"downscaled": Downscaled(3)}, "3 halvings"),
        ({"downscaled": Downscaled(1, 256)}, "no number within"),
        ({"downscaled": Downscaled(1, 1, b"abc")}, "no digest of 4 bytes"),
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


@pytest.mark.parametrize("number", [7, 9, 77, 127])
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
