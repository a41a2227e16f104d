"""What a file says about itself, and whether it is whole.

bytes --info--> facts, JSON-ready           the container is checked, nothing is decoded
bytes --verify--> the same facts            every symbol is parsed and compared with the file's hash
"""

from typing import Any

from lpcodec.codec import container, decoding, models
from lpcodec.codec.container import Header, Kind, LpcFile, SectionType


def info(data: bytes) -> dict[str, Any]:
    """What an .lpc file says about itself, JSON-ready; checks the container, decodes nothing.

    Raises:
        DamagedFileError, UnknownModelError: as `decode`, an unknown model apart: `installed` says whether it is here.
    """
    file = container.read(data)
    header = file.header
    mode = header.mode(file.payload(SectionType.ALPHA) is not None)
    about: dict[str, Any] = {
        "format_version": container.VERSION, "width": header.width, "height": header.height, "mode": mode,
        "kind": header.kind.name.lower(), "bytes": len(data), "bpp": 8 * len(data) / (header.width * header.height),
        "overhead_bytes": container.overhead(file),
        "sections": [{"type": container.section_name(s.type), "bytes": len(s.payload)} for s in file.sections],
    }  # fmt: skip
    if header.kind is Kind.MODEL:
        if file.payload(SectionType.LAYER) is not None:
            about["levels"] = _levels_info(file, len(data))
        about["model"] = _model_info(header)
        if about["model"]["has_quality"]:
            about["quality"] = round(header.quality / 65535 * 100, 2)
        about["symbols_hash"] = header.symbols_hash.hex()
    return about


def _levels_info(file: LpcFile, whole: int) -> list[dict[str, Any]]:
    """One entry a level, coarsest first: its size, its layer's payload, and how much of the file it takes to decode it.

    Levels whose layer the encoder left out take what the one before them takes. How many levels there are is told by
    the card of the weights; where those aren't installed, the file's layers are taken for all.
    """
    payloads, ends = file.payloads(SectionType.LAYER), container.ends(file)
    card = next((w.card for w in models.weights() if w.digest == file.header.model_digest), {})
    count = max(len(card.get("sizes", {}).get("levels", ())), len(payloads))
    rows = []
    for place, level in enumerate(reversed(range(count))):
        width, height = decoding.level_size(file.header, level)
        to_here = ends[min(place, len(payloads) - 1)]
        rows.append({
            "level": level, "width": width, "height": height,
            "bytes": len(payloads[place]) if place < len(payloads) else 0, "bytes_to_here": to_here,
            "part": to_here / whole,
        })  # fmt: skip
    return rows


def _model_info(header: Header) -> dict[str, Any]:
    for w in models.weights():
        network = w.network
        if w.digest == header.model_digest and network.number == header.model_number:
            return {
                "name": w.name, "number": network.number, "digest": w.digest.hex(), "installed": True,
                "has_quality": network.has_quality,
            }  # fmt: skip
    network_names = {n.number: n for n in models.networks()}
    known = network_names.get(header.model_number)
    return {
        "name": known.name if known else None, "number": header.model_number, "digest": header.model_digest.hex(),
        "installed": False, "has_quality": known.has_quality if known else True,
    }  # fmt: skip


def verify(data: bytes, *, max_pixels: int) -> dict[str, Any]:
    """Check a file whole, down to its symbols, without making pixels; return `info` of it.

    Raises:
        LpcodecError: whatever `decode` would raise.
    """
    opened = decoding.open_file(data, max_pixels=max_pixels)
    codec = decoding.codec_of(opened.file.header, "cpu")
    if codec is None:
        decoding.pixels(opened, None)
    else:
        decoding.parse(opened, codec)
    decoding.alpha(opened)
    decoding.metadata(opened)
    return info(data)
