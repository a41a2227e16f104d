"""What pictures carry beside pixels, in and out: orientation, EXIF, XMP, profiles (docs/pictures.md)."""

import importlib.util
import re
import struct
from io import BytesIO
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps, PngImagePlugin

from lpcodec.codec import picture
from lpcodec.codec.container import MAX_METADATA
from lpcodec.codec.errors import FileAccessError
from lpcodec.codec.picture import Picture, load
from lpcodec.codec.picturefiles import plugins, profiles
from tests.sample_pictures import (
    GREY_PROFILE,
    SRGB,
    XMP,
    XMP_RESET,
    exif_bytes,
    image_of,
    noise,
    reopened_exif,
    saved,
    with_chunks,
)
from tests.time_limits import takes_at_most

# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("format", "mode"),
    [("JPEG", "L"), ("JPEG", "RGB"), *product(("PNG", "WEBP", "TIFF"), ("L", "RGB", "RGBA"))],
)
def test_orientation_is_applied_and_reset(orientation: int, format: str, mode: str) -> None:
    options = {"WEBP": {"lossless": True, "exact": True}}.get(format, {})
    data = saved(image_of(mode, 7, 4), format, exif=exif_bytes(orientation), **options)
    with Image.open(BytesIO(data)) as opened:
        upright = ImageOps.exif_transpose(opened)
    loaded = load(data, max_pixels=None)
    again = picture.to_image(loaded)
    assert again.size == upright.size == ((4, 7) if orientation > 4 else (7, 4))
    assert again.convert("RGBA").tobytes() == upright.convert("RGBA").tobytes()
    kept = reopened_exif(loaded.exif)
    assert kept.get(274, 1) == 1
    assert kept[271] == "Maker"
    assert kept.get_ifd(0x8769)[0x829A] == 0.5
    assert kept.get_ifd(0x8825)[3] == "E"


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(("kind", "width"), [(1, 1), (3, 2), (4, 4)])
def test_only_the_orientations_own_bytes_change(order: str, kind: int, width: int) -> None:
    """Whatever else the EXIF holds (here a maker's block that nobody can parse) stays as it was."""

    def number(value: int, length: int) -> bytes:
        return value.to_bytes(length, "little" if order == "little" else "big")

    head = (b"II" if order == "little" else b"MM") + number(42, 2) + number(8, 4) + number(2, 2)
    first = number(271, 2) + number(2, 2) + number(4, 4) + b"abc\0"
    entry = number(274, 2) + number(kind, 2) + number(1, 4)
    rest = bytes(4 - width) + number(0, 4) + b"\x00\xffmaker's own"
    image = Image.new("L", (2, 3))
    image.info["exif"] = b"Exif\0\0" + head + first + entry + number(8, width) + rest
    loaded = load(image, max_pixels=None)
    assert loaded.pixels.shape == (2, 3, 1)
    assert loaded.exif == head + first + entry + number(1, width) + rest


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_orientations_without_a_meaning_turn_nothing(orientation: int) -> None:
    image = image_of("RGB", 5, 3)
    loaded = load(saved(image, "PNG", exif=exif_bytes(orientation)), max_pixels=None)
    assert picture.to_image(loaded).tobytes() == image.tobytes()


def test_orientation_told_by_xmp_alone_is_applied_and_reset() -> None:
    image = image_of("RGB", 5, 3)
    for block in (XMP, XMP.replace(b'Orientation="6"', b"z=''/><tiff:Orientation>6</tiff:Orientation><r")):
        image.info = {"xmp": block}
        loaded = load(image, max_pixels=None)
        assert picture.to_image(loaded).tobytes() == ImageOps.exif_transpose(image).tobytes()
        assert loaded.xmp is not None
        assert re.findall(rb"Orientation\W+([0-9])", loaded.xmp) == [b"1"]
        assert loaded.exif is None


@pytest.mark.parametrize(("key", "block"), [("xmp", XMP.decode()), ("XML:com.adobe.xmp", XMP), ("xmp", "<x/>")])
def test_xmp_of_either_type_is_kept_and_is_no_exif(key: str, block: str | bytes) -> None:
    image = Image.new("RGB", (4, 3))
    image.info = {"dpi": (300, 300), key: block}
    loaded = load(image, max_pixels=None)
    assert loaded.notes == ()
    assert loaded.xmp == (XMP_RESET if block != "<x/>" else b"<x/>")
    assert image.info == {"dpi": (300, 300), key: block}


def test_exif_comes_before_xmp() -> None:
    image = image_of("RGB", 5, 3)
    image.info = {"xmp": XMP, "exif": exif_bytes(3)}
    loaded = load(image, max_pixels=None)
    assert picture.to_image(loaded).tobytes() == image.transpose(Image.Transpose.ROTATE_180).tobytes()
    assert loaded.xmp == XMP_RESET


# Metadata


def metadata_picture(mode: str = "RGB") -> Picture:
    planes = noise(6, 5, 3 if mode.startswith("RGB") else 1)
    alpha = noise(6, 5, 1)[..., 0] if mode.endswith("A") else None
    icc = SRGB if mode.startswith("RGB") else GREY_PROFILE
    return Picture(planes, alpha, icc, exif_bytes(1).removeprefix(b"Exif\0\0"), XMP_RESET)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_metadata_survives_saving_and_loading(format: str, mode: str, tmp_path: Path) -> None:
    original = metadata_picture(mode)
    target = tmp_path / "picture"
    picture.save(picture.to_image(original), target, format)
    loaded = load(target, max_pixels=None)
    assert loaded.icc == (profiles.for_rgb(GREY_PROFILE) if (format, mode) == ("WEBP", "L") else original.icc)
    assert loaded.xmp == original.xmp
    kept = reopened_exif(loaded.exif)
    assert kept[271] == "Maker"
    assert kept.get_ifd(0x8769)[0x9286] == b"ASCII\0\0\0a comment"
    assert kept.get_ifd(0x8825)[1] == "N"
    if format in {"PNG", "JPEG", "WEBP"}:
        assert loaded.exif == original.exif
    assert loaded.notes == ()


@pytest.mark.parametrize("kind", ["icc", "exif", "xmp"])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_each_kind_of_metadata_survives_alone(kind: str, format: str) -> None:
    whole = metadata_picture()
    part = Picture(whole.pixels, **{kind: getattr(whole, kind)})
    target = BytesIO()
    picture.save(picture.to_image(part), target, format)
    loaded = load(target.getvalue(), max_pixels=None)
    present = {name for name in ("icc", "exif", "xmp") if getattr(loaded, name)}
    assert present == {kind}


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_lossless_formats_keep_every_pixel(format: str, mode: str) -> None:
    image = image_of(mode, 33, 21)
    target = BytesIO()
    picture.save(image, target, format)
    with Image.open(target) as again:
        assert again.convert(mode).tobytes() == image.tobytes()


def test_xmp_in_an_encoding_of_its_own_survives_in_png() -> None:
    block = "<x:xmpmeta/>".encode("utf-16")
    image = Image.new("L", (3, 3))
    image.info["xmp"] = block
    target = BytesIO()
    picture.save(image, target, "PNG")
    assert load(target.getvalue(), max_pixels=None).xmp == block


def test_metadata_comes_in_every_form_that_pillow_has() -> None:
    image = Image.new("L", (3, 3))
    image.info = {"XML:com.adobe.xmp": XMP_RESET.decode(), "exif": exif_bytes(1), "icc_profile": GREY_PROFILE}
    loaded = load(image, max_pixels=None)
    assert loaded.xmp == XMP_RESET
    assert loaded.icc == GREY_PROFILE
    assert loaded.exif == exif_bytes(1).removeprefix(b"Exif\0\0")
    image.info = {"xmp": "", "exif": b"", "icc_profile": None}
    loaded = load(image, max_pixels=None)
    assert (loaded.icc, loaded.exif, loaded.xmp, loaded.notes) == (None, None, None, ())


def test_exif_that_is_set_by_hand_or_as_text_is_found() -> None:
    by_hand = image_of("RGB", 4, 2)
    by_hand.getexif()[274] = 6
    by_hand.getexif()[271] = "Maker"
    loaded = load(by_hand, max_pixels=None)
    assert loaded.pixels.shape == (4, 2, 3)
    assert dict(reopened_exif(loaded.exif)) == {271: "Maker"}
    text = PngImagePlugin.PngInfo()
    block = exif_bytes(6)
    text.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n", zip=True)
    loaded = load(saved(image_of("RGB", 4, 2), "PNG", pnginfo=text), max_pixels=None)
    assert loaded.pixels.shape == (4, 2, 3)
    assert reopened_exif(loaded.exif).get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("raw", [b"Exif\0\0garbage", b"II+\0\x08\0\0\0", b"x"])
def test_unreadable_exif_is_left_out_with_a_note(raw: bytes) -> None:
    image = Image.new("L", (2, 2))
    image.info["exif"] = raw
    loaded = load(image, max_pixels=None)
    assert loaded.exif is None
    assert loaded.notes == ("the EXIF is unreadable and was left out",)


@given(st.binary(max_size=80))
@settings(deadline=None)
def test_hostile_exif_never_stops_a_picture(tail: bytes) -> None:
    image = Image.new("L", (2, 2))
    for head in (b"II*\0", b"MM\0*", b"II*\0\x08\0\0\0\x03\0\x12\x01", b"II*\0\x08\0\0\0\xff\xff\x12\x01"):
        image.info = {"exif": head + tail, "dpi": (300, 300), "xmp": XMP}
        assert load(image, max_pixels=None).pixels.shape == (2, 2, 1)


def test_a_tiffs_layout_is_not_taken_for_exif() -> None:
    assert load(saved(Image.new("RGB", (9, 9)), "TIFF"), max_pixels=None).exif is None


def test_metadata_over_the_bound_is_left_out_with_a_note() -> None:
    image = Image.new("L", (2, 2))
    image.info = {"icc_profile": bytes(MAX_METADATA + 1), "xmp": bytes(MAX_METADATA)}
    loaded = load(image, max_pixels=None)
    assert loaded.icc is None
    assert loaded.xmp is not None
    assert loaded.notes == (
        f"the ICC profile of {MAX_METADATA + 1} bytes was left out: at most {MAX_METADATA} can be kept",
    )


# Notes on what is lost


def test_the_resolution_comes_back_from_every_format(tmp_path: Path) -> None:
    for format in ("PNG", "JPEG", "TIFF", "BMP"):
        data = saved(image_of("RGB", 6, 4), format, dpi=(300, 150))
        loaded = load(data, max_pixels=None)
        assert loaded.notes == ()
        kept = reopened_exif(loaded.exif)
        assert (round(kept[282]), round(kept[283]), kept[296]) == (300, 150, 2)
        for out in ("PNG", "JPEG", "TIFF"):
            picture.save(picture.to_image(loaded), tmp_path / "out", out)
            with Image.open(tmp_path / "out") as image:
                assert tuple(round(value) for value in image.info["dpi"]) == (300, 150)


def test_the_resolution_joins_the_exif_that_is_there() -> None:
    for order in (b"II", b"MM"):
        exif = Image.Exif()
        exif.endian = "<" if order == b"II" else ">"
        exif[271], exif[0x8769] = "Maker", {0x829A: 0.5, 0x9286: b"ASCII\0\0\0a comment"}
        block = exif.tobytes()
        assert block[6:8] == order
        loaded = load(saved(image_of("RGB", 6, 4), "PNG", exif=block, dpi=(300, 300)), max_pixels=None)
        kept = reopened_exif(loaded.exif)
        assert (kept[271], round(kept[282]), kept.get_ifd(0x8769)[0x829A]) == ("Maker", 300, 0.5)
        assert kept.get_ifd(0x8769)[0x9286] == b"ASCII\0\0\0a comment"
        assert tags_in_order(loaded.exif) == [271, 282, 283, 296, 34665]


def tags_in_order(block: bytes | None) -> list[int]:
    """The tags of the first directory, which the standard wants in ascending order."""
    assert block is not None
    order = "<" if block[:2] == b"II" else ">"
    first = struct.unpack(f"{order}I", block[4:8])[0]
    count = struct.unpack(f"{order}H", block[first : first + 2])[0]
    return [struct.unpack(f"{order}H", block[first + 2 + 12 * i :][:2])[0] for i in range(count)]


def test_a_resolution_of_its_own_stays_and_a_usual_one_costs_nothing() -> None:
    exif = Image.Exif()
    exif[282], exif[283], exif[296] = 200, 200, 2
    loaded = load(saved(image_of("RGB", 6, 4), "PNG", exif=exif, dpi=(300, 300)), max_pixels=None)
    assert loaded.exif == exif.tobytes().removeprefix(b"Exif\0\0")
    for dpi in ((72, 72), None):
        options = {} if dpi is None else {"dpi": dpi}
        for format in ("PNG", "JPEG"):
            assert load(saved(image_of("RGB", 6, 4), format, **options), max_pixels=None).exif is None


def test_pixels_that_are_not_square_are_kept() -> None:
    data = with_chunks(saved(image_of("RGB", 6, 4), "PNG"), b"pHYs" + struct.pack(">IIB", 2, 1, 0))
    kept = reopened_exif(load(data, max_pixels=None).exif)
    assert (kept[282], kept[283], kept[296]) == (2, 1, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_thumbnail_and_dimensions_follow_the_turning(orientation: int, order: str) -> None:
    exif = Image.Exif()
    exif.endian = order
    exif[256], exif[257], exif[274], exif[282], exif[283] = 60, 40, orientation, 300, 150
    exif[0x8769] = {0xA002: 60, 0xA003: 70_000}
    thumbnail = saved(image_of("RGB", 6, 4), "JPEG")
    block = with_thumbnail(exif.tobytes().removeprefix(b"Exif\0\0"), thumbnail, order)
    image = image_of("RGB", 6, 4)
    image.info["exif"] = block
    found = load(image, max_pixels=None).exif
    assert found is not None
    assert len(found) == len(block)
    assert (thumbnail in found) == (orientation == 1)
    kept = reopened_exif(found)
    assert bool(kept.get_ifd(ExifTags.IFD.IFD1)) == (orientation == 1)
    inner = kept.get_ifd(0x8769)
    turned = orientation > 4
    assert (inner[0xA002], inner[0xA003]) == ((70_000, 60) if turned else (60, 70_000))
    assert (kept[256], kept[257], kept[282], kept[283]) == ((40, 60, 150, 300) if turned else (60, 40, 300, 150))


def with_thumbnail(block: bytes, thumbnail: bytes, order: str) -> bytes:
    """EXIF with a second directory that has a thumbnail."""
    first = struct.unpack(f"{order}I", block[4:8])[0]
    link = first + 2 + 12 * struct.unpack(f"{order}H", block[first : first + 2])[0]
    block += bytes(len(block) % 2)
    second = len(block)
    directory = struct.pack(f"{order}H", 2)
    directory += struct.pack(f"{order}HHII", 513, 4, 1, second + 2 + 24 + 4)
    directory += struct.pack(f"{order}HHII", 514, 4, 1, len(thumbnail)) + bytes(4)
    return block[:link] + struct.pack(f"{order}I", second) + block[link + 4 :] + directory + thumbnail


def test_xmp_dimensions_follow_the_turning() -> None:
    image = image_of("RGB", 5, 3)
    image.info = {"xmp": b'<r tiff:Orientation="6" tiff:ImageWidth="5" tiff:ImageLength="3" exif:PixelXDimension="5"/>'}
    found = load(image, max_pixels=None).xmp
    assert found == b'<r tiff:Orientation="1" tiff:ImageLength="5" tiff:ImageWidth="3" exif:PixelYDimension="5"/>'


GAIN_MAP_XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description rdf:about=""
 xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/' xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Container="http://ns.google.com/photos/1.0/container/" hdrgm:Version='1.0' hdrgm:GainMapMax="2.5"
 dc:format="jpg">
<hdrgm:Gamma><rdf:Seq><rdf:li>1</rdf:li></rdf:Seq></hdrgm:Gamma><hdrgm:HDRCapacityMin/>
<Container:Directory><rdf:Seq><rdf:li Item:Semantic="GainMap"/></rdf:Seq></Container:Directory>
<dc:title>kept</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"""


def test_an_announced_gain_map_goes_with_the_gain_map() -> None:
    image = image_of("RGB", 5, 3)
    image.info = {"xmp": GAIN_MAP_XMP}
    loaded = load(image, max_pixels=None)
    assert loaded.notes == ("the file holds a gain map for HDR screens, which was left out",)
    assert loaded.xmp is not None
    for gone in (b"hdrgm", b"GainMap", b"Container"):
        assert gone not in loaded.xmp
    assert ElementTree.fromstring(loaded.xmp.replace(b"<rdf:RDF>", b'<rdf:RDF xmlns:rdf="rdf">')) is not None
    assert b'dc:format="jpg"' in loaded.xmp
    assert b"<dc:title>kept</dc:title>" in loaded.xmp
    image.info = {"xmp": b'<r GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion=\'1\' dc:format="jpg"/>'}
    loaded = load(image, max_pixels=None)
    assert loaded.notes == ("the file holds a film (motion photo), which was left out",)
    assert loaded.xmp == b'<r dc:format="jpg"/>'


@pytest.mark.parametrize(
    "unit", [b"<hdrgm:A>", b"<hdrgm:A ", b' hdrgm:A="', b" hdrgm:A='x\"", b"<Container:Directory>", b" ", b"hdrgm:A"]
)
def test_a_hostile_packet_takes_no_time(unit: bytes) -> None:
    image = image_of("RGB", 5, 3)
    image.info = {"xmp": b"<r hdrgm:Version='1'/>" + unit * (2**21 // len(unit))}
    with takes_at_most(10):  # it takes a few tenths; in time of the square of its length it would be minutes
        load(image, max_pixels=None)


def test_a_hostile_profile_takes_no_time() -> None:
    grey = image_of("L", 5, 3)
    tag = b"rTRC" + struct.pack(">II", 0, 2**22)
    grey.info["icc_profile"] = SRGB[:16] + b"RGB " + SRGB[20:128] + struct.pack(">I", 2**32 - 1) + tag * (2**20 // 3)
    with takes_at_most(10):
        assert load(grey, max_pixels=None).icc is None


def test_an_ultra_hdr_jpeg_says_that_its_gain_map_is_lost() -> None:
    """Two JPEG pictures behind one another, the second in the first's list (MPF), as Adobe and Google write them."""
    first, second = saved(image_of("RGB", 32, 16), "JPEG"), saved(image_of("L", 16, 8), "JPEG")
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + GAIN_MAP_XMP
    segment = b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp
    data = first[:2] + segment + first[2:] + second
    assert "the file holds a gain map for HDR screens, which was left out" in load(data, max_pixels=None).notes


def test_text_comments_and_captions_are_named() -> None:
    text = PngImagePlugin.PngInfo()
    for name in ("Title", "Author", "Copyright", "Software"):
        text.add_text(name, "x")
    image = image_of("RGB", 6, 4)
    notes = load(saved(image, "PNG", pnginfo=text), max_pixels=None).notes
    assert notes == ("the text in the file was left out: Title, Author, Copyright and 1 more",)
    assert load(saved(image, "JPEG", comment="by\nhand"), max_pixels=None).notes == (
        "the comment was left out: by hand",
    )
    gif = load(saved(image_of("L", 6, 4), "GIF", comment=b"c" * 99), max_pixels=None)
    assert gif.notes == (f"the comment was left out: {'c' * 59}…",)
    caption = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x08\x1c\x02\x78\0\x03abc"
    jpeg = saved(image, "JPEG")
    jpeg = jpeg[:2] + b"\xff\xed" + struct.pack(">H", len(caption) + 2) + caption + jpeg[2:]
    assert load(jpeg, max_pixels=None).notes == ("the IPTC metadata was left out",)


# Formats of other packages


@pytest.mark.parametrize(
    ("data", "package"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "pillow-heif"),
        (b"\xff\x0a" + bytes(40), "pillow-jxl-plugin"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "pillow-jxl-plugin"),
    ],
)
def test_the_package_that_reads_a_format_is_named(data: bytes, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec(package.removesuffix("-plugin").replace("-", "_")):
        pytest.skip("the package is installed and says itself what is wrong with the file")
    monkeypatch.setattr(plugins, "_registered", lambda plugin: False)
    with pytest.raises(FileAccessError, match=f"pip install {package} to read it"):
        load(data, max_pixels=None)
    monkeypatch.setattr(plugins, "_registered", lambda plugin: True)
    with pytest.raises(FileAccessError, match="not a picture in a format that Pillow reads"):
        load(data, max_pixels=None)


def test_heic_opens_with_its_package() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    image = Image.fromarray(noise(16, 24, 3))
    stream = BytesIO()
    pillow_heif.from_pillow(image).save(stream, quality=-1, chroma=444)
    loaded = load(stream.getvalue(), max_pixels=None)
    assert loaded.pixels.shape == (16, 24, 3)
    assert loaded.notes == ()


def test_what_heic_says_of_its_colours_is_kept_or_noted() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    found = {}
    for transfer in (13, 16):
        stream = BytesIO()
        options = {"color_primaries": 12, "transfer_characteristics": transfer, "full_range_flag": 1}
        pillow_heif.from_pillow(Image.fromarray(noise(16, 24, 3))).save(stream, quality=90, **options)
        found[transfer] = load(stream.getvalue(), max_pixels=None)
    assert found[13].icc is not None
    assert found[13].notes == ()
    assert (found[16].icc, len(found[16].notes)) == (None, 1)
    assert "HDR (PQ)" in found[16].notes[0]


def test_jpeg_xl_opens_with_its_package() -> None:
    pytest.importorskip("pillow_jxl")
    image = Image.fromarray(noise(16, 24, 3))
    loaded = load(saved(image, "JXL", lossless=True), max_pixels=None)
    assert np.array_equal(loaded.pixels, np.asarray(image))


@pytest.mark.parametrize("restored", [False, True])
def test_the_orientation_in_the_exif_of_jpeg_xl_counts_only_if_a_jpeg_is_restored(
    restored: bool, tmp_path: Path
) -> None:
    """Otherwise the decoder has turned the picture as the codestream says: it would be turned twice."""
    pytest.importorskip("pillow_jxl")
    image, exif = Image.fromarray(noise(16, 24, 3)), Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as jpeg:
        jpeg.save(tmp_path / "a.jxl", lossless_jpeg=restored, lossless=True, exif=jpeg.info["exif"])
    loaded = load(tmp_path / "a.jxl", max_pixels=None)
    assert loaded.pixels.shape == ((24, 16, 3) if restored else (16, 24, 3))
    assert reopened_exif(loaded.exif)[274] == 1


def test_an_lpc_file_is_no_picture_to_encode() -> None:
    with pytest.raises(FileAccessError, match=r"an \.lpc file, which is coded already"):
        load(b"\xb1LP\x01" + bytes(40), max_pixels=None)


@pytest.mark.parametrize("start", [b"%!PS-Adobe-3.0 EPSF-3.0", b"\xc5\xd0\xd3\xc6"])
def test_postscript_is_not_run(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would hand it to Ghostscript."""
    eps = start + b"\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(FileAccessError, match="PostScript, which is a program and isn't run; convert it to PNG first"):
        load(eps, max_pixels=None)
