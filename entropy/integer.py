"""Networks in exact integer arithmetic. They choose the table that a symbol is coded with.

A decoder on another machine must choose the same table for every symbol. The last bits of float convolutions depend on
the machine, the number of threads and the memory format; integers don't. A layer is

```
integers --convolution with integer weights--> accumulators --floor((acc + half) / 2**shift)--> clamp --> integers
```

and nothing else: no exp, no division. The integers are stored in float tensors. That is exact as long as every partial
sum is at most 2**24 in magnitude. `IntegerConv.bound` computes the largest possible accumulator from the L1 norms of
the weights, and export refuses a network that could exceed 2**24. float64 is always exact then, and so is float32,
unless torch or oneDNN are set to a lower precision (DNNL_DEFAULT_FPMATH_MODE, `torch.backends.fp32_precision`).
`exact_dtype` tests that.

In training the same layer has real weights. It rounds them in the forward pass and lets gradients pass unchanged. So
the network that was trained is the one that is shipped.
"""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.entropy.convolution import convolved

WEIGHT_BITS = 9
"""Weights are integers in units of 2**-9."""
ACTIVATION_BITS = 4
"""Activations are integers in units of 2**-4."""
ACTIVATION_MAX = 255
ACCUMULATOR_LIMIT = 1 << 24
LOG_MAGNITUDE_MAX = 255
"""The magnitudes of symbols are clamped to this before their logarithm is taken."""


class _FloorShift(torch.autograd.Function):
    """floor((acc + 2**(shift-1)) * 2**-shift), with the gradient of acc * 2**-shift."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, acc: Tensor, shift: int) -> Tensor:
        ctx.shift = shift  # type: ignore[attr-defined]
        return torch.floor((acc + 2.0 ** (shift - 1)) * 2.0**-shift)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * 2.0**-ctx.shift, None  # type: ignore[attr-defined]


class _ClampReturning(torch.autograd.Function):
    """clamp(x, low, high). A value outside gets the gradient only if that moves it back inside."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limits = (low, high)  # type: ignore[attr-defined]
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        low, high = ctx.limits  # type: ignore[attr-defined]
        grad = grads[0]
        stuck = ((x < low) & (grad > 0)) | ((x > high) & (grad < 0))
        return grad.masked_fill(stuck, 0.0), None, None


def clamp_returning(x: Tensor, low: float, high: float) -> Tensor:
    """Clamp to low..high. A value outside gets the gradient only if that moves it back inside."""
    result: Tensor = _ClampReturning.apply(x, low, high)  # type: ignore[no-untyped-call]
    return result


def requantise(acc: Tensor, shift: int, low: int, high: int, returning: bool = False) -> Tensor:
    """Return floor((acc + 2**(shift-1)) / 2**shift) clamped to low..high, integers in acc's dtype.

    `returning`: the gradient of the clamp is that of `clamp_returning`.
    """
    if not torch.is_grad_enabled():  # the same result in less memory
        return acc.add(2.0 ** (shift - 1)).mul_(2.0**-shift).floor_().clamp_(low, high)
    shifted: Tensor = _FloorShift.apply(acc, shift)  # type: ignore[no-untyped-call]
    return clamp_returning(shifted, low, high) if returning else shifted.clamp(low, high)


def _round_through(x: Tensor) -> Tensor:
    """x, rounded, with the gradient of x."""
    return x + (torch.round(x) - x).detach()


class IntegerConv(nn.Module):
    """A convolution of integer activations with integer weights and biases; returns the integer accumulators.

    The parameters are real numbers until `freeze` replaces them by the integers that the forward pass makes of them.

    Shapes: (B, cin, H, W) -> (B, cout, H, W), with stride 1, an odd kernel and zero padding.
    """

    def __init__(self, cin: int, cout: int, kernel: int, gain: float = 1.0, dilation: int = 1) -> None:
        super().__init__()
        self.dilation = dilation
        self.padding = dilation * (kernel // 2)
        self.weight = nn.Parameter(torch.empty(cout, cin, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(cout))
        nn.init.normal_(self.weight, std=gain * (2.0 / (cin * kernel * kernel)) ** 0.5)
        self.frozen = False

    def integers(self) -> tuple[Tensor, Tensor]:
        """Return weights and biases as whole numbers in float tensors. Gradients pass the rounding unchanged."""
        if self.frozen:
            return self.weight, self.bias
        return (
            _round_through(self.weight * 2.0**WEIGHT_BITS),
            _round_through(self.bias * 2.0 ** (WEIGHT_BITS + ACTIVATION_BITS)),
        )

    def forward(self, x: Tensor, outputs: slice = slice(None)) -> Tensor:
        """Return the accumulators of all output channels, or of those in `outputs`."""
        weight, bias = (part[outputs] for part in self.integers())
        if x.dtype == torch.float64 and self.dilation == 1 and weight.shape[0] < weight.shape[1]:
            return _convolved_by_product(x, weight, bias)
        return convolved(x, weight, bias, padding=self.padding, dilation=self.dilation)

    def freeze(self) -> None:
        """Replace the parameters by their integers, in float64. From then on the layer is exact."""
        weight, bias = self.integers()
        self.weight.data, self.bias.data = weight.detach(), bias.detach()
        self.mark_frozen()

    def mark_frozen(self) -> None:
        """Mark parameters as frozen that are whole numbers already, and convert them to float64.

        Raises:
            ValueError: they aren't whole numbers.
        """
        for parameter in (self.weight, self.bias):
            if not (torch.equal(parameter.data, parameter.data.round()) and bool(parameter.data.isfinite().all())):
                raise ValueError("an integer layer with weights that aren't integers")
            parameter.requires_grad_(False)
            parameter.data = parameter.data.double()
        self.frozen = True

    def bound(self, largest_input: int | Tensor) -> int:
        """The largest magnitude of an accumulator for inputs of magnitudes up to `largest_input`, one value or one per
        input channel."""
        weight, bias = (p.detach().double() for p in self.integers())
        limit = torch.as_tensor(largest_input, dtype=torch.float64).expand(weight.shape[1])
        worst = (weight.abs().sum((2, 3)) * limit).sum(1) + bias.abs()
        return int(worst.max().item())


@functools.cache
def _probes() -> tuple[tuple[Tensor, Tensor, Tensor], ...]:
    """Inputs, weights and right results of convolutions of 1x1 and 3x3.

    Arithmetic with fewer bits than float32 gives other results. The inputs are large enough for torch to use oneDNN, as
    it does for real ones.
    """
    generator = torch.Generator().manual_seed(0)
    found = []
    with torch.inference_mode(False):
        x = torch.randint(0, ACTIVATION_MAX + 1, (1, 16, 38, 38), generator=generator).double()
        for kernel in (1, 3):
            weight = torch.randint(-300, 301, (16, 16, kernel, kernel), generator=generator).double()
            weight[:, 0, kernel // 2, kernel // 2] = 8191
            wanted = F.conv2d(x, weight, padding=kernel // 2)
            found.append((x.float(), weight.float(), wanted.float()))
    return tuple(found)


@torch.no_grad()
def exact_dtype() -> torch.dtype:
    """Return float32 if convolutions of integers in float32 are exact in this process, else float64."""
    exact = all(torch.equal(convolved(x, w, None, padding=w.shape[-1] // 2), wanted) for x, w, wanted in _probes())
    return torch.float32 if exact else torch.float64


def _convolved_by_product(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`F.conv2d` with a zero padding of half the kernel: one matrix product for all places, then a sum of its parts,
    each shifted by its place in the kernel.

    In float64, with fewer outputs than inputs, it takes a third of the time of `F.conv2d`.
    """
    outputs, inputs, side, _ = weight.shape
    batch, _, height, width = x.shape
    padded = F.pad(x, (side // 2,) * 4)
    products = weight.permute(2, 3, 0, 1).reshape(-1, inputs) @ padded.flatten(2)
    products = products.view(batch, side * side, outputs, *padded.shape[2:])
    total = bias.view(1, -1, 1, 1).expand(batch, -1, height, width).clone()
    for place in range(side * side):
        top, left = divmod(place, side)
        total += products[:, place, :, top : top + height, left : left + width]
    return total


def log_magnitude_table() -> np.ndarray:
    """Return round(16 * log2(1 + n)) for n = 0..255, int64 (256,), computed with integers alone."""
    table = np.zeros(LOG_MAGNITUDE_MAX + 1, dtype=np.int64)
    for n in range(1, LOG_MAGNITUDE_MAX + 1):
        # k is the largest integer with 2**(2k - 1) <= (1 + n)**32, which is k <= 16 log2(1 + n) + 1/2
        table[n] = ((1 + n) ** 32).bit_length() // 2
    return table


def log_magnitude(symbols: Tensor, table: Tensor) -> Tensor:
    """Return the entry of `table` (256,) for the magnitude of each symbol (any shape), clamped to 255."""
    places = symbols.detach().abs().clamp_(max=LOG_MAGNITUDE_MAX).int()
    return table.index_select(0, places.flatten()).view(places.shape)
