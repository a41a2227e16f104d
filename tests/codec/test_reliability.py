"""The numbered promises of docs/reliability.md that need the whole codec: exactness, damage, bounds, concurrency."""

import os
import struct
import subprocess
import sys
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lpcodec
from lpcodec.codec import bounded, container, decoding, lossless, models
from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.container import Header, Kind, LpcFile, Section, SectionType
from lpcodec.codec.errors import DamagedFileError, LimitError
from lpcodec.codec.families.family import Frame
from lpcodec.codec.families.hyperprior.payload import join
from lpcodec.codec.families.wcae.codec import WcaeCodec
from lpcodec.codec.families.wcae.network import load_network
from lpcodec.codec.quality import COARSEST, Quality
from lpcodec.codec.varint import varint
from lpcodec.entropy.coder import Encoder
from tests.modules import module_at
from tests.time_limits import takes_at_most

DAMAGED, FORGED = 10_000, 200
HUGE = 16384

# Decoding compares the symbols that were parsed with the hash of those that were encoded.
CHILD = """
import sys, torch
from pathlib import Path
import numpy as np
import lpcodec
torch.set_num_threads(int(sys.argv[2]))
for path in sorted(Path(sys.argv[1]).glob("*.lpc")):
    np.save(path.with_suffix(f".{sys.argv[3]}.npy"), np.asarray(lpcodec.decode(path.read_bytes())))
"""


@pytest.fixture(scope="session")
def files(portrait: Image.Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures, one of more than a megapixel (and so of several groups), with their pixels as decoded here."""
    folder = tmp_path_factory.mktemp("exact")
    for name, size, quality in (("large", (1060, 950), 40), ("small", (200, 140), 90)):
        data = lpcodec.encode(portrait.resize(size, Image.Resampling.BICUBIC), quality=quality)
        (folder / f"{name}.lpc").write_bytes(data)
        np.save(folder / f"{name}.here.npy", np.asarray(lpcodec.decode(data)))
    return folder


@pytest.fixture(scope="session")
def mutants() -> ModuleType:
    return module_at(Path(__file__).with_name("mutants.py"))


@pytest.fixture(scope="session")
def originals(mutants: ModuleType) -> list[bytes]:
    files: list[bytes] = mutants.originals()
    return files


def stored_file(payload: bytes, side: int = HUGE) -> bytes:
    return container.write(LpcFile(Header(side, side, Kind.STORED, False), (Section(SectionType.STORED, payload),)))


class TestG1Exactness:
    @pytest.mark.parametrize(
        ("threads", "aten", "onednn"), [(2, "default", "SSE41"), (1, "avx2", "AVX2"), (2, "avx512", "AVX512_CORE")]
    )
    def test_symbols_are_the_same_and_pixels_within_a_level(
        self, files: Path, threads: int, aten: str, onednn: str
    ) -> None:
        if aten == "avx512" and torch.backends.cpu.get_cpu_capability() != "AVX512":
            pytest.skip("this processor has no AVX-512, and torch would use it all the same")
        limits = {"ATEN_CPU_CAPABILITY": aten, "ONEDNN_MAX_CPU_ISA": onednn, "OMP_NUM_THREADS": str(threads)}
        words = [sys.executable, "-c", CHILD, str(files), str(threads), aten]
        subprocess.run(words, check=True, env=os.environ | limits, timeout=300)
        for path in files.glob("*.lpc"):
            here, there = (np.load(path.with_suffix(f".{name}.npy")).astype(np.int16) for name in ("here", aten))
            assert np.abs(here - there).max() <= 1

    def test_encoder_and_decoder_arrive_at_the_same_symbols_and_coded_indexes(self, face: Image.Image) -> None:
        codec: Any = models.load("default").trained
        coded = codec.code(codec.analyse(np.asarray(face)), 30)
        frame = Frame(face.height, face.width, Quality.of(30))
        for sent, read in zip(coded.groups, codec.parse(coded.payloads(), frame), strict=True):
            assert (sent.r == read.r).all()
            assert (sent.z == read.z).all()
            for one, other in zip(sent.runs, read.runs, strict=True):
                assert (one.indexes == other.indexes).all()


class TestG3Damage:
    def test_no_damaged_file_passes(self, mutants: ModuleType, originals: list[bytes]) -> None:
        outcomes: Counter[str] = Counter()
        for mutant in mutants.damaged(originals, DAMAGED, seed=0):
            with takes_at_most(5):
                outcomes[mutants.outcome(mutant)] += 1
        assert outcomes.keys() == {"DamagedFileError", "UnknownModelError"}
        assert outcomes["DamagedFileError"] > 0.95 * DAMAGED

    def test_no_forged_file_does_harm(self, mutants: ModuleType, originals: list[bytes]) -> None:
        outcomes: Counter[str] = Counter()
        for mutant in mutants.forged(originals, FORGED, seed=0):
            with takes_at_most(5):
                outcomes[mutants.outcome(mutant, mutants.MAX_PIXELS)] += 1
        assert outcomes.keys() == {"DamagedFileError", "UnknownModelError", "LimitError", "decoded"}

    def test_every_cut_is_noticed(self, originals: list[bytes]) -> None:
        for data in originals:
            for length in range(len(data)):
                with pytest.raises(DamagedFileError):
                    lpcodec.decode(data[:length])


class TestG4Bounds:
    """A small file that declares a large picture within the default limit fails before work is done for it."""

    @pytest.mark.parametrize("quality", [Quality.of(0), Quality.of(100)], ids=str)
    def test_a_payload_too_short_for_the_declared_size_is_refused_unparsed(
        self, quality: Quality, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model: Any = models.load("default")
        monkeypatch.setattr(model.trained.entropy, "parse", lambda *_: pytest.fail("it was parsed"))
        random = np.random.default_rng(0)
        header = Header(HUGE, HUGE, Kind.MODEL, False, model.number, model.digest, quality, b"hash")
        short = join([random.bytes(3)] * (HUGE // 1024) ** 2)  # right checksums, and groups of three bytes
        for payload in (bytes(1000), bytes(255) + random.bytes(745), b"\x04" * 255 + random.bytes(1020), short):
            with takes_at_most(1), pytest.raises(DamagedFileError, match=r"shorter|past the end|checksum"):
                lpcodec.decode(container.write(LpcFile(header, (Section(SectionType.LATENTS, payload),))))

    @pytest.mark.parametrize("pixels", [(1, 1), (16, 16), (64, 64), (256, 256), (1024, 1024)], ids=str)
    def test_no_honest_picture_is_called_too_short(self, pixels: tuple[int, int]) -> None:
        codec = models.load("default").trained
        for value in (0, 128, 255) if pixels[0] < 1024 else (128,):
            latents = codec.analyse(np.full((*pixels, 3), value, np.uint8))
            for quality in (0, 50, 100) if pixels[0] < 1024 else (0,):
                coded = codec.code(latents, quality)
                codec.parse(coded.payloads(), Frame(*pixels, Quality.of(quality)))

    def test_the_cheapest_hyper_latents_there_are_are_not_called_too_short(self) -> None:
        """Right at the bound: the most frequent symbol everywhere. What follows is refused, but not for its length."""
        codec: Any = models.load("default").trained
        for anchor, tables in enumerate(codec.entropy.z_tables.tables):
            every = np.array([f.max() for f in tables.frequencies]).reshape(-1, codec.entropy.z_tables.channels)
            cheapest = every.argmax(0) * codec.entropy.z_tables.channels + np.arange(codec.entropy.z_tables.channels)
            symbols = [int(np.argmax(tables.frequencies[n][:-1])) - int(tables.radius[n]) for n in cheapest]
            encoder = Encoder()
            encoder.put(np.repeat(np.array(symbols, np.int32), 256), np.repeat(cheapest.astype(np.uint8), 256), tables)
            quality = (2 * anchor + 1) * 65535 // (2 * len(codec.entropy.z_tables.tables))
            with pytest.raises(DamagedFileError) as caught:
                codec.parse([join([encoder.finish()])], Frame(1024, 1024, Quality(quality)))
            assert "shorter" not in str(caught.value)

    @pytest.mark.parametrize("body", [zlib.compress(bytes(900_000)), bytes(range(256)) * 3], ids=["short", "nonsense"])
    def test_a_stored_png_that_is_not_the_declared_picture_fails_at_once(self, body: bytes) -> None:
        def chunk(name: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

        head = chunk(b"IHDR", struct.pack(">IIBBBBB", HUGE, HUGE, 8, 2, 0, 0, 0))
        png = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", body) + chunk(b"IEND", b"")
        with takes_at_most(5), pytest.raises(DamagedFileError):
            lpcodec.decode(stored_file(png))

    def test_a_small_file_that_declares_268_megapixels_takes_little_memory(self, tmp_path: Path) -> None:
        """Stored as WebP, whose library allocates 18 bytes for each pixel that the file declares."""
        resource = pytest.importorskip("resource")
        webp = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8L" + struct.pack("<I", 10)
        for side, parts in ((HUGE, 1), (2048, 64)):
            body = webp + b"\x2f" + struct.pack("<I", side - 1 | side - 1 << 14) + bytes(5)
            payload = body if parts == 1 else b"".join(bytes([len(body)]) + body for _ in range(parts))
            (tmp_path / "huge.lpc").write_bytes(stored_file(payload))
            program = (
                "import resource, sys\nimport lpcodec\nfrom lpcodec.codec import api\n"
                "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nbefore = peak()\n"
                "try: lpcodec.decode(open(sys.argv[1], 'rb').read())\n"
                "except lpcodec.LpcodecError as error: print(type(error).__name__, peak() - before)\n"
            )
            start = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            words = [sys.executable, "-c", program, str(tmp_path / "huge.lpc")]
            ran = subprocess.run(words, capture_output=True, text=True, check=True)
            kind, kilobytes = ran.stdout.split()
            assert kind == "DamagedFileError"
            assert int(kilobytes) < 300 << (20 if sys.platform == "darwin" else 10)  # macOS counts bytes
            assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - start < 5

    @pytest.mark.slow
    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
    @pytest.mark.parametrize("noisy", [False, True], ids=["alpha stored", "alpha of noise, with a bounded error"])
    def test_a_stored_picture_takes_the_memory_that_the_limit_counts(self, tmp_path: Path, noisy: bool) -> None:
        """What decoding takes more for more pixels is at most what `max_memory` counts, and at least a third of it."""
        random, side = np.random.default_rng(0), 2048
        colours = np.cumsum(random.integers(-3, 4, (side, side, 3)), 1).astype(np.uint8)
        part, plane = lossless.stored_to_bytes(colours), lossless.stored_to_bytes(colours[..., :1])
        program = (
            "import sys, lpcodec\nlpcodec.decode(open(sys.argv[1], 'rb').read())\n"
            "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
        )
        peaks = []
        for parts in (2, 5):
            noise = random.integers(0, 256, (side, parts * side)).astype(np.uint8)
            alpha = (
                bytes([3]) + bounded.to_bytes(noise, 2) if noisy else bytes([2]) + (varint(len(plane)) + plane) * parts
            )
            sections = (
                Section(SectionType.STORED, (varint(len(part)) + part) * parts),
                Section(SectionType.ALPHA, alpha),
            )
            path = tmp_path / f"{parts}.lpc"
            path.write_bytes(container.write(LpcFile(Header(parts * side, side, Kind.STORED, False), sections)))
            ran = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
            peaks.append(1024 * int(ran.stdout))
            assert peaks[-1] <= decoding.BASE_MEMORY + decoding.STORED_MEMORY * parts * side**2
        per_pixel = (peaks[1] - peaks[0]) / (3 * side**2)
        assert decoding.STORED_MEMORY / 3 < per_pixel <= decoding.STORED_MEMORY

    def test_a_wcae_payload_too_short_for_the_declared_size_is_refused_unread(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        network = load_network("nowcae", channel_prior=True)
        assert network.prior is not None
        network.prior.export()
        codec = WcaeCodec(network)
        monkeypatch.setattr("lpcodec.codec.families.wcae.codec.Decoder", lambda *_: pytest.fail("it was read"))
        with pytest.raises(DamagedFileError, match="too short"):
            codec.parse([bytes(1000)], Frame(HUGE, HUGE, COARSEST))

    def test_metadata_that_would_inflate_without_end_stop_at_16_mib(self, originals: list[bytes]) -> None:
        file = container.read(originals[0])
        bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
        payload = bomb.compress(bytes(64 << 20)) + bomb.flush()
        sections = (*file.sections, Section(SectionType.XMP, payload))
        with pytest.raises(DamagedFileError, match="more than 16777216 bytes"):
            lpcodec.decode(container.write(LpcFile(file.header, sections)))

    def test_alpha_of_another_size_is_refused(self, originals: list[bytes]) -> None:
        file = container.read(originals[0])
        height, width = file.header.height + 3, file.header.width + 7
        varied = np.arange(height * width).reshape(height, width).astype(np.uint8)
        for alpha in ((varied > 0).astype(np.uint8), varied):  # of one value alone a plane has no size
            payload = bytes([2]) + lossless.stored_to_bytes(alpha[..., None])
            sections = tuple(sorted((*file.sections, Section(SectionType.ALPHA, payload)), key=lambda s: s.type))
            with pytest.raises(DamagedFileError, match=f"{width} x {height} pixels inside a file of"):
                lpcodec.decode(container.write(LpcFile(file.header, sections)))


class TestG10Concurrency:
    def test_eight_threads_give_the_bytes_and_pixels_of_one(self, portrait: Image.Image) -> None:
        crops = [portrait.crop((40 * i, 50 * i, 40 * i + 130, 50 * i + 90 + i)) for i in range(8)]
        targets: list[dict[str, Any]] = [{"quality": 20}, {"bpp": 0.5}, {"psnr": 27}, {"quality": 90}] * 2

        def there_and_back(number: int) -> tuple[bytes, bytes]:
            data = lpcodec.encode(crops[number], **targets[number])
            return data, lpcodec.decode(data).tobytes()

        serial = [there_and_back(number) for number in range(8)]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(there_and_back, range(8))) == serial
            repeated = list(pool.map(there_and_back, [3] * 8))
        assert repeated == [serial[3]] * 8

    def test_eight_threads_may_be_the_first_to_load_a_model(self, thumbnail: Image.Image) -> None:
        expected = lpcodec.encode(thumbnail, quality=50)
        models._load.cache_clear()
        with ThreadPoolExecutor(8) as pool:
            files = list(pool.map(lambda _: lpcodec.encode(thumbnail, quality=50), range(8)))
        assert files == [expected] * 8

    @pytest.mark.slow
    def test_2000_pictures_in_one_process_take_the_memory_of_200(self, tmp_path: Path, portrait: Image.Image) -> None:
        portrait.save(tmp_path / "portrait.png")
        program = (
            "import os, sys\nimport lpcodec\nfrom PIL import Image\n"
            "portrait = Image.open(sys.argv[1]).convert('RGB')\n"
            "def resident():\n"
            "    return int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE') >> 20\n"
            "for number in range(2000):\n"
            "    size = 40 + number * 7 % 90, 40 + number * 11 % 70\n"
            "    left, top = number % 300, number % 400\n"
            "    picture = portrait.crop((left, top, left + size[0], top + size[1]))\n"
            "    data = lpcodec.encode(picture, quality=number % 101, model=('default', 'fast')[number % 2])\n"
            "    assert lpcodec.decode(data).size == size\n"
            "    if number == 199: first = resident()\n"
            "print(first, resident())\n"
        )
        words = [sys.executable, "-c", program, str(tmp_path / "portrait.png")]
        ran = subprocess.run(words, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        first, last = map(int, ran.stdout.split())
        assert last <= first + 30, f"{first} MB after 200 pictures, {last} MB after 2,000"

    def test_the_pixel_limit_of_one_thread_is_not_that_of_another(self, thumbnail: Image.Image) -> None:
        """Pillow's own limit is a global, which is set while a picture is open."""
        before = Image.MAX_IMAGE_PIXELS

        def work(number: int) -> bytes | None:
            try:
                return lpcodec.encode(thumbnail, quality=10, max_pixels=100 if number % 2 else 10**6)
            except LimitError:
                return None

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(work, range(32)))
        assert results == [results[0], None] * 16
        assert results[0] is not None
        assert before == Image.MAX_IMAGE_PIXELS


def test_a_file_for_another_size_is_refused_by_its_hash_or_its_length(originals: list[bytes]) -> None:
    """The header's size is under the digest; should someone make that right, the symbols don't fit."""
    file = container.read(originals[1])
    for width, height in ((45, 52), (44, 49), (64, 64), (16, 16), (208, 11)):
        changed = replace(file, header=replace(file.header, width=width, height=height))
        if (ceil_div(width, 16), ceil_div(height, 16)) == (ceil_div(44, 16), ceil_div(52, 16)):
            continue
        with pytest.raises(DamagedFileError):
            lpcodec.decode(container.write(changed))
