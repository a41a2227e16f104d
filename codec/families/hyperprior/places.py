"""The gains of a picture's latents: those of its quality, or in each square those of the square's own quality.

The entropy model knows of one quality alone, that of the file: a square's latents are multiplied by other gains before
they are coded, and divided by them after they are decoded. The DC latents keep the file's gains, because they are
predicted from those beside them, whose squares may be others.
"""

import torch
from torch import Tensor

from lpcodec.codec.families.hyperprior.network import HyperpriorNetwork
from lpcodec.codec.families.hyperprior.sizes import STRIDE
from lpcodec.codec.quality import Quality
from lpcodec.codec.quality_map import QualityMap


class Places:
    """The qualities and gains of all latents of a picture or of a part of one, on the network's device.

    `quality` (1,) is the file's, 16-bit. `varies`: some squares have others.
    """

    def __init__(self, network: HyperpriorNetwork, quality: Quality, quality_map: QualityMap | None = None) -> None:
        device = network.log_gain.device
        self.quality = torch.tensor([quality.units], device=device)
        self.varies = quality_map is not None
        with torch.no_grad():
            self._gain, self._inverse_gain = network.gain(self.quality), network.inverse_gain(self.quality)
            if quality_map is None:
                return
            units = torch.from_numpy(quality_map.units(quality)).to(device)
            self._qualities, self._squares = torch.unique(units, return_inverse=True)
            self._side, self._top, self._left = (
                pixels // STRIDE for pixels in (quality_map.side, quality_map.top, quality_map.left)
            )
            self._gains, self._inverse_gains = (
                self._with_dc(of(self._qualities), own, network.sizes.dc_latents)
                for of, own in ((network.gain, self._gain), (network.inverse_gain, self._inverse_gain))
            )

    @staticmethod
    def _with_dc(gains: Tensor, own: Tensor, dc: int) -> Tensor:
        """Gains (Q, M, 1, 1) as rows (Q, M), with those of the DC latents replaced by the file's `own` (1, M, 1, 1)."""
        rows = gains[:, :, 0, 0]
        rows[:, :dc] = own[:, :dc, 0, 0]
        return rows

    def gain(self, rows: slice, columns: slice) -> Tensor:
        """What the latents of those rows and columns are multiplied by: (1, M, 1, 1), or (1, M, h, w)."""
        if not self.varies:
            return self._gain
        return self._gains.T[:, self._numbers(rows, columns)][None]  # in the order of the encoder's latents

    def inverse_gain(self, rows: slice, columns: slice) -> Tensor:
        """What values r + mean are multiplied by, as `gain`."""
        if not self.varies:
            return self._inverse_gain
        return self._inverse_gains[self._numbers(rows, columns)].permute(2, 0, 1)[None]  # as values: channels last

    def qualities(self, rows: slice, columns: slice) -> Tensor:
        """What `HyperpriorNetwork.synthesise` takes: (1,), or (1, h, w)."""
        return self._qualities[self._numbers(rows, columns)][None] if self.varies else self.quality

    def _numbers(self, rows: slice, columns: slice) -> Tensor:
        """For each of those latents (h, w), the number of its square's quality."""
        of_rows, of_columns = (
            (torch.arange(span.start, span.stop, device=self._squares.device) + first) // self._side
            for span, first in ((rows, self._top), (columns, self._left))
        )
        numbers: Tensor = self._squares[of_rows[:, None], of_columns]
        return numbers
