"""Where networks run: on the CPU, or on a GPU that torch finds."""

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
