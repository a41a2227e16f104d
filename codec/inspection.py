"""What a file says about itself, and whether it is whole.

bytes --info--> facts, ready for JSON       the container is checked, nothing is decoded
bytes --verify--> the same facts            every symbol is parsed, and their hash is compared with the file's
"""

from typing import Any

from lpcodec.codec import container, decoding, downscaling, models, quality_map
from lpcodec.codec.colour import PLAIN
from lpcodec.codec.container import Header, Kind, LpcFile, SectionType
from lpcodec.codec.header import Downscaled
from lpcodec.codec.quality import Quality


def info(data: bytes) -> dict[str, Any]:
    """What an .lpc file says about itself; the arguments and errors are those of `api.info`."""
    file = container.read(data)
    header = file.header
    mode = header.mode(file.payload(SectionType.ALPHA) is not None)
    about: dict[str, Any] = {
        "format_version": container.VERSION, "width": header.width, "height": header.height, "mode": mode,
        "kind": header.kind.name.lower(), "bytes": len(data), "bpp": 8 * len(data) / (header.width * header.height),
        "overhead_bytes": container.overhead(file),
        "sections": [{"type": container.section_name(s.type), "bytes": len(s.payload)} for s in file.sections],
    }  # fmt: skip
    if header.kind is Kind.STORED:
        about["lossless"] = not header.fewer_colours
    if header.kind is Kind.MODEL:
        if file.payload(SectionType.LAYER) is not None:
            about["levels"] = _levels_info(file, len(data))
        about["model"] = _model_info(header)
        if about["model"]["has_quality"]:
            about["quality"] = round(header.quality.number, 2)
        if (qualities := file.payload(SectionType.QUALITIES)) is not None:
            about["squares"] = _squares_info(header, qualities)
        about["colours_rotated"] = header.rotation != PLAIN
        if header.downscaled is not None:
            about["coded_width"], about["coded_height"] = header.coded_size
            about["enlarged_by"] = _enlarger_info(header.downscaled)
        about["symbols_hash"] = header.symbols_hash.hex()
    return about


def _levels_info(file: LpcFile, whole: int) -> list[dict[str, Any]]:
    """One entry per level, coarsest first: its size, the bytes of its layer, and the bytes of the file that it needs.

    If the encoder left the layer of a level out, that level needs as many bytes as the coarser one. The number of
    levels is that of the card of the weights; if these aren't installed, it is the number of layers in the file.
    """
    payloads, ends = file.payloads(SectionType.LAYER), container.section_ends(file)
    card = next((w.card for w in models.weights() if w.digest == file.header.model_digest), {})
    count = max(len(card.get("sizes", {}).get("levels", ())), len(payloads))
    rows = []
    for place, level in enumerate(reversed(range(count))):
        width, height = file.header.size_at(level)
        to_here = ends[min(place, len(payloads) - 1)]
        rows.append({
            "level": level, "width": width, "height": height,
            "bytes": len(payloads[place]) if place < len(payloads) else 0, "bytes_to_here": to_here,
            "part": to_here / whole,
        })  # fmt: skip
    return rows


def _model_info(header: Header) -> dict[str, Any]:
    about, network = _identity_info(header.model_number, header.model_digest)
    return about | {"has_quality": network.has_quality if network else True}


def _squares_info(header: Header, payload: bytes) -> dict[str, Any]:
    """The side in pixels of the squares that have qualities of their own, and the ends of these."""
    width, height = header.coded_size
    found = quality_map.from_bytes(payload, height, width)
    units = found.units(header.quality)
    lowest, highest = (round(Quality(int(end)).number, 2) for end in (units.min(), units.max()))
    return {"side": found.side, "lowest_quality": lowest, "highest_quality": highest}


def _enlarger_info(how: Downscaled) -> dict[str, Any] | str:
    if not how.number:
        return "bicubic interpolation"
    return _identity_info(how.number, how.digest)[0]


def _identity_info(number: int, digest: bytes) -> tuple[dict[str, Any], models.Network | None]:
    """What is known of the weights that a file names, and their network (None if this version has no such network).

    If the weights aren't installed, the name is that of their network, or None.
    """
    found, network = models.weights_by_identity(number, digest), models.network_numbered(number)
    name = found.name if found else network.name if network else None
    return {"name": name, "number": number, "digest": digest.hex(), "installed": found is not None}, network


def verify(data: bytes, *, max_pixels: int) -> dict[str, Any]:
    """Check a file to its last symbol, without making pixels; the arguments and errors are those of `api.verify`."""
    from lpcodec.codec.threads import no_helper

    opened = decoding.open_file(data, max_pixels=max_pixels)
    codec, downscaled = decoding.codec_of(opened.file.header, "cpu"), opened.file.header.downscaled
    if downscaled is not None and downscaled.number:
        downscaling.network_of(downscaled)
    if codec is None:
        decoding.pixels(opened, None)
    else:
        with no_helper():  # it would compute the means of the latents, for pixels that nobody asks for
            decoding.parse(opened, codec)
        decoding.stored_cells(opened)
    decoding.alpha(opened)
    decoding.metadata(opened)
    return info(data)
