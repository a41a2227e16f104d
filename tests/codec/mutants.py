"""Changed files, seeded: what accidents and attackers make of an .lpc file. Used by test_reliability.py; also a script.

    python tests/codec/mutants.py --damaged 10000 --forged 2000 --seed 1 --out docs/results/damage.json

`damaged` changes bytes and leaves the checksums alone: each mutant has to be refused. `forged` changes what the file
means and makes checksums, digest and (where the symbols can be read) their hash right again, so that the parsers, the
tables and the coder meet the values: each has to be refused by name, or decode to what its header declares. The script
prints what came of them and exits with 1 where anything else happened, or took more than 5 seconds.
"""

import argparse
import json
import sys
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lpcodec.codec import alpha, api, cells, container, lossless, models, quality_map
from lpcodec.codec.cells import Cells
from lpcodec.codec.colour import PLAIN, Rotation
from lpcodec.codec.container import Downscaled, Header, Kind, LpcFile, Section, SectionType
from lpcodec.codec.errors import LpcodecError
from lpcodec.codec.families.family import Frame
from lpcodec.codec.quality import Quality
from lpcodec.codec.quality_map import QualityMap

MAX_PIXELS = 1 << 20
"""The limit that forged files are decoded under: they may declare more, and then have to be refused."""
MAX_SECONDS = 5.0
Random = np.random.Generator


def originals() -> list[bytes]:
    """Small files of every kind: colour, grey, coded, in layers, stored, with alpha and metadata, of several groups,
    with rotated colours, with stored cells, coded at a smaller size."""
    from matplotlib.cbook import get_sample_data
    from PIL import Image, ImageDraw

    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        photo = image.convert("RGB").resize((44, 52), Image.Resampling.LANCZOS)
    with_alpha = photo.copy()
    with_alpha.putalpha(Image.linear_gradient("L").resize(photo.size))
    with_alpha.info |= {"xmp": b"<packet/>" * 9, "icc_profile": bytes(range(200))}
    pictures = [photo, photo.convert("L"), with_alpha, photo.resize((1040, 12))]
    files = [api.encode(image, quality=quality) for image in pictures for quality in (5, 60)]
    files += [api.encode(image, model="lpcae", quality=60) for image in (photo, with_alpha)]
    screen = Image.new("RGB", (144, 104), "white")
    for line in range(0, 104, 12):
        ImageDraw.Draw(screen).text((2, line), "quick brown foxes", fill=(0, 0, 2 * line))
    screen.paste(photo, (96, 48))
    files += [api.encode(image, quality=60) for image in (screen, screen.convert("L"))]
    assert all(container.read(data).payload(SectionType.CELLS) for data in files[-2:])
    files += [api.encode(image, quality=40, downscale=2) for image in (photo, with_alpha)]
    headers = [container.read(data).header for data in files]
    assert headers[-1].downscaled
    assert headers[0].rotation != PLAIN
    stored = [photo.quantize(4).convert("RGB"), Image.new("L", (30, 40), 7)]
    return files + [api.encode(image) for image in stored]


def damaged(files: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` mutants of `files`, none of them equal to any."""
    random, known = np.random.default_rng(seed), set(files)
    while count:
        mutant = _damage(files, random)
        if mutant not in known:
            count -= 1
            yield mutant


def _damage(files: Sequence[bytes], random: Random) -> bytes:
    data = bytearray(files[int(random.integers(len(files)))])
    place, other = (int(p) for p in random.integers(len(data), size=2))
    length = int(random.integers(1, 9))
    match random.integers(9):
        case 0:
            for at in random.integers(len(data), size=length):
                data[at] ^= 1 << int(random.integers(8))
        case 1:
            del data[place:]
        case 2:
            del data[place : place + length]
        case 3:
            data[place:place] = random.bytes(length)
        case 4:
            data[place], data[other] = data[other], data[place]
        case 5:
            first, second = sorted((place, other))
            data[first : first + length], data[second : second + length] = (
                data[second : second + length],
                data[first : first + length],
            )
        case 6:
            second_file = files[int(random.integers(len(files)))]
            data[place:] = second_file[int(random.integers(len(second_file))) :]
        case 7:
            data += random.bytes(length)
        case _:  # the header, with the lengths of the first section
            at = int(random.integers(min(30, len(data))))
            data[at] = int(random.choice([0, 1, 0x7F, 0x80, 0xFF, data[at] + 1 & 0xFF]))
    return bytes(data)


def forged(files: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` files that are right but for what they say."""
    random = np.random.default_rng(seed)
    parsed = [container.read(data) for data in files]
    while count:
        file = parsed[int(random.integers(len(parsed)))]
        for _ in range(random.integers(1, 3)):
            change: Callable[[LpcFile, Sequence[LpcFile], Random], LpcFile] = _CHANGES[random.integers(len(_CHANGES))]
            file = change(file, parsed, random)
        try:
            mutant = container.write(_with_right_hash(file))
        except (ValueError, OverflowError):  # against a rule that the writer keeps
            continue
        count -= 1
        yield mutant


def _with_right_hash(file: LpcFile) -> LpcFile:
    """`file` with the hash of the symbols that it holds, where they can be read."""
    header, payloads = file.header, file.payloads(SectionType.LATENTS) or file.payloads(SectionType.LAYER)
    if header.kind is not Kind.MODEL or not payloads or header.width * header.height > MAX_PIXELS:
        return file
    try:
        codec = models.load_by_identity(header.model_number, header.model_digest).trained
        width, height = header.coded_size
        symbols = codec.parse(payloads, Frame(height, width, header.quality, header.rotation))
        return replace(file, header=replace(header, symbols_hash=codec.hash_of(symbols)))
    except (LpcodecError, ValueError):  # a codec of one payload that was given several
        return file


def _change_header(file: LpcFile, _: Sequence[LpcFile], random: Random) -> LpcFile:
    header = file.header
    sides = [1, 2, 15, 16, 17, header.width + 16, header.height, 2 * header.width, 1025, 16384, 2**24]
    changed: list[Header] = [
        replace(header, width=int(random.choice(sides))),
        replace(header, height=int(random.choice(sides))),
        replace(header, width=header.height, height=header.width),
        replace(header, grey=not header.grey),
    ]
    if header.kind is Kind.MODEL:
        changed += [
            replace(header, quality=Quality(int(random.integers(65536)))),
            replace(header, quality=Quality.of(random.choice([0, 100]))),
            replace(header, model_number=int(random.integers(256))),
            replace(header, model_digest=random.bytes(4)),
            replace(header, rotation=Rotation(*(int(angle) for angle in random.integers(256, size=2)))),
            replace(header, downscaled=Downscaled(int(random.integers(1, 3)))),
            replace(header, downscaled=Downscaled(1, int(random.integers(256)), random.bytes(4))),
        ]
    return replace(file, header=changed[random.integers(len(changed))])


def _change_payload(file: LpcFile, others: Sequence[LpcFile], random: Random) -> LpcFile:
    at = int(random.integers(len(file.sections)))
    section = file.sections[at]
    payload = bytearray(section.payload or b"\0")
    place, length = int(random.integers(len(payload))), int(random.integers(1, 40))
    match random.integers(9):
        case 0:
            payload[place] ^= 1 << int(random.integers(8))
        case 1:
            del payload[place & ~3 :]
        case 2:
            payload += random.bytes(4 * length)
        case 3:
            payload[place:] = bytes(len(payload) - place)
        case 4:
            payload[place:] = b"\xff" * (len(payload) - place)
        case 5:
            payload[:] = random.bytes(4 * length)
        case 6:
            other = others[int(random.integers(len(others)))]
            payload[:] = other.sections[random.integers(len(other.sections))].payload
        case 7:
            payload[place : place + length] = random.bytes(length)
        case _:
            del payload[place : place + length]
    sections = (*file.sections[:at], Section(section.type, bytes(payload)), *file.sections[at + 1 :])
    return replace(file, sections=sections)


def _change_sections(file: LpcFile, _: Sequence[LpcFile], random: Random) -> LpcFile:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    inflating = bomb.compress(bytes(20 * 2**20)) + bomb.flush()
    size = file.header.height, file.header.width
    ramp = np.resize(np.arange(256, dtype=np.uint8), size if size[0] * size[1] <= MAX_PIXELS else (1, 1))
    candidates = [
        Section(SectionType.ALPHA, bytes([0, 9])),
        Section(SectionType.ALPHA, bytes([1]) + inflating),
        Section(SectionType.ALPHA, alpha.to_bytes(ramp)),
        Section(SectionType.ALPHA, alpha.to_bytes(ramp, 2)),
        Section(SectionType.ALPHA, bytes([2]) + lossless.stored_to_bytes(ramp[..., None])),
        Section(SectionType.ALPHA, random.bytes(20)),
        Section(SectionType.ICC, inflating),
        Section(SectionType.CELLS, container.varint(len(inflating)) + inflating),
        Section(SectionType.CELLS, random.bytes(30)),
        Section(SectionType.CELLS, cells.to_bytes(Cells(np.ones(cells.grid_size(*ramp.shape), bool), ramp[..., None]))),
        Section(SectionType.QUALITIES, bytes([1 | 20 << 2]) + random.bytes(8)),
        Section(SectionType.QUALITIES, _squares(*size, random)),
        Section(SectionType.EXIF, container.metadata_to_bytes(random.bytes(30))),
        Section(SectionType.XMP, random.bytes(9)),
        Section(200, random.bytes(9)),
    ]
    chosen = candidates[random.integers(len(candidates))]
    rest = [section for section in file.sections if section.type != chosen.type]
    return replace(file, sections=tuple(sorted((*rest, chosen), key=lambda section: section.type)))


def _squares(height: int, width: int, random: Random) -> bytes:
    """A QUALITIES section of a picture of that size, or of a smaller one."""
    height, width = (height, width) if height * width <= MAX_PIXELS else (1, 1)
    size = quality_map.grid_size(height, width, 32)
    offsets = random.integers(-quality_map.MOST, quality_map.MOST + 1, size, np.int32)
    offsets[0, 0] = 1
    return quality_map.to_bytes(QualityMap(32, offsets))


def _change_layers(file: LpcFile, others: Sequence[LpcFile], random: Random) -> LpcFile:
    """Fewer layers, more, others' or in another order; latents as layers, and layers as latents."""
    colours = [section for section in file.sections if section.type in (SectionType.LATENTS, SectionType.LAYER)]
    if not colours:
        return file
    rest = file.sections[len(colours) :]
    kind, payloads = colours[0].type, [section.payload or b"\0" for section in colours]
    at = int(random.integers(len(payloads)))
    match random.integers(6):
        case 0:
            del payloads[at]
        case 1:
            payloads.insert(at, payloads[int(random.integers(len(payloads)))])
        case 2:
            payloads.reverse()
        case 3:
            kind = SectionType.LATENTS
        case 4:
            kind = SectionType.LAYER
        case _:
            other = others[int(random.integers(len(others)))].payloads(SectionType.LAYER)
            payloads[at:] = other[at:]
    if not payloads:
        return file
    return replace(file, sections=(*(Section(kind, payload) for payload in payloads), *rest))


_CHANGES = (_change_header, _change_payload, _change_payload, _change_sections, _change_layers)


def outcome(data: bytes, max_pixels: int | None = None, *, allow_partial: bool = False) -> str:
    """The kind of error that decoding ends with, or "decoded"; AssertionError for a picture other than declared.

    Whatever isn't an `LpcodecError` comes through.
    """
    try:
        image = api.decode(data, max_pixels=max_pixels, allow_partial=allow_partial)
    except LpcodecError as error:
        if type(error) is LpcodecError or not str(error) or "\n" in str(error):
            raise AssertionError(f"not one line of a named kind: {error!r}") from error
        return type(error).__name__
    header = (container.read_partial if allow_partial else container.read)(data).header
    assert image.size == (header.width, header.height)
    assert image.mode.removesuffix("A") == ("L" if header.grey else "RGB")
    return "decoded"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the mutants; see --help."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--damaged", type=int, default=10_000)
    parser.add_argument("--forged", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the counts as JSON as well")
    options = parser.parse_args(argv)
    files, failures = originals(), 0
    report: dict[str, object] = {"seed": options.seed, "originals": len(files), "format": container.VERSION}
    for name, mutants, limit in (
        ("damaged", damaged(files, options.damaged, options.seed), None),
        ("forged", forged(files, options.forged, options.seed), MAX_PIXELS),
    ):
        outcomes: Counter[str] = Counter()
        slowest = 0.0
        for mutant in mutants:
            start = time.perf_counter()
            try:
                kind = outcome(mutant, limit)
            except Exception:
                traceback.print_exc()
                kind = "crash"
            slowest = max(slowest, time.perf_counter() - start)
            outcomes[kind] += 1
        failures += outcomes["crash"] + (name == "damaged") * outcomes["decoded"] + (slowest > MAX_SECONDS)
        report[name] = {"outcomes": dict(outcomes.most_common()), "slowest_seconds": round(slowest, 3)}
        print(f"{name}: {dict(outcomes.most_common())}, slowest {slowest:.2f} s", flush=True)
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
