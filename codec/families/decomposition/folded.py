"""LPAE, faster: each affine branch of the network becomes one convolution, on tiles of the picture that stay in cache.

```
split:  tile of x --one convolution 10x10, stride 2--> 12 maps: the detail of each 2x2 block   3 maps: the approximation
merge:  tile of c --one convolution 5x5--> 12 maps: the prediction of each 2x2 block --+ detail--> tile of x
```

A chain of convolutions without activations is one affine filter: 9x9 for the two branches of the encoder, 10x10 with
stride 2 for the prediction. That is 1,350 multiply-accumulates per pixel instead of 15,852. (Both encoder filters share
one convolution, whose windows are a pixel larger than necessary.) The fold is exact where no zero padding is in reach.
A frame of 4 to 5 pixels at the border is computed by the chains themselves. The result differs from the network's by
less than 1e-5 of its range. It is for inference only: no gradient flows through it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.families.decomposition.lpae import LaplacianAutoencoder
from lpcodec.codec.frontends.interface import AnyLevels, Bands, Size, check_details, split_levels
from lpcodec.entropy.convolution import convolved

FRAME = 4
"""Width in pixels of the border that the chains compute; padding reaches 3."""
TILE = (64, 512)
"""Rows and columns of the picture in a tile."""
_SMALLEST = 4 * FRAME
"""A picture with a shorter side is all computed by the chains."""


class FoldedLaplacianAutoencoder(AnyLevels):
    """Computes what a trained LPAE computes, several times as fast. The weights are copied at construction."""

    def __init__(self, network: LaplacianAutoencoder) -> None:
        self.levels = network.levels
        self._network: LaplacianAutoencoder = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        parameter = next(network.parameters())
        detail, detail_bias = _impulse_response(network.detail)
        approximation, approximation_bias = _impulse_response(network.approximation)
        weight = torch.zeros(15, 3, 10, 10, dtype=torch.float64)
        for row in (0, 1):
            for column in (0, 1):
                weight[2 * row + column : 12 : 4, :, row : row + 9, column : column + 9] = detail
        weight[12:, :, :9, :9] = approximation
        bias = torch.cat((detail_bias.repeat_interleave(4), approximation_bias))
        self._encoder = weight.to(parameter).contiguous(memory_format=torch.channels_last), bias.to(parameter)
        with torch.no_grad():
            weight, bias = prediction_response(copy.deepcopy(network.prediction).cpu().double())
        self._decoder = weight.to(parameter).contiguous(memory_format=torch.channels_last), bias.to(parameter)

    @torch.inference_mode()
    def split(self, x: Tensor) -> Bands:
        """Picture (B, 3, H, W) -> coarse (B, 3, H/2^k, W/2^k), details (B, 3, h, w) of each level's own size."""
        return split_levels(x, self.levels, self._split_once)

    @torch.inference_mode()
    def predict(self, coarse: Tensor, size: Size) -> Tensor:
        """(B, 3, h, w) -> (B, 3, *size), `size` being twice h and w or one less."""
        return self._predict_on(coarse, coarse.new_zeros(*coarse.shape[:2], *size))

    @torch.inference_mode()
    def merge(self, bands: Bands) -> Tensor:
        """Bands -> picture (B, 3, H, W), about 0..1 but not clamped."""
        check_details(bands, self.levels)
        x = bands.coarse
        for detail in bands.details:
            x = self._predict_on(x, detail)
        return x

    def _split_once(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The approximation and the detail of one level."""
        height, width = x.shape[2:]
        if min(height, width) < _SMALLEST:
            return self._network.approximation(x), self._network.detail(x)
        detail = torch.empty_like(x, memory_format=torch.contiguous_format)
        coarse = x.new_empty(*x.shape[:2], ceil_div(height, 2), ceil_div(width, 2))
        bottom, right = _last_even(height), _last_even(width)
        for rows, columns in _tiles(FRAME, bottom, right):
            tile = x[..., rows.start - 4 : rows.stop + 4, columns.start - 4 : columns.stop + 4]
            y = convolved(tile.contiguous(memory_format=torch.channels_last), *self._encoder, stride=2)
            _blocks(detail[..., rows, columns]).copy_(_as_blocks(y[:, :12]))
            coarse[..., _halved(rows), _halved(columns)] = y[:, 12:]
        for rows, columns, core_rows, core_columns in _frame(bottom, right, height, width):
            strip = x[..., rows, columns].contiguous(memory_format=torch.channels_last)
            inner = (..., _within(core_rows, rows), _within(core_columns, columns))
            detail[..., core_rows, core_columns] = self._network.detail(strip)[inner]
            halved = (..., _within(_halved(core_rows), _halved(rows)), _within(_halved(core_columns), _halved(columns)))
            coarse[..., _halved(core_rows), _halved(core_columns)] = self._network.approximation(strip)[halved]
        return coarse, detail

    def _predict_on(self, coarse: Tensor, detail: Tensor) -> Tensor:
        """`detail` plus the prediction of `coarse`, of the detail's size."""
        if min(coarse.shape[2:]) < _SMALLEST // 2:
            return detail + self._network.predict(coarse, (detail.shape[2], detail.shape[3]))
        height, width = detail.shape[2:]
        x = torch.empty_like(detail, memory_format=torch.contiguous_format)
        bottom, right = 2 * coarse.shape[2] - FRAME, 2 * coarse.shape[3] - FRAME
        for rows, columns in _tiles(FRAME, bottom, right):
            (top, end), (left, stop) = ((s.start // 2 - 2, s.stop // 2 + 2) for s in (rows, columns))
            tile = coarse[..., top:end, left:stop]
            y = convolved(tile.contiguous(memory_format=torch.channels_last), *self._decoder)
            torch.add(_blocks(detail[..., rows, columns]), _as_blocks(y), out=_blocks(x[..., rows, columns]))
        for rows, columns, core_rows, core_columns in _frame(bottom, right, 2 * coarse.shape[2], 2 * coarse.shape[3]):
            strip = coarse[..., _halved(rows), _halved(columns)].contiguous(memory_format=torch.channels_last)
            strip = self._network.prediction(strip)
            core = (..., slice(core_rows.start, min(core_rows.stop, height)),
                    slice(core_columns.start, min(core_columns.stop, width)))  # fmt: skip
            x[core] = detail[core] + strip[..., _within(core[1], rows), _within(core[2], columns)]
        return x


def _tiles(first: int, bottom: int, right: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the tiles of the interior, `first` to `bottom` and to `right`, all even."""
    for top in range(first, bottom, TILE[0]):
        for left in range(first, right, TILE[1]):
            yield slice(top, min(top + TILE[0], bottom)), slice(left, min(left + TILE[1], right))


def _frame(bottom: int, right: int, height: int, width: int) -> Iterator[tuple[slice, slice, slice, slice]]:
    """The four sides of the frame: rows and columns that a chain reads, then those for which its result is valid."""
    whole, inner = slice(0, width), slice(FRAME, bottom)
    yield slice(0, 2 * FRAME), whole, slice(0, FRAME), whole
    yield slice(bottom - FRAME, height), whole, slice(bottom, height), whole
    yield slice(0, bottom + FRAME), slice(0, 2 * FRAME), inner, slice(0, FRAME)
    yield slice(0, bottom + FRAME), slice(right - FRAME, width), inner, slice(right, width)


def _last_even(length: int) -> int:
    """Where the interior of a picture's side ends: 4 from the end, or 5 to be even."""
    return (length - FRAME) // 2 * 2


def _halved(span: slice) -> slice:
    """The places of the approximation that belong to `span`, which starts at an even place."""
    return slice(span.start // 2, ceil_div(span.stop, 2))


def _within(span: slice, outer: slice) -> slice:
    """`span` counted from the start of `outer`."""
    return slice(span.start - outer.start, span.stop - outer.start)


def _blocks(x: Tensor) -> Tensor:
    """(B, 3, 2h, 2w) seen as (B, 3, h, 2, w, 2), without a copy."""
    batch, channels, height, width = x.shape
    rows, columns = x.stride()[2:]
    return x.as_strided(
        (batch, channels, height // 2, 2, width // 2, 2),
        (*x.stride()[:2], 2 * rows, rows, 2 * columns, columns),
    )


def _as_blocks(y: Tensor) -> Tensor:
    """(B, 12, h, w), four maps per colour, one for each place of a block, seen as (B, 3, h, 2, w, 2)."""
    batch, _, height, width = y.shape
    _, maps, rows, columns = y.stride()
    return y.as_strided((batch, 3, height, 2, width, 2), (y.stride(0), 4 * maps, rows, 2 * maps, columns, maps))


@torch.no_grad()
def _impulse_response(chain: nn.Sequential) -> tuple[Tensor, Tensor]:
    """A chain of four convolutions 3x3 as one 9x9: weight (3, 3, 9, 9) and bias (3,), float64."""
    exact = copy.deepcopy(chain).cpu().double()
    *_, last = exact
    assert isinstance(last, nn.Conv2d)
    last.stride = (1, 1)  # the same filter, at every place
    impulses = torch.zeros(4, 3, 19, 19, dtype=torch.float64)
    impulses[range(3), range(3), 9, 9] = 1
    answers = exact(impulses)[..., 5:14, 5:14]
    bias = answers[3]
    # The answer to an impulse is the filter, turned by half a turn.
    return (answers[:3] - bias).flip(2, 3).transpose(0, 1), bias[:, 4, 4]


def prediction_response(chain: nn.Sequential) -> tuple[Tensor, Tensor]:
    """The prediction as one convolution 5x5 that gives the four places of each 2x2 block: weight (12, 3, 5, 5), bias
    (12,), in the chain's dtype and differentiable by its weights. A twentieth of the chain's work, in training too.
    """
    impulses = next(chain.parameters()).new_zeros(4, 3, 13, 13)
    impulses[range(3), range(3), 6, 6] = 1
    answers = F.pixel_unshuffle(chain(impulses), 2)[..., 4:9, 4:9]
    bias = answers[3]
    return (answers[:3] - bias).flip(2, 3).transpose(0, 1), bias[:, 2, 2]
