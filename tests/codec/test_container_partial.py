"""The .lpc container read in part: of a cut file, what is whole and nothing else."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpcodec.codec import container
from lpcodec.codec.container import (
    Kind,
    LpcFile,
    SectionType,
    read,
    read_partial,
    section_ends,
    write,
)
from lpcodec.codec.errors import DamagedFileError, LimitError, UnknownModelError
from tests.container_files import (
    DAMAGED_OR_NEWER,
    MODEL_HEADER,
    SAMPLES,
    files,
    forged,
    mutant,
    sections,
)


@given(files(), st.data())
def test_of_a_cut_file_the_header_and_the_whole_layers_are_read(file: LpcFile, chosen: st.DataObject) -> None:
    data = write(file)
    length = chosen.draw(st.integers(0, len(data)))
    layers = tuple(section for section in file.sections if section.type == SectionType.LAYER)
    whole = layers[: sum(end <= length for end in section_ends(file))]
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
        whole = sum(end <= place for end in section_ends(file)[:3])
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
    data, (first, second, third) = write(file), section_ends(file)[:3]
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
        (data[: section_ends(SAMPLES["in layers"])[0] - 1], "cut or damaged before its coarsest layer ends"),
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
