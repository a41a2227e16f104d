"""Our own models as codecs of a report."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lpcodec.codec.arrays import Pixels


@dataclass(frozen=True)
class Ours:
    """One set of weights as a codec: its setting is the quality 0..100, which a model without a dial ignores. `model`
    names the set: `default` is the one for PSNR. `label` is what a report calls it, by default that name."""

    model: str
    has_quality: bool = True
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or self.model

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """The .lpc file at a fixed quality."""
        from lpcodec.codec.api import encode_report

        wanted = quality if self.has_quality else None
        return encode_report(Image.fromarray(pixels), model=self.model, tune="psnr", quality=wanted).data

    def encode_to_bpp(self, pixels: Pixels, bpp: float) -> tuple[bytes, float]:
        """The .lpc file for a rate target, as near as the model comes to it, and the quality it took."""
        from lpcodec.codec.api import encode_report

        result = encode_report(Image.fromarray(pixels), model=self.model, tune="psnr", bpp=bpp, best_effort=True)
        return result.data, 0.0 if result.quality is None else result.quality

    def decode(self, data: bytes) -> Pixels:
        """The pixels of an .lpc file."""
        from lpcodec.codec.api import decode_report

        return np.asarray(decode_report(data).image.convert("RGB"))


@dataclass(frozen=True)
class OurFamily:
    """The sets of weights of a network without a dial, as one codec: each is a setting, named by a number."""

    name: str
    models: Mapping[float, str]

    def encode(self, pixels: Pixels, setting: float) -> bytes:
        """The .lpc file with the set of weights that `setting` stands for. ValueError if there is none."""
        if setting not in self.models:
            raise ValueError(
                f"{self.name} has the settings {', '.join(f'{s:g}' for s in self.models)}, not {setting:g}"
            )
        return Ours(self.models[setting], has_quality=False).encode(pixels, 0)

    def decode(self, data: bytes) -> Pixels:
        """The pixels of an .lpc file."""
        return Ours(self.name).decode(data)
