"""Where networks run, on the CPU or on a GPU that torch finds, and whether they are faster in bfloat16 there."""

from lpcodec.codec.errors import UsageError


def check_device(name: str) -> None:
    """Check that a network can run on the device `name`: "cpu", "cuda" or "cuda:N". The CPU is always there.

    Raises:
        UsageError: it can't; the text names the devices that are there.
    """
    if name == "cpu":
        return
    import torch

    there = ["cpu"]
    if torch.cuda.is_available():
        there += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if name not in there:
        raise UsageError(f"device {name!r} isn't available here; choose one of: {', '.join(there)}")


def bfloat16_pays(device: str) -> bool:
    """Whether convolutions are faster in bfloat16 than in float32: on GPUs, and on CPUs with AMX or AVX-512's bfloat16
    instructions, except on Intel CPUs on which AMX is missing or hidden.

    There these instructions take twice the time of float32's: measured on an Emerald Rapids in a virtual machine, and
    reported in libxsmm/tpp-mlir's pull request 1025. On AMD's Zen 4 they take half of it (iree-org/iree's pull request
    15089).
    """
    if device != "cpu":
        return True
    import torch

    if torch.cpu._is_amx_tile_supported():
        return True
    return torch.cpu._is_avx512_bf16_supported() and "Intel" not in _processor()


def _processor() -> str:
    """The maker and the name of the CPU; empty if this version of torch doesn't know them."""
    import torch

    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return str(capabilities.get("cpu_name", ""))
