"""Regions: the crop of the whole, from the bytes that it needs, and damage is noticed in what was read."""

import contextlib
import io
import re
import threading
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import lpcodec
from lpcodec.codec import container, downscaling
from lpcodec.codec.container import LpcFile, Section, SectionType
from lpcodec.codec.errors import DamagedFileError, FileAccessError, LimitError, UsageError
from lpcodec.codec.families.hyperprior import payload

GOLDEN = Path(__file__).parents[1] / "golden"
WIDTH, HEIGHT = 2300, 1200
"""Six groups: three in a row, of which the last is narrow, and two rows, of which the second is low."""


class Counting(io.BytesIO):
    """A file that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.fixture(scope="module")
def large(portrait: Image.Image) -> Image.Image:
    """A photograph of 2300 x 1200 pixels."""
    return portrait.crop((0, 100, 512, 367)).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


@pytest.fixture(scope="module")
def coded(large: Image.Image) -> bytes:
    return lpcodec.encode(large, model="fast", quality=40, downscale=1)


@pytest.fixture(scope="module")
def whole(coded: bytes) -> np.ndarray:
    return np.asarray(lpcodec.decode(coded))


def _check(coded: bytes, whole: np.ndarray, region: tuple[int, int, int, int]) -> None:
    left, top, width, height = region
    found = np.asarray(lpcodec.decode(coded, region=region)).astype(int)
    wanted = whole[top : top + height, left : left + width].astype(int)
    assert found.shape == wanted.shape
    difference = np.abs(found - wanted)
    # Float noise: tiles of another size round some values to the other side.
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 0.01


@pytest.mark.parametrize(
    "region",
    [
        (0, 0, 16, 16), (1000, 1000, 48, 48), (1023, 1023, 2, 2), (2299, 1199, 1, 1), (0, 0, WIDTH, HEIGHT),
        (2040, 5, 260, 700), (7, 1100, 1500, 100), (1024, 1024, 1024, 176),
    ],
)  # fmt: skip
def test_it_is_the_crop_of_the_whole(coded: bytes, whole: np.ndarray, region: tuple[int, int, int, int]) -> None:
    _check(coded, whole, region)


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_it_is_the_crop_of_the_whole_wherever_it_is(coded: bytes, whole: np.ndarray, data: st.DataObject) -> None:
    left, top = data.draw(st.integers(0, WIDTH - 1)), data.draw(st.integers(0, HEIGHT - 1))
    width, height = (data.draw(st.integers(1, min(300, side))) for side in (WIDTH - left, HEIGHT - top))
    _check(coded, whole, (left, top, width, height))


def test_only_the_bytes_that_it_needs_are_read(coded: bytes) -> None:
    stream = Counting(coded)
    lpcodec.decode(stream, region=(100, 100, 200, 200))
    first = payload.directory(lambda start, length: _latents(coded)[start : start + length], len(_latents(coded)), 6)
    assert first.starts[1] - first.starts[0] < stream.count < first.starts[1] - first.starts[0] + 300
    assert stream.count < len(coded) // 2


def _latents(data: bytes) -> bytes:
    found = container.read(data).payload(SectionType.LATENTS)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["grey", "alpha", "grey as RGB", "lossless", "layers"])
def test_every_kind_of_picture(large: Image.Image, kind: str) -> None:
    image, options = large.crop((200, 100, 520, 340)), {"quality": 30}
    if kind == "alpha":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    elif kind.startswith("grey"):
        image = image.convert("L").convert("L" if kind == "grey" else "RGB")
    elif kind == "lossless":
        options = {"lossless": True}
    elif kind == "layers":
        options |= {"model": "lpcae"}
    image.info["icc_profile"] = Image.open(io.BytesIO(_with_profile())).info["icc_profile"]
    data = lpcodec.encode(image, **options)
    whole, part = lpcodec.decode(data), lpcodec.decode(data, region=(33, 21, 150, 99))
    wanted = np.asarray(whole.crop((33, 21, 183, 120))).astype(int)
    assert part.mode == whole.mode
    assert np.abs(np.asarray(part).astype(int) - wanted).max() <= 1
    assert part.info["icc_profile"] == whole.info["icc_profile"]


@pytest.mark.parametrize("enlarger", ["network", "bicubic"])
@pytest.mark.parametrize("downscale", [2, 4])
def test_it_is_the_crop_of_a_picture_that_was_coded_at_a_smaller_size(
    large: Image.Image, downscale: int, enlarger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if enlarger == "bicubic":
        monkeypatch.setattr(downscaling.models, "installed", lambda name, tune: None)
    image = large.crop((0, 0, 2251, 403))
    data = lpcodec.encode(image, model="fast", quality=20, downscale=downscale)
    whole = np.asarray(lpcodec.decode(data))
    for region in ((0, 0, 2251, 403), (2030, 11, 221, 392), (700, 101, 1, 1), (2249, 400, 2, 3), (513, 0, 300, 77)):
        _check(data, whole, region)


def test_of_a_smaller_picture_only_the_bytes_that_a_region_needs_are_read(large: Image.Image) -> None:
    data = lpcodec.encode(large.resize((4400, 900)), model="fast", quality=30, downscale=2)
    stream = Counting(data)
    assert lpcodec.decode(stream, region=(3900, 100, 60, 60), max_pixels=3600).size == (60, 60)
    assert stream.count < 0.6 * len(data)  # the second of three groups, and the third, which is small


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_stored_cells_are_shown_in_a_region_too(large: Image.Image, mode: str) -> None:
    image = large.crop((0, 0, 1200, 400)).convert(mode)
    noise = np.random.default_rng(0).integers(0, 2, (160, 320), dtype=np.uint8) * 255  # cheaper stored than coded
    image.paste(Image.fromarray(noise).convert(mode), (900, 96))
    data = lpcodec.encode(image, quality=50)
    assert container.read(data).payload(SectionType.CELLS) is not None
    whole = np.asarray(lpcodec.decode(data))
    assert np.array_equal(whole[100:240, 910:1200], np.asarray(image)[100:240, 910:1200])
    for left, top, width, height in ((850, 50, 300, 120), (1000, 100, 20, 20), (0, 300, 50, 50)):
        part = np.asarray(lpcodec.decode(data, region=(left, top, width, height)))
        wanted = whole[top : top + height, left : left + width]
        assert np.abs(part.astype(int) - wanted).max() <= 1
    with pytest.raises(LimitError, match="480,000 pixels"):
        lpcodec.decode(data, region=(0, 0, 10, 10), max_pixels=1000)


def _with_profile() -> bytes:
    from PIL import ImageCms

    stream = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (1, 1)).save(stream, "PNG", icc_profile=profile)
    return stream.getvalue()


def test_paths_urls_and_open_files(coded: bytes, whole: np.ndarray, tmp_path: Path) -> None:
    path, region = tmp_path / "large.lpc", (1500, 300, 64, 64)
    path.write_bytes(coded)
    fsspec.filesystem("memory").pipe_file("/regions/large.lpc", coded)
    wanted = np.asarray(lpcodec.decode(coded, region=region))
    for source in (path, str(path), "memory://regions/large.lpc", path.as_uri()):
        assert np.array_equal(np.asarray(lpcodec.decode(source, region=region)), wanted)
    with open(path, "rb") as stream:
        assert np.array_equal(np.asarray(lpcodec.decode(stream, region=region)), wanted)
        stream.seek(0)
        assert stream.read() == coded
    with io.BytesIO(b"before" + coded) as stream:
        stream.seek(6)
        assert np.array_equal(np.asarray(lpcodec.decode(stream, region=region)), wanted)
    with pytest.raises(FileAccessError, match=r"^memory://regions/gone\.lpc: not found$"):
        lpcodec.decode("memory://regions/gone.lpc", region=region)
    with pytest.raises(FileAccessError, match="No such file"):
        lpcodec.decode(tmp_path / "gone.lpc", region=region)


def test_over_http_only_ranges_are_asked_for(coded: bytes) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp isn't installed: pip install 'lpcodec[dev]'")
    sent = 0

    class Ranges(BaseHTTPRequestHandler):
        """Serves one file, in ranges, as any web server does."""

        def do_HEAD(self) -> None:
            self._answer(200, b"", {"Content-Length": str(len(coded))})

        def do_GET(self) -> None:
            nonlocal sent
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            assert wanted, "the whole file was asked for"
            first, last = int(wanted[1]), min(int(wanted[2]), len(coded) - 1)
            sent += last + 1 - first
            about = {"Content-Range": f"bytes {first}-{last}/{len(coded)}", "Content-Length": str(last + 1 - first)}
            self._answer(206, coded[first : last + 1], about)

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Accept-Ranges": "bytes", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Ranges) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url, region = f"http://127.0.0.1:{server.server_address[1]}/large.lpc", (100, 100, 50, 50)
        found = lpcodec.decode(url, region=region)
        server.shutdown()
    assert np.array_equal(np.asarray(found), np.asarray(lpcodec.decode(coded, region=region)))
    assert 0 < sent < len(coded)


@pytest.mark.parametrize(
    ("place", "why"),
    [("large.lpc", "doesn't send parts of files; download the file"), ("gone.lpc", r"gone\.lpc: not found$")],
)
def test_what_a_plain_web_server_can_not_give_is_named(coded: bytes, place: str, why: str) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp isn't installed: pip install 'lpcodec[dev]'")

    class Whole(BaseHTTPRequestHandler):
        """Serves one file, always as a whole, as `python -m http.server` does."""

        def do_HEAD(self) -> None:
            self.send_response(200 if self.path == "/large.lpc" else 404)
            self.send_header("Content-Length", str(len(coded) if self.path == "/large.lpc" else 0))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            if self.path == "/large.lpc":
                with contextlib.suppress(OSError):  # the reader goes away when it sees that it gets everything
                    self.wfile.write(coded)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Whole) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(FileAccessError, match=why):
            lpcodec.decode(f"http://127.0.0.1:{server.server_address[1]}/{place}", region=(900, 900, 50, 50))
        server.shutdown()


class TestDamage:
    def test_a_flipped_bit_in_what_is_read_is_noticed(self, coded: bytes) -> None:
        start = coded.index(_latents(coded))
        found = payload.directory(lambda at, length: coded[start + at : start + at + length], len(_latents(coded)), 6)
        for place in (*range(found.starts[0], found.starts[1], 997), found.starts[1] - 1):
            data = bytearray(coded)
            data[start + place] ^= 4
            with pytest.raises(DamagedFileError):
                lpcodec.decode(bytes(data), region=(100, 100, 50, 50))

    def test_damage_of_a_group_that_is_not_needed_shows_nothing(self, coded: bytes, whole: np.ndarray) -> None:
        data = bytearray(coded)
        data[len(data) - 50] ^= 4
        _check(bytes(data), whole, (100, 100, 50, 50))
        with pytest.raises(DamagedFileError):
            lpcodec.decode(bytes(data))

    @pytest.mark.parametrize("length", [0, 3, 20, 40, 1000, -1])
    def test_a_cut_file_is_refused(self, coded: bytes, length: int) -> None:
        with pytest.raises(DamagedFileError):
            lpcodec.decode(coded[:length], region=(0, 0, 10, 10))
        with pytest.raises(DamagedFileError):
            lpcodec.decode(coded + b"x", region=(0, 0, 10, 10))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda sections: [*sections, sections[-1]], "occurs twice"),
            (lambda sections: sections[::-1], "comes after section"),
            (lambda sections: [sections[0], Section(SectionType.QUALITIES, b"")], "is empty"),
            (lambda sections: [*sections, Section(SectionType.STORED, b"x")], "comes after section|with a STORED"),
            (lambda sections: sections[1:], "without a LATENTS"),
        ],
    )
    def test_what_the_format_forbids_is_refused(
        self, change: Callable[[list[Section]], list[Section]], message: str
    ) -> None:
        file = container.read((GOLDEN / "face-default@visual.lpc").read_bytes())
        assert [section.type for section in file.sections] == [SectionType.LATENTS, SectionType.QUALITIES]
        forged = LpcFile(file.header, tuple(change(list(file.sections))))
        data = bytearray(container._header_bytes(forged))
        for section in forged.sections:
            data += container._section_head_bytes(section, data) + section.payload
        data += container._file_digest(data)
        for region in (None, (0, 0, 10, 10)):
            with pytest.raises(DamagedFileError, match=message):
                lpcodec.decode(bytes(data), region=region)


class TestLimits:
    def test_regions_outside_and_empty_ones_are_refused(self, coded: bytes) -> None:
        for region in ((0, 0, WIDTH + 1, 1), (-1, 0, 5, 5), (0, HEIGHT, 1, 1)):
            with pytest.raises(UsageError, match="isn't within the picture of 2300 x 1200"):
                lpcodec.decode(coded, region=region)
        with pytest.raises(UsageError, match="has no pixels"):
            lpcodec.decode(coded, region=(0, 0, 0, 5))

    def test_other_sizes_do_not_go_with_it(self, coded: bytes) -> None:
        for options in ({"level": 1}, {"scale": 2}, {"allow_partial": True}):
            with pytest.raises(UsageError, match=f"leave out {next(iter(options))}, or the region$"):
                lpcodec.decode(coded, region=(0, 0, 5, 5), **options)
        with pytest.raises(UsageError, match=r"leave out level and allow_partial, or the region$"):
            lpcodec.decode(coded, region=(0, 0, 5, 5), level=2, allow_partial=True)

    def test_max_pixels_counts_the_region_and_the_whole_if_that_is_decoded(
        self, coded: bytes, thumbnail: Image.Image
    ) -> None:
        assert lpcodec.decode(coded, region=(0, 0, 10, 10), max_pixels=100).size == (10, 10)
        with pytest.raises(LimitError, match="121 pixels have to be decoded"):
            lpcodec.decode(coded, region=(0, 0, 11, 11), max_pixels=100)
        stored = lpcodec.encode(thumbnail, lossless=True)
        with pytest.raises(LimitError, match="2,288 pixels have to be decoded"):
            lpcodec.decode(stored, region=(0, 0, 10, 10), max_pixels=100)

    def test_max_memory_counts_the_surroundings_only(self, coded: bytes) -> None:
        lpcodec.decode(coded, region=(0, 0, 10, 10), max_memory=600 << 20)
        with pytest.raises(LimitError, match="memory"):
            lpcodec.decode(coded, region=(0, 0, 10, 10), max_memory=500 << 20)


class TestPayload:
    @given(st.lists(st.binary(max_size=40), min_size=1, max_size=20), st.data())
    def test_streams_come_back_all_or_some(self, streams: list[bytes], data: st.DataObject) -> None:
        joined = payload.join(streams)

        def read(start: int, length: int) -> bytes:
            return joined[start : start + length]

        assert payload.split(joined, len(streams)) == streams
        numbers = data.draw(st.sets(st.integers(0, len(streams) - 1)))
        found = payload.directory(read, len(joined), len(streams)).streams(read, numbers)
        assert found == {number: streams[number] for number in numbers}

    def test_every_flipped_bit_and_every_cut_is_noticed(self) -> None:
        joined = payload.join([bytes(range(n, n + 60)) for n in (0, 50, 7)])
        for place in range(len(joined)):
            for bit in range(8):
                changed = bytearray(joined)
                changed[place] ^= 1 << bit
                with pytest.raises(DamagedFileError):
                    payload.split(bytes(changed), 3)
            with pytest.raises(DamagedFileError):
                payload.split(joined[:place], 3)

    def test_one_group_has_neither_length_nor_check(self) -> None:
        assert payload.join([b"abc"]) == b"abc"
        assert payload.split(b"abc", 1) == [b"abc"]

    def test_the_format_is_what_the_docstring_says(self) -> None:
        streams = [b"a" * 200, b"", b"xyz"]
        checks = [(zlib.crc32(stream, number) & 0xFFFF).to_bytes(2, "little") for number, stream in enumerate(streams)]
        assert payload.join(streams) == b"\xc8\x01\x00" + b"".join(checks) + b"".join(streams)
