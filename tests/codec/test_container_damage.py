"""The .lpc container: no damage goes unnoticed, and what is wrong has its own words."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpcodec.codec import container
from lpcodec.codec.container import (
    read,
    write,
)
from lpcodec.codec.errors import DamagedFileError, LimitError
from tests.container_files import (
    DAMAGED_OR_NEWER,
    SAMPLES,
    mutant,
    samples,
    with_right_digest,
)


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
        for changed in (
            *(data[:place] + bytes([value]) + data[place:] for value in (0, 1, 0x7F, 0x80, 0xFF)),
            data[: place + 1] + data[place:],
            data[:place] + data[place + 1 :],
        ):
            if changed == data:  # at the very end there is nothing to double or remove
                continue
            with pytest.raises(DAMAGED_OR_NEWER):
                read(changed)


def test_a_section_of_another_file_is_noticed() -> None:
    """Each section is whole and its own checksum right: only the digest over everything can tell."""
    ours, theirs = SAMPLES["with everything"], SAMPLES["coded"]
    for own in ours.sections:
        other = replace(own, payload=bytes(reversed(own.payload)))
        mine = container._section_head_bytes(own, b"") + own.payload
        spliced = write(ours).replace(mine, container._section_head_bytes(other, b"") + other.payload)
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
