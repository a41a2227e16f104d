"""Muon: its updates are near semi-orthogonal, of Adam's size, and bring a loss down."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lpcodec.codec.training.muon import ADAM_LIKE, ROWS, Muon, orthogonal


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 40), columns=st.integers(1, 40), seed=st.integers(0, 99), scale=st.sampled_from([1e-4, 1, 1e3])
)
def test_the_result_keeps_the_singular_vectors_and_has_singular_values_near_1(rows, columns, seed, scale):
    generator = torch.Generator().manual_seed(seed)
    short = min(rows, columns)
    u = torch.linalg.qr(torch.randn(rows, rows, generator=generator))[0][:, :short]
    v = torch.linalg.qr(torch.randn(columns, columns, generator=generator))[0][:, :short]
    values = torch.linspace(0.3, 1.0, short)
    found = orthogonal((u * values @ v.T) * scale)
    assert found.shape == (rows, columns)
    assert found.dtype == torch.float32
    core = u.T @ found @ v
    assert torch.all((core.diagonal() > 0.55) & (core.diagonal() < 1.35))
    assert (core - core.diagonal().diag()).abs().max() < 0.15


@pytest.mark.parametrize("shape", [(8, 4, 3, 3), (2 * ROWS, 5, 1, 1), (ROWS + 1, 3, 3, 3), (6, 7)])
def test_an_update_is_as_large_as_one_of_adam(shape):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.zeros(shape))
    weight.grad = torch.randn(shape) * 1e-3
    Muon([weight], lr=1.0).step()
    size = weight.detach().square().mean().sqrt()
    assert 0.6 * ADAM_LIKE < size < 1.3 * ADAM_LIKE


def test_it_solves_a_least_squares_problem_and_leaves_weights_without_gradient_alone():
    torch.manual_seed(1)
    inputs, wanted = torch.randn(64, 12), torch.randn(12, 6)
    weight, idle = torch.nn.Parameter(torch.zeros(12, 6)), torch.nn.Parameter(torch.ones(2, 2))
    optimiser = Muon([weight, idle], lr=0.2)
    losses = []
    for step in range(200):
        optimiser.param_groups[0]["lr"] = 0.2 * (1 - step / 200)
        optimiser.zero_grad()
        loss = (inputs @ (weight - wanted)).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.01 * losses[0]
    assert torch.equal(idle.detach(), torch.ones(2, 2))


def test_its_state_goes_through_a_checkpoint():
    def stepped(weight: torch.nn.Parameter, optimiser: Muon, seed: int) -> None:
        weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed))
        optimiser.step()

    whole = torch.nn.Parameter(torch.zeros(4, 9))
    one = Muon([whole], lr=0.1)
    stepped(whole, one, 0)
    again = torch.nn.Parameter(whole.detach().clone())
    other = Muon([again], lr=0.1)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    stepped(whole, one, 1)
    stepped(again, other, 1)
    assert torch.equal(whole, again)
