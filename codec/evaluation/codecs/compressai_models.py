"""CompressAI's trained models as codecs, if the package and its weights are installed; nothing is downloaded.

    pixels --padded to 64--> compress() --strings--> their bytes, one after the other --decompress()--> pixels

A model has the name that it has in CompressAI's zoo (`mbt2018-mean`; `mbt2018-mean-ms-ssim` is the one trained for
MS-SSIM). Its settings are the qualities that have weights in torch's hub cache, where CompressAI puts them. The size of
a file is that of the strings, as CompressAI itself counts it: the picture's size and the quality cost nothing.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lpcodec.codec.arrays import Pixels
from lpcodec.codec.errors import UsageError
from lpcodec.codec.evaluation.metrics.torchvision_import import make_importable

NAMES = (
    "bmshj2018-factorized",
    "bmshj2018-hyperprior",
    "mbt2018-mean",
    "mbt2018",
    "cheng2020-anchor",
    "cheng2020-attn",
)
MS_SSIM = "-ms-ssim"
STRIDE = 64


class Strings(bytes):
    """Coded strings, one after the other, with what else CompressAI's decoder needs."""

    parts: list[list[bytes]]
    shape: Any
    quality: int
    size: tuple[int, int]


@dataclass(frozen=True)
class CompressaiModel:
    """A model of the zoo. `files` are its weights by quality."""

    name: str
    files: Mapping[int, Path]
    _loaded: dict[int, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def settings(self) -> tuple[float, ...]:
        return tuple(float(quality) for quality in sorted(self.files))

    @property
    def options(self) -> str:
        """The weights' files, whose names end with their digests."""
        return "CompressAI, " + ", ".join(self.files[quality].name for quality in sorted(self.files))

    def encode(self, pixels: Pixels, setting: float) -> Strings:
        """The strings for pixels uint8 (H, W, 3) at one of the qualities."""
        import torch

        height, width = pixels.shape[:2]
        picture = torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255)[None]
        padding = (0, -width % STRIDE, 0, -height % STRIDE)
        with torch.inference_mode():
            coded = self._network(int(setting)).compress(torch.nn.functional.pad(picture, padding))
        data = Strings(b"".join(string for strings in coded["strings"] for string in strings))
        data.parts, data.shape, data.quality, data.size = (
            coded["strings"],
            coded["shape"],
            int(setting),
            (height, width),
        )
        return data

    def decode(self, data: bytes) -> Pixels:
        """The pixels uint8 (H, W, 3) of what `encode` returned. TypeError for other bytes."""
        import torch

        if not isinstance(data, Strings):
            raise TypeError("only strings of this model, with their shape, can be decoded")
        with torch.inference_mode():
            decoded = self._network(data.quality).decompress(data.parts, data.shape)["x_hat"][0]
        pixels = (decoded.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        return np.ascontiguousarray(pixels[: data.size[0], : data.size[1]])

    def _network(self, quality: int) -> Any:
        if quality not in self._loaded:
            import torch

            image = importlib.import_module("compressai.zoo.image")
            state = torch.load(self.files[quality], map_location="cpu", weights_only=True)
            architecture = image.model_architectures[self.name.removesuffix(MS_SSIM)]
            network = architecture.from_state_dict(image.load_pretrained(state)).eval()
            network.update()
            self._loaded[quality] = network
        return self._loaded[quality]


def known(name: str) -> bool:
    """Whether it is the name of a model of the zoo."""
    return name.removesuffix(MS_SSIM) in NAMES


def find_model(name: str) -> CompressaiModel:
    """The model of that name. UsageError, which says what is missing, if it isn't available here."""
    try:
        make_importable()
        image = importlib.import_module("compressai.zoo.image")
    except ImportError as error:
        raise UsageError(f"{name} needs CompressAI: pip install 'lpcodec[train]' ({error})") from error
    import torch

    folder = Path(torch.hub.get_dir(), "checkpoints")
    metric = "ms-ssim" if name.endswith(MS_SSIM) else "mse"
    urls: Mapping[int, str] = image.model_urls[name.removesuffix(MS_SSIM)][metric]
    files = {quality: folder / url.rpartition("/")[2] for quality, url in urls.items()}
    here = {quality: path for quality, path in files.items() if path.exists()}
    if not here:
        wanted = ", ".join(path.name for path in files.values())
        raise UsageError(f"{name}: no weights in {folder}, and nothing is downloaded here; put one there of {wanted}")
    return CompressaiModel(name, here)
