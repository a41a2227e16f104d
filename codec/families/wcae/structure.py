"""The shapes of the WCAE networks: Haar scales, and the layers of each band's branch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lpcodec.codec.arrays import ceil_div


@dataclass(frozen=True)
class Branch:
    """Layers of one branch: `inputs` maps, then a 3x3 convolution for each of `outputs` and `strides`.

    The synthesis mirrors it: the same outputs and strides in reverse, with `inputs` maps at the end.
    """

    inputs: int
    outputs: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.outputs) != len(self.strides):
            raise ValueError("a branch needs as many strides as outputs")

    @property
    def synthesis_outputs(self) -> tuple[int, ...]:
        return (*self.outputs[:0:-1], self.inputs)

    @property
    def downsampling(self) -> int:
        return math.prod(self.strides)

    @property
    def analysis_reach(self) -> int:
        """How many places of the branch's input, on each side, a place of the code can depend on."""
        return sum(math.prod(self.strides[:layer]) for layer in range(len(self.strides)))

    @property
    def synthesis_reach(self) -> int:
        """How many places of the code, on each side, a place of the branch's output can depend on."""
        # A 3x3 deconvolution reaches one place of its input on each side, which is 1 / jump places of the code.
        jumps = [math.prod(self.strides[::-1][:layer]) for layer in range(len(self.strides))]
        return math.ceil(sum(1 / jump for jump in jumps))


@dataclass(frozen=True)
class Structure:
    """A network of the family: Haar scales (0: none) and one branch per band, coarsest first."""

    scales: int
    branches: tuple[Branch, ...]

    def __post_init__(self) -> None:
        if len(self.branches) != max(1, self.scales):
            raise ValueError("one branch for each Haar scale, or a single one without")
        if len({self._band_step(i) * b.downsampling for i, b in enumerate(self.branches)}) != 1:
            raise ValueError("all branches must end at the same resolution")

    def _band_step(self, branch: int) -> int:
        return int(2 ** (self.scales - branch))

    @property
    def multiple(self) -> int:
        """The sides of the network's input are multiples of this; a square of this side is one place of the code."""
        return self._band_step(0) * self.branches[0].downsampling

    @property
    def code_channels(self) -> tuple[int, ...]:
        return tuple(branch.outputs[-1] for branch in self.branches)

    @property
    def elements_per_pixel(self) -> float:
        return sum(self.code_channels) / self.multiple**2

    @property
    def analysis_halo(self) -> int:
        """How many places of the code around a tile have pixels that the tile's code depends on."""
        reach = max(self._band_step(i) * branch.analysis_reach for i, branch in enumerate(self.branches))
        return ceil_div(reach, self.multiple)

    @property
    def synthesis_halo(self) -> int:
        """How many places of the code around a tile its pixels depend on."""
        return max(branch.synthesis_reach for branch in self.branches)


_COARSEST = Branch(12, (32, 32, 32, 32, 32), (1, 2, 2, 1, 1))
_SECOND = Branch(9, (16, 16, 32, 32, 32, 32), (1, 2, 2, 2, 1, 1))
_FINEST = Branch(9, (16, 16, 16, 16, 32, 32, 32), (1, 2, 2, 2, 2, 1, 1))

STRUCTURES = {
    "wcae": Structure(3, (_COARSEST, _SECOND, _FINEST)),
    "nowcae": Structure(0, (replace(_FINEST, inputs=3),)),
    "wcae-wide": Structure(3, (replace(_COARSEST, outputs=(32, 32, 32, 32, 64)), _SECOND, _FINEST)),
}
