"""Networks in exact integer arithmetic. They choose the probability table that a symbol is coded with.

A decoder on another machine must choose the same table for every symbol. The last bits of float convolutions depend on
the machine, the number of threads and the memory format; integers don't. A layer here is

```
integers --convolution with integer weights--> accumulators --floor((acc + half) / 2**shift)--> clamp --> integers
```

and nothing else: no exp, no division, no float that isn't an integer. The integers are in float tensors, which is exact
if every partial sum is below 2**24. `IntegerConv.bound` gives the largest possible accumulator from the weights' L1
norms, and export refuses a network that could exceed 2**24. float32 is exact too, unless torch or oneDNN are set to
lower precision (DNNL_DEFAULT_FPMATH_MODE, `torch.backends.fp32_precision`); `exact_dtype` tests that.

In training the same layer has real weights, rounds them in the forward pass and passes gradients straight through. So
the trained network is the one that is shipped.
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
"""Contexts clamp |r| to this before they take its logarithm."""


class _FloorShift(torch.autograd.Function):
    """floor((acc + 2**(shift-1)) * 2**-shift), with the gradient of the scaling alone."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, acc: Tensor, shift: int) -> Tensor:
        ctx.shift = shift  # type: ignore[attr-defined]
        return torch.floor((acc + 2.0 ** (shift - 1)) * 2.0**-shift)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * 2.0**-ctx.shift, None  # type: ignore[attr-defined]


class _ClampReturning(torch.autograd.Function):
    """clamp(x, low, high). The gradient also passes to values outside if it moves them back inside."""

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
    """Clamp to low..high. A value outside gets the gradient only if it moves the value back inside."""
    result: Tensor = _ClampReturning.apply(x, low, high)  # type: ignore[no-untyped-call]
    return result


def requantise(acc: Tensor, shift: int, low: int, high: int, returning: bool = False) -> Tensor:
    """Return floor((acc + 2**(shift-1)) / 2**shift) clamped to low..high, integers in acc's dtype.

    `returning`: with the gradient of `clamp_returning`.
    """
    if not torch.is_grad_enabled():  # the same in less memory
        return acc.add(2.0 ** (shift - 1)).mul_(2.0**-shift).floor_().clamp_(low, high)
    shifted: Tensor = _FloorShift.apply(acc, shift)  # type: ignore[no-untyped-call]
    return clamp_returning(shifted, low, high) if returning else shifted.clamp(low, high)


def _round_through(x: Tensor) -> Tensor:
    return x + (torch.round(x) - x).detach()


class IntegerConv(nn.Module):
    """A convolution with integer weights and biases on integer activations; returns the integer accumulators.

    Parameters are real numbers in natural units until `freeze` replaces them by the integers of the forward pass.

    Shapes: (B, cin, H, W) -> (B, cout, H, W); stride 1, odd kernel, zero padding.
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
        """Return (weights, biases) as integers in float tensors, with straight-through gradients."""
        if self.frozen:
            return self.weight, self.bias
        return (
            _round_through(self.weight * 2.0**WEIGHT_BITS),
            _round_through(self.bias * 2.0 ** (WEIGHT_BITS + ACTIVATION_BITS)),
        )

    def forward(self, x: Tensor, outputs: slice = slice(None)) -> Tensor:
        """The accumulators of all outputs, or of some."""
        weight, bias = (part[outputs] for part in self.integers())
        if x.dtype == torch.float64 and self.dilation == 1 and weight.shape[0] < weight.shape[1]:
            return _convolved_by_product(x, weight, bias)
        return convolved(x, weight, bias, self.padding, self.dilation)

    def freeze(self) -> None:
        """Replace the parameters by their integers, in float64. From then on the layer is exact."""
        weight, bias = self.integers()
        self.weight.data, self.bias.data = weight.detach(), bias.detach()
        self.mark_frozen()

    def mark_frozen(self) -> None:
        """Mark parameters that are integers already as frozen, and convert them to float64.

        Raises:
            ValueError: they aren't integers.
        """
        for parameter in (self.weight, self.bias):
            if not (torch.equal(parameter.data, parameter.data.round()) and bool(parameter.data.isfinite().all())):
                raise ValueError("an integer layer with weights that aren't integers")
            parameter.requires_grad_(False)
            parameter.data = parameter.data.double()
        self.frozen = True

    def bound(self, largest_input: int | Tensor) -> int:
        """The largest |accumulator| for inputs of at most `largest_input` (one value, or one per channel)."""
        weight, bias = (p.detach().double() for p in self.integers())
        limit = torch.as_tensor(largest_input, dtype=torch.float64).expand(weight.shape[1])
        worst = (weight.abs().sum((2, 3)) * limit).sum(1) + bias.abs()
        return int(worst.max().item())


@functools.cache
def _probes() -> tuple[tuple[Tensor, Tensor, Tensor], ...]:
    """Inputs, weights and results for kernels of 1 and 3. Arithmetic with fewer bits than float32 gets them wrong. They
    are large enough for torch to use oneDNN, as it does for real ones."""
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
    """Return float32 if this process convolves integers in float32 without rounding sums below 2**24, else float64."""
    exact = all(torch.equal(convolved(x, w, None, w.shape[-1] // 2), wanted) for x, w, wanted in _probes())
    return torch.float32 if exact else torch.float64


def _convolved_by_product(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`F.conv2d` with zero padding of half the kernel: one matrix product for all positions, then a sum of shifted
    parts over the kernel. In float64, with fewer outputs than inputs, this takes a third of the time of torch's own."""
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
    """Return round(16 * log2(1 + n)) for n = 0..255 as int64, computed with integers alone."""
    table = np.zeros(LOG_MAGNITUDE_MAX + 1, dtype=np.int64)
    for n in range(1, LOG_MAGNITUDE_MAX + 1):
        # k is the largest integer with 2**(2k - 1) <= (1 + n)**32, which is k <= 16 log2(1 + n) + 1/2
        table[n] = ((1 + n) ** 32).bit_length() // 2
    return table


def log_magnitude(symbols: Tensor, table: Tensor) -> Tensor:
    """Return the integer log-magnitudes of integer symbols (any shape), through `table` (256 entries)."""
    places = symbols.detach().abs().clamp_(max=LOG_MAGNITUDE_MAX).int()
    return table.index_select(0, places.flatten()).view(places.shape)
