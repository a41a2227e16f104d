"""Integer layers: exact on every path, bounded as proved, trained as they are shipped."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lpcodec.entropy import integer
from lpcodec.entropy.convolution import convolved
from lpcodec.entropy.integer import (
    ACCUMULATOR_LIMIT,
    ACTIVATION_BITS,
    ACTIVATION_MAX,
    LOG_MAGNITUDE_MAX,
    WEIGHT_BITS,
    IntegerConv,
    clamp_returning,
    exact_dtype,
    log_magnitude,
    log_magnitude_table,
    requantise,
)

SEEDS = st.integers(0, 2**31 - 1)


def layer(seed: int, cin: int, cout: int, kernel: int, gain: float = 1.0) -> IntegerConv:
    torch.manual_seed(seed)
    conv = IntegerConv(cin, cout, kernel, gain)
    torch.nn.init.normal_(conv.bias)
    return conv


def activations(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, ACTIVATION_MAX + 1, shape, generator=generator).double()


def exact(conv: IntegerConv, x: Tensor) -> np.ndarray:
    """The accumulators of one picture by int64 loops over the kernel, independent of torch's convolutions."""
    weight, bias = (p.detach().numpy().astype(np.int64) for p in (conv.weight, conv.bias))
    pad, (height, width) = conv.padding, x.shape[2:]
    padded = np.pad(x[0].numpy().astype(np.int64), ((0, 0), (pad, pad), (pad, pad)))
    acc = np.repeat(bias, height * width).reshape(-1, height, width)
    for i in range(2 * pad + 1):
        for j in range(2 * pad + 1):
            acc += np.einsum("oc,chw->ohw", weight[:, :, i, j], padded[:, i : i + height, j : j + width])
    return acc


def test_log_magnitudes_are_exact() -> None:
    table = log_magnitude_table()
    assert table.dtype == np.int64
    assert table.tolist() == [math.floor(16 * math.log2(1 + n) + 0.5) for n in range(LOG_MAGNITUDE_MAX + 1)]
    assert [table[2**k - 1] for k in range(9)] == [16 * k for k in range(9)]
    for n, value in enumerate(table.tolist()):  # and once more in integers: 2**(2v-1) <= (1+n)**32 < 2**(2v+1)
        assert 2 ** max(2 * value - 1, 0) <= (1 + n) ** 32 < 2 ** (2 * value + 1)


def test_log_magnitudes_of_symbols() -> None:
    table = torch.from_numpy(log_magnitude_table())
    symbols = torch.tensor([[0.0, 1.0, -1.0], [-3.0, 255.0, -32767.0]])
    assert log_magnitude(symbols, table).tolist() == [[0, 16, 16], [32, 128, 128]]


@settings(deadline=None)
@given(
    st.lists(st.integers(-ACCUMULATOR_LIMIT + 1, ACCUMULATOR_LIMIT - 1), min_size=1, max_size=50),
    st.integers(1, 12),
    st.booleans(),
)
def test_requantise_rounds_half_up_and_clamps(values: list[int], shift: int, returning: bool) -> None:
    result = requantise(torch.tensor(values, dtype=torch.float64), shift, -40, 255, returning)
    assert result.dtype == torch.float64
    assert result.tolist() == [min(max((v + (1 << (shift - 1))) >> shift, -40), 255) for v in values]


def test_requantise_at_the_edges() -> None:
    acc = torch.tensor([-513.0, -512.0, -257.0, -256.0, -1.0, 0.0, 255.0, 256.0, 767.0, 768.0])
    assert requantise(acc, 9, -9, 9).tolist() == [-1, -1, -1, 0, 0, 0, 0, 1, 1, 2]


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(1, 12), st.integers(1, 8), st.sampled_from([1, 3, 5]), st.integers(1, 7), st.integers(1, 7))
def test_freezing_changes_no_accumulator(seed: int, cin: int, cout: int, kernel: int, height: int, width: int) -> None:
    conv = layer(seed, cin, cout, kernel)
    x = activations(seed, 1, cin, height, width)
    before = conv(x.float()).detach()
    conv.freeze()
    after = conv(x)
    assert conv.frozen
    assert conv.weight.dtype == torch.float64
    assert not conv.weight.requires_grad
    assert torch.equal(before.double(), after)
    assert np.array_equal(after[0].numpy(), exact(conv, x))


def test_freezing_keeps_the_nearest_integers() -> None:
    conv = layer(0, 3, 2, 3)
    weight, bias = conv.weight.detach().clone(), conv.bias.detach().clone()
    conv.freeze()
    assert torch.equal(conv.weight, torch.round(weight * 2**WEIGHT_BITS).double())
    assert torch.equal(conv.bias, torch.round(bias * 2 ** (WEIGHT_BITS + ACTIVATION_BITS)).double())


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 6), st.integers(1, 4), st.sampled_from([1, 3]), st.integers(1, 300), st.booleans())
def test_no_input_exceeds_the_bound(
    seed: int, cin: int, cout: int, kernel: int, largest: int, by_channel: bool
) -> None:
    conv = layer(seed, cin, cout, kernel, gain=3.0)
    limits = torch.randint(0, largest + 1, (cin,)) if by_channel else torch.full((cin,), largest)
    bound = conv.bound(limits if by_channel else largest)
    signs = torch.randint(-1, 2, (1, cin, 5, 5))
    for x in (limits[None, :, None, None] * signs, (torch.rand(1, cin, 5, 5) * limits[None, :, None, None]).round()):
        assert conv(x.float()).abs().max() <= bound


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 6), st.integers(1, 4), st.sampled_from([1, 3]), st.booleans())
def test_the_worst_input_attains_the_bound(seed: int, cin: int, cout: int, kernel: int, by_channel: bool) -> None:
    conv = layer(seed, cin, cout, kernel)
    limits = torch.randint(0, 256, (cin,)) if by_channel else torch.full((cin,), 255)
    bound = conv.bound(limits if by_channel else 255)
    conv.freeze()
    assert conv.bound(limits if by_channel else 255) == bound
    reached = 0
    for channel in range(cout):
        sign = -1.0 if conv.bias[channel] < 0 else 1.0
        x = sign * conv.weight[channel].sign() * limits[:, None, None].double()  # the kernel laid on itself
        reached = max(reached, int(conv(x[None])[0, channel, kernel // 2, kernel // 2].abs()))
    assert reached == bound


def test_exact_on_every_path() -> None:
    """Threads, precision and memory format change the order of summation; below 2**24 that changes nothing."""
    conv = layer(5, 96, 64, 3, gain=1.5)
    conv.freeze()
    worst = conv.bound(ACTIVATION_MAX)
    assert 2**20 < worst < ACCUMULATOR_LIMIT, "large enough to mean something"
    x = activations(1, 2, 96, 19, 23)
    expected = np.stack([exact(conv, x[:1]), exact(conv, x[1:])])
    single = layer(5, 96, 64, 3, gain=1.5)
    single.weight.data, single.bias.data = conv.weight.data.float(), conv.bias.data.float()
    single.frozen = True
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            for memory in (torch.contiguous_format, torch.channels_last):
                for run, dtype in ((conv, torch.float64), (single, torch.float32)):
                    with torch.no_grad():
                        result = run(x.to(dtype).contiguous(memory_format=memory))
                    assert result.dtype == dtype
                    assert np.array_equal(result.numpy(), expected), (count, memory, dtype)
    finally:
        torch.set_num_threads(threads)


def test_the_first_outputs_alone() -> None:
    conv = layer(3, 5, 7, 3)
    x = activations(2, 1, 5, 6, 6).float()
    assert torch.equal(conv(x, outputs=slice(0, 2)), conv(x)[:, :2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dilated_kernels_reach_further(dtype: torch.dtype) -> None:
    """A kernel of 3 with gaps is the kernel of 5 with zeros in them."""
    torch.manual_seed(4)
    conv, full = IntegerConv(6, 2, 3, dilation=2), IntegerConv(6, 2, 5)
    full.weight.data.zero_()
    full.weight.data[:, :, ::2, ::2], full.bias.data = conv.weight.data, conv.bias.data.clone()
    for one in (conv, full):
        one.freeze()
        one.to(dtype)
    x = activations(2, 1, 6, 9, 8).to(dtype)
    assert torch.equal(conv(x), full(x))
    assert conv.bound(255) == full.bound(255)


def test_float32_is_trusted_where_it_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exact_dtype() == torch.float32

    def fast(x: Tensor, weight: Tensor, bias: Tensor | None, *, padding: int) -> Tensor:
        return convolved(x.bfloat16().float(), weight.bfloat16().float(), bias, padding=padding)

    monkeypatch.setattr(integer, "convolved", fast)
    assert exact_dtype() == torch.float64


def test_training_computes_what_is_shipped() -> None:
    conv = layer(2, 16, 16, 3)
    x = activations(3, 1, 16, 9, 9)
    trained = requantise(conv(x.float()), WEIGHT_BITS, 0, ACTIVATION_MAX).detach()
    conv.freeze()
    assert torch.equal(trained.double(), requantise(conv(x), WEIGHT_BITS, 0, ACTIVATION_MAX))


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_reals_are_not_taken_for_integers(name: str) -> None:
    conv = IntegerConv(2, 2, 3)
    with torch.no_grad():
        conv.weight.round_()
        getattr(conv, name).view(-1)[0] = 0.5
    with pytest.raises(ValueError, match="aren't integers"):
        conv.mark_frozen()
    assert not conv.frozen


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_neither_are_nan_and_infinity(value: float) -> None:
    conv = IntegerConv(2, 2, 1)
    with torch.no_grad():
        conv.weight.round_()
        conv.weight.view(-1)[0] = value
    with pytest.raises(ValueError, match="aren't integers"):
        conv.mark_frozen()


def test_integers_are_taken_as_they_are() -> None:
    conv = IntegerConv(1, 1, 1)
    with torch.no_grad():
        conv.weight.fill_(3)
        conv.bias.fill_(-7)
    conv.mark_frozen()
    assert conv(torch.tensor([[[[5.0]]]], dtype=torch.float64)).item() == 8


def test_gradients_pass_through_rounding() -> None:
    conv = layer(1, 2, 3, 3)
    x = activations(1, 1, 2, 5, 5).float().requires_grad_()
    conv(x).sum().backward()
    twin = torch.nn.Conv2d(2, 3, 3, padding=1)  # the same without any rounding, in accumulator units
    twin.weight.data = torch.round(conv.weight.data * 2**WEIGHT_BITS)
    again = x.detach().clone().requires_grad_()
    twin(again).sum().backward()
    assert torch.equal(x.grad, again.grad)
    assert torch.allclose(conv.weight.grad, twin.weight.grad * 2**WEIGHT_BITS)
    assert torch.allclose(conv.bias.grad, twin.bias.grad * 2 ** (WEIGHT_BITS + ACTIVATION_BITS))


def test_requantise_scales_the_gradient() -> None:
    acc = torch.tensor([-3000.0, 100.0, 1000.0, 1e6], requires_grad=True)
    requantise(acc, 9, 0, 255).sum().backward()
    assert acc.grad.tolist() == [0, 2**-9, 2**-9, 0]


@settings(deadline=None)
@given(st.floats(-100, 100, width=32), st.floats(-3, 3, width=32).filter(lambda g: g != 0), st.sampled_from([0, 3, 63]))
def test_a_clamp_lets_values_come_back(value: float, gradient: float, high: int) -> None:
    """A step goes against the gradient: a value below comes back with a negative one, a value above with a positive."""
    x = torch.tensor([value], requires_grad=True)
    y = clamp_returning(x, 0, high)
    assert y.item() == min(max(value, 0), high)
    y.backward(torch.tensor([gradient]))
    stuck = (value < 0 and gradient > 0) or (value > high and gradient < 0)
    assert x.grad.item() == (0 if stuck else gradient)


def test_requantise_lets_indexes_come_back() -> None:
    acc = torch.tensor([-5000.0, -5000.0, 1e6, 1e6], requires_grad=True)
    requantise(acc, 10, 0, 63, returning=True).backward(torch.tensor([1.0, -1.0, 1.0, -1.0]))
    assert acc.grad.tolist() == [0, -(2**-10), 2**-10, 0]
