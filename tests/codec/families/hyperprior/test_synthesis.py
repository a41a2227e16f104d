"""The rows of values that the bands of a large picture are painted from."""

import torch
from torch import Tensor

from lpcodec.codec.families.hyperprior.synthesis import RowsOfValues

HEIGHT, STEP = 23, 4
WHOLE = torch.arange(3 * HEIGHT * 5).float().view(1, 3, HEIGHT, 5)


def test_rows_are_made_once_and_dropped_when_they_are_passed() -> None:
    made: list[tuple[int, int]] = []

    def make(first: int, rows: Tensor) -> None:
        made.append((first, rows.shape[2]))
        rows[:] = WHOLE[:, :, first : first + rows.shape[2]]

    values = RowsOfValues(make, HEIGHT, STEP, torch.empty(1, 3, 0, 5))
    for top, bottom in ((0, 7), (5, 8), (6, 13), (13, 14), (14, 23)):
        found = values.since(top, bottom)
        assert bottom - top <= found.shape[2] < bottom - top + STEP
        assert torch.equal(found, WHOLE[:, :, top : top + found.shape[2]])
        assert found.is_contiguous(memory_format=torch.channels_last)
    assert made == [(0, 8), (8, 8), (16, 7)]


def test_old_rows_are_freed_before_new_ones_are_made() -> None:
    """They are the most memory that decoding takes besides the symbols and the picture."""
    blocks: list[int] = []

    def make(first: int, rows: Tensor) -> None:
        kept = values._kept
        assert kept.untyped_storage().data_ptr() == rows.untyped_storage().data_ptr()
        blocks.append(kept.untyped_storage().nbytes())

    values = RowsOfValues(make, HEIGHT, STEP, torch.empty(1, 3, 0, 5))
    for top, bottom in ((0, 8), (7, 15), (15, 20)):
        values.since(top, bottom)
    row = WHOLE[:, :, 0].nbytes
    assert blocks == [8 * row, 9 * row, 5 * row]
