"""The fuzzing targets, with hypothesis in place of a coverage-guided fuzzer: quick, and in every test run (G5)."""

from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, seeds

EXAMPLES = {"decode": 60, "picture": 60}
cached_seeds = cache(seeds)


@st.composite
def mutated(draw: st.DrawFn, name: str) -> bytes:
    """A sound input with some bytes changed, taken out, put in, or cut off; or any bytes at all."""
    known = cached_seeds(name)
    data = bytearray(draw(st.sampled_from(known)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 4)):
            case 0 if place < len(data):
                data[place] = draw(st.integers(0, 255))
            case 1:
                del data[place : place + draw(st.integers(1, 8))]
            case 2:
                data[place:place] = draw(st.binary(min_size=1, max_size=8))
            case 3:
                del data[place:]
            case _:
                data[place:] = draw(st.sampled_from(known))[place:]
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_sound_inputs_and_changed_ones(name: str) -> None:
    for seed in cached_seeds(name):
        TARGETS[name](seed)

    @settings(
        max_examples=EXAMPLES.get(name, 200), deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @given(st.one_of(mutated(name), st.binary(max_size=200)))
    def check(data: bytes) -> None:
        TARGETS[name](data)

    check()
