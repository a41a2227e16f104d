"""The guard of the evaluation sets: pictures that codecs are compared on are never trained on.

A picture is recognised by the digest of its pixels, with any name and in any lossless format. A picture that was
cropped, resized, turned or compressed again has other pixels and isn't recognised. The guard knows the digests in this
package, and those of the evaluation sets that were fetched into the data root.
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpcodec.datasets import record
from lpcodec.datasets.pictures import pixel_digest
from lpcodec.datasets.registry import data_root, sets

if TYPE_CHECKING:
    from numpy.typing import NDArray


class EvaluationPictureError(ValueError):
    """A picture to train on belongs to an evaluation set; the text names both."""


class Guard:
    """Refuses pictures of evaluation sets; `root` is the data root, by default the user's."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = root

    @cached_property
    def known(self) -> dict[str, str]:
        """Digest -> a description of the picture, for every evaluation picture that is known here."""
        root = self._root or data_root()
        found: dict[str, str] = {}
        for dataset in (dataset for dataset in sets() if dataset.evaluates):
            fetched = record.load(root / dataset.name)
            if fetched is not None and fetched.dataset == dataset.name:
                found |= {digest: f"{name} of {dataset.title}" for name, digest in fetched.pictures.items()}
            found |= {digest: f"{stem} of {dataset.title}" for stem, digest in dataset.digests.items()}
        return found

    def check(self, name: str, pixels: "NDArray[Any]") -> None:
        """Check the pixels (H, W, 3) uint8 of the picture `name`. Raises EvaluationPictureError if an evaluation set
        has them."""
        if (picture := self.known.get(pixel_digest(pixels))) is not None:
            raise EvaluationPictureError(
                f"{name} is {picture}, an evaluation set: what is trained on it can't be compared on it; remove it"
            )
