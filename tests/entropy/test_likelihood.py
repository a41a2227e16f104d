"""The training likelihood against the integer tables it stands for, and its gradients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpcodec.entropy.likelihood import (
    LIKELIHOOD_FLOOR,
    LOG_STEP,
    SCALE_MAX,
    SCALE_MIN,
    SCALES,
    WIDEST,
    coded_bits,
    gaussian_bits,
    round_straight_through,
    rounded,
    scale_of_index,
    uniform_noise,
)
from lpcodec.entropy.tables import SCALE_BITS, TOTAL, default_scales, default_tables


def test_the_grid_is_that_of_the_tables() -> None:
    scales = default_scales()
    assert len(scales) == SCALES
    for i, scale in enumerate(scales):
        assert abs(SCALE_MIN * math.exp(i * LOG_STEP) * 2**SCALE_BITS - scale) <= 1
    values = scale_of_index(torch.arange(SCALES, dtype=torch.float64)) * 2**SCALE_BITS
    assert (values - torch.tensor(scales)).abs().max() <= 1
    assert scales[-1] == SCALE_MAX * 2**SCALE_BITS


@pytest.mark.parametrize("index", range(SCALES))
def test_bits_are_those_of_the_table(index: int) -> None:
    """A frequency is the mass in units of 2**-16, rounded, at least 1, after the escape and the floors took theirs."""
    tables = default_tables()
    frequencies = tables.frequencies[index][:-1].astype(np.float64)
    symbols = torch.from_numpy(tables.symbols()[index]).double()
    bits = gaussian_bits(symbols, torch.tensor(float(index))).double().numpy()
    mass = TOTAL * 2.0**-bits
    share = 1 + 1e-3 * frequencies  # what the floors of rare symbols take from the frequent ones
    assert (np.abs(frequencies - np.maximum(mass, 1)) <= share).all()
    common = frequencies >= 64
    assert np.abs(bits - -np.log2(frequencies / TOTAL))[common].max() <= 0.03
    if index >= 8:  # below, the tables have floors and escapes that the likelihood hasn't
        mean = float((frequencies * (bits + np.log2(frequencies / TOTAL))).sum() / TOTAL)
        assert abs(mean) < 0.01


def test_bits_are_symmetric_finite_and_floored() -> None:
    value = torch.tensor([0.0, 1.5, 40.0, 1e6])
    for index in (0.0, 20.0, 63.0):
        bits = gaussian_bits(value, torch.tensor(index))
        assert torch.equal(bits, gaussian_bits(-value, torch.tensor(index)))
        assert torch.isfinite(bits).all()
        assert bits.min() >= 0
        assert bits.max() <= -math.log2(LIKELIHOOD_FLOOR) + 1e-3
        assert (bits.diff() >= 0).all()


def test_gradients_reach_values_and_scales() -> None:
    value = torch.tensor([0.2, 3.0, -7.0], requires_grad=True)
    index = torch.tensor([10.0, 30.0, 33.0], requires_grad=True)
    gaussian_bits(value, index).sum().backward()
    assert value.grad is not None
    assert torch.equal(value.grad.sign(), torch.tensor([1.0, 1.0, -1.0])), "towards zero is cheaper"
    assert index.grad is not None
    assert torch.isfinite(index.grad).all()
    assert (index.grad != 0).all()


def test_the_best_scale_is_the_deviation() -> None:
    generator = torch.Generator().manual_seed(0)
    for sigma in (1.0, 5.0, 50.0):
        sample = sigma * torch.randn(2000, generator=generator)
        sample = sample.round()
        costs = [float(gaussian_bits(sample, torch.tensor(float(i))).mean()) for i in range(SCALES)]
        best = math.log(sigma / SCALE_MIN) / LOG_STEP
        assert abs(int(np.argmin(costs)) - best) <= 1.5


def test_coded_bits_are_those_of_the_symbols() -> None:
    value, index = torch.tensor([0.2, 0.7, -2.9, 40.3]), torch.tensor([0.0, 12.0, 30.0, 50.0])
    symbols = rounded(value, index)
    assert torch.allclose(coded_bits(value, symbols, index), gaussian_bits(symbols, index), atol=1e-5)


def test_scales_learn_from_symbols_and_values_from_noise() -> None:
    value, start = torch.tensor([0.3, 2.2, -9.0], requires_grad=True), torch.tensor([5.0, 25.0, 40.0])
    one, other = start.clone().requires_grad_(), start.clone().requires_grad_()
    torch.manual_seed(0)
    coded_bits(value, value.round(), one).sum().backward()
    assert value.grad is not None
    gradient, value.grad = value.grad, None
    gaussian_bits(value.detach().round(), other).sum().backward()
    assert one.grad is not None
    assert other.grad is not None
    assert torch.allclose(one.grad, other.grad, rtol=1e-3)
    assert one.grad[0] > 0, "a latent that is zero asks for a smaller scale"
    torch.manual_seed(0)
    gaussian_bits(value + uniform_noise(value), start).sum().backward()
    assert torch.allclose(gradient, value.grad, rtol=0.02, atol=0.02)


def test_coded_bits_are_the_likelihoods_for_maps_of_any_layout() -> None:
    """The tables stand for `gaussian_bits` and its gradients, whatever the memory format; far out, bits are capped."""
    torch.manual_seed(0)
    index = torch.randint(0, SCALES, (3, 8, 5, 7)).float()
    value = (3 * scale_of_index(index) * torch.randn(3, 8, 5, 7)).clamp(-900, 900)
    for layout in (torch.contiguous_format, torch.channels_last):
        v = value.clone(memory_format=layout).requires_grad_()
        i = index.clone(memory_format=layout).requires_grad_()
        symbols = v.detach().round()
        bits = coded_bits(v, symbols, i)
        exact = gaussian_bits(symbols, index)
        common = exact < 20  # float32 error functions have no digits left beyond
        assert torch.allclose(bits[common], exact[common], rtol=2e-3, atol=1e-5)
        assert bits.max() <= -math.log2(LIKELIHOOD_FLOOR) + 1e-3
        bits.sum().backward()
        noisy, scales = v.detach().requires_grad_(), index.clone().requires_grad_()
        gaussian_bits(symbols, scales).sum().backward()
        assert i.grad is not None
        assert scales.grad is not None
        assert torch.allclose(i.grad[common], scales.grad[common], rtol=0.05, atol=1e-3)
        gaussian_bits(noisy, index).sum().backward()
        assert v.grad is not None
        assert noisy.grad is not None
        wide = common & (scale_of_index(index) > 8)  # half a step of noise moves these gradients little
        near = (v.grad - noisy.grad)[wide].abs() * scale_of_index(index)[wide]
        assert near.max() < 0.15


def test_symbols_that_no_table_lists_cost_as_much_as_the_last_one() -> None:
    index = torch.full((2,), SCALES - 1.0)
    bits = coded_bits(torch.tensor([1023.0, 5000.0]), torch.tensor([1023.0, 5000.0]), index)
    assert bits[0] == bits[1]


def test_noise_is_uniform_over_a_unit() -> None:
    torch.manual_seed(0)
    like = torch.zeros(2, 5000, dtype=torch.float64)
    noise = uniform_noise(like)
    assert (noise.shape, noise.dtype) == (like.shape, like.dtype)
    assert -0.5 <= noise.min() < -0.49
    assert 0.49 < noise.max() < 0.5
    assert abs(noise.mean()) < 0.02
    assert noise.var() == pytest.approx(1 / 12, rel=0.03)


def test_rounding_passes_the_gradient() -> None:
    x = torch.tensor([-1.5, 0.4, 0.5, 2.6], requires_grad=True)
    rounded = round_straight_through(x)
    assert torch.equal(rounded, torch.round(x))
    (rounded * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert torch.equal(x.grad, torch.tensor([1.0, 2.0, 3.0, 4.0]))


@given(
    value=st.floats(-5000, 5000, width=32),
    index=st.integers(0, SCALES - 1),
)
def test_rounding_is_odd_and_leans_to_zero_by_less_than_a_third(value: float, index: int) -> None:
    x, i = torch.tensor([value]), torch.tensor([index])
    whole = float(rounded(x, i))
    assert whole == int(whole)
    assert abs(whole) <= abs(round(value)) or abs(abs(value) % 1 - 0.5) < 1e-3
    assert abs(whole - value) <= 0.83
    assert whole == -float(rounded(-x, i))


def test_the_dead_zone_is_wide_where_symbols_are_dear_and_gone_where_they_are_not() -> None:
    """Where 1 costs 9 bits more than 0 the border lies near 0.76, where all symbols cost the same at one half."""
    steps = torch.arange(0, 1, 0.001)

    def border(sigma: float) -> float:
        index = torch.full_like(steps, round(math.log(sigma / SCALE_MIN) / LOG_STEP))
        return float(steps[rounded(steps, index) == 1][0])

    borders = [border(sigma) for sigma in (0.14, 0.3, 0.6, 1.2, 3.0, 200.0)]
    assert borders == sorted(borders, reverse=True)
    assert 0.74 < borders[0] < 0.78
    assert borders[-1] == pytest.approx(0.5, abs=2e-3)


@given(value=st.floats(-50, 50, width=32), index=st.integers(0, SCALES - 1))
def test_a_wider_dead_zone_makes_no_symbol_larger_and_changes_no_whole_number(value: float, index: int) -> None:
    x, i = torch.tensor([value]), torch.tensor([index])
    symbols = [float(rounded(x, i, width)) for width in (0.0, 0.5, 1.0, WIDEST)]
    assert [abs(symbol) for symbol in symbols] == sorted((abs(symbol) for symbol in symbols), reverse=True)
    assert all(symbol * value >= 0 for symbol in symbols)
    assert float(rounded(x.round(), i, WIDEST)) == round(value)


def test_rounding_with_a_dead_zone_passes_gradients() -> None:
    x = torch.tensor([0.6, 1.9, -0.55], requires_grad=True)
    index = torch.zeros(3, requires_grad=True)
    whole = round_straight_through(x, index)
    assert whole.tolist() == [0.0, 2.0, 0.0]
    whole.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0, 1.0]
    assert index.grad is None
