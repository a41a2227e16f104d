"""DIV2K: 800 training and 100 validation photographs of about two thousand pixels per side, for super-resolution.

Facts: addresses and their SHA-256 as in tensorflow/datasets, url_checksums/div2k.txt. The files have consecutive
numbers.
"""

from lpcodec.datasets.dataset import DataSet, Split, one_file


def _set(split: Split, title: str, numbers: range, sha256: str) -> DataSet:
    return DataSet(
        name=f"div2k-{split}",
        title=title,
        count=len(numbers),
        split=split,
        licence="for academic research; the pictures stay their owners'",
        home="https://data.vision.ee.ethz.ch/cvl/DIV2K/",
        downloads=one_file(
            f"https://data.vision.ee.ethz.ch/cvl/DIV2K/DIV2K_{split}_HR.zip",
            "tensorflow/datasets",
            f"sha256:{sha256}",
        ),
        names=tuple(f"{number:04}" for number in numbers),
    )


SETS = (
    _set(
        "train",
        "DIV2K, training",
        range(1, 801),
        "9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335",
    ),
    _set(
        "valid",
        "DIV2K, validation",
        range(801, 901),
        "20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc",
    ),
)
