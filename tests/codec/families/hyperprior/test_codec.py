"""Coding with the hyperprior: the decoder reads what the encoder wrote, whatever the machine, the size, the bytes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lpcodec.codec import models
from lpcodec.codec.errors import DamagedFileError
from lpcodec.codec.families.family import Frame
from lpcodec.codec.families.hyperprior import codec as hyperprior_codec
from lpcodec.codec.families.hyperprior import entropy
from lpcodec.codec.families.hyperprior import payload as payloads
from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec
from lpcodec.codec.families.hyperprior.entropy import Group
from lpcodec.codec.families.hyperprior.hyperlatents import CLASSES, WEIGHT_MAX, HyperTables
from lpcodec.codec.families.hyperprior.layers import Z_MAX
from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.qualities import level_of_quality
from lpcodec.codec.families.hyperprior.sizes import STRIDE, HyperpriorSizes
from lpcodec.codec.families.hyperprior.steps import Channels, grid_number
from lpcodec.codec.quality import Quality
from lpcodec.entropy.coder import SymbolRun
from lpcodec.entropy.tables import TableSet, default_scales, default_tables, gaussian_tables

SMALL = HyperpriorSizes(
    width=16, latents=32, dc_latents=3, hyper_width=16, hyper_latents=8, context_width=16, early_latents=8, anchors=11
)
ANCHORS = SMALL.anchors
SKIP_BELOW = 3


def livened(network: HyperpriorNetwork) -> HyperpriorNetwork:
    """Random weights, moved so that scales, means and symbols vary as a trained network's do."""
    with torch.no_grad():
        network.analysis.shortcut.weight.mul_(3)
        network.hyper_analysis.layers[-1].weight.mul_(40)
        own = [name for name in network.scales.contexts if grid_number(name) is None]
        for head in (network.scales.head, *(network.scales.contexts[name].head for name in own)):
            head.bias.uniform_(-1, 5)
            head.weight.mul_(2)
        for head in (network.means.head, *(network.means.contexts[name].head for name in own)):
            head.weight.normal_(std=0.3)
            head.bias.normal_()
        for name in network.scales.contexts.keys() - own:
            network.scales.contexts[name].head.weight.normal_(std=0.5)
            network.means.contexts[name].gate.weight.normal_(std=0.3)
        network.log_gain.add_(torch.randn(network.sizes.latents) * 0.5)
        network.log_inverse_gain.copy_(-network.log_gain)
    network.scales.freeze()
    return network


def codec_of(network: HyperpriorNetwork) -> HyperpriorCodec:
    index = torch.randint(8, 30, (network.sizes.anchors, network.sizes.hyper_latents)).tolist()
    weights = np.random.default_rng(0).integers(
        0, WEIGHT_MAX + 1, (network.sizes.anchors, network.sizes.hyper_latents), np.int8
    )
    tables = tuple(gaussian_tables([default_scales()[i] for i in row] * CLASSES) for row in index)
    z_tables = HyperTables(tables, weights)
    return HyperpriorCodec(network, default_tables(), z_tables, SKIP_BELOW)


def random_codec(seed: int = 0) -> HyperpriorCodec:
    torch.manual_seed(seed)
    return codec_of(livened(HyperpriorNetwork(SMALL)))


@pytest.fixture(scope="module")
def codec() -> HyperpriorCodec:
    return random_codec()


@pytest.fixture
def small_groups(codec: HyperpriorCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "group_side", 4)
    monkeypatch.setattr(codec, "tile_side", 4)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def pixels(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def header_for(image: np.ndarray, quality: float = 60.0) -> Frame:
    return Frame(image.shape[0], image.shape[1], Quality.of(quality))


def same(a: list[Group], b: list[Group]) -> bool:
    return len(a) == len(b) and all(
        np.array_equal(g.z, h.z)
        and np.array_equal(g.r, h.r)
        and all(
            np.array_equal(p.symbols, q.symbols) and np.array_equal(p.indexes, q.indexes)
            for p, q in zip(g.runs, h.runs, strict=True)
        )
        for g, h in zip(a, b, strict=True)
    )


SIZES = [(1, 1), (17, 33), (16, 16), (70, 5), (5, 200), (64, 64)]


def test_the_fixture_is_worth_its_name(codec: HyperpriorCodec) -> None:
    (group,) = codec.code(codec.analyse(pixels(96, 96)), 60).groups
    assert len(np.unique(group.z)) > 5
    assert len(np.unique(group.r)) > 20
    for run in group.r_runs[-2:]:
        assert len(np.unique(run.indexes)) > 15
        assert (run.symbols != 0).mean() > 0.2
    assert any((np.abs(p.symbols) > p.tables.radius[p.indexes]).any() for p in group.runs), "with escapes"
    coded = sum(p.symbols.size for p in group.r_runs)
    assert 0.3 * group.r.size < coded < 0.97 * group.r.size, "some are skipped"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("quality", [0.0, 33.3, 100.0])
def test_the_decoder_reads_what_was_coded(codec: HyperpriorCodec, size: tuple[int, int], quality: float) -> None:
    image = pixels(*size)
    header = header_for(image, quality)
    coded = codec.code(codec.analyse(image), quality)
    symbols = codec.parse(coded.payloads(), header)
    assert same(symbols, coded.groups)
    assert codec.hash_of(symbols) == coded.symbols_hash
    decoded = codec.synthesise(symbols, header)
    assert (decoded.shape, decoded.dtype) == ((*size, 3), np.uint8)
    assert np.array_equal(decoded, codec.synthesise(coded.groups, header))


def test_shapes_and_types_of_a_group(codec: HyperpriorCodec) -> None:
    (group,) = codec.code(codec.analyse(pixels(70, 90)), 50).groups
    assert (group.z.shape, group.z.dtype) == ((SMALL.hyper_latents, 2, 2), np.int32)
    assert (group.r.shape, group.r.dtype) == ((SMALL.latents, 5, 6), np.int16)
    assert np.abs(group.z).max() <= Z_MAX


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.sampled_from([0.0, 0.05, 1.0]))
def test_packed_symbols_are_unpacked(seed: int, side: int, share: float) -> None:
    random = np.random.default_rng(seed)
    r = random.integers(-entropy.SYMBOL_MAX, entropy.SYMBOL_MAX + 1, (5, side, 3), np.int16)
    r *= random.random(r.shape) < share
    packed = entropy.PackedSymbols.of(r)
    assert packed.values.size == np.count_nonzero(r)
    assert packed.bits.nbytes == -(-r.size // 8)
    unpacked = packed.unpacked()
    assert (unpacked.shape, unpacked.dtype) == (r.shape, r.dtype)
    assert np.array_equal(unpacked, r)


def test_grey_pictures_are_coded_as_equal_channels(codec: HyperpriorCodec) -> None:
    grey = pixels(40, 24, 1)
    assert torch.equal(codec.analyse(grey), codec.analyse(np.repeat(grey, 3, 2)))


def test_sides_are_extended_by_their_last_row_and_column(codec: HyperpriorCodec) -> None:
    image = pixels(17, 33)
    extended = np.pad(image, ((0, 15), (0, 15), (0, 0)), mode="edge")
    assert torch.equal(codec.analyse(image), codec.analyse(extended))


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("size", [(200, 150), (64, 64), (65, 130), (1, 257)])
def test_several_groups(codec: HyperpriorCodec, size: tuple[int, int]) -> None:
    image = pixels(*size)
    header = header_for(image)
    coded = codec.code(codec.analyse(image), 60)
    h, w = (-(-side // STRIDE) for side in size)
    assert len(coded.groups) == -(-h // 4) * -(-w // 4)
    symbols = codec.parse(coded.payloads(), header)
    assert same(symbols, coded.groups)
    assert np.array_equal(codec.synthesise(symbols, header), codec.synthesise(coded.groups, header))


@pytest.mark.parametrize("size", [(200, 150), (131, 64)])
def test_tiles_leave_no_trace(codec: HyperpriorCodec, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    image = pixels(*size)
    header = header_for(image)
    whole = codec.analyse(image)
    symbols = codec.code(whole, 60).groups
    picture = codec.synthesise(symbols, header)
    told: list[tuple[str, float]] = []
    monkeypatch.setattr(codec, "tile_side", 4)
    tiled = codec.analyse(image, lambda *now: told.append(now))
    assert (tiled - whole).abs().max() <= 1e-4 * whole.abs().max()
    again = codec.synthesise(symbols, header, lambda *now: told.append(now)).astype(int)
    assert np.abs(again - picture).max() <= 1
    assert (again != picture).mean() < 1e-3
    tiles = -(-size[0] // 64) * -(-size[1] // 64)
    assert [stage for stage, _ in told] == ["analysis"] * tiles + ["synthesis"] * tiles
    assert told[tiles - 1][1] == told[-1][1] == 1


@pytest.mark.usefixtures("small_groups")
def test_halos_are_needed(codec: HyperpriorCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other half of the proof that the halos are right: one place less shows."""
    image = pixels(200, 150)
    exact = codec.analyse(image)
    monkeypatch.setattr(codec, "analysis_halo", codec.analysis_halo - 1)
    assert (codec.analyse(image) - exact).abs().max() > 1e-4
    symbols = codec.code(exact, 60).groups
    picture = codec.synthesise(symbols, header_for(image)).astype(int)
    monkeypatch.setattr(codec, "synthesis_halo", codec.synthesis_halo - 1)
    assert np.abs(codec.synthesise(symbols, header_for(image)) - picture).max() > 1


@pytest.mark.usefixtures("small_groups")
def test_parsing_depends_on_no_thread(codec: HyperpriorCodec) -> None:
    image = pixels(120, 100)
    payload = codec.code(codec.analyse(image), 60).payloads()[0]
    parsed = []
    for count in (1, 2):
        torch.set_num_threads(count)
        parsed.append(codec.parse([payload], header_for(image)))
    assert same(*parsed)


def test_parsing_touches_no_float_network(codec: HyperpriorCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    image = pixels(48, 48)
    payload = codec.code(codec.analyse(image), 60).payloads()[0]

    def refuse(*given: object) -> None:
        raise AssertionError("parsing called a float network")

    for part in ("analysis", "synthesis", "hyper_analysis", "means"):
        for module in getattr(codec.network, part).modules():
            monkeypatch.setattr(module, "forward", refuse)
    for name in ("gain", "inverse_gain"):
        monkeypatch.setattr(codec.network, name, refuse)
    codec.parse([payload], header_for(image))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scales_are_the_same_in_any_type_that_is_exact(
    codec: HyperpriorCodec, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    """A file written in one is read in the other."""
    image = pixels(70, 90)
    coded = codec.code(codec.analyse(image), 60)
    monkeypatch.setattr(entropy, "exact_dtype", lambda: dtype)
    assert codec.entropy.scales.coarse.weight.dtype == dtype
    assert same(codec.parse(coded.payloads(), header_for(image)), coded.groups)
    assert same(codec.code(codec.analyse(image), 60).groups, coded.groups)


def test_skipped_latents_are_zero(codec: HyperpriorCodec) -> None:
    """Found again step by step, each from the symbols of the steps before it."""
    image = pixels(64, 80)
    (group,) = codec.code(codec.analyse(image), 60).groups
    z, size = torch.from_numpy(group.z).double()[None], group.r.shape[1:]
    level = level_of_quality(torch.tensor([Quality.of(60).units]), ANCHORS)
    scales = codec.entropy.scales.begin(z, level, *size)
    r, before = torch.from_numpy(group.r).float()[None], torch.zeros(1, *group.r.shape, dtype=torch.bool)
    skipped, counts = 0, []
    for step in codec.network.steps:
        known = Channels()
        known.add(0, scales.seen(r * before))
        mask = step.places(step.start, step.stop, *size, "cpu")
        index = scales.indexes(step, known).detach()
        kept = index >= SKIP_BELOW
        assert not (r[:, step.channels][mask & ~kept]).any()
        skipped += int((mask & ~kept).sum())
        counts.append(int((mask & kept).sum()))
        before[:, step.channels] |= mask
    assert before.all()
    assert skipped > 0
    assert [run.symbols.size for run in group.r_runs] == counts
    assert all((run.indexes >= SKIP_BELOW).all() for run in group.r_runs)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("size", [(1, 1), (64, 64), (200, 150)])
@pytest.mark.parametrize("quality", [0, 50, 100])
def test_the_estimate_is_the_size(codec: HyperpriorCodec, size: tuple[int, int], quality: float) -> None:
    coded = codec.code(codec.analyse(pixels(*size)), quality)
    real = len(coded.payloads()[0])
    assert coded.bits / 8 <= real <= 1.01 * coded.bits / 8 + 16 * len(coded.groups)


def test_a_finer_quality_takes_more_and_shows_less_error() -> None:
    """With a network that starts as a transform codec, so that quality means something."""
    torch.manual_seed(0)
    network = HyperpriorNetwork(SMALL)
    coarse = torch.rand(16, 3, 6, 6)
    smooth = torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bicubic").clamp(0, 1)
    network.start_from_principal_components(smooth)
    network.scales.freeze()
    tables = (gaussian_tables([default_scales()[20]] * SMALL.hyper_latents * CLASSES),) * ANCHORS
    z_tables = HyperTables(tables, np.zeros((ANCHORS, SMALL.hyper_latents), np.int8))
    codec = HyperpriorCodec(network, default_tables(), z_tables, 0)
    image = (smooth[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    latents = codec.analyse(image)
    errors, bits = [], []
    for quality in (0, 25, 50, 75, 100):
        coded = codec.code(latents, quality)
        decoded = codec.synthesise(
            codec.parse(coded.payloads(), header_for(image, quality)), header_for(image, quality)
        )
        errors.append(float(np.square(decoded.astype(float) - image).mean()))
        bits.append(coded.bits)
    assert errors == sorted(errors, reverse=True)
    assert bits == sorted(bits)
    assert bits[-1] > 1.5 * bits[0]


@pytest.mark.usefixtures("small_groups")
def test_every_truncation_and_extension_is_damage(codec: HyperpriorCodec) -> None:
    image = pixels(80, 70)
    header = header_for(image)
    payload = codec.code(codec.analyse(image), 60).payloads()[0]
    assert len(codec.parse([payload], header)) == 4
    lengths = {0, 1, 2, 3, 4, 5, len(payload) - 1, *range(0, len(payload), max(1, len(payload) // 40))}
    for length in sorted(lengths):
        with pytest.raises(DamagedFileError):
            codec.parse([payload[:length]], header)
    for more in (b"\0", bytes(4), b"\xff" * 8):
        with pytest.raises(DamagedFileError):
            codec.parse([payload + more], header)


@pytest.mark.usefixtures("small_groups")
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_changed_bytes_are_damage_or_other_symbols(codec: HyperpriorCodec, data: st.DataObject) -> None:
    image = pixels(80, 70)
    header = header_for(image)
    coded = codec.code(codec.analyse(image), 60)
    payload = bytearray(coded.payloads()[0])
    for place in data.draw(st.lists(st.integers(0, len(payload) - 1), min_size=1, max_size=3, unique=True)):
        payload[place] ^= data.draw(st.integers(1, 255))
    try:
        symbols = codec.parse([bytes(payload)], header)
    except DamagedFileError:
        return
    assert codec.hash_of(symbols) != coded.symbols_hash


@settings(max_examples=60, deadline=None)
@given(
    payload=st.one_of(st.binary(max_size=64), st.integers(0, 2**31).map(lambda s: np.random.default_rng(s).bytes(400))),
    height=st.integers(1, 90), width=st.integers(1, 90), quality=st.integers(0, 65535), group=st.sampled_from([2, 64]),
)  # fmt: skip
def test_any_bytes_are_read_or_damage(
    codec: HyperpriorCodec, payload: bytes, height: int, width: int, quality: int, group: int
) -> None:
    header = Frame(height, width, Quality(quality))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "group_side", group)
        try:
            symbols = codec.parse([payload], header)
        except DamagedFileError:
            return
        decoded = codec.synthesise(symbols, header)
    assert decoded.shape == (height, width, 3)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("table", [b"", b"\x80", b"\x80" * 12, b"\xff" * 5 + b"\x7f" * 3, b"\x7f\x7f\x7f" + bytes(8)])
def test_impossible_tables_of_lengths(codec: HyperpriorCodec, table: bytes) -> None:
    with pytest.raises(DamagedFileError):
        codec.parse([table], header_for(pixels(80, 70)))


def test_a_huge_picture_of_few_bytes_is_refused_at_once(codec: HyperpriorCodec) -> None:
    header = Frame(60_000, 60_000, Quality(40_000))
    groups = (3750 // 64 + 1) ** 2
    with pytest.raises(DamagedFileError, match="shorter than any can be"):
        codec.parse([payloads.join([b""] * groups)], header)


def test_hyper_latents_out_of_range_are_damage(codec: HyperpriorCodec) -> None:
    """A stream may be well formed and still hold what no encoder writes: beyond Z_MAX the bounds aren't proved."""
    image = pixels(16, 16)
    (group,) = codec.code(codec.analyse(image), 60).groups
    symbols = group.z_runs[0].symbols.copy()
    symbols[0] = Z_MAX + 1
    forged = SymbolRun(symbols, group.z_runs[0].indexes, group.z_runs[0].tables)
    coded = hyperprior_codec.HyperpriorCoded([replace(group, z_runs=(forged, *group.z_runs[1:]))])
    with pytest.raises(DamagedFileError, match=f"hyper-latents beyond {Z_MAX}"):
        codec.parse(coded.payloads(), header_for(image))


def test_storage_keeps_symbols_and_nearly_the_pixels(codec: HyperpriorCodec) -> None:
    tensors = codec.to_tensors()
    assert {v.dtype for k, v in tensors.items() if k.startswith("network.scales.")} <= {torch.int16, torch.int32}
    assert all(v.is_contiguous() for v in tensors.values())
    sizes = vars(SMALL)
    stored = HyperpriorCodec.from_tensors(tensors, sizes)
    again = HyperpriorCodec.from_tensors(stored.to_tensors(), sizes)
    assert all(torch.equal(tensors[k], v) for k, v in again.to_tensors().items())
    assert stored.entropy.skip_below == SKIP_BELOW
    assert stored.entropy.tables.digest() == codec.entropy.tables.digest()
    assert [t.digest() for t in stored.entropy.z_tables.tables] == [t.digest() for t in codec.entropy.z_tables.tables]
    assert np.array_equal(stored.entropy.z_tables.weights, codec.entropy.z_tables.weights)

    image = pixels(70, 90)
    header = header_for(image)
    coded = codec.code(codec.analyse(image), 60)
    symbols = stored.parse(coded.payloads(), header)
    assert same(symbols, coded.groups), "what decides a table is stored exactly"
    difference = np.abs(stored.synthesise(symbols, header).astype(int) - codec.synthesise(symbols, header))
    assert difference.mean() < 0.5
    assert np.percentile(difference, 99) <= 5, "half precision, and on many CPUs bfloat16 over it"


def test_stored_scale_integers_must_keep_their_bounds(codec: HyperpriorCodec) -> None:
    tensors = codec.to_tensors()
    name = "network.scales.contexts.last.mixed.weight"
    tensors[name] = tensors[name] * 400
    with pytest.raises(ValueError, match="accumulators reach"):
        HyperpriorCodec.from_tensors(tensors, vars(SMALL))


def test_tables_of_z_are_chosen_by_anchor_and_channel() -> None:
    codec = random_codec(1)
    image = pixels(64, 64)
    latents = codec.analyse(image)
    for anchor in range(ANCHORS):
        quality = (anchor + 0.5) * 100 / ANCHORS
        (group,) = codec.code(latents, quality).groups
        run = group.z_runs[0]
        assert run.tables is codec.entropy.z_tables.tables[anchor]
        assert np.array_equal(run.indexes, np.arange(SMALL.hyper_latents, dtype=np.uint8))
        assert np.array_equal(run.symbols, group.z.ravel())


def test_cheap_tables_do_not_make_honest_files_too_short() -> None:
    """All hyper-latents zero under tables that make zero all but free: the shortest payload there can be."""
    codec = random_codec(2)
    with torch.no_grad():
        scales = codec.network.scales
        heads = (scales.head, *(context.head for context in scales.contexts.values()))
        for part in (codec.network.hyper_analysis.layers[-1], *heads):
            part.weight.zero_()
            part.bias.zero_()
    free = TableSet(np.array([0], np.int16), (np.array([65535, 1], np.int32),))
    cheap = TableSet(np.zeros(8 * CLASSES, np.int16), free.frequencies * 8 * CLASSES)
    codec = HyperpriorCodec(
        codec.network,
        codec.entropy.tables,
        HyperTables((cheap,) * ANCHORS, np.zeros((ANCHORS, 8), np.int8)),
        SKIP_BELOW,
    )
    image = pixels(300, 500)
    coded = codec.code(codec.analyse(image), 60)
    payload = coded.payloads()[0]
    assert len(payload) <= 8
    assert same(codec.parse([payload], header_for(image)), coded.groups)


@pytest.mark.parametrize("name", ["default", "fast"])
def test_the_bits_of_a_photograph_are_expected(name: str) -> None:
    """Rising over the qualities, and not far from what is coded."""
    codec = models.load(name).trained
    assert isinstance(codec, models.RateEstimator)
    with Image.open(Path(__file__).parents[3] / "golden" / "coat-default-q60.png") as image:
        latents = codec.analyse(np.asarray(image.convert("RGB")))
    qualities, bits = codec.expected_bits(latents)
    assert (qualities[0], qualities[-1]) == (0, 100)
    assert list(qualities) == sorted(qualities)
    assert list(bits) == sorted(bits)
    for quality, expected in list(zip(qualities, bits, strict=True))[2:]:
        assert 0.6 < expected / codec.code(latents, quality).bits < 1.6


def test_expected_bits_don_t_depend_on_how_many_places_are_seen(codec: HyperpriorCodec) -> None:
    torch.manual_seed(1)
    large = torch.randn(SMALL.latents, 64, 64)
    small = large[:, :16, :16]
    for a, b in zip(codec.expected_bits(small)[1], codec.expected_bits(large)[1], strict=True):
        assert b == pytest.approx(16 * a, rel=0.1)
