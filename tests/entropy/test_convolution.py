"""Convolutions by oneDNN: those of torch within rounding, and the same with any number of threads."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lpcodec.entropy.convolution import Convolution, convolved


@pytest.fixture(autouse=True)
def keep_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def inputs(seed: int, channels: int, outputs: int, kernel: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(1, channels, height, width, generator=random)
    return x, torch.randn(outputs, channels, kernel, kernel, generator=random)


HOW = [(1, 1, 0, 1), (2, 2, 0, 1), (3, 1, 1, 1), (3, 2, 1, 1), (3, 1, 4, 4)]
"""Kernel, stride, padding and dilation."""


@given(
    st.integers(1, 40), st.integers(1, 24), st.sampled_from(HOW), st.integers(2, 40), st.integers(2, 40), st.booleans()
)
def test_the_results_are_those_of_torch(
    channels: int, outputs: int, how: tuple[int, int, int, int], height: int, width: int, last: bool
) -> None:
    kernel, stride, padding, dilation = how
    x, weight = inputs(channels, channels, outputs, kernel, height, width)
    x = x.contiguous(memory_format=torch.channels_last) if last else x
    layer = Convolution(channels, outputs, kernel, stride=stride, padding=padding, dilation=dilation)
    layer.weight.data, bias = weight, layer.bias
    assert bias is not None
    wanted = F.conv2d(x.double(), weight.double(), bias.double(), stride, padding, dilation)
    with torch.inference_mode():
        found = layer(x)
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), wanted, rtol=1e-5, atol=1e-4)


def test_weights_and_biases_may_be_strided() -> None:
    x, weight = inputs(0, 3, 12, 5, 20, 20)
    weight, bias = weight.flip(2).transpose(2, 3), torch.randn(12, 7)[:, 3]
    assert not bias.is_contiguous()
    with torch.inference_mode():
        assert torch.allclose(convolved(x, weight, bias), F.conv2d(x, weight, bias), atol=1e-4)


def test_it_can_be_trained() -> None:
    layer = Convolution(4, 5, 3, padding=1)
    layer(torch.ones(1, 4, 6, 6)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0


def test_autocast_decides_what_it_computes_in() -> None:
    x, weight = inputs(0, 8, 8, 3, 30, 30)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert convolved(x, weight, None, padding=1).dtype == torch.bfloat16


@pytest.mark.parametrize("size", [(6, 9), (40, 40)])
@pytest.mark.parametrize("kernel", [1, 3])
def test_the_number_of_threads_does_not_change_a_bit(kernel: int, size: tuple[int, int]) -> None:
    """torch's own method for small inputs does change some."""
    x, weight = inputs(1, 128, 128, kernel, *size)
    found = []
    with torch.inference_mode():
        for count in (1, 2, 3, 4):
            torch.set_num_threads(count)
            found.append(convolved(x, weight, None, padding=kernel // 2))
    assert all(torch.equal(one, found[0]) for one in found)
