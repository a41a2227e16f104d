"""Devices: which there are, and where bfloat16 is worth it."""

import pytest
import torch

from lpcodec.codec.devices import bfloat16_pays, check_device
from lpcodec.codec.errors import UsageError


@pytest.mark.parametrize(
    ("name", "amx", "avx512_bf16", "pays"),
    [
        ("AMD EPYC 9R14", False, True, True),
        ("Intel Xeon", False, True, False),  # Emerald Rapids in a virtual machine that hides AMX
        ("Intel Xeon", True, True, True),
        ("Intel Xeon", False, False, False),
        ("AMD EPYC 7R13", False, False, False),
    ],
)
def test_bfloat16_is_for_processors_on_which_it_is_faster(
    name: str, amx: bool, avx512_bf16: bool, pays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": name})
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    assert bfloat16_pays("cpu") == pays
    assert bfloat16_pays("cuda")


def test_torch_still_names_the_processor() -> None:
    assert isinstance(torch.cpu.get_capabilities()["cpu_name"], str)


def test_a_device_that_is_not_there_is_refused() -> None:
    check_device("cpu")
    with pytest.raises(UsageError, match="'cuda:99' isn't available here; choose one of: cpu"):
        check_device("cuda:99")
